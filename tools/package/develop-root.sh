#!/usr/bin/env bash
# Makes build/roots/develop, in which the Debian packages of dist/debs/ are tried: the bare Debian
# 12 that roots.sh makes, with compilers, CMake, pkg-config, and the packages themselves. What is
# there is kept, but for our packages. Needs to be root.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/progress.sh

# The last two lines are what Debian's libcurl was built with. `pkg-config --static` names it all.
readonly TOOLS=(cmake g++ gcc libc6-dev make pkg-config man-db
    libbrotli-dev libidn2-dev libkrb5-dev libldap-dev libnghttp2-dev libpsl-dev librtmp-dev
    libssh2-1-dev libzstd-dev zlib1g-dev)
readonly ROOT=build/roots/develop

in_root() {
    chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C "${@:2}"
}

make_root() {
    cp -a build/roots/bookworm "$1"
    in_root "$1" apt-get update -qq
    in_root "$1" apt-get install -y --no-install-recommends "${TOOLS[@]}"
}

# A step with its output in a log, which is shown if the step fails: logged TITLE COMMAND...
logged() {
    echo "package: $1"
    progress_start "package: $1"
    "${@:2}" >"$ROOT.log" 2>&1 &
    if ! wait $!; then
        tail -n 20 "$ROOT.log" >&2
        echo "package: $1 failed; all it said is in $ROOT.log" >&2
        exit 1
    fi
    progress_stop
}

install_packages() {
    rm -rf "$ROOT/debs"
    mkdir "$ROOT/debs"
    cp dist/debs/*.deb "$ROOT/debs"
    in_root "$ROOT" dpkg --purge leasectl libleasehold-dev libleasehold0
    in_root "$ROOT" sh -c 'apt-get install -y --no-install-recommends /debs/*.deb'
}

umask 022
if [ ! -d "$ROOT" ]; then
    rm -rf "$ROOT.new"
    logged "making a Debian 12 with compilers in $ROOT" make_root "$ROOT.new"
    mv "$ROOT.new" "$ROOT"
fi
logged "installing dist/debs in $ROOT" install_packages
