/*
 * blob_client.h - the operations on containers and blobs that leases need.
 *
 * Each is one REST operation of the Blob service, named in its comment. Names are not encoded; metadata names are valid
 * C# identifiers (a rule of Put Blob's). Statuses are storage_client_send's and storage_error.h's; those that a caller
 * has to expect stand with the operation.
 * Threads: any.
 * Layer: storage. May include base/.
 */
#ifndef STORAGE_BLOB_CLIENT_H
#define STORAGE_BLOB_CLIENT_H

#include <stdint.h>

#include "base/status.h"
#include "storage/storage_request.h"

enum { LEASE_DURATION_INFINITE_S = -1 };

/* Create Container. STATUS_ALREADY_EXISTS. */
enum status blob_container_create(struct storage_client *client, const char *container, int64_t deadline_ms,
                                  struct error *err) MUST_CHECK;

/*
 * Put Blob: an empty block blob with `metadata` (may be NULL), only where there is none yet (If-None-Match: *).
 * STATUS_ALREADY_EXISTS (409 BlobAlreadyExists, or 412 because somebody has leased it already; a repeat after a lost
 * answer says so too), STATUS_CONTAINER_NOT_FOUND, STATUS_TOO_LARGE (a metadata name that no header holds; nothing was
 * sent).
 */
enum status blob_create_empty(struct storage_client *client, const char *container, const char *blob,
                              const struct http_headers *metadata, int64_t deadline_ms, struct error *err) MUST_CHECK;

/*
 * Lease Blob, action acquire, proposing `lease_id` (a UUID): a repeat after a lost answer gets the same lease, anew.
 * `duration_s`: 15 to 60, or LEASE_DURATION_INFINITE_S. `out_sent_ms`: the clock before the successful attempt was
 * sent; the lease lasts at least until that + duration. After STATUS_UNAVAILABLE or STATUS_CANCELLED it may be held all
 * the same.
 * STATUS_LEASE_CONFLICT, STATUS_NOT_FOUND (no blob), STATUS_CONTAINER_NOT_FOUND.
 */
enum status blob_lease_acquire(struct storage_client *client, const char *container, const char *blob,
                               const char *lease_id, int duration_s, int64_t deadline_ms, int64_t *out_sent_ms,
                               struct error *err) MUST_CHECK;

/* Lease Blob, action renew: one attempt. STATUS_LEASE_LOST, STATUS_NOT_FOUND, STATUS_CONTAINER_NOT_FOUND. */
enum status blob_lease_renew_submit(struct storage_client *client, const char *container, const char *blob,
                                    const char *lease_id, int64_t timeout_ms, storage_done done,
                                    void *context) MUST_CHECK;

/*
 * Lease Blob, action release: one attempt.
 * STATUS_LEASE_LOST (409: nothing left to release), STATUS_NOT_FOUND, STATUS_CONTAINER_NOT_FOUND.
 */
enum status blob_lease_release_submit(struct storage_client *client, const char *container, const char *blob,
                                      const char *lease_id, int64_t timeout_ms, storage_done done,
                                      void *context) MUST_CHECK;

/*
 * Lease Blob, action break, with a break period of 0: free at once. After a lost answer it is repeated, and that there is
 * no lease any more counts as success.
 * STATUS_LEASE_LOST (there was no lease), STATUS_NOT_FOUND, STATUS_CONTAINER_NOT_FOUND.
 */
enum status blob_lease_break(struct storage_client *client, const char *container, const char *blob,
                             int64_t deadline_ms, struct error *err) MUST_CHECK;

#endif
