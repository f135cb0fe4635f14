/*
 * test_inventory_service_names.c - in whose name the service asks the store, and in whose name each
 * request ends: its own, whatever the loop did just before. In virtual time.
 *
 * The store of these tests ends each read in a stranger's name, and whoever has ended is freed with
 * its correlation.
 */
#include "inventory/inventory_service.h"

#include <stdio.h>
#include <string.h>

#include "support/fakes/pipeline_fixture.h"
#include "support/processes/check_main.h"

enum { CALLERS = 2, READS = 8 };

static struct inventory_service service;

/* ---- the store ---- */

static const struct inventory_store_ops *scripted;
static struct inventory_store_ops ops;
static char read_for[READS][INVOCATION_ID_BYTES]; /* in whose name each read was asked for */
static int read_count;

static void name_current(char out[INVOCATION_ID_BYTES]) {
    const struct correlation *current = correlation_current();
    snprintf(out, INVOCATION_ID_BYTES, "%s", current == NULL ? "nobody" : current->invocation_id);
}

/* The scripted store ends a read in the name that it is started in. */
static void read_as_stranger(struct inventory_store *store, const char *product_id,
                             const struct inventory_query *query, struct product_state *out,
                             inventory_store_done done, void *context) {
    static const struct correlation stranger = {.invocation_id = "stranger"};
    ck_assert_int_lt(read_count, READS);
    name_current(read_for[read_count++]);
    const struct correlation *before = correlation_use(&stranger);
    scripted->read(store, product_id, query, out, done, context);
    correlation_use(before);
}

static void set_up(void) {
    static const struct inventory_options options = {.reservation_lifetime_ms =
                                                         PIPELINE_FIXTURE_LIFETIME_MS};
    pipeline_fixture_set_up();
    inventory_service_init(&service, &fixture.platform, &fixture.store.base, fixture.leases,
                           &options, 0);
    atomic_store(&service.preparation.is_ready, true); /* the fixture has made it so */
    scripted = fixture.store.base.ops;
    ops = *scripted;
    ops.read = read_as_stranger;
    fixture.store.base.ops = &ops;
    read_count = 0;
}

static void tear_down(void) {
    fixture.store.base.ops = scripted;
    inventory_service_cancel(&service);
    pipeline_fixture_tear_down();
    inventory_service_cleanup(&service);
}

/* ---- callers ---- */

struct named {
    struct inventory_request request; /* first */
    struct inventory_snapshot snapshot;
    struct correlation correlation;
    char ended_as[INVOCATION_ID_BYTES]; /* "": it has not ended */
};

static struct named callers[CALLERS];

static void note_end(struct named *named) {
    ck_assert_str_eq(named->ended_as, "");
    name_current(named->ended_as);
    memset(&named->correlation, 'x', sizeof named->correlation); /* as if it were freed */
}

static void on_request_done(struct inventory_request *request) {
    note_end((struct named *)request);
}

static void on_snapshot_done(struct inventory_snapshot *snapshot) {
    product_state_cleanup(&snapshot->state);
    note_end(snapshot->context);
}

static void name_callers(void) {
    memset(callers, 0, sizeof callers);
    for (int i = 0; i < CALLERS; i++) {
        char *id = callers[i].correlation.invocation_id;
        snprintf(id, sizeof callers[i].correlation.invocation_id, "invocation-%d", i);
    }
}

/* The first reserves, the second releases; nothing happens in between. */
static void submit_all(void *unused) {
    (void)unused;
    name_callers();
    for (int i = 0; i < CALLERS; i++) {
        callers[i].request = (struct inventory_request){.operation = i == 0 ? &operation_reserve
                                                                            : &operation_release,
                                                        .correlation = &callers[i].correlation,
                                                        .product_id = "P",
                                                        .customer_id = "alice",
                                                        .quantity = 1,
                                                        .done = on_request_done};
        inventory_service_submit(&service, &callers[i].request);
    }
}

static void take_all(void *unused) {
    (void)unused;
    name_callers();
    for (int i = 0; i < CALLERS; i++) {
        callers[i].snapshot = (struct inventory_snapshot){.product_id = "P",
                                                          .correlation = &callers[i].correlation,
                                                          .done = on_snapshot_done,
                                                          .context = &callers[i]};
        inventory_service_take_snapshot(&service, &callers[i].snapshot);
    }
}

static void assert_ended_in_their_own_names(void) {
    ck_assert_str_eq(callers[0].ended_as, "invocation-0");
    ck_assert_str_eq(callers[1].ended_as, "invocation-1");
}

static void assert_read_for(int read, int caller) {
    char expected[INVOCATION_ID_BYTES];
    snprintf(expected, sizeof expected, "invocation-%d", caller);
    ck_assert_str_eq(read_for[read], expected);
}

/* ---- a read without the lease, for callers who did not get it ---- */

static const struct {
    enum status read, told;
} late_looks[] = {{STATUS_OK, STATUS_LEASE_CONFLICT},
                  {STATUS_UNAVAILABLE, STATUS_UNAVAILABLE},
                  {STATUS_PRECONDITION_FAILED, STATUS_UNAVAILABLE}};

START_TEST(whoever_is_told_what_is_available_without_the_lease_is_told_in_his_own_name) {
    fixture_set_holder(PIPELINE_FIXTURE_OTHER);
    fixture_plan(SCRIPTED_READ, late_looks[_i].read);
    fixture_plan(SCRIPTED_READ, late_looks[_i].read);
    fixture_run(submit_all, NULL);
    ck_assert_int_eq(read_count, CALLERS);
    assert_ended_in_their_own_names();
    for (int i = 0; i < CALLERS; i++) {
        assert_read_for(i, i);
        ck_assert_int_eq(callers[i].request.status, late_looks[_i].told);
    }
}
END_TEST

/* ---- what single requests of a batch need ---- */

/* The product is known, so the release's rows alone are looked up. */
static const struct {
    enum status rows;
    enum status told[CALLERS];
} row_reads[] = {{STATUS_OK, {STATUS_OK, STATUS_OK}},
                 {STATUS_MALFORMED, {STATUS_OK, STATUS_MALFORMED}},
                 {STATUS_UNAVAILABLE, {STATUS_UNAVAILABLE, STATUS_UNAVAILABLE}},
                 {STATUS_PRECONDITION_FAILED, {STATUS_LEASE_LOST, STATUS_LEASE_LOST}}};

START_TEST(requests_of_one_batch_end_in_their_own_names_whatever_a_look_up_of_one_ends_with) {
    fixture_run(submit_all, NULL);
    ck_assert_int_eq(callers[1].request.status, STATUS_OK);
    read_count = 0;
    fixture_plan(SCRIPTED_READ, row_reads[_i].rows);
    fixture_run(submit_all, NULL);
    ck_assert_int_eq(read_count, 1);
    assert_read_for(0, 0); /* the first of the batch */
    assert_ended_in_their_own_names();
    for (int i = 0; i < CALLERS; i++) {
        ck_assert_int_eq(callers[i].request.status, row_reads[_i].told[i]);
    }
}
END_TEST

/* ---- snapshots ---- */

static const struct {
    enum status read, told;
    int reads;
} snapshots[] = {{STATUS_OK, STATUS_OK, 2},
                 {STATUS_UNAVAILABLE, STATUS_UNAVAILABLE, 2},
                 {STATUS_PRECONDITION_FAILED, STATUS_OK, 5}}; /* and then under the lease */

START_TEST(a_snapshot_is_taken_and_ends_in_its_own_name) {
    fixture_plan(SCRIPTED_READ, snapshots[_i].read);
    fixture_plan(SCRIPTED_READ, snapshots[_i].read);
    fixture_run(take_all, NULL);
    ck_assert_int_eq(read_count, snapshots[_i].reads);
    assert_ended_in_their_own_names();
    for (int i = 0; i < CALLERS; i++) {
        assert_read_for(i, i);
        ck_assert_int_eq(callers[i].snapshot.status, snapshots[_i].told);
    }
    for (int i = CALLERS; i < read_count; i++) {
        assert_read_for(i, 0); /* the first of the batch */
    }
}
END_TEST

/* ---- afterwards ---- */

static char next_name[INVOCATION_ID_BYTES]; /* in whose name the loop's next task runs */
static struct loop_task next_task;

static void name_next(void *unused) {
    (void)unused;
    name_current(next_name);
}

static void act_and_go_on(void *context) {
    void (*const *act)(void *) = context;
    (*act)(NULL);
    next_task = (struct loop_task){.run = name_next};
    event_loop_post(fixture.loop, &next_task);
}

/* Those who come when the store is lost are told by one task of the loop; others follow it. */
START_TEST(the_loop_does_not_go_on_in_the_name_of_one_that_has_ended) {
    void (*const acts[])(void *) = {submit_all, take_all};
    fixture_plan(SCRIPTED_READ, STATUS_CONTAINER_NOT_FOUND);
    fixture_run(take_all, NULL);
    ck_assert_int_eq(callers[0].snapshot.status, STATUS_CONTAINER_NOT_FOUND);
    read_count = 0;
    void (*act)(void *) = acts[_i];
    fixture_run(act_and_go_on, &act);
    ck_assert_int_eq(read_count, 0);
    assert_ended_in_their_own_names();
    ck_assert_str_eq(next_name, "nobody");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("inventory_service_names");
    TCase *tcase = tcase_create("names");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase,
                        whoever_is_told_what_is_available_without_the_lease_is_told_in_his_own_name,
                        0, sizeof late_looks / sizeof late_looks[0]);
    tcase_add_loop_test(
        tcase, requests_of_one_batch_end_in_their_own_names_whatever_a_look_up_of_one_ends_with, 0,
        sizeof row_reads / sizeof row_reads[0]);
    tcase_add_loop_test(tcase, a_snapshot_is_taken_and_ends_in_its_own_name, 0,
                        sizeof snapshots / sizeof snapshots[0]);
    tcase_add_loop_test(tcase, the_loop_does_not_go_on_in_the_name_of_one_that_has_ended, 0, 2);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
