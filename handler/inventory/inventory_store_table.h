/*
 * inventory_store_table.h - the store in Azure Table storage: one partition for each product, one
 * transaction for each commit.
 *
 * product_entity.h describes the rows. A reservation's id begins with its first expiry
 * (base/uuid.h). So a product and its expired reservations are one short range of keys, from
 * "product" to "r-<now>". Active reservations are outside that range, unless they were extended.
 *
 * A commit inserts the expiry rows that are missing, one after the other, and then sends the
 * transaction. Its reservations need a row for each minute in which they expire, its records one.
 * Most commits need the transaction only. Each step happens whole or not at all. If the handler
 * ends between two of them, the product is unchanged, and the expiry rows that are left cost
 * reconciliation one visit.
 *
 * The parts of this store
 *   table_setup           prepares the table; adds and lists products
 *   product_creation      creates one product
 *   table_read            reads a product as a snapshot
 *   product_transaction   sends a commit and finds out its true outcome
 *   expiry_index          finds what has expired
 *   row_deletion          deletes what is left of it
 *   product_entity        writes and reads rows
 */
#ifndef INVENTORY_INVENTORY_STORE_TABLE_H
#define INVENTORY_INVENTORY_STORE_TABLE_H

#include "inventory/expiry_index.h"
#include "inventory/inventory_store.h"
#include "storage/storage_client.h"

enum { TABLE_NAME_BYTES = 64 };

struct inventory_store_table {
    struct inventory_store base;
    struct storage_client *client;
    const char *table;
    /* The first COMMIT_SENDER_LENGTH characters begin the id of each commit of this handler. */
    char sender[UUID_TEXT_BYTES];
    struct expiry_index expiry_index;
    /* This handler has once seen the table. If the table disappears, it is not created again. */
    bool has_seen_table;
    /*
     * Progress of a preparation that is under way or has failed. Seeds before number `seeds_done`
     * need no more work. Neither does number seeds_done + N if bit N of `seeds_done_ahead` is set.
     */
    size_t seeds_done;
    uint32_t seeds_done_ahead;
};

/* Borrows `client` and `table`, which must outlive the store. */
void inventory_store_table_init(struct inventory_store_table *store, struct storage_client *client,
                                const char *table);
void inventory_store_table_cleanup(struct inventory_store_table *store);

#endif
