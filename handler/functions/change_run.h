/*
 * change_run.h - one run of a function that changes a product, from its start to its answer.
 *
 * A function's file says in a change_kind what differs for it, and starts the run with that. The
 * rest is the same for every change: the request is checked (request_check.h) and submitted to the
 * product's queue, and its outcome becomes an HTTP answer.
 *
 *     STATUS_OK              200; or, with 0 units, what follows from the refusal (below)
 *     STATUS_LEASE_CONFLICT  409 with Retry-After: 1; others held the product's lease
 *     any other              api_answer_failure
 *
 *     refusal                answer
 *     the function's own     its status, with its own body
 *     NO_RESERVATION         404 ReservationNotFound
 *     EXPIRED                409 ReservationExpired
 *     QUANTITY_TOO_LARGE     400 InvalidQuantity; InvalidDelta if no reservation is named
 *     OTHER_VERSION          412 PreconditionFailed
 *
 * All but the failures have the product's version as their ETag.
 */
#ifndef FUNCTIONS_CHANGE_RUN_H
#define FUNCTIONS_CHANGE_RUN_H

#include "base/json.h"
#include "functions/function.h"
#include "functions/request_check.h"
#include "inventory/operation.h"

/* What differs between the functions that change a product. */
struct change_kind {
    const struct operation *operation;
    unsigned parts; /* of its request: enum change_part */

    /* The refusal that it answers with its own body; REFUSAL_NONE: none. */
    enum refusal own_refusal;
    int refused_http_status;

    const char *activity; /* "Reserving": how the log line of a failure begins */

    /*
     * Makes the body of a success, of its own refusal (0 units), and of a conflict about the lease
     * (another status than STATUS_OK). Returns NULL without memory.
     */
    cJSON *(*make_body)(const struct inventory_request *request);
};

/* A handler's `run_bytes` is the size of this. */
struct change_run {
    struct function_run base; /* first */
    const struct change_kind *kind;
    struct change_request change;
    struct inventory_request request;
};

/* For a handler's `start`. `run` is a struct change_run. `kind` must outlive it. */
void change_run_start(struct function_run *run, const struct change_kind *kind);

#endif
