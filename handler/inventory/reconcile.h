/*
 * reconcile.h - housekeeping: takes away the rows of reservations that have expired. Availability does not wait for it.
 *
 * One instance at a time does it, under a lease of its own (RECONCILIATION_LEASE_NAME).
 * Threads: any; blocks.
 * Layer: inventory. May include lease/, storage/, base/.
 */
#ifndef INVENTORY_RECONCILE_H
#define INVENTORY_RECONCILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"
#include "inventory/inventory_service.h"

struct reconcile_result {
    bool processed; /* false: another instance holds the job's lease */
    int products_reconciled;
    int reservations_released;
    int64_t duration_ms;
    char lease_id[UUID_TEXT_BYTES];
};

/*
 * Takes expired reservations' rows away, product by product, each with its own lease. A busy product, or one whose lease is lost,
 * is left for the next round.
 * STATUS_LEASE_LOST   the job's own lease was lost before the last product; what was done until then is done
 * and inventory_service.h's, of the first product that failed so.
 */
enum status reconcile_run(struct inventory_service *service, struct reconcile_result *out,
                          struct error *err) MUST_CHECK;

#endif
