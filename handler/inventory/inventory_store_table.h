/*
 * inventory_store_table.h - products in Azure Table storage: one partition per product, one transaction per commit.
 *
 * The rows are product_entity.h's. A reservation's id begins with its expiry (base/uuid.h), so the product and what has expired are one short range of keys,
 * "product" up to "r-<now>", however many reservations are active.
 *
 * Layer: inventory. May include lease/, storage/, base/.
 */
#ifndef INVENTORY_INVENTORY_STORE_TABLE_H
#define INVENTORY_INVENTORY_STORE_TABLE_H

#include "inventory/inventory_store.h"
#include "storage/storage_request.h"

enum { TABLE_NAME_BYTES = 64 };

struct inventory_store_table {
    struct inventory_store base;
    struct storage_client *client;
    const char *table;
};

/* Borrows both, which must outlive it. Needs no release. */
void inventory_store_table_init(struct inventory_store_table *store, struct storage_client *client, const char *table);

#endif
