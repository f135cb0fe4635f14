#include "http/http_transport_sockets.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* What libcurl waits for and what the loop watches may differ; see on_interest. */
struct watched_socket {
    struct loop_source source;
    struct transport_sockets *sockets;
    bool is_connection; /* opened and closed here; otherwise by libcurl, without notice */
    int wanted;         /* what libcurl waits for: CURL_POLL_NONE, _IN, _OUT, _INOUT */
};

/* Lets libcurl act on a socket or its timer. */
static void drive_libcurl(struct transport_sockets *sockets, curl_socket_t fd, int events) {
    int running;
    curl_multi_socket_action(sockets->multi, fd, events, &running);
    sockets->acted(sockets->context);
}

/* ---- the timer ---- */

static void on_timer(void *context) {
    drive_libcurl(context, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long delay_ms, void *context) {
    (void)multi;
    struct transport_sockets *sockets = context;
    if (delay_ms < 0) {
        event_loop_stop_timer(sockets->loop, &sockets->timer);
    } else {
        event_loop_set_timer(sockets->loop, &sockets->timer,
                             clock_now_ms(sockets->clock) + delay_ms);
    }
    return 0;
}

/* ---- sockets ---- */

static unsigned loop_events(int poll) {
    return ((poll & CURL_POLL_IN) != 0 ? LOOP_READABLE : 0U) |
           ((poll & CURL_POLL_OUT) != 0 ? LOOP_WRITABLE : 0U);
}

static void on_ready(void *context, unsigned events) {
    struct watched_socket *sock = context;
    if (sock->wanted == CURL_POLL_NONE) {
        event_loop_unwatch(sock->sockets->loop, &sock->source);
        return;
    }
    int mask = ((events & LOOP_READABLE) != 0 ? CURL_CSELECT_IN : 0) |
               ((events & LOOP_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0) |
               ((events & LOOP_FAILED) != 0 ? CURL_CSELECT_ERR : 0);
    drive_libcurl(sock->sockets, sock->source.fd, mask);
}

/* Makes `watched` long enough for a descriptor. Returns false without memory. */
static bool sockets_grow(struct transport_sockets *sockets, int fd) {
    if ((size_t)fd < sockets->count) {
        return true;
    }
    size_t count = (size_t)fd + 64;
    struct watched_socket **watched =
        reallocarray(sockets->watched, count, sizeof(struct watched_socket *));
    if (watched == NULL) {
        return false;
    }
    for (size_t i = sockets->count; i < count; i++) {
        watched[i] = NULL;
    }
    sockets->watched = watched;
    sockets->count = count;
    return true;
}

/*
 * Returns the entry of a descriptor; NULL: no memory. Each is allocated on its own, because the
 * loop keeps its address.
 */
static struct watched_socket *socket_at(struct transport_sockets *sockets, int fd) {
    if (!sockets_grow(sockets, fd)) {
        return NULL;
    }
    if (sockets->watched[fd] == NULL) {
        struct watched_socket *sock = calloc(1, sizeof *sock);
        if (sock == NULL) {
            return NULL;
        }
        sock->source = (struct loop_source){.fd = fd, .ready = on_ready, .context = sock};
        sock->sockets = sockets;
        sockets->watched[fd] = sock;
    }
    return sockets->watched[fd];
}

/*
 * libcurl says what it waits for on a socket.
 *
 * After each answer it loses interest in a kept connection, and regains it with the next request.
 * The loop keeps watching such a socket, which saves two system calls for each request. If the
 * server closes it meanwhile, on_ready stops watching.
 *
 * libcurl also opens sockets of its own, a pair for each DNS look-up, and closes them without
 * notice. The next connection may get such a number. So the loop forgets such a socket at once.
 */
static int on_interest(CURL *easy, curl_socket_t fd, int what, void *context, void *unused) {
    (void)easy, (void)unused;
    struct transport_sockets *sockets = context;
    struct watched_socket *sock = socket_at(sockets, fd);
    if (sock == NULL) {
        return -1;
    }
    sock->wanted = what == CURL_POLL_REMOVE ? CURL_POLL_NONE : what;
    unsigned events = loop_events(sock->wanted);
    if (events == 0 && !sock->is_connection) {
        event_loop_unwatch(sockets->loop, &sock->source);
        return 0;
    }
    if (events == 0 || events == sock->source.events) {
        return 0;
    }
    return event_loop_watch(sockets->loop, &sock->source, events) ? 0 : -1;
}

int http_transport_sockets_open(struct transport_sockets *sockets, int family, int type,
                                int protocol) {
    int fd = socket(family, type | SOCK_CLOEXEC, protocol);
    struct watched_socket *sock = fd < 0 ? NULL : socket_at(sockets, fd);
    if (sock != NULL) {
        sock->is_connection = true;
    }
    return fd;
}

int http_transport_sockets_close(struct transport_sockets *sockets, int fd) {
    struct watched_socket *sock = (size_t)fd < sockets->count ? sockets->watched[fd] : NULL;
    if (sock != NULL) {
        event_loop_unwatch(sockets->loop, &sock->source);
        sock->wanted = CURL_POLL_NONE;
        sock->is_connection = false;
    }
    return close(fd);
}

/* ---- life cycle ---- */

void http_transport_sockets_init(struct transport_sockets *sockets, CURLM *multi,
                                 struct event_loop *loop, const struct clock *clock,
                                 void (*acted)(void *context), void *context) {
    *sockets = (struct transport_sockets){
        .multi = multi, .loop = loop, .clock = clock, .acted = acted, .context = context};
    sockets->timer = (struct loop_timer){.fired = on_timer, .context = sockets};
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_interest);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, sockets);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, sockets);
}

void http_transport_sockets_cleanup(struct transport_sockets *sockets) {
    for (size_t i = 0; i < sockets->count; i++) {
        free(sockets->watched[i]);
    }
    free(sockets->watched);
}
