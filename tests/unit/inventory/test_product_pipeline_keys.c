/*
 * test_product_pipeline_keys.c - repeats of requests with a key, and refusals, which rest on the
 * product as it is stored.
 */
#include <stdio.h>

#include "inventory/inventory.h"
#include "inventory/product_pipeline.h"
#include "support/fakes/pipeline_fixture.h"
#include "support/fakes/pipeline_states.h"
#include "support/processes/check_main.h"

enum {
    UNITS = PIPELINE_FIXTURE_UNITS,
    MINUTE_MS = 60000,
    SECOND_MS = 1000,
    EXPIRED = 250,
    MAX_READS = 5
};

static void assert_repeat(const struct caller *caller, const struct caller *first) {
    caller_assert_served(caller, STATUS_OK);
    ck_assert(caller->request.is_repeat);
    ck_assert_int_eq(caller->request.units, first->request.units);
    ck_assert_int_eq(caller->request.available, first->request.available);
    ck_assert_int_eq(caller->request.version, first->request.version);
    ck_assert_str_eq(caller->request.reservation.id, first->request.reservation.id);
}

/* ---- repeats ---- */

/*
 * _i 0: in the same batch; 1: in the next one; 2: when the lease was released; 3: when others have
 * committed meanwhile
 */
START_TEST(a_repeat_gets_the_answer_of_the_first_time_and_changes_nothing) {
    struct caller callers[] = {caller_reserves_with_key(3, "key"),
                               caller_reserves_with_key(3, "key")};
    struct caller beside = caller_reserves(1);
    if (_i == 0) {
        caller_submit_all(callers, 2);
    } else {
        caller_submit(&callers[0]);
        fixture_advance(_i > 1 ? LINGER_MS : 0);
        if (_i == 3) {
            fixture_others_reserve(5);
        }
        caller_submit(&callers[1]);
    }
    caller_assert_granted(&callers[0]);
    ck_assert(!callers[0].request.is_repeat);
    assert_repeat(&callers[1], &callers[0]);
    caller_submit(&beside);
    caller_assert_granted(&beside);
    fixture_assert_stored(UNITS - 4 - (_i == 3 ? 5 : 0), _i == 3 ? 4 : 3, _i == 3 ? 3 : 2);
}
END_TEST

START_TEST(a_repeat_that_comes_while_the_first_is_committed_is_a_repeat) {
    struct caller callers[] = {caller_reserves_with_key(3, "key"),
                               caller_reserves_with_key(3, "key")};
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&callers[0]);
    caller_submit(&callers[1]);
    fixture_let_go(SCRIPTED_COMMIT);
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    caller_assert_granted(&callers[0]);
    assert_repeat(&callers[1], &callers[0]);
    fixture_assert_stored(UNITS - 3, 2, 1);
}
END_TEST

START_TEST(a_repeat_after_a_commit_whose_answer_was_lost_is_a_repeat_if_it_happened) {
    struct caller first = caller_reserves_with_key(3, "key"),
                  again = caller_reserves_with_key(3, "key");
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&first);
    fixture_let_go(SCRIPTED_COMMIT);
    if (_i == 0) {
        fixture_end_unheard(SCRIPTED_COMMIT, STATUS_UNAVAILABLE);
    } else {
        fixture_end(SCRIPTED_COMMIT, STATUS_UNAVAILABLE);
    }
    caller_assert_served(&first, STATUS_UNAVAILABLE);
    caller_submit(&again);
    caller_assert_granted(&again);
    ck_assert_int_eq(again.request.is_repeat, _i == 0);
    fixture_assert_stored(UNITS - 3, 2, 1);
}
END_TEST

START_TEST(a_key_used_for_another_request_is_refused) {
    struct caller callers[] = {caller_reserves_with_key(3, "key"),
                               caller_reserves_with_key(4, "key")};
    if (_i == 0) {
        caller_submit_all(callers, 2);
    } else {
        caller_submit(&callers[0]);
        caller_submit(&callers[1]);
    }
    caller_assert_granted(&callers[0]);
    caller_assert_served(&callers[1], STATUS_KEY_REUSED);
    fixture_assert_stored(UNITS - 3, 2, 1);
}
END_TEST

/* The repeat spoils the commit; then all keys of the batch are looked up, at once. */
START_TEST(a_key_that_was_used_does_not_harm_those_it_is_served_with) {
    struct caller first = caller_reserves_with_key(3, "key");
    struct caller callers[] = {caller_reserves(1), caller_reserves_with_key(3, "key"),
                               caller_reserves_with_key(2, "other")};
    caller_submit(&first);
    fixture_hold(SCRIPTED_FIND_RECORD);
    caller_submit_all(callers, 3);
    ck_assert_int_eq(fixture_state(), PIPELINE_LOOKING_UP);
    ck_assert_int_eq(fixture_held(SCRIPTED_FIND_RECORD), 2);
    fixture_end(SCRIPTED_FIND_RECORD, STATUS_OK);
    fixture_end(SCRIPTED_FIND_RECORD, STATUS_OK);
    caller_assert_granted(&callers[0]);
    assert_repeat(&callers[1], &first);
    caller_assert_granted(&callers[2]);
    ck_assert(!callers[2].request.is_repeat);
    fixture_assert_stored(UNITS - 6, 3, 3);
}
END_TEST

START_TEST(a_repeat_is_answered_also_when_all_is_sold) {
    struct caller first = caller_reserves_with_key(3, "key"), rest = caller_reserves(UNITS - 3);
    struct caller again = caller_reserves_with_key(3, "key");
    caller_submit(&first);
    caller_submit(&rest);
    caller_submit(&again);
    assert_repeat(&again, &first);
    ck_assert_int_eq(fixture_count(SCRIPTED_FIND_RECORD), 1);
}
END_TEST

START_TEST(keys_that_would_be_refused_are_looked_up_together_and_once) {
    struct caller callers[4];
    for (int i = 0; i < 4; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        callers[i] = caller_reserves_with_key(UNITS + 1, key);
    }
    fixture_hold(SCRIPTED_FIND_RECORD);
    caller_submit_all(callers, 4);
    ck_assert_int_eq(fixture_held(SCRIPTED_FIND_RECORD), 4);
    for (int i = 0; i < 4; i++) {
        caller_assert_waits(&callers[i]);
        fixture_end(SCRIPTED_FIND_RECORD, STATUS_OK);
    }
    for (int i = 0; i < 4; i++) {
        caller_assert_refused(&callers[i], UNITS);
    }
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 1);
    ck_assert_int_eq(fixture_count(SCRIPTED_FIND_RECORD), 4);
}
END_TEST

START_TEST(a_key_whose_request_was_refused_may_succeed_later) {
    struct caller first = caller_reserves_with_key(UNITS + 1, "key"),
                  more = caller_sets_total(UNITS + 1);
    struct caller again = caller_reserves_with_key(UNITS + 1, "key");
    caller_submit(&first);
    caller_assert_refused(&first, UNITS);
    caller_submit(&more);
    caller_submit(&again);
    caller_assert_granted(&again);
    ck_assert(!again.request.is_repeat);
}
END_TEST

/* Each batch commits something for somebody else. */
START_TEST(a_key_that_would_be_refused_is_looked_up_however_much_others_commit) {
    struct caller refused = caller_reserves_with_key(UNITS, "key"), others[4];
    fixture_hold(SCRIPTED_COMMIT);
    for (int i = 0; i < 4; i++) {
        others[i] = caller_reserves(1);
        caller_submit(&others[i]);
        if (i == 0) {
            caller_submit(&refused);
        } else {
            fixture_end(SCRIPTED_COMMIT, STATUS_OK);
        }
    }
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    ck_assert_int_eq(fixture_count(SCRIPTED_FIND_RECORD), 1);
    ck_assert_int_eq(refused.served, 1);
    ck_assert_int_lt(refused.place, others[3].place);
    ck_assert_int_eq(refused.request.units, 0);
}
END_TEST

/* ---- refusals ---- */

/* _i 0: the lease was released in between; 1: it is the same one, which others may have broken */
START_TEST(a_refusal_does_not_rest_on_what_was_read_before_the_request_came) {
    struct caller caller = caller_reserves(UNITS);
    fixture_others_reserve(10);
    if (_i == 0) {
        pipeline_warm_up();
    } else {
        struct caller before = caller_reserves(1);
        caller_submit(&before);
        ck_assert_int_eq(fixture_state(), PIPELINE_LINGERING);
    }
    fixture_others_reserve(5);
    caller_submit(&caller);
    caller_assert_refused(&caller, UNITS - 16);
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 2);
}
END_TEST

START_TEST(a_refusal_may_rest_on_a_read_for_which_the_request_was_there) {
    struct caller callers[] = {caller_reserves(UNITS + 1), caller_reserves(UNITS + 2)};
    caller_submit_all(callers, 2);
    caller_assert_refused(&callers[0], UNITS);
    caller_assert_refused(&callers[1], UNITS);
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 1);
}
END_TEST

START_TEST(a_refusal_does_not_rest_on_a_read_in_which_the_request_came) {
    struct caller first = caller_reserves(UNITS + 1), second = caller_reserves(UNITS + 1);
    fixture_hold(SCRIPTED_READ);
    caller_submit(&first);
    caller_submit(&second);
    fixture_end(SCRIPTED_READ, STATUS_OK);
    caller_assert_refused(&first, UNITS);
    caller_assert_waits(&second);
    fixture_others_reserve(5);
    fixture_end(SCRIPTED_READ, STATUS_OK);
    caller_assert_refused(&second, UNITS - 5);
}
END_TEST

/* The one in the batch is proved by its commit; the one that came meanwhile is not. */
START_TEST(a_commit_proves_the_refusals_of_its_batch_but_not_those_of_whoever_came_meanwhile) {
    struct caller callers[] = {caller_reserves(1), caller_reserves(UNITS)},
                  late = caller_reserves(UNITS);
    pipeline_warm_up();
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit_all(callers, 2);
    caller_submit(&late);
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 1);
    fixture_hold(SCRIPTED_READ);
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    caller_assert_refused(&callers[1], UNITS - 2);
    caller_assert_waits(&late);
    fixture_end(SCRIPTED_READ, STATUS_OK);
    caller_assert_refused(&late, UNITS - 2);
}
END_TEST

/* All were there before the commit was sent, but one did not fit into it. */
START_TEST(a_commit_proves_the_refusal_of_whoever_was_there_before_it) {
    struct caller callers[INVENTORY_MAX_CHANGES + 1];
    pipeline_warm_up();
    for (int i = 0; i < INVENTORY_MAX_CHANGES; i++) {
        callers[i] = caller_reserves(1);
    }
    callers[INVENTORY_MAX_CHANGES] = caller_reserves(UNITS);
    caller_submit_all(callers, INVENTORY_MAX_CHANGES + 1);
    caller_assert_refused(&callers[INVENTORY_MAX_CHANGES], UNITS - 1 - INVENTORY_MAX_CHANGES);
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 1);
}
END_TEST

START_TEST(a_release_is_not_refused_by_rows_of_another_version_than_the_known_one) {
    struct caller caller = caller_releases("nobody", 1);
    pipeline_warm_up();
    fixture_others_reserve(5);
    caller_submit(&caller);
    caller_assert_refused(&caller, UNITS - 6);
    ck_assert_int_eq(caller.request.version, 3);
}
END_TEST

/* The rows are of the version that is known, so they prove it. */
START_TEST(a_release_of_nothing_costs_one_read) {
    struct caller caller = caller_releases("nobody", 1);
    pipeline_warm_up();
    caller_submit(&caller);
    caller_assert_refused(&caller, UNITS - 1);
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 2);
}
END_TEST

/* _i 0: a total that cannot be had; 1: nothing has expired; 2: the total is that already */
START_TEST(what_operators_are_told_is_what_is_stored) {
    struct caller caller = _i == 1 ? caller_expires() : caller_sets_total(_i == 0 ? 0 : UNITS);
    pipeline_warm_up();
    fixture_others_reserve(1);
    caller_submit(&caller);
    caller_assert_served(&caller, STATUS_OK);
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 2);
    ck_assert_int_eq(caller.request.version, 3);
}
END_TEST

/* ---- what has expired ---- */

START_TEST(units_that_have_expired_are_sold_again) {
    struct caller caller = caller_reserves(UNITS);
    fixture_add_reservations("old", EXPIRED, 0);
    caller_submit(&caller);
    caller_assert_granted(&caller);
    fixture_assert_stored(0, 3 + 1 + 2 + 1, 1);
}
END_TEST

START_TEST(what_expires_of_a_known_product_is_read_when_it_is_due) {
    struct caller before = caller_reserves(1);
    struct caller callers[] = {caller_reserves(1), caller_expires(), caller_reserves(UNITS - 2)};
    fixture_add_reservations("old", 5, MINUTE_MS);
    caller_submit(&before);
    fixture_advance(LINGER_MS);
    fixture_advance(MINUTE_MS);
    caller_submit_all(callers, 3);
    caller_assert_granted(&callers[0]);
    ck_assert_int_eq(callers[1].request.committed_units, 5);
    caller_assert_granted(&callers[2]);
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 2);
}
END_TEST

/*
 * By the later of two times it has expired; by the earlier it has not, so its row may not be
 * removed.
 */
START_TEST(while_the_time_is_in_doubt_nothing_is_removed_by_the_later_one) {
    struct caller caller = caller_reserves(UNITS);
    fixture_add_reservations("old", 5, 0);
    fixture.store.doubt_ms = SECOND_MS;
    fixture_hold(SCRIPTED_READ);
    caller_submit(&caller);
    fixture_end(SCRIPTED_READ, STATUS_OK);
    caller_assert_waits(&caller);
    if (_i == 0) { /* another answer has settled it */
        fixture.store.doubt_ms = 0;
    }
    while (fixture_held(SCRIPTED_READ) > 0) {
        fixture_end(SCRIPTED_READ, STATUS_OK);
    }
    caller_assert_served(&caller, _i == 0 ? STATUS_OK : STATUS_LEASE_LOST);
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), _i == 0 ? 2 : MAX_READS);
    fixture_assert_stored(_i == 0 ? 0 : UNITS, _i == 0 ? 3 : 2, _i == 0 ? 1 : 5);
}
END_TEST

START_TEST(what_a_long_work_has_committed_is_counted_although_a_later_commit_fails) {
    struct caller expires = caller_expires();
    fixture_add_reservations("old", EXPIRED, 0);
    fixture_plan(SCRIPTED_COMMIT, STATUS_OK);
    fixture_plan(SCRIPTED_COMMIT, STATUS_UNAVAILABLE);
    caller_submit(&expires);
    caller_assert_served(&expires, STATUS_UNAVAILABLE);
    ck_assert_int_eq(expires.request.committed_units, INVENTORY_MAX_CHANGES);
}
END_TEST

START_TEST(two_that_expire_many_reservations_take_turns_and_each_counts_its_own) {
    struct caller callers[] = {caller_expires(), caller_expires()};
    fixture_add_reservations("old", 3 * EXPIRED, 0);
    caller_submit_all(callers, 2);
    int64_t removed = 0;
    for (int i = 0; i < 2; i++) {
        caller_assert_served(&callers[i], STATUS_OK);
        ck_assert_int_gt(callers[i].request.committed_units, EXPIRED);
        removed += callers[i].request.committed_units;
    }
    ck_assert_int_eq(removed, 3 * EXPIRED);
}
END_TEST

/* Its rows were read in the first batch, in which there was no room left for it. */
START_TEST(a_release_that_waits_for_the_next_batch_keeps_the_rows_that_were_read_for_it) {
    enum { RESERVES = INVENTORY_MAX_CHANGES - 1 };
    struct caller callers[RESERVES + 1];
    for (int i = 0; i < RESERVES; i++) {
        callers[i] = caller_reserves(1);
    }
    callers[RESERVES] = caller_releases("bob", 5);
    fixture_add_reservations("bob", 5, MINUTE_MS);
    caller_submit_all(callers, RESERVES + 1);
    caller_assert_granted(&callers[RESERVES]);
    ck_assert_int_eq(callers[RESERVES].request.version, callers[0].request.version + 1);
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 1);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("product_pipeline_keys");
    TCase *tcase = tcase_create("keys");
    tcase_add_checked_fixture(tcase, pipeline_fixture_set_up, pipeline_fixture_tear_down);
    tcase_add_loop_test(tcase, a_repeat_gets_the_answer_of_the_first_time_and_changes_nothing, 0,
                        4);
    tcase_add_test(tcase, a_repeat_that_comes_while_the_first_is_committed_is_a_repeat);
    tcase_add_loop_test(
        tcase, a_repeat_after_a_commit_whose_answer_was_lost_is_a_repeat_if_it_happened, 0, 2);
    tcase_add_loop_test(tcase, a_key_used_for_another_request_is_refused, 0, 2);
    tcase_add_test(tcase, a_key_that_was_used_does_not_harm_those_it_is_served_with);
    tcase_add_test(tcase, a_repeat_is_answered_also_when_all_is_sold);
    tcase_add_test(tcase, keys_that_would_be_refused_are_looked_up_together_and_once);
    tcase_add_test(tcase, a_key_whose_request_was_refused_may_succeed_later);
    tcase_add_test(tcase, a_key_that_would_be_refused_is_looked_up_however_much_others_commit);
    tcase_add_loop_test(tcase, a_refusal_does_not_rest_on_what_was_read_before_the_request_came, 0,
                        2);
    tcase_add_test(tcase, a_refusal_may_rest_on_a_read_for_which_the_request_was_there);
    tcase_add_test(tcase, a_refusal_does_not_rest_on_a_read_in_which_the_request_came);
    tcase_add_test(
        tcase, a_commit_proves_the_refusals_of_its_batch_but_not_those_of_whoever_came_meanwhile);
    tcase_add_test(tcase, a_commit_proves_the_refusal_of_whoever_was_there_before_it);
    tcase_add_test(tcase, a_release_is_not_refused_by_rows_of_another_version_than_the_known_one);
    tcase_add_test(tcase, a_release_of_nothing_costs_one_read);
    tcase_add_loop_test(tcase, what_operators_are_told_is_what_is_stored, 0, 3);
    tcase_add_test(tcase, units_that_have_expired_are_sold_again);
    tcase_add_test(tcase, what_expires_of_a_known_product_is_read_when_it_is_due);
    tcase_add_loop_test(tcase, while_the_time_is_in_doubt_nothing_is_removed_by_the_later_one, 0,
                        2);
    tcase_add_test(tcase, what_a_long_work_has_committed_is_counted_although_a_later_commit_fails);
    tcase_add_test(tcase, two_that_expire_many_reservations_take_turns_and_each_counts_its_own);
    tcase_add_test(tcase,
                   a_release_that_waits_for_the_next_batch_keeps_the_rows_that_were_read_for_it);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
