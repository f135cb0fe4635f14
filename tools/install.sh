#!/usr/bin/env bash
# Installs what make has built in build/release/, or removes it again: the lease library, leasectl
# and the man pages. It builds nothing.
#
#   tools/install.sh install|uninstall VERSION
#
# The folders are GNU's, from the environment: prefix, bindir, libdir, includedir, mandir. DESTDIR
# is put before each of them, for those who make packages.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly BUILD=build/release USAGE="usage: tools/install.sh install|uninstall VERSION"
readonly action=${1:?$USAGE} version=${2:?$USAGE}
readonly abi_version=${version%%.*}
DESTDIR=${DESTDIR:-}
: "${prefix:?}" "${bindir:?}" "${libdir:?}" "${includedir:?}" "${mandir:?}"

# put_file MODE SOURCE TARGET
put_file() {
    install -D -m "$1" "$2" "$DESTDIR$3"
}

# put_filled SOURCE TARGET: with the values of this installation in place of @NAME@.
put_filled() {
    install -D -m 644 /dev/null "$DESTDIR$2"
    sed -e "s|@prefix@|$prefix|; s|@libdir@|$libdir|; s|@includedir@|$includedir|" \
        -e "s|@version@|$version|; s|@abi_version@|$abi_version|" \
        -e "s|@includedir_from_libdir@|$(realpath -m --relative-to="$libdir" "$includedir")|" \
        "$1" >"$DESTDIR$2"
}

# put_link TEXT TARGET
put_link() {
    ln -sfn "$1" "$DESTDIR$2"
}

put_all() {
    local page
    put_file 644 handler/lease/leasehold.h "$includedir/leasehold.h"
    put_file 644 "$BUILD/libleasehold.a" "$libdir/libleasehold.a"
    put_file 644 "$BUILD/libleasehold.so.$version" "$libdir/libleasehold.so.$version"
    put_link "libleasehold.so.$version" "$libdir/libleasehold.so.$abi_version"
    put_link "libleasehold.so.$abi_version" "$libdir/libleasehold.so"
    put_filled packaging/leasehold.pc.in "$libdir/pkgconfig/leasehold.pc"
    put_filled packaging/leasehold-static.pc.in "$libdir/pkgconfig/leasehold-static.pc"
    put_filled packaging/leasehold-config.cmake.in "$libdir/cmake/leasehold/leasehold-config.cmake"
    put_filled packaging/leasehold-config-version.cmake.in "$libdir/cmake/leasehold/leasehold-config-version.cmake"
    put_file 755 "$BUILD/bin/leasectl" "$bindir/leasectl"
    for page in docs/man/*.scd; do
        page=$(basename "$page" .scd)
        put_file 644 "$BUILD/man/$page" "$mandir/man${page##*.}/$page"
    done
}

# Tells the loader of a library in one of its own folders. In others it finds none by itself.
tell_loader() {
    if [ -z "$DESTDIR" ] && [ "$(id -u)" -eq 0 ] && /sbin/ldconfig -N -v 2>/dev/null | grep -q "^$libdir:"; then
        /sbin/ldconfig
    fi
}

case $action in
install) ;;
uninstall)
    # What is put by install is removed by the same list.
    put_file() { rm -f "$DESTDIR$3"; }
    put_filled() { rm -f "$DESTDIR$2"; }
    put_link() { rm -f "$DESTDIR$2"; }
    ;;
*)
    echo "$USAGE" >&2
    exit 64
    ;;
esac
umask 022
put_all
if [ "$action" = uninstall ] && [ -d "$DESTDIR$libdir/cmake/leasehold" ]; then
    rmdir "$DESTDIR$libdir/cmake/leasehold"
fi
tell_loader
