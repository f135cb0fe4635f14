#!/usr/bin/env bash
# Makes build/package/root: Debian 11's C library, and the libraries that the handler uses, small
# and static. What is left out of them is what the handler never asks for; what is not there has no
# holes. Needs inputs.sh to have run.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/progress.sh

readonly TOOLS=$PWD/tools/package BUILD=$PWD/build/package
readonly INPUTS=$BUILD/inputs ROOT=$BUILD/root SOURCES=$BUILD/sources
multiarch=$(gcc -print-multiarch)
jobs=$(nproc)
readonly LIB=$ROOT/usr/lib/$multiarch INCLUDE=$ROOT/usr/include jobs
readonly FLAGS=(-O2 -fPIE -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2
    -ffunction-sections -fdata-sections)
# by its name alone: OpenSSL keeps it in its version text
export PATH=$PWD/tools/package:$PATH CC=package-cc.sh
unset CFLAGS LDFLAGS CPPFLAGS MAKEFLAGS MAKELEVEL

# No provider, engine or configuration file is loaded from the target: what runs is what was tested.
# DES is for encrypted PEM and PKCS #12 files.
readonly OPENSSL_OPTIONS=(no-shared no-module no-dso no-engine no-autoload-config no-tests no-filenames no-ui-console
    no-afalgeng no-async no-ssl3 no-tls1 no-tls1_1 no-dtls no-srp no-srtp no-psk no-nextprotoneg no-comp no-ct no-ocsp
    no-cms no-ts no-cmp no-rfc3779 no-legacy no-gost no-idea no-seed no-camellia no-aria no-sm2 no-sm3 no-sm4 no-bf no-cast
    no-rc2 no-rc4 no-md4 no-mdc2 no-rmd160 no-whirlpool no-blake2 no-siphash no-siv no-scrypt no-ec2m no-dsa
    enable-ec_nistp_64_gcc_128)

# HTTP and HTTPS; --disable-proxy and --disable-netrc would take away the options with which
# http_transport.c says no to both.
readonly CURL_OPTIONS=(--disable-shared --enable-static --with-openssl --enable-threaded-resolver
    --disable-dependency-tracking --disable-openssl-auto-load-config --without-ca-bundle --without-ca-path
    --without-zlib --without-brotli --without-zstd --without-libpsl --without-libidn2 --without-nghttp2 --without-nghttp3
    --without-ngtcp2 --without-librtmp --without-libssh2 --without-libgsasl
    --disable-ftp --disable-file --disable-ldap --disable-ldaps --disable-rtsp --disable-dict --disable-telnet
    --disable-tftp --disable-pop3 --disable-imap --disable-smb --disable-smtp --disable-gopher --disable-mqtt
    --disable-websockets --disable-unix-sockets --disable-ntlm --disable-tls-srp --disable-http-auth --disable-crypto-auth
    --disable-cookies --disable-alt-svc --disable-hsts --disable-doh --disable-mime --disable-dateparse
    --disable-progress-meter --disable-headers-api --disable-get-easy-options --disable-libcurl-option --disable-manual)

# What the result depends on.
fingerprint() {
    gcc --version
    (cd "$INPUTS" && sha256sum -- *)
    sha256sum tools/package/libraries.sh tools/package/package-cc.sh tools/package/*.patch
}

unpack_c_library() {
    local package link target
    for package in "$INPUTS"/*.deb; do
        dpkg-deb -x "$package" "$ROOT"
    done
    # Absolute links would lead to this machine's own files.
    find "$ROOT" -type l -lname '/*' | while read -r link; do
        target=$(readlink "$link")
        ln -sfn "$(realpath -m --relative-to="$(dirname "$link")" "$ROOT$target")" "$link"
    done
}

# Unpacks Debian's source package $1 with Debian's patches, and sets the time that its build may
# record: its changelog's.
unpack_source() {
    dpkg-source --no-check -x "$INPUTS/$1"_*.dsc "$SOURCES/$1" # apt has checked it
    cd "$SOURCES/$1"
    SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -S Timestamp)
    export SOURCE_DATE_EPOCH
}

build_openssl() {
    unpack_source openssl
    ./Configure "${OPENSSL_OPTIONS[@]}" --prefix=/usr --openssldir=/etc/ssl "${FLAGS[@]}"
    make -s build_generated
    make -s -j"$jobs" libcrypto.a libssl.a
    install -m 644 libcrypto.a libssl.a "$LIB"
    cp -r include/openssl "$INCLUDE"
}

build_curl() {
    unpack_source curl
    patch -p1 <"$TOOLS/curl-headers.patch"
    CFLAGS="${FLAGS[*]}" ./configure -q "${CURL_OPTIONS[@]}"
    make -s -j"$jobs" -C lib
    install -m 644 lib/.libs/libcurl.a "$LIB"
    install -D -m 644 -t "$INCLUDE/curl" include/curl/*.h
}

build_cjson() {
    unpack_source cjson
    "$CC" "${FLAGS[@]}" -c cJSON.c
    ar qcsD "$LIB/libcjson.a" cJSON.o
    install -D -m 644 -t "$INCLUDE/cjson" cJSON.h
}

# $1: library; the rest: its licence's file. The licences ask to go with every copy.
add_notice() {
    local version
    version=$(dpkg-parsechangelog -l "$SOURCES/$1/debian/changelog" -S Version)
    printf '\n%s\n%s, from Debian'\''s source package %s\n%s\n\n' "$(printf '=%.0s' {1..80})" "$1" "$version" "$(printf '=%.0s' {1..80})"
    cat "$SOURCES/$1/$2"
}

write_notice() {
    echo "bin/handler contains these libraries, built with fewer features than they come with, and curl with one change"
    echo "that makes it faster (tools/package/curl-headers.patch):"
    add_notice openssl LICENSE.txt
    add_notice curl COPYING
    add_notice cjson LICENSE
}

wanted=$(fingerprint)
if [ "$(cat "$ROOT/fingerprint" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
rm -rf "$ROOT" "$SOURCES"
mkdir -p "$ROOT" "$SOURCES"
unpack_c_library
for library in openssl curl cjson; do
    echo "package: building $library"
    progress_start "package: building $library"
    # Not before "||": there a failed command would not end the function.
    "build_$library" >"$BUILD/$library.log" 2>&1 &
    wait $! || {
        tail -n 40 "$BUILD/$library.log" >&2
        echo "package: $library was not built; all it said is in $BUILD/$library.log" >&2
        exit 1
    }
    progress_stop
done
write_notice >"$ROOT/NOTICE"
rm -rf "$SOURCES"
echo "$wanted" >"$ROOT/fingerprint"
