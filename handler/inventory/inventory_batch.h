/*
 * inventory_batch.h - requests to one product, served together in one turn: read once, decided in memory in order of
 * arrival, committed as one transaction.
 *
 * Vocabulary   included  decided in this turn, and answered if its commit goes through; the rest waits for the next
 *              more      than a transaction holds: an EXPIRE does a part of its work in each turn and steps back in between
 *                        (product_lane.h). A reserve or a new total that can be met once more rows that have expired are
 *                        away stays at the front until it is met; one that cannot be met is refused at once
 * Rules        Nothing is committed unless the lease is held with as much of it left as a commit may take.
 *              A product that another instance has changed since it was known is read again and decided anew; one that has
 *              changed although it was read under this very lease means that the lease was not ours: STATUS_LEASE_LOST.
 *              A refusal (not enough stock, nothing to release) is as true as a success: where no commit proves that the
 *              known product was the stored one, it is read again first.
 *              A request with a key that was carried out before is answered as it was then.
 * Threads: a request belongs to its caller but while it is in a lane (product_lane.h).
 * Layer: inventory. May include lease/, storage/, base/.
 */
#ifndef INVENTORY_INVENTORY_BATCH_H
#define INVENTORY_INVENTORY_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/correlation.h"
#include "base/status.h"
#include "inventory/inventory.h"
#include "inventory/inventory_store.h"
#include "inventory/product_lane.h"

/* EXPIRE takes away every reservation that has expired; READ takes a picture of all rows. */
enum inventory_operation {
    INVENTORY_RESERVE,
    INVENTORY_RELEASE,
    INVENTORY_EXPIRE,
    INVENTORY_READ,
    INVENTORY_SET_TOTAL
};

struct inventory_request {
    struct lane_entry entry; /* first */
    enum inventory_operation operation;
    const struct correlation *correlation; /* whose request it is; NULL: nobody's */
    const char *customer_id;               /* reserve, release */
    const char *reservation_id;            /* release: NULL, any of the customer's */
    int64_t quantity;                      /* set total: the new one */
    char key_hash[INVENTORY_HASH_BYTES];   /* "": a repeat is a request of its own */
    char request_hash[INVENTORY_HASH_BYTES];
    struct product_state *picture; /* read: initialized */

    /* The answer; means nothing but for STATUS_OK. */
    enum status status;   /* as in inventory_service.h; STATUS_KEY_REUSED */
    struct error failure; /* the same for people */
    int64_t units;        /* reserved, or released; 0: refused by the rules */
    int64_t available;
    int64_t version;
    int64_t total;                        /* set total: as it was left, */
    bool is_set;                          /* set, or refused by the rules */
    struct reservation_terms reservation; /* reserve, with units > 0 */
    int expired_count;                    /* expire: reservations taken away, */
    int64_t expired_until_ms;             /* and none is left that had expired by then */
    int renewal_count;                    /* of the lease while the batch was served */
    bool is_repeat;                       /* it was answered before */

    /* While it is served. */
    bool is_gathered; /* what it needs was read; if not, it waits for the next turn */
    bool is_included;
    enum status gathered; /* what it alone needs: STATUS_OK, or why that cannot be had */
    bool has_rows;        /* release: `known` has its rows; read: the picture is taken */
    bool is_looked_up;    /* its key was looked up for the product as it is known, and */
    bool needs_look_up;   /* it must be, before it can be refused */
    bool has_record;      /* this was found: */
    struct idempotency_record record;
};

struct inventory_batch_context {
    struct inventory_store *store;
    struct lease_manager *leases;
    const struct clock *clock;
    int64_t reservation_lifetime_ms;
    int64_t processing_time_ms; /* simulated work, once a turn */
};

/* A product_lane_serve whose context is a struct inventory_batch_context and whose entries are struct inventory_request. */
void inventory_batch_serve(void *context, struct product_turn *turn);

#endif
