/*
 * http_transport_sockets.h - libcurl's sockets and its timer on the event loop: libcurl says what
 * it waits for, and is called when that has come.
 *
 * A part of http_transport, for nobody else.
 *
 * Rules    A kept connection stays watched between two requests. A socket that libcurl has opened
 *          for itself is forgotten as soon as libcurl has lost interest in it: it closes that one
 *          without a word, and the next connection may get its number.
 *          Connections are opened and closed here, so that they can be told from the others.
 * Errors   A socket that cannot be watched for want of memory makes libcurl give up all open calls.
 * Threads  The loop's. init and cleanup: before the loop is started, and after it has stopped.
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
    struct watched_socket **watched; /* by descriptor; NULL: there was none yet */
    size_t count;
};

/*
 * Takes over the sockets and the timer of `multi`. Whenever libcurl has been called, `acted` is
 * called: some of its transfers may have ended. All is borrowed.
 */
void http_transport_sockets_init(struct transport_sockets *sockets, CURLM *multi,
                                 struct event_loop *loop, const struct clock *clock,
                                 void (*acted)(void *context), void *context);

/* After `multi` has gone, which closes its connections here. A zeroed one is fine. */
void http_transport_sockets_cleanup(struct transport_sockets *sockets);

/* Opens a connection's socket. Returns socket's answer. */
int http_transport_sockets_open(struct transport_sockets *sockets, int family, int type,
                                int protocol);

/* Closes any socket, and ends its being watched. Returns close's answer. */
int http_transport_sockets_close(struct transport_sockets *sockets, int fd);

#endif
