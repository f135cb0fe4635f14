#!/usr/bin/env bash
# Runs the test programs of one variant, each in a session of its own, and counts their checks.
#
#   tools/run-tests.sh VARIANT [WORD...]     only programs whose path holds one of the words; a $ stands for its end
#
# One line a program, a line every 10 s with those that run, all output of one that failed, and at the end "N passed, N failed". A program failed when a check
# failed, when it crashed, hung, ran no check, left a process behind, or when it or a program that it started drew a
# report from the sanitizer or valgrind.
# LEASEHOLD_BIN=FOLDER puts the programs of another folder to the test.
# KINDS="..." chooses the folders of tests/ (by default "unit simulation integration e2e").
# PROGRAM_TIMEOUT_S=N is how long a program may take (600).
# JOBS=N runs N programs at once (by default one for each processor, at most 4).
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/session.sh
. tools/progress.sh

variant=${1:?usage: tools/run-tests.sh VARIANT [WORD...]}
shift
readonly variant words=("$@")
readonly build=$PWD/build/$variant
readonly results=$build/results
processors=$(nproc)
readonly jobs=${JOBS:-$((processors < 4 ? processors : 4))}

export LEASEHOLD_ROOT=$PWD
export LEASEHOLD_BIN=${LEASEHOLD_BIN:-$build/bin}
export LEASEHOLD_AZURITE=$PWD/node_modules/.bin/azurite
export CK_DEFAULT_TIMEOUT=${CK_DEFAULT_TIMEOUT:-60}
program_timeout_s=${PROGRAM_TIMEOUT_S:-600}
wrapper=()

# Sets up the tool of this variant to write its reports to files beginning with $1, so that a program that a test started
# is heard as well; says in `wrapper` and the environment how programs are run under it.
use_tool() {
    local reports=$1 address_space=()
    # The sanitizers of gcc 12 cannot live with the wide address randomisation of newer kernels.
    if setarch -R true 2>/dev/null; then
        address_space=(setarch -R)
    fi
    case $variant in
    asan)
        export ASAN_OPTIONS="detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:log_path=$reports"
        export UBSAN_OPTIONS="print_stacktrace=1:log_path=$reports"
        export CK_TIMEOUT_MULTIPLIER=3
        wrapper=("${address_space[@]}")
        ;;
    tsan)
        export TSAN_OPTIONS="exitcode=66:second_deadlock_stack=1:suppressions=$PWD/tests/support/tsan.supp:log_path=$reports"
        export CK_FORK=no # what a forked child of a program with threads does is beyond ThreadSanitizer
        wrapper=("${address_space[@]}")
        ;;
    valgrind)
        export CK_TIMEOUT_MULTIPLIER=20
        program_timeout_s=1800
        wrapper=(valgrind --quiet --fair-sched=yes --leak-check=full --error-exitcode=99 --trace-children=yes
            '--trace-children-skip=/bin/*,/usr/*,*/node,*/azurite' "--log-file=$reports.%p")
        ;;
    esac
}

# Runs $1 to its end, its output in $2/output, its exit code in $2/exit_code, its seconds in $2/seconds.
run_program() {
    local program=$1 result=$2 session exit_code=0 started=$EPOCHREALTIME
    mkdir -p "$result"
    use_tool "$result/report"
    session_start timeout --kill-after=10 "$program_timeout_s" "${wrapper[@]}" "$program" >"$result/output" 2>&1
    session=$!
    trap 'trap "" INT TERM HUP; session_end "$session" KILL 0; exit 1' INT TERM HUP
    { wait "$session" || exit_code=$?; } 2>/dev/null # bash would tell of a crash, and so does the report
    if ! session_is_over "$session" 2; then
        for member in $(session_members "$session"); do
            echo "left behind: $(tr '\0' ' ' <"/proc/$member/cmdline")"
        done >"$result/left_behind" 2>/dev/null
        session_end "$session" KILL 0
    fi
    echo "$exit_code" >"$result/exit_code"
    awk -v from="$started" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f\n", to - from }' >"$result/seconds"
}

# Judges the program $1 by what is in $2, and adds it to the totals.
report_program() {
    local name=$1 result=$2 checks bad exit_code seconds verdict=ok
    exit_code=$(<"$result/exit_code")
    seconds=$(<"$result/seconds")
    read -r checks bad < <(awk '/^[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+$/ {
        checks += $3; bad += $5 + $7 } END { print checks + 0, bad + 0 }' "$result/output")
    find "$result" -name 'report.*' -empty -delete
    passed=$((passed + checks - bad))
    if [ "$bad" -eq 0 ] && { [ "$exit_code" -ne 0 ] || [ "$checks" -eq 0 ] || [ -e "$result/left_behind" ] ||
        compgen -G "$result/report.*" >/dev/null; }; then
        bad=1
    fi
    failed=$((failed + bad))
    [ "$bad" -eq 0 ] || verdict=FAIL
    printf '%-4s  %-52s %4d checks %7s s\n' "$verdict" "$name" "$checks" "$seconds"
    if [ "$bad" -gt 0 ]; then
        {
            cat "$result/output"
            tail -n +1 "$result"/report.* 2>/dev/null || true
            cat "$result/left_behind" 2>/dev/null || true
            case $exit_code in
            124 | 137) echo "exit code $exit_code: did not end in $program_timeout_s s, or was killed" ;;
            *) echo "exit code $exit_code" ;;
            esac
        } | sed 's/^/      | /'
    fi
}

# Waits until one of the programs under way has ended, and reports it.
report_next() {
    progress_wait running
    report_program "${running[$progress_ended]}" "$results/${running[$progress_ended]}"
    unset "running[$progress_ended]"
}

wanted() {
    local word
    for word in "${words[@]}"; do
        [[ "$1\$" != *"$word"* ]] || return 0
    done
    [ "${#words[@]}" -eq 0 ]
}

declare -A running=()
passed=0
failed=0
stop() {
    trap '' INT TERM HUP
    [ "${#running[@]}" -eq 0 ] || kill "${!running[@]}" 2>/dev/null || true
    wait
    echo "stopped" >&2
    exit 130
}
trap stop INT TERM HUP

rm -rf "$results"
shopt -s nullglob
for kind in ${KINDS:-unit simulation integration e2e}; do
    for source in tests/"$kind"/test_*.c tests/"$kind"/*/test_*.c; do
        name=${source#tests/}
        name=${name%.c}
        wanted "$name" || continue
        while [ "${#running[@]}" -ge "$jobs" ]; do
            report_next
        done
        run_program "$build/tests/$name" "$results/$name" &
        running[$!]=$name
    done
    while [ "${#running[@]}" -gt 0 ]; do
        report_next
    done
done

if [ $((passed + failed)) -eq 0 ]; then
    echo "no test program was found" >&2
    failed=1
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
