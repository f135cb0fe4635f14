# shellcheck shell=bash
# Sourced by the scripts whose steps may take longer than 20 s. Every 10 s a line says what is being
# done, and for how long.
#
#   progress_start LABEL     prints "LABEL: 10 s", "LABEL: 20 s", ... until progress_stop or the end
#                            of the script
#   progress_stop
#   progress_wait ARRAY      waits until one of the script's own jobs has ended, and puts its
#                            process id into progress_ended. ARRAY has the names of the jobs by
#                            process id. The lines name the jobs that are still running

readonly PROGRESS_S=10
progress_fd=
progress_sleep=

progress_start() {
    local label=$1
    exec {progress_fd}> >(
        started=$SECONDS
        while read -rt "$PROGRESS_S" || [ $? -gt 128 ]; do # until it is closed
            echo "$label: $((SECONDS - started)) s"
        done
    )
}

progress_stop() {
    exec {progress_fd}>&-
}

progress_wait() {
    local -n progress_names=$1
    while :; do
        if [ -z "$progress_sleep" ]; then
            sleep "$PROGRESS_S" &
            progress_sleep=$!
        fi
        wait -n -p progress_ended "${!progress_names[@]}" "$progress_sleep" || true
        [ "$progress_ended" = "$progress_sleep" ] || break
        progress_sleep=
        echo "...   $SECONDS s: ${progress_names[*]}"
    done
}

# If the sleep were left running, it would keep a reader of our output waiting.
progress_end() {
    [ -z "$progress_sleep" ] || kill "$progress_sleep" 2>/dev/null || true
    progress_sleep=
}
trap progress_end EXIT
