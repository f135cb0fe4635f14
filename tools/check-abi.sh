#!/usr/bin/env bash
# Compares the binary interface of libleasehold.so with packaging/abi/libleasehold.abi, which is
# kept with the sources. Programs that were built before must run with the library as it is now.
#
#   tools/check-abi.sh             fails if the interface has changed in any way, and says whether
#                                  programs would break
#   tools/check-abi.sh --write     writes the interface as it is now; refuses to break programs
#   tools/check-abi.sh --break     writes it in any case: before a release, or for a new MAJOR
#
# Needs `make VARIANT=release installed`.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly BASELINE=packaging/abi/libleasehold.abi
now=$(mktemp)
readonly now
trap 'rm -f "$now"' EXIT

# Without paths, so that it is the same on each machine.
abidw --exported-interfaces-only --drop-private-types --header-file handler/lease/leasehold.h --no-corpus-path \
    --no-comp-dir-path --no-show-locs --no-elf-needed --no-architecture --no-parameter-names \
    --type-id-style hash --out-file "$now" build/release/libleasehold.so

is_compatible() {
    abidiff --suppressions packaging/abi/compatible.supp --no-added-syms "$BASELINE" "$now"
}

write() {
    install -m 644 "$now" "$BASELINE"
    echo "abi: wrote $BASELINE"
}

case ${1:-} in
'')
    if ! is_compatible; then
        echo "abi: programs that were built before would break; see CONTRIBUTING.md"
        exit 1
    fi
    if ! abidiff --harmless "$BASELINE" "$now"; then
        echo "abi: the interface has grown; run: make abi-baseline"
        exit 1
    fi
    ;;
--write)
    if [ -e "$BASELINE" ] && ! is_compatible; then
        echo "abi: programs that were built before would break; if they may, run: make abi-baseline BREAK=1"
        exit 1
    fi
    write
    ;;
--break) write ;;
*)
    echo "usage: tools/check-abi.sh [--write|--break]" >&2
    exit 64
    ;;
esac
