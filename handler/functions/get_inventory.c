#include "functions/api_answer.h"
#include "functions/function_table.h"
#include "functions/inventory_view.h"
#include "functions/request_check.h"
#include "inventory/inventory_service.h"

/* Reservations that are written before the loop does other work. */
enum { RESERVATIONS_PER_TASK = 250 };

struct get_run {
    struct function_run base; /* first */
    struct inventory_snapshot snapshot;
    struct inventory_view view;
    struct loop_task task;
};

static void get_end(struct get_run *run) {
    product_state_cleanup(&run->snapshot.state);
    function_run_end(&run->base);
}

/* Writes the next reservations, and posts itself until all are written. */
static void write_view(void *context) {
    struct get_run *run = context;
    struct http_response *response = run->base.response;
    bool is_complete = false;
    enum status status = inventory_view_write(&run->view, RESERVATIONS_PER_TASK, &is_complete);
    if (status == STATUS_OK && !is_complete) {
        event_loop_post(run->base.service->platform->loop, &run->task);
        return;
    }
    if (status == STATUS_OK) {
        api_answer_head(response, 200, run->snapshot.state.product.version);
    } else {
        correlation_use(&run->base.correlation);
        strbuf_clear(&response->body);
        api_answer_json(response, 200, NULL, 0);
    }
    get_end(run);
}

static void on_snapshot(struct inventory_snapshot *snapshot) {
    struct get_run *run = snapshot->context;
    if (snapshot->status == STATUS_OK) {
        run->task = (struct loop_task){.run = write_view, .context = run};
        inventory_view_begin(&run->view, &snapshot->state, snapshot->now_ms,
                             &run->base.response->body);
        write_view(run);
    } else {
        api_answer_failure(run->base.response, snapshot->status, "Reading", snapshot->product_id,
                           &snapshot->failure);
        get_end(run);
    }
}

static void start_get(struct function_run *run) {
    struct get_run *own = (struct get_run *)run;
    if (!request_check_product_id(&run->request, run->response)) {
        function_run_end(run);
        return;
    }
    own->snapshot = (struct inventory_snapshot){
        .product_id = function_request_param(&run->request, "productId"),
        .correlation = &run->correlation,
        .done = on_snapshot,
        .context = own};
    inventory_service_take_snapshot(run->service, &own->snapshot);
}

const struct function_handler get_inventory = {.start = start_get,
                                               .run_bytes = sizeof(struct get_run)};
