/*
 * test_stale_commit.c - the worst moment to be stopped: behind the commit gate, with the transaction on its way.
 *
 * The holder's requests to the Table service go through a proxy that keeps its transaction back until the lease has run out and
 * another instance has sold from the same stock. Then it arrives. The lease cannot help any more; the ETag must.
 */
#include <signal.h>
#include <stdio.h>

#include "support/check_main.h"
#include "support/fault_proxy.h"
#include "support/instance_pair.h"

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
    azurite_write_connection_string(instance_pair.azurite.blob_port, fault_proxy_port(tables), connection_string);
    app_start_handler(&instance_pair.holder,
                      &(struct app_options){.connection_string = connection_string, .settings = settings});
    instance_wait_for_log(&instance_pair.holder, 0, "listens on", INSTANCE_PATIENCE_MS);
    ck_assert_int_eq(instance_available(&instance_pair.holder, "PROD-001"), 100);
}

/* _i 0: it is told that its lease was broken under it; 1: it stood still meanwhile. */
START_TEST(a_transaction_that_arrives_when_another_has_committed_changes_nothing) {
    start_holder_behind_the_proxy();
    instance_start(&instance_pair.other, settings);
    int held_back = fault_proxy_add(
        tables,
        &(struct fault_rule){.method = "POST", .path_contains = "$batch", .times = 1, .kind = FAULT_HANG_BEFORE});
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
    int held_back = fault_proxy_add(
        tables,
        &(struct fault_rule){.method = "POST", .path_contains = "$batch", .times = 1, .kind = FAULT_RESET_AFTER});
    int call = instance_send_reserve(&instance_pair.holder, "PROD-001", 60);
    fault_proxy_await(tables, held_back, 1);
    instance_expect_answer(call, 200, "\"availableQuantity\":40");
    ck_assert_int_eq(instance_available(&instance_pair.holder, "PROD-001"), 40);
    instance_stop(&instance_pair.holder);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("stale_commit");
    TCase *tests = tcase_create("transactions that come late");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, a_transaction_that_arrives_when_another_has_committed_changes_nothing, 0, 2);
    tcase_add_test(tests, a_transaction_that_arrives_when_nobody_else_has_committed_counts_once);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
