#include "inventory/product_cache.h"

#include <stdio.h>
#include <string.h>

#include "inventory/operation.h"
#include "support/processes/check_main.h"

enum { NOW_MS = 1000000, READ_AHEAD_MS = 10000 };
#define STORE_ID "11111111-1111-4111-8111-"

static struct product_cache cache;
static struct inventory_query query;
static bool is_contended;

static void set_up(void) {
    product_cache_init(&cache);
}

static void tear_down(void) {
    product_cache_cleanup(&cache);
}

/* The state, as a store reads it: `version` was made by our store, or by one that nobody knows. */
static void read_state(int64_t version, bool is_ours, int64_t due_ms) {
    struct product *product = &cache.state.product;
    snprintf(product->id, sizeof product->id, "P");
    product->version = version;
    product->due_ms = due_ms;
    snprintf(product->commit_ids, sizeof product->commit_ids, "%s%012d",
             is_ours ? STORE_ID : "22222222-2222-4222-8222-", (int)version);
    snprintf(cache.state.etag, sizeof cache.state.etag, "etag-%d", (int)version);
}

/* One read of the product by a pipeline. Returns whether that is enough. */
static bool read_once(int64_t version, bool is_ours) {
    product_cache_forget(&cache);
    query = product_cache_query(&cache, NOW_MS, NULL);
    read_state(version, is_ours, INT64_MAX);
    is_contended = false;
    return product_cache_note_read(&cache, &query, NOW_MS, &is_contended);
}

static void read_and_use(int64_t version) {
    ck_assert(read_once(version, true));
    ck_assert(product_cache_is_usable(&cache, NOW_MS));
}

static void commit(void) {
    read_state(cache.state.product.version + 1, true, INT64_MAX);
    product_cache_note_commit(&cache, NOW_MS);
}

/* ---- what is read ---- */

START_TEST(an_unknown_product_is_read_with_all_its_rows) {
    ck_assert(!product_cache_is_usable(&cache, NOW_MS));
    ck_assert(product_cache_query(&cache, NOW_MS, NULL).all);
    read_and_use(7);
    ck_assert(!product_cache_query(&cache, NOW_MS, NULL).all);
}
END_TEST

START_TEST(what_expires_soon_is_read_ahead_of_time) {
    ck_assert_int_eq(product_cache_query(&cache, NOW_MS, NULL).until_ms, NOW_MS + READ_AHEAD_MS);
    read_and_use(7);
    ck_assert_int_eq(cache.state.complete_until_ms, NOW_MS + READ_AHEAD_MS);
}
END_TEST

/* _i 1: of one reservation, which says whose rows are needed by itself. */
START_TEST(a_releases_rows_come_along_and_of_a_customer_no_more_than_a_transaction_holds) {
    struct inventory_request request = {.operation = &operation_release,
                                        .customer_id = "C",
                                        .reservation_id = _i == 1 ? "r-1" : NULL};
    query = product_cache_query(&cache, NOW_MS, &request);
    ck_assert(_i == 1 ? query.customer_id == NULL : query.customer_id == request.customer_id);
    ck_assert_ptr_eq(query.reservation_id, request.reservation_id);
    ck_assert_int_eq(query.limit, _i == 1 ? 0 : INVENTORY_MAX_CHANGES);
    ck_assert(!query.later_only);
    query = product_cache_query(&cache, NOW_MS, NULL);
    ck_assert(query.customer_id == NULL && query.reservation_id == NULL);
}
END_TEST

START_TEST(beside_a_known_product_only_rows_are_read_that_are_not_known) {
    struct inventory_request request = {.operation = &operation_release, .customer_id = "C"};
    read_and_use(7);
    query = product_cache_rows_query(&cache, &request);
    ck_assert(!query.all && query.later_only);
    ck_assert_int_eq(query.until_ms, NOW_MS + READ_AHEAD_MS);
    ck_assert_str_eq(query.customer_id, "C");
    ck_assert_int_eq(query.limit, INVENTORY_MAX_CHANGES);
}
END_TEST

START_TEST(a_snapshot_has_all_rows) {
    struct inventory_request request = {.operation = &operation_snapshot};
    read_and_use(7);
    query = product_cache_rows_query(&cache, &request);
    ck_assert(query.all && !query.later_only);
}
END_TEST

START_TEST(a_snapshot_may_say_which_rows_it_needs) {
    const struct inventory_query asked = {.until_ms = 7, .customer_id = "C"};
    struct inventory_request request = {.operation = &operation_snapshot, .snapshot_query = &asked};
    read_and_use(7);
    query = product_cache_rows_query(&cache, &request);
    ck_assert(!query.all);
    ck_assert_int_eq(query.until_ms, 7);
    ck_assert_str_eq(query.customer_id, "C");
}
END_TEST

/* ---- whether it may be decided on ---- */

START_TEST(a_product_stays_usable_over_leases_and_commits) {
    read_and_use(7);
    ck_assert(cache.is_read_under_lease);
    commit();
    ck_assert(cache.is_read_under_lease);
    product_cache_note_lease_change(&cache);
    ck_assert(!cache.is_read_under_lease);
    ck_assert(product_cache_is_usable(&cache, NOW_MS));
}
END_TEST

START_TEST(what_was_forgotten_is_not_usable) {
    read_and_use(7);
    product_cache_forget(&cache);
    ck_assert(!cache.is_read_under_lease);
    ck_assert(!product_cache_is_usable(&cache, NOW_MS));
}
END_TEST

START_TEST(a_product_that_nobody_has_touched_for_long_is_read_again) {
    read_and_use(7);
    ck_assert(product_cache_is_usable(&cache, NOW_MS + PRODUCT_VALID_FOR_MS));
    ck_assert(!product_cache_is_usable(&cache, NOW_MS + PRODUCT_VALID_FOR_MS + 1));
    read_state(8, true, INT64_MAX);
    product_cache_note_commit(&cache, NOW_MS + 1);
    ck_assert(product_cache_is_usable(&cache, NOW_MS + PRODUCT_VALID_FOR_MS + 1));
}
END_TEST

/*
 * Its rows that have expired must be known: until complete_until_ms they are, and before due_ms
 * there are none.
 */
START_TEST(a_product_is_usable_until_rows_expire_that_are_not_known) {
    static const struct {
        int64_t due_ms, now_ms;
        bool is_usable;
    } rows[] = {{INT64_MAX, NOW_MS + PRODUCT_VALID_FOR_MS, true},
                {NOW_MS + 1, NOW_MS + READ_AHEAD_MS, true},
                {NOW_MS + 1, NOW_MS + READ_AHEAD_MS + 1, false},
                {NOW_MS + READ_AHEAD_MS + 5, NOW_MS + READ_AHEAD_MS + 4, true},
                {NOW_MS + READ_AHEAD_MS + 5, NOW_MS + READ_AHEAD_MS + 5, false}};
    read_and_use(7);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cache.state.product.due_ms = rows[i].due_ms;
        ck_assert_msg(product_cache_is_usable(&cache, rows[i].now_ms) == rows[i].is_usable,
                      "row %zu", i);
    }
}
END_TEST

/* ---- others ---- */

START_TEST(the_first_read_says_nothing_of_others) {
    read_and_use(7);
    ck_assert(!is_contended);
}
END_TEST

START_TEST(another_version_than_the_one_that_was_left_says_that_others_were_there) {
    read_and_use(7);
    commit();
    read_and_use(8);
    ck_assert(!is_contended);
    read_and_use(9);
    ck_assert(is_contended);
}
END_TEST

START_TEST(after_others_were_met_each_lease_begins_with_a_read_until_none_were) {
    read_and_use(7);
    read_and_use(9);
    commit();
    product_cache_note_lease_change(&cache);
    ck_assert(!product_cache_is_usable(&cache, NOW_MS));
    read_and_use(10);
    ck_assert(!is_contended);
    product_cache_note_lease_change(&cache);
    ck_assert(product_cache_is_usable(&cache, NOW_MS));
}
END_TEST

START_TEST(what_is_forgotten_twice_is_still_compared_with_what_was_known_last) {
    read_and_use(7);
    product_cache_forget(&cache);
    product_cache_forget(&cache);
    read_and_use(9);
    ck_assert(is_contended);
}
END_TEST

/* ---- checked against all rows ---- */

START_TEST(a_product_that_follows_its_checked_version_needs_no_other_check) {
    read_and_use(7);
    commit();
    read_and_use(9);
    ck_assert(!query.all);
}
END_TEST

/* _i 0: its version is lower than it was; 1: higher, but nobody knows by which commits. */
START_TEST(a_product_that_was_made_anew_is_read_again_with_all_rows) {
    read_and_use(7);
    ck_assert(!read_once(_i == 0 ? 1 : 9, false));
    ck_assert(!is_contended);
    query.all = true;
    ck_assert(product_cache_note_read(&cache, &query, NOW_MS, &is_contended));
    ck_assert(is_contended);
    ck_assert(read_once(_i == 0 ? 1 : 9, false));
    ck_assert(!query.all);
}
END_TEST

/* A commit was the last to make it right. */
START_TEST(a_product_made_anew_with_a_version_that_a_commit_made_is_noticed) {
    read_and_use(7);
    commit();
    commit();
    ck_assert(!read_once(8, true));
}
END_TEST

START_TEST(a_product_that_could_not_be_read_is_checked_anew) {
    read_and_use(7);
    product_cache_forget(&cache);
    product_cache_note_malformed(&cache);
    ck_assert(product_cache_query(&cache, NOW_MS, NULL).all);
    read_and_use(7);
    ck_assert(!product_cache_query(&cache, NOW_MS, NULL).all);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("product_cache");
    TCase *tests = tcase_create("product_cache");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, an_unknown_product_is_read_with_all_its_rows);
    tcase_add_test(tests, what_expires_soon_is_read_ahead_of_time);
    tcase_add_test(tests, a_product_that_nobody_has_touched_for_long_is_read_again);
    tcase_add_loop_test(
        tests, a_releases_rows_come_along_and_of_a_customer_no_more_than_a_transaction_holds, 0, 2);
    tcase_add_test(tests, beside_a_known_product_only_rows_are_read_that_are_not_known);
    tcase_add_test(tests, a_snapshot_has_all_rows);
    tcase_add_test(tests, a_snapshot_may_say_which_rows_it_needs);
    tcase_add_test(tests, a_product_stays_usable_over_leases_and_commits);
    tcase_add_test(tests, what_was_forgotten_is_not_usable);
    tcase_add_test(tests, a_product_is_usable_until_rows_expire_that_are_not_known);
    tcase_add_test(tests, the_first_read_says_nothing_of_others);
    tcase_add_test(tests, another_version_than_the_one_that_was_left_says_that_others_were_there);
    tcase_add_test(tests, after_others_were_met_each_lease_begins_with_a_read_until_none_were);
    tcase_add_test(tests, what_is_forgotten_twice_is_still_compared_with_what_was_known_last);
    tcase_add_test(tests, a_product_that_follows_its_checked_version_needs_no_other_check);
    tcase_add_loop_test(tests, a_product_that_was_made_anew_is_read_again_with_all_rows, 0, 2);
    tcase_add_test(tests, a_product_made_anew_with_a_version_that_a_commit_made_is_noticed);
    tcase_add_test(tests, a_product_that_could_not_be_read_is_checked_anew);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
