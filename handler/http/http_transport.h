/*
 * http_transport.h - the HTTP client of the handler: all outgoing connections, on one thread.
 *
 * It runs libcurl's multi interface on an event loop, which owns every connection and enforces
 * every timeout. Only http_transport and its two parts, _call and _sockets, know libcurl. Calls are
 * made through the interface http_client.h; http_transport_platform returns it.
 *
 * Rules        When the transport stops, each exchange under way is answered with STATUS_CANCELLED.
 *              A request is sent at most once. libcurl itself would send it again if a kept
 *              connection turned out to be dead, even after the whole request has left. Here that
 *              ends the call with STATUS_UNAVAILABLE.
 *              Nothing is sent after the call's timeout, however long the process was stopped or
 *              the machine suspended.
 *              At most 256 connections to a host are open. More calls wait for a free connection,
 *              and their timeouts run meanwhile.
 *              TLS certificates are always verified against the authorities that the system trusts
 *              (ca_bundle.h). The least TLS version is 1.2. No proxy, no cookies, no netrc. The
 *              path is sent unchanged.
 * Threads      new, stop and free belong to a thread that is not the loop's. The client interface
 *              belongs to the loop's thread.
 */
#ifndef HTTP_HTTP_TRANSPORT_H
#define HTTP_HTTP_TRANSPORT_H

#include "base/clock.h"
#include "base/random.h"
#include "base/status.h"
#include "http/platform.h"

struct http_transport;

/*
 * Makes a transport and starts its thread. `clock` must outlive it.
 * STATUS_NO_MEMORY, STATUS_NO_THREAD, STATUS_INTERNAL
 */
enum status http_transport_new(struct http_transport **out, const struct clock *clock,
                               struct error *err) MUST_CHECK;

/*
 * Names a PEM file of certificate authorities that replaces the system's. Call it before any call
 * is made. `path` is copied. An unusable file is noticed with the first call.
 * STATUS_NO_MEMORY
 */
enum status http_transport_set_ca_file(struct http_transport *transport,
                                       const char *path) MUST_CHECK;

/* Answers every open call with STATUS_CANCELLED and ends the thread. */
void http_transport_stop(struct http_transport *transport);

/* Stops the transport if it still runs, and frees it. NULL is fine. */
void http_transport_free(struct http_transport *transport);

/* Returns a platform of the transport's clock, loop and client, all borrowed, and of `random`. */
struct platform http_transport_platform(struct http_transport *transport,
                                        const struct random_source *random);

#endif
