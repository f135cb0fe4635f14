#include "functions/api_answer.h"
#include "functions/function.h"
#include "functions/inventory_view.h"
#include "functions/request_check.h"

/* Reservations that are written in one round of the loop: it has other work as well. */
enum { RESERVATIONS_A_ROUND = 250 };

struct get_run {
    struct function_run base;
    struct inventory_snapshot snapshot;
    struct inventory_view picture;
    struct loop_task task;
};

static void end(struct get_run *run) {
    product_state_cleanup(&run->snapshot.state);
    function_run_end(&run->base);
}

static void write_picture(void *context) {
    struct get_run *run = context;
    struct http_response *response = run->base.response;
    bool is_complete = false;
    enum status status = inventory_view_write(&run->picture, RESERVATIONS_A_ROUND, &is_complete);
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
    end(run);
}

static void answer(struct inventory_snapshot *snapshot) {
    struct get_run *run = snapshot->context;
    if (snapshot->status == STATUS_OK) {
        run->task = (struct loop_task){.run = write_picture, .context = run};
        inventory_view_begin(&run->picture, &snapshot->state, snapshot->now_ms,
                             &run->base.response->body);
        write_picture(run);
    } else {
        api_answer_failure(run->base.response, snapshot->status, "Reading", snapshot->product_id,
                           &snapshot->failure);
        end(run);
    }
}

static void start(struct function_run *run) {
    struct get_run *own = (struct get_run *)run;
    if (!request_check_product_id(&run->request, run->response)) {
        function_run_end(run);
        return;
    }
    own->snapshot = (struct inventory_snapshot){.product_id = run->request.product_id,
                                                .correlation = &run->correlation,
                                                .done = answer,
                                                .context = own};
    inventory_service_take_snapshot(run->service, &own->snapshot);
}

const struct function get_inventory_function = {.name = "GetInventory",
                                                .method = "GET",
                                                .action = "",
                                                .start = start,
                                                .run_bytes = sizeof(struct get_run)};
