/* Reconciliation: by schedule, by hand, and while another instance is at it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/calls/http_client.h"
#include "support/processes/app_steps.h"
#include "support/processes/check_main.h"

#define JOB "inventory-reconciliation-job"
#define TIMER_PAYLOAD                                                                     \
    "{\"Data\":{\"timer\":{\"Schedule\":{\"AdjustForDST\":true},\"ScheduleStatus\":null," \
    "\"IsPastDue\":false}},"                                                              \
    "\"Metadata\":{}}"

static void start(const char *schedule, const char *lifetime) {
    const char *const settings[] = {lifetime, NULL};
    app_start(&app, &(struct app_options){.connection_string = azurite.connection_string,
                                          .settings = settings,
                                          .timer_schedule = schedule});
}

static void reserve(const char *product) {
    char path[128];
    snprintf(path, sizeof path, "/api/inventory/%s/reserve", product);
    struct http_ask ask = {
        .port = app.port, .path = path, .body = "{\"quantity\":5,\"customerId\":\"CUST-123\"}"};
    ck_assert_int_eq(http_ask_status(ask), 200);
}

START_TEST(it_fires_by_schedule_and_releases_what_has_expired) {
    start("* * * * * *", "Inventory:ReservationLifetime=00:00:01");
    reserve("PROD-001");
    wait_for_log(0, "Reconciled product PROD-001: 1 expired");
    wait_for_log(0, "Executed 'Functions.ReconcileInventory' (Succeeded");
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0);
}
END_TEST

START_TEST(it_fires_by_hand) {
    start(NULL, "Inventory:ReservationLifetime=00:30:00");
    size_t from = process_output_length(&app.process);
    struct http_reply reply =
        http_ask((struct http_ask){.port = app.port,
                                   .path = "/admin/functions/ReconcileInventory",
                                   .method = "POST",
                                   .body = "{}"});
    ck_assert_int_eq(reply.status, 202);
    http_reply_cleanup(&reply);
    wait_for_log(from, "Executed 'Functions.ReconcileInventory' (Succeeded");
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0);
}
END_TEST

/* What the handler answers to its timer, asked as the host asks. */
static cJSON *run_timer(int expected_status) {
    struct http_reply reply = http_ask(
        (struct http_ask){.port = app.port, .path = "/ReconcileInventory", .body = TIMER_PAYLOAD});
    ck_assert_msg(reply.status == expected_status, "%d %s", reply.status, reply.body.data);
    cJSON *answer = http_reply_json(&reply);
    http_reply_cleanup(&reply);
    return answer;
}

static void start_handler(void) {
    static const char *const settings[] = {"Inventory:ReservationLifetime=00:00:00.200", NULL};
    app_start_handler(&app, &(struct app_options){.connection_string = azurite.connection_string,
                                                  .settings = settings});
    wait_for_log(0, "listens on");
}

static int64_t number(const cJSON *object, const char *key) {
    int64_t value = INT64_MIN;
    ck_assert(json_int64(object, key, &value));
    return value;
}

START_TEST(it_reports_what_it_did) {
    start_handler();
    reserve("PROD-001"), reserve("PROD-002"),
        reserve("PROD-003"); /* a second one would take an expired one along */
    int64_t deadline_ms = process_now_ms() + LOG_TIMEOUT_MS;
    int64_t released = 0;
    while (released < 3) { /* they expire one after the other */
        ck_assert_int_lt(process_now_ms(), deadline_ms);
        cJSON *answer = run_timer(200);
        ck_assert_ptr_nonnull(cJSON_GetObjectItemCaseSensitive(answer, "Outputs"));
        ck_assert_int_ge(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(answer, "Logs")), 1);
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(answer, "ReturnValue");
        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(value, "wasProcessed"))) {
            ck_assert_int_eq(number(value, "productsReconciled"), 3);
            ck_assert_uint_eq(strlen(json_string(value, "leaseId")), UUID_TEXT_BYTES - 1);
            ck_assert_int_eq(strncmp(json_string(value, "duration"), "00:00:", 6), 0);
            released += number(value, "expiredReservationsReleased");
        }
        cJSON_Delete(answer);
    }
    ck_assert_int_eq(released, 3);
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0);
}
END_TEST

START_TEST(while_another_instance_is_at_it_nothing_is_processed) {
    start_handler();
    cJSON_Delete(run_timer(200)); /* makes the blob */
    take_lease_from_app(JOB);
    cJSON *answer = run_timer(200);
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(answer, "ReturnValue");
    ck_assert(cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(value, "wasProcessed")));
    ck_assert(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(value, "leaseId")));
    ck_assert_int_eq(number(value, "productsReconciled"), 0);
    cJSON_Delete(answer);
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0);
}
END_TEST

START_TEST(a_failed_reconciliation_fails_the_invocation) {
    start_handler();
    cJSON_Delete(run_timer(200));
    azurite_stop(&azurite);
    cJSON *answer = run_timer(503);
    ck_assert_ptr_nonnull(cJSON_GetObjectItemCaseSensitive(answer, "error"));
    cJSON_Delete(answer);
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("timer");
    TCase *timer = tcase_create("reconciliation");
    tcase_set_timeout(timer, 120);
    tcase_add_checked_fixture(timer, start_azurite, tear_down);
    tcase_add_test(timer, it_fires_by_schedule_and_releases_what_has_expired);
    tcase_add_test(timer, it_fires_by_hand);
    tcase_add_test(timer, it_reports_what_it_did);
    tcase_add_test(timer, while_another_instance_is_at_it_nothing_is_processed);
    tcase_add_test(timer, a_failed_reconciliation_fails_the_invocation);
    suite_add_tcase(suite, timer);
    return check_main(suite);
}
