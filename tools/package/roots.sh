#!/usr/bin/env bash
# Makes what the package is tried in: build/roots/RELEASE, each a Debian of that release with
# nothing but what every Debian has (and not even its OpenSSL), and in it the app's folder with
# dist/leasehold.zip unpacked. What is there is kept, but for the app's folder. Needs debootstrap,
# which needs to be root.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/package/archive.sh
. tools/progress.sh

readonly RELEASES=(bullseye bookworm)
readonly APP=home/site/wwwroot # Azure's

die() {
    echo "package: $*" >&2
    exit 1
}

make_root() {
    local release=$1 root=$2 address
    address=$(archive_address bookworm)
    debootstrap --variant=minbase "$release" "$root" "$address"
    # Debian 11 has an OpenSSL of its own for Kerberos' sake.
    chroot "$root" dpkg --purge --force-depends libssl1.1
    rm -rf "$root"/var/cache/apt/archives/*.deb
}

[ "$(id -u)" -eq 0 ] || die "making root file systems needs root: sudo make test-package"
umask 022
mkdir -p build/roots
for release in "${RELEASES[@]}"; do
    root=build/roots/$release
    if [ ! -d "$root" ]; then
        echo "package: making a bare $release in $root"
        rm -rf "$root.new"
        progress_start "package: making a bare $release"
        make_root "$release" "$root.new" >"$root.log" 2>&1 &
        if ! wait $!; then
            tail -n 20 "$root.log" >&2
            die "debootstrap cannot make a $release here, so the package cannot be tried; all it said is in $root.log"
        fi
        progress_stop
        mv "$root.new" "$root"
    fi
    # A test that was interrupted leaves certificates.
    rm -rf "${root:?}/$APP" "$root/etc/ssl" "$root/etc/pki"
    mkdir -p "$root/$APP"
    unzip -q dist/leasehold.zip -d "$root/$APP"
done
