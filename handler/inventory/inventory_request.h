/*
 * inventory_request.h - one request for a product: what is asked for, its stage, its answer.
 *
 * Ownership  A request is its caller's until it is submitted (inventory_service.h), and again once
 *            `done` is called.
 * Threads    The loop's.
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
#include "inventory/inventory.h"
#include "inventory/store_preparation.h"

struct operation;
struct product_pipeline;
struct inventory_query;

/*
 * How far a request has come in its batch:
 *
 *     QUEUED -> DECIDED                                 as a rule
 *     QUEUED -> NEEDS_RECORD -> LOOKED_UP -> DECIDED    its key has to be looked up: it would be
 *                                                       refused, or the commit has found a used key
 *                                                       in its batch
 *     NEEDS_RECORD -> DECIDED                           the record cannot be read
 *     QUEUED -> CONTINUES -> QUEUED                     work for more than one batch
 *     any but NEEDS_RECORD -> QUEUED                    the product was read again, or the request
 *                                                       was not decided in its batch. To LOOKED_UP
 *                                                       instead if a record was found
 */
enum request_stage {
    /* Not decided: it waits for a batch, or its batch has to read something first. */
    REQUEST_QUEUED,
    /* Its key may have been used before, and is looked up before the request is decided. */
    REQUEST_NEEDS_RECORD,
    /* Its key was looked up. `record` is the record that was found, if there is one. */
    REQUEST_LOOKED_UP,
    /* This batch does a part of its work. The rest waits at the end of the queue. */
    REQUEST_CONTINUES,
    /* It has an answer, which holds once the batch is committed. */
    REQUEST_DECIDED,
};

/* The fields stand by what they belong to, although that costs some padding. */
struct inventory_request { /* NOLINT(clang-analyzer-optin.performance.Padding) */
    /* ---- what is asked for. All borrowed ---- */
    const struct operation *operation;
    const struct correlation *correlation; /* the invocation's; NULL: none */
    const char *product_id;
    /* Reserve, release. Confirm, extend: the reservation must be this customer's; NULL: any. */
    const char *customer_id;
    /* Confirm, extend. Release: only this one; NULL: any of the customer's. In lower case. */
    const char *reservation_id;
    const char *idempotency_key; /* NULL: none */
    /* Units. Confirm: 0 is all. Set total: the new total. Adjust: the difference, not 0. */
    int64_t quantity;
    int64_t lifetime_ms;            /* reserve, extend; 0: the usual one */
    int64_t expected_version;       /* change only this version; 0: any; below 0: none is right */
    const char *reason;             /* adjust: for the log; NULL: none */
    struct product_state *snapshot; /* snapshot: initialized; receives the rows of the query */
    const struct inventory_query *snapshot_query; /* NULL: all rows */

    /* Called once, on the loop's thread. It may free the request, or submit it again. */
    void (*done)(struct inventory_request *request);
    void *context;

    /*
     * ---- the answer ----
     *
     * Unless `status` is STATUS_OK, only `failure` and committed_units have a meaning. There is one
     * exception. With STATUS_LEASE_CONFLICT, `available`, `total` and `version` were read without
     * the lease, if the operation shows them (shows_available in operation.h).
     */
    enum status status;   /* inventory_service.h lists them */
    struct error failure; /* the same in words */
    /*
     * Reserved, released or confirmed; adjust: by how many the stock has changed, up or down;
     * extend: in the reservation. 0: the rules refuse the request, and `refusal` says why. Expire:
     * reservations removed by its last batch. Set total and snapshot: always 0.
     */
    int64_t units;
    enum refusal refusal;
    int64_t available; /* units, after this request */
    int64_t version;   /* the version of the product that this answer is about */
    /*
     * The total after this request. Confirm: if units > 0. Adjust, set total: also if refused,
     * unless for OTHER_VERSION.
     */
    int64_t total;
    int64_t remaining; /* confirm, if units > 0: units that stay reserved */
    /* Reserve, confirm, extend, if units > 0. Confirm, QUANTITY_TOO_LARGE: what it holds. */
    struct reservation_terms reservation;
    char holder_id[CUSTOMER_ID_BYTES]; /* confirm, extend, if units > 0: the customer */
    int64_t committed_units;  /* in all its batches, also before a failure; expire: reservations */
    int64_t expired_until_ms; /* expire: no reservation is left that had expired by then */
    int renewal_count;        /* renewals of the lease during its batch */
    bool is_set;              /* set total: it was not refused */
    bool is_repeat;           /* its key was used before: this is the answer given then */

    /* ---- the service's ---- */
    /* The pipeline calls it when it has ended the request. The service then calls `done`. */
    void (*served)(struct inventory_request *request);
    struct inventory_service *service;
    struct preparation_waiter waiter;
    struct loop_call call; /* of a thread that waits */
    struct loop_task task;

    /* ---- the pipeline's ---- */
    TAILQ_ENTRY(inventory_request) link;
    enum request_stage stage;
    bool has_rows; /* the cache has its customer's rows, or its snapshot is filled */
    char key_hash[INVENTORY_HASH_BYTES]; /* "": no key, so a repeat is carried out */
    char request_hash[INVENTORY_HASH_BYTES];
    struct idempotency_record record; /* its key's; record.key_hash is "" if none was found */
    uint64_t sequence;  /* its place in the order in which the pipeline got requests */
    int64_t arrived_ms; /* on the clock; its deadline counts from here */
};

TAILQ_HEAD(inventory_requests, inventory_request);

#endif
