/*
 * operation.h - the table of all operations on a product: one row for each.
 *
 * A row holds everything in which operations differ, so no other file asks which operation a
 * request is. To add an operation, add its row and the rule that decides it.
 *
 * A rule is pure: it changes the product in memory (inventory.h). The batch's commit writes the
 * changes.
 */
#ifndef INVENTORY_OPERATION_H
#define INVENTORY_OPERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "inventory/inventory_request.h"

/*
 * The lease of a change that takes but a moment: the shortest that Azure grants, as docs/leases.md
 * promises.
 */
enum { SHORT_OPERATION_LEASE_S = 15 };

struct batch;

/* The rows that an operation needs besides the product's own and those that have expired. */
enum operation_rows {
    ROWS_NONE,
    ROWS_OF_CUSTOMER, /* the customer's, or only the reservation that the request names */
    ROWS_SNAPSHOT,    /* snapshot_query's, read at one moment into the request's `snapshot` */
};

struct operation {
    /*
     * A part of the hash that is stored with an Idempotency-Key, and compared by later versions of
     * this program. It never changes, and no other operation may ever have it.
     */
    int stored_code;

    enum operation_rows rows;

    /*
     * A request that names its reservation and has no Idempotency-Key gets a key. It is made of
     * this word and all that the request asks for. NULL: it gets none. The word never changes,
     * because the key's hash is stored.
     */
    const char *automatic_key;

    /*
     * It gets that key only if it expects a version: then it can be carried out only once. Without
     * one, each request counts.
     */
    bool has_automatic_key_by_version;

    /* The duration of a lease that is acquired for it. 0: the default. */
    int lease_duration_s;

    /* It takes Inventory:ProcessingTime. */
    bool simulates_work;

    /* Its answer says what is available, also if the lease was not acquired in time. */
    bool shows_available;

    /* It may add or extend a reservation, for which the expiry index may need a new row. */
    bool can_grow_index;

    /* Its answer is about the cached product, which must then be the stored one (batch.h). */
    bool rests_on_product;

    /*
     * The rule. Decides the request on the batch's product, and returns its new stage. Returns the
     * stage unchanged if the request has to wait for the next batch. Then the commit has no room
     * for its rows (batch_has_room, batch_can_index), or it needs units of expired reservations
     * that cannot be removed yet (certain_ms).
     */
    enum request_stage (*decide)(struct batch *batch, struct inventory_request *request);

    /* Writes the log line of a success. NULL: there is none. */
    void (*log_success)(const char *product_id, const struct inventory_request *request);
};

extern const struct operation operation_reserve;
extern const struct operation operation_release;
extern const struct operation operation_expire;   /* removes every reservation that has expired */
extern const struct operation operation_snapshot; /* reads rows under the lease */
extern const struct operation operation_set_total;
extern const struct operation operation_confirm; /* a reservation becomes a sale */
extern const struct operation operation_extend;
extern const struct operation operation_adjust; /* the total changes by a difference */

#endif
