#!/usr/bin/env bash
# Checks how comments and Markdown are written:
#   - No comment line and no line of Markdown text is wider than 100 columns. Table rows, code
#     blocks, the targets of links and what a program has made may be.
#   - No comment line ends in a question mark: a comment says what is so.
#   - NOLINTNEXTLINE stands in a comment of one line: it speaks of the line after its own.
#
#   tools/check-text.sh             checks all folders
#   tools/check-text.sh FOLDER...   checks these folders, without those below them ("." is the top)
#   tools/check-text.sh --count     prints for every folder how many lines break a rule
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = --count ]; then
    mode=count
    folders=all
else
    mode=check
    folders=${*:-all}
fi

# shellcheck disable=SC2016 # awk's dollars
git ls-files --cached --others --exclude-standard -- '*.[ch]' '*.sh' '*.py' '*.md' '*.mk' Makefile .ci/run |
    grep -v '^tests/data/' | sort | xargs awk -v folders="$folders" -v mode="$mode" '
    function complain(why) {
        counts[folder]++
        if (mode == "check" && ((folder in wanted) || folders == "all")) {
            printf "%s:%d: %s\n", FILENAME, FNR, why
            bad = 1
        }
    }
    # Columns, not bytes: the continuation bytes of UTF-8 do not count.
    function width(text) {
        gsub(/[\200-\277]/, "", text)
        return length(text)
    }
    BEGIN {
        count = split(folders, names, " ")
        for (i = 1; i <= count; i++) wanted[names[i]] = 1
    }
    FNR == 1 {
        folder = FILENAME
        if (!sub(/\/[^\/]*$/, "", folder)) folder = "."
        counts[folder] += 0
        in_comment = in_code = is_made = 0
        is_c = FILENAME ~ /[.][ch]$/
        is_markdown = FILENAME ~ /[.]md$/
    }
    is_markdown {
        if (/<!-- .* begin -->/) is_made = 1
        if (/<!-- .* end -->/) is_made = 0
        if (is_made) next
        if (/^ *```/) in_code = !in_code
        else if (!in_code && !/^ *\|/) {
            text = $0
            gsub(/\]\([^)]*\)/, "]", text)
            gsub(/https?:[^ )>]*/, "", text)
            if (width(text) > 100) complain("text wider than 100 columns")
        }
        next
    }
    {
        is_comment = is_c ? in_comment || /\/\*/ || /(^|[ \t])\/\// : /(^|[ \t])#/
        if (is_c) {
            text = $0
            while ((at = index(text, in_comment ? "*/" : "/*")) > 0) {
                text = substr(text, at + 2)
                in_comment = !in_comment
            }
        }
        if (!is_comment) next
        address = $0
        sub(/^.*https?:/, "", address) # an address cannot be broken
        if (width($0) > 100 && (address == $0 || address ~ / /)) complain("a comment wider than 100 columns")
        if (is_c && /NOLINTNEXTLINE/ && !/\/\*.*\*\/$/) complain("NOLINTNEXTLINE in a comment of several lines")
        text = $0
        if (is_c) sub(/[ \t]*\*\/$/, "", text)
        if (text ~ /[a-z0-9)"`][?]$/ && (is_c || text ~ /^[ \t]*#/)) complain("a comment that ends in a question mark")
    }
    END {
        if (mode == "count") for (name in counts) print counts[name], name | "sort -k2"
        exit bad
    }'
