#include <inttypes.h>
#include <stdio.h>

#include "functions/api_answer.h"
#include "functions/change_run.h"
#include "functions/function_table.h"

static cJSON *make_body(const struct inventory_request *request) {
    bool had_lease = request->status == STATUS_OK;
    bool is_adjusted = had_lease && request->units > 0;
    char message[80] = "Another operation is in progress. Please retry.";
    if (is_adjusted) {
        snprintf(message, sizeof message, "Successfully adjusted the total by %+" PRId64 " units",
                 request->quantity);
    } else if (had_lease) {
        snprintf(message, sizeof message, "Insufficient inventory. Available: %" PRId64,
                 request->available);
    }
    cJSON *body = cJSON_CreateObject();
    bool complete = cJSON_AddBoolToObject(body, "success", is_adjusted) != NULL &&
                    cJSON_AddStringToObject(body, "productId", request->product_id) != NULL &&
                    json_add_int64(body, "totalQuantity", request->total) &&
                    json_add_int64(body, "availableQuantity", request->available) &&
                    cJSON_AddStringToObject(body, "message", message) != NULL;
    return api_answer_body(body, complete);
}

/* Its body may not be missing: the host sends a request without one again. */
static void start_adjust(struct function_run *run) {
    static const struct change_kind adjust = {.operation = &operation_adjust,
                                              .parts = CHANGE_DELTA,
                                              .own_refusal = REFUSAL_NOT_ENOUGH,
                                              .refused_http_status = 409,
                                              .activity = "Adjusting",
                                              .make_body = make_body};
    change_run_start(run, &adjust);
}

const struct function_handler adjust_inventory = {.start = start_adjust,
                                                  .run_bytes = sizeof(struct change_run)};
