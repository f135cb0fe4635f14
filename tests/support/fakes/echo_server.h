/*
 * echo_server.h - an http_server whose handler tells what it was given, and can be held.
 *
 * It answers 200 and "METHOD PATH|QUERY|BODY". To /wait it answers once echo_server_let_go has been
 * called for it; to /large with ECHO_LARGE_BYTES of 'x', which no socket's buffers hold; a body
 * over the limit is a 413. Threads: a test's own; the counts may be read from any.
 */
#ifndef SUPPORT_ECHO_SERVER_H
#define SUPPORT_ECHO_SERVER_H

#include "server/http_server.h"

enum {
    ECHO_MAX_BODY_BYTES = 1000,
    ECHO_LARGE_BYTES = 32 * 1024 * 1024,
    ECHO_REQUEST_TIMEOUT_MS = 30 * 1000 /* for a test that is about something else */
};

/* There is one at a time. */
struct http_server *echo_server_start(int thread_count, int request_timeout_ms);
void echo_server_stop(struct http_server *server);

/*
 * How many requests have reached the handler, and how many of those were to paths that hold
 * "smuggled".
 */
int echo_server_calls(void);
int echo_server_smuggled(void);

/* Waits until one more request to /wait is held; lets one go. */
void echo_server_await_held(void);
void echo_server_let_go(void);

#endif
