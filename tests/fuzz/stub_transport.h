/*
 * stub_transport.h - an HTTP client without a network, for targets that send requests to storage or
 * identity endpoints. All layers above it are real, and stub_loop.h is their event loop.
 *
 * Each request is answered with the next of the replies that were laid out.
 *
 * Threads: one.
 */
#ifndef FUZZ_STUB_TRANSPORT_H
#define FUZZ_STUB_TRANSPORT_H

#include <stddef.h>

struct http_client;
struct http_headers;

/* Forgets all replies and calls. */
void stub_transport_begin(void);

/* Lays out one more reply, which is borrowed until it has been given. */
void stub_transport_reply(int status, const struct http_headers *headers, const char *body,
                          size_t length);

/* Returns the client. A call that finds no reply ends with STATUS_CANCELLED. */
struct http_client *stub_transport_client(void);

/* Returns the number of calls since stub_transport_begin. */
int stub_transport_calls(void);

#endif
