/*
 * bare_reserver.h - reservations written to a table by a bare client: the very rows that the
 * handler writes, with nothing around them. What storage itself can do, to compare the handler
 * with.
 *
 * Rules        Nobody else changes the product. What should not happen to a test (a failed request)
 *              fails it.
 * Threads: one.
 */
#ifndef SUPPORT_BARE_RESERVER_H
#define SUPPORT_BARE_RESERVER_H

#include <stdint.h>

#include "inventory/product_state.h"
#include "storage/storage_client.h"

struct bare_reserver {
    struct storage_client *client; /* borrowed, as is the table's name */
    const char *table;
    struct product_state state;
};

/* Creates the table where it is absent, and a product that nobody has heard of yet. */
void bare_reserver_open(struct bare_reserver *reserver, struct storage_client *client,
                        const char *table, const char *product_id);
void bare_reserver_close(struct bare_reserver *reserver);

/*
 * One transaction: the product's row merged, under its ETag, and `rows` (1 to 99) reservations of
 * one unit inserted.
 */
void bare_reserver_commit(struct bare_reserver *reserver, int rows);

#endif
