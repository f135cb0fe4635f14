#include <stdio.h>

#include "base/correlation.h"
#include "base/timespan.h"
#include "functions/api_answer.h"
#include "functions/function_table.h"
#include "functions/invocation.h"
#include "inventory/reconcile.h"

struct reconcile_inventory_run {
    struct function_run base; /* first */
    struct reconciliation round;
};

static cJSON *make_return_value(const struct reconcile_result *result) {
    char duration[TIMESPAN_TEXT_BYTES];
    timespan_format(result->duration_ms, duration);
    cJSON *value = cJSON_CreateObject();
    bool complete =
        cJSON_AddBoolToObject(value, "wasProcessed", result->processed) != NULL &&
        json_add_int64(value, "productsReconciled", result->products_reconciled) &&
        json_add_int64(value, "expiredReservationsReleased", result->reservations_released) &&
        cJSON_AddStringToObject(value, "duration", duration) != NULL &&
        (result->processed ? cJSON_AddStringToObject(value, "leaseId", result->lease_id)
                           : cJSON_AddNullToObject(value, "leaseId")) != NULL;
    return api_answer_body(value, complete);
}

static void answer_success(struct http_response *response, const struct reconcile_result *result) {
    char log[128] = "Another instance is reconciling";
    if (result->processed) {
        snprintf(log, sizeof log, "Reconciled %d products, released %d expired reservations",
                 result->products_reconciled, result->reservations_released);
    }
    invocation_wrap_return_value(make_return_value(result), log, response);
}

static void on_reconciled(void *context, enum status status, const struct reconcile_result *result,
                          const struct error *err) {
    struct function_run *run = context;
    const struct correlation *before = correlation_use(&run->correlation);
    if (status == STATUS_OK) {
        answer_success(run->response, result);
    } else {
        api_answer_failure_to_host(run->response, status, "Reconciling", err);
    }
    correlation_use(before);
    function_run_end(run);
}

static void start_reconcile(struct function_run *run) {
    struct reconcile_inventory_run *own = (struct reconcile_inventory_run *)run;
    reconcile_start(&own->round, run->service, on_reconciled, run);
}

const struct function_handler reconcile_inventory = {
    .start = start_reconcile, .run_bytes = sizeof(struct reconcile_inventory_run)};
