/*
 * blob_calls.h - the operations of blob_client.h, for tests that wait for them.
 *
 * Each does what its namesake with _start does. Outputs are untouched on failure; `err` may be
 * NULL. Threads: any but the loop's.
 */
#ifndef SUPPORT_BLOB_CALLS_H
#define SUPPORT_BLOB_CALLS_H

#include "storage/blob_client.h"

enum status blob_container_create(struct storage_client *client, const char *container,
                                  int64_t deadline_ms, struct error *err) MUST_CHECK;
enum status blob_create_empty(struct storage_client *client, const char *container,
                              const char *blob, const struct http_headers *metadata,
                              int64_t deadline_ms, struct error *err) MUST_CHECK;

/* `out_sent_ms`: the clock before the successful attempt was sent. */
enum status blob_lease_acquire(struct storage_client *client, const char *container,
                               const char *blob, const char *lease_id, int duration_s,
                               int64_t deadline_ms, int64_t *out_sent_ms,
                               struct error *err) MUST_CHECK;
enum status blob_lease_renew(struct storage_client *client, const char *container, const char *blob,
                             const char *lease_id, int64_t deadline_ms,
                             struct error *err) MUST_CHECK;
enum status blob_lease_release(struct storage_client *client, const char *container,
                               const char *blob, const char *lease_id, int64_t deadline_ms,
                               struct error *err) MUST_CHECK;

#endif
