/* test_product_state.c - what is kept of a product between a read and the next commit. */
#include "inventory/product_state.h"

#include <stdio.h>
#include <string.h>

#include "support/processes/check_main.h"

static struct product_state state;

static void set_up(void) {
    product_state_init(&state);
    state.product.total = 100;
    state.product.available = 90;
    state.product.due_ms = 1000;
    state.complete_until_ms = 2000;
}

static void tear_down(void) {
    product_state_cleanup(&state);
}

static void row(struct product_state *target, const char *id, int64_t expires_ms) {
    struct reservation added = {.quantity = 1, .expires_ms = expires_ms};
    snprintf(added.id, sizeof added.id, "%s", id);
    ck_assert_int_eq(product_state_add(target, &added, "C1"), STATUS_OK);
}

static struct reservation *row_at(size_t i) {
    return state.reservations.rows[i];
}

static void assert_rows(const char *ids) {
    char found[64] = "";
    for (size_t i = 0; i < state.reservations.count; i++) {
        strcat(found, row_at(i)->id);
    }
    ck_assert_str_eq(found, ids);
}

START_TEST(rows_stand_by_expiry_and_by_id) {
    row(&state, "b", 20);
    row(&state, "d", 30);
    row(&state, "e", 20);
    row(&state, "a", 10);
    row(&state, "c", 20);
    assert_rows("abced");
}
END_TEST

START_TEST(merging_adds_what_is_missing_and_keeps_what_is_marked) {
    struct product_state other;
    product_state_init(&other);
    other.complete_until_ms = 3000;
    row(&state, "a", 10);
    row(&state, "c", 30);
    product_state_take(&state, row_at(0), 1);
    row(&other, "a", 10);
    row(&other, "b", 20);
    ck_assert_int_eq(product_state_merge(&state, &other), STATUS_OK);
    assert_rows("abc");
    ck_assert_int_eq(row_at(0)->mark, RESERVATION_REMOVED);
    ck_assert_int_eq(state.complete_until_ms, 3000);
    other.complete_until_ms = 1;
    ck_assert_int_eq(product_state_merge(&state, &other), STATUS_OK);
    ck_assert_int_eq(state.complete_until_ms, 3000);
    product_state_cleanup(&other);
}
END_TEST

START_TEST(trimming_forgets_what_expires_behind_what_is_complete) {
    row(&state, "a", 1999);
    row(&state, "b", 2000);
    row(&state, "c", 2001);
    row(&state, "d", 9000);
    product_state_trim(&state, 1);
    assert_rows("abd");
    product_state_trim(&state, 0);
    assert_rows("ab");
}
END_TEST

START_TEST(an_extended_reservation_is_written_with_its_expiry_until_the_commit) {
    row(&state, "a", 10);
    row(&state, "b", 20);
    struct reservation *a = row_at(0);
    product_state_extend(&state, a, 30);
    assert_rows("ba");
    ck_assert_int_eq(a->mark, RESERVATION_EXTENDED);
    ck_assert_int_eq(state.change_count, 1);
    a->quantity = 3; /* as if it held more */
    product_state_take(&state, a, 1);
    ck_assert_int_eq(a->mark, RESERVATION_EXTENDED);
    product_state_extend(&state, a, 40);
    ck_assert_int_eq(state.change_count, 1);
    product_state_committed(&state);
    ck_assert_int_eq(a->mark, RESERVATION_STORED);
    ck_assert_int_eq(a->expires_ms, 40);
    product_state_extend(&state, a, 50);
    product_state_take(&state, a, 2);
    ck_assert_int_eq(a->mark, RESERVATION_REMOVED);
}
END_TEST

START_TEST(a_reservation_that_is_new_stays_so_when_it_is_extended) {
    struct reservation like = {.quantity = 2, .expires_ms = 10, .id = "a"};
    struct reservation *a = product_state_insert(&state, &like, "C1");
    product_state_extend(&state, a, 30);
    ck_assert_int_eq(a->mark, RESERVATION_ADDED);
    ck_assert_int_eq(state.change_count, 1);
    ck_assert_ptr_eq(state.changed[0], a);
}
END_TEST

START_TEST(a_reservation_that_was_extended_is_due_when_it_expires_now) {
    row(&state, "a", 500);
    row(&state, "b", 1500);
    product_state_extend(&state, row_at(0), 1800);
    ck_assert_int_eq(product_state_due_ms(&state), 1500);
    product_state_extend(&state, row_at(0), 9000);
    ck_assert_int_eq(product_state_due_ms(&state), 1800);
    product_state_extend(&state, row_at(0), 9500);
    ck_assert_int_eq(product_state_due_ms(&state), 2001); /* others may not be in memory */
}
END_TEST

START_TEST(nothing_is_due_of_a_product_whose_units_are_all_there) {
    state.product.available = 100;
    ck_assert_int_eq(product_state_due_ms(&state), INT64_MAX);
}
END_TEST

START_TEST(what_is_not_in_memory_may_be_due_right_behind_what_is_complete) {
    ck_assert_int_eq(product_state_due_ms(&state), 2001);
    state.product.due_ms = 5000;
    ck_assert_int_eq(product_state_due_ms(&state), 5000);
    state.product.due_ms = 2001;
    ck_assert_int_eq(product_state_due_ms(&state), 2001);
    state.complete_until_ms = INT64_MAX;
    ck_assert_int_eq(product_state_due_ms(&state), INT64_MAX);
}
END_TEST

START_TEST(the_first_row_that_stays_is_due_first) {
    row(&state, "a", 500);
    row(&state, "b", 1500);
    ck_assert_int_eq(product_state_due_ms(&state), 500);
    product_state_take(&state, row_at(0), 1);
    ck_assert_int_eq(product_state_due_ms(&state), 1500);
    product_state_take(&state, row_at(1), 1);
    ck_assert_int_eq(product_state_due_ms(&state), 2001);
}
END_TEST

START_TEST(a_record_is_a_change_until_the_commit) {
    struct idempotency_record record = {.quantity = 5};
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(product_state_add_record(&state, &record), STATUS_OK);
    }
    ck_assert_int_eq(state.change_count, 20);
    ck_assert_int_eq(state.records[19].quantity, 5);
    product_state_committed(&state);
    ck_assert_int_eq(state.change_count, 0);
    ck_assert_uint_eq(state.record_count, 0);
}
END_TEST

#define ID(store, commit) "0000000" store "-0000-4000-8000-00000000000" commit

#define FOUR_IDS ID("9", "1") "," ID("9", "2") "," ID("9", "3") "," ID("9", "4")
#define SIXTEEN_IDS FOUR_IDS "," FOUR_IDS "," FOUR_IDS "," FOUR_IDS

/*
 * The row names the last commit of each store, the newest first. Version 3 was marked, which store
 * 2 had made.
 */
START_TEST(a_product_follows_what_its_commits_came_from) {
    static const struct {
        int64_t version;
        const char *commit_ids, *etag;
        bool follows;
    } rows[] = {
        {3, ID("2", "3") "," ID("1", "2"), "e3", true},  /* the same */
        {3, ID("2", "3") "," ID("1", "2"), "e4", false}, /* edited by hand */
        {2, ID("1", "2"), "e2", false},                  /* an older copy */
        {1, ID("9", "1"), "e9", false},                  /* made anew */
        {4, ID("1", "4") "," ID("2", "3"), "e5", true},  /* a commit of another store */
        {4, ID("2", "4") "," ID("1", "2"), "e5", true},  /* one of the same store */
        {5, ID("9", "5") "," ID("8", "4"), "e5", false}, /* made anew, and sold since */
        {5, ID("9", "5"), "e5", false},                  /* the same, by one store */
        {19, SIXTEEN_IDS, "e5", true},                   /* it may have been pushed out */
    };
    struct product_checkpoint mark = {.version = 3, .commit_id = ID("2", "3"), .etag = "e3"},
                              none = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct product_state read;
        product_state_init(&read);
        read.product.version = rows[i].version;
        strcpy(read.product.commit_ids, rows[i].commit_ids);
        strcpy(read.etag, rows[i].etag);
        ck_assert_msg(product_state_follows(&read, &mark) == rows[i].follows, "row %zu", i);
        ck_assert(!product_state_follows(&read, &none));
        struct product_checkpoint again;
        product_state_take_checkpoint(&read, &again);
        ck_assert(product_state_follows(&read, &again));
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("product_state");
    TCase *tests = tcase_create("state");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_product_follows_what_its_commits_came_from);
    tcase_add_test(tests, rows_stand_by_expiry_and_by_id);
    tcase_add_test(tests, merging_adds_what_is_missing_and_keeps_what_is_marked);
    tcase_add_test(tests, trimming_forgets_what_expires_behind_what_is_complete);
    tcase_add_test(tests, an_extended_reservation_is_written_with_its_expiry_until_the_commit);
    tcase_add_test(tests, a_reservation_that_is_new_stays_so_when_it_is_extended);
    tcase_add_test(tests, a_reservation_that_was_extended_is_due_when_it_expires_now);
    tcase_add_test(tests, nothing_is_due_of_a_product_whose_units_are_all_there);
    tcase_add_test(tests, what_is_not_in_memory_may_be_due_right_behind_what_is_complete);
    tcase_add_test(tests, the_first_row_that_stays_is_due_first);
    tcase_add_test(tests, a_record_is_a_change_until_the_commit);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
