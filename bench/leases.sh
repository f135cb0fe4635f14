#!/usr/bin/env bash
# Ten thousand leases on a store that takes 50 ms, and a thousand on an Azurite of their own: the
# figures of both. Ends with 1 when a limit was missed.
#
#   bench/leases.sh     after `make VARIANT=release benches`
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/progress.sh

export LEASEHOLD_AZURITE=$PWD/node_modules/.bin/azurite
failed=0
progress_start "10,000 leases on a slow store"
build/release/bench/lease_scale --leases 10000 --periods 3 || failed=1
progress_stop
echo
progress_start "1,000 leases on Azurite"
build/release/bench/lease_scale --leases 1000 --periods 3 --azurite || failed=1
progress_stop
exit "$failed"
