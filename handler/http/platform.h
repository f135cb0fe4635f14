/*
 * platform.h - the only way to the outside: time, timers, the network and random numbers.
 *
 * Whoever starts the program makes a platform and hands it down; for the library that is
 * lease/leasehold_client.c. functions/, inventory/, lease/, storage/ and identity/ read the time,
 * wait, send and draw random numbers through it alone. tools/check-symbols.sh enforces that. It
 * lists the exceptions: file_read.c reads files on threads of its own, and token_source_cli.c runs
 * az.
 *
 * Little is global: the log, the flag of wiped_memory.c, the start of libcurl in http_transport.c,
 * and the correlation of each thread. So a test can replace the outside with virtual time, a
 * simulated network and a seed, and can run several instances side by side.
 *
 * Ownership  A platform and all that it names are borrowed. The borrower keeps the pointer.
 * Threads    A platform does not change. Timers belong to the loop's thread; the other parts
 *            document their own threads.
 */
#ifndef HTTP_PLATFORM_H
#define HTTP_PLATFORM_H

#include "base/clock.h"
#include "base/random.h"
#include "http/event_loop.h"
#include "http/http_client.h"

struct platform {
    const struct clock *clock;
    struct event_loop *loop;  /* its timers are due on `clock` */
    struct http_client *http; /* answers on the loop's thread; NULL where nothing is sent */
    const struct random_source *random;
};

#endif
