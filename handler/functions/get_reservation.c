#include "functions/api_answer.h"
#include "functions/function_table.h"
#include "functions/request_check.h"
#include "functions/reservation_view.h"
#include "inventory/inventory_service.h"

struct reservation_run {
    struct function_run base; /* first */
    struct inventory_snapshot snapshot;
    char reservation_id[UUID_TEXT_BYTES];
};

static void answer(struct http_response *response, const struct inventory_snapshot *snapshot) {
    const struct reservation *row =
        reservation_list_find(&snapshot->state.reservations, snapshot->reservation_id);
    int64_t version = snapshot->state.product.version;
    if (row == NULL || row->expires_ms <= snapshot->now_ms) {
        api_answer_error_of(response, 404, version, "ReservationNotFound",
                            "There is no active reservation with this id.");
        return;
    }
    struct reservation_terms terms = inventory_terms(row);
    api_answer_json(response, 200,
                    reservation_view_new(snapshot->product_id, &terms, row->customer_id), version);
}

static void on_snapshot(struct inventory_snapshot *snapshot) {
    struct reservation_run *run = snapshot->context;
    if (snapshot->status == STATUS_OK) {
        answer(run->base.response, snapshot);
    } else {
        api_answer_failure(run->base.response, snapshot->status, "Reading", snapshot->product_id,
                           &snapshot->failure);
    }
    product_state_cleanup(&snapshot->state);
    function_run_end(&run->base);
}

static void start_get(struct function_run *run) {
    struct reservation_run *own = (struct reservation_run *)run;
    if (!request_check_product_id(&run->request, run->response) ||
        !request_check_route_reservation(&run->request, own->reservation_id, run->response)) {
        function_run_end(run);
        return;
    }
    own->snapshot = (struct inventory_snapshot){
        .kind = SNAPSHOT_RESERVATION,
        .product_id = function_request_param(&run->request, "productId"),
        .reservation_id = own->reservation_id,
        .correlation = &run->correlation,
        .done = on_snapshot,
        .context = own};
    inventory_service_take_snapshot(run->service, &own->snapshot);
}

const struct function_handler get_reservation = {.start = start_get,
                                                 .run_bytes = sizeof(struct reservation_run)};
