#include "support/checks/inventory_due_contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/checks/inventory_store_steps.h"

/*
 * As reconciliation does: what has expired goes, and then what brought it by. Returns how many
 * records were purged.
 */
static int reconcile(const char *product, int64_t at_ms) {
    ck_assert_int_eq(read_as(product, (struct inventory_query){.until_ms = at_ms}, &state),
                     STATUS_OK);
    if (inventory_expire(&state, at_ms, 0, INVENTORY_MAX_CHANGES) > 0) {
        ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
    }
    return clean_up_expired(product, at_ms);
}

/*
 * The first millisecond of a minute that is long enough ago for all graces, and for reservations to
 * begin before it.
 */
static int64_t old_minute_ms(void) {
    int64_t at_ms = now_ms() - 2 * HOUR_MS;
    return at_ms - at_ms % MINUTE_MS;
}

START_TEST(a_product_is_due_from_the_minute_in_which_its_first_reservation_expires) {
    int64_t minute_ms = old_minute_ms();
    reserve_and_commit("A", "C1", 1, minute_ms - LIFETIME_MS); /* expires as the minute begins */
    reserve_and_commit("B", "C1", 1, minute_ms + MINUTE_MS - LIFETIME_MS);
    assert_due(minute_ms - 1, "");
    assert_due(minute_ms, "A ");
    assert_due(minute_ms + MINUTE_MS - 1, "A ");
    assert_due(minute_ms + MINUTE_MS, "A B ");
}
END_TEST

START_TEST(a_product_is_visited_once_for_all_that_is_due) {
    int64_t minute_ms = old_minute_ms();
    read_all("A");
    for (int i = 0; i < 4; i++) {
        reserve_in_memory(
            "C1", 1, minute_ms - LIFETIME_MS + i * 45000); /* into four minutes, in one commit */
    }
    add_record("key", minute_ms);
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
    assert_due(minute_ms + HOUR_MS, "A ");
}
END_TEST

START_TEST(what_is_finished_is_not_due_any_more) {
    int64_t minute_ms = old_minute_ms(), later_ms = minute_ms + HOUR_MS;
    reserve_and_commit("A", "C1", 1, minute_ms - LIFETIME_MS);
    reserve_and_commit("A", "C2", 2, minute_ms - LIFETIME_MS + MINUTE_MS);
    reserve_and_commit("B", "C1", 1, minute_ms - LIFETIME_MS);
    assert_due(later_ms, "A B ");
    reconcile("A", later_ms);
    assert_due(later_ms, "B ");
    reconcile("B", later_ms);
    reconcile("B", later_ms); /* safe to repeat */
    assert_due(later_ms, "");
    read_all("A");
    ck_assert_int_eq(state.product.available, 100);
}
END_TEST

START_TEST(what_expires_later_stays_due_when_what_has_expired_is_finished) {
    int64_t minute_ms = old_minute_ms();
    reserve_and_commit("A", "C1", 1, minute_ms - LIFETIME_MS);
    reserve_and_commit("A", "C1", 1, minute_ms + 10 * MINUTE_MS - LIFETIME_MS);
    assert_due(minute_ms + 5 * MINUTE_MS, "A ");
    reconcile("A", minute_ms + 5 * MINUTE_MS);
    assert_due(minute_ms + 5 * MINUTE_MS, "");
    assert_due(minute_ms + 15 * MINUTE_MS, "A ");
}
END_TEST

START_TEST(a_second_reservation_of_a_minute_is_found_after_the_first_was_released) {
    int64_t minute_ms = old_minute_ms();
    reserve_and_commit("A", "C1", 1, minute_ms - LIFETIME_MS);
    ck_assert_int_eq(inventory_release(&state, "C1", NULL, 1, minute_ms - LIFETIME_MS, 0), 1);
    ck_assert_int_eq(commit(&state), STATUS_OK);
    reserve_and_commit("A", "C2", 1, minute_ms - LIFETIME_MS + 1);
    assert_due(minute_ms + MINUTE_MS, "A ");
}
END_TEST

START_TEST(minutes_that_come_back_are_found) {
    int64_t minute_ms = old_minute_ms();
    reserve_and_commit("A", "C1", 1, minute_ms + MINUTE_MS - LIFETIME_MS);
    reserve_and_commit("A", "C2", 1,
                       minute_ms - LIFETIME_MS); /* another lifetime, say: an earlier minute */
    reserve_and_commit("A", "C3", 1, minute_ms + MINUTE_MS - LIFETIME_MS);
    assert_due(minute_ms, "A ");
    reconcile("A", minute_ms + 4 * MINUTE_MS);
    read_all("A");
    ck_assert_uint_eq(state.reservations.count, 0);
}
END_TEST

START_TEST(records_are_purged_once_their_time_is_over_and_not_before) {
    int64_t hour_ms = old_minute_ms();
    hour_ms -= hour_ms % HOUR_MS;
    read_all("A");
    add_record("past", hour_ms - 1);
    ck_assert_int_eq(commit(&state), STATUS_OK);
    add_record("edge", hour_ms);
    add_record("later", hour_ms + 1);
    ck_assert_int_eq(commit(&state), STATUS_OK);
    assert_due(hour_ms, "A ");
    ck_assert_int_eq(reconcile("A", hour_ms), 2);
    assert_found("A", "past", false);
    assert_found("A", "edge", false);
    assert_found("A", "later", true);
    assert_due(hour_ms, "");
    assert_due(hour_ms + HOUR_MS, "A ");
    ck_assert_int_eq(reconcile("A", hour_ms + HOUR_MS), 1);
    assert_found("A", "later", false);
    assert_due(hour_ms + HOUR_MS, "");
}
END_TEST

START_TEST(a_key_can_be_used_again_once_its_record_is_purged) {
    int64_t at_ms = now_ms();
    read_all("A");
    add_record("key", at_ms - 2 * HOUR_MS);
    ck_assert_int_eq(commit(&state), STATUS_OK);
    assert_due(at_ms, "A ");
    reconcile("A", at_ms);
    read_all("A");
    add_record("key", at_ms + HOUR_MS);
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
    assert_found("A", "key", true);
}
END_TEST

START_TEST(more_records_than_a_transaction_holds_are_purged) {
    int64_t at_ms = now_ms();
    for (int i = 0; i < 250; i++) {
        if (i % 90 == 0) {
            read_all("A");
        }
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        add_record(key, at_ms - 2 * HOUR_MS);
        if (i % 90 == 89 || i == 249) {
            ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
        }
    }
    assert_due(at_ms, "A ");
    ck_assert_int_eq(reconcile("A", at_ms), 250);
    assert_found("A", "k249", false);
}
END_TEST

START_TEST(what_is_finished_before_it_is_over_stays_due) {
    int64_t minute_ms = old_minute_ms();
    reserve_and_commit("A", "C1", 1, minute_ms - LIFETIME_MS);
    reserve_and_commit("B", "C1", 1, minute_ms - LIFETIME_MS);
    assert_due(minute_ms + HOUR_MS, "A B ");
    ck_assert_int_eq(clean_up_expired("A", minute_ms - 1), 0);
    ck_assert_int_eq(clean_up_expired("B", minute_ms - 1), 0);
    assert_due(minute_ms + HOUR_MS, "A B ");
}
END_TEST

/* Operations that are started in one round of the loop: the last one ends the wait. */
struct together {
    struct loop_call call;
    int64_t at_ms;
    struct product_ids due;
    int purged[3];
    int under_way;
    bool is_starting;
};

static void note_one(void *context, enum status status, const struct error *failure) {
    struct together *own = context;
    ck_assert(!own->is_starting);
    ck_assert_msg(status == STATUS_OK, "%s", failure->message);
    if (--own->under_way == 0) {
        loop_call_end(&own->call);
    }
}

static void start_together(void *context) {
    static const char *const products[] = {"A", "B", "B"};
    struct together *own = context;
    own->under_way = 4;
    own->is_starting = true;
    for (int i = 0; i < 3; i++) {
        store->ops->clean_up_expired(store, products[i], own->at_ms, &own->purged[i], note_one,
                                     own);
    }
    store->ops->find_expired(store, own->at_ms, &own->due, note_one, own);
    own->is_starting = false;
}

/* While another round begins: one whose job's lease was lost may be late. */
START_TEST(products_are_finished_at_once_while_others_search) {
    static const char *const products[] = {"A", "B"};
    int64_t minute_ms = old_minute_ms();
    struct together own = {.at_ms = minute_ms + HOUR_MS};
    for (int i = 0; i < 2; i++) {
        reserve_and_commit(products[i], "C1", 1, minute_ms - LIFETIME_MS);
        read_all(products[i]);
        inventory_expire(&state, own.at_ms, 0, INVENTORY_MAX_CHANGES);
        ck_assert_int_eq(commit(&state), STATUS_OK);
    }
    free(find_expired(own.at_ms).ids);
    loop_call_run(&own.call, store->platform->loop, start_together, &own);
    free(own.due.ids);
    assert_due(own.at_ms, "");
}
END_TEST

TCase *inventory_due_contract(struct inventory_store *(*open)(void), void (*close)(void)) {
    use_store(open, close);
    TCase *contract = tcase_create("due contract");
    tcase_set_timeout(contract, 60);
    tcase_add_checked_fixture(contract, set_up, tear_down);
    tcase_add_test(contract,
                   a_product_is_due_from_the_minute_in_which_its_first_reservation_expires);
    tcase_add_test(contract, a_product_is_visited_once_for_all_that_is_due);
    tcase_add_test(contract, what_is_finished_is_not_due_any_more);
    tcase_add_test(contract, what_expires_later_stays_due_when_what_has_expired_is_finished);
    tcase_add_test(contract,
                   a_second_reservation_of_a_minute_is_found_after_the_first_was_released);
    tcase_add_test(contract, minutes_that_come_back_are_found);
    tcase_add_test(contract, records_are_purged_once_their_time_is_over_and_not_before);
    tcase_add_test(contract, a_key_can_be_used_again_once_its_record_is_purged);
    tcase_add_test(contract, more_records_than_a_transaction_holds_are_purged);
    tcase_add_test(contract, what_is_finished_before_it_is_over_stays_due);
    tcase_add_test(contract, products_are_finished_at_once_while_others_search);
    return contract;
}
