#!/usr/bin/env bash
# Runs every check that reads the program instead of running it. Runs all of them, then says which
# failed.
#
#   tools/lint.sh [CHECK...]     format text layers scripts workflows settings compilers symbols
#                                library man abi cppcheck tidy
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/progress.sh

processors=$(nproc)
readonly processors
mapfile -t c_files < <(find bench examples handler tools tests -name '*.c' | sort)
mapfile -t c_and_h_files < <(find bench examples handler tools tests -name '*.[ch]' | sort)

# Builds the variant $1. The other arguments are goals and options.
make_variant() {
    make --no-print-directory -j"$processors" "VARIANT=$1" "${@:2}"
}

compile_flags() {
    make_variant clang CC=clang --silent print-compile-flags
}

check_format() {
    clang-format --dry-run -Werror "${c_and_h_files[@]}"
}

check_text() {
    tools/check-text.sh
}

# docs/settings.md is made from the settings table.
check_settings() {
    make_variant release --silent build/release/tools/settings_doc || return 1
    if ! build/release/tools/settings_doc | diff -u docs/settings.md -; then
        echo "docs/settings.md is not what the settings table says; run: make docs"
        return 1
    fi
}

check_layers() {
    tools/check-layers.sh
}

check_compilers() {
    make_variant release objects && make_variant clang CC=clang objects
}

check_symbols() {
    make_variant release --silent objects && tools/check-symbols.sh && tools/check-circles.sh
}

# libleasehold.a must link with any program: it shows only leasehold_*. Its header must compile as
# C11 and as C++11.
check_library() {
    local library=build/release/libleasehold.a others language
    make_variant release --silent "$library" || return 1
    others=$(nm --extern-only --defined-only --format=posix "$library" | awk 'NF > 1 && $1 !~ /^leasehold_/ { print $1 }')
    if [ -n "$others" ]; then
        echo "libleasehold.a shows more than leasehold_*: $others"
        return 1
    fi
    for language in "c -std=c11" "c++ -std=c++11"; do
        # shellcheck disable=SC2086 # two words
        clang -x $language -Wall -Wextra -pedantic-errors -Werror -fsyntax-only -include handler/lease/leasehold.h /dev/null ||
            return 1
    done
}

# Pages of the manual name what there is.
check_man() {
    make_variant release --silent installed && tools/check-man.sh
}

# Programs that were built with an older libleasehold.so run with this one.
check_abi() {
    make_variant release --silent installed && tools/check-abi.sh
}

check_tidy() {
    local flags
    read -ra flags < <(compile_flags)
    printf '%s\n' "${c_files[@]}" |
        xargs -P "$processors" -I{} clang-tidy --quiet {} -- "${flags[@]}" 2>/dev/null # only counts
}

# cppcheck reads no system headers. sys/queue.h is given to it, because it consists of macros.
# readdirCalled is off: it recommends readdir_r, which glibc has deprecated. internalAstError is off
# in tests: cppcheck 2.10 cannot parse a compound literal after a question mark.
check_cppcheck() {
    cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr --std=c11 -j "$processors" \
        --library=posix --include="/usr/include/$(gcc -print-multiarch)/sys/queue.h" --suppress=missingIncludeSystem \
        --suppress=readdirCalled --suppress='internalAstError:tests/*' -D_GNU_SOURCE -Ihandler -Ihandler/lease -Itests -Itools \
        bench examples handler tools tests
}

check_scripts() {
    shellcheck --external-sources .ci/run bench/*.sh bench/*/*.sh deploy/*.sh tools/*.sh tools/*/*.sh tests/release/bin/* tests/release/func/*
}

check_workflows() {
    tools/check-workflows.sh
}

failed=()
[ $# -gt 0 ] || set -- format text layers scripts workflows settings compilers symbols library man abi cppcheck tidy
for check in "$@"; do
    echo "lint: $check"
    progress_start "lint: $check"
    "check_$check" || failed+=("$check")
    progress_stop
done
if [ "${#failed[@]}" -gt 0 ]; then
    echo "lint: failed: ${failed[*]}"
    exit 1
fi
echo "lint: clean"
