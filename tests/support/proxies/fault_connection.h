/*
 * fault_connection.h - one connection of a client's to a fault proxy: the proxy's own affair.
 *
 * Locks        The hub's mutex guards what is in the hub and, of a connection, its descriptors,
 *              `busy` and `ended`. A connection's thread is the only one that changes its
 *              descriptors; others only shut them down.
 * Threads: a connection has one of its own; the functions belong to the proxy's.
 */
#ifndef SUPPORT_FAULT_CONNECTION_H
#define SUPPORT_FAULT_CONNECTION_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/proxies/fault_rules.h"
#include "support/proxies/http_stream.h"

/* What a proxy's connections share. */
struct fault_hub {
    int upstream_port;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a rule was applied, or what follows has changed */
    struct fault_rules rules;
    unsigned let_go_count;
    bool stopping;
};

struct fault_connection {
    struct fault_hub *hub;
    struct fault_connection *next; /* the proxy's list */
    pthread_t thread;
    struct http_stream client;
    struct http_stream upstream;
    int64_t upstream_used_ms;
    bool busy;  /* a request has begun to arrive */
    bool ended; /* its thread is about to be over */
};

/* Serves a client that has connected, and closes `fd` in the end. */
struct fault_connection *fault_connection_open(struct fault_hub *hub, int fd);

/* Waits for its end and frees it; without the lock. */
void fault_connection_free(struct fault_connection *connection);

/* Closes it if it has no request under way; has it? With the lock held. */
bool fault_connection_close_idle(struct fault_connection *connection);

/* Makes it end, whatever it is doing; with the lock held, and the hub stopping. */
void fault_connection_end(struct fault_connection *connection);

/* Ends the test with a message unless it holds. */
static inline void fault_need(bool holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "fault_proxy: %s: %s\n", what, strerror(errno));
        abort();
    }
}

#endif
