/*
 * inventory_store_table.h - products in Azure Table storage: one partition per product, one transaction per commit.
 *
 * The rows are product_entity.h's. A reservation's id begins with its expiry (base/uuid.h), so the product and what has expired are one short range of keys,
 * "product" up to "r-<now>", however many reservations are active. What becomes of a commit whose answer is lost is
 * product_transaction.h's; how reconciliation finds what is due, expiry_index.h's.
 *
 * A commit is at most three steps, each whole or not there: a row of the index, a row of the index for records (either once in a
 * while), the transaction. Cut off behind any of them, it leaves the product as it was or as it will be, and at worst a row
 * of the index that costs one visit.
 */
#ifndef INVENTORY_INVENTORY_STORE_TABLE_H
#define INVENTORY_INVENTORY_STORE_TABLE_H

#include "inventory/expiry_index.h"
#include "inventory/inventory_store.h"
#include "storage/storage_request.h"

enum { TABLE_NAME_BYTES = 64 };

struct inventory_store_table {
    struct inventory_store base;
    struct storage_client *client;
    const char *table;
    char sender
        [UUID_TEXT_BYTES]; /* its first COMMIT_SENDER_LENGTH characters begin the id of each commit of this store */
    struct expiry_index due;
    bool has_seen_table; /* the table was there once */
    /*
     * Seeds that were created, or met, by a preparation that goes on or has failed: those before
     * number `seeds_ended`, and number seeds_ended + N where bit N of `seeds_ended_ahead` is set.
     */
    size_t seeds_ended;
    uint32_t seeds_ended_ahead;
};

/* Borrows both, which must outlive it. */
void inventory_store_table_init(struct inventory_store_table *store, struct storage_client *client,
                                const char *table);
void inventory_store_table_cleanup(struct inventory_store_table *store);

#endif
