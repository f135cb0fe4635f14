/*
 * table_calls.h - operations of table_client.h, for tests that wait for them.
 *
 * Each does what its namesake with _start does; a query visits on the loop's thread. Outputs are
 * untouched on failure; `err` may be NULL. Threads: any but the loop's.
 */
#ifndef SUPPORT_TABLE_CALLS_H
#define SUPPORT_TABLE_CALLS_H

#include "storage/table_client.h"

enum status table_create(struct storage_client *client, const char *table, int64_t deadline_ms,
                         struct error *err) MUST_CHECK;
enum status table_insert(struct storage_client *client, const char *table, const char *entity,
                         int64_t deadline_ms, struct error *err) MUST_CHECK;
enum status table_get(struct storage_client *client, const char *table, const char *partition_key,
                      const char *row_key, int64_t deadline_ms, cJSON **out,
                      struct error *err) MUST_CHECK;
enum status table_query(struct storage_client *client, const struct table_query *query,
                        int64_t deadline_ms, struct error *err) MUST_CHECK;
enum status table_transaction(struct storage_client *client, const char *table,
                              const struct table_operation *operations, size_t count,
                              int64_t deadline_ms, char out_first_etag[TABLE_ETAG_BYTES],
                              struct error *err) MUST_CHECK;

#endif
