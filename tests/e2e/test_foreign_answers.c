/*
 * test_foreign_answers.c - something on the way answers in storage's place, or storage's answers
 * have a wrong Date: nothing of that is believed, and nothing has to be restarted afterwards.
 *
 * The holder's requests go through proxies. A proxy's status without an error code is what a
 * gateway answers.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utc.h"
#include "support/calls/http_client.h"
#include "support/processes/check_main.h"
#include "support/processes/instance_pair.h"
#include "support/proxies/fault_proxy.h"

enum { DAY_MS = 24 * 60 * 60 * 1000, TOTAL = 100 };
#define TIMER "{\"Data\":{\"timer\":{}},\"Metadata\":{}}"

static struct app *const app = &instance_pair.holder;
static struct fault_proxy *blobs, *tables;

static void set_up(void) {
    char connection_string[AZURITE_CONNECTION_STRING_BYTES];
    static const char *const settings[] = {"DistributedLeasing:AcquireTimeout=00:00:03", NULL};
    instance_set_up();
    blobs = fault_proxy_new(instance_pair.azurite.blob_port, 1);
    tables = fault_proxy_new(instance_pair.azurite.table_port, 1);
    azurite_write_connection_string(fault_proxy_port(blobs), fault_proxy_port(tables),
                                    connection_string);
    app_start_handler(
        app, &(struct app_options){.connection_string = connection_string, .settings = settings});
    instance_wait_for_log(app, 0, "listens on", INSTANCE_PATIENCE_MS);
    ck_assert_int_eq(instance_available(app, "PROD-001"), TOTAL);
}

static void tear_down(void) {
    instance_tear_down();
    fault_proxy_free(blobs);
    fault_proxy_free(tables);
}

static void add_to_both(const struct fault_rule *rule) {
    fault_proxy_add(blobs, rule);
    fault_proxy_add(tables, rule);
}

static size_t count_granted(const char *action, int status) {
    struct fault_request requests[64];
    size_t count = fault_proxy_requests(blobs, &(struct fault_rule){.lease_action = action},
                                        requests, 64),
           granted = 0;
    for (size_t i = 0; i < count && i < 64; i++) {
        granted += requests[i].status == status;
    }
    return granted;
}

/*
 * A release that a gateway puts off for an hour would leave the product closed until its lease has
 * run out.
 */
static void wait_until_no_lease_is_held(void) {
    int64_t deadline_ms = process_now_ms() + INSTANCE_PATIENCE_MS;
    while (count_granted("release", 200) < count_granted("acquire", 201)) {
        ck_assert_int_lt(process_now_ms(), deadline_ms);
        poll(NULL, 0, 5);
    }
}

static void clear_both(void) {
    fault_proxy_clear(blobs);
    fault_proxy_clear(tables);
}

/* POSTs, and checks the status. The answer is the caller's. */
static struct http_reply post(const char *path, const char *body, int status) {
    struct http_reply reply = http_ask(
        (struct http_ask){.port = app->port, .method = "POST", .path = path, .body = body});
    ck_assert_msg(reply.status == status, "%s: %d, not %d: %s", path, reply.status, status,
                  reply.body.data);
    return reply;
}

static void expect_unavailable(const char *method, const char *path, const char *body) {
    struct http_reply reply = http_ask(
        (struct http_ask){.port = app->port, .method = method, .path = path, .body = body});
    ck_assert_msg(reply.status == 503, "%s: %d: %s", path, reply.status, reply.body.data);
    ck_assert_ptr_nonnull(http_headers_get(&reply.headers, "Retry-After"));
    ck_assert_ptr_nonnull(strstr(reply.body.data, "\"StorageUnavailable\""));
    http_reply_cleanup(&reply);
}

#define RESERVE_PATH "/api/inventory/PROD-001/reserve"
#define UNITS(n) "{\"quantity\":" #n ",\"customerId\":\"C1\"}"

/* --- a gateway --- */

static const int statuses[] = {200, 201, 202, 204, 302, 307, 400, 401, 403,
                               404, 405, 407, 409, 412, 429, 451, 502};

START_TEST(what_a_gateway_answers_is_503_for_the_caller_until_it_has_gone) {
    char told[64], address[64];
    snprintf(address, sizeof address, "http://127.0.0.1:%d/" AZURITE_ACCOUNT,
             fault_proxy_port(tables));
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        size_t log_end = process_output_length(&app->process);
        wait_until_no_lease_is_held();
        add_to_both(&(struct fault_rule){.kind = FAULT_STATUS_BEFORE,
                                         .status = statuses[i],
                                         .retry_after_s = 3600,
                                         .body = "<html>not storage</html>"});
        expect_unavailable("POST", RESERVE_PATH, UNITS(1));
        expect_unavailable("GET", "/api/inventory/PROD-001", NULL);
        snprintf(told, sizeof told, ": answered, but not by storage: %d", statuses[i]);
        instance_wait_for_log(app, log_end, told, INSTANCE_PATIENCE_MS);
        instance_wait_for_log(app, log_end, address, INSTANCE_PATIENCE_MS);
        clear_both();
        instance_expect_reserve(app, "PROD-001", 1, 200, "\"success\":true");
    }
    ck_assert_int_eq(instance_available(app, "PROD-001"),
                     TOTAL - (int)(sizeof statuses / sizeof statuses[0]));
    instance_stop(app);
}
END_TEST

/* Without Retry-After the request is sent again: the caller notices nothing. */
START_TEST(a_gateway_that_answers_for_a_moment_costs_a_moment) {
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        add_to_both(
            &(struct fault_rule){.kind = FAULT_STATUS_BEFORE, .status = statuses[i], .times = 2});
        instance_expect_reserve(app, "PROD-001", 1, 200, "\"success\":true");
        clear_both();
    }
    ck_assert_int_eq(instance_available(app, "PROD-001"),
                     TOTAL - (int)(sizeof statuses / sizeof statuses[0]));
    instance_stop(app);
}
END_TEST

/*
 * Storage has acted, and its answer is replaced on the way: what has happened is found out, and
 * happens once.
 */
START_TEST(a_gateway_that_answers_in_place_of_storages_success_hides_nothing) {
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        add_to_both(
            &(struct fault_rule){.kind = FAULT_STATUS_AFTER, .status = statuses[i], .times = 1});
        fault_proxy_add(tables, &(struct fault_rule){.path_contains = "$batch",
                                                     .kind = FAULT_STATUS_AFTER,
                                                     .status = statuses[i],
                                                     .times = 1});
        instance_expect_reserve(app, "PROD-002", 1, 200, "\"success\":true");
        clear_both();
    }
    ck_assert_int_eq(instance_available(app, "PROD-002"),
                     50 - (int)(sizeof statuses / sizeof statuses[0]));
    instance_stop(app);
}
END_TEST

/* --- a wrong Date --- */

/* Fires the timer. */
static void reconcile(void) {
    struct http_reply reply = post("/ReconcileInventory", TIMER, 200);
    ck_assert_ptr_nonnull(strstr(reply.body.data, "\"expiredReservationsReleased\":0"));
    http_reply_cleanup(&reply);
}

static int64_t expiry_of(const struct http_reply *reply) {
    cJSON *json = http_reply_json(reply);
    int64_t ms = 0;
    ck_assert(utc_parse_iso8601(json_string(json, "expiresAt"), &ms));
    cJSON_Delete(json);
    return ms;
}

static const int days[] = {2, -2};
enum { POSITIONS = 10 };

/*
 * Five units are reserved, two of them were released by a release that is on record for a day.
 * Then one answer after the other has a wrong Date, of the job's, of a reading's and of a
 * reservation's own.
 */
START_TEST(one_wrong_date_deletes_nothing_and_expires_nothing) {
    struct http_reply reserved = post(RESERVE_PATH, UNITS(5), 200), first, again;
    cJSON *json = http_reply_json(&reserved);
    char release[256];
    snprintf(release, sizeof release,
             "{\"quantity\":2,\"customerId\":\"C1\",\"reservationId\":\"%s\"}",
             json_string(json, "reservationId"));
    first = post("/api/inventory/PROD-001/release", release, 200);
    int left = TOTAL - 3;
    for (int position = 0; position < POSITIONS; position++) {
        add_to_both(&(struct fault_rule){.kind = FAULT_WRONG_DATE,
                                         .skip = position,
                                         .times = 1,
                                         .delay_ms = (int64_t)days[_i] * DAY_MS});
        reconcile();
        ck_assert_int_eq(instance_available(app, "PROD-001"), left);
        struct http_reply fresh = post(RESERVE_PATH, UNITS(1), 200);
        ck_assert_int_lt(llabs(expiry_of(&fresh) - clock_wall_ms(clock_system()) - 30 * 60 * 1000),
                         60 * 1000);
        http_reply_cleanup(&fresh);
        ck_assert_int_eq(instance_available(app, "PROD-001"), --left);
        clear_both();
    }
    again = post("/api/inventory/PROD-001/release", release, 200);
    ck_assert_str_eq(again.body.data, first.body.data);
    ck_assert_int_eq(instance_available(app, "PROD-001"), left);
    http_reply_cleanup(&again);
    http_reply_cleanup(&first);
    cJSON_Delete(json);
    http_reply_cleanup(&reserved);
    instance_stop(app);
}
END_TEST

/* Every second answer is dated two days ahead: there are never two that agree on it. */
START_TEST(wrong_dates_in_between_delete_nothing_either) {
    instance_expect_reserve(app, "PROD-001", 5, 200, "\"success\":true");
    for (int i = 0; i < 40; i++) {
        add_to_both(&(struct fault_rule){.kind = FAULT_NONE, .times = 1, .skip = 0});
        add_to_both(&(struct fault_rule){.kind = FAULT_WRONG_DATE,
                                         .times = 1,
                                         .delay_ms = (i % 2 == 0 ? 2 : 3) * (int64_t)DAY_MS});
    }
    for (int i = 0; i < 5; i++) {
        reconcile();
        ck_assert_int_eq(instance_available(app, "PROD-001"), TOTAL - 5);
    }
    instance_stop(app);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("foreign answers");
    TCase *gateways = tcase_create("gateways");
    tcase_add_checked_fixture(gateways, set_up, tear_down);
    tcase_set_timeout(gateways, 300);
    tcase_add_test(gateways, what_a_gateway_answers_is_503_for_the_caller_until_it_has_gone);
    tcase_add_test(gateways, a_gateway_that_answers_for_a_moment_costs_a_moment);
    tcase_add_test(gateways, a_gateway_that_answers_in_place_of_storages_success_hides_nothing);
    suite_add_tcase(suite, gateways);
    TCase *dates = tcase_create("dates");
    tcase_add_checked_fixture(dates, set_up, tear_down);
    tcase_set_timeout(dates, 300);
    tcase_add_loop_test(dates, one_wrong_date_deletes_nothing_and_expires_nothing, 0, 2);
    tcase_add_test(dates, wrong_dates_in_between_delete_nothing_either);
    suite_add_tcase(suite, dates);
    return check_main(suite);
}
