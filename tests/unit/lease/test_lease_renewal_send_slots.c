/*
 * test_lease_renewal_send_slots.c - more requests are due at once than may be in flight.
 *
 * MANY leases last 30 s. Lease i was acquired at T + i, is renewed after 20 s, and counts as lost
 * after 27 s.
 */
#include <string.h>

#include "lease/lease_options.h"
#include "lease/lease_renewal.h"
#include "support/processes/check_main.h"

enum {
    T = 5000000,
    MAX = LEASE_MAX_REQUESTS_IN_FLIGHT,
    MANY = MAX + 100,
    ALL_DUE = T + MANY + 20000,
    SAFE_UNTIL = T + 27000
};

static struct leasehold_options options;
static struct lease_renewal renewal;
static struct lease leases[MANY];

/* The last lease is started first, so that no test depends on the order of starting. */
static void set_up(void) {
    options = lease_options_default();
    lease_renewal_init(&renewal, &options);
    for (int i = MANY - 1; i >= 0; i--) {
        memset(&leases[i], 0x5a, sizeof leases[i]);
        leases[i].duration_s = 30;
        lease_renewal_count_lease(&renewal);
        lease_renewal_start(&renewal, &leases[i], T + i);
    }
}

static void assert_nothing_due(int64_t now_ms) {
    ck_assert_int_eq(lease_renewal_due(&renewal, now_ms).kind, LEASE_ACTION_NONE);
}

static struct lease_action due(enum lease_action_kind kind, const struct lease *lease,
                               int64_t now_ms) {
    struct lease_action action = lease_renewal_due(&renewal, now_ms);
    ck_assert_int_eq(action.kind, kind);
    ck_assert_ptr_eq(action.lease, lease);
    return action;
}

static void settle(struct lease *lease, enum status status, int64_t now_ms) {
    if (lease_renewal_on_renew_reply(&renewal, lease, status, 0, now_ms) != LEASE_OUTCOME_NONE) {
        lease_renewal_notified(lease);
    }
}

/* All are due at the same moment, and as many as allowed are in flight. */
static void fill(void) {
    for (int i = 0; i < MAX; i++) {
        due(LEASE_ACTION_RENEW, &leases[i], ALL_DUE);
    }
    assert_nothing_due(ALL_DUE);
}

START_TEST(no_more_than_the_limit_is_in_flight_and_each_answer_lets_the_next_one_through) {
    fill();
    ck_assert_int_eq(lease_renewal_next_ms(&renewal), SAFE_UNTIL); /* what is due without a reply */
    for (int i = MAX; i < MANY; i++) {
        settle(&leases[i - MAX], i % 2 != 0 ? STATUS_OK : STATUS_UNAVAILABLE, ALL_DUE + 50);
        ck_assert_int_eq(lease_renewal_next_ms(&renewal), INT64_MIN);
        due(LEASE_ACTION_RENEW, &leases[i], ALL_DUE + 50);
        assert_nothing_due(ALL_DUE + 50);
    }
    settle(&leases[MANY - 1], STATUS_OK, ALL_DUE + 100);
    ck_assert_int_gt(lease_renewal_next_ms(&renewal),
                     ALL_DUE + 100); /* none waits for a slot any more */
}
END_TEST

START_TEST(the_timeout_of_an_attempt_begins_with_its_send_slot) {
    fill();
    struct lease *waiting = &leases[MAX];
    ck_assert_int_eq(waiting->state, LEASE_HELD);
    int64_t later_ms = ALL_DUE + 3000;
    settle(&leases[0], STATUS_OK, later_ms);
    struct lease_action action = due(LEASE_ACTION_RENEW, waiting, later_ms);
    int64_t left_ms = T + MAX + 27000 - later_ms;
    ck_assert_int_eq(action.timeout_ms, left_ms / (options.renew_max_retries + 1));
    settle(waiting, STATUS_OK, later_ms + 50);
    ck_assert_int_eq(lease_safe_until_ms(waiting, &options), later_ms + 27000);
}
END_TEST

START_TEST(the_loss_of_a_lease_that_waits_for_a_send_slot_is_notified_at_the_safe_deadline) {
    fill();
    for (int i = 0; i < MAX; i++) {
        due(LEASE_ACTION_NOTIFY_LOSS, &leases[i], T + i + 27000);
    }
    assert_nothing_due(T + MAX + 26999);
    ck_assert_int_eq(lease_renewal_next_ms(&renewal), T + MAX + 27000);
    due(LEASE_ACTION_NOTIFY_LOSS, &leases[MAX], T + MAX + 27000);
    ck_assert_int_eq(leases[MAX].state, LEASE_LOST);
    settle(&leases[0], STATUS_OK, T + MAX + 27000);
    due(LEASE_ACTION_RENEW, &leases[MAX + 1], T + MAX + 27000); /* the lost one is skipped */
}
END_TEST

START_TEST(a_send_slot_that_comes_past_the_safe_deadline_is_the_loss) {
    fill();
    settle(&leases[0], STATUS_OK, T + MAX + 26999);
    due(LEASE_ACTION_NOTIFY_LOSS, &leases[MAX], T + MAX + 27000);
}
END_TEST

START_TEST(a_lease_released_while_it_waits_is_not_renewed_and_more_urgent_leases_go_first) {
    fill();
    lease_renewal_release(&renewal, &leases[MAX], ALL_DUE);
    assert_nothing_due(ALL_DUE);
    for (int i = 0; i < MANY - MAX - 1; i++) {
        settle(&leases[i], STATUS_OK, ALL_DUE);
        due(LEASE_ACTION_RENEW, &leases[MAX + 1 + i], ALL_DUE);
    }
    settle(&leases[MANY - MAX - 1], STATUS_OK, ALL_DUE);
    due(LEASE_ACTION_RELEASE, &leases[MAX], ALL_DUE);
    assert_nothing_due(ALL_DUE);
    ck_assert(lease_renewal_on_release_reply(&renewal, &leases[MAX], STATUS_OK, 0, ALL_DUE));
    ck_assert(lease_is_finished(&leases[MAX]));
    assert_nothing_due(ALL_DUE);
}
END_TEST

START_TEST(leases_released_all_at_once_wait_for_send_slots) {
    static struct lease *released[MANY];
    for (int i = 0; i < MANY; i++) {
        lease_renewal_release(&renewal, &leases[i], T + MANY);
    }
    for (int i = 0; i < MANY; i++) {
        if (i >= MAX) {
            assert_nothing_due(T + MANY);
            ck_assert(lease_renewal_on_release_reply(&renewal, released[i - MAX], STATUS_OK, 0,
                                                     T + MANY));
        }
        struct lease_action action = lease_renewal_due(&renewal, T + MANY);
        ck_assert_int_eq(action.kind, LEASE_ACTION_RELEASE);
        released[i] = action.lease;
    }
    assert_nothing_due(T + MANY);
}
END_TEST

START_TEST(a_late_renewal_that_says_gone_ends_a_release_that_waits_for_a_send_slot) {
    fill();
    lease_renewal_release(&renewal, &leases[0], ALL_DUE);
    assert_nothing_due(ALL_DUE);
    settle(&leases[0], STATUS_LEASE_LOST, ALL_DUE);
    ck_assert(lease_is_finished(&leases[0]));
    due(LEASE_ACTION_RENEW, &leases[MAX], ALL_DUE);
    for (int i = MAX + 1; i < MANY; i++) {
        settle(&leases[i - MAX], STATUS_OK, ALL_DUE);
        due(LEASE_ACTION_RENEW, &leases[i], ALL_DUE);
    }
    settle(&leases[MANY - 1], STATUS_OK, ALL_DUE);
    assert_nothing_due(ALL_DUE);
}
END_TEST

START_TEST(a_renewal_that_waits_for_a_send_slot_is_coming) {
    fill();
    ck_assert(lease_renewal_is_coming(&renewal, &leases[MAX]));
    lease_renewal_renew_now(&renewal, &leases[MANY - 1],
                            ALL_DUE); /* renew_now does not go before the others */
    assert_nothing_due(ALL_DUE);
    settle(&leases[0], STATUS_OK, ALL_DUE);
    due(LEASE_ACTION_RENEW, &leases[MAX], ALL_DUE);
    ck_assert(lease_renewal_is_coming(&renewal, &leases[MANY - 1]));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lease_renewal_turns");
    TCase *turns = tcase_create("turns");
    tcase_add_checked_fixture(turns, set_up, NULL);
    tcase_add_test(turns,
                   no_more_than_the_limit_is_in_flight_and_each_answer_lets_the_next_one_through);
    tcase_add_test(turns, the_timeout_of_an_attempt_begins_with_its_send_slot);
    tcase_add_test(turns,
                   the_loss_of_a_lease_that_waits_for_a_send_slot_is_notified_at_the_safe_deadline);
    tcase_add_test(turns, a_send_slot_that_comes_past_the_safe_deadline_is_the_loss);
    tcase_add_test(turns,
                   a_lease_released_while_it_waits_is_not_renewed_and_more_urgent_leases_go_first);
    tcase_add_test(turns, leases_released_all_at_once_wait_for_send_slots);
    tcase_add_test(turns, a_late_renewal_that_says_gone_ends_a_release_that_waits_for_a_send_slot);
    tcase_add_test(turns, a_renewal_that_waits_for_a_send_slot_is_coming);
    suite_add_tcase(suite, turns);
    return check_main(suite);
}
