/*
 * http_transport.h - all network I/O on one thread. Nothing but this and its two parts, _call and
 * _sockets, knows libcurl.
 *
 * One thread runs libcurl's multi interface on an event loop: it owns every connection and enforces
 * every timeout.
 *
 * Calls are made through the interface that http_transport_platform names: http_client.h.
 *
 * Rules        When the transport stops, each exchange under way is answered with STATUS_CANCELLED.
 *              A request goes out at most once. Left alone, libcurl sends it again when a kept
 *              connection turns out to be dead, also after the whole request has left; here that is
 *              an answer, STATUS_UNAVAILABLE.
 *              Nothing is sent once the call's timeout is over on the clock, however long the
 *              program was stopped or suspended.
 *              At most 256 connections to a host are open; more calls wait their turn, and their
 *              timeout runs meanwhile.
 *              TLS certificates are always verified, by the authorities that the system trusts
 *              (ca_bundle.h), TLS 1.2 at least; no proxy, no cookies, no netrc, path sent as it is.
 * Threads      new, stop and free belong to a thread that is not the loop's, the interface to the
 *              loop's.
 */
#ifndef HTTP_HTTP_TRANSPORT_H
#define HTTP_HTTP_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/status.h"
#include "http/http_client.h"
#include "http/platform.h"

struct http_transport;

/*
 * Starts the thread. `clock` must outlive it.
 * STATUS_NO_MEMORY, STATUS_NO_THREAD, STATUS_INTERNAL
 */
enum status http_transport_new(struct http_transport **out, const struct clock *clock,
                               struct error *err) MUST_CHECK;

/*
 * The certificate authorities that servers are verified against, as a PEM file, in place of the
 * system's. Before any call; copied.
 * STATUS_NO_MEMORY. That the file can be used shows with the first call.
 */
enum status http_transport_set_ca_file(struct http_transport *transport,
                                       const char *path) MUST_CHECK;

/* Answers every call still open with STATUS_CANCELLED and ends the thread. */
void http_transport_stop(struct http_transport *transport);

/* Stops it if that was not done before, and frees it. NULL is fine. */
void http_transport_free(struct http_transport *transport);

/*
 * Returns the platform of the transport's clock, loop and network, all borrowed from it, and of
 * `random`.
 */
struct platform http_transport_platform(struct http_transport *transport,
                                        const struct random_source *random);

#endif
