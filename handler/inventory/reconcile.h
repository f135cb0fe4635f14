/*
 * reconcile.h - housekeeping: removes expired reservations and idempotency records, and the rows of
 * the expiry index that led to them. Nothing waits for it: units are available from the moment
 * their reservation expires (inventory.h).
 *
 * One handler at a time does it, under the job's lease (RECONCILIATION_LEASE_NAME). A round goes
 * through these states:
 *
 *     state       it waits for                              next state
 *     ENDED       reconcile_start                           PREPARING
 *     PREPARING   the store to be ready                     ACQUIRING
 *     ACQUIRING   the job's lease                           FINDING; if another handler has it:
 *                                                           ENDING
 *     FINDING     the list of products with expired rows    VISITING
 *     VISITING    all visits                                ENDING, and the lease is released
 *     ENDING      the loop's next round                     ENDED
 *
 * A failure leads to ENDING, and the lease is released.
 *
 * Visits    A visit removes the expired rows of one product, under the product's own lease. At most
 *           RECONCILE_VISITS are under way at a time. None begins without the job's lease.
 *           A product that is busy, or whose lease is lost, is left for the next round. Any other
 *           failure fails the round, but the other products are still visited. Only these end the
 *           round early, because no other product would fare better: STATUS_UNAVAILABLE,
 *           STATUS_CANCELLED, STATUS_CONTAINER_NOT_FOUND, and the loss of the job's lease.
 * Stopping  A round cannot be abandoned. It ends soon after the service, the lease manager and the
 *           storage client are cancelled.
 * Threads   The loop's.
 */
#ifndef INVENTORY_RECONCILE_H
#define INVENTORY_RECONCILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"
#include "inventory/inventory_service.h"

enum { RECONCILE_VISITS = 8 };

struct reconcile_result {
    bool processed; /* false: another handler has the job's lease */
    int products_reconciled;
    int reservations_released;
    int64_t duration_ms;
    char lease_id[UUID_TEXT_BYTES];
};

/*
 * `result` and `err` are borrowed. `result` is NULL unless STATUS_OK.
 * STATUS_LEASE_LOST   the job's lease was lost before the last visit; the earlier visits are done
 * and the statuses of inventory_service.h: the first one that failed the round.
 */
typedef void (*reconcile_done)(void *context, enum status status,
                               const struct reconcile_result *result, const struct error *err);

enum reconcile_state {
    RECONCILE_ENDED,
    RECONCILE_PREPARING,
    RECONCILE_ACQUIRING,
    RECONCILE_FINDING,
    RECONCILE_VISITING,
    RECONCILE_ENDING,
};

/*
 * One product: its expired reservations are removed, then its expired records and the index rows by
 * which it was found.
 */
struct reconcile_visit {
    struct reconciliation *round;
    const char *product_id;
    struct inventory_request request;
    int reservations_released;
    int records_deleted;
};

/* A round. Zeroed at first. Its owner keeps it until `done` is called. */
struct reconciliation {
    enum reconcile_state state;
    struct inventory_service *service;
    const struct correlation *correlation; /* current at the start; NULL: none */
    reconcile_done done;
    void *context;
    int64_t start_ms;
    struct reconcile_result result;
    struct error failure; /* the first that fails the round; STATUS_OK: none */
    struct preparation_waiter waiter;
    struct lease_acquire acquire;
    struct lease *job_lease; /* NULL: it has none */
    struct loop_task end_task;

    /* ---- FINDING, VISITING ---- */
    int64_t now_ms; /* storage's time of the search */
    struct product_ids products;
    size_t next_product; /* the index of the next to be visited */
    struct reconcile_visit visits[RECONCILE_VISITS];
    int visits_under_way;
    bool is_cut_short; /* no further visit begins */
};

/*
 * Starts a round. `done` is called once, never inside this call. It is the round's last act: `done`
 * may free the round, or start it again. The current correlation must stay valid until then.
 */
void reconcile_start(struct reconciliation *round, struct inventory_service *service,
                     reconcile_done done, void *context);

#endif
