/*
 * http_loop.h - a server's part of the event loop: it accepts connections, and has them read
 * requests and write answers.
 *
 * Its cost grows with what happens, not with what is open. Where descriptors run short, it leaves
 * new connections in the kernel's queue, where they wait without harm, and ends those that have
 * been idle longest.
 *
 * Threads  start and stop wait for the loop's thread, which runs; so they are called on any other.
 */
#ifndef SERVER_HTTP_LOOP_H
#define SERVER_HTTP_LOOP_H

#include "server/http_connection.h"

struct http_loop;

/*
 * Serves the listening socket, which it owns from then on. Options, handler and loop of *settings
 * are set; the rest is filled in here.
 *
 * STATUS_NO_MEMORY, STATUS_INTERNAL (no descriptor can be watched); the socket is still the
 * caller's then
 */
enum status http_loop_start(struct http_loop **out, const struct http_connections *settings,
                            int listener, struct error *err) MUST_CHECK;

/*
 * Closes every connection without a request in hand, waits for the answers to the others, and
 * frees. NULL is fine.
 */
void http_loop_stop(struct http_loop *loop);

#endif
