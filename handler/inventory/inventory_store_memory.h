/*
 * inventory_store_memory.h - products in this process's memory, for demonstrations: gone when it ends, unseen by other instances.
 *
 * It keeps the same promises as the table store (whole commits, on the version that was read), so that the rest of the program
 * cannot tell them apart.
 */
#ifndef INVENTORY_INVENTORY_STORE_MEMORY_H
#define INVENTORY_INVENTORY_STORE_MEMORY_H

#include "inventory/inventory_store.h"

struct stored_product {
    struct product_state state;
    void *records;         /* search.h's tree, by key_hash */
    int64_t announced_ms;  /* when somebody has last waited for its lease; 0: never */
    int64_t first_keep_ms; /* none of them is kept until less; INT64_MAX: there are none */
};

struct inventory_store_memory {
    struct inventory_store base;
    int64_t wall_offset_ms;           /* wall - now at start: its time does not jump */
    struct stored_product **products; /* by id */
    size_t product_count;
};

/* The platform is borrowed; its network is not used. */
void inventory_store_memory_init(struct inventory_store_memory *store,
                                 const struct platform *platform);
void inventory_store_memory_cleanup(struct inventory_store_memory *store);

#endif
