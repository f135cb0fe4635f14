# shellcheck shell=bash
# Sourced by the scripts that start programs: each gets a session of its own, so that all it started can be found and ended.

# Starts "$@" in the background as the leader of a new session; the session's id is then in $!. A shell without job control
# has its background programs ignore SIGINT, hence --default-signal.
session_start() {
    setsid env --default-signal=INT,QUIT "$@" &
}

# The processes alive in session $1, one a line.
session_members() {
    local file line fields
    for file in /proc/[0-9]*/stat; do
        { read -r line <"$file"; } 2>/dev/null || continue # it has just ended
        # "PID (NAME) STATE PARENT GROUP SESSION ...", where NAME may hold anything.
        read -ra fields <<<"${line##*) }"
        if [ "${fields[3]}" = "$1" ] && [ "${fields[0]}" != Z ]; then
            echo "${line%% *}"
        fi
    done
}

# Waits for at most $2 seconds until nobody is alive in session $1; false: somebody is. Who was killed takes a moment to go.
session_is_over() {
    local deadline=$((SECONDS + $2))
    while [ -n "$(session_members "$1")" ]; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}

# Sends signal $2 to all of session $1.
session_signal() {
    local members
    mapfile -t members < <(session_members "$1")
    if [ "${#members[@]}" -gt 0 ]; then
        kill -s "$2" "${members[@]}" 2>/dev/null || true
    fi
}

# Sends signal $2 to all of session $1, waits for at most $3 seconds, then kills what is left.
session_end() {
    session_signal "$1" "$2"
    session_is_over "$1" "$3" || session_signal "$1" KILL
}
