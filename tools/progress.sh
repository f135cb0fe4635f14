# shellcheck shell=bash
# Sourced by the scripts whose steps may take longer than 20 s: every 10 s a line says what is being done, and for how long.
#
#   progress_start LABEL     from now on "LABEL: 10 s", "LABEL: 20 s", ... on stdout, until
#   progress_stop            or the script's end
#   progress_wait ARRAY      for a script with jobs of its own, whose names ARRAY has under their process ids: waits until one
#                            has ended, and says which in progress_ended. Meanwhile the lines name those that still run

readonly PROGRESS_S=10
progress_fd=
progress_sleep=

progress_start() {
    local label=$1
    exec {progress_fd}> >(
        started=$SECONDS
        while read -rt "$PROGRESS_S" || [ $? -gt 128 ]; do # until the other side closes it
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

# A sleep that is left would keep whoever reads our output waiting.
progress_end() {
    [ -z "$progress_sleep" ] || kill "$progress_sleep" 2>/dev/null || true
    progress_sleep=
}
trap progress_end EXIT
