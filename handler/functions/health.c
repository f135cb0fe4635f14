#include "functions/api_answer.h"
#include "functions/function_table.h"
#include "inventory/inventory_service.h"

struct health_run {
    struct function_run base; /* first */
    struct health_waiter waiter;
};

/* Says no more than that: anybody may ask. */
static void on_checked(void *context, bool is_healthy) {
    struct function_run *run = context;
    cJSON *body = cJSON_CreateObject();
    bool complete =
        cJSON_AddStringToObject(body, "status", is_healthy ? "healthy" : "unhealthy") != NULL;
    if (!is_healthy) {
        http_headers_addf(&run->response->headers, "Retry-After", "%d",
                          SERVICE_HEALTH_KEEP_MS / 1000);
    }
    api_answer_json(run->response, is_healthy ? 200 : 503, api_answer_body(body, complete), 0);
    function_run_end(run);
}

static void start_health(struct function_run *run) {
    struct health_run *own = (struct health_run *)run;
    own->waiter = (struct health_waiter){.done = on_checked, .context = run};
    service_health_check(&run->service->health, &own->waiter);
}

const struct function_handler health = {.start = start_health,
                                        .run_bytes = sizeof(struct health_run)};
