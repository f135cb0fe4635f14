# shellcheck shell=bash
# Sourced by the scripts that run many programs at once. It needs session.sh and progress.sh.
#
#   pool_open JOBS REPORTER    at most JOBS programs run at once; `REPORTER NAME` is called for each
#                              that has ended. INT, TERM and HUP end all of them and the script
#   pool_run NAME COMMAND...   waits for a free place, then runs the function COMMAND in the
#                              background
#   pool_wait                  waits for all, and reports them
#   pool_session FOLDER PROGRAM...
#                              for such a function: runs a program in a session of its own, whose
#                              id is in pool_session_id afterwards. The output goes to
#                              FOLDER/output, the exit code to FOLDER/exit_code
#   pool_wants NAME [WORD...]  true if NAME holds one of the words, or no words are given
declare -A pool_running=() # process id -> name

pool_open() {
    pool_jobs=$1
    pool_reporter=$2
    trap pool_stop INT TERM HUP
}

# shellcheck disable=SC2317 # called by the trap
pool_stop() {
    trap '' INT TERM HUP
    [ "${#pool_running[@]}" -eq 0 ] || kill "${!pool_running[@]}" 2>/dev/null || true
    wait
    echo "stopped" >&2
    exit 130
}

pool_report_next() {
    progress_wait pool_running
    local name=${pool_running[$progress_ended]}
    unset "pool_running[$progress_ended]"
    "$pool_reporter" "$name"
}

pool_run() {
    local name=$1
    shift
    while [ "${#pool_running[@]}" -ge "$pool_jobs" ]; do
        pool_report_next
    done
    "$@" &
    pool_running[$!]=$name
}

pool_wait() {
    while [ "${#pool_running[@]}" -gt 0 ]; do
        pool_report_next
    done
}

pool_session() {
    local folder=$1 exit_code=0
    shift
    mkdir -p "$folder"
    session_start "$@" >"$folder/output" 2>&1
    pool_session_id=$!
    trap 'trap "" INT TERM HUP; session_end "$pool_session_id" KILL 0; exit 1' INT TERM HUP
    { wait "$pool_session_id" || exit_code=$?; } 2>/dev/null # bash would announce a crash here, too
    echo "$exit_code" >"$folder/exit_code"
}

pool_wants() {
    local name=$1 word
    shift
    for word in "$@"; do
        [[ $name != *"$word"* ]] || return 0
    done
    [ $# -eq 0 ]
}
