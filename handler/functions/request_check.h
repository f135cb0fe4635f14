/*
 * request_check.h - checks a caller's request before anything is done with it.
 *
 * Rules   A refusal names the first thing that is wrong. The order of the checks is the same in
 *         every shape in which the host calls: product id, content type, content encoding, size,
 *         JSON, quantity, customerId, reservationId, lifetimeSeconds, delta, reason,
 *         Idempotency-Key, If-Match. A reservation id in the route comes after the product id.
 *         A header that was sent twice is refused, be it on two lines or joined with a comma, as
 *         the host hands it on. Names in the body match in any case, as .NET's web defaults do.
 */
#ifndef FUNCTIONS_REQUEST_CHECK_H
#define FUNCTIONS_REQUEST_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http_message.h"
#include "base/uuid.h"
#include "functions/entity_tag.h"
#include "functions/function.h"
#include "inventory/inventory.h"

enum { MAX_BODY_BYTES = 64 * 1024, IDEMPOTENCY_KEY_MAX_LENGTH = 128 };

enum { REASON_MAX_CHARACTERS = 256, REASON_BYTES = 4 * REASON_MAX_CHARACTERS + 1 };

/* What a caller asks to change. */
struct change_request {
    int64_t quantity;                     /* 1 to INVENTORY_MAX_QUANTITY; 0: none is given */
    char customer_id[CUSTOMER_ID_BYTES];  /* "" if none is given */
    char reservation_id[UUID_TEXT_BYTES]; /* in lower case; "" if none is named */
    int64_t lifetime_ms;                  /* 0: none is given */
    int64_t delta;                        /* not 0 */
    char reason[REASON_BYTES];            /* "" if none is given */
    int64_t expected_version;             /* of the product, by If-Match (inventory_request.h) */
};

/* What a request to change a product may consist of. Unknown members of the body are ignored. */
enum change_part {
    CHANGE_QUANTITY = 1 << 0,
    CHANGE_CUSTOMER = 1 << 1,
    CHANGE_MAY_HAVE_QUANTITY = 1 << 2,
    CHANGE_MAY_HAVE_CUSTOMER = 1 << 3,
    CHANGE_MAY_HAVE_RESERVATION = 1 << 4,
    CHANGE_MAY_HAVE_LIFETIME = 1 << 5,
    CHANGE_DELTA = 1 << 6, /* and perhaps a reason */
    CHANGE_ROUTE_NAMES_RESERVATION = 1 << 7,
    CHANGE_MAY_HAVE_NO_BODY = 1 << 8,
};

/* Checks the route's {productId}. Returns false if it refuses: 400 InvalidProductId. */
bool request_check_product_id(const struct function_request *request,
                              struct http_response *response);

/*
 * Checks the route's {reservationId}, and copies it in lower case. Returns false if it refuses: 400
 * InvalidReservationId.
 */
bool request_check_route_reservation(const struct function_request *request,
                                     char out[UUID_TEXT_BYTES], struct http_response *response);

/*
 * Reads a request to change a product. `parts` are those of enum change_part. A lifetime may be up
 * to `max_lifetime_ms`.
 * Returns false if it refuses; `out` is undefined then. It refuses with
 *     400 InvalidProductId, BadRequest (two content types; If-Match), InvalidJson, InvalidQuantity,
 *         InvalidCustomerId, InvalidReservationId, InvalidLifetime, InvalidDelta, InvalidReason,
 *         InvalidIdempotencyKey
 *     413 PayloadTooLarge
 *     415 UnsupportedMediaType
 *     500 InternalError, without memory
 */
bool request_check_change(const struct function_request *request, unsigned parts,
                          int64_t max_lifetime_ms, struct change_request *out,
                          struct http_response *response);

/* Reads If-Match or If-None-Match (entity_tag.h). Returns false if it refuses: 400 BadRequest. */
bool request_check_entity_tag(const struct http_header_value *header, const char *name,
                              struct entity_tag *out, struct http_response *response);

/* Answers 413 PayloadTooLarge. */
void request_refuse_size(struct http_response *response);

#endif
