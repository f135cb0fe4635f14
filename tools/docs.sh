#!/usr/bin/env bash
# Writes docs/settings.md from the settings table (build/release/tools/settings_doc), and draws the
# plots of bench/results/ as docs/*.svg. Checks that the diagrams of the pages can be drawn, that
# the pages show exactly these plots, that their links lead somewhere, and that docs/performance.md
# has the figures of bench/results/. Lints docs/openapi.yaml, and holds docs/api.md to it.
set -euo pipefail
cd "$(dirname "$0")/.."

build/release/tools/settings_doc >docs/settings.md
echo "  write    docs/settings.md"

readonly pages=(./*.md bench/peers/*.md docs/*.md docs/internals/*.md examples/*.md)
failed=0

node tools/diagrams/check.mjs "${pages[@]}" || failed=1

# It tells its maker about each run, unless it is asked not to.
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
if linted=$(tools/openapi/node_modules/.bin/redocly lint --config tools/openapi/redocly.yaml docs/openapi.yaml 2>&1); then
    echo "  lint     docs/openapi.yaml"
else
    echo "$linted" >&2
    failed=1
fi
node tools/openapi/check_page.mjs || failed=1

bench/report.py --check # compares the plots that are kept, so it comes before they are drawn anew
drawn=()
while read -r plot; do
    [ -n "$plot" ] || continue
    echo "  draw     docs/$plot"
    drawn+=("$plot")
done < <(bench/report.py --draw)

shown=$(grep -hoE '^!\[[^]]+\]\([^)]+\.svg\)$' docs/*.md | sed -E 's/.*\((.*)\)/\1/' | sort)
if [ "$shown" != "$(printf '%s\n' "${drawn[@]}" | sort)" ]; then
    echo "docs: the pages show $(xargs <<<"$shown"), but these plots were drawn: ${drawn[*]}" >&2
    failed=1
fi

# Prints the anchor that GitHub gives the heading $1.
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

for page in "${pages[@]}"; do
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
