#!/usr/bin/env bash
# Keeps ARCHITECTURE.md's table true: reads the #include lines and the few names that only one file may use.
#
#   tools/check-layers.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

# Top to bottom. A file may include its own layer and those below.
readonly LAYERS="main wiring settings server functions inventory lease storage identity http base"

# shellcheck disable=SC2016 # awk's dollars
find examples handler tools/devhost tools/leasectl -name '*.[ch]' | sort | xargs awk -v layers="$LAYERS" '
    function complain(why) {
        printf "%s:%d: %s\n", FILENAME, FNR, why
        bad = 1
    }
    # `text` may be used by the files that the pattern `where` matches, and by no other.
    function only(text, where) {
        if (index($0, text) && FILENAME !~ where) complain(text " belongs to " where " alone")
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
        complain("examples use <leasehold.h> and the C library alone")
    }
    ours && !example {
        split($2, target, "/")
        if (devhost) {
            if (target[1] !~ /^(devhost|base)$/) complain("devhost uses base/ alone, not " $2)
        } else if (leasectl && target[1] ~ /^(leasectl|wiring|functions)$/) {
            if (target[1] == "functions" && $2 != "functions/inventory_view.h")
                complain("leasectl uses of functions/ the picture alone, not " $2)
        } else if (leasectl && target[1] == "server") {
            complain("leasectl serves nothing")
        } else if (layer == "wiring" && target[1] ~ /^(server|functions)$/) {
            complain("wiring is for those who serve and those who do not: no " $2)
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
        if (path[1] == "handler") complain("the host takes an error with \"warn\" in it for a warning")
    }
    !devhost && !example && /(^|[^a-z_])((secure_)?getenv[ \t]*\(|environ($|[^a-z_]))/ {
        if (FILENAME !~ "^handler/(settings/|main[.]c$)") complain("the environment is for settings/; main.c hands it over")
    }
    END { exit bad }'
