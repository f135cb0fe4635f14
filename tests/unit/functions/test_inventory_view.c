/* The view that GetInventory fills while a product is read, also if the read begins anew. */
#include "functions/inventory_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/http_message.h"
#include "base/temp_file.h"
#include "functions/function.h"
#include "support/processes/check_main.h"

enum { NOW_MS = 1000, MANY = 3000, MAX_BYTES = 64 * 1024 * 1024 };

#define SUMS(available, reserved)                                                  \
    "{\"productId\":\"P\",\"totalQuantity\":9000,\"availableQuantity\":" available \
    ",\"reservedQuantity\":" reserved ",\"activeReservations\":["
#define FIRST                                                                       \
    "{\"reservationId\":\"\",\"customerId\":\"first \xE2\x82\xAC\",\"quantity\":2," \
    "\"reservedAt\":\"1970-01-01T00:00:00.000Z\",\"expiresAt\":\"1970-01-01T00:00:01.001Z\"}"

/* A test takes from `available` what is in reservations. */
static struct product product;
static struct http_response response;
static struct function_run run;
static struct inventory_view view;
static struct error err;

static void set_up(void) {
    product = (struct product){.id = "P", .total = 9000, .available = 9000};
    http_response_init(&response, MAX_BYTES);
    run = (struct function_run){.response = &response, .temp_folder = "/tmp"};
    inventory_view_init(&view, &run, NULL);
}

static void tear_down(void) {
    inventory_view_cleanup(&view);
    http_response_cleanup(&response);
}

static void begin(void) {
    product.available = product.total;
    view.visitor.begin(&view.visitor, NOW_MS);
}

static void visit(const char *customer, int quantity, int64_t expires_ms) {
    const struct reservation row = {.quantity = quantity, .expires_ms = expires_ms};
    product.available -= quantity;
    ck_assert_int_eq(view.visitor.visit(&view.visitor, &row, customer, &err), STATUS_OK);
}

static void visit_many(const char *customer) {
    for (int i = 0; i < MANY; i++) {
        visit(customer, 1, NOW_MS + 1);
    }
}

static void finish(void) {
    ck_assert_int_eq(inventory_view_finish(&view, &product, &response, &err), STATUS_OK);
}

/* Returns the whole body, also what is in a file. */
static char *whole_body(void) {
    size_t rest = response.rest == NULL ? 0 : (size_t)response.rest->length, got = 0;
    char *text = calloc(1, response.body.length + rest + 1);
    ck_assert_ptr_nonnull(text);
    memcpy(text, response.body.data, response.body.length);
    if (rest > 0) {
        ck_assert_int_eq(
            temp_file_read(response.rest, 0, text + response.body.length, rest, &got, &err),
            STATUS_OK);
    }
    ck_assert_uint_eq(got, rest);
    return text;
}

START_TEST(what_has_expired_is_available) {
    begin();
    visit("expired", 5, NOW_MS);
    visit("first \xE2\x82\xAC", 2, NOW_MS + 1);
    finish();
    ck_assert_ptr_null(response.rest);
    ck_assert_str_eq(response.body.data, SUMS("8998", "2") FIRST "]}");
}
END_TEST

START_TEST(of_others_only_the_units_count) {
    view.customer_id = "first \xE2\x82\xAC";
    begin();
    visit("expired", 5, NOW_MS);
    visit("other", 5, NOW_MS + 1);
    visit("first \xE2\x82\xAC", 2, NOW_MS + 1);
    finish();
    ck_assert_str_eq(response.body.data, SUMS("8993", "7") FIRST "]}");
}
END_TEST

START_TEST(nothing_is_a_view_too) {
    begin();
    finish();
    ck_assert_str_eq(response.body.data, SUMS("9000", "0") "]}");
}
END_TEST

/* A try that is void was short or long. So is the one that counts. */
START_TEST(what_a_void_try_has_written_is_gone) {
    begin();
    visit("void", 7, NOW_MS + 1);
    if (_i % 2 == 1) {
        visit_many("void");
    }
    begin();
    visit("first \xE2\x82\xAC", 2, NOW_MS + 1);
    if (_i / 2 == 1) {
        visit_many("C");
    }
    finish();
    ck_assert_int_eq(response.rest != NULL, _i / 2 == 1);
    char *text = whole_body();
    const char *start = _i / 2 == 1 ? SUMS("5998", "3002") FIRST "," : SUMS("8998", "2") FIRST "]}";
    ck_assert_msg(strncmp(text, start, strlen(start)) == 0, "%.300s", text);
    ck_assert_ptr_null(strstr(text, "void"));
    ck_assert_str_eq(text + strlen(text) - 3, "}]}");
    free(text);
}
END_TEST

START_TEST(a_response_that_is_full_is_an_error) {
    run.temp_folder = NULL;
    response.body.max_bytes = 1000;
    inventory_view_cleanup(&view);
    inventory_view_init(&view, &run, NULL);
    begin();
    enum status status = STATUS_OK;
    const struct reservation row = {.quantity = 1, .expires_ms = NOW_MS + 1};
    for (int i = 0; i < 10 && status == STATUS_OK; i++) {
        status = view.visitor.visit(&view.visitor, &row, "C", &err);
    }
    ck_assert_int_eq(status, STATUS_TOO_LARGE);
}
END_TEST

START_TEST(sums_that_have_no_room_are_an_error_without_a_body) {
    run.temp_folder = NULL;
    response.body.max_bytes = 200;
    inventory_view_cleanup(&view);
    inventory_view_init(&view, &run, NULL);
    begin();
    visit("C", 1, NOW_MS + 1);
    ck_assert_int_eq(inventory_view_finish(&view, &product, &response, &err), STATUS_TOO_LARGE);
    ck_assert_int_eq(strbuf_status(&response.body), STATUS_OK);
    ck_assert_uint_eq(response.body.length, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("inventory_view");
    TCase *tests = tcase_create("inventory_view");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, what_has_expired_is_available);
    tcase_add_test(tests, of_others_only_the_units_count);
    tcase_add_test(tests, nothing_is_a_view_too);
    tcase_add_loop_test(tests, what_a_void_try_has_written_is_gone, 0, 4);
    tcase_add_test(tests, a_response_that_is_full_is_an_error);
    tcase_add_test(tests, sums_that_have_no_room_are_an_error_without_a_body);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
