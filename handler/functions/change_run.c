#include "functions/change_run.h"

#include "functions/api_answer.h"
#include "inventory/inventory_service.h"

static void on_decided(struct inventory_request *request) {
    const struct change_run *own = request->context;
    struct http_response *response = own->base.response;
    if (request->status == STATUS_LEASE_CONFLICT) {
        http_headers_add(&response->headers, "Retry-After", "1");
        api_answer_json(response, 409, own->kind->make_body(request), request->version);
    } else if (request->status == STATUS_OK) {
        int http_status = request->units > 0 ? 200 : own->kind->refused_http_status;
        api_answer_json(response, http_status, own->kind->make_body(request), request->version);
    } else {
        api_answer_failure(response, request->status, own->kind->activity, request->product_id,
                           &request->failure);
    }
    function_run_end(request->context);
}

void change_run_start(struct function_run *run, const struct change_kind *kind) {
    struct change_run *own = (struct change_run *)run;
    const struct change_request *change = &own->change;
    own->kind = kind;
    if (!request_check_change(&run->request, kind->may_name_reservation, &own->change,
                              run->response)) {
        function_run_end(run);
        return;
    }
    own->request = (struct inventory_request){
        .operation = kind->operation,
        .correlation = &run->correlation,
        .product_id = function_request_param(&run->request, "productId"),
        .customer_id = change->customer_id,
        .reservation_id = change->reservation_id[0] == '\0' ? NULL : change->reservation_id,
        .idempotency_key = run->request.idempotency_key.text,
        .quantity = change->quantity,
        .done = on_decided,
        .context = own};
    inventory_service_submit(run->service, &own->request);
}
