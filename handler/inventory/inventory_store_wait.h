/*
 * inventory_store_wait.h - asynchronous operations of a store, for threads that wait for their end.
 *
 * Statuses and outputs are inventory_store.h's. `err` may be NULL.
 *
 * Threads  Any but the loop's.
 */
#ifndef INVENTORY_INVENTORY_STORE_WAIT_H
#define INVENTORY_INVENTORY_STORE_WAIT_H

#include "inventory/inventory_store.h"

enum status inventory_store_read_and_wait(struct inventory_store *store, const char *product_id,
                                          const struct inventory_query *query, struct product_state *out,
                                          struct error *err) MUST_CHECK;
enum status inventory_store_find_record_and_wait(struct inventory_store *store, const char *product_id,
                                                 const char *key_hash, struct idempotency_record *out,
                                                 struct error *err) MUST_CHECK;
enum status inventory_store_commit_and_wait(struct inventory_store *store, struct product_state *state,
                                            int64_t deadline_ms, struct error *err) MUST_CHECK;

#endif
