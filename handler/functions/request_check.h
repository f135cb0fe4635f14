/*
 * request_check.h - what a caller sent, checked before anything is done with it.
 *
 * Rules        One wrong thing is named, the first in the order of the checks: product id, content type, content encoding, size,
 *              JSON, quantity, customerId, reservationId, Idempotency-Key. The order is the same in every shape in which the host calls.
 *              A header that was sent twice is refused, on two lines as well as joined with a comma, which is how the host
 *              hands it on. Names in the body match in any case, as .NET's web defaults do.
 */
#ifndef FUNCTIONS_REQUEST_CHECK_H
#define FUNCTIONS_REQUEST_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http_message.h"
#include "base/uuid.h"
#include "functions/function.h"
#include "inventory/inventory.h"

enum { MAX_BODY_BYTES = 64 * 1024, IDEMPOTENCY_KEY_MAX_LENGTH = 128 };

/* What is asked to be reserved or released. */
struct change_request {
    int64_t quantity; /* 1 to INVENTORY_MAX_QUANTITY */
    char customer_id[CUSTOMER_ID_BYTES];
    char reservation_id[UUID_TEXT_BYTES]; /* in lower case; "" if none, or not asked for */
};

/* False: refused with 400 InvalidProductId. */
bool request_check_product_id(const struct function_request *request,
                              struct http_response *response);

/*
 * Reads a request to change a product; `with_reservation_id`: it may name a reservation. Other members are ignored.
 * False: refused, `out` undefined, with 400 InvalidProductId, 400 BadRequest (two content types), 415 UnsupportedMediaType,
 * 413 PayloadTooLarge, 400 InvalidJson, InvalidQuantity, InvalidCustomerId, InvalidReservationId or InvalidIdempotencyKey;
 * or 500 for want of memory.
 */
bool request_check_change(const struct function_request *request, bool with_reservation_id,
                          struct change_request *out, struct http_response *response);

/* Answers 413 PayloadTooLarge. */
void request_refuse_size(struct http_response *response);

#endif
