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

/* Takes expired reservations' rows away, product by product, each with its own lease. A busy product is left for the next round. */
enum status reconcile_run(struct inventory_service *service, struct reconcile_result *out,
                          struct error *err) MUST_CHECK;

#endif
