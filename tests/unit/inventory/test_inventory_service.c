#include "inventory/inventory_service.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "http/loop_call.h"
#include "support/calls/prepare_wait.h"
#include "support/calls/reconcile_wait.h"
#include "support/fakes/function_app.h"
#include "support/processes/check_main.h"

enum { TIMEOUT_MS = 200, LIFETIME_MS = 30 * 60 * 1000 };

static struct function_app app;
static struct error err;
static struct inventory_request request; /* the last one, with its answer */
static struct reconcile_result reconciled;

static void set_up(void) {
    function_app_start(&app, TIMEOUT_MS);
}

static void tear_down(void) {
    function_app_stop(&app);
}

static enum status run(struct inventory_request wanted) {
    request = wanted;
    return inventory_service_run(&app.service, &request, &err);
}

static enum status reserve(const char *product, const char *customer, int64_t quantity) {
    return run((struct inventory_request){.operation = &operation_reserve,
                                          .product_id = product,
                                          .customer_id = customer,
                                          .quantity = quantity});
}

static enum status release_one(const char *product, const char *customer,
                               const char *reservation_id, int64_t quantity) {
    return run((struct inventory_request){.operation = &operation_release,
                                          .product_id = product,
                                          .customer_id = customer,
                                          .reservation_id = reservation_id,
                                          .quantity = quantity});
}

static enum status release(const char *product, const char *customer, int64_t quantity) {
    return release_one(product, customer, NULL, quantity);
}

static void get(const char *product, struct product_state *state, int64_t *now_ms) {
    product_state_init(state);
    ck_assert_msg(inventory_service_get(&app.service, product, state, now_ms, &err) == STATUS_OK,
                  "%s", err.message);
}

static void assert_product(const char *product, int64_t available, int64_t version, size_t rows) {
    struct product_state state;
    int64_t now_ms;
    get(product, &state, &now_ms);
    ck_assert_int_eq(inventory_available(&state, now_ms), available);
    ck_assert_int_eq(state.product.version, version);
    ck_assert_uint_eq(state.reservations.count, rows);
    product_state_cleanup(&state);
}

START_TEST(a_reservation_is_answered_as_it_is_stored) {
    ck_assert_int_eq(reserve("PROD-001", "C1", 30), STATUS_OK);
    ck_assert_int_eq(request.units, 30);
    ck_assert_int_eq(request.available, 70);
    ck_assert_int_eq(request.version, 2);
    ck_assert_int_eq(request.reservation.quantity, 30);
    ck_assert_int_eq(request.reservation.expires_ms - request.reservation.reserved_ms, LIFETIME_MS);
    assert_product("PROD-001", 70, 2, 1);
}
END_TEST

START_TEST(what_is_short_is_an_answer_and_changes_nothing) {
    ck_assert_int_eq(reserve("PROD-002", "C1", 51), STATUS_OK);
    ck_assert_int_eq(request.units, 0);
    ck_assert_int_eq(request.available, 50);
    ck_assert_int_eq(request.version, 1);
    assert_product("PROD-002", 50, 1, 0);
}
END_TEST

/* ---- two requests of different invocations, in one batch ---- */

struct named {
    struct inventory_request request; /* first */
    struct correlation correlation;
    char ended_as[INVOCATION_ID_BYTES]; /* the invocation that was current when it ended */
};

static struct {
    struct loop_call call;
    struct named requests[2];
    int left;
} batch;

static void note_end(struct inventory_request *ended) {
    struct named *named = (struct named *)ended;
    snprintf(named->ended_as, sizeof named->ended_as, "%s",
             correlation_current() == NULL ? "none" : correlation_current()->invocation_id);
    memset(&named->correlation, 'x', sizeof named->correlation); /* as if it were freed */
    if (--batch.left == 0) {
        loop_call_end(&batch.call);
    }
}

static void begin_batch(void *context) {
    (void)context;
    for (int i = 0; i < 2; i++) {
        struct named *named = &batch.requests[i];
        *named = (struct named){.request = {.operation = &operation_reserve,
                                            .correlation = &named->correlation,
                                            .product_id = "PROD-001",
                                            .customer_id = "C1",
                                            .quantity = 1,
                                            .done = note_end}};
        snprintf(named->correlation.invocation_id, sizeof named->correlation.invocation_id,
                 "invocation-%d", i);
        inventory_service_submit(&app.service, &named->request);
    }
}

static const enum status ends[] = {STATUS_OK, STATUS_UNAVAILABLE};

START_TEST(each_request_of_a_batch_ends_in_its_own_name) {
    ck_assert_int_eq(prepare_and_wait(&app.service, &err), STATUS_OK);
    app.store.next[STORE_COMMIT] = ends[_i];
    batch.left = 2;
    loop_call_run(&batch.call, app.service.platform->loop, begin_batch, NULL);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(batch.requests[i].request.status, ends[_i]);
        ck_assert_str_eq(batch.requests[i].ended_as, i == 0 ? "invocation-0" : "invocation-1");
    }
}
END_TEST

START_TEST(a_missing_container_of_leases_is_no_loss_of_the_store) {
    ck_assert_int_eq(prepare_and_wait(&app.service, &err), STATUS_OK);
    lease_store_fake_script(app.lease_service, FAKE_ACQUIRE, STATUS_CONTAINER_NOT_FOUND);
    ck_assert_int_eq(reserve("PROD-001", "C1", 1), STATUS_UNAVAILABLE);
    ck_assert_int_eq(reserve("PROD-001", "C1", 1), STATUS_OK);
}
END_TEST

START_TEST(an_unknown_product_gives_its_lease_back) {
    ck_assert_int_eq(reserve("NONE", "C1", 1), STATUS_NOT_FOUND);
    ck_assert_uint_eq(lease_store_fake_count(app.lease_service, FAKE_ACQUIRE), 1);
    function_app_await_release(&app, "inventory-NONE");
}
END_TEST

START_TEST(without_the_lease_a_caller_is_told_what_is_available_all_the_same) {
    lease_store_fake_set_holder(app.lease_service, "inventory-PROD-001", "somebody");
    ck_assert_int_eq(reserve("PROD-001", "C1", 1), STATUS_LEASE_CONFLICT);
    ck_assert_int_eq(request.available, 100);
    ck_assert_int_eq(request.version, 1);
    ck_assert_int_eq(release("PROD-001", "C1", 1), STATUS_LEASE_CONFLICT);
    ck_assert_int_eq(request.available, 100);
    ck_assert_int_eq(request.version, 1);
    assert_product("PROD-001", 100, 1, 0);
}
END_TEST

START_TEST(release_has_its_own_lease_duration) {
    ck_assert_int_eq(release("PROD-001", "C1", 1), STATUS_OK);
    ck_assert_int_eq(request.units, 0);
    ck_assert_int_eq(lease_store_fake_call(app.lease_service, FAKE_ACQUIRE, 0).duration_s,
                     SHORT_OPERATION_LEASE_S);
    ck_assert_int_eq(reserve("PROD-002", "C1", 1), STATUS_OK);
    ck_assert_int_eq(lease_store_fake_call(app.lease_service, FAKE_ACQUIRE, 1).duration_s,
                     app.lease_options.duration_s);
}
END_TEST

START_TEST(expired_units_are_for_sale_however_many_rows_they_stand_in) {
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(reserve("PROD-001", "C1", 1), STATUS_OK);
        ck_assert_int_eq(reserve("PROD-001", "C2", 1), STATUS_OK);
    }
    ck_assert_int_eq(reserve("PROD-001", "C3", 1), STATUS_OK);
    ck_assert_int_eq(request.units, 0);
    clock_fake_advance(&app.store_clock, LIFETIME_MS);
    ck_assert_int_eq(reserve("PROD-001", "C3", 101), STATUS_OK);
    ck_assert_int_eq(request.units, 0);
    ck_assert_int_eq(request.available, 100);
    ck_assert_int_eq(reserve("PROD-001", "C3", 100), STATUS_OK);
    ck_assert_int_eq(request.units, 100);
    ck_assert_int_eq(request.available, 0);
    struct product_state state;
    int64_t now_ms;
    get("PROD-001", &state, &now_ms);
    ck_assert_int_eq(inventory_reserved(&state, now_ms), 100);
    product_state_cleanup(&state);
}
END_TEST

START_TEST(release_takes_expired_rows_along) {
    ck_assert_int_eq(reserve("PROD-001", "OLD", 10), STATUS_OK);
    clock_fake_advance(&app.store_clock, LIFETIME_MS - 1);
    ck_assert_int_eq(reserve("PROD-001", "C1", 5), STATUS_OK);
    clock_fake_advance(&app.store_clock, 1);
    ck_assert_int_eq(release("PROD-001", "C1", 2), STATUS_OK);
    ck_assert_int_eq(request.units, 2);
    ck_assert_int_eq(request.available, 97);
    assert_product("PROD-001", 97, 4, 1);
}
END_TEST

START_TEST(a_product_that_moved_on_under_the_lease_means_that_it_was_lost) {
    app.store.next[STORE_COMMIT] = STATUS_PRECONDITION_FAILED;
    ck_assert_int_eq(reserve("PROD-001", "C1", 1), STATUS_LEASE_LOST);
    assert_product("PROD-001", 100, 1, 0);
}
END_TEST

START_TEST(a_product_that_does_not_stand_still_under_the_lease_means_that_it_was_lost) {
    app.store.next[STORE_READ] = STATUS_PRECONDITION_FAILED;
    ck_assert_int_eq(reserve("PROD-001", "C1", 1), STATUS_LEASE_LOST);
    assert_product("PROD-001", 100, 1, 0);
}
END_TEST

START_TEST(a_lease_lost_during_the_work_commits_nothing) {
    app.service.queues.shared.processing_time_ms = 60000;
    app.lease_options.renew_interval_ms = 60;
    lease_store_fake_script(app.lease_service, FAKE_RENEW, STATUS_LEASE_LOST);
    ck_assert_int_eq(reserve("PROD-001", "C1", 1), STATUS_LEASE_LOST);
    app.service.queues.shared.processing_time_ms = 0;
    assert_product("PROD-001", 100, 1, 0);
}
END_TEST

/* A read that ends in a way of the test's own. One at a time. */
static struct {
    struct product_state *out;
    inventory_store_done done;
    void *context;
    struct loop_timer timer;
} own_read;

static void start_own_read(const char *product_id, const struct inventory_query *query,
                           struct product_state *out, inventory_store_done done, void *context,
                           inventory_store_done own_done) {
    struct inventory_store *memory = &app.store.memory.base;
    own_read.out = out;
    own_read.done = done;
    own_read.context = context;
    memory->ops->read(memory, product_id, query, out, own_done, NULL);
}

/* A commit may take 5 s. Nothing is renewed but for a commit. */
static void let_a_lease_be_safe_for_s(double seconds) {
    app.lease_options.auto_renew = false;
    app.lease_options.safety_threshold = seconds / app.lease_options.duration_s;
}

static void end_read(void *unused) {
    (void)unused;
    own_read.done(own_read.context, STATUS_OK, &(struct error){.status = STATUS_OK});
}

static void end_too_late(void *unused, enum status status, const struct error *failure) {
    (void)unused, (void)failure;
    ck_assert_int_eq(status, STATUS_OK);
    own_read.timer = (struct loop_timer){.fired = end_read};
    event_loop_set_timer(app.service.platform->loop, &own_read.timer,
                         clock_now_ms(clock_system()) + 600);
}

/* A read that takes longer than the lease is good for. */
static void read_too_long(struct inventory_store *store, const char *product_id,
                          const struct inventory_query *query, struct product_state *out,
                          inventory_store_done done, void *context) {
    (void)store;
    start_own_read(product_id, query, out, done, context, end_too_late);
}

START_TEST(no_commit_starts_on_a_lease_that_is_not_held_any_more) {
    const struct inventory_store_ops *own = app.store.base.ops;
    struct inventory_store_ops ops = *own;
    ops.read = read_too_long;
    app.store.base.ops = &ops;
    let_a_lease_be_safe_for_s(0.5);
    ck_assert_int_eq(reserve("PROD-001", "C1", 1), STATUS_LEASE_LOST);
    app.store.base.ops = own;
    assert_product("PROD-001", 100, 1, 0);
}
END_TEST

START_TEST(with_less_of_the_lease_left_than_a_commit_may_take_it_is_renewed_first) {
    let_a_lease_be_safe_for_s(5.2);
    app.service.queues.shared.processing_time_ms = 300;
    ck_assert_int_eq(reserve("PROD-001", "C1", 1), STATUS_OK);
    ck_assert_uint_eq(lease_store_fake_count(app.lease_service, FAKE_RENEW), 1);
    app.service.queues.shared.processing_time_ms = 0;
    ck_assert_int_eq(reserve("PROD-002", "C1", 1), STATUS_OK);
    ck_assert_uint_eq(lease_store_fake_count(app.lease_service, FAKE_RENEW), 1);
}
END_TEST

START_TEST(no_commit_starts_when_the_lease_cannot_be_renewed_for_it) {
    let_a_lease_be_safe_for_s(5.2);
    app.lease_options.renew_max_retries = 0;
    app.service.queues.shared.processing_time_ms = 300;
    lease_store_fake_script(app.lease_service, FAKE_RENEW, STATUS_UNAVAILABLE);
    ck_assert_int_eq(reserve("PROD-001", "C1", 1), STATUS_LEASE_LOST);
    assert_product("PROD-001", 100, 1, 0);
}
END_TEST

static void end_slowly(void *unused, enum status status, const struct error *failure) {
    (void)unused;
    clock_fake_advance(&app.store_clock, 5000);
    own_read.done(own_read.context, status, failure);
}

/* A read behind which time goes on. */
static void read_slowly(struct inventory_store *store, const char *product_id,
                        const struct inventory_query *query, struct product_state *out,
                        inventory_store_done done, void *context) {
    (void)store;
    start_own_read(product_id, query, out, done, context, end_slowly);
}

START_TEST(what_expires_between_read_and_decision_is_for_sale) {
    ck_assert_int_eq(reserve("PROD-001", "C1", 100), STATUS_OK);
    clock_fake_advance(&app.store_clock, LIFETIME_MS - 5000);
    struct inventory_store_ops ops = *app.store.base.ops;
    const struct inventory_store_ops *own = app.store.base.ops;
    ops.read = read_slowly;
    app.store.base.ops = &ops;
    ck_assert_int_eq(reserve("PROD-001", "C2", 100), STATUS_OK);
    app.store.base.ops = own;
    ck_assert_int_eq(request.units, 100);
}
END_TEST

static void *reserve_in_background(void *status) {
    *(enum status *)status = reserve("PROD-001", "C1", 1);
    return NULL;
}

START_TEST(stopping_ends_the_work_and_commits_nothing) {
    enum status status = STATUS_OK;
    pthread_t thread;
    app.service.queues.shared.processing_time_ms = 60000;
    ck_assert_int_eq(pthread_create(&thread, NULL, reserve_in_background, &status), 0);
    lease_store_fake_wait(app.lease_service, FAKE_ACQUIRE, 1);
    inventory_service_cancel(&app.service);
    lease_manager_cancel_waits(app.leases);
    pthread_join(thread, NULL);
    ck_assert_int_eq(status, STATUS_CANCELLED);
    assert_product("PROD-001", 100, 1, 0);
}
END_TEST

/* A commit that takes so long that the next batch is worth a wait. */
static struct {
    struct product_state *state;
    int64_t deadline_ms;
    inventory_store_done done;
    void *context;
    struct loop_timer timer;
} own_commit;

static void begin_commit(void *unused) {
    struct inventory_store *memory = &app.store.memory.base;
    (void)unused;
    memory->ops->commit(memory, own_commit.state, own_commit.deadline_ms, own_commit.done,
                        own_commit.context);
}

static void commit_slowly(struct inventory_store *store, struct product_state *state,
                          int64_t deadline_ms, inventory_store_done done, void *context) {
    (void)store;
    own_commit.state = state;
    own_commit.deadline_ms = deadline_ms;
    own_commit.done = done;
    own_commit.context = context;
    own_commit.timer = (struct loop_timer){.fired = begin_commit};
    event_loop_set_timer(app.service.platform->loop, &own_commit.timer,
                         clock_now_ms(clock_system()) + 200);
}

START_TEST(stopping_does_not_wait_for_callers_to_come_back) {
    const struct inventory_store_ops *own = app.store.base.ops;
    struct inventory_store_ops ops = *own;
    ops.commit = commit_slowly;
    app.store.base.ops = &ops;
    ck_assert_int_eq(reserve("PROD-001", "C1", 1), STATUS_OK);
    inventory_service_cancel(&app.service);
    app.store.base.ops = own;
    ck_assert_int_eq(app.service.queues.idle_count, 1);
}
END_TEST

START_TEST(a_store_that_cannot_be_prepared_is_tried_again_by_the_next) {
    app.store.next[STORE_PREPARE] = STATUS_UNAVAILABLE;
    atomic_store(&app.service.preparation.is_ready, false);
    ck_assert_int_eq(reserve("PROD-001", "C1", 1), STATUS_UNAVAILABLE);
    ck_assert_int_eq(reserve("PROD-001", "C1", 1), STATUS_OK);
}
END_TEST

static enum status get_any(void) {
    struct product_state state;
    int64_t now_ms;
    product_state_init(&state);
    enum status status = inventory_service_get(&app.service, "PROD-001", &state, &now_ms, &err);
    product_state_cleanup(&state);
    return status;
}

static void assert_lost(enum status status) {
    ck_assert_int_eq(status, STATUS_CONTAINER_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.message, "the stock has disappeared"));
}

/*
 * By whichever request it is noticed; nothing makes the store again, and nothing is sold from it
 * should it come back.
 */
START_TEST(a_store_that_disappears_is_not_prepared_again) {
    static const enum store_operation_kind noticed_by[] = {STORE_READ, STORE_COMMIT, STORE_FIND_DUE,
                                                           STORE_FINISH_DUE, STORE_PREPARE};
    enum store_operation_kind operation = noticed_by[_i];
    if (operation == STORE_PREPARE) {
        atomic_store(&app.service.preparation.is_ready,
                     false); /* it disappears while this instance starts */
    } else {
        ck_assert_int_eq(reserve("PROD-001", "C1", 1), STATUS_OK);
        clock_fake_advance(&app.store_clock, LIFETIME_MS);
    }
    app.store.next[operation] = STATUS_CONTAINER_NOT_FOUND;
    bool in_reconciliation = operation == STORE_FIND_DUE || operation == STORE_FINISH_DUE;
    assert_lost(in_reconciliation ? reconcile_and_wait(&app.service, &reconciled, &err)
                                  : reserve("PROD-002", "C1", 1));
    app.store.next[STORE_PREPARE] = STATUS_INTERNAL; /* not asked for */
    assert_lost(reserve("PROD-001", "C1", 1));
    assert_lost(release("PROD-001", "C1", 1));
    assert_lost(get_any());
    assert_lost(reconcile_and_wait(&app.service, &reconciled, &err));
}
END_TEST

/* A store whose first reads show the product's row of a commit without its other rows. */
static int torn_reads;

static void end_torn(void *unused, enum status status, const struct error *failure) {
    (void)unused;
    if (status == STATUS_OK && torn_reads-- > 0) {
        own_read.out->product.available--;
    }
    own_read.done(own_read.context, status, failure);
}

static void read_torn(struct inventory_store *store, const char *product_id,
                      const struct inventory_query *query, struct product_state *out,
                      inventory_store_done done, void *context) {
    (void)store;
    start_own_read(product_id, query, out, done, context, end_torn);
}

START_TEST(a_picture_that_does_not_add_up_is_taken_again) {
    struct inventory_store_ops ops = *app.store.base.ops;
    ops.read = read_torn;
    app.store.base.ops = &ops;
    torn_reads = 2;
    assert_product("PROD-001", 100, 1, 0);
    torn_reads = 1000;
    ck_assert_int_eq(get_any(), STATUS_MALFORMED);
}
END_TEST

static enum status reconcile(void) {
    function_app_await_release(&app, RECONCILIATION_LEASE_NAME);
    return reconcile_and_wait(&app.service, &reconciled, &err);
}

START_TEST(reconciliation_takes_away_what_has_expired_and_only_that) {
    ck_assert_int_eq(reserve("PROD-001", "C1", 1), STATUS_OK);
    clock_fake_advance(&app.store_clock, LIFETIME_MS - 1);
    ck_assert_int_eq(reserve("PROD-001", "C2", 2), STATUS_OK);
    ck_assert_int_eq(reconcile(), STATUS_OK);
    ck_assert_int_eq(reconciled.reservations_released, 0);
    ck_assert_int_eq(reconciled.products_reconciled, 0);
    clock_fake_advance(&app.store_clock, 1);
    ck_assert_int_eq(reconcile(), STATUS_OK);
    ck_assert(reconciled.processed);
    ck_assert_int_eq(reconciled.reservations_released, 1);
    ck_assert_int_eq(reconciled.products_reconciled, 1);
    assert_product("PROD-001", 98, 4, 1);
}
END_TEST

START_TEST(reconciliation_needs_several_transactions_for_many_rows) {
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(reserve("PROD-001", "C1", 1), STATUS_OK);
    }
    clock_fake_advance(&app.store_clock, LIFETIME_MS);
    ck_assert_int_eq(reconcile(), STATUS_OK);
    ck_assert_int_eq(reconciled.reservations_released, 100);
    assert_product("PROD-001", 100, 103, 0);
}
END_TEST

START_TEST(a_busy_product_is_left_for_the_next_round) {
    ck_assert_int_eq(reserve("PROD-001", "C1", 1), STATUS_OK);
    ck_assert_int_eq(reserve("PROD-002", "C1", 1), STATUS_OK);
    function_app_await_release(&app, "inventory-PROD-001");
    function_app_await_release(&app, "inventory-PROD-002");
    clock_fake_advance(&app.store_clock, LIFETIME_MS);
    lease_store_fake_set_holder(app.lease_service, "inventory-PROD-001", "somebody");
    ck_assert_int_eq(reconcile(), STATUS_OK);
    ck_assert_int_eq(reconciled.reservations_released, 1);
    ck_assert_int_eq(reconciled.products_reconciled, 1);
    assert_product("PROD-001", 100, 2, 1);
    assert_product("PROD-002", 50, 3, 0);
}
END_TEST

START_TEST(a_product_that_cannot_be_reconciled_fails_the_round_but_not_the_others) {
    ck_assert_int_eq(reserve("PROD-001", "C1", 1), STATUS_OK);
    ck_assert_int_eq(reserve("PROD-002", "C1", 1), STATUS_OK);
    clock_fake_advance(&app.store_clock, LIFETIME_MS);
    app.store.next[STORE_COMMIT] = STATUS_MALFORMED; /* one of them, whichever comes first */
    ck_assert_int_eq(reconcile(), STATUS_MALFORMED);
    ck_assert_int_eq(reconcile(), STATUS_OK);
    ck_assert_int_eq(reconciled.products_reconciled, 1);
    ck_assert_int_eq(reconciled.reservations_released, 1);
    assert_product("PROD-001", 100, 3, 0);
    assert_product("PROD-002", 50, 3, 0);
}
END_TEST

START_TEST(reconciliation_elsewhere_leaves_nothing_to_do_here) {
    lease_store_fake_set_holder(app.lease_service, RECONCILIATION_LEASE_NAME, "somebody");
    ck_assert_int_eq(reconcile_and_wait(&app.service, &reconciled, &err), STATUS_OK);
    ck_assert(!reconciled.processed);
    ck_assert_str_eq(reconciled.lease_id, "");
}
END_TEST

START_TEST(reconciliation_that_fails_says_so_and_gives_its_lease_back) {
    app.store.next[STORE_FIND_DUE] = STATUS_UNAVAILABLE;
    ck_assert_int_eq(reconcile(), STATUS_UNAVAILABLE);
    lease_store_fake_wait(app.lease_service, FAKE_RELEASE, 1);
    ck_assert_int_eq(lease_store_fake_call(app.lease_service, FAKE_ACQUIRE, 0).duration_s,
                     RECONCILIATION_LEASE_S);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("inventory_service");
    TCase *service = tcase_create("service");
    tcase_add_checked_fixture(service, set_up, tear_down);
    tcase_add_test(service, a_reservation_is_answered_as_it_is_stored);
    tcase_add_test(service, what_is_short_is_an_answer_and_changes_nothing);
    tcase_add_loop_test(service, each_request_of_a_batch_ends_in_its_own_name, 0, 2);
    tcase_add_test(service, a_missing_container_of_leases_is_no_loss_of_the_store);
    tcase_add_test(service, an_unknown_product_gives_its_lease_back);
    tcase_add_test(service, without_the_lease_a_caller_is_told_what_is_available_all_the_same);
    tcase_add_test(service, release_has_its_own_lease_duration);
    tcase_add_test(service, expired_units_are_for_sale_however_many_rows_they_stand_in);
    tcase_add_test(service, release_takes_expired_rows_along);
    tcase_add_test(service, a_product_that_moved_on_under_the_lease_means_that_it_was_lost);
    tcase_add_test(service,
                   a_product_that_does_not_stand_still_under_the_lease_means_that_it_was_lost);
    tcase_add_test(service, a_lease_lost_during_the_work_commits_nothing);
    tcase_add_test(service, no_commit_starts_on_a_lease_that_is_not_held_any_more);
    tcase_add_test(service, with_less_of_the_lease_left_than_a_commit_may_take_it_is_renewed_first);
    tcase_add_test(service, no_commit_starts_when_the_lease_cannot_be_renewed_for_it);
    tcase_add_test(service, what_expires_between_read_and_decision_is_for_sale);
    tcase_add_test(service, stopping_ends_the_work_and_commits_nothing);
    tcase_add_test(service, stopping_does_not_wait_for_callers_to_come_back);
    tcase_add_test(service, a_store_that_cannot_be_prepared_is_tried_again_by_the_next);
    tcase_add_loop_test(service, a_store_that_disappears_is_not_prepared_again, 0, 5);
    tcase_add_test(service, a_picture_that_does_not_add_up_is_taken_again);
    tcase_add_test(service, reconciliation_takes_away_what_has_expired_and_only_that);
    tcase_add_test(service, reconciliation_needs_several_transactions_for_many_rows);
    tcase_add_test(service, a_busy_product_is_left_for_the_next_round);
    tcase_add_test(service, a_product_that_cannot_be_reconciled_fails_the_round_but_not_the_others);
    tcase_add_test(service, reconciliation_elsewhere_leaves_nothing_to_do_here);
    tcase_add_test(service, reconciliation_that_fails_says_so_and_gives_its_lease_back);
    suite_add_tcase(suite, service);
    return check_main(suite);
}
