/*
 * request_check.h - checks a caller's request before anything is done with it.
 *
 * Rules   A refusal names the first thing that is wrong. The order of the checks is the same in
 *         every shape in which the host calls: product id, content type, content encoding, size,
 *         JSON, quantity, customerId, reservationId, Idempotency-Key.
 *         A header that was sent twice is refused, be it on two lines or joined with a comma, as
 *         the host hands it on. Names in the body match in any case, as .NET's web defaults do.
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

/* What a caller asks to reserve or release. */
struct change_request {
    int64_t quantity; /* 1 to INVENTORY_MAX_QUANTITY */
    char customer_id[CUSTOMER_ID_BYTES];
    char reservation_id[UUID_TEXT_BYTES]; /* in lower case; "" if none is named */
};

/* Checks the route's {productId}. Returns false if it refuses: 400 InvalidProductId. */
bool request_check_product_id(const struct function_request *request,
                              struct http_response *response);

/*
 * Reads a request to change a product. `with_reservation_id` means that the body may name a
 * reservation. Members of the body that are not known are ignored.
 * Returns false if it refuses; `out` is undefined then. It refuses with
 *     400 InvalidProductId, BadRequest (two content types), InvalidJson, InvalidQuantity,
 *         InvalidCustomerId, InvalidReservationId, InvalidIdempotencyKey
 *     413 PayloadTooLarge
 *     415 UnsupportedMediaType
 *     500 InternalError, without memory
 */
bool request_check_change(const struct function_request *request, bool with_reservation_id,
                          struct change_request *out, struct http_response *response);

/* Answers 413 PayloadTooLarge. */
void request_refuse_size(struct http_response *response);

#endif
