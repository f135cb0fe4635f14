#!/usr/bin/env bash
# What the object files say about names. Each function or variable of a .c file that the linker can see
#   - begins with the first word of the file's name (blob_client.c: blob_...), or is listed below,
#   - is declared in a header of the same folder,
#   - is used by another file of the programs or tests.
# Anything else should be static, or gone.
#
#   tools/check-symbols.sh     after `make objects`
set -euo pipefail
cd "$(dirname "$0")/.."

readonly OBJECTS=build/release/obj
# file:prefix where another word says it better.
readonly OTHER_PREFIXES="status.c:error_ dispatch.c:function_ product_pipeline.c:pipeline_ pipeline_fixture.c:fixture pipeline_fixture.c:fixture_ pipeline_fixture.c:caller_"

# What is preloaded stands in for the C library, and has its names; a fuzz target's stub has those of what it replaces,
# and so has a test in virtual time.
sources=$(find bench examples handler tools/devhost tools/leasectl tests -name '*.c' -not -path 'tests/preload/*' \
    -not -path 'tests/fuzz/stub_*' -exec grep -L 'support/virtual_storage.h' {} + | sort)
objects=$(for source in $sources; do echo "$OBJECTS/${source%.c}.o"; done)

# "path/x.o: NAME TYPE ..." for each symbol.
# shellcheck disable=SC2086 # paths without spaces
symbols=$(nm --print-file-name --format=posix --extern-only $objects)

awk -v other="$OTHER_PREFIXES" -v top="$OBJECTS/" '
    BEGIN {
        n = split(other, pair, " ")
        for (i = 1; i <= n; i++) listed[pair[i]] = 1
    }
    {
        source = substr($1, length(top) + 1)
        sub(/\.o:$/, ".c", source)
        if ($3 == "U") { used[$2] = 1; next }
        if ($2 == "main" || $2 ~ /^(__|LLVMFuzzer)/) next # the sanitizers, the compiler and libFuzzer have theirs
        if ($2 == "getaddrinfo" && source ~ /^tests\//) next # in place of the system
        defined_in[$2] = source
    }
    END {
        for (name in defined_in) {
            source = defined_in[name]
            folder = file = source
            sub(/\/[^\/]*$/, "", folder)
            sub(/.*\//, "", file)
            word = file
            sub(/(_.*)?\.c$/, "_", word)
            prefix = name
            sub(/_.*/, "_", prefix)
            if (index(name, word) != 1 && !((file ":" prefix) in listed)) complain(source, name " should begin with " word)
            if (!(name in used)) complain(source, name " is used by no other file")
            if (system("cat " folder "/*.h 2>/dev/null | grep -qw " name)) complain(source, name " is in no header of its folder")
        }
        exit bad
    }
    function complain(source, why) {
        print source ": " why
        bad = 1
    }' <<<"$symbols" | sort
