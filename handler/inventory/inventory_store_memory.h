/*
 * inventory_store_memory.h - a store in this handler's memory, for demonstrations. Its products are
 * gone when the handler ends, and other handlers do not see them.
 *
 * It keeps the same promises as the table store: a commit is whole, begins before its deadline, and
 * succeeds only on the version that was read. So the rest of the program cannot tell the two apart.
 */
#ifndef INVENTORY_INVENTORY_STORE_MEMORY_H
#define INVENTORY_INVENTORY_STORE_MEMORY_H

#include "inventory/inventory_store.h"

struct stored_product {
    struct product_state state;
    /* A tree of <search.h>, ordered by key_hash. */
    void *records;
    /* The earliest time at which a record expires. INT64_MAX: there is no record. */
    int64_t first_keep_ms;
    /* The last time at which somebody waited for the lease. 0: nobody has. */
    int64_t announced_ms;
};

struct inventory_store_memory {
    struct inventory_store base;
    /* Wall time minus the clock's time at the start. Clock plus this: wall time without jumps. */
    int64_t wall_offset_ms;
    /* Sorted by id. */
    struct stored_product **products;
    size_t product_count;
};

/* `platform` is borrowed. Its network is not used. */
void inventory_store_memory_init(struct inventory_store_memory *store,
                                 const struct platform *platform);
void inventory_store_memory_cleanup(struct inventory_store_memory *store);

#endif
