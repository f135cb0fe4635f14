#!/usr/bin/env bash
# Checks the rules of .github/workflows/:
#   - They run make targets, and nothing else.
#   - They sign in without a secret. Only the options of a deployment are a secret, because the log
#     would show the value of a variable.
#   - They pin the actions of others to a commit.
#
#   tools/check-workflows.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

yamllint --strict .github/workflows

# The targets that `make help` lists, one a line.
targets=$(sed -nE 's/^([a-z -]+):.*## .*/\1/p' Makefile | tr ' ' '\n')

# shellcheck disable=SC2016 # awk's dollars
awk -v targets="$targets" '
    function complain(why) {
        printf "%s:%d: %s\n", FILENAME, FNR, why
        bad = 1
    }
    function need(target) {
        if (!(target in known)) complain("the Makefile has no target " target)
    }
    BEGIN {
        count = split(targets, names, "\n")
        for (i = 1; i <= count; i++) known[names[i]] = 1
    }
    /secrets\./ && !/DEPLOY: \${{ secrets\.LEASEHOLD_DEPLOY }}/ { complain("a secret: sign in with OpenID Connect") }
    /vars\.LEASEHOLD_DEPLOY/ { complain("settings may be secrets: the log shows the values of variables") }
    /^ *(- )?uses:/ && !/uses: [a-z-]+\/[a-z-]+@[0-9a-f]+[ ][ ]# v[0-9.]+$/ {
        complain("not pinned to a commit, with its version behind it")
    }
    /^ *(- )?uses:/ { sub(/.*@/, ""); if (length($1) != 40) complain("not the whole name of a commit") }
    /^ *target: \[/ {
        gsub(/.*\[|\].*|,/, "")
        for (i = 1; i <= NF; i++) need($i)
    }
    /^ *(- )?run:/ {
        sub(/.*run: */, "")
        if ($0 == "make ${{ matrix.target }}") next
        if ($0 !~ /^make [a-z-]+$/) complain("runs something else than one make target: " $0)
        else need($2)
    }
    END { exit bad }
' .github/workflows/*.yml
