#include "functions/api_answer.h"
#include "functions/function_table.h"
#include "functions/inventory_view.h"
#include "functions/request_check.h"
#include "inventory/inventory_service.h"

struct get_run {
    struct function_run base; /* first */
    struct inventory_snapshot snapshot;
    struct inventory_view view;
};

static void get_end(struct get_run *run) {
    product_state_cleanup(&run->snapshot.state);
    inventory_view_cleanup(&run->view);
    function_run_end(&run->base);
}

static void on_snapshot(struct inventory_snapshot *snapshot) {
    struct get_run *run = snapshot->context;
    struct http_response *response = run->base.response;
    const struct product *product = &snapshot->state.product;
    if (snapshot->status == STATUS_OK) {
        snapshot->status = inventory_view_finish(&run->view, product, response, &snapshot->failure);
    }
    if (snapshot->status == STATUS_OK) {
        api_answer_head(response, 200, product->version);
    } else {
        api_answer_failure(response, snapshot->status, "Reading", snapshot->product_id,
                           &snapshot->failure);
    }
    get_end(run);
}

static void start_get(struct function_run *run) {
    struct get_run *own = (struct get_run *)run;
    if (!request_check_product_id(&run->request, run->response)) {
        function_run_end(run);
        return;
    }
    inventory_view_init(&own->view, run);
    own->snapshot = (struct inventory_snapshot){
        .product_id = function_request_param(&run->request, "productId"),
        .correlation = &run->correlation,
        .visitor = &own->view.visitor,
        .done = on_snapshot,
        .context = own};
    inventory_service_take_snapshot(run->service, &own->snapshot);
}

const struct function_handler get_inventory = {.start = start_get,
                                               .run_bytes = sizeof(struct get_run)};
