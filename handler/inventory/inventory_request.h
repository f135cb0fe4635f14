/*
 * inventory_request.h - one request for a product: what is wanted, how far it has come, its answer.
 *
 * Ownership   A request is its caller's until it is submitted (inventory_service.h), and again once `done` is called.
 * Threads: the loop's.
 */
#ifndef INVENTORY_INVENTORY_REQUEST_H
#define INVENTORY_INVENTORY_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/correlation.h"
#include "base/status.h"
#include "http/event_loop.h"
#include "http/loop_call.h"
#include "inventory/product_state.h"
#include "inventory/store_preparation.h"

struct operation;
struct product_pipeline;

/* How far a request has come in its batch. */
enum request_stage {
    REQUEST_QUEUED,       /* not decided; it waits for a batch, or for what its batch has to read */
    REQUEST_NEEDS_RECORD, /* it would be refused, unless its key was used before: that is not known yet */
    REQUEST_LOOKED_UP, /* its key was looked up; `record` is what was found, if anything */
    REQUEST_CONTINUES, /* a part of its work is done with this batch; the rest goes to the end of the queue */
    REQUEST_DECIDED, /* its answer is right once the batch is committed */
};

struct inventory_request {
    /* What is wanted. All borrowed. */
    const struct operation *operation;
    const struct correlation *correlation; /* of the invocation; NULL: none */
    const char *product_id;
    const char *customer_id;        /* reserve, release */
    const char *reservation_id;     /* release: that one; NULL: any of the customer's */
    const char *idempotency_key;    /* NULL: none */
    int64_t quantity;               /* units; set total: the new total */
    struct product_state *snapshot; /* snapshot: initialized; receives all rows */

    /* Called once, on the loop's thread. The request may be freed or submitted anew there. */
    void (*done)(struct inventory_request *request);
    void *context;

    /*
     * The answer. With another status than STATUS_OK all but `failure` is without meaning; only with
     * STATUS_LEASE_CONFLICT `available` and `version` are those that were read without the lease.
     */
    enum status status;                   /* inventory_service.h has the list */
    struct error failure;                 /* what it says for people */
    int64_t units;                        /* reserved or released; 0: refused by the rules */
    int64_t available;                    /* units, after this request */
    int64_t version;                      /* of the product that this answer speaks of */
    int64_t total;                        /* set total: as it is now, changed or not */
    struct reservation_terms reservation; /* reserve, with units > 0 */
    int64_t
        committed_units; /* over all batches that it took; expire: reservations removed. Also after a failure */
    int64_t expired_until_ms; /* expire: nothing is left that had expired by then */
    int renewal_count;        /* of the lease, while the batch was served */
    bool is_set;              /* set total: it was not refused */
    bool is_repeat;           /* its key was used before; this is the answer that was given then */

    /* The service's. */
    void (*served)(struct inventory_request
                       *request); /* called in place of `done` when the pipeline has finished */
    struct inventory_service *service;
    struct preparation_waiter waiter;
    struct loop_call call; /* of a thread that waits */
    struct loop_task task;

    /* The pipeline's. */
    TAILQ_ENTRY(inventory_request) link;
    enum request_stage stage;
    bool has_rows; /* the rows that it needs are in the cache, or its snapshot was taken */
    char key_hash[INVENTORY_HASH_BYTES]; /* "": a repeat is a request of its own */
    char request_hash[INVENTORY_HASH_BYTES];
    struct idempotency_record record; /* of its key; without key_hash: none was found */
    uint64_t sequence;                /* of its arrival at the product, in this handler */
    int64_t arrived_ms;               /* on the clock */
};

TAILQ_HEAD(inventory_requests, inventory_request);

#endif
