/*
 * test_batch_sales.c - how confirms, extensions and adjustments are decided, and requests that
 * expect a version of the product.
 */
#include <stdio.h>
#include <string.h>

#include "inventory/batch.h"
#include "inventory/expiry_index.h"
#include "inventory/inventory.h"
#include "inventory/operation.h"
#include "support/processes/check_main.h"

enum { TOTAL = 100, LIFETIME_MS = 30 * 60 * 1000, VERSION = 7, ALL_VALIDATED = 1000 };
static const int64_t NOW_MS = 1737297930000; /* 2025-01-19T14:45:30Z */

static struct product_state state;
static struct batch batch;

static void set_up(void) {
    product_state_init(&state);
    state.product = (struct product){
        .id = "P", .total = TOTAL, .available = TOTAL, .version = VERSION, .due_ms = INT64_MAX};
    state.complete_until_ms = INT64_MAX;
    snprintf(state.etag, sizeof state.etag, "etag-1");
    batch = (struct batch){.product_id = state.product.id,
                           .state = &state,
                           .lifetime_ms = LIFETIME_MS,
                           .random = random_system(),
                           .now_ms = NOW_MS,
                           .certain_ms = NOW_MS};
    TAILQ_INIT(&batch.requests);
}

static void tear_down(void) {
    product_state_cleanup(&state);
}

/* A stored reservation of customer A. Returns its id, which stays when it is gone. */
static const char *add_row(int units, int64_t expires_ms) {
    static char ids[200][UUID_TEXT_BYTES];
    static int next;
    char *id = ids[next++ % 200];
    struct reservation row = {
        .quantity = units, .reserved_ms = NOW_MS - 1, .expires_ms = expires_ms};
    ck_assert_int_eq(uuid_v8_from_time(random_system(), expires_ms, row.id), STATUS_OK);
    memcpy(id, row.id, sizeof row.id);
    ck_assert_int_eq(product_state_add(&state, &row, "A"), STATUS_OK);
    state.product.available -= units;
    return id;
}

static struct inventory_request confirm_of(const char *id, int64_t quantity) {
    return (struct inventory_request){.operation = &operation_confirm,
                                      .reservation_id = id,
                                      .quantity = quantity,
                                      .has_rows = true};
}

static struct inventory_request extend_of(const char *id, int64_t lifetime_ms) {
    return (struct inventory_request){.operation = &operation_extend,
                                      .reservation_id = id,
                                      .lifetime_ms = lifetime_ms,
                                      .has_rows = true};
}

static struct inventory_request adjust_of(int64_t delta) {
    return (struct inventory_request){.operation = &operation_adjust, .quantity = delta};
}

static struct inventory_request reserve_of(int64_t quantity) {
    return (struct inventory_request){
        .operation = &operation_reserve, .customer_id = "B", .quantity = quantity};
}

static struct inventory_request with_key(struct inventory_request request) {
    snprintf(request.key_hash, sizeof request.key_hash, "key");
    snprintf(request.request_hash, sizeof request.request_hash, "asked");
    return request;
}

static void add(struct inventory_request *request) {
    TAILQ_INSERT_TAIL(&batch.requests, request, link);
}

static enum batch_outcome decide(void) {
    return batch_decide(&batch, ALL_VALIDATED);
}

static void finish(void) {
    ck_assert(inventory_adds_up(&state));
    if (state.change_count > 0) {
        product_state_committed(&state);
        state.product.version++;
    }
    batch_complete_answers(&batch, 0);
    TAILQ_INIT(&batch.requests);
}

/* Decides the request alone, and commits. */
static void run(struct inventory_request *request) {
    add(request);
    ck_assert_int_eq(decide(), BATCH_COMMIT);
    finish();
    ck_assert_int_eq(request->stage, REQUEST_DECIDED);
}

static void run_refused(struct inventory_request *request, enum refusal refusal) {
    add(request);
    ck_assert_int_eq(decide(), BATCH_ANSWER);
    ck_assert_int_eq(state.change_count, 0);
    finish();
    ck_assert_int_eq(request->units, 0);
    ck_assert_int_eq(request->refusal, refusal);
}

/* ---- confirm ---- */

START_TEST(a_confirm_answers_with_what_was_sold_and_what_is_left) {
    const char *id = add_row(10, NOW_MS + 1);
    struct inventory_request part = confirm_of(id, 4), rest = confirm_of(id, 0);
    part.customer_id = "A";
    run(&part);
    ck_assert_int_eq(part.units, 4);
    ck_assert_int_eq(part.remaining, 6);
    ck_assert_int_eq(part.total, 96);
    ck_assert_int_eq(part.available, 90);
    ck_assert_int_eq(part.version, VERSION + 1);
    ck_assert_str_eq(part.reservation.id, id);
    ck_assert_str_eq(part.holder_id, "A");
    run(&rest);
    ck_assert_int_eq(rest.units, 6);
    ck_assert_int_eq(rest.remaining, 0);
    ck_assert_int_eq(rest.total, 90);
    ck_assert_int_eq(rest.available, 90);
    ck_assert_uint_eq(state.reservations.count, 0);
}
END_TEST

START_TEST(confirms_releases_and_reserves_share_a_commit) {
    const char *sold = add_row(10, NOW_MS + 1), *given_back = add_row(20, NOW_MS + 1);
    struct inventory_request confirm = confirm_of(sold, 0), reserve = reserve_of(80),
                             release = {.operation = &operation_release,
                                        .customer_id = "A",
                                        .reservation_id = given_back,
                                        .quantity = 20,
                                        .has_rows = true};
    add(&confirm);
    add(&release);
    add(&reserve);
    ck_assert_int_eq(decide(), BATCH_COMMIT);
    finish();
    ck_assert_int_eq(confirm.units, 10);
    ck_assert_int_eq(release.units, 20);
    ck_assert_int_eq(reserve.units, 80);
    ck_assert_int_eq(state.product.total, 90);
    ck_assert_int_eq(state.product.available, 10);
}
END_TEST

START_TEST(no_more_is_sold_than_the_reservation_holds) {
    struct inventory_request request = confirm_of(add_row(10, NOW_MS + 1), 11);
    run_refused(&request, REFUSAL_QUANTITY_TOO_LARGE);
    ck_assert_int_eq(request.reservation.quantity, 10);
    ck_assert_int_eq(state.product.total, TOTAL);
}
END_TEST

START_TEST(another_customers_reservation_is_none) {
    struct inventory_request request = confirm_of(add_row(10, NOW_MS + 1), 1);
    request.customer_id = "B";
    run_refused(&request, REFUSAL_NO_RESERVATION);
}
END_TEST

/* _i: confirm or extend. Also where the time is in doubt, so that the row cannot be removed yet. */
START_TEST(an_expired_reservation_is_neither_sold_nor_extended) {
    const char *id = add_row(10, NOW_MS);
    batch.certain_ms = NOW_MS - 1;
    struct inventory_request first = _i == 0 ? confirm_of(id, 0) : extend_of(id, 0), again = first;
    run_refused(&first, REFUSAL_EXPIRED);
    batch.certain_ms = NOW_MS;
    struct inventory_request expire = {.operation = &operation_expire};
    run(&expire);
    run_refused(&again, REFUSAL_EXPIRED);
    ck_assert_int_eq(state.product.total, TOTAL);
    ck_assert_int_eq(state.product.available, TOTAL);
}
END_TEST

START_TEST(a_reservation_that_is_gone_before_its_time_is_none) {
    const char *id = add_row(10, NOW_MS + 1);
    struct inventory_request sold = confirm_of(id, 0), again = confirm_of(id, 0);
    run(&sold);
    run_refused(&again, REFUSAL_NO_RESERVATION);
}
END_TEST

/* Also within one batch. */
START_TEST(one_reservation_is_sold_once) {
    const char *id = add_row(10, NOW_MS + 1);
    struct inventory_request first = confirm_of(id, 0), second = confirm_of(id, 0);
    add(&first);
    add(&second);
    ck_assert_int_eq(decide(), BATCH_COMMIT);
    finish();
    ck_assert_int_eq(first.units, 10);
    ck_assert_int_eq(second.units, 0);
    ck_assert_int_eq(second.refusal, REFUSAL_NO_RESERVATION);
    ck_assert_int_eq(state.product.total, 90);
}
END_TEST

/* ---- extend ---- */

START_TEST(an_extension_is_answered_with_the_reservation) {
    const char *id = add_row(10, NOW_MS + 1);
    struct inventory_request request = extend_of(id, 0), longer = extend_of(id, 2 * LIFETIME_MS);
    run(&request);
    ck_assert_int_eq(request.units, 10);
    ck_assert_str_eq(request.reservation.id, id);
    ck_assert_int_eq(request.reservation.quantity, 10);
    ck_assert_int_eq(request.reservation.reserved_ms, NOW_MS - 1);
    ck_assert_int_eq(request.reservation.expires_ms, NOW_MS + LIFETIME_MS);
    ck_assert_str_eq(request.holder_id, "A");
    run(&longer);
    ck_assert_int_eq(longer.reservation.expires_ms, NOW_MS + 2 * LIFETIME_MS);
}
END_TEST

START_TEST(an_extension_that_would_be_shorter_changes_nothing_and_succeeds) {
    const char *id = add_row(10, NOW_MS + 2 * LIFETIME_MS);
    struct inventory_request request = extend_of(id, 0);
    add(&request);
    ck_assert_int_eq(decide(), BATCH_ANSWER);
    finish();
    ck_assert_int_eq(request.units, 10);
    ck_assert_int_eq(request.reservation.expires_ms, NOW_MS + 2 * LIFETIME_MS);
    ck_assert_int_eq(request.version, VERSION);
}
END_TEST

START_TEST(what_was_extended_can_be_sold_after_its_first_expiry) {
    const char *id = add_row(10, NOW_MS + 1);
    struct inventory_request extension = extend_of(id, 1000), confirm = confirm_of(id, 0);
    run(&extension);
    batch.now_ms = batch.certain_ms = NOW_MS + 999;
    run(&confirm);
    ck_assert_int_eq(confirm.units, 10);
}
END_TEST

START_TEST(a_reservation_lasts_as_long_as_its_request_says) {
    struct inventory_request request = reserve_of(1);
    request.lifetime_ms = 5000;
    run(&request);
    ck_assert_int_eq(request.reservation.expires_ms, NOW_MS + 5000);
}
END_TEST

/* _i: reserves or extensions. The commit writes an index row for each minute, one by one. */
START_TEST(a_batch_has_few_minutes_that_the_index_does_not_know) {
    struct inventory_request requests[BATCH_MAX_MINUTES + 3];
    state.product.indexed_due_ms = expiry_index_minute_ms(NOW_MS + LIFETIME_MS);
    for (int i = 0; i < BATCH_MAX_MINUTES + 3; i++) {
        requests[i] = _i == 0 ? reserve_of(1) : extend_of(add_row(1, NOW_MS + 1), 0);
        requests[i].lifetime_ms = (i + 1) * INT64_C(60000);
    }
    requests[BATCH_MAX_MINUTES].lifetime_ms = 60000; /* as the first */
    requests[BATCH_MAX_MINUTES + 1].lifetime_ms = 0; /* in the minute that is known */
    for (int i = 0; i < BATCH_MAX_MINUTES + 3; i++) {
        add(&requests[i]);
    }
    ck_assert_int_eq(decide(), BATCH_COMMIT);
    for (int i = 0; i < BATCH_MAX_MINUTES + 3; i++) {
        ck_assert_int_eq(requests[i].stage,
                         i == BATCH_MAX_MINUTES + 2 ? REQUEST_QUEUED : REQUEST_DECIDED);
    }
    struct product after = state.product;
    struct expiry_row row;
    size_t at = 0;
    int rows = 0;
    while (expiry_index_next_row(&state, &after, &at, &row)) {
        rows++;
    }
    ck_assert_int_eq(rows, BATCH_MAX_MINUTES);
    finish();
    run(&requests[BATCH_MAX_MINUTES + 2]);
}
END_TEST

/* ---- adjust ---- */

START_TEST(stock_comes_and_goes_by_a_difference) {
    add_row(10, NOW_MS + 1);
    struct inventory_request more = adjust_of(50), less = adjust_of(-140), too_much = adjust_of(-1);
    run(&more);
    ck_assert_int_eq(more.units, 50);
    ck_assert_int_eq(more.total, 150);
    ck_assert_int_eq(more.available, 140);
    run(&less);
    ck_assert_int_eq(less.units, 140);
    ck_assert_int_eq(less.total, 10);
    ck_assert_int_eq(less.available, 0);
    run_refused(&too_much, REFUSAL_NOT_ENOUGH);
    ck_assert_int_eq(too_much.total, 10);
    ck_assert_int_eq(too_much.available, 0);
}
END_TEST

START_TEST(expired_units_can_leave_the_stock_once_their_rows_are_removed) {
    for (int i = 0; i < TOTAL; i++) {
        add_row(1, NOW_MS - 1);
    }
    struct inventory_request request = adjust_of(-TOTAL);
    add(&request);
    ck_assert_int_eq(decide(), BATCH_COMMIT);
    ck_assert_int_eq(request.stage, REQUEST_QUEUED); /* there are more rows than a commit removes */
    ck_assert_int_le(state.change_count, INVENTORY_MAX_CHANGES);
    finish();
    run(&request);
    ck_assert_int_eq(request.total, 0);
    ck_assert_int_eq(request.available, 0);
}
END_TEST

START_TEST(a_total_stays_a_number_that_can_be_read) {
    state.product.total = state.product.available = INVENTORY_MAX_TOTAL - 5;
    struct inventory_request most = adjust_of(5), more = adjust_of(1);
    run(&most);
    run_refused(&more, REFUSAL_QUANTITY_TOO_LARGE);
    ck_assert_int_eq(more.total, INVENTORY_MAX_TOTAL);
}
END_TEST

/* ---- keys ---- */

/* _i: confirm, extend, adjust */
START_TEST(a_repeat_gets_the_first_answer_in_full) {
    const char *id = add_row(10, NOW_MS + 1);
    struct inventory_request requests[] = {confirm_of(id, 3), extend_of(id, 0), adjust_of(-4)};
    struct inventory_request first = with_key(requests[_i]), again = first, other = adjust_of(30);
    add(&first);
    ck_assert_int_eq(decide(), BATCH_COMMIT);
    ck_assert_uint_eq(state.record_count, 1);
    struct idempotency_record record = state.records[0];
    finish();
    run(&other);
    again.record = record;
    again.stage = REQUEST_LOOKED_UP;
    add(&again);
    ck_assert_int_eq(batch_decide(&batch, 0), BATCH_ANSWER);
    finish();
    ck_assert(again.is_repeat);
    ck_assert_int_eq(again.status, STATUS_OK);
    ck_assert_int_eq(again.units, first.units);
    ck_assert_int_eq(again.remaining, first.remaining);
    ck_assert_int_eq(again.total, first.total);
    ck_assert_int_eq(again.available, first.available);
    ck_assert_int_eq(again.version, first.version);
    ck_assert_str_eq(again.holder_id, first.holder_id);
    ck_assert_str_eq(again.reservation.id, _i == 2 ? "" : id);
    if (_i == 1) {
        ck_assert_int_eq(again.reservation.quantity, 10);
        ck_assert_int_eq(again.reservation.expires_ms, first.reservation.expires_ms);
        ck_assert_int_eq(again.reservation.reserved_ms, first.reservation.reserved_ms);
    }
}
END_TEST

/* ---- rows ---- */

START_TEST(a_reservation_in_memory_needs_no_look_up_by_those_who_name_it) {
    struct inventory_request here = confirm_of(add_row(10, NOW_MS + 1), 0), elsewhere = here,
                             customers = {.operation = &operation_release, .customer_id = "A"};
    elsewhere.reservation_id = "0194b0a1-2345-8abc-9def-0123456789ab";
    here.has_rows = elsewhere.has_rows = false;
    ck_assert(!batch_lacks_rows(&batch, &here));
    ck_assert(batch_lacks_rows(&batch, &elsewhere));
    ck_assert(batch_lacks_rows(&batch, &customers));
    product_state_cleanup(&state);
    ck_assert(batch_lacks_rows(&batch, &here));
}
END_TEST

/* ---- expected versions ---- */

/* _i: which operation. Each would be granted. */
START_TEST(a_change_of_the_expected_version_is_made_and_of_another_refused) {
    static const int64_t others[] = {VERSION - 1, VERSION + 1, -1, INT64_MAX};
    const char *id = add_row(10, NOW_MS + 1);
    struct inventory_request requests[] = {
        confirm_of(id, 1),
        extend_of(id, 0),
        adjust_of(1),
        reserve_of(1),
        {.operation = &operation_release, .customer_id = "A", .quantity = 1, .has_rows = true},
        {.operation = &operation_set_total, .quantity = 20}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct inventory_request request = requests[_i];
        request.expected_version = others[i];
        run_refused(&request, REFUSAL_OTHER_VERSION);
        ck_assert_int_eq(request.version, VERSION);
        ck_assert_int_eq(request.available, 90);
        ck_assert(!request.is_set);
    }
    requests[_i].expected_version = VERSION;
    run(&requests[_i]);
    ck_assert_int_eq(requests[_i].refusal, REFUSAL_NONE);
    ck_assert_int_eq(requests[_i].version, VERSION + 1);
}
END_TEST

/* Whoever came before makes it the next version, in the same commit. */
START_TEST(a_change_behind_another_of_its_batch_comes_to_another_version) {
    struct inventory_request first = adjust_of(1), second = adjust_of(2), third = adjust_of(3);
    first.expected_version = VERSION;
    second.expected_version = VERSION;
    third.expected_version = VERSION + 1;
    add(&first);
    add(&second);
    add(&third);
    ck_assert_int_eq(decide(), BATCH_COMMIT);
    finish();
    ck_assert_int_eq(first.units, 1);
    ck_assert_int_eq(second.refusal, REFUSAL_OTHER_VERSION);
    ck_assert_int_eq(third.refusal, REFUSAL_OTHER_VERSION);
    ck_assert_int_eq(state.product.total, TOTAL + 1);
}
END_TEST

START_TEST(that_a_version_is_another_rests_on_the_product_as_it_is_stored) {
    struct inventory_request request = adjust_of(1);
    request.expected_version = VERSION + 1;
    request.sequence = 7;
    add(&request);
    ck_assert_int_eq(batch_decide(&batch, 7), BATCH_VALIDATE);
    batch_reset(&batch);
    state.product.version = VERSION + 1; /* as it was read */
    ck_assert_int_eq(batch_decide(&batch, 8), BATCH_COMMIT);
}
END_TEST

START_TEST(a_repeat_gets_its_answer_whatever_version_it_expects) {
    struct inventory_request first = with_key(adjust_of(1)), again = first;
    first.expected_version = again.expected_version = VERSION;
    add(&first);
    add(&again);
    ck_assert_int_eq(decide(), BATCH_COMMIT);
    finish();
    ck_assert(again.is_repeat);
    ck_assert_int_eq(again.units, 1);

    struct inventory_request late = with_key(adjust_of(1));
    late.expected_version = VERSION;
    add(&late);
    ck_assert_int_eq(decide(), BATCH_LOOK_UP);
}
END_TEST

static void add_tests_of_versions(Suite *suite) {
    TCase *versions = tcase_create("versions");
    tcase_add_checked_fixture(versions, set_up, tear_down);
    tcase_add_loop_test(versions, a_change_of_the_expected_version_is_made_and_of_another_refused,
                        0, 6);
    tcase_add_test(versions, a_change_behind_another_of_its_batch_comes_to_another_version);
    tcase_add_test(versions, that_a_version_is_another_rests_on_the_product_as_it_is_stored);
    tcase_add_test(versions, a_repeat_gets_its_answer_whatever_version_it_expects);
    suite_add_tcase(suite, versions);
}

int main(void) {
    Suite *suite = suite_create("batch_sales");
    TCase *sales = tcase_create("sales");
    tcase_add_checked_fixture(sales, set_up, tear_down);
    tcase_add_test(sales, a_confirm_answers_with_what_was_sold_and_what_is_left);
    tcase_add_test(sales, confirms_releases_and_reserves_share_a_commit);
    tcase_add_test(sales, no_more_is_sold_than_the_reservation_holds);
    tcase_add_test(sales, another_customers_reservation_is_none);
    tcase_add_loop_test(sales, an_expired_reservation_is_neither_sold_nor_extended, 0, 2);
    tcase_add_test(sales, a_reservation_that_is_gone_before_its_time_is_none);
    tcase_add_test(sales, one_reservation_is_sold_once);
    tcase_add_test(sales, an_extension_is_answered_with_the_reservation);
    tcase_add_test(sales, an_extension_that_would_be_shorter_changes_nothing_and_succeeds);
    tcase_add_test(sales, what_was_extended_can_be_sold_after_its_first_expiry);
    tcase_add_test(sales, a_reservation_lasts_as_long_as_its_request_says);
    tcase_add_loop_test(sales, a_batch_has_few_minutes_that_the_index_does_not_know, 0, 2);
    tcase_add_test(sales, stock_comes_and_goes_by_a_difference);
    tcase_add_test(sales, expired_units_can_leave_the_stock_once_their_rows_are_removed);
    tcase_add_test(sales, a_total_stays_a_number_that_can_be_read);
    tcase_add_loop_test(sales, a_repeat_gets_the_first_answer_in_full, 0, 3);
    tcase_add_test(sales, a_reservation_in_memory_needs_no_look_up_by_those_who_name_it);
    suite_add_tcase(suite, sales);
    add_tests_of_versions(suite);
    return check_main(suite);
}
