#!/usr/bin/env bash
# The same seeds must make the same runs in every build: what depends on a compiler, on memory that
# nobody has set or on where something lies in memory shows here. Ends with "N passed, N failed",
# counted in builds.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly builds=(release clang asan) runs=20
passed=0
failed=0
wanted=
for build in "${builds[@]}"; do
    program=build/$build/tests/simulation/simulate
    make -j"$(nproc)" --no-print-directory VARIANT="$build" "$program"
    output=$("$program" --runs $runs) && ended=0 || ended=$?
    found=$(grep -o 'the trace of all runs is .*' <<<"$output") || found="no trace"
    wanted=${wanted:-$found}
    echo "simulate-builds: $build: $found"
    if [ "$ended" -ne 0 ]; then # a promise is broken, or it crashed: that comes first
        grep '^simulate: seed \| passed, ' <<<"$output" || echo "simulate-builds: $build ended with $ended"
    fi
    if [ "$ended" -eq 0 ] && [ "$found" = "$wanted" ] && [ "$found" != "no trace" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
