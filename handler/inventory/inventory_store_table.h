/*
 * inventory_store_table.h - products in Azure Table storage: one partition per product, one transaction per commit.
 *
 * The rows are product_entity.h's. A reservation's id begins with its expiry (base/uuid.h), so the product and what has expired are one short range of keys,
 * "product" up to "r-<now>", however many reservations are active. What becomes of a commit whose answer is lost is
 * product_transaction.h's; how reconciliation finds what is due, due_index.h's.
 *
 * A product is created only in a partition without rows: beside reservations of an earlier life it
 * would sell their units again. No transaction can check that a partition is empty, so it is
 * queried first. What slips in between the query and the insert (another instance creates the
 * product and sells, somebody deletes its row) is met by the check of rows at first use,
 * product_read.h's. The table is made only by who has never seen it: its stock is lost when it
 * disappears, and must not come back as if unsold.
 *
 * A commit is at most three steps, each whole or not there: a row of the index, a row of the index for records (either once in a
 * while), the transaction. Cut off behind any of them, it leaves the product as it was or as it will be, and at worst a row
 * of the index that costs one visit.
 *
 * Layer: inventory. May include lease/, storage/, base/.
 */
#ifndef INVENTORY_INVENTORY_STORE_TABLE_H
#define INVENTORY_INVENTORY_STORE_TABLE_H

#include "inventory/due_index.h"
#include "inventory/inventory_store.h"
#include "storage/storage_request.h"

enum { TABLE_NAME_BYTES = 64 };

struct inventory_store_table {
    struct inventory_store base;
    struct storage_client *client;
    const char *table;
    char sender
        [UUID_TEXT_BYTES]; /* its first COMMIT_SENDER_LENGTH characters begin the id of each commit of this store */
    struct due_index due;
    /* The preparing thread's. */
    bool is_seen;       /* the table was there once */
    size_t seeds_ended; /* seeds created, or met, by a prepare that failed later; the next one goes on behind them */
};

/* Borrows both, which must outlive it. */
void inventory_store_table_init(struct inventory_store_table *store, struct storage_client *client, const char *table);
void inventory_store_table_release(struct inventory_store_table *store);

/*
 * For operators: creates a product, and the table if need be. Only one of those who add the same product at once succeeds.
 * STATUS_ALREADY_EXISTS  it is there, and was not changed
 * STATUS_PRECONDITION_FAILED  other rows of it are there; nothing was changed, and `err` says what
 *                             to do
 * STATUS_UNAVAILABLE     nobody knows: it was added once or not at all
 */
enum status inventory_store_table_add(struct inventory_store_table *store, const struct seed_product *product,
                                      struct error *err) MUST_CHECK;

/* Takes a product as its row is, without its reservations. Any status but STATUS_OK ends the list with it. */
typedef enum status (*inventory_store_table_visitor)(void *context, const struct product *product, struct error *err);

/*
 * For operators: visits every product, by id. The table is read from end to end, so it costs in
 * proportion to all its rows. A product whose row cannot be read is logged as an error, and left
 * out.
 * STATUS_CONTAINER_NOT_FOUND  there is no table
 * STATUS_UNAVAILABLE, STATUS_CANCELLED
 */
enum status inventory_store_table_list(struct inventory_store_table *store, inventory_store_table_visitor visit,
                                       void *context, struct error *err) MUST_CHECK;

#endif
