/*
 * test_inventory_service_keys.c - what a repeat under an Idempotency-Key gets, from the instance
 * that was asked first and from another one, and which requests have a key though none was sent.
 */
#include <stdio.h>
#include <string.h>

#include "inventory/inventory_service.h"
#include "support/calls/reconcile_wait.h"
#include "support/fakes/function_app.h"
#include "support/processes/check_main.h"

enum { TIMEOUT_MS = 20000, INSTANCES = 2 };
static const int64_t DAY_MS = 24 * 60 * 60 * 1000;

static struct function_app app;
static struct inventory_service other; /* another instance on the same store */
static struct error err;

static void set_up(void) {
    function_app_start(&app, TIMEOUT_MS);
    inventory_service_init(&other, &app.platform, &app.store.base, app.leases, &app.options,
                           TIMEOUT_MS);
}

static void tear_down(void) {
    inventory_service_cancel(&other);
    function_app_stop(&app);
    inventory_service_cleanup(&other);
}

static struct inventory_request reserve_of(const char *customer, int64_t quantity,
                                           const char *key) {
    return (struct inventory_request){.operation = &operation_reserve,
                                      .product_id = "PROD-001",
                                      .customer_id = customer,
                                      .quantity = quantity,
                                      .idempotency_key = key};
}

static struct inventory_request release_of(const char *customer, int64_t quantity,
                                           const char *reservation_id) {
    return (struct inventory_request){.operation = &operation_release,
                                      .product_id = "PROD-001",
                                      .customer_id = customer,
                                      .reservation_id = reservation_id,
                                      .quantity = quantity};
}

static void run_on(struct inventory_service *service, struct inventory_request *request) {
    err.message[0] = '\0';
    ck_assert_msg(inventory_service_run(service, request, &err) == STATUS_OK, "%s", err.message);
}

static void run(struct inventory_request *request) {
    run_on(&app.service, request);
}

static void assert_reused(struct inventory_request *request) {
    ck_assert_int_eq(inventory_service_run(&app.service, request, &err), STATUS_KEY_REUSED);
}

static void assert_same_answer(const struct inventory_request *first,
                               const struct inventory_request *again) {
    ck_assert_int_eq(again->units, first->units);
    ck_assert_int_eq(again->available, first->available);
    ck_assert_int_eq(again->version, first->version);
    ck_assert_str_eq(again->reservation.id, first->reservation.id);
    ck_assert_int_eq(again->reservation.expires_ms, first->reservation.expires_ms);
}

static void assert_product(int64_t available, int64_t version, size_t rows) {
    struct product_state state;
    int64_t now_ms = 0;
    product_state_init(&state);
    ck_assert_int_eq(inventory_service_get(&app.service, "PROD-001", &state, &now_ms, &err),
                     STATUS_OK);
    ck_assert_int_eq(inventory_available(&state, now_ms), available);
    ck_assert_int_eq(state.product.version, version);
    ck_assert_uint_eq(state.reservations.count, rows);
    product_state_cleanup(&state);
}

/* _i: which instance is asked the second time */
START_TEST(the_same_key_gets_the_same_answer_and_changes_nothing) {
    struct inventory_request first = reserve_of("A", 5, "key-1"), again = first;
    run(&first);
    run_on(_i == 0 ? &app.service : &other, &again);
    ck_assert(again.is_repeat);
    assert_same_answer(&first, &again);
    assert_product(95, 2, 1);
}
END_TEST

START_TEST(so_it_does_after_a_release_and_expiry_and_when_all_is_sold) {
    struct inventory_request first = reserve_of("A", 100, "key-1"), again = first;
    run(&first);
    run(&again);
    assert_same_answer(&first, &again);
    struct inventory_request release = release_of("A", 100, first.reservation.id);
    run(&release);
    run(&again);
    assert_same_answer(&first, &again);
    assert_product(100, 3, 0);
    clock_fake_advance(&app.store_clock, DAY_MS);
    run_on(&other, &again);
    assert_same_answer(&first, &again);
    assert_product(100, 3, 0);
}
END_TEST

START_TEST(a_key_used_for_another_request_is_refused) {
    struct inventory_request first = reserve_of("A", 5, "key-1"),
                             other_quantity = reserve_of("A", 6, "key-1"),
                             other_customer = reserve_of("B", 5, "key-1"),
                             other_operation = release_of("A", 5, NULL);
    other_operation.idempotency_key = "key-1";
    run(&first);
    assert_reused(&other_quantity);
    assert_reused(&other_customer);
    assert_reused(&other_operation);
    assert_product(95, 2, 1);
}
END_TEST

START_TEST(a_key_belongs_to_its_product) {
    struct inventory_request first = reserve_of("A", 5, "key-1"), elsewhere = first;
    elsewhere.product_id = "PROD-002";
    run(&first);
    run(&elsewhere);
    ck_assert(!elsewhere.is_repeat);
    ck_assert_str_ne(first.reservation.id, elsewhere.reservation.id);
}
END_TEST

START_TEST(a_key_whose_request_was_refused_may_succeed_later) {
    struct inventory_request all = reserve_of("OLD", 100, NULL),
                             keyed = reserve_of("A", 5, "key-1"),
                             release = release_of("OLD", 100, NULL);
    run(&all);
    run(&keyed);
    ck_assert_int_eq(keyed.units, 0);
    run(&release);
    run(&keyed);
    ck_assert_int_eq(keyed.units, 5);
    ck_assert(!keyed.is_repeat);
}
END_TEST

/* It has no key of its caller's, but one of all that it asks for. */
START_TEST(a_release_of_one_reservation_sent_again_frees_nothing_more) {
    struct inventory_request first = reserve_of("A", 10, NULL), second = first;
    run(&first);
    run(&second);
    for (int i = 0; i < 3; i++) { /* a part of it, three times the same */
        struct inventory_request part = release_of("A", 4, first.reservation.id);
        run_on(i == 2 ? &other : &app.service, &part);
        ck_assert_int_eq(part.units, 4);
        ck_assert_int_eq(part.available, 84);
    }
    assert_product(84, 4, 2);
    struct inventory_request keyed = release_of("A", 4, first.reservation.id);
    keyed.idempotency_key = "once more";
    run(&keyed);
    ck_assert_int_eq(keyed.available, 88);
    struct inventory_request rest = release_of("A", 10, first.reservation.id);
    run(&rest);
    ck_assert_int_eq(rest.units, 2);
    run(&rest);
    ck_assert_int_eq(rest.units, 2);
    assert_product(90, 6, 1);
}
END_TEST

START_TEST(a_release_of_any_reservation_sent_again_is_another_release) {
    struct inventory_request reserve = reserve_of("A", 10, NULL),
                             release = release_of("A", 4, NULL);
    run(&reserve);
    run(&release);
    run(&release);
    ck_assert(!release.is_repeat);
    assert_product(98, 4, 1);
}
END_TEST

START_TEST(a_strangers_release_of_a_reservation_is_no_repeat_of_its_owners) {
    struct inventory_request reserve = reserve_of("A", 5, NULL);
    run(&reserve);
    struct inventory_request own = release_of("A", 5, reserve.reservation.id),
                             strangers = release_of("B", 5, reserve.reservation.id);
    run(&own);
    ck_assert_int_eq(own.units, 5);
    run(&strangers);
    ck_assert_int_eq(strangers.units, 0);
}
END_TEST

static void reconcile(void) {
    struct reconcile_result result;
    function_app_await_release(&app, RECONCILIATION_LEASE_NAME);
    ck_assert_msg(reconcile_and_wait(&app.service, &result, &err) == STATUS_OK, "%s", err.message);
}

START_TEST(keys_are_kept_for_a_day_and_then_purged) {
    struct inventory_request first = reserve_of("A", 5, "key-1"), again = first;
    run(&first);
    clock_fake_advance(&app.store_clock, DAY_MS);
    reconcile();
    run(&again);
    ck_assert_str_eq(again.reservation.id, first.reservation.id);
    clock_fake_advance(&app.store_clock, DAY_MS);
    reconcile();
    run(&again);
    ck_assert(!again.is_repeat);
    ck_assert_str_ne(again.reservation.id, first.reservation.id);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("inventory_service: keys");
    TCase *keys = tcase_create("keys");
    tcase_add_checked_fixture(keys, set_up, tear_down);
    tcase_add_loop_test(keys, the_same_key_gets_the_same_answer_and_changes_nothing, 0, INSTANCES);
    tcase_add_test(keys, so_it_does_after_a_release_and_expiry_and_when_all_is_sold);
    tcase_add_test(keys, a_key_used_for_another_request_is_refused);
    tcase_add_test(keys, a_key_belongs_to_its_product);
    tcase_add_test(keys, a_key_whose_request_was_refused_may_succeed_later);
    tcase_add_test(keys, a_release_of_one_reservation_sent_again_frees_nothing_more);
    tcase_add_test(keys, a_release_of_any_reservation_sent_again_is_another_release);
    tcase_add_test(keys, a_strangers_release_of_a_reservation_is_no_repeat_of_its_owners);
    tcase_add_test(keys, keys_are_kept_for_a_day_and_then_purged);
    suite_add_tcase(suite, keys);
    return check_main(suite);
}
