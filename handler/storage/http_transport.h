/*
 * http_transport.h - all network I/O on one thread. Nothing but this and its http_transport_call knows libcurl.
 *
 * One thread runs libcurl's multi interface: it owns every connection, enforces every timeout, and carries one timer, so
 * that the work of ten thousand leases needs no thread of its own.
 *
 * Vocabulary   call       one HTTP request and its response; exactly one attempt, no redirects, no retries
 *              sent_ms    the clock just before the call was handed to libcurl: nothing can have reached the server earlier
 *              group      calls that can be cancelled together
 * Rules        Callbacks run on the I/O thread, with no lock held; they must not block, and may submit calls.
 *              Each submitted call is answered by exactly one callback, also when the transport stops (STATUS_CANCELLED).
 *              A request goes out at most once. Left alone, libcurl sends it again when a kept connection turns out to be
 *              dead, also after the whole request has left; here that is an answer, STATUS_UNAVAILABLE.
 *              Nothing is sent once the call's timeout is over on the clock, however long the program was stopped or suspended.
 *              At most 256 connections to a host are open; more calls wait their turn, and their timeout runs meanwhile.
 *              TLS certificates are always verified, by the authorities that the system trusts (ca_bundle.h), TLS 1.2 at least; no proxy, no cookies, no netrc, path sent as it is.
 * Threads: submit, send, cancel and wake_at may be called from any thread; new, free and set_tick from one that is not the
 *          I/O thread.
 * Layer: storage. May include base/.
 */
#ifndef STORAGE_HTTP_TRANSPORT_H
#define STORAGE_HTTP_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/http_message.h"
#include "base/status.h"
#include "base/strbuf.h"
#include "storage/tick_timer.h"

struct http_transport;

/* Zeroed at first; http_transport's own afterwards. Must outlive its calls. */
struct http_call_group {
    bool cancelled;
};

/* What to send. Copied by submit; the caller's own again as soon as it returns. */
struct http_call {
    const char *method;                 /* "GET", "PUT", "POST", "DELETE", "HEAD", ... */
    const char *url;                    /* complete, encoded */
    const struct http_headers *headers; /* may be NULL; Host, Content-Length and Connection are libcurl's */
    const void *body;
    size_t body_length;            /* 0: none; Content-Length: 0 is sent where the method wants it */
    int64_t timeout_ms;            /* > 0: the whole call; connecting counts too */
    size_t max_response_bytes;     /* a longer body fails the call with STATUS_TOO_LARGE */
    struct http_call_group *group; /* NULL: cannot be cancelled but by http_transport_free */
};

/* What came back. Borrowed by the callback; moved into the caller's by http_transport_send. */
struct http_reply {
    int status; /* 200 to 599 */
    struct http_headers headers;
    struct strbuf body;
    int64_t sent_ms;     /* see above */
    int64_t received_ms; /* the clock when the last byte was here */
};

void http_reply_init(struct http_reply *reply);
void http_reply_release(struct http_reply *reply);

/*
 * `reply` is NULL unless status is STATUS_OK, which any HTTP answer is, whatever its status code.
 *
 * STATUS_UNAVAILABLE   DNS, connection, TLS, timeout, or an answer cut short: the server may or may not have acted
 * STATUS_TOO_LARGE     the answer was over max_response_bytes, or its headers over 64 KiB
 * STATUS_CANCELLED     http_transport_cancel or _free
 * STATUS_NO_MEMORY, STATUS_INTERNAL (libcurl refused the call)
 */
typedef void (*http_transport_done)(void *context, enum status status, struct http_reply *reply,
                                    const struct error *err);

/* Starts the thread. `clock` must outlive it. STATUS_NO_MEMORY, STATUS_INTERNAL. */
enum status http_transport_new(struct http_transport **out, const struct clock *clock, struct error *err) MUST_CHECK;

/*
 * The certificate authorities that servers are verified against, as a PEM file, in place of the system's. Before any call; copied.
 * STATUS_NO_MEMORY. That the file can be used shows with the first call.
 */
enum status http_transport_set_ca_file(struct http_transport *transport, const char *path) MUST_CHECK;

/* Answers every call still open with STATUS_CANCELLED, ends the thread and frees. NULL is fine. */
void http_transport_free(struct http_transport *transport);

/*
 * Queues a call; `done` is called later, once, unless submit itself fails.
 * STATUS_NO_MEMORY    nothing was queued
 * STATUS_CANCELLED    the transport is being freed, or the call's group is cancelled; nothing was queued
 * STATUS_INTERNAL     libcurl refused an option; nothing was queued
 */
enum status http_transport_submit(struct http_transport *transport, const struct http_call *call,
                                  http_transport_done done, void *context) MUST_CHECK;

/* Submits and waits: never on the I/O thread. Statuses as for http_transport_done; `out` (initialized) is filled on STATUS_OK alone. */
enum status http_transport_send(struct http_transport *transport, const struct http_call *call, struct http_reply *out,
                                struct error *err) MUST_CHECK;

/* Answers the group's open calls with STATUS_CANCELLED, and every call that is submitted in it from now on. Once is for good. */
void http_transport_cancel(struct http_transport *transport, struct http_call_group *group);

/*
 * The timer (see tick_timer.h). `tick` runs on the I/O thread once the clock has reached the time last asked for with wake_at,
 * also when the machine was suspended over it. Set it before any wake_at; NULL takes it away and waits until no tick is running.
 */
void http_transport_set_tick(struct http_transport *transport, tick_function tick, void *context);

/* Makes the tick run at `due_ms` or, if it is due earlier already, then. Thread-safe and cheap. */
void http_transport_wake_at(struct http_transport *transport, int64_t due_ms);

#endif
