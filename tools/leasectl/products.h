/*
 * products.h - leasectl's commands for products.
 *
 * Rules        Units whose reservation has expired count as available, as for everybody who asks.
 * Threads: the main one.
 */
#ifndef LEASECTL_PRODUCTS_H
#define LEASECTL_PRODUCTS_H

#include "base/json.h"
#include "base/status.h"
#include "leasectl/output.h"
#include "wiring/services.h"

/*
 * Every product, by id: [{"productId","totalQuantity","availableQuantity","reservedQuantity","version"}, ...]. The caller's (cJSON_Delete).
 * Statuses of inventory_store_list_and_wait.
 */
enum status products_rows(struct services *services, cJSON **out, struct error *err) MUST_CHECK;

/*
 * The commands; each prints its result. Besides storage's statuses:
 * STATUS_NOT_FOUND            no such product
 * STATUS_ALREADY_EXISTS       add: it is there
 * STATUS_PRECONDITION_FAILED  set: more than that is reserved
 * STATUS_LEASE_CONFLICT       set: its turn did not come
 */
enum status products_list(struct services *services, const struct output *output,
                          struct error *err) MUST_CHECK;
enum status products_set(struct services *services, const struct output *output,
                         const char *product_id, int64_t total, struct error *err) MUST_CHECK;
enum status products_add(struct services *services, const struct output *output,
                         const char *product_id, int64_t total, struct error *err) MUST_CHECK;
enum status products_show(struct services *services, const struct output *output,
                          const char *product_id, struct error *err) MUST_CHECK;

#endif
