#include <stdio.h>

#include "base/timespan.h"
#include "functions/api_answer.h"
#include "functions/function.h"
#include "functions/invocation.h"
#include "inventory/reconcile.h"

static cJSON *make_return_value(const struct reconcile_result *result) {
    char duration[TIMESPAN_TEXT_BYTES];
    timespan_format(result->duration_ms, duration);
    cJSON *value = cJSON_CreateObject();
    bool complete = cJSON_AddBoolToObject(value, "wasProcessed", result->processed) != NULL &&
                    json_add_int64(value, "productsReconciled", result->products_reconciled) &&
                    json_add_int64(value, "expiredReservationsReleased", result->reservations_released) &&
                    cJSON_AddStringToObject(value, "duration", duration) != NULL &&
                    (result->processed ? cJSON_AddStringToObject(value, "leaseId", result->lease_id)
                                       : cJSON_AddNullToObject(value, "leaseId")) != NULL;
    return api_answer_body(value, complete);
}

static void run(struct inventory_service *service, struct http_response *response) {
    struct reconcile_result result = {0};
    struct error err = {0};
    enum status status = reconcile_run(service, &result, &err);
    if (status != STATUS_OK) {
        api_answer_failure_to_host(response, status, "Reconciling", &err);
        return;
    }
    char log[128] = "Another instance is reconciling";
    if (result.processed) {
        snprintf(log, sizeof log, "Reconciled %d products, released %d expired reservations",
                 result.products_reconciled, result.reservations_released);
    }
    invocation_wrap_return_value(make_return_value(&result), log, response);
}

const struct function reconcile_inventory_function = {.name = "ReconcileInventory", .run = run};
