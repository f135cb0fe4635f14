# shellcheck shell=bash
# Sourced by the scripts that start programs. Each program gets a session of its own, so that all
# processes that it started can be found and ended.

# Starts "$@" in the background as the leader of a new session, whose id is then in $!. A shell
# without job control lets its background programs ignore SIGINT; --default-signal undoes that.
session_start() {
    setsid env --default-signal=INT,QUIT "$@" &
}

# Prints the ids of the living processes of session $1, one a line.
session_members() {
    local file line fields
    for file in /proc/[0-9]*/stat; do
        { read -r line <"$file"; } 2>/dev/null || continue # the process has just ended
        # "PID (NAME) STATE PARENT GROUP SESSION ...", where NAME may hold anything.
        read -ra fields <<<"${line##*) }"
        if [ "${fields[3]}" = "$1" ] && [ "${fields[0]}" != Z ]; then
            echo "${line%% *}"
        fi
    done
}

# Waits for at most $2 seconds until no process of session $1 is alive. Returns false if one still
# is: a killed process takes a moment to end.
session_is_over() {
    local deadline=$((SECONDS + $2))
    while [ -n "$(session_members "$1")" ]; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}

# Sends signal $2 to all processes of session $1.
session_signal() {
    local members
    mapfile -t members < <(session_members "$1")
    if [ "${#members[@]}" -gt 0 ]; then
        kill -s "$2" "${members[@]}" 2>/dev/null || true
    fi
}

# Sends signal $2 to all processes of session $1, waits for at most $3 seconds, then kills the rest.
session_end() {
    session_signal "$1" "$2"
    session_is_over "$1" "$3" || session_signal "$1" KILL
}
