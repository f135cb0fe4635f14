/*
 * blob_client.h - the operations on containers and blobs that leases need.
 *
 * Each is one REST operation of the Blob service, named in its comment. Names are not encoded;
 * metadata names are valid C# identifiers (a rule of Put Blob's). Statuses are storage_done's and
 * storage_error.h's; those that a caller has to expect stand with the operation.
 *
 * Threads    blob_..._start begins an operation on the loop's thread, and its completion ends it.
 *            blob_lease_break waits. It is for any thread but the loop's, and ends with
 *            STATUS_CANCELLED after storage_client_cancel.
 */
#ifndef STORAGE_BLOB_CLIENT_H
#define STORAGE_BLOB_CLIENT_H

#include <stdint.h>

#include "base/status.h"
#include "storage/storage_request.h"

enum { LEASE_DURATION_INFINITE_S = -1 };

/*
 * How an operation ended. `sent_ms`, STATUS_OK alone: the clock before the successful attempt was
 * sent. `err` is borrowed, and means nothing on STATUS_OK.
 */
typedef void (*blob_done)(void *context, enum status status, int64_t sent_ms,
                          const struct error *err);

/* What an operation's answer is judged by. */
enum blob_action {
    BLOB_CREATE_CONTAINER,
    BLOB_CREATE,
    BLOB_LEASE_ACQUIRE,
    BLOB_LEASE_RENEW,
    BLOB_LEASE_RELEASE,
    BLOB_LEASE_BREAK,
};

/*
 * One operation under way. It lives with whoever starts it until it has ended or is abandoned.
 * Zeroed at first. `done` is its last act, never inside start, so its owner may free it or start it
 * again there.
 */
struct blob_operation {
    struct storage_request request;
    struct storage_operation operation;
    enum blob_action action;
    blob_done done;
    void *context;
};

/* Ends one that is under way without calling `done`. What was sent may still be carried out. */
void blob_operation_abandon(struct blob_operation *operation);

/* Create Container. STATUS_ALREADY_EXISTS. */
void blob_container_create_start(struct blob_operation *operation, struct storage_client *client,
                                 const char *container, int64_t deadline_ms, blob_done done,
                                 void *context);

/*
 * Put Blob: an empty block blob with `metadata` (may be NULL), only where there is none yet (If-None-Match: *).
 * STATUS_ALREADY_EXISTS (409 BlobAlreadyExists, or 412 because somebody has leased it already; a repeat after a lost
 * answer says so too), STATUS_CONTAINER_NOT_FOUND, STATUS_TOO_LARGE (a metadata name that no header holds; nothing was
 * sent).
 */
void blob_create_empty_start(struct blob_operation *operation, struct storage_client *client,
                             const char *container, const char *blob,
                             const struct http_headers *metadata, int64_t deadline_ms,
                             blob_done done, void *context);

/*
 * Lease Blob, action acquire, proposing `lease_id` (a UUID): a repeat after a lost answer gets the same lease, anew.
 * `duration_s`: 15 to 60, or LEASE_DURATION_INFINITE_S. The lease lasts at least until sent_ms +
 * duration. After STATUS_UNAVAILABLE or STATUS_CANCELLED it may be held all the same.
 * STATUS_LEASE_CONFLICT, STATUS_NOT_FOUND (no blob), STATUS_CONTAINER_NOT_FOUND.
 */
void blob_lease_acquire_start(struct blob_operation *operation, struct storage_client *client,
                              const char *container, const char *blob, const char *lease_id,
                              int duration_s, int64_t deadline_ms, blob_done done, void *context);

/* Lease Blob, action renew: one attempt. STATUS_LEASE_LOST, STATUS_NOT_FOUND, STATUS_CONTAINER_NOT_FOUND. */
void blob_lease_renew_start(struct blob_operation *operation, struct storage_client *client,
                            const char *container, const char *blob, const char *lease_id,
                            int64_t deadline_ms, blob_done done, void *context);

/*
 * Lease Blob, action release: one attempt.
 * STATUS_LEASE_LOST (409: nothing left to release), STATUS_NOT_FOUND, STATUS_CONTAINER_NOT_FOUND.
 */
void blob_lease_release_start(struct blob_operation *operation, struct storage_client *client,
                              const char *container, const char *blob, const char *lease_id,
                              int64_t deadline_ms, blob_done done, void *context);

/*
 * Lease Blob, action break, with a break period of 0: free at once. After a lost answer it is repeated, and that there is
 * no lease any more counts as success.
 * STATUS_LEASE_LOST (there was no lease), STATUS_NOT_FOUND, STATUS_CONTAINER_NOT_FOUND.
 */
void blob_lease_break_start(struct blob_operation *operation, struct storage_client *client,
                            const char *container, const char *blob, int64_t deadline_ms,
                            blob_done done, void *context);
enum status blob_lease_break(struct storage_client *client, const char *container, const char *blob,
                             int64_t deadline_ms, struct error *err) MUST_CHECK;

#endif
