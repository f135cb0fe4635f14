#include "functions/change_run.h"

#include <inttypes.h>

#include "functions/api_answer.h"
#include "inventory/inventory_service.h"

static void answer_too_large(struct http_response *response,
                             const struct inventory_request *request) {
    if (request->reservation_id != NULL) {
        api_answer_error_of(response, 400, request->version, "InvalidQuantity",
                            "The reservation holds %" PRId64 " units.",
                            request->reservation.quantity);
    } else {
        api_answer_error_of(response, 400, request->version, "InvalidDelta",
                            "The total can be at most %" PRId64 ".", INVENTORY_MAX_TOTAL);
    }
}

static void answer_refusal(const struct change_kind *kind, struct http_response *response,
                           const struct inventory_request *request) {
    static const struct {
        int http_status;
        const char *code, *message;
    } answers[] = {
        [REFUSAL_NO_RESERVATION] = {404, "ReservationNotFound",
                                    "There is no active reservation with this id."},
        [REFUSAL_EXPIRED] = {409, "ReservationExpired",
                             "The reservation has expired, or was released or confirmed before."},
        [REFUSAL_OTHER_VERSION] = {412, "PreconditionFailed",
                                   "The product's version is not the one in If-Match."},
    };
    if (request->refusal == kind->own_refusal) {
        api_answer_json(response, kind->refused_http_status, kind->make_body(request),
                        request->version);
    } else if (request->refusal == REFUSAL_QUANTITY_TOO_LARGE) {
        answer_too_large(response, request);
    } else {
        api_answer_error_of(response, answers[request->refusal].http_status, request->version,
                            answers[request->refusal].code, "%s",
                            answers[request->refusal].message);
    }
}

static void on_decided(struct inventory_request *request) {
    const struct change_run *own = request->context;
    struct http_response *response = own->base.response;
    if (request->status == STATUS_LEASE_CONFLICT) {
        http_headers_add(&response->headers, "Retry-After", "1");
        api_answer_json(response, 409, own->kind->make_body(request), request->version);
    } else if (request->status != STATUS_OK) {
        api_answer_failure(response, request->status, own->kind->activity, request->product_id,
                           &request->failure);
    } else if (request->units > 0) {
        api_answer_json(response, 200, own->kind->make_body(request), request->version);
    } else {
        answer_refusal(own->kind, response, request);
    }
    function_run_end(request->context);
}

static const char *or_null(const char *text) {
    return text[0] == '\0' ? NULL : text;
}

void change_run_start(struct function_run *run, const struct change_kind *kind) {
    struct change_run *own = (struct change_run *)run;
    const struct change_request *change = &own->change;
    own->kind = kind;
    if (!request_check_change(&run->request, kind->parts, run->service->max_reservation_lifetime_ms,
                              &own->change, run->response)) {
        function_run_end(run);
        return;
    }
    own->request = (struct inventory_request){
        .operation = kind->operation,
        .correlation = &run->correlation,
        .product_id = function_request_param(&run->request, "productId"),
        .customer_id = or_null(change->customer_id),
        .reservation_id = or_null(change->reservation_id),
        .idempotency_key = run->request.idempotency_key.text,
        .quantity = (kind->parts & CHANGE_DELTA) != 0 ? change->delta : change->quantity,
        .lifetime_ms = change->lifetime_ms,
        .expected_version = change->expected_version,
        .reason = or_null(change->reason),
        .done = on_decided,
        .context = own};
    inventory_service_submit(run->service, &own->request);
}
