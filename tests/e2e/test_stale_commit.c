/*
 * test_stale_commit.c - the worst moment to be stopped: behind the commit gate, with the
 * transaction on its way; and answers to a transaction that are not its own.
 *
 * The holder's requests to the Table service go through a proxy that keeps its transaction back
 * until the lease has run out and another instance has sold from the same stock. Then it arrives.
 * The lease cannot help any more; the ETag must.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "support/calls/http_client.h"
#include "support/processes/check_main.h"
#include "support/processes/instance_pair.h"
#include "support/proxies/fault_proxy.h"

static struct fault_proxy *tables;

static void set_up(void) {
    instance_set_up();
    tables = fault_proxy_new(instance_pair.azurite.table_port, 1);
}

static void tear_down(void) {
    instance_tear_down();
    fault_proxy_free(tables);
}

static const char *const settings[] = {"DistributedLeasing:DefaultLeaseDuration=00:00:15",
                                       "DistributedLeasing:AcquireTimeout=00:00:30", NULL};

static void start_holder_behind_the_proxy(void) {
    char connection_string[AZURITE_CONNECTION_STRING_BYTES];
    azurite_write_connection_string(instance_pair.azurite.blob_port, fault_proxy_port(tables),
                                    connection_string);
    app_start_handler(
        &instance_pair.holder,
        &(struct app_options){.connection_string = connection_string, .settings = settings});
    instance_wait_for_log(&instance_pair.holder, 0, "listens on", INSTANCE_PATIENCE_MS);
    ck_assert_int_eq(instance_available(&instance_pair.holder, "PROD-001"), 100);
}

/* _i 0: it is told that its lease was broken under it; 1: it stood still meanwhile. */
START_TEST(a_transaction_that_arrives_when_another_has_committed_changes_nothing) {
    start_holder_behind_the_proxy();
    instance_start(&instance_pair.other, settings);
    int held_back = fault_proxy_add(tables, &(struct fault_rule){.method = "POST",
                                                                 .path_contains = "$batch",
                                                                 .times = 1,
                                                                 .kind = FAULT_HANG_BEFORE});
    int call = instance_send_reserve(&instance_pair.holder, "PROD-001", 60);
    fault_proxy_await(tables, held_back, 1);
    if (_i == 1) {
        process_signal(&instance_pair.holder.process, SIGSTOP);
    } else {
        instance_break_lease("PROD-001");
    }
    instance_expect_reserve(&instance_pair.other, "PROD-001", 50, 200, "\"availableQuantity\":50");
    fault_proxy_let_go(tables);
    process_signal(&instance_pair.holder.process, SIGCONT);
    instance_expect_answer(call, 409, "\"LeaseLost\"");
    ck_assert_int_eq(instance_available(&instance_pair.holder, "PROD-001"), 50);
    ck_assert_int_eq(instance_available(&instance_pair.other, "PROD-001"), 50);
    instance_expect_reserve(&instance_pair.holder, "PROD-001", 50, 200, "\"availableQuantity\":0");
    instance_stop(&instance_pair.holder);
    instance_stop(&instance_pair.other);
}
END_TEST

START_TEST(a_transaction_that_arrives_when_nobody_else_has_committed_counts_once) {
    start_holder_behind_the_proxy();
    int held_back = fault_proxy_add(tables, &(struct fault_rule){.method = "POST",
                                                                 .path_contains = "$batch",
                                                                 .times = 1,
                                                                 .kind = FAULT_RESET_AFTER});
    int call = instance_send_reserve(&instance_pair.holder, "PROD-001", 60);
    fault_proxy_await(tables, held_back, 1);
    instance_expect_answer(call, 200, "\"availableQuantity\":40");
    ck_assert_int_eq(instance_available(&instance_pair.holder, "PROD-001"), 40);
    instance_stop(&instance_pair.holder);
}
END_TEST

/*
 * What is told of a transaction that was carried out: the second of two deliveries' answer, or a
 * gateway's page in its place.
 */
static const struct fault_rule lies[] = {
    {.kind = FAULT_TWICE},
    {.kind = FAULT_STATUS_AFTER, .status = 404, .body = "<html>no</html>"},
    {.kind = FAULT_STATUS_AFTER, .status = 409, .body = "<html>no</html>"},
    {.kind = FAULT_STATUS_AFTER, .status = 412, .body = "<html>no</html>"},
    {.kind = FAULT_STATUS_AFTER, .status = 412, .error_code = "ConditionNotMet"}};
enum { LIES = sizeof lies / sizeof *lies };

static void lie_once(const struct fault_rule *lie) {
    struct fault_rule rule = *lie;
    rule.method = "POST";
    rule.path_contains = "$batch";
    rule.times = 1;
    fault_proxy_add(tables, &rule);
}

static void expect_release(const char *body, const char *text) {
    struct http_reply reply = http_ask((struct http_ask){.port = instance_pair.holder.port,
                                                         .path = "/api/inventory/PROD-001/release",
                                                         .body = body});
    ck_assert_msg(reply.status == 200 && strstr(reply.body.data, text) != NULL, "%d %s",
                  reply.status, reply.body.data);
    http_reply_cleanup(&reply);
}

START_TEST(a_transaction_whose_answer_is_not_its_own_counts_once) {
    start_holder_behind_the_proxy();
    lie_once(&lies[_i]);
    instance_expect_reserve(&instance_pair.holder, "PROD-001", 60, 200, "\"availableQuantity\":40");
    ck_assert_int_eq(instance_available(&instance_pair.holder, "PROD-001"), 40);
    lie_once(&lies[_i]);
    expect_release("{\"quantity\":20,\"customerId\":\"CUST-123\"}", "\"newAvailableQuantity\":60");
    ck_assert_int_eq(instance_available(&instance_pair.holder, "PROD-001"), 60);
    ck_assert_int_eq(fault_proxy_applied_kind(tables, lies[_i].kind), 2);
    instance_stop(&instance_pair.holder);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("stale_commit");
    TCase *tests = tcase_create("transactions that come late");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(
        tests, a_transaction_that_arrives_when_another_has_committed_changes_nothing, 0, 2);
    tcase_add_loop_test(tests, a_transaction_whose_answer_is_not_its_own_counts_once, 0, LIES);
    tcase_add_test(tests, a_transaction_that_arrives_when_nobody_else_has_committed_counts_once);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
