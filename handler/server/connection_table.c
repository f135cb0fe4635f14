#include "server/connection_table.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/condition.h"

enum { NO_SOCKET = -1 };
#define NEVER INT64_MAX
#define AWAKE INT64_MIN

/*
 * Its own thread moves it along without a lock, as it does several times a request; the watcher may see the parts of two moves. That
 * does no harm: whoever is ended because of it had been waited for too long the moment before, and is served if his request is here.
 */
struct connection {
    _Atomic(enum connection_phase) phase;
    _Atomic(enum connection_ending) ending;
    atomic_int_least64_t since_ms;
    atomic_int_least64_t deadline_ms;
    bool is_new; /* its first request has not been answered; its thread's */

    bool is_open; /* the table's lock guards the rest */
    bool is_shut; /* its socket has been shut down for `ending` */
    const void *owner;
    struct sockaddr_in peer; /* both are known once it is to be ended */
    in_port_t port;
};

struct connection_table {
    struct connection_limits limits;
    connection_ends find_ends;
    DIR *sockets; /* /proc/self/fd, kept open so that it can be read when no more files can be opened */
    pthread_t watcher;

    atomic_int_least64_t wakes_ms; /* when the watcher looks again by itself; AWAKE: it is looking */
    atomic_int open_count;

    pthread_mutex_t
        lock; /* guards the rest, and is held while the watcher looks and while a socket of ours is closed */
    pthread_cond_t changed;
    bool stopping;
    int ending_count; /* of them, those to be ended */
    struct connection connections[];
};

static int64_t now_ms(void) {
    return clock_now_ms(clock_system());
}

/* Does it keep us waiting for a request? */
static bool is_waited_for(const struct connection *connection) {
    return connection->phase == CONNECTION_HEAD || connection->phase == CONNECTION_BODY;
}

static int excess(const struct connection_table *table) {
    return table->open_count - table->ending_count - table->limits.crowd_count;
}

/* Lock held. Has the watcher look by then. */
static void wake_by_locked(struct connection_table *table, int64_t when_ms) {
    if (when_ms < table->wakes_ms) {
        pthread_cond_signal(&table->changed);
    }
}

/* The same without the lock. While the watcher looks, nobody can tell whether it has seen the newest. */
static void wake_by(struct connection_table *table, int64_t when_ms) {
    int64_t wakes_ms = table->wakes_ms;
    if (wakes_ms == AWAKE || when_ms < wakes_ms) {
        pthread_mutex_lock(&table->lock);
        wake_by_locked(table, when_ms);
        pthread_mutex_unlock(&table->lock);
    }
}

/* Sockets: all that we are told of a connection is who is at its other end. */

static bool is_bound_to(int fd, in_port_t port) {
    struct sockaddr_in local = {0};
    socklen_t length = sizeof local;
    return getsockname(fd, (struct sockaddr *)&local, &length) == 0 && local.sin_family == AF_INET &&
           local.sin_port == port;
}

static bool is_peer_of(const struct connection *connection, const struct sockaddr_in *peer) {
    return peer->sin_port == connection->peer.sin_port && peer->sin_addr.s_addr == connection->peer.sin_addr.s_addr;
}

/* The next open file of this process; NO_SOCKET: no more. */
static int next_file(DIR *files) {
    for (struct dirent *entry = readdir(files); entry != NULL; entry = readdir(files)) {
        if (entry->d_name[0] != '.') {
            return (int)strtol(entry->d_name, NULL, 10);
        }
    }
    return NO_SOCKET;
}

static bool is_to_be_shut(const struct connection *connection) {
    return connection->is_open && connection->ending != CONNECTION_STAYS && !connection->is_shut;
}

/* Answers whether there is anything to shut down. */
static bool find_all_ends(struct connection_table *table) {
    bool found = false;
    for (int i = 0; i < table->limits.max_count; i++) {
        struct connection *connection = &table->connections[i];
        if (is_to_be_shut(connection) && table->find_ends(connection->owner, &connection->peer, &connection->port)) {
            found = true;
        }
    }
    return found;
}

static void shut_if_due(struct connection_table *table, int fd) {
    struct sockaddr_in peer = {0};
    socklen_t length = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &length) != 0 || peer.sin_family != AF_INET) {
        return;
    }
    for (int i = 0; i < table->limits.max_count; i++) {
        struct connection *connection = &table->connections[i];
        if (is_to_be_shut(connection) && is_peer_of(connection, &peer) && is_bound_to(fd, connection->port)) {
            shutdown(fd, connection->phase == CONNECTION_ANSWER ? SHUT_RDWR : SHUT_RD);
            connection->is_shut = true;
            return;
        }
    }
}

static void shut_all_due(struct connection_table *table) {
    if (!find_all_ends(table)) {
        return;
    }
    rewinddir(table->sockets);
    for (int fd = next_file(table->sockets); fd != NO_SOCKET; fd = next_file(table->sockets)) {
        shut_if_due(table, fd);
    }
}

/* The watcher */

static void mark(struct connection_table *table, struct connection *connection, enum connection_ending ending) {
    if (connection->ending == CONNECTION_STAYS) {
        table->ending_count++;
    }
    connection->ending = ending;
    connection->is_shut = false;
}

static void mark_overdue(struct connection_table *table, int64_t at_ms) {
    for (int i = 0; i < table->limits.max_count; i++) {
        struct connection *connection = &table->connections[i];
        int_least64_t deadline_ms = connection->deadline_ms;
        if (connection->is_open && deadline_ms <= at_ms &&
            atomic_compare_exchange_strong(&connection->deadline_ms, &deadline_ms, NEVER)) {
            mark(table, connection, CONNECTION_OVERDUE);
        }
    }
}

static struct connection *longest_waited_for(struct connection_table *table) {
    struct connection *longest = NULL;
    for (int i = 0; i < table->limits.max_count; i++) {
        struct connection *connection = &table->connections[i];
        if (connection->is_open && connection->ending == CONNECTION_STAYS && is_waited_for(connection) &&
            (longest == NULL || connection->since_ms < longest->since_ms)) {
            longest = connection;
        }
    }
    return longest;
}

/* Answers when to look again for this. */
static int64_t mark_crowd(struct connection_table *table, int64_t at_ms) {
    while (excess(table) > 0) {
        struct connection *longest = longest_waited_for(table);
        if (longest == NULL) {
            return NEVER;
        }
        if (longest->since_ms + CONNECTION_GRACE_MS > at_ms) {
            return longest->since_ms + CONNECTION_GRACE_MS;
        }
        mark(table, longest, CONNECTION_CROWDED_OUT);
    }
    return NEVER;
}

/* Looks again within request_ms while there are connections, so that a phase with that limit need not wake it: it would each time. */
static int64_t next_look(const struct connection_table *table, int64_t at_ms) {
    int64_t next = table->open_count == 0 ? NEVER : at_ms + table->limits.request_ms;
    for (int i = 0; i < table->limits.max_count; i++) {
        const struct connection *connection = &table->connections[i];
        if (connection->is_open && connection->deadline_ms < next) {
            next = connection->deadline_ms;
        }
    }
    return next;
}

static void *watch(void *context) {
    struct connection_table *table = context;
    pthread_mutex_lock(&table->lock);
    while (!table->stopping) {
        int64_t at_ms = now_ms();
        mark_overdue(table, at_ms);
        int64_t look_again_ms = mark_crowd(table, at_ms);
        shut_all_due(table);
        int64_t next_ms = next_look(table, at_ms);
        table->wakes_ms = look_again_ms < next_ms ? look_again_ms : next_ms;
        if (table->wakes_ms == NEVER) {
            pthread_cond_wait(&table->changed, &table->lock);
        } else {
            struct timespec until = condition_deadline(table->wakes_ms > at_ms ? table->wakes_ms - at_ms : 0);
            condition_wait_until(&table->changed, &table->lock, &until);
        }
        table->wakes_ms = AWAKE;
    }
    pthread_mutex_unlock(&table->lock);
    return NULL;
}

/* The table */

static void release(struct connection_table *table) {
    closedir(table->sockets);
    pthread_cond_destroy(&table->changed);
    pthread_mutex_destroy(&table->lock);
    free(table);
}

enum status connection_table_new(struct connection_table **out, const struct connection_limits *limits,
                                 connection_ends find_ends, struct error *err) {
    struct connection_table *table =
        calloc(1, sizeof *table + (size_t)limits->max_count * sizeof table->connections[0]);
    if (table == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d connections", limits->max_count);
    }
    table->sockets = opendir("/proc/self/fd");
    if (table->sockets == NULL) {
        free(table);
        return error_set(err, STATUS_INTERNAL, "/proc/self/fd cannot be read");
    }
    table->limits = *limits;
    table->find_ends = find_ends;
    table->wakes_ms = AWAKE;
    pthread_mutex_init(&table->lock, NULL);
    condition_init(&table->changed);
    if (pthread_create(&table->watcher, NULL, watch, table) != 0) {
        release(table);
        return error_set(err, STATUS_INTERNAL, "starting a thread");
    }
    *out = table;
    return STATUS_OK;
}

void connection_table_free(struct connection_table *table) {
    if (table == NULL) {
        return;
    }
    pthread_mutex_lock(&table->lock);
    table->stopping = true;
    pthread_cond_signal(&table->changed);
    pthread_mutex_unlock(&table->lock);
    pthread_join(table->watcher, NULL);
    release(table);
}

static struct connection *unused(struct connection_table *table) {
    for (int i = 0; i < table->limits.max_count; i++) {
        if (!table->connections[i].is_open) {
            return &table->connections[i];
        }
    }
    return NULL;
}

struct connection *connection_table_open(struct connection_table *table, const void *owner) {
    pthread_mutex_lock(&table->lock);
    struct connection *connection = unused(table);
    if (connection != NULL) {
        int64_t at_ms = now_ms();
        connection->phase = CONNECTION_HEAD;
        connection->ending = CONNECTION_STAYS;
        connection->since_ms = at_ms;
        connection->deadline_ms = at_ms + table->limits.request_ms;
        connection->is_new = true;
        connection->is_open = true;
        connection->is_shut = false;
        connection->owner = owner;
        table->open_count++;
        wake_by_locked(table, excess(table) > 0 ? at_ms : connection->deadline_ms);
    }
    pthread_mutex_unlock(&table->lock);
    return connection;
}

static int64_t deadline_of(const struct connection_table *table, const struct connection *connection,
                           enum connection_phase phase, int64_t at_ms) {
    switch (phase) {
    case CONNECTION_HEAD:
        return at_ms + table->limits.silence_ms;
    case CONNECTION_BODY:
        return connection->is_new ? connection->deadline_ms : at_ms + table->limits.request_ms;
    case CONNECTION_ANSWER:
        return at_ms + table->limits.request_ms;
    case CONNECTION_IN_HAND:
    default:
        return NEVER;
    }
}

static void move_until(struct connection_table *table, struct connection *connection, enum connection_phase phase,
                       int64_t at_ms, int64_t deadline_ms) {
    bool goes_on = phase == CONNECTION_BODY && connection->is_new; /* head and body are one wait */
    if (!goes_on) {
        connection->since_ms = at_ms;
    }
    connection->is_new = connection->is_new && phase != CONNECTION_HEAD;
    connection->deadline_ms = deadline_ms;
    connection->phase = phase;
    bool is_crowded = table->open_count > table->limits.crowd_count;
    wake_by(table, is_crowded && is_waited_for(connection) ? at_ms : deadline_ms);
}

void connection_table_move(struct connection_table *table, struct connection *connection, enum connection_phase phase) {
    int64_t at_ms = now_ms();
    move_until(table, connection, phase, at_ms, deadline_of(table, connection, phase, at_ms));
}

void connection_table_move_within(struct connection_table *table, struct connection *connection,
                                  enum connection_phase phase, int64_t limit_ms) {
    int64_t at_ms = now_ms();
    move_until(table, connection, phase, at_ms, at_ms + limit_ms);
}

enum connection_phase connection_table_phase(const struct connection *connection) {
    return connection->phase;
}

enum connection_ending connection_table_ending(const struct connection *connection) {
    return connection->ending;
}

int connection_table_count(const struct connection_table *table) {
    return table->open_count;
}

void connection_table_begin_close(struct connection_table *table, struct connection *connection) {
    pthread_mutex_lock(&table->lock);
    if (connection != NULL) {
        table->open_count--;
        table->ending_count -= connection->ending != CONNECTION_STAYS;
        connection->is_open = false;
    }
}

void connection_table_end_close(struct connection_table *table) {
    pthread_mutex_unlock(&table->lock);
}

void connection_table_shut_port(struct connection_table *table, int port) {
    pthread_mutex_lock(&table->lock);
    rewinddir(table->sockets);
    for (int fd = next_file(table->sockets); fd != NO_SOCKET; fd = next_file(table->sockets)) {
        if (is_bound_to(fd, htons((in_port_t)port))) {
            shutdown(fd, SHUT_RD);
        }
    }
    pthread_mutex_unlock(&table->lock);
}
