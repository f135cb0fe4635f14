/* What an operator does to a product's total, beside what customers do to the product. */
#include <stdio.h>
#include <string.h>

#include "inventory/inventory_service.h"
#include "support/calls/prepare_wait.h"
#include "support/fakes/function_app.h"
#include "support/processes/check_main.h"

enum { TIMEOUT_MS = 200, LIFETIME_MS = 30 * 60 * 1000, MANY = 120 };

static struct function_app app;
static struct inventory_service operator; /* another process */
static struct inventory_options options;
static struct error err;
static struct inventory_request request; /* the last one, with its answer */

static void set_up(void) {
    function_app_start(&app, TIMEOUT_MS);
    options = app.options;
    options.is_prepared_elsewhere = true;
    inventory_service_init(&operator, & app.platform, &app.store.base, app.leases, &options,
                           TIMEOUT_MS);
    ck_assert_int_eq(prepare_and_wait(&app.service, &err), STATUS_OK);
}

static void tear_down(void) {
    inventory_service_cancel(&operator);
    function_app_stop(&app);
    inventory_service_cleanup(&operator);
}

static enum status run(struct inventory_service *service, struct inventory_request wanted) {
    request = wanted;
    return inventory_service_run(service, &request, &err);
}

static bool reserves(int64_t quantity) {
    enum status status =
        run(&app.service, (struct inventory_request){.operation = &operation_reserve,
                                                     .product_id = "PROD-001",
                                                     .customer_id = "C1",
                                                     .quantity = quantity});
    ck_assert_msg(status == STATUS_OK, "%s", err.message);
    return request.units == quantity;
}

static enum status set_of(const char *product, int64_t total) {
    return run(&operator,(struct inventory_request){
                   .operation = &operation_set_total, .product_id = product, .quantity = total});
}

static enum status set(int64_t total) {
    return set_of("PROD-001", total);
}

static void expect_set(int64_t total, int64_t available, int64_t version) {
    ck_assert_msg(set(total) == STATUS_OK, "%s", err.message);
    ck_assert(request.is_set);
    ck_assert_int_eq(request.total, total);
    ck_assert_int_eq(request.available, available);
    ck_assert_int_eq(request.version, version);
}

static void assert_stored(int64_t total, int64_t available, int64_t version) {
    struct product_state state;
    int64_t now_ms;
    product_state_init(&state);
    ck_assert_int_eq(inventory_service_get(&app.service, "PROD-001", &state, &now_ms, &err),
                     STATUS_OK);
    ck_assert_int_eq(state.product.total, total);
    ck_assert_int_eq(inventory_available(&state, now_ms), available);
    ck_assert_int_eq(state.product.version, version);
    product_state_cleanup(&state);
}

START_TEST(a_new_total_is_a_commit_like_any_other) {
    ck_assert(reserves(30));
    expect_set(150, 120, 3);
    assert_stored(150, 120, 3);
    expect_set(30, 0, 4);
    assert_stored(30, 0, 4);
}
END_TEST

START_TEST(who_knows_the_product_learns_of_its_new_total) {
    ck_assert(reserves(30));
    expect_set(200, 170, 3);
    ck_assert(reserves(170)); /* known with 70 available */
    ck_assert(!reserves(1));
    expect_set(201, 1, 5);
    ck_assert(reserves(1)); /* a refusal would rest on what is no longer so */
    assert_stored(201, 0, 6);
}
END_TEST

START_TEST(a_refusal_rests_on_the_product_as_it_is) {
    ck_assert(reserves(30));
    expect_set(90, 60, 3);
    struct inventory_request release = {.operation = &operation_release,
                                        .product_id = "PROD-001",
                                        .customer_id = "C1",
                                        .quantity = 30};
    ck_assert_int_eq(run(&app.service, release), STATUS_OK);
    expect_set(10, 10, 5); /* known with 30 reserved */
}
END_TEST

START_TEST(a_total_below_what_is_reserved_is_refused) {
    ck_assert(reserves(30));
    ck_assert_int_eq(set(29), STATUS_OK);
    ck_assert(!request.is_set);
    ck_assert_int_eq(request.total, 100);
    ck_assert_int_eq(request.available, 70);
    assert_stored(100, 70, 2);
}
END_TEST

START_TEST(what_has_expired_is_not_in_the_way) {
    ck_assert(reserves(30));
    clock_fake_advance(&app.store_clock, LIFETIME_MS);
    expect_set(10, 10, 3);
    assert_stored(10, 10, 3);
}
END_TEST

START_TEST(more_may_have_expired_than_one_commit_takes_away) {
    expect_set(MANY, MANY, 2);
    for (int i = 0; i < MANY; i++) {
        ck_assert(reserves(1));
    }
    clock_fake_advance(&app.store_clock, LIFETIME_MS);
    expect_set(1, 1, 2 + MANY + 2);
    assert_stored(1, 1, 2 + MANY + 2);
}
END_TEST

START_TEST(the_same_total_changes_nothing) {
    expect_set(100, 100, 1);
    assert_stored(100, 100, 1);
}
END_TEST

START_TEST(a_total_waits_for_the_lease_and_is_not_set_without) {
    lease_store_fake_set_holder(app.lease_service, "inventory-PROD-001", "somebody");
    ck_assert_int_eq(set(150), STATUS_LEASE_CONFLICT);
    assert_stored(100, 100, 1);
}
END_TEST

START_TEST(a_total_whose_commit_fails_is_not_set) {
    app.store.next[STORE_COMMIT] = STATUS_UNAVAILABLE;
    ck_assert_int_eq(set(150), STATUS_UNAVAILABLE);
    assert_stored(100, 100, 1);
    expect_set(160, 160, 2);
}
END_TEST

START_TEST(an_unknown_product_has_no_total) {
    ck_assert_int_eq(set_of("NONE", 1), STATUS_NOT_FOUND);
}
END_TEST

START_TEST(a_store_that_others_prepare_is_left_as_it_is) {
    struct product_state state;
    int64_t now_ms;
    product_state_init(&state);
    app.store.next[STORE_PREPARE] = STATUS_INTERNAL; /* not asked for */
    app.store.next[STORE_READ] = STATUS_CONTAINER_NOT_FOUND;
    ck_assert_int_eq(inventory_service_get(&operator, "PROD-001", &state, &now_ms, &err),
                     STATUS_CONTAINER_NOT_FOUND);
    ck_assert_int_eq(inventory_service_get(&operator, "PROD-001", &state, &now_ms, &err),
                     STATUS_OK);
    product_state_cleanup(&state);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("inventory_service: totals");
    TCase *totals = tcase_create("totals");
    tcase_add_checked_fixture(totals, set_up, tear_down);
    tcase_add_test(totals, a_new_total_is_a_commit_like_any_other);
    tcase_add_test(totals, who_knows_the_product_learns_of_its_new_total);
    tcase_add_test(totals, a_refusal_rests_on_the_product_as_it_is);
    tcase_add_test(totals, a_total_below_what_is_reserved_is_refused);
    tcase_add_test(totals, what_has_expired_is_not_in_the_way);
    tcase_add_test(totals, more_may_have_expired_than_one_commit_takes_away);
    tcase_add_test(totals, the_same_total_changes_nothing);
    tcase_add_test(totals, a_total_waits_for_the_lease_and_is_not_set_without);
    tcase_add_test(totals, a_total_whose_commit_fails_is_not_set);
    tcase_add_test(totals, an_unknown_product_has_no_total);
    tcase_add_test(totals, a_store_that_others_prepare_is_left_as_it_is);
    suite_add_tcase(suite, totals);
    return check_main(suite);
}
