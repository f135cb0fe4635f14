#!/usr/bin/env bash
# Fetches what the package is made of besides our own sources, and keeps it in build/package/inputs:
#   *.deb    the C library to link against: Debian 11's, the oldest of Azure's images
#   *.dsc    sources of the libraries to link in: Debian 12's, the versions that `make test` runs
#            with
# apt checks the signatures. It gets lists and settings of its own; the machine's are read for the
# archive's address, not changed. What is there is kept: after `make clean` the newest versions are
# fetched.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly C_LIBRARY_RELEASE=bullseye SOURCE_RELEASE=bookworm
readonly C_LIBRARY=(libc6 libc6-dev linux-libc-dev)
readonly SOURCES=(openssl curl cjson)
readonly BUILD=$PWD/build/package
readonly KEYS=/usr/share/keyrings/debian-archive-keyring.gpg
readonly APT=(-qq -o "Dir::Etc::SourceList=$BUILD/apt/sources.list" -o Dir::Etc::SourceParts=-
    -o "Dir::State::Lists=$BUILD/apt/lists" -o Dir::State::Status=/dev/null
    -o "Dir::Cache=$BUILD/apt/cache" -o APT::Sandbox::User= -o Acquire::Retries=3)

. tools/package/archive.sh
. tools/progress.sh

write_source_list() {
    local release=$1 kind=$2
    echo "$kind [signed-by=$KEYS] $(archive_address "$SOURCE_RELEASE") $release main"
    echo "$kind [signed-by=$KEYS] $(archive_address "$SOURCE_RELEASE-security") $release-security main"
}

# The versions of package $2 in the lists, newest first; $1: show or showsrc.
versions() {
    apt-cache "${APT[@]}" "$1" "$2" | sed -n 's/^Version: //p' | sort -rVu
}

# Fetches, with $3, the newest version of package $2 that can be had: a mirror's lists can be ahead
# of its files.
fetch() {
    local show=$1 name=$2 get=$3 version
    for version in $(versions "$show" "$name"); do
        rm -rf "$BUILD/apt/got"
        mkdir "$BUILD/apt/got"
        if (cd "$BUILD/apt/got" && "$get" "$name=$version") 2>"$BUILD/apt/errors"; then
            mv "$BUILD/apt/got"/* "$BUILD/inputs.new"
            echo "package: $name $version"
            return
        fi
        cat "$BUILD/apt/errors" >&2
        echo "package: warning: $name $version is in the archive's lists but cannot be had; trying an older one" >&2
    done
    echo "package: the archive has no $name" >&2
    return 1
}

get_binary() {
    apt-get "${APT[@]}" download "$1"
}

get_source() {
    apt-get "${APT[@]}" --download-only --only-source source "$1"
}

[ ! -d "$BUILD/inputs" ] || exit 0
echo "package: fetching Debian's sources and the C library of $C_LIBRARY_RELEASE"
progress_start "package: fetching"
rm -rf "$BUILD/apt" "$BUILD/inputs.new"
mkdir -p "$BUILD/apt/lists/partial" "$BUILD/apt/cache/archives/partial" "$BUILD/inputs.new"
{
    write_source_list "$C_LIBRARY_RELEASE" deb
    write_source_list "$SOURCE_RELEASE" deb-src
} >"$BUILD/apt/sources.list"
apt-get "${APT[@]}" update
for name in "${C_LIBRARY[@]}"; do
    fetch show "$name" get_binary
done
for name in "${SOURCES[@]}"; do
    fetch showsrc "$name" get_source
done
progress_stop
mv "$BUILD/inputs.new" "$BUILD/inputs"
