/*
 * reservations.h - the commands of leasectl for reservations.
 */
#ifndef LEASECTL_RESERVATIONS_H
#define LEASECTL_RESERVATIONS_H

#include "base/json.h"
#include "base/status.h"
#include "leasectl/output.h"
#include "wiring/services.h"

/* Prints reservations, each as GetInventory lists it. The statuses are those of output.h. */
enum status reservations_print(const struct output *output, const cJSON *rows,
                               struct error *err) MUST_CHECK;

/*
 * The commands. Each prints its result. A reservation's id is in lower case. A `quantity` of 0
 * means all of the reservation's units. Besides the statuses of storage they return
 *
 * STATUS_NOT_FOUND             there is no such product, or no such active reservation
 * STATUS_PRECONDITION_FAILED   the reservation has expired, or holds fewer units than `quantity`
 * STATUS_LEASE_CONFLICT        others held the lease for all of AcquireTimeout
 *
 * A confirm or release with the same quantity counts once in 24 hours, as in the HTTP API. The
 * result of a repeat is the first one, and a line on stderr says so.
 */

/* With a `customer_id` (NULL: any) only that customer's. */
enum status reservations_list(struct services *services, const struct output *output,
                              const char *product_id, const char *customer_id,
                              struct error *err) MUST_CHECK;
enum status reservations_confirm(struct services *services, const struct output *output,
                                 const char *product_id, const char *reservation_id,
                                 int64_t quantity, struct error *err) MUST_CHECK;
enum status reservations_release(struct services *services, const struct output *output,
                                 const char *product_id, const char *reservation_id,
                                 int64_t quantity, struct error *err) MUST_CHECK;

#endif
