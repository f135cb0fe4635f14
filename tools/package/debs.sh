#!/usr/bin/env bash
# Builds the Debian packages libleasehold0, libleasehold-dev and leasectl into dist/debs/, from a
# clean copy of the sources, and has lintian check them. Times are the last commit's (or
# SOURCE_DATE_EPOCH).
#
#   tools/package/debs.sh VERSION
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly version=${1:?usage: tools/package/debs.sh VERSION}
readonly SOURCE=build/debs/leasehold-$version
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

rm -rf build/debs dist/debs
mkdir -p "$SOURCE" dist/debs
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$SOURCE"
cp -r packaging/debian "$SOURCE"
maintainer=$(sed -n 's/^Maintainer: //p' packaging/debian/control)
cat >"$SOURCE/debian/changelog" <<END
leasehold ($version) unstable; urgency=medium

  * CHANGELOG.md says what is new.

 -- $maintainer  $(date --utc --rfc-email --date="@$SOURCE_DATE_EPOCH")
END
# The text of the licence, in the form of a field.
sed -n '/^Permission/,$ { s/^$/./; s/^/ /; p }' LICENSE | sed -i -e '/^@license@$/ { r /dev/stdin' -e 'd }' "$SOURCE/debian/copyright"

if ! (
    unset MAKEFLAGS MAKELEVEL MFLAGS CFLAGS LDFLAGS
    cd "$SOURCE"
    export DEB_BUILD_OPTIONS=noautodbgsym
    dpkg-buildpackage --build=binary --unsigned-changes --no-sign >../build.log 2>&1
); then
    tail -n 40 build/debs/build.log >&2
    echo "debs: they were not built; all it said is in build/debs/build.log" >&2
    exit 1
fi
lintian --fail-on error,warning --tag-display-limit 0 build/debs/*.changes
mv build/debs/*.deb dist/debs
ls -l dist/debs
