/*
 * stub_transport.h - http_transport.h without a network: each call is answered with the next of the replies that were laid out,
 * and with STATUS_UNAVAILABLE when none is left.
 *
 * A target that includes this is linked with it in place of the transport (see the Makefile); all above it is real.
 *
 * Threads: one.
 * Layer: tests.
 */
#ifndef FUZZ_STUB_TRANSPORT_H
#define FUZZ_STUB_TRANSPORT_H

#include <stddef.h>

struct http_client;
struct http_headers;

/* No replies, no calls. */
void stub_transport_begin(void);

/* Lays out one more, borrowed until it has been given. */
void stub_transport_reply(int status, const struct http_headers *headers, const char *body, size_t length);

/* The interface to no network: as the transport, but a call that finds no reply ends with STATUS_CANCELLED. */
struct http_client *stub_transport_client(void);

/* How many calls there have been. */
int stub_transport_calls(void);

#endif
