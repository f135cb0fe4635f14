#include "functions/api_answer.h"
#include "functions/change_run.h"
#include "functions/function_table.h"
#include "functions/reservation_view.h"

static cJSON *make_body(const struct inventory_request *request) {
    if (request->status == STATUS_OK) {
        return reservation_view_new(request->product_id, &request->reservation, request->holder_id);
    }
    cJSON *body = cJSON_CreateObject();
    bool complete =
        cJSON_AddBoolToObject(body, "success", false) != NULL &&
        cJSON_AddStringToObject(body, "productId", request->product_id) != NULL &&
        cJSON_AddStringToObject(body, "reservationId", request->reservation_id) != NULL &&
        cJSON_AddStringToObject(body, "message",
                                "Another operation is in progress. Please retry.") != NULL;
    return api_answer_body(body, complete);
}

static void start_extend(struct function_run *run) {
    static const struct change_kind extend = {
        .operation = &operation_extend,
        .parts = CHANGE_MAY_HAVE_LIFETIME | CHANGE_MAY_HAVE_CUSTOMER |
                 CHANGE_ROUTE_NAMES_RESERVATION | CHANGE_MAY_HAVE_NO_BODY,
        .activity = "Extending",
        .make_body = make_body};
    change_run_start(run, &extend);
}

const struct function_handler extend_reservation = {.start = start_extend,
                                                    .run_bytes = sizeof(struct change_run)};
