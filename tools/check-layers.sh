#!/usr/bin/env bash
# Checks that the code keeps to the layers of ARCHITECTURE.md, and that its table names every file
# of handler/. It reads the #include lines, and looks for the few names that only one file may use.
#
#   tools/check-layers.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

# From top to bottom. A file may include its own layer and those below.
readonly LAYERS="main wiring settings server functions inventory lease storage identity http base"

bad=0

# shellcheck disable=SC2016 # awk's dollars
find examples handler tools/devhost tools/leasectl -name '*.[ch]' | sort | xargs awk -v layers="$LAYERS" '
    function complain(why) {
        printf "%s:%d: %s\n", FILENAME, FNR, why
        bad = 1
    }
    # Only the files that the pattern `where` matches may use `text`.
    function only(text, where) {
        if (index($0, text) && FILENAME !~ where) complain("only " where " may use " text)
    }
    BEGIN {
        count = split(layers, names, " ")
        for (i = 1; i <= count; i++) depth[names[i]] = i
    }
    FNR == 1 {
        split(FILENAME, path, "/")
        devhost = path[1] == "tools" && path[2] == "devhost"
        leasectl = path[1] == "tools" && path[2] == "leasectl"
        example = path[1] == "examples"
        layer = leasectl || path[2] ~ /\.[ch]$/ ? "main" : path[2]
        if (!devhost && !example && !(layer in depth)) complain("no such layer: " layer)
    }
    { if (sub(/^[ \t]*#[ \t]*include[ \t]*"/, "include ")) { sub(/".*/, ""); ours = 1 } else ours = 0 }
    example && (ours || (/^[ \t]*#[ \t]*include/ && !/<(sys\/)?[a-z]+[.]h>/)) {
        complain("examples use only <leasehold.h> and the C library")
    }
    ours && !example {
        split($2, target, "/")
        if (devhost) {
            if (target[1] !~ /^(devhost|base)$/) complain("devhost uses only base/, not " $2)
        } else if (leasectl && target[1] ~ /^(leasectl|wiring|functions)$/) {
            if (target[1] == "functions" && $2 !~ /^functions\/(inventory|reservation)_view[.]h$/)
                complain("leasectl uses only the views of functions/, not " $2)
        } else if (leasectl && target[1] == "server") {
            complain("leasectl serves no requests: no " $2)
        } else if (layer == "wiring" && target[1] ~ /^(server|functions)$/) {
            complain("wiring/ is also for programs that serve no requests: no " $2)
        } else if (!(target[1] in depth))
            complain("an include names its layer: \"base/status.h\", not \"" $2 "\"")
        else if (depth[target[1]] < depth[layer])
            complain(layer "/ lies below " target[1] "/ and may not include " $2)
    }
    /^[ \t]*#[ \t]*include/ {
        only("<openssl/", "^handler/base/crypto[.]c$")
        only("<curl/", "^handler/http/http_transport([.]c|_(call|sockets)[.][ch])$")
        only("<expat.h>", "^tools/leasectl/blob_list[.]c$")
        only("<libsmartcols", "^tools/leasectl/table[.]c$")
        only("<sys/epoll.h>", "^handler/http/event_loop[.]c$")
    }
    !devhost && !example && FILENAME != "handler/base/log.c" && !/^[ \t]*([*]|\/[*])/ && tolower($0) ~ /"([^"]+warn[^"]*|[^"]*warn[^"]+)"/ {
        if (path[1] == "handler") complain("the host takes an error line with \"warn\" in it for a warning")
    }
    !devhost && !example && /(^|[^a-z_])((secure_)?getenv[ \t]*\(|environ($|[^a-z_]))/ {
        if (FILENAME !~ "^handler/(settings/|main[.]c$)") complain("only settings/ reads the environment; main.c hands it over")
    }
    END { exit bad }' || bad=1

# The table names a file without its ending: `clock`. `_call` after `http_transport` is
# http_transport_call.
# shellcheck disable=SC2016 # awk's dollars and Markdown's backticks
named=$(awk '
    /^\| / {
        stem = ""
        while (match($0, /`[^`]+`/)) {
            name = substr($0, RSTART + 1, RLENGTH - 2)
            $0 = substr($0, RSTART + RLENGTH)
            sub(/[.][ch]$/, "", name)
            if (name ~ /^_/) {
                print stem name
            } else {
                stem = name
                print name
            }
        }
    }' ARCHITECTURE.md)
for file in handler/main.c handler/*/*.[ch]; do
    name=$(basename "${file%.[ch]}")
    if ! grep -qxF "$name" <<<"$named"; then
        echo "$file: the table in ARCHITECTURE.md does not name it"
        bad=1
    fi
done
exit "$bad"
