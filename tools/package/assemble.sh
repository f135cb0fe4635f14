#!/usr/bin/env bash
# Lays out dist/leasehold, the folder that is deployed, and packs it as dist/leasehold.zip. The same
# files give the same bytes: order, modes and owners are fixed, and every time is the last commit's
# (or SOURCE_DATE_EPOCH).
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly DIST=dist/leasehold ROOT=build/package/root
readonly OLDEST_IN_ZIP=315532800 # 1980-01-01
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo "$OLDEST_IN_ZIP")}
export TZ=UTC LC_ALL=C

umask 022
rm -rf "$DIST" "$DIST.zip"
mkdir -p "$DIST/bin"
strip -o "$DIST/bin/handler" build/package/bin/handler
chmod 755 "$DIST/bin/handler"
install -m 644 -t "$DIST" host.json LICENSE "$ROOT/NOTICE"
for function in */function.json; do
    install -D -m 644 "$function" "$DIST/$function"
done
find "$DIST" -exec touch -h -d "@$epoch" {} +
(cd "$DIST" && find . -type f | sed 's|^\./||' | sort | zip -q -9 -X -D "../leasehold.zip" -@)
echo "package: $DIST.zip, $(stat -c %s "$DIST.zip") bytes; bin/handler, $(stat -c %s "$DIST/bin/handler") bytes"
