#!/usr/bin/env bash
# Checks the names in the object files. Each function or variable that the linker can see
#   - begins with the first word of its file's name (blob_client.c: blob_...), or is listed below;
#   - is declared in a header of the same folder;
#   - is used by another file of the programs or tests.
# Otherwise it should be static, or be removed.
#
# The layers below wiring/ reach the outside only through struct platform (handler/http/platform.h).
# They use no clock, sleep, random numbers, thread, process or socket of their own.
#
#   tools/check-symbols.sh     after `make objects`
set -euo pipefail
cd "$(dirname "$0")/.."

readonly OBJECTS=build/release/obj
# file:prefix, for files in which another first word is better.
readonly OTHER_PREFIXES="status.c:error_ dispatch.c:function_ product_pipeline.c:pipeline_ pipeline_fixture.c:fixture pipeline_fixture.c:fixture_ pipeline_fixture.c:caller_"

# The outside, as regular expressions that match whole names: time, random numbers, threads and
# processes, the network.
readonly OUTSIDE="clock_(gettime|nanosleep|system) time gettimeofday timespec_get (u|nano)?sleep
    timerfd_.* setitimer alarm condition_.* getentropy getrandom arc4random.* RAND_.*
    s?rand(om)?(_r)? [dejlmn]rand48(_r)? crypto_random random_system
    pthread_create pthread_cond_.*wait thrd_create thread_start v?fork posix_spawnp?
    socket socketpair connect accept4? bind listen send(to|m?msg)? recv(from|m?msg)? getaddrinfo
    p?poll p?select epoll_.* eventfd http_transport_.* event_loop_(new|start)"

# file:name, for files that may use it all the same. leasehold_client.c makes the library's
# platform. token_source_cli.c starts az. file_read.c reads on a thread of its own, because a file
# may hang.
readonly OUTSIDE_ALLOWED="leasehold_client.c:clock_system leasehold_client.c:random_system leasehold_client.c:http_transport_new
    leasehold_client.c:http_transport_free leasehold_client.c:http_transport_platform leasehold_client.c:http_transport_stop
    token_source_cli.c:posix_spawnp file_read.c:thread_start"

# Files that replace others, and so use their names, are left out: the preloaded ones, which replace
# the C library, and tests in virtual time.
sources=$(find bench examples handler tools tests -name '*.c' -not -path 'tests/support/preload/*' -exec grep -L 'support/fakes/virtual_storage.h' {} + | sort)
objects=$(for source in $sources; do echo "$OBJECTS/${source%.c}.o"; done)

# "path/x.o: NAME TYPE ..." for each symbol.
# shellcheck disable=SC2086 # paths without spaces
symbols=$(nm --print-file-name --format=posix --extern-only $objects)

awk -v other="$OTHER_PREFIXES" -v outside="${OUTSIDE//$'\n'/ }" -v allowed="${OUTSIDE_ALLOWED//$'\n'/ }" -v top="$OBJECTS/" '
    BEGIN {
        n = split(other, pair, " ")
        for (i = 1; i <= n; i++) listed[pair[i]] = 1
        n = split(allowed, pair, " ")
        for (i = 1; i <= n; i++) unused[pair[i]] = may_reach[pair[i]] = 1
        gsub(/ +/, "|", outside)
    }
    {
        source = substr($1, length(top) + 1)
        sub(/\.o:$/, ".c", source)
        if ($3 == "U") { used[$2] = 1; check_reach(source, $2); next }
        if ($2 == "main" || $2 ~ /^(__|LLVMFuzzer)/) next # of compiler, sanitizers and libFuzzer
        if (source ~ /^tests\/(fuzz|simulation)\/stub_/) next
        if ($2 == "getaddrinfo" && source ~ /^tests\//) next # a test replaces it
        defined_in[$2] = source
    }
    END {
        for (name in defined_in) {
            source = defined_in[name]
            folder = file = source
            sub(/\/[^\/]*$/, "", folder)
            sub(/.*\//, "", file)
            word = file
            sub(/(_.*)?\.c$/, "_", word)
            prefix = name
            sub(/_.*/, "_", prefix)
            if (index(name, word) != 1 && !((file ":" prefix) in listed)) complain(source, name " should begin with " word)
            if (!(name in used)) complain(source, name " is used by no other file")
            if (system("cat " folder "/*.h 2>/dev/null | grep -qw " name)) complain(source, name " is in no header of its folder")
        }
        for (pair_left in unused) complain("tools/check-symbols.sh", "OUTSIDE_ALLOWED has " pair_left ", which is not needed")
        exit bad
    }
    function check_reach(source, name,    file) {
        if (source !~ /^handler\/(functions|inventory|lease|storage|identity)\//) return
        if (name ~ /^__.*_chk$/) name = substr(name, 3, length(name) - 6) # it checks bounds
        if (name !~ ("^(" outside ")$")) return
        file = source
        sub(/.*\//, "", file)
        delete unused[file ":" name]
        if (!((file ":" name) in may_reach)) complain(source, name " reaches the outside past struct platform")
    }
    function complain(source, why) {
        print source ": " why
        bad = 1
    }' <<<"$symbols" | sort
