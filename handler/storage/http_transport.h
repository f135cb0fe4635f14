/*
 * http_transport.h - all network I/O on one thread. Nothing but this and its two parts, _call and
 * _sockets, knows libcurl.
 *
 * One thread runs libcurl's multi interface on an event loop: it owns every connection and enforces every timeout.
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
 * Threads: submit, send and cancel may be called from any thread; new and free from one that is not the I/O thread.
 * Layer: storage. May include base/.
 */
#ifndef STORAGE_HTTP_TRANSPORT_H
#define STORAGE_HTTP_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/status.h"
#include "http/http_client.h"
#include "http/platform.h"

struct http_transport;

/* Zeroed at first; http_transport's own afterwards. Must outlive its calls. */
struct http_call_group {
    bool cancelled;
};

/* Starts the thread. `clock` must outlive it. STATUS_NO_MEMORY, STATUS_INTERNAL. */
enum status http_transport_new(struct http_transport **out, const struct clock *clock, struct error *err) MUST_CHECK;

/*
 * The certificate authorities that servers are verified against, as a PEM file, in place of the system's. Before any call; copied.
 * STATUS_NO_MEMORY. That the file can be used shows with the first call.
 */
enum status http_transport_set_ca_file(struct http_transport *transport, const char *path) MUST_CHECK;

/* Answers every call still open with STATUS_CANCELLED and ends the thread. */
void http_transport_stop(struct http_transport *transport);

/* Stops it if that was not done before, and frees it. NULL is fine. */
void http_transport_free(struct http_transport *transport);

/*
 * Returns the platform of the transport's clock, loop and network, all borrowed from it, and of
 * `random`.
 */
struct platform http_transport_platform(struct http_transport *transport, const struct random_source *random);

/*
 * Queues a call, from any thread; all of it is copied. `done` is called later, once, unless submit itself fails.
 * STATUS_NO_MEMORY    nothing was queued
 * STATUS_CANCELLED    the transport is being freed, or the call's group is cancelled; nothing was queued
 * STATUS_INTERNAL     libcurl refused an option; nothing was queued
 */
enum status http_transport_submit(struct http_transport *transport, const struct http_call *call, http_done done,
                                  void *context) MUST_CHECK;

/* Submits and waits: never on the I/O thread. Statuses of http_done; `out` (initialized) is filled on STATUS_OK alone. */
enum status http_transport_send(struct http_transport *transport, const struct http_call *call, struct http_reply *out,
                                struct error *err) MUST_CHECK;

/* Answers the group's open calls with STATUS_CANCELLED, and every call that is submitted in it from now on. Once is for good. */
void http_transport_cancel(struct http_transport *transport, struct http_call_group *group);

#endif
