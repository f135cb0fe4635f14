/*
 * slow_store.h - a stand-in for the Blob service that answers each request a fixed time after it
 * has come.
 *
 * It is a process of its own, so that its memory, time and threads are not mistaken for those of
 * the program under test: one thread, which keeps thousands of requests waiting at once. It knows
 * what a holder of leases asks (slow_leases.h) and does not look at signatures.
 *
 * Rules        What a request asks for happens when it has come whole, on CLOCK_BOOTTIME; only its
 *              answer waits. Connections are kept, up to SLOW_STORE_MAX_CONNECTIONS. A GET of
 *              /stats is answered with the counts. It dies with the thread that started it. What
 *              should not happen to a test aborts it.
 * Threads: start before the test has threads; the rest from one.
 */
#ifndef SUPPORT_SLOW_STORE_H
#define SUPPORT_SLOW_STORE_H

#include <stdint.h>
#include <sys/types.h>

#include "support/fakes/slow_leases.h"

enum { SLOW_STORE_MAX_CONNECTIONS = 1024 };

struct slow_store {
    pid_t pid; /* 0: none */
    int port;
    int64_t delay_ms;
    char connection_string[512];
};

struct slow_store_stats {
    struct slow_counts leases;
    int64_t requests;
    int64_t connections;     /* at once, at most */
    int64_t cpu_us;          /* of its process */
    int64_t requests_queued; /* at once, at most: come and not yet answered */
};

void slow_store_start(struct slow_store *store, int64_t delay_ms);

struct slow_store_stats slow_store_stats(const struct slow_store *store);

/* Ends it. A zeroed struct slow_store is fine. */
void slow_store_cleanup(struct slow_store *store);

#endif
