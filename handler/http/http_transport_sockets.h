/*
 * http_transport_sockets.h - connects libcurl's sockets and its timer with the event loop.
 *
 * libcurl announces which sockets and which time it waits for. The loop watches them and calls
 * libcurl when they are ready. A part of http_transport, for nobody else.
 *
 * Rules    A kept connection stays watched between two requests. A socket that libcurl has opened
 *          itself is forgotten as soon as libcurl has lost interest in it, because libcurl closes
 *          such a socket without notice, and the next connection may get its number. To tell the
 *          two kinds apart, connections are opened and closed here.
 * Errors   If a socket cannot be watched for lack of memory, libcurl gives up all open calls.
 * Threads  The loop's. init: before the loop is started. cleanup: after it has stopped.
 */
#ifndef HTTP_HTTP_TRANSPORT_SOCKETS_H
#define HTTP_HTTP_TRANSPORT_SOCKETS_H

#include <curl/curl.h>
#include <stddef.h>

#include "base/clock.h"
#include "http/event_loop.h"

struct watched_socket;

/* Zeroed at first. */
struct transport_sockets {
    CURLM *multi;
    struct event_loop *loop;
    const struct clock *clock;
    void (*acted)(void *context);
    void *context;
    struct loop_timer timer;         /* when libcurl wants to be called without an event */
    struct watched_socket **watched; /* indexed by descriptor; NULL: not seen yet */
    size_t count;                    /* entries in `watched` */
};

/*
 * Takes over the sockets and the timer of `multi`. `acted` is called each time that libcurl has
 * been called, as some of its transfers may have ended. Everything is borrowed.
 */
void http_transport_sockets_init(struct transport_sockets *sockets, CURLM *multi,
                                 struct event_loop *loop, const struct clock *clock,
                                 void (*acted)(void *context), void *context);

/*
 * Call it after `multi` is gone, because that closes its connections through here. A zeroed struct
 * is fine.
 */
void http_transport_sockets_cleanup(struct transport_sockets *sockets);

/* Opens a connection's socket. Returns the descriptor, or -1 as socket() does. */
int http_transport_sockets_open(struct transport_sockets *sockets, int family, int type,
                                int protocol);

/* Stops watching a socket and closes it. Returns what close() returns. */
int http_transport_sockets_close(struct transport_sockets *sockets, int fd);

#endif
