/*
 * ConfirmReservation, ExtendReservation and GetReservation over the memory store; each test runs
 * once in each shape in which the host calls.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "support/fakes/function_steps.h"
#include "support/processes/check_main.h"

enum { MINUTE_MS = 60 * 1000, LIFETIME_MS = 30 * MINUTE_MS };

static char id[UUID_TEXT_BYTES];

/* `what` is the end of the path: "/confirm", "/extend", or "" for GetReservation. */
static void call_with(int shape, const char *what, const char *body, const char *name,
                      const char *value) {
    char action[128];
    snprintf(action, sizeof action, "reservations/%s%s", id, what);
    http_response_cleanup(&answer);
    answer = function_app_call(
        &app, shape,
        &(struct function_call){.action = action, .body = body, .header = {name, {value}}});
}

static void call(int shape, const char *what, const char *body) {
    call_with(shape, what, body, NULL, NULL);
}

static void change(int shape, const char *action, const char *body) {
    http_response_cleanup(&answer);
    answer =
        function_app_call(&app, shape, &(struct function_call){.action = action, .body = body});
}

/* Reserves 5 units for CUST-123 and keeps the id. */
static void reserve(int shape) {
    change(shape, "reserve", "{\"quantity\":5,\"customerId\":\"CUST-123\"}");
    ck_assert_int_eq(answer.status, 200);
    cJSON *root = NULL;
    ck_assert_int_eq(json_parse(answer.body.data, answer.body.length, &root, NULL), STATUS_OK);
    snprintf(id, sizeof id, "%s", json_string(root, "reservationId"));
    cJSON_Delete(root);
}

/* `text` has @ where the reservation's id is. */
static void assert_answer(int status, const char *text, const char *etag) {
    char expected[512], *end = expected;
    for (; *text != '\0'; text++) {
        end += *text == '@' ? sprintf(end, "%s", id) : sprintf(end, "%c", *text);
    }
    ck_assert_str_eq(answer.body.data, expected);
    ck_assert_int_eq(answer.status, status);
    ck_assert_str_eq(header("ETag"), etag);
}

static void assert_error(int status, const char *code, const char *etag) {
    char start[128];
    snprintf(start, sizeof start, "{\"error\":{\"code\":\"%s\",", code);
    ck_assert_msg(answer.status == status, "%d %s", answer.status, answer.body.data);
    ck_assert_ptr_eq(strstr(answer.body.data, start), answer.body.data);
    ck_assert_pstr_eq(header("ETag"), etag);
}

#define CONFIRMED(units, rest, total, available)                                              \
    "{\"success\":true,\"productId\":\"PROD-001\",\"reservationId\":\"@\","                   \
    "\"confirmedQuantity\":" units ",\"remainingQuantity\":" rest ",\"totalQuantity\":" total \
    ",\"availableQuantity\":" available ",\"message\":\"Successfully confirmed " units " units\"}"
#define SHOWN(reserved_at, expires_at)                                                 \
    "{\"productId\":\"PROD-001\",\"reservationId\":\"@\",\"customerId\":\"CUST-123\"," \
    "\"quantity\":5,\"reservedAt\":\"2025-01-19T" reserved_at                          \
    "Z\",\"expiresAt\":\"2025-01-19T" expires_at "Z\"}"

/* ---- confirm ---- */

START_TEST(a_reservation_is_sold_whole_or_in_parts) {
    reserve(_i);
    call(_i, "/confirm", "{\"quantity\":2,\"customerId\":\"CUST-123\"}");
    assert_answer(200, CONFIRMED("2", "3", "98", "95"), "\"3\"");
    call(_i, "/confirm", NULL);
    assert_answer(200, CONFIRMED("3", "0", "95", "95"), "\"4\"");
    change(_i, "", NULL);
    ck_assert_ptr_nonnull(strstr(answer.body.data, "\"totalQuantity\":95,\"availableQuantity\":95,"
                                                   "\"reservedQuantity\":0,"));
}
END_TEST

START_TEST(the_same_confirm_again_gets_the_first_answer) {
    reserve(_i);
    for (int i = 0; i < 3; i++) {
        call(_i, "/confirm", NULL);
        assert_answer(200, CONFIRMED("5", "0", "95", "95"), "\"3\"");
        change(_i, "adjust", "{\"delta\":1}");
    }
}
END_TEST

START_TEST(a_confirm_that_asks_for_something_else_is_another) {
    reserve(_i);
    call(_i, "/confirm", "{\"quantity\":3}");
    ck_assert_int_eq(answer.status, 200);
    call(_i, "/confirm", "{\"quantity\":4}");
    assert_error(400, "InvalidQuantity", "\"3\"");
    ck_assert_ptr_nonnull(strstr(answer.body.data, "The reservation holds 2 units."));
    call_with(_i, "/confirm", "{\"quantity\":1}", "Idempotency-Key", "k");
    assert_answer(200, CONFIRMED("1", "1", "96", "95"), "\"4\"");
    call_with(_i, "/confirm", "{\"quantity\":1}", "Idempotency-Key", "k");
    assert_answer(200, CONFIRMED("1", "1", "96", "95"), "\"4\"");
    call_with(_i, "/confirm", NULL, "Idempotency-Key", "k");
    assert_error(422, "IdempotencyKeyReused", NULL);
    call(_i, "/confirm", "{}");
    ck_assert_int_eq(answer.status, 200);
    call(_i, "/confirm", "{\"quantity\":2}");
    assert_error(404, "ReservationNotFound", "\"5\"");
}
END_TEST

/* _i: the shape */
START_TEST(what_is_not_there_for_this_customer_is_not_found) {
    static const char *const actions[] = {"/confirm", "/extend"};
    reserve(_i);
    for (size_t i = 0; i < 2; i++) {
        call(_i, actions[i], "{\"customerId\":\"CUST-999\"}");
        assert_error(404, "ReservationNotFound", "\"2\"");
    }
    snprintf(id, sizeof id, "ffffb0a1-2345-8abc-9def-0123456789ab");
    for (size_t i = 0; i < 2; i++) {
        call(_i, actions[i], NULL);
        assert_error(404, "ReservationNotFound", "\"2\"");
    }
    call(_i, "", NULL);
    assert_error(404, "ReservationNotFound", "\"2\"");
}
END_TEST

/* Its id says that it has expired. But it is there, and another customer's. */
START_TEST(an_extended_reservation_of_another_customer_is_not_found_after_its_first_expiry) {
    reserve(_i);
    call(_i, "/extend", "{\"lifetimeSeconds\":3600}");
    clock_fake_advance(&app.store_clock, LIFETIME_MS);
    call(_i, "/confirm", "{\"customerId\":\"CUST-999\"}");
    assert_error(404, "ReservationNotFound", "\"3\"");
    call(_i, "/extend", "{\"customerId\":\"CUST-999\"}");
    assert_error(404, "ReservationNotFound", "\"3\"");
    clock_fake_advance(&app.store_clock, LIFETIME_MS);
    call(_i, "/confirm", "{\"customerId\":\"CUST-999\"}");
    assert_error(409, "ReservationExpired", "\"3\"");
}
END_TEST

START_TEST(an_expired_reservation_is_a_conflict_and_stays_one) {
    reserve(_i);
    clock_fake_advance(&app.store_clock, LIFETIME_MS);
    for (int i = 0; i < 2; i++) {
        call(_i, "/confirm", NULL);
        assert_error(409, "ReservationExpired", i == 0 ? "\"2\"" : "\"3\"");
        call(_i, "/extend", NULL);
        assert_error(409, "ReservationExpired", i == 0 ? "\"2\"" : "\"3\"");
        call(_i, "", NULL);
        assert_error(404, "ReservationNotFound", i == 0 ? "\"2\"" : "\"3\"");
        change(_i, "adjust", "{\"delta\":1}"); /* removes its row along */
    }
    change(_i, "", NULL);
    ck_assert_ptr_nonnull(
        strstr(answer.body.data, "\"totalQuantity\":102,\"availableQuantity\":102,"));
}
END_TEST

/*
 * In the invocation shape the host does not hand on a body that is sent in chunks. It may ask for a
 * part, so nothing is done without it.
 */
START_TEST(a_body_that_the_host_does_not_hand_on_is_not_taken_for_none) {
    reserve(CALL_INVOCATION);
    call_with(CALL_INVOCATION, "/confirm", NULL, "Transfer-Encoding", "chunked");
    assert_error(400, "InvalidJson", NULL);
    ck_assert_ptr_nonnull(strstr(answer.body.data, "Content-Length"));
    call_with(CALL_INVOCATION, "/extend", NULL, "transfer-encoding", "chunked");
    assert_error(400, "InvalidJson", NULL);
    call(CALL_INVOCATION, "", NULL);
    assert_answer(200, SHOWN("14:45:30.000", "15:15:30.000"), "\"2\"");
}
END_TEST

START_TEST(a_version_that_is_another_is_a_failed_precondition) {
    static const char *const wrong[] = {"\"1\"", "\"3\"", "W/\"2\"", "\"x\""};
    reserve(_i);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        call_with(_i, "/confirm", NULL, "If-Match", wrong[i]);
        assert_error(412, "PreconditionFailed", "\"2\"");
        call_with(_i, "/extend", NULL, "If-Match", wrong[i]);
        assert_error(412, "PreconditionFailed", "\"2\"");
    }
    call_with(_i, "/confirm", NULL, "If-Match", "\"2\", \"3\"");
    assert_error(400, "BadRequest", NULL);
    call_with(_i, "/confirm", "{\"quantity\":1}", "If-Match", "*");
    assert_answer(200, CONFIRMED("1", "4", "99", "95"), "\"3\"");
    call_with(_i, "/confirm", "{\"quantity\":2}", "If-Match", "\"3\"");
    assert_answer(200, CONFIRMED("2", "2", "97", "95"), "\"4\"");
    call_with(_i, "/confirm", "{\"quantity\":2}", "If-Match", "\"3\""); /* a repeat */
    assert_answer(200, CONFIRMED("2", "2", "97", "95"), "\"4\"");
}
END_TEST

/* ---- extend, get ---- */

START_TEST(a_reservation_is_shown_and_extended) {
    reserve(_i);
    call(_i, "", NULL);
    assert_answer(200, SHOWN("14:45:30.000", "15:15:30.000"), "\"2\"");
    clock_fake_advance(&app.store_clock, 10 * MINUTE_MS);
    call(_i, "/extend", NULL);
    assert_answer(200, SHOWN("14:45:30.000", "15:25:30.000"), "\"3\"");
    call(_i, "/extend", "{\"lifetimeSeconds\":3600}");
    assert_answer(200, SHOWN("14:45:30.000", "15:55:30.000"), "\"4\"");
    call(_i, "/extend", "{\"lifetimeSeconds\":1}"); /* never earlier */
    assert_answer(200, SHOWN("14:45:30.000", "15:55:30.000"), "\"4\"");
    clock_fake_advance(&app.store_clock, 60 * MINUTE_MS - 1);
    call(_i, "", NULL);
    assert_answer(200, SHOWN("14:45:30.000", "15:55:30.000"), "\"4\"");
    clock_fake_advance(&app.store_clock, 1);
    call(_i, "", NULL);
    assert_error(404, "ReservationNotFound", "\"4\"");
}
END_TEST

/* A heartbeat: each one counts. With a key, only the first. */
START_TEST(an_extension_without_a_key_is_made_each_time) {
    reserve(_i);
    call_with(_i, "/extend", "{\"lifetimeSeconds\":1801}", "Idempotency-Key", "k");
    assert_answer(200, SHOWN("14:45:30.000", "15:15:31.000"), "\"3\"");
    clock_fake_advance(&app.store_clock, MINUTE_MS);
    call(_i, "/extend", NULL);
    assert_answer(200, SHOWN("14:45:30.000", "15:16:30.000"), "\"4\"");
    call_with(_i, "/extend", "{\"lifetimeSeconds\":1801}", "Idempotency-Key", "k");
    assert_answer(200, SHOWN("14:45:30.000", "15:15:31.000"), "\"3\"");
}
END_TEST

/*
 * The host sends it again if the answer is lost. For that version it can have been made only once,
 * so the second is no heartbeat, and it must not say that nothing was done.
 */
START_TEST(an_extension_of_one_version_gets_its_first_answer_again) {
    reserve(_i);
    clock_fake_advance(&app.store_clock, MINUTE_MS);
    for (int i = 0; i < 2; i++) {
        call_with(_i, "/extend", NULL, "If-Match", "\"2\"");
        assert_answer(200, SHOWN("14:45:30.000", "15:16:30.000"), "\"3\"");
        clock_fake_advance(&app.store_clock, MINUTE_MS);
    }
    call_with(_i, "/extend", "{\"lifetimeSeconds\":1800}", "If-Match", "\"2\"");
    assert_error(412, "PreconditionFailed", "\"3\"");
    call_with(_i, "/extend", NULL, "If-Match", "\"3\"");
    assert_answer(200, SHOWN("14:45:30.000", "15:18:30.000"), "\"4\"");
    call_with(_i, "/extend", NULL, "If-Match", "*");
    ck_assert_int_eq(answer.status, 200);
    clock_fake_advance(&app.store_clock, MINUTE_MS);
    call_with(_i, "/extend", NULL, "If-Match", "*");
    assert_answer(200, SHOWN("14:45:30.000", "15:19:30.000"), "\"5\"");
}
END_TEST

START_TEST(a_reservation_may_be_made_for_another_time_than_usual) {
    change(_i, "reserve", "{\"quantity\":5,\"customerId\":\"CUST-123\",\"lifetimeSeconds\":90}");
    ck_assert_ptr_nonnull(strstr(answer.body.data, "\"expiresAt\":\"2025-01-19T14:47:00.000Z\""));
    change(_i, "reserve", "{\"quantity\":5,\"customerId\":\"C\",\"lifetimeSeconds\":86401}");
    assert_error(400, "InvalidLifetime", NULL);
}
END_TEST

START_TEST(reading_needs_no_lease) {
    reserve(_i);
    function_app_await_release(&app, "inventory-PROD-001");
    size_t count = lease_store_fake_count(app.lease_service, FAKE_ACQUIRE);
    call(_i, "", NULL);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_uint_eq(lease_store_fake_count(app.lease_service, FAKE_ACQUIRE), count);
}
END_TEST

START_TEST(storage_that_fails_is_a_503) {
    reserve(_i);
    app.store.next[STORE_READ] = STATUS_UNAVAILABLE;
    call(_i, "", NULL);
    assert_error(503, "StorageUnavailable", NULL);
    app.store.next[STORE_COMMIT] = STATUS_UNAVAILABLE;
    call(_i, "/confirm", NULL);
    assert_error(503, "StorageUnavailable", NULL);
}
END_TEST

/* ---- without the lease ---- */

START_TEST(a_lease_that_is_not_had_is_a_conflict_to_be_retried) {
    reserve(_i);
    function_app_await_release(&app, "inventory-PROD-001");
    lease_store_fake_set_holder(app.lease_service, "inventory-PROD-001",
                                "6c8e5a31-0000-4000-8000-000000000000");
    call(_i, "/confirm", NULL);
    assert_answer(409,
                  "{\"success\":false,\"productId\":\"PROD-001\",\"reservationId\":\"@\","
                  "\"confirmedQuantity\":0,\"remainingQuantity\":null,\"totalQuantity\":100,"
                  "\"availableQuantity\":95,"
                  "\"message\":\"Another operation is in progress. Please retry.\"}",
                  "\"2\"");
    ck_assert_str_eq(header("Retry-After"), "1");
    call(_i, "/extend", NULL);
    ck_assert_int_eq(answer.status, 409);
    ck_assert_str_eq(header("Retry-After"), "1");
    ck_assert_ptr_nonnull(
        strstr(answer.body.data, "\"message\":\"Another operation is in progress."));
}
END_TEST

START_TEST(the_answer_is_whole_or_a_500_whichever_allocation_fails) {
    char path[160];
    reserve(CALL_PROXIED);
    snprintf(path, sizeof path, "/api/inventory/PROD-001/reservations/%s%s", id,
             _i == 0 ? "" : "/extend");
    assert_whole_or_500(_i == 0 ? "GET" : "POST", path, "", id, 200);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("confirm_reservation");
    TCase *answers = tcase_create("answers");
    tcase_add_checked_fixture(answers, set_up, tear_down);
    tcase_add_loop_test(answers, a_reservation_is_sold_whole_or_in_parts, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, the_same_confirm_again_gets_the_first_answer, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, a_confirm_that_asks_for_something_else_is_another, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, what_is_not_there_for_this_customer_is_not_found, 0, CALL_SHAPES);
    tcase_add_loop_test(
        answers, an_extended_reservation_of_another_customer_is_not_found_after_its_first_expiry, 0,
        CALL_SHAPES);
    tcase_add_loop_test(answers, an_expired_reservation_is_a_conflict_and_stays_one, 0,
                        CALL_SHAPES);
    tcase_add_test(answers, a_body_that_the_host_does_not_hand_on_is_not_taken_for_none);
    tcase_add_loop_test(answers, a_version_that_is_another_is_a_failed_precondition, 0,
                        CALL_SHAPES);
    tcase_add_loop_test(answers, a_reservation_is_shown_and_extended, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, an_extension_without_a_key_is_made_each_time, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, an_extension_of_one_version_gets_its_first_answer_again, 0,
                        CALL_SHAPES);
    tcase_add_loop_test(answers, a_reservation_may_be_made_for_another_time_than_usual, 0,
                        CALL_SHAPES);
    tcase_add_loop_test(answers, reading_needs_no_lease, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, storage_that_fails_is_a_503, 0, CALL_SHAPES);
    tcase_add_loop_test(answers, the_answer_is_whole_or_a_500_whichever_allocation_fails, 0, 2);
    suite_add_tcase(suite, answers);
    TCase *impatient = tcase_create("no waiting");
    tcase_add_checked_fixture(impatient, set_up_impatient, tear_down);
    tcase_add_loop_test(impatient, a_lease_that_is_not_had_is_a_conflict_to_be_retried, 0,
                        CALL_SHAPES);
    suite_add_tcase(suite, impatient);
    return check_main(suite);
}
