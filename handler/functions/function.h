/*
 * function.h - one function of the app, and one run of it.
 *
 * Vocabulary   trigger     what makes the host call a function: an HTTP request, or a timer
 *              caller      who sent the HTTP request; a timer's function has none
 *              invocation  one call of a function by the host
 *              run         a function's work for one invocation, from its start to its answer
 *
 * Which functions there are stands in function_table.h. Each has a file of its own, which defines
 * its handler. All of this happens on the loop's thread.
 */
#ifndef FUNCTIONS_FUNCTION_H
#define FUNCTIONS_FUNCTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/correlation.h"
#include "base/http_message.h"
#include "base/route_template.h"

struct inventory_service;

/* A caller's request, the same in all shapes in which the host calls. All borrowed. */
struct function_request {
    const char *route; /* the function's template */
    /* The route's parameters in its order, decoded and not yet checked: they may hold any text. */
    const char *params[ROUTE_MAX_PARAMS];

    /* Headers, not yet checked. */
    struct http_header_value content_type;
    struct http_header_value content_encoding;
    struct http_header_value idempotency_key;
    struct http_header_value if_match;
    struct http_header_value if_none_match;

    const char *query; /* as it was sent, without '?' */

    /* "" if there is none. Not yet checked; a leading byte order mark has been removed. */
    const char *body;
    size_t body_length;
    bool body_too_large; /* it exceeds the server's limit, and is not here */
    bool lacks_body;     /* the host has not handed on the one that was sent */
    bool needs_answer;   /* the host cannot hand on an answer without a body, such as a 304 */
};

/* Returns the value of the route's parameter {name}; "" if the host sent none. */
const char *function_request_param(const struct function_request *request, const char *name);

/*
 * One run, which fills in the response. It is the first member of the function's own struct. All
 * of it stays until function_run_end, also when the caller has gone.
 */
struct function_run {
    struct function_request request; /* all zero for a timer's function */
    struct inventory_service *service;
    struct http_response *response;
    const char *temp_folder; /* body_spool.h; may be NULL */
    bool is_invocation;      /* the response will be wrapped in the invocation's envelope */
    /* Current during `start`. Work that goes on later makes it current while it runs. */
    struct correlation correlation;
};

/*
 * Ends a run and frees it. Its response must be complete; a failure is a response, too. Called once
 * for each run, in `start` or later. Afterwards no correlation is current.
 */
void function_run_end(struct function_run *run);

/* What a function does. */
struct function_handler {
    /* Starts a run, and must not block. */
    void (*start)(struct function_run *run);
    size_t run_bytes; /* of the function's own struct, which is zeroed */
};

struct function {
    const char *name;   /* as in the host's path: "ReserveInventory" */
    const char *method; /* "POST"; NULL for a timer's function, which has no caller */
    const char *route;  /* the template without host.json's prefix; NULL for a timer's function */
    const struct function_handler *handler;
};

#endif
