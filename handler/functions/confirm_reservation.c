#include <inttypes.h>
#include <stdio.h>

#include "functions/api_answer.h"
#include "functions/change_run.h"
#include "functions/function_table.h"

/* Without the lease it is not known how many units are left in the reservation. */
static cJSON *make_body(const struct inventory_request *request) {
    bool is_confirmed = request->status == STATUS_OK;
    int64_t units = is_confirmed ? request->units : 0;
    char message[64] = "Another operation is in progress. Please retry.";
    if (is_confirmed) {
        snprintf(message, sizeof message, "Successfully confirmed %" PRId64 " units", units);
    }
    cJSON *body = cJSON_CreateObject();
    bool complete =
        cJSON_AddBoolToObject(body, "success", is_confirmed) != NULL &&
        cJSON_AddStringToObject(body, "productId", request->product_id) != NULL &&
        cJSON_AddStringToObject(body, "reservationId", request->reservation_id) != NULL &&
        json_add_int64(body, "confirmedQuantity", units) &&
        (is_confirmed ? json_add_int64(body, "remainingQuantity", request->remaining)
                      : cJSON_AddNullToObject(body, "remainingQuantity") != NULL) &&
        json_add_int64(body, "totalQuantity", request->total) &&
        json_add_int64(body, "availableQuantity", request->available) &&
        cJSON_AddStringToObject(body, "message", message) != NULL;
    return api_answer_body(body, complete);
}

static void start_confirm(struct function_run *run) {
    static const struct change_kind confirm = {
        .operation = &operation_confirm,
        .parts = CHANGE_MAY_HAVE_QUANTITY | CHANGE_MAY_HAVE_CUSTOMER |
                 CHANGE_ROUTE_NAMES_RESERVATION | CHANGE_MAY_HAVE_NO_BODY,
        .activity = "Confirming",
        .make_body = make_body};
    change_run_start(run, &confirm);
}

const struct function_handler confirm_reservation = {.start = start_confirm,
                                                     .run_bytes = sizeof(struct change_run)};
