/*
 * product_entity.h - products and reservations as the entities of a table, written and read. Pure.
 *
 * Rows of partition PRODUCT-ID, in key order:
 *   product            total, available, version (Edm.Int64), commitId (Edm.String)
 *   r-RESERVATION-ID   customerId (Edm.String), quantity (Edm.Int64), reservedAt, expiresAt (Edm.DateTime)
 * Threads: any.
 * Layer: inventory. May include lease/, storage/, base/.
 */
#ifndef INVENTORY_PRODUCT_ENTITY_H
#define INVENTORY_PRODUCT_ENTITY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "inventory/product_state.h"

#define PRODUCT_ROW "product"
#define RESERVATION_ROW_PREFIX "r-"
#define AFTER_RESERVATION_ROWS "r." /* '.' follows '-' */

enum { PRODUCT_ENTITY_KEY_BYTES = sizeof RESERVATION_ROW_PREFIX - 1 + UUID_TEXT_BYTES };

/* A reservation's RowKey. */
void product_entity_row_key(const struct reservation *row, char out[PRODUCT_ENTITY_KEY_BYTES]);

/* The complete entity with its keys, the caller's (cJSON_Delete); NULL for want of memory. */
cJSON *product_entity_of_product(const struct product *product);
cJSON *product_entity_of_reservation(const char *product_id, const struct reservation *row);

/* Reads an entity that a query or point read has answered with; `token` receives its ETag. False: it is not as written above. */
bool product_entity_read_product(const cJSON *entity, struct product *product, char token[INVENTORY_TOKEN_BYTES]);

/* The same for a reservation, whose RowKey is known to begin with the prefix. */
bool product_entity_read_reservation(const cJSON *entity, const char *row_key, struct reservation *row);

/* Copies a string property. False: there is none, or it does not fit; `out` untouched. */
bool product_entity_copy_text(const cJSON *entity, const char *property, char *out, size_t out_bytes);

#endif
