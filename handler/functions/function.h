/*
 * function.h - one function of the app: what the host calls it, how HTTP reaches it, what it does.
 *
 * Vocabulary   trigger     what makes the host call: HTTP, or a timer
 *              invocation  one such call
 *              run         a function's work for one invocation, from its start to its answer
 * Threads      The loop's.
 */
#ifndef FUNCTIONS_FUNCTION_H
#define FUNCTIONS_FUNCTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/correlation.h"
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

/*
 * One run of an asynchronous function, which fills in the response. It is the first member of the
 * function's own struct, which has `run_bytes` and is zeroed behind it. All of it stays until
 * function_run_end, also when the caller has gone.
 */
struct function_run {
    struct function_request request;
    struct inventory_service *service;
    struct http_response *response;
    /* Current during `start`. What goes on later makes it current while it runs. */
    struct correlation correlation;
};

/*
 * Ends a run, whose response is complete, be it a failure. Called once for each, in `start` or
 * later, on the loop's thread. The run is freed, and no correlation is current any more.
 */
void function_run_end(struct function_run *run);

/* A function for callers (HTTP) has a method and an action; a timer's has neither. `start` must not block. */
struct function {
    const char *name;   /* "ReserveInventory" */
    const char *method; /* HTTP: "POST"; NULL: it has no caller */
    const char *action; /* HTTP: the route after inventory/{productId}, "reserve"; "" for none */
    void (*start)(struct function_run *run);
    size_t run_bytes; /* of its struct */
};

extern const struct function reserve_inventory_function;   /* reserve_inventory.c */
extern const struct function release_inventory_function;   /* release_inventory.c */
extern const struct function get_inventory_function;       /* get_inventory.c */
extern const struct function reconcile_inventory_function; /* reconcile_inventory.c */

/* All functions of the app; the last is NULL. In dispatch.c. */
extern const struct function *const function_table[];

#endif
