#include "server/http_loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"

enum {
    EVENTS_AT_ONCE = 64,
    MAX_WAIT_MS = 60 * 1000,
    MAX_EVICTIONS = 16, /* under way at once */
    ACCEPT_AGAIN_MS = 100,
    FEW_CONNECTIONS = 64,
    FILES_OF_OTHERS = 600 /* two of storage's hosts with MAX_HOST_CONNECTIONS each (http_transport.c), and some */
};

struct http_loop {
    struct http_connections connections;
    int epoll;
    int listener;
    int alarm; /* an eventfd: the other threads' way to wake this one */
    pthread_t thread;
    size_t max_open_count;
    bool may_accept; /* the listener may have more */

    pthread_mutex_t lock; /* guards the rest */
    struct worker_jobs answered;
    bool stopping;
};

static void wake(struct http_loop *loop) {
    (void)!write(loop->alarm, &(uint64_t){1}, sizeof(uint64_t)); /* fails only when it is set already */
}

/* Workers */

static struct http_connection *connection_of(struct worker_job *job) {
    return (struct http_connection *)(void *)((char *)job - offsetof(struct http_connection, job));
}

static void work(void *context, struct worker_job *job) {
    (void)context;
    http_connection_work(connection_of(job));
}

static void hand_back(void *context, struct worker_job *job) {
    struct http_loop *loop = context;
    pthread_mutex_lock(&loop->lock);
    bool was_empty = STAILQ_EMPTY(&loop->answered);
    STAILQ_INSERT_TAIL(&loop->answered, job, entry);
    pthread_mutex_unlock(&loop->lock);
    if (was_empty) {
        wake(loop);
    }
}

/* Returns whether the loop goes on. */
static bool send_answers(struct http_loop *loop) {
    struct worker_jobs answered = STAILQ_HEAD_INITIALIZER(answered);
    pthread_mutex_lock(&loop->lock);
    STAILQ_CONCAT(&answered, &loop->answered);
    bool goes_on = !loop->stopping;
    pthread_mutex_unlock(&loop->lock);
    struct worker_job *job;
    while ((job = STAILQ_FIRST(&answered)) != NULL) {
        STAILQ_REMOVE_HEAD(&answered, entry);
        http_connection_answer(connection_of(job));
    }
    return goes_on;
}

/* Accepting */

static bool serve_socket(struct http_loop *loop, int fd) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct http_connection *connection = http_connection_open(&loop->connections, fd);
    if (connection == NULL) {
        return false;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = connection};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        http_connection_close(connection);
    }
    return true;
}

/* Makes room where there is none; a client that waits in the kernel's queue is let in when another has left. */
static void make_room(struct http_loop *loop) {
    if (loop->connections.evicted_count < MAX_EVICTIONS) {
        (void)http_connection_evict(&loop->connections);
    }
}

static void accept_all(struct http_loop *loop) {
    while (loop->may_accept) {
        if (loop->connections.open_count >= loop->max_open_count) {
            make_room(loop);
            return;
        }
        int fd = accept4(loop->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0 && !serve_socket(loop, fd)) {
            close(fd);
        } else if (fd < 0 && (errno == EAGAIN)) {
            loop->may_accept = false;
        } else if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            make_room(loop);
            return;
        } /* any other error is one connection's, which has gone meanwhile */
    }
}

/* The thread */

static int next_wait_ms(const struct http_loop *loop) {
    if (!TAILQ_EMPTY(&loop->connections.unfinished)) {
        return 0;
    }
    const struct timer_entry *first = timer_heap_first(&loop->connections.timers);
    int64_t wait_ms = loop->may_accept ? ACCEPT_AGAIN_MS : -1;
    if (first != NULL) {
        int64_t left_ms = clock_max_ms(first->due_ms - clock_now_ms(clock_system()), 0);
        wait_ms = wait_ms < 0 ? left_ms : clock_min_ms(wait_ms, left_ms);
    }
    return (int)clock_min_ms(wait_ms, MAX_WAIT_MS);
}

static void wait_for_events(struct http_loop *loop) {
    struct epoll_event events[EVENTS_AT_ONCE];
    int count = epoll_wait(loop->epoll, events, EVENTS_AT_ONCE, next_wait_ms(loop));
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == &loop->listener) {
            loop->may_accept = true;
        } else if (events[i].data.ptr == &loop->alarm) {
            uint64_t alarms;
            (void)!read(loop->alarm, &alarms, sizeof alarms);
        } else {
            http_connection_step(events[i].data.ptr);
        }
    }
}

static void finish_steps(struct http_loop *loop) {
    struct http_connection_list unfinished = TAILQ_HEAD_INITIALIZER(unfinished);
    TAILQ_CONCAT(&unfinished, &loop->connections.unfinished, unfinished_entry);
    struct http_connection *connection;
    while ((connection = TAILQ_FIRST(&unfinished)) != NULL) {
        TAILQ_REMOVE(&unfinished, connection, unfinished_entry);
        connection->is_unfinished = false;
        http_connection_step(connection);
    }
}

static void expire_connections(struct http_loop *loop) {
    int64_t now_ms = clock_now_ms(clock_system());
    struct timer_entry *first;
    while ((first = timer_heap_first(&loop->connections.timers)) != NULL && first->due_ms <= now_ms) {
        http_connection_expire(
            (struct http_connection *)(void *)((char *)first - offsetof(struct http_connection, timer)));
    }
}

/* A connection that is closed is freed at the end of a turn: an event of the same turn may still point to it. */
static void *run(void *context) {
    struct http_loop *loop = context;
    bool goes_on = true;
    while (goes_on) {
        wait_for_events(loop);
        goes_on = send_answers(loop);
        finish_steps(loop);
        expire_connections(loop);
        accept_all(loop);
        http_connection_free_closed(&loop->connections);
    }
    return NULL;
}

/* Start and stop */

/* Each caller is a descriptor: takes as many as this process may have, but leaves enough to those who serve the requests. */
static size_t most_connections(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return FEW_CONNECTIONS;
    }
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    size_t half = limit.rlim_cur / 2;
    return half > FILES_OF_OTHERS ? limit.rlim_cur - FILES_OF_OTHERS : half;
}

/* Events of a descriptor of the loop itself carry the address of its member. */
static bool watch(struct http_loop *loop, int *fd, uint32_t events) { /* NOLINT(readability-non-const-parameter) */
    struct epoll_event event = {.events = events, .data.ptr = fd};
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, *fd, &event) == 0;
}

static enum status open_descriptors(struct http_loop *loop, struct error *err) {
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->alarm = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll < 0 || loop->alarm < 0 || !watch(loop, &loop->listener, EPOLLIN | EPOLLET) ||
        !watch(loop, &loop->alarm, EPOLLIN)) {
        return error_set(err, STATUS_INTERNAL, "no descriptors to wait with");
    }
    return STATUS_OK;
}

static void release(struct http_loop *loop) {
    struct http_connection *connection;
    while ((connection = TAILQ_FIRST(&loop->connections.open)) != NULL) {
        http_connection_close(connection);
    }
    http_connection_free_closed(&loop->connections);
    pthread_mutex_destroy(&loop->lock);
    if (loop->epoll >= 0) {
        close(loop->epoll);
    }
    if (loop->alarm >= 0) {
        close(loop->alarm);
    }
    free(loop);
}

static enum status start(struct http_loop *loop, struct error *err) {
    enum status status = open_descriptors(loop, err);
    if (status == STATUS_OK) {
        status = worker_pool_new(&loop->connections.workers, loop->connections.options.thread_count, work, hand_back,
                                 loop, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status = thread_start(&loop->thread, run, loop, err);
    if (status != STATUS_OK) {
        worker_pool_free(loop->connections.workers);
    }
    return status;
}

enum status http_loop_start(struct http_loop **out, const struct http_connections *settings, int listener,
                            struct error *err) {
    struct http_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "out of memory");
    }
    loop->connections = *settings;
    TAILQ_INIT(&loop->connections.open);
    TAILQ_INIT(&loop->connections.idle);
    TAILQ_INIT(&loop->connections.closed);
    TAILQ_INIT(&loop->connections.unfinished);
    STAILQ_INIT(&loop->answered);
    pthread_mutex_init(&loop->lock, NULL);
    loop->max_open_count = most_connections();
    loop->listener = listener;
    enum status status = start(loop, err);
    if (status != STATUS_OK) {
        release(loop);
        return status;
    }
    *out = loop;
    return STATUS_OK;
}

void http_loop_stop(struct http_loop *loop) {
    if (loop == NULL) {
        return;
    }
    worker_pool_free(loop->connections.workers);
    pthread_mutex_lock(&loop->lock);
    loop->stopping = true;
    pthread_mutex_unlock(&loop->lock);
    wake(loop);
    pthread_join(loop->thread, NULL);
    close(loop->listener);
    release(loop);
}
