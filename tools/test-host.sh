#!/usr/bin/env bash
# Tests the app behind tests/host/, a server that is made of the real Functions host's own parts.
# The last line is "N passed, N failed".
#
#   tools/test-host.sh [WORD...]     only checks and end-to-end programs whose names hold one of the
#                                    words
#
# It needs the .NET 10 SDK, and builds into build/host/.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/pool.sh

readonly shapes=(proxy forward invocation)
readonly host=$PWD/build/host
words=("$@")
passed=0
failed=0

if ! dotnet --list-sdks 2>/dev/null | grep -q '^10\.'; then
    echo "make test-host needs the .NET 10 SDK, with dotnet on the PATH: https://dotnet.microsoft.com/download/dotnet/10.0" >&2
    exit 1
fi
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
dotnet build tests/host --verbosity quiet -nologo -nodeReuse:false

# Makes a folder of programs in which `devhost` starts that server.
make_programs() {
    local folder=$host/programs/$1
    mkdir -p "$folder"
    install build/release/bin/handler build/release/bin/leasectl "$folder"
    printf '#!/bin/sh\nexec dotnet "%s/bin/host.dll" front --shape %s "$@"\n' "$host" "$1" >"$folder/devhost"
    chmod +x "$folder/devhost"
}

# Runs "$@", and adds the counts of its last line to ours.
count() {
    local log run_passed run_failed exit_code=0
    log=$(mktemp)
    "$@" 2>&1 | tee "$log" | { grep --line-buffered -vE '^[0-9]+ passed, [0-9]+ failed$' || true; } || exit_code=$?
    if read -r run_passed _ run_failed _ < <(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log"); then
        passed=$((passed + run_passed))
        failed=$((failed + run_failed))
        [ "$exit_code" -eq 0 ] || [ "$run_failed" -gt 0 ] || failed=$((failed + 1))
    else
        failed=$((failed + 1))
    fi
    rm -f "$log"
}

# Only the end-to-end programs that start a host; the others start the handler alone. test_devhost
# is about bin/devhost itself.
programs=()
mapfile -t sources < <(grep -lE '\b(login_start_app|app_start)\(' tests/e2e/test_*.c | grep -v test_devhost)
for source in "${sources[@]}"; do
    name=e2e/$(basename "$source" .c)
    if pool_wants "$name" "${words[@]}"; then
        programs+=("$name\$")
    fi
done
if [ "${#programs[@]}" -gt 0 ]; then
    mkdir -p "$host/programs"
    ln -sfn "$PWD/build/release/preload" "$host/programs/preload"
    ln -sfn "$PWD/build/release/bench" "$host/programs/bench"
    for shape in "${shapes[@]}"; do
        echo "== end to end, $shape"
        make_programs "$shape"
        LEASEHOLD_BIN=$host/programs/$shape KINDS=e2e count tools/run-tests.sh release "${programs[@]}"
    done
fi

echo "== checks"
LEASEHOLD_ROOT=$PWD LEASEHOLD_BIN=$PWD/build/release/bin LEASEHOLD_AZURITE=$PWD/node_modules/.bin/azurite \
    count dotnet "$host/bin/host.dll" check "${words[@]}"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
