#!/usr/bin/env bash
# Runs the test programs of one variant, each in a session of its own, and counts their checks.
#
#   tools/run-tests.sh VARIANT [WORD...]     only programs whose path holds one of the words; a $ in
#                                            a word stands for the end of the path
#
# Prints one line for each program, all output of a program that failed, and every 10 s the programs
# that are running. The last line is "N passed, N failed".
#
# A program has failed if a check failed, if it crashed, hung or ran no check, or if it left a
# process behind. It has also failed if a sanitizer or valgrind wrote a report on it, or on a
# program that it started.
#
# What the app answered to the end-to-end programs is written down, and checked at the end:
# openapi/answers.
#
# LEASEHOLD_BIN=FOLDER    tests the programs in another folder
# KINDS="..."             the folders of tests/ (by default "unit simulation integration e2e")
# PROGRAM_TIMEOUT_S=N     how long a program may take (600)
# JOBS=N                  how many programs run at once (by default three on two processors, at
#                         most 4, because many of them wait most of the time)
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/session.sh
. tools/progress.sh
. tools/pool.sh

variant=${1:?usage: tools/run-tests.sh VARIANT [WORD...]}
shift
readonly variant words=("$@")
readonly build=$PWD/build/$variant
readonly results=$build/results
processors=$(nproc)
readonly jobs=${JOBS:-$((processors < 3 ? processors * 3 / 2 : 4))}

export LEASEHOLD_ROOT=$PWD
export LEASEHOLD_BIN=${LEASEHOLD_BIN:-$build/bin}
export LEASEHOLD_AZURITE=$PWD/node_modules/.bin/azurite
export CK_DEFAULT_TIMEOUT=${CK_DEFAULT_TIMEOUT:-60}
program_timeout_s=${PROGRAM_TIMEOUT_S:-600}
wrapper=()

# Prepares the tool of this variant to write its reports to files that begin with $1. So the reports
# on programs that a test started are found, too. Sets `wrapper` and the environment for running
# programs.
use_tool() {
    local reports=$1 address_space=()
    # The sanitizers of gcc 12 fail with the wide address randomisation of newer kernels.
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
        export CK_FORK=no # ThreadSanitizer does not support a program with threads that forks
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

# Runs the program $1 to its end. Leaves in the folder $2 what pool_session does, the seconds that
# it took, and what was left behind.
run_program() {
    local program=$1 result=$2
    mkdir -p "$result"
    [[ $result != */e2e/* ]] || export LEASEHOLD_ANSWERS=$result/answers.jsonl
    use_tool "$result/report"
    run_session "$result" "${wrapper[@]}" "$program"
}

# Runs "${@:2}" to its end, and leaves those files in the folder $1.
run_session() {
    local result=$1 started=$EPOCHREALTIME member
    pool_session "$result" timeout --kill-after=10 "$program_timeout_s" "${@:2}"
    if ! session_is_over "$pool_session_id" 2; then
        for member in $(session_members "$pool_session_id"); do
            echo "left behind: $(tr '\0' ' ' <"/proc/$member/cmdline")"
        done >"$result/left_behind" 2>/dev/null
        session_end "$pool_session_id" KILL 0
    fi
    awk -v from="$started" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f\n", to - from }' >"$result/seconds"
}

# Judges the program $1 by the files in its folder, prints its line, and adds it to the totals.
report_program() {
    local name=$1 result=$results/$1 checks bad exit_code seconds verdict=ok
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

passed=0
failed=0
pool_open "$jobs" report_program

rm -rf "$results"
shopt -s nullglob
for kind in ${KINDS:-unit simulation integration e2e}; do
    for source in tests/"$kind"/test_*.c tests/"$kind"/*/test_*.c; do
        name=${source#tests/}
        name=${name%.c}
        if pool_wants "$name\$" "${words[@]}"; then
            pool_run "$name" run_program "$build/tests/$name" "$results/$name"
        fi
    done
    pool_wait
done

# Holds the answers that the programs have got to docs/openapi.yaml. If all end-to-end programs have
# run, each operation must be among them.
check_answers() {
    local files all=()
    mapfile -t files < <(find "$results" -name answers.jsonl)
    if [[ ${#words[@]} -eq 0 && " ${KINDS:-e2e} " == *" e2e "* ]]; then
        all=(--all)
    elif [ "${#files[@]}" -eq 0 ]; then
        return 0
    fi
    pool_run openapi/answers run_session "$results/openapi/answers" \
        node tests/openapi/check_answers.mjs "${all[@]}" "${files[@]}"
    pool_wait
    grep -hE '^[0-9]+ answers ' "$results/openapi/answers/output" || true
}
check_answers

if [ $((passed + failed)) -eq 0 ]; then
    echo "no test program was found" >&2
    failed=1
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
