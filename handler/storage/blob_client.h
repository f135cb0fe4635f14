/*
 * blob_client.h - the operations on containers and blobs that leases need.
 *
 * Each function is one REST operation of the Blob service, named in its comment. Names are passed
 * without encoding. Metadata names must be C# identifiers (a rule of "Put Blob"). Statuses are
 * those of storage_done and storage_error.h; each comment lists the ones that a caller must expect.
 *
 * Threads    blob_..._start starts an operation on the loop's thread, where it also ends.
 *            blob_lease_break waits. It is for any other thread, and returns STATUS_CANCELLED after
 *            storage_client_cancel.
 */
#ifndef STORAGE_BLOB_CLIENT_H
#define STORAGE_BLOB_CLIENT_H

#include <stdint.h>

#include "base/status.h"
#include "storage/storage_client.h"

enum { LEASE_DURATION_INFINITE_S = -1 };

/*
 * How an operation ended. `sent_ms`, for STATUS_OK alone, is the clock before the successful
 * attempt was sent. `err` is borrowed; it has no meaning for STATUS_OK.
 */
typedef void (*blob_done)(void *context, enum status status, int64_t sent_ms,
                          const struct error *err);

/* What an operation does. It decides what its answer means. */
enum blob_action {
    BLOB_CREATE_CONTAINER,
    BLOB_CREATE,
    BLOB_LEASE_ACQUIRE,
    BLOB_LEASE_RENEW,
    BLOB_LEASE_RELEASE,
    BLOB_LEASE_BREAK,
};

/*
 * One operation under way. It lives in its owner until it has ended or is abandoned. Zeroed at
 * first. `done` is called last, and never inside start, so the owner may free the operation or
 * start it again there.
 */
struct blob_operation {
    struct storage_request request;
    struct storage_operation operation;
    enum blob_action action;
    blob_done done;
    void *context;
};

/*
 * Ends an operation that is under way without calling `done`. Storage may still carry out what was
 * sent.
 */
void blob_operation_abandon(struct blob_operation *operation);

/* Create Container. STATUS_ALREADY_EXISTS. */
void blob_container_create_start(struct blob_operation *operation, struct storage_client *client,
                                 const char *container, int64_t deadline_ms, blob_done done,
                                 void *context);

/*
 * Put Blob: an empty block blob with `metadata` (may be NULL), only if there is no such blob yet
 * (If-None-Match: *).
 *
 * STATUS_ALREADY_EXISTS       409 BlobAlreadyExists, or 412 because the blob is leased. A repeat
 *                             after a lost answer returns it too
 * STATUS_CONTAINER_NOT_FOUND
 * STATUS_TOO_LARGE            a metadata name is too long for a header; nothing was sent
 */
void blob_create_empty_start(struct blob_operation *operation, struct storage_client *client,
                             const char *container, const char *blob,
                             const struct http_headers *metadata, int64_t deadline_ms,
                             blob_done done, void *context);

/*
 * Lease Blob, action acquire, with `lease_id` (a UUID) as the proposed id. Because of the id, a
 * repeat after a lost answer gets the same lease again. `duration_s` is 15 to 60, or
 * LEASE_DURATION_INFINITE_S. The lease lasts at least until sent_ms + duration.
 *
 * STATUS_LEASE_CONFLICT, STATUS_NOT_FOUND (no blob), STATUS_CONTAINER_NOT_FOUND
 * STATUS_UNAVAILABLE, STATUS_CANCELLED: the lease may have been acquired nevertheless
 */
void blob_lease_acquire_start(struct blob_operation *operation, struct storage_client *client,
                              const char *container, const char *blob, const char *lease_id,
                              int duration_s, int64_t deadline_ms, blob_done done, void *context);

/*
 * Lease Blob, action renew, in one attempt.
 * STATUS_LEASE_LOST, STATUS_NOT_FOUND, STATUS_CONTAINER_NOT_FOUND
 */
void blob_lease_renew_start(struct blob_operation *operation, struct storage_client *client,
                            const char *container, const char *blob, const char *lease_id,
                            int64_t deadline_ms, blob_done done, void *context);

/*
 * Lease Blob, action release, in one attempt.
 * STATUS_LEASE_LOST (409: there is no such lease any more), STATUS_NOT_FOUND,
 * STATUS_CONTAINER_NOT_FOUND
 */
void blob_lease_release_start(struct blob_operation *operation, struct storage_client *client,
                              const char *container, const char *blob, const char *lease_id,
                              int64_t deadline_ms, blob_done done, void *context);

/*
 * Lease Blob, action break, with a break period of 0, so that the blob is free at once. After a
 * lost answer the request is repeated, and then a missing lease counts as success.
 * STATUS_LEASE_LOST (there was no lease), STATUS_NOT_FOUND, STATUS_CONTAINER_NOT_FOUND
 */
void blob_lease_break_start(struct blob_operation *operation, struct storage_client *client,
                            const char *container, const char *blob, int64_t deadline_ms,
                            blob_done done, void *context);
enum status blob_lease_break(struct storage_client *client, const char *container, const char *blob,
                             int64_t deadline_ms, struct error *err) MUST_CHECK;

#endif
