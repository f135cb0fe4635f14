#!/usr/bin/env bash
# A product on sale (bench/hot.c), beside a handler with its batches off. Passes its arguments on.
#
#   bench/hot.sh [--strict ...]     after `make VARIANT=release programs benches` and `make
#                                   VARIANT=control programs`
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/progress.sh

export LEASEHOLD_ROOT=$PWD LEASEHOLD_BIN=$PWD/build/release/bin LEASEHOLD_AZURITE=$PWD/node_modules/.bin/azurite
failed=0
progress_start "a product on sale"
build/release/bench/hot --control "$PWD/build/control/batches-off/bin/handler" "$@" || failed=1
progress_stop
exit "$failed"
