/*
 * change.h - carries out an operator's change of a product, as a handler carries out a caller's:
 * under the product's lease, in one transaction.
 */
#ifndef LEASECTL_CHANGE_H
#define LEASECTL_CHANGE_H

#include "base/status.h"
#include "inventory/inventory_request.h"
#include "wiring/services.h"

/*
 * Carries out a request. Its statuses are those of inventory_service_submit; with STATUS_OK the
 * rules may still refuse it. The messages of these two are in an operator's words:
 *
 * STATUS_NOT_FOUND        there is no such product
 * STATUS_LEASE_CONFLICT   others held the lease for all of AcquireTimeout
 */
enum status change_run(struct services *services, struct inventory_request *request,
                       struct error *err) MUST_CHECK;

/* Gives STATUS_NOT_FOUND its message; other failures keep theirs. Returns `status`. */
enum status change_explain_not_found(enum status status, const char *product_id, struct error *err);

#endif
