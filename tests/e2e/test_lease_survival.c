/*
 * What becomes of a lease when its holder is killed or stopped, when it is broken, and when its
 * container goes away.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/uuid.h"
#include "support/processes/check_main.h"
#include "support/processes/instance_pair.h"

enum {
    LEASE_MS = 15000, /* the shortest that storage gives, as in the settings below */
    TAKE_OVER_MS = LEASE_MS + 1000,
    HOLDER_QUANTITY = 5,
    OTHER_QUANTITY = 3,
    TOTAL = 100,
    MANY = 10,
};

#define SHORT_LEASE "DistributedLeasing:DefaultLeaseDuration=00:00:15"
#define EAGER_RENEWAL "DistributedLeasing:AutoRenewInterval=00:00:01"
#define WORK(time) "Inventory:ProcessingTime=" time
#define PATIENCE(time) "DistributedLeasing:AcquireTimeout=" time
#define MANY_PRODUCTS                                                                              \
    "Inventory:SeedProducts=PROD-001=1;P-0=1;P-1=1;P-2=1;P-3=1;P-4=1;P-5=1;P-6=1;P-7=1;P-8=1;P-9=" \
    "1"
#define LEASE_LOST "\"code\":\"LeaseLost\""
#define RESERVED "\"success\":true"
#define BUSY "Another operation is in progress. Please retry."

static struct app *const holder = &instance_pair.holder;
static struct app *const other = &instance_pair.other;

/* The id of the first lease that the holder had is told lost, in the words that people look for. */
static void assert_first_lease_told_lost(void) {
    static const char acquired[] = "Acquired lease ";
    char *log = process_output_from(&holder->process, 0);
    char line[64 + UUID_TEXT_BYTES];
    snprintf(line, sizeof line, "Lease %.*s lost: ", UUID_TEXT_BYTES - 1,
             strstr(log, acquired) + strlen(acquired));
    free(log);
    instance_wait_for_log(holder, 0, line, INSTANCE_PATIENCE_MS);
}

START_TEST(the_lease_of_a_killed_holder_is_had_when_it_has_run_out) {
    instance_start(other, (const char *const[]){SHORT_LEASE, PATIENCE("00:00:40"), NULL});
    int64_t before_ms = process_now_ms();
    int killed =
        instance_hold((const char *const[]){SHORT_LEASE, WORK("00:01:00"), NULL}, HOLDER_QUANTITY);
    int waiting = instance_wait_behind(OTHER_QUANTITY);
    int64_t killed_ms = process_now_ms();
    ck_assert_int_eq(app_stop(holder, SIGKILL), 128 + SIGKILL);
    ck_assert(raw_http_is_closed(killed));
    close(killed);

    instance_wait_for_log(other, 0, "Acquired lease", TAKE_OVER_MS + INSTANCE_PATIENCE_MS);
    int64_t acquired_ms = process_now_ms();
    ck_assert_int_le(acquired_ms - killed_ms, TAKE_OVER_MS);
    ck_assert_int_ge(acquired_ms - before_ms, LEASE_MS);
    instance_expect_answer(waiting, 200, RESERVED);
    ck_assert_int_eq(instance_available(other, "PROD-001"), TOTAL - OTHER_QUANTITY);
    instance_assert_calm(other);
}
END_TEST

START_TEST(a_holder_that_stood_still_past_its_lease_commits_nothing) {
    instance_start(other, (const char *const[]){SHORT_LEASE, PATIENCE("00:00:40"), NULL});
    int stopped =
        instance_hold((const char *const[]){SHORT_LEASE, WORK("00:00:05"), NULL}, HOLDER_QUANTITY);
    process_signal(&holder->process, SIGSTOP);
    int waiting = instance_wait_behind(OTHER_QUANTITY);
    instance_wait_for_log(other, 0, "Acquired lease", TAKE_OVER_MS + INSTANCE_PATIENCE_MS);
    instance_expect_answer(waiting, 200, RESERVED);

    process_signal(&holder->process, SIGCONT);
    int64_t continued_ms = process_now_ms();
    instance_expect_answer(stopped, 409, LEASE_LOST);
    ck_assert_int_le(process_now_ms() - continued_ms, 2000); /* it was known at once */
    ck_assert_int_eq(instance_available(other, "PROD-001"), TOTAL - OTHER_QUANTITY);
    instance_expect_reserve(holder, "PROD-001", HOLDER_QUANTITY, 200, RESERVED);
    ck_assert_int_eq(instance_available(other, "PROD-001"),
                     TOTAL - OTHER_QUANTITY - HOLDER_QUANTITY);
    instance_stop(holder);
}
END_TEST

START_TEST(a_lease_broken_in_mid_operation_ends_it_uncommitted) {
    int call = instance_hold(
        (const char *const[]){SHORT_LEASE, EAGER_RENEWAL, WORK("00:00:04"), NULL}, HOLDER_QUANTITY);
    int64_t broken_ms = process_now_ms();
    instance_break_lease("PROD-001");
    instance_expect_answer(call, 409, LEASE_LOST);
    ck_assert_int_le(process_now_ms() - broken_ms,
                     3000); /* at the next renewal, not when the work is done */
    assert_first_lease_told_lost();
    ck_assert_int_eq(instance_available(holder, "PROD-001"), TOTAL);
    instance_expect_reserve(holder, "PROD-001", HOLDER_QUANTITY, 200, RESERVED);
    ck_assert_int_eq(instance_available(holder, "PROD-001"), TOTAL - HOLDER_QUANTITY);
    instance_stop(holder);
}
END_TEST

static void wait_for_log_lines(const char *text, int count) {
    int64_t deadline_ms = process_now_ms() + INSTANCE_PATIENCE_MS;
    while (instance_count_in_log(holder, 0, text) < count) {
        ck_assert_msg(process_now_ms() < deadline_ms, "%d lines with '%s', not %d",
                      instance_count_in_log(holder, 0, text), text, count);
        poll(NULL, 0, 20);
    }
}

/*
 * Who works under a lease notices at the same moment as the thread that tells of it: either may be
 * first.
 */
START_TEST(every_lease_that_cannot_be_renewed_is_told_lost) {
    instance_start(
        holder, (const char *const[]){SHORT_LEASE, EAGER_RENEWAL, WORK("00:00:15"), MANY_PRODUCTS,
                                      "DistributedLeasing:AutoRenewSafetyThreshold=0.5", NULL});
    int calls[MANY];
    for (int i = 0; i < MANY; i++) {
        char id[16];
        snprintf(id, sizeof id, "P-%d", i);
        calls[i] = instance_send_reserve(holder, id, 1);
    }
    wait_for_log_lines("renewed. New expiration:", MANY);
    process_signal(&instance_pair.azurite.process, SIGSTOP); /* renewals hang */
    for (int i = 0; i < MANY; i++) {
        instance_expect_answer(calls[i], 409, LEASE_LOST);
    }
    process_signal(&instance_pair.azurite.process, SIGCONT);
    wait_for_log_lines(" lost: ", MANY);
    instance_stop(holder);
}
END_TEST

START_TEST(an_infinite_lease_outlives_its_holder_until_an_operator_breaks_it) {
    instance_start(other, (const char *const[]){PATIENCE("00:00:01"), NULL});
    int killed =
        instance_hold((const char *const[]){"DistributedLeasing:DefaultLeaseDuration=Infinite",
                                            WORK("00:01:00"), NULL},
                      HOLDER_QUANTITY);
    ck_assert_int_eq(app_stop(holder, SIGKILL), 128 + SIGKILL);
    close(killed);
    for (int i = 0; i < 2; i++) {
        int64_t sent_ms = process_now_ms();
        instance_expect_reserve(other, "PROD-001", OTHER_QUANTITY, 409, BUSY);
        ck_assert_int_ge(process_now_ms() - sent_ms, 1000);
    }
    instance_break_lease("PROD-001");
    instance_expect_reserve(other, "PROD-001", OTHER_QUANTITY, 200, RESERVED);
    ck_assert_int_eq(instance_available(other, "PROD-001"), TOTAL - OTHER_QUANTITY);
    instance_assert_calm(other);
}
END_TEST

START_TEST(a_lease_container_that_was_deleted_is_made_again_by_the_next_reserve) {
    instance_start(holder, NULL);
    instance_expect_reserve(holder, "PROD-001", HOLDER_QUANTITY, 200, RESERVED);
    size_t mark = azurite_mark(&instance_pair.azurite);
    instance_delete_lease_container();
    instance_expect_reserve(holder, "PROD-001", HOLDER_QUANTITY, 200, RESERVED);
    ck_assert_int_eq(instance_count_requests(
                         mark, "PUT /devstoreaccount1/leases?restype=container HTTP/1.1\" 201"),
                     1);
    ck_assert_int_eq(instance_available(holder, "PROD-001"), TOTAL - 2 * HOLDER_QUANTITY);
    instance_assert_calm(holder);
    instance_stop(holder);
}
END_TEST

START_TEST(a_lease_container_deleted_in_mid_operation_costs_that_operation_alone) {
    int call = instance_hold(
        (const char *const[]){SHORT_LEASE, EAGER_RENEWAL, WORK("00:00:04"), NULL}, HOLDER_QUANTITY);
    instance_delete_lease_container();
    instance_expect_answer(call, 409, LEASE_LOST);
    assert_first_lease_told_lost();
    ck_assert_int_eq(instance_available(holder, "PROD-001"), TOTAL);
    instance_expect_reserve(holder, "PROD-001", HOLDER_QUANTITY, 200, RESERVED);
    ck_assert_int_eq(instance_available(holder, "PROD-001"), TOTAL - HOLDER_QUANTITY);
    instance_stop(holder);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lease survival");
    TCase *survival = tcase_create("holders and leases that end badly");
    tcase_set_timeout(survival, 120);
    tcase_add_checked_fixture(survival, instance_set_up, instance_tear_down);
    tcase_add_test(survival, the_lease_of_a_killed_holder_is_had_when_it_has_run_out);
    tcase_add_test(survival, a_holder_that_stood_still_past_its_lease_commits_nothing);
    tcase_add_test(survival, a_lease_broken_in_mid_operation_ends_it_uncommitted);
    tcase_add_test(survival, every_lease_that_cannot_be_renewed_is_told_lost);
    tcase_add_test(survival, an_infinite_lease_outlives_its_holder_until_an_operator_breaks_it);
    tcase_add_test(survival, a_lease_container_that_was_deleted_is_made_again_by_the_next_reserve);
    tcase_add_test(survival, a_lease_container_deleted_in_mid_operation_costs_that_operation_alone);
    suite_add_tcase(suite, survival);
    return check_main(suite);
}
