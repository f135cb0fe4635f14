#!/usr/bin/env bash
# Checks how comments and Markdown are written:
#   - No comment line and no line of Markdown text is wider than 100 columns. Table rows, code
#     blocks and the targets of links may be.
#   - No comment line ends in a question mark: a comment says what is so.
#
#   tools/check-text.sh             checks the folders in CLEAN
#   tools/check-text.sh FOLDER...   checks these folders, without those below them ("." is the top)
#   tools/check-text.sh --count     prints for every folder how many lines break a rule
set -euo pipefail
cd "$(dirname "$0")/.."

# A folder is clean once it is listed here. The list grows until it has all folders.
readonly CLEAN="bench/driver bench/storage handler handler/base handler/settings handler/wiring
    tests/simulation/storage tests/unit/base tests/unit/leasectl tests/unit/settings
    tests/unit/simulation tools/leasectl"

if [ "${1:-}" = --count ]; then
    mode=count
    folders=all
else
    mode=check
    folders=${*:-${CLEAN//$'\n'/ }}
fi

# shellcheck disable=SC2016 # awk's dollars
git ls-files --cached --others --exclude-standard -- '*.[ch]' '*.sh' '*.py' '*.md' '*.mk' Makefile |
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
        in_comment = in_code = 0
        is_c = FILENAME ~ /[.][ch]$/
        is_markdown = FILENAME ~ /[.]md$/
    }
    is_markdown {
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
        if (width($0) > 100) complain("a comment wider than 100 columns")
        text = $0
        if (is_c) sub(/[ \t]*\*\/$/, "", text)
        if (text ~ /[a-z0-9)"`][?]$/ && (is_c || text ~ /^[ \t]*#/)) complain("a comment that ends in a question mark")
    }
    END {
        if (mode == "count") for (name in counts) print counts[name], name | "sort -k2"
        exit bad
    }'
