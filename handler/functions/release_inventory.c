#include <inttypes.h>
#include <stdio.h>

#include "functions/api_answer.h"
#include "functions/change_run.h"
#include "functions/function_table.h"

static cJSON *make_body(const struct inventory_request *request) {
    int64_t units = request->status == STATUS_OK ? request->units : 0;
    char message[64] = "No active reservations found for this customer";
    if (units > 0) {
        snprintf(message, sizeof message, "Successfully released %" PRId64 " units", units);
    } else if (request->status != STATUS_OK) {
        snprintf(message, sizeof message, "Could not acquire lease. Please retry.");
    }
    cJSON *body = cJSON_CreateObject();
    bool complete = cJSON_AddBoolToObject(body, "success", units > 0) != NULL &&
                    cJSON_AddStringToObject(body, "productId", request->product_id) != NULL &&
                    json_add_int64(body, "releasedQuantity", units) &&
                    json_add_int64(body, "newAvailableQuantity", request->available) &&
                    cJSON_AddStringToObject(body, "message", message) != NULL;
    return api_answer_body(body, complete);
}

static void start_release(struct function_run *run) {
    static const struct change_kind release = {.operation = &operation_release,
                                               .parts = CHANGE_QUANTITY | CHANGE_CUSTOMER |
                                                        CHANGE_MAY_HAVE_RESERVATION,
                                               .own_refusal = REFUSAL_NO_RESERVATION,
                                               .refused_http_status = 404,
                                               .activity = "Releasing",
                                               .make_body = make_body};
    change_run_start(run, &release);
}

const struct function_handler release_inventory = {.start = start_release,
                                                   .run_bytes = sizeof(struct change_run)};
