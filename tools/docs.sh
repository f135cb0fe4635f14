#!/usr/bin/env bash
# Draws docs/*.dot and the plots of bench/results/ as docs/*.svg. Sees that the pages show exactly those, that their links lead somewhere,
# and that docs/performance.md says what bench/results/ does.
set -euo pipefail
cd "$(dirname "$0")/.."

bench/report.py --check # of the plots that are kept, before they are drawn anew

drawn=()
for source in docs/*.dot; do
    picture=${source%.dot}.svg
    dot -Tsvg -o "$picture.new" "$source"
    mv "$picture.new" "$picture"
    echo "  draw     $picture"
    drawn+=("${picture#docs/}")
done

while read -r plot; do
    [ -n "$plot" ] || continue
    echo "  draw     docs/$plot"
    drawn+=("$plot")
done < <(bench/report.py --draw)

shown=$(grep -hoE '^!\[[^]]+\]\([^)]+\.svg\)$' docs/*.md | sed -E 's/.*\((.*)\)/\1/' | sort)
if [ "$shown" != "$(printf '%s\n' "${drawn[@]}" | sort)" ]; then
    echo "docs: the pages show $(xargs <<<"$shown"), but drawn were ${drawn[*]}" >&2
    exit 1
fi

# The anchor that GitHub gives the heading $1.
anchor() {
    tr '[:upper:]' '[:lower:]' <<<"$1" | sed -E 's/[^a-z0-9 _-]//g; s/ /-/g'
}

has_heading() {
    local heading
    while read -r heading; do
        [ "$(anchor "$heading")" != "$2" ] || return 0
    done < <(sed -nE 's/^#+ (.*)/\1/p' "$1")
    return 1
}

failed=0
for page in ./*.md bench/peers/*.md docs/*.md docs/internals/*.md examples/*.md; do
    while read -r link; do
        path=${link%%#*}
        target=$(dirname "$page")/$path
        if [ -z "$path" ]; then target=$page; fi
        if [ ! -e "$target" ] || { [[ $link == *#* ]] && ! has_heading "$target" "${link#*#}"; }; then
            echo "docs: $page has a link that leads nowhere: $link" >&2
            failed=1
        fi
    done < <(grep -oE '\]\([^)]+\)' "$page" | sed -E 's/^\]\((.*)\)$/\1/' | grep -vE '^https?:' || true)
done
exit "$failed"
