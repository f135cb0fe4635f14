/*
 * inventory_store_memory.h - products in this process's memory, for demonstrations: gone when it ends, unseen by other instances.
 *
 * It keeps the same promises as the table store (whole commits, on the version that was read), so that the rest of the program
 * cannot tell them apart.
 *
 * Layer: inventory. May include lease/, storage/, base/.
 */
#ifndef INVENTORY_INVENTORY_STORE_MEMORY_H
#define INVENTORY_INVENTORY_STORE_MEMORY_H

#include <pthread.h>

#include "base/clock.h"
#include "inventory/inventory_store.h"

struct inventory_store_memory {
    struct inventory_store base;
    pthread_mutex_t lock;
    const struct clock *clock;
    int64_t wall_offset_ms;          /* wall - now at start: its time does not jump */
    struct product_state **products; /* by id */
    size_t product_count;
    struct memory_record *records; /* in the order in which they were made */
    size_t record_count;
    size_t record_capacity;
};

/* `clock` is borrowed. STATUS_INTERNAL. */
enum status inventory_store_memory_init(struct inventory_store_memory *store, const struct clock *clock) MUST_CHECK;
void inventory_store_memory_release(struct inventory_store_memory *store);

#endif
