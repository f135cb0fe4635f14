#!/usr/bin/env bash
# No two files need each other, not even by way of others. A module is a .c file with the .h file of
# the same name. It needs another module if it includes that module's header, or uses one of its
# symbols.
#
#   tools/check-circles.sh     after `make objects`
set -euo pipefail
cd "$(dirname "$0")/.."

readonly OBJECTS=build/release/obj
# The needs that still close a circle, one "MODULE MODULE" a line. This list may only shrink: a need
# that closes no circle any more must be removed.
readonly ALLOWED=tools/circles-allowed.txt

mapfile -t sources < <(find handler -name '*.[ch]' | sort)
mapfile -t objects < <(find handler -name '*.c' | sort | sed "s|^|$OBJECTS/|; s|c\$|o|")

includes() {
    awk '
        FNR == 1 { module = FILENAME; sub(/^handler\//, "", module); sub(/\.[ch]$/, "", module) }
        /^[ \t]*#[ \t]*include[ \t]*"/ { split($0, part, "\""); sub(/\.h$/, "", part[2]); print module, part[2] }
    ' "${sources[@]}"
}

# "path/x.o: NAME TYPE ..." for each symbol.
uses() {
    nm --print-file-name --format=posix --extern-only "${objects[@]}" | awk -v top="$OBJECTS/handler/" '
        { module = substr($1, length(top) + 1); sub(/\.o:$/, "", module) }
        $3 == "U" { used[module, $2] = 1; next }
        { defined_in[$2] = module }
        END {
            for (pair in used) {
                split(pair, part, SUBSEP)
                if (part[2] in defined_in) print part[1], defined_in[part[2]]
            }
        }'
}

needs=$({ includes && uses; } | awk '$1 != $2' | sort -u)
allowed=$(sort -u "$ALLOWED")
bad=0
if ! loops=$(comm -23 <(echo "$needs") <(echo "$allowed") | tsort 2>&1 >/dev/null); then
    echo "modules that need each other:"
    sed -e 's/^tsort: -: input contains a loop:/  circle:/' -e 's/^tsort: /    /' <<<"$loops"
    bad=1
fi
while read -r need; do
    if [ -n "$need" ] && comm -23 <(echo "$needs") <(grep -vxF "$need" <<<"$allowed") | tsort >/dev/null 2>&1; then
        echo "$ALLOWED: \"$need\" closes no circle any more: remove it"
        bad=1
    fi
done <<<"$allowed"
exit $bad
