/*
 * reconcile.h - housekeeping: takes away the rows of reservations that have expired. Availability
 * does not wait for it.
 *
 * One instance at a time does it, under a lease of its own (RECONCILIATION_LEASE_NAME). What it
 * does is called a round:
 *
 *     state       left by
 *     ENDED       start: PREPARING
 *     PREPARING   the store is ready: ACQUIRING
 *     ACQUIRING   the job's lease is in hand: FINDING. Another instance has it: ENDING
 *     FINDING     the products in which something is due are listed: VISITING
 *     VISITING    there is no product left, none is under way, and the lease was released: ENDING
 *     ENDING      the loop's next round: ENDED
 *
 * From PREPARING, ACQUIRING and FINDING a failure leads to ENDING, too, and the lease is released.
 *
 * Visits   At most RECONCILE_VISITS products are under way at a time, each with its own lease.
 *          Before each the job's lease must still be held.
 *          A busy product, or one whose lease is lost, is left for the next round.
 *          Any other failure fails the round, but not the other products. Only where these would
 *          fare no better no further one is begun: STATUS_UNAVAILABLE, STATUS_CANCELLED,
 *          STATUS_CONTAINER_NOT_FOUND, or the job's lease was lost.
 * Stopping A round cannot be abandoned. It ends soon when the service, the lease manager and the
 *          storage client are cancelled.
 * Threads  The loop's.
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
    bool processed; /* false: another instance holds the job's lease */
    int products_reconciled;
    int reservations_released;
    int64_t duration_ms;
    char lease_id[UUID_TEXT_BYTES];
};

/*
 * `result` is NULL unless STATUS_OK. Both are borrowed.
 * STATUS_LEASE_LOST   the job's own lease was lost before the last product; what was done until
 *                     then is done
 * and inventory_service.h's, of the first product that failed so.
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

/* One product on its way: its expired reservations are removed, then what made it be found. */
struct reconcile_visit {
    struct reconciliation *round;
    const char *product_id;
    struct inventory_request request;
    int released;
    int purged;
};

/* A round under way. Zeroed at first; its owner must keep it until `done`. */
struct reconciliation {
    enum reconcile_state state;
    struct inventory_service *service;
    const struct correlation *correlation; /* of whoever started it; NULL: none */
    reconcile_done done;
    void *context;
    int64_t start_ms;
    struct reconcile_result result;
    struct error failure; /* the first that counts; STATUS_OK: none */
    struct preparation_waiter waiter;
    struct lease_acquire acquire;
    struct lease *job_lease; /* NULL: not in hand */
    struct loop_task end;

    /* FINDING, VISITING */
    int64_t now_ms;
    struct product_ids products;
    size_t next; /* of them, that is to be visited */
    struct reconcile_visit visits[RECONCILE_VISITS];
    int visits_under_way;
    bool is_cut_short; /* no other product would fare better */
};

/*
 * Starts a round. `done` is called once, never inside this call, as the round's last act; its owner
 * may free it or start it again there. The current correlation must stay valid until then.
 */
void reconcile_start(struct reconciliation *round, struct inventory_service *service,
                     reconcile_done done, void *context);

#endif
