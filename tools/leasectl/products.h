/*
 * products.h - the commands of leasectl for products.
 *
 * Units of expired reservations count as available, as in every answer of the handler.
 */
#ifndef LEASECTL_PRODUCTS_H
#define LEASECTL_PRODUCTS_H

#include "base/json.h"
#include "base/status.h"
#include "leasectl/output.h"
#include "wiring/services.h"

/*
 * Reads every product, sorted by id, as
 * [{"productId","totalQuantity","availableQuantity","reservedQuantity","version"}, ...]. The caller
 * frees the list with cJSON_Delete. The statuses are those of inventory_store_list_and_wait.
 */
enum status products_rows(struct services *services, cJSON **out, struct error *err) MUST_CHECK;

/*
 * The commands. Each prints its result. Besides the statuses of storage they return
 *
 * STATUS_NOT_FOUND             there is no such product
 * STATUS_ALREADY_EXISTS        add: the product exists
 * STATUS_PRECONDITION_FAILED   set, adjust: more units are reserved than the new total has, or the
 *                              product has another version than the one that is expected
 * STATUS_LEASE_CONFLICT        set, adjust: others held the lease for all of AcquireTimeout
 */
enum status products_list(struct services *services, const struct output *output,
                          struct error *err) MUST_CHECK;
enum status products_set(struct services *services, const struct output *output,
                         const char *product_id, int64_t total, int64_t expected_version,
                         struct error *err) MUST_CHECK; /* 0: any version */
enum status products_adjust(struct services *services, const struct output *output,
                            const char *product_id, int64_t difference,
                            struct error *err) MUST_CHECK;
enum status products_add(struct services *services, const struct output *output,
                         const char *product_id, int64_t total, struct error *err) MUST_CHECK;
enum status products_show(struct services *services, const struct output *output,
                          const char *product_id, struct error *err) MUST_CHECK;

#endif
