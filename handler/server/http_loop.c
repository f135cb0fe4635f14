#include "server/http_loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/loop_call.h"
#include "server/admission.h"

enum {
    ACCEPTED_PER_SWEEP = 64, /* before the connections go on */
    MAX_EVICTIONS = 16,      /* under way at once */
    ACCEPT_AGAIN_MS = 100,
    FEW_CONNECTIONS = 64,
    /* MAX_HOST_CONNECTIONS (http_transport.c) to each of two of storage's hosts, and some more. */
    OTHER_FILES = 600
};

struct http_loop {
    struct http_connections connections;
    struct loop_source listener;
    struct loop_timer accept_again; /* set while descriptors are short */
    size_t max_open_count;
    bool may_accept; /* connections may wait in the kernel's queue */
    bool is_watched; /* the listener is; found out by starting */
    bool is_stopping;
    struct loop_call call; /* of the thread that waits for the start or the end */
};

/* ---- accepting ---- */

/* Ends an idle connection, and sets a timer to accept again. */
static void make_room(struct http_loop *loop) {
    struct event_loop *events = loop->connections.shared.loop;
    if (loop->connections.evicted_count < MAX_EVICTIONS) {
        (void)http_connection_evict(&loop->connections);
    }
    event_loop_set_timer(events, &loop->accept_again,
                         clock_now_ms(event_loop_clock(events)) + ACCEPT_AGAIN_MS);
}

static void serve_socket(struct http_loop *loop, int fd) {
    if (!http_connection_open(&loop->connections, fd)) {
        close(fd);
    }
}

/* Returns true if another may be accepted. */
static bool accept_one(struct http_loop *loop) {
    if (loop->connections.open_count >= loop->max_open_count) {
        make_room(loop);
        return false;
    }
    int fd = accept4(loop->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        serve_socket(loop, fd);
    } else if (errno == EAGAIN) {
        loop->may_accept = false;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        make_room(loop);
        return false;
    }
    /* Any other error is that of one connection, which has gone meanwhile. */
    return loop->may_accept;
}

static void accept_some(struct http_loop *loop) {
    bool is_more = loop->may_accept && !loop->is_stopping;
    for (int i = 0; i < ACCEPTED_PER_SWEEP && is_more; i++) {
        is_more = accept_one(loop);
    }
    if (is_more) {
        http_connections_request_sweep(&loop->connections);
    }
}

static void on_connect(void *context, unsigned events) {
    (void)events;
    struct http_loop *loop = context;
    loop->may_accept = true;
    accept_some(loop);
}

static void on_accept_again(void *context) {
    accept_some(context);
}

/* ---- sweeps ---- */

/* Closes all connections but those whose request a handler has. */
static void close_connections(struct http_connections *all) {
    struct http_connection *connection, *next;
    for (connection = TAILQ_FIRST(&all->open); connection != NULL; connection = next) {
        next = TAILQ_NEXT(connection, entry);
        if (connection->phase != HTTP_CONNECTION_IN_HAND) {
            http_connection_close(connection);
        }
    }
}

/*
 * Ends http_loop_stop once all is over. Closing a connection requests a sweep, which frees it. So
 * the first sweep that requests no other is the last.
 */
static void end_if_stopped(struct http_loop *loop) {
    close_connections(&loop->connections);
    if (loop->connections.open_count == 0 && !loop->connections.is_sweep_posted) {
        event_loop_stop_timer(loop->connections.shared.loop, &loop->accept_again);
        loop_call_end(&loop->call);
    }
}

static void run_sweep(void *context) {
    struct http_loop *loop = context;
    loop->connections.is_sweep_posted = false;
    http_connections_advance_queued(&loop->connections);
    http_connections_free_closed(&loop->connections);
    accept_some(loop);
    if (loop->is_stopping) {
        end_if_stopped(loop);
    }
}

/* ---- start and stop ---- */

/*
 * Lets this process have as many descriptors as it may. Returns how many of them connections may
 * take, so that enough are left for serving the requests. Each request may need a file for a long
 * answer.
 */
static size_t max_connections(int max_in_hand) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return FEW_CONNECTIONS;
    }
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    size_t half = limit.rlim_cur / 2, others = OTHER_FILES + (size_t)max_in_hand;
    return half > others ? limit.rlim_cur - others : half;
}

static void http_loop_init(struct http_loop *loop, const struct http_connections *settings,
                           int listener) {
    loop->connections = *settings;
    TAILQ_INIT(&loop->connections.open);
    TAILQ_INIT(&loop->connections.idle);
    TAILQ_INIT(&loop->connections.closed);
    TAILQ_INIT(&loop->connections.queued);
    loop->connections.sweep = (struct loop_task){.run = run_sweep, .context = loop};
    loop->listener = (struct loop_source){.fd = listener, .ready = on_connect, .context = loop};
    loop->accept_again = (struct loop_timer){.fired = on_accept_again, .context = loop};
    loop->max_open_count = max_connections(settings->shared.admission->max_count);
}

static void watch_listener(void *context) {
    struct http_loop *loop = context;
    loop->is_watched = event_loop_watch(loop->connections.shared.loop, &loop->listener,
                                        LOOP_READABLE | LOOP_EDGE_TRIGGERED);
    loop_call_end(&loop->call);
}

enum status http_loop_start(struct http_loop **out, const struct http_connections *settings,
                            int listener, struct error *err) {
    struct http_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "out of memory");
    }
    http_loop_init(loop, settings, listener);
    loop_call_run(&loop->call, loop->connections.shared.loop, watch_listener, loop);
    if (!loop->is_watched) {
        free(loop);
        return error_set(err, STATUS_INTERNAL, "the listening socket cannot be watched");
    }
    *out = loop;
    return STATUS_OK;
}

static void begin_stop(void *context) {
    struct http_loop *loop = context;
    loop->is_stopping = true;
    event_loop_unwatch(loop->connections.shared.loop, &loop->listener);
    close(loop->listener.fd);
    http_connections_request_sweep(&loop->connections);
}

void http_loop_stop(struct http_loop *loop) {
    if (loop == NULL) {
        return;
    }
    loop_call_run(&loop->call, loop->connections.shared.loop, begin_stop, loop);
    free(loop);
}
