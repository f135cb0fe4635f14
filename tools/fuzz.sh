#!/usr/bin/env bash
# Runs the fuzz targets, as many at once as there are processors.
#
#   tools/fuzz.sh [WORD...]     only targets whose name holds one of the words
#
# Prints one line for each target, and every 10 s the targets that are running. For a target with a
# finding it prints the report and the bytes that lead to it. The last line is "N passed, N failed".
#
# A target has failed if it found something, ran nothing, or has no seeds.
#
# FUZZ_SECONDS=N is the time for each target (10). Seeds are in tests/data/fuzz/. build/fuzz/corpus/
# keeps what a run has learned, for the next one; build/fuzz/findings/ keeps the findings.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/session.sh
. tools/progress.sh
. tools/pool.sh

readonly seconds=${FUZZ_SECONDS:-10} build=$PWD/build/fuzz seeds=$PWD/tests/data/fuzz words=("$@")
readonly findings=$build/findings
jobs=$(nproc)
readonly jobs
export ASAN_OPTIONS="detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:allocator_may_return_null=1"
export UBSAN_OPTIONS="print_stacktrace=1"

# The sanitizers of clang 14 fail with the wide address randomisation of newer kernels.
wrapper=()
if setarch -R true 2>/dev/null; then
    wrapper=(setarch -R)
fi

# Runs target $1 to its end. pool_session leaves its output in findings/$1/.
run_target() {
    local name=$1 result=$findings/$1 corpus=$build/corpus/$1 dictionary=()
    mkdir -p "$corpus" "$result"
    [ ! -e "$seeds/$name.dict" ] || dictionary=("-dict=$seeds/$name.dict")
    pool_session "$result" timeout --kill-after=10 $((seconds + 120)) "${wrapper[@]}" "$build/tests/fuzz/fuzz_$name" \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=8192 -print_final_stats=1 \
        -artifact_prefix="$result/" "${dictionary[@]}" "$corpus" "$seeds/$name"
}

# Prints the report of a finding, and the bytes that lead to it.
show_finding() {
    local result=$1 bytes
    grep -vE '^(#[0-9]+|INFO:|stat::|Dictionary:|Base64:|0x|.NEW_FUNC)' "$result/output" | tail -n 80 || true
    for bytes in "$result"/{crash,leak,timeout,oom}-*; do
        echo "reproduce with: build/fuzz/tests/fuzz/fuzz_${result##*/} ${bytes#"$PWD"/}"
        od -A d -t x1z "$bytes" | head -n 64
    done
    echo "exit code $(<"$result/exit_code")"
}

report_target() {
    local name=$1 result=$findings/$1 runs=0 each_second=0 features=0 found verdict=ok
    runs=$(awk '$1 == "stat::number_of_executed_units:" { print $2 }' "$result/output")
    each_second=$(awk '$1 == "stat::average_exec_per_sec:" { print $2 }' "$result/output")
    features=$(awk '/^#[0-9]+/ { for (i = 1; i < NF; i++) if ($i == "ft:") features = $(i + 1) } END { print features + 0 }' \
        "$result/output")
    found=$(find "$result" -type f \( -name 'crash-*' -o -name 'leak-*' -o -name 'timeout-*' -o -name 'oom-*' \) | wc -l)
    if [ "$(<"$result/exit_code")" -ne 0 ] || [ "$found" -ne 0 ] || [ "${runs:-0}" -lt 2 ]; then
        verdict=FAIL
        failed=$((failed + 1))
    else
        passed=$((passed + 1))
    fi
    printf '%-4s  %-20s %10d executions %8d a second %6d features %3d findings\n' "$verdict" "$name" "${runs:-0}" \
        "${each_second:-0}" "$features" "$found"
    [ "$verdict" = ok ] || show_finding "$result" | sed 's/^/      | /'
}

passed=0
failed=0
pool_open "$jobs" report_target

shopt -s nullglob
rm -rf "$findings"
for source in tests/fuzz/fuzz_*.c; do
    name=${source##*/fuzz_}
    name=${name%.c}
    if pool_wants "$name" "${words[@]}"; then
        pool_run "$name" run_target "$name"
    fi
done
pool_wait

if [ $((passed + failed)) -eq 0 ]; then
    echo "no fuzz target was found" >&2
    failed=1
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
