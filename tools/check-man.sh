#!/usr/bin/env bash
# Checks that the manual pages in docs/man/ keep up with what they describe:
#   - leasectl(1) and docs/leasectl.md name the commands of `leasectl --help`, and leasectl(1) its
#     options;
#   - leasehold(3) names the functions that leasehold.h declares;
#   - docs/settings.md has the settings that leasehold-handler(7) names;
#   - the pages can be shown without a warning.
#
#   tools/check-man.sh     after `make VARIANT=release installed`
set -euo pipefail
cd "$(dirname "$0")/.."

readonly BUILD=build/release
bad=0

# Compares two sorted lists: must_equal TITLE_1 LIST_1 TITLE_2 LIST_2.
must_equal() {
    if ! diff --label "$1" --label "$3" -u0 <(echo "$2") <(echo "$4"); then
        bad=1
    fi
}

# Prints what leasectl(1) explains, one a line, such as *products list*, without the markup.
explained() {
    sed -n '/^# COMMANDS/,/^# EXIT/ { /^\*/ s/[*_\\]//gp }' docs/man/leasectl.1.scd | sort
}

help=$("$BUILD/bin/leasectl" --help)
# A line of the help is two spaces, then what to type, then three spaces or more and its meaning.
typed=$(sed -nE 's/^  ([^ ].*)$/\1/p' <<<"$help" | sed -E 's/   +.*//' | sort)
must_equal "leasectl --help" "$typed" docs/man/leasectl.1.scd "$(explained)"
# shellcheck disable=SC2016 # Markdown's backticks
must_equal "leasectl --help" "$(grep -v '^--' <<<"$typed")" docs/leasectl.md \
    "$(sed -nE 's/^\| `([a-z][^`]*)` \|.*/\1/p' docs/leasectl.md | sort)"

declared=$(grep -E '^[a-z]' handler/lease/leasehold.h | grep -oE 'leasehold_[a-z_]+\(' | tr -d '(' | sort)
must_equal handler/lease/leasehold.h "$declared" docs/man/leasehold.3.scd \
    "$(sed -nE 's/^\|  \*(leasehold_[a-z_]+)\*$/\1/p' docs/man/leasehold.3.scd | sort)"

while read -r setting; do
    if ! grep -qF "| \`$setting\` |" docs/settings.md; then
        echo "docs/man/leasehold-handler.7.scd: docs/settings.md has no $setting"
        bad=1
    fi
done < <(sed -n '/^# SETTINGS/,/^# EXIT/ s/^\*\([A-Za-z_:]*\)\*$/\1/p' docs/man/leasehold-handler.7.scd)

for page in "$BUILD"/man/*; do
    warnings=$(LC_ALL=C.UTF-8 groff -t -man -ww -Tutf8 -rLL=80n -z "$page" 2>&1)
    if [ -n "$warnings" ]; then
        echo "$warnings"
        bad=1
    fi
done
exit "$bad"
