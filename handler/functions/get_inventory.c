#include <string.h>

#include "functions/api_answer.h"
#include "functions/function_table.h"
#include "functions/inventory_view.h"
#include "functions/request_check.h"
#include "functions/request_query.h"
#include "inventory/inventory_service.h"

struct get_run {
    struct function_run base; /* first */
    enum snapshot_kind shown; /* what the answer is made of */
    struct entity_tag known;  /* If-None-Match: what the caller has already */
    char customer_id[CUSTOMER_ID_BYTES];
    struct inventory_snapshot snapshot;
    struct inventory_view view; /* filled by the read, where a list is shown */
};

static void get_end(struct get_run *run) {
    product_state_cleanup(&run->snapshot.state);
    inventory_view_cleanup(&run->view);
    function_run_end(&run->base);
}

static void show_sums(struct get_run *run) {
    struct inventory_snapshot *snapshot = &run->snapshot;
    inventory_view_write_sums(&snapshot->state, snapshot->now_ms, &run->base.response->body);
    api_answer_head(run->base.response, 200, snapshot->state.product.version);
    get_end(run);
}

static void show_list(struct get_run *run) {
    struct inventory_snapshot *snapshot = &run->snapshot;
    const struct product *product = &snapshot->state.product;
    enum status status =
        inventory_view_finish(&run->view, product, run->base.response, &snapshot->failure);
    if (status == STATUS_OK) {
        api_answer_head(run->base.response, 200, product->version);
    } else {
        api_answer_failure(run->base.response, status, "Reading", snapshot->product_id,
                           &snapshot->failure);
    }
    get_end(run);
}

/*
 * Returns true if the caller's answer is still the right one, by a snapshot of the sums. Once a
 * reservation has expired it is not, although the version is the same until a commit removes that
 * reservation.
 */
static bool is_known(const struct get_run *run) {
    return run->snapshot.kind == SNAPSHOT_SUMS &&
           entity_tag_names(&run->known, run->snapshot.state.product.version) &&
           inventory_snapshot_is_as_committed(&run->snapshot);
}

static void take_snapshot(struct get_run *run, enum snapshot_kind kind);

static void on_snapshot(struct inventory_snapshot *snapshot) {
    struct get_run *run = snapshot->context;
    if (snapshot->status != STATUS_OK) {
        api_answer_failure(run->base.response, snapshot->status, "Reading", snapshot->product_id,
                           &snapshot->failure);
        get_end(run);
    } else if (is_known(run)) {
        api_answer_head(run->base.response, 304, snapshot->state.product.version);
        get_end(run);
    } else if (snapshot->kind != run->shown) {
        product_state_cleanup(&snapshot->state);
        take_snapshot(run, run->shown);
    } else if (run->shown == SNAPSHOT_SUMS) {
        show_sums(run);
    } else {
        show_list(run);
    }
}

static void take_snapshot(struct get_run *run, enum snapshot_kind kind) {
    run->snapshot = (struct inventory_snapshot){
        .kind = kind,
        .product_id = function_request_param(&run->base.request, "productId"),
        .customer_id = run->customer_id,
        .correlation = &run->base.correlation,
        .visitor = kind == SNAPSHOT_SUMS ? NULL : &run->view.visitor,
        .done = on_snapshot,
        .context = run};
    inventory_service_take_snapshot(run->base.service, &run->snapshot);
}

/* Reads what is to be shown. Returns false if it refuses: 400 InvalidQuery. */
static bool check_query(struct get_run *run) {
    const char *query = run->base.request.query;
    char reservations[sizeof "none"];
    enum query_param list =
        request_query_get(query, "reservations", reservations, sizeof reservations);
    enum query_param customer =
        request_query_get(query, "customerId", run->customer_id, sizeof run->customer_id);
    if (list == QUERY_BAD || (list == QUERY_FOUND && strcmp(reservations, "none") != 0)) {
        api_answer_error(run->base.response, 400, "InvalidQuery",
                         "reservations must be none, or absent.");
        return false;
    }
    if (customer == QUERY_BAD ||
        (customer == QUERY_FOUND && !inventory_is_customer_id(run->customer_id))) {
        api_answer_error(run->base.response, 400, "InvalidQuery",
                         "customerId must be 1 to 128 characters without control characters, or "
                         "absent.");
        return false;
    }
    run->shown = list == QUERY_FOUND       ? SNAPSHOT_SUMS
                 : customer == QUERY_FOUND ? SNAPSHOT_CUSTOMER
                                           : SNAPSHOT_ALL;
    return true;
}

/* Whether the caller has the answer already is found out without reading all reservations. */
static void start_get(struct function_run *run) {
    struct get_run *own = (struct get_run *)run;
    if (!request_check_product_id(&run->request, run->response) || !check_query(own) ||
        !request_check_entity_tag(&run->request.if_none_match, "If-None-Match", &own->known,
                                  run->response)) {
        function_run_end(run);
        return;
    }
    inventory_view_init(&own->view, run, own->shown == SNAPSHOT_CUSTOMER ? own->customer_id : NULL);
    if (run->request.needs_answer) {
        own->known.kind = ENTITY_TAG_ABSENT;
    }
    bool is_comparing = own->known.kind != ENTITY_TAG_ABSENT;
    take_snapshot(own, is_comparing ? SNAPSHOT_SUMS : own->shown);
}

const struct function_handler get_inventory = {.start = start_get,
                                               .run_bytes = sizeof(struct get_run)};
