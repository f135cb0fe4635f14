/*
 * stub_transport.h - an HTTP client without a network, and a loop that does at once whatever it is
 * given: each call is answered with the next of the replies that were laid out, and with
 * STATUS_CANCELLED when none is left.
 *
 * A target that includes this is linked with it in place of the event loop (see the Makefile); all
 * above it is real.
 *
 * Threads: one.
 */
#ifndef FUZZ_STUB_TRANSPORT_H
#define FUZZ_STUB_TRANSPORT_H

#include <stddef.h>

struct http_client;
struct http_headers;

/* No replies, no calls. */
void stub_transport_begin(void);

/* Lays out one more, borrowed until it has been given. */
void stub_transport_reply(int status, const struct http_headers *headers, const char *body,
                          size_t length);

/* Calls `run` as on the loop, and then whatever follows from it. event_loop_post does the same. */
void stub_transport_run(void (*run)(void *context), void *context);

/*
 * The interface to no network: as the transport, but a call that finds no reply ends with
 * STATUS_CANCELLED.
 */
struct http_client *stub_transport_client(void);

/* How many calls there have been. */
int stub_transport_calls(void);

#endif
