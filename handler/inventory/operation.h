/*
 * operation.h - the table of everything that can be done to a product: one row for each operation.
 *
 * Whatever differs between operations stands in the row, so no other file asks which operation a request is. To add
 * one: add its row, and the rule that decides it.
 *
 * Deciding is pure. It changes the product in memory (inventory.h), and the batch's commit writes the changes.
 */
#ifndef INVENTORY_OPERATION_H
#define INVENTORY_OPERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "inventory/inventory_request.h"

enum { RELEASE_LEASE_S = 15 };

struct batch;

/* What an operation reads beside the product and its expired rows. */
enum operation_rows { ROWS_NONE, ROWS_OF_CUSTOMER, ROWS_SNAPSHOT };

struct operation {
    /*
     * Stored: it is part of the hash of a request with an Idempotency-Key, which a later release compares.
     * It never changes, and is never given to another operation.
     */
    int stored_code;
    enum operation_rows rows;
    int lease_duration_s; /* of a lease that is acquired for it; 0: the default */
    bool simulates_work;  /* Inventory:ProcessingTime is for those that customers wait for */
    bool
        shows_available; /* a caller who did not get the lease is told what is available all the same */
    bool can_grow_index; /* it may add a reservation, which the expiry index has to know of */

    /* Whether its answer, once decided, is about the product as the cache has it; that must then be the stored one. */
    bool rests_on_product;

    /*
     * Decides a request on the batch's product, and returns how far the request has come. An unchanged stage means
     * that the transaction has no room left for it, so it waits for the next batch.
     */
    enum request_stage (*decide)(struct batch *batch, struct inventory_request *request);

    /* The log line of a success. NULL: none. */
    void (*log_success)(const char *product_id, const struct inventory_request *request);
};

extern const struct operation operation_reserve;
extern const struct operation operation_release;
extern const struct operation operation_expire;   /* removes every reservation that has expired */
extern const struct operation operation_snapshot; /* reads all rows while nothing changes them */
extern const struct operation operation_set_total;

#endif
