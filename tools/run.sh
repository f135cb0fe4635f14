#!/usr/bin/env bash
# Runs the app on this machine. It starts Azurite, unless storage already answers, and the Functions
# host: `func` if it is installed, and otherwise bin/devhost. Ctrl-C or SIGTERM ends all that it has
# started. The host ends before the storage, so that leases can be released.
#
#   PORT=7071 tools/run.sh
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/session.sh

readonly PORT=${PORT:-7071}
readonly BLOB_PORT=10000 TABLE_PORT=10002 # those of UseDevelopmentStorage=true
readonly AZURITE_LOG=.azurite/azurite.log
azurite=""
host=""
stopping=""

die() {
    echo "run: $*" >&2
    exit 1
}

listens() {
    (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Azurite says its name. Other emulators send storage's request id with every answer, also a
# refusal.
is_storage() {
    curl --silent --max-time 5 --output /dev/null --dump-header - "http://127.0.0.1:$1/devstoreaccount1" |
        grep -qiE '^(server: *azurite|x-ms-request-id:)'
}

storage_answers() {
    listens "$BLOB_PORT" && listens "$TABLE_PORT" && is_storage "$BLOB_PORT" && is_storage "$TABLE_PORT"
}

# shellcheck disable=SC2317 # called by the trap
end_all() {
    trap '' INT TERM HUP
    [ -z "$host" ] || session_end "$host" INT 10
    [ -z "$azurite" ] || session_end "$azurite" TERM 5
}

start_azurite() {
    local port deadline=$((SECONDS + 60))
    for port in "$BLOB_PORT" "$TABLE_PORT"; do
        if listens "$port"; then
            is_storage "$port" || die "port $port is for Azurite, but another program that is not storage uses it; stop that first"
            die "storage answers on port $port, but not on both $BLOB_PORT (blobs) and $TABLE_PORT (tables)"
        fi
    done
    mkdir -p .azurite
    session_start node_modules/.bin/azurite --silent --disableTelemetry --skipApiVersionCheck --location .azurite \
        >"$AZURITE_LOG" 2>&1
    azurite=$!
    until storage_answers; do
        [ -z "$stopping" ] || exit 0
        if [ -z "$(session_members "$azurite")" ]; then
            cat "$AZURITE_LOG" >&2
            die "Azurite did not start"
        fi
        [ "$SECONDS" -lt "$deadline" ] || die "Azurite does not answer; see $AZURITE_LOG"
        sleep 0.1 || true # Ctrl-C ends the sleep, too
    done
}

[[ $PORT =~ ^[0-9]{1,5}$ ]] || die "PORT is a number, not '$PORT'"
! listens "$PORT" || die "port $PORT is in use; choose another: PORT=$((PORT + 1)) make run"

trap 'stopping=1' INT TERM HUP
trap end_all EXIT
if storage_answers; then
    echo "Storage: Azurite on ports $BLOB_PORT and $TABLE_PORT, which was already running"
else
    start_azurite
    echo "Storage: Azurite on ports $BLOB_PORT to $TABLE_PORT, its data in .azurite/"
fi

readonly TIMERS=.azurite/timers
command=(bin/devhost --state "$TIMERS")
mkdir -p "$TIMERS"
if command -v func >/dev/null; then
    command=(func start)
fi
echo "Host:    ${command[*]} on http://localhost:$PORT, for example: curl http://localhost:$PORT/api/inventory/PROD-001"
session_start "${command[@]}" --port "$PORT"
host=$!
exit_code=0
[ -n "$stopping" ] || wait "$host" || exit_code=$?
[ -z "$stopping" ] || exit_code=0
exit "$exit_code"
