/*
 * function.h - one function of the app: what the host calls it, how HTTP reaches it, what it does.
 *
 * Vocabulary   trigger     what makes the host call: HTTP, or a timer
 *              invocation  one such call
 * Threads: functions run on the server's workers, several at once.
 * Layer: functions. May include inventory/, lease/, storage/, base/.
 */
#ifndef FUNCTIONS_FUNCTION_H
#define FUNCTIONS_FUNCTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/http_message.h"
#include "inventory/inventory_service.h"

/* An HTTP-triggered invocation, the same in all shapes in which the host calls. All borrowed. */
struct function_request {
    const char *product_id; /* percent-decoded, not yet checked: any text */
    /* Headers, not yet checked. */
    struct http_header_value content_type;
    struct http_header_value content_encoding;
    struct http_header_value idempotency_key;
    const char *body; /* "" if none; may hold anything; a byte order mark is not part of it */
    size_t body_length;
    bool body_too_large; /* over the server's limit, and not here */
};

/* Either `serve` (HTTP) or `run` (timer) is set. Both fill in the response, always: with the error when it was one. */
struct function {
    const char *name;   /* "ReserveInventory" */
    const char *method; /* HTTP: "POST" */
    const char *action; /* HTTP: the route after inventory/{productId}, "reserve"; "" for none */
    void (*serve)(struct inventory_service *service, const struct function_request *request,
                  struct http_response *response);
    void (*run)(struct inventory_service *service, struct http_response *response);
};

extern const struct function reserve_inventory_function;   /* reserve_inventory.c */
extern const struct function release_inventory_function;   /* release_inventory.c */
extern const struct function get_inventory_function;       /* get_inventory.c */
extern const struct function reconcile_inventory_function; /* reconcile_inventory.c */

#endif
