/*
 * inventory_picture.h - a product as GetInventory shows it: its quantities and its active reservations, by expiry.
 *
 * Threads: any.
 * Layer: functions. May include inventory/, lease/, storage/, base/.
 */
#ifndef FUNCTIONS_INVENTORY_PICTURE_H
#define FUNCTIONS_INVENTORY_PICTURE_H

#include <stdint.h>

#include "base/json.h"
#include "inventory/product_state.h"

/* Of a state with all rows, at `now_ms` on storage's clock. The caller's (cJSON_Delete); NULL: no memory. */
cJSON *inventory_picture_json(const struct product_state *state, int64_t now_ms);

#endif
