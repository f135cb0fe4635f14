/*
 * http_loop.h - a server's part of the event loop: it accepts connections, and has them read
 * requests and write answers.
 *
 * Its cost grows with what happens, not with what is open. Where descriptors run short, new
 * connections wait in the kernel's queue, which harms nobody. Meanwhile those that have been idle
 * longest are ended.
 *
 * Threads  Start and stop wait for the loop's thread, so any other thread may call them.
 */
#ifndef SERVER_HTTP_LOOP_H
#define SERVER_HTTP_LOOP_H

#include "server/http_connection.h"

struct http_loop;

/*
 * Serves the listening socket, and owns it from then on. Of `settings`, `shared` and
 * max_buffered_bytes are set.
 *
 * STATUS_NO_MEMORY, STATUS_INTERNAL (the socket cannot be watched): it is still the caller's
 */
enum status http_loop_start(struct http_loop **out, const struct http_connections *settings,
                            int listener, struct error *err) MUST_CHECK;

/*
 * Closes every connection whose request no handler has, waits until the handler has answered the
 * others, and frees. `loop` may be NULL.
 */
void http_loop_stop(struct http_loop *loop);

#endif
