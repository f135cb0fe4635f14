#!/usr/bin/env bash
# Builds the package once more in another folder, by another clock's zone, language and umask, and
# compares it with dist/: the same inputs must give the same bytes. Debian's packages are inputs;
# the libraries are built again too.
#
#   tools/package/build-again.sh FOLDER     an empty folder to do it in
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly FOLDER=${1:?usage: tools/package/build-again.sh FOLDER}

SOURCE_DATE_EPOCH=$(stat -c %Y dist/leasehold/host.json) # there may have been a commit since
export SOURCE_DATE_EPOCH
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$FOLDER"
mkdir -p "$FOLDER/build/package"
cp -r build/package/inputs "$FOLDER/build/package"
(
    umask 077
    unset MAKEFLAGS MAKELEVEL MFLAGS
    TZ=Pacific/Chatham LC_ALL=C.UTF-8 make -C "$FOLDER" --no-print-directory package
)
cmp "$FOLDER/dist/leasehold.zip" dist/leasehold.zip
