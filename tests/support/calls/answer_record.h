/*
 * answer_record.h - writes down each answer that a test gets from the app, so that all of them can
 * be held to docs/openapi.yaml after the tests (tests/openapi/check_answers.mjs).
 *
 * Rules        If LEASEHOLD_ANSWERS names a file, each answer becomes a line of it. Otherwise
 *              nothing happens.
 *              An answer is the app's if it comes from a port that app.h serves on. What other
 *              servers say (storage, identity endpoints, fakes) is not written down.
 *              The three places that read answers call this: http_send.c, raw_http.c and
 *              load_client.c. So tests need not know of it, unless they read from a socket
 *              themselves.
 *              Interim answers (100 Continue) are not written down. Neither is a request of which
 *              no whole answer came.
 * Threads: any. A connection belongs to one thread at a time.
 */
#ifndef SUPPORT_ANSWER_RECORD_H
#define SUPPORT_ANSWER_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "http/http_client.h"

struct raw_response;

/*
 * An app serves on this port from now on: callers talk to its host, or to the handler itself, as
 * only the host does.
 */
void answer_record_add_port(int port, bool is_handler);

/* It serves no more: another server may get the port. */
void answer_record_remove_port(int port);

/* The answer to a call. */
void answer_record_reply(const struct http_call *call, const struct http_reply *reply);

/* A new connection: what was sent before on a descriptor of this number is forgotten. */
void answer_record_connected(int fd, int port);

/*
 * Bytes of requests sent on a connection. Of a request that is larger than ANSWER_RECORD_MAX_BYTES
 * the rest is not kept, and its record says so.
 */
void answer_record_sent(int fd, const void *bytes, size_t length);

/* The next answer on a connection, to the first of the requests that are not answered yet. */
void answer_record_raw(int fd, const struct raw_response *answer);

/*
 * All that came on a connection until its end: answers to requests that are malformed on purpose.
 * Which answer is whose is open, so each need only be one that the API may give to anything.
 */
void answer_record_stream(int fd, const char *bytes, size_t length);

/* The answer to a request, both as they were on the wire. */
void answer_record_bytes(int port, const char *request, size_t request_length, const char *answer,
                         size_t answer_length);

enum { ANSWER_RECORD_MAX_BYTES = 256 * 1024 };

#endif
