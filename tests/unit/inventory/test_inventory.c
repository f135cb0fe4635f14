#include "inventory/inventory.h"

#include <stdio.h>
#include <string.h>

#include "support/processes/check_main.h"

enum { MINUTE_MS = 60 * 1000 };
static const int64_t NOW_MS = 1737297930000; /* 2025-01-19T14:45:30Z */

static struct product_state state;

static void set_up(void) {
    product_state_init(&state);
    strcpy(state.product.id, "PROD-001");
    state.product.total = state.product.available = 100;
    state.product.version = 7;
}

static void tear_down(void) {
    product_state_cleanup(&state);
}

/*
 * A stored row of `quantity` units for `customer`, expiring `in_ms` from NOW_MS, taken from the
 * product's available units.
 */
static void stored_row(const char *customer, int64_t quantity, int64_t in_ms) {
    struct reservation row = {.quantity = (int)quantity,
                              .reserved_ms = NOW_MS + in_ms - 30 * MINUTE_MS,
                              .expires_ms = NOW_MS + in_ms};
    ck_assert_int_eq(uuid_v8_from_time(random_system(), row.expires_ms, row.id), STATUS_OK);
    ck_assert_int_eq(product_state_add(&state, &row, customer), STATUS_OK);
    state.product.available -= quantity;
}

static bool reserve(int64_t quantity, const struct reservation **out) {
    bool reserved = false;
    const struct reservation *row = NULL;
    ck_assert_int_eq(inventory_reserve(&state, "CUST-123", quantity, NOW_MS, 30 * MINUTE_MS,
                                       random_system(), &reserved, &row),
                     STATUS_OK);
    if (out != NULL) {
        *out = row;
    }
    return reserved;
}

START_TEST(a_reservation_takes_its_units_and_names_its_expiry) {
    const struct reservation *row = NULL;
    ck_assert(reserve(5, &row));
    ck_assert_int_eq(state.product.available, 95);
    ck_assert_int_eq(row->quantity, 5);
    ck_assert_int_eq(row->reserved_ms, NOW_MS);
    ck_assert_int_eq(row->expires_ms, NOW_MS + 30 * MINUTE_MS);
    ck_assert_str_eq(row->customer_id, "CUST-123");
    ck_assert_int_eq(row->mark, RESERVATION_ADDED);
    char prefix[UUID_TIME_PREFIX_BYTES];
    uuid_time_prefix(row->expires_ms, prefix);
    ck_assert_int_eq(strncmp(row->id, prefix, strlen(prefix)), 0);
    ck_assert_int_eq(state.change_count, 1);
    ck_assert(inventory_adds_up(&state));
}
END_TEST

START_TEST(the_last_unit_can_be_reserved_and_no_more) {
    ck_assert(!reserve(101, NULL));
    ck_assert_int_eq(state.change_count, 0);
    ck_assert(reserve(100, NULL));
    ck_assert_int_eq(state.product.available, 0);
    ck_assert(!reserve(1, NULL));
    ck_assert_int_eq(state.product.available, 0);
    ck_assert(inventory_adds_up(&state));
}
END_TEST

START_TEST(a_reservation_counts_as_released_from_its_very_millisecond) {
    stored_row("CUST-1", 10, MINUTE_MS);
    int64_t expiry_ms = NOW_MS + MINUTE_MS;
    ck_assert_int_eq(inventory_available(&state, expiry_ms - 1), 90);
    ck_assert_int_eq(inventory_reserved(&state, expiry_ms - 1), 10);
    ck_assert(!inventory_has_expired(&state, expiry_ms - 1));
    ck_assert_int_eq(inventory_available(&state, expiry_ms), 100);
    ck_assert_int_eq(inventory_reserved(&state, expiry_ms), 0);
    ck_assert(inventory_has_expired(&state, expiry_ms));

    ck_assert_int_eq(inventory_expire(&state, expiry_ms - 1, 0, INVENTORY_MAX_CHANGES), 0);
    ck_assert_int_eq(inventory_expire(&state, expiry_ms, 0, INVENTORY_MAX_CHANGES), 1);
    ck_assert_int_eq(state.product.available, 100);
    ck_assert_int_eq(inventory_expire(&state, expiry_ms, 0, INVENTORY_MAX_CHANGES), 0);
}
END_TEST

START_TEST(units_of_expired_reservations_can_be_reserved_again) {
    stored_row("CUST-1", 100, -1);
    ck_assert(!reserve(1, NULL));
    ck_assert_int_eq(inventory_expire(&state, NOW_MS, 1, INVENTORY_MAX_CHANGES), 1);
    ck_assert(reserve(100, NULL));
    ck_assert_int_eq(state.change_count, 2);
    ck_assert(inventory_adds_up(&state));
}
END_TEST

START_TEST(expiry_leaves_room_for_the_row_that_follows) {
    for (int i = 0; i < 120; i++) {
        stored_row("CUST-1", 1, -1000 + i);
    }
    state.product.total = 120;
    state.product.available = 0;
    ck_assert_int_eq(inventory_expire(&state, NOW_MS, 1, INVENTORY_MAX_CHANGES),
                     INVENTORY_MAX_CHANGES - 1);
    ck_assert(inventory_has_expired(&state, NOW_MS));
    ck_assert(reserve(50, NULL));
    ck_assert_int_eq(state.change_count, INVENTORY_MAX_CHANGES);
    ck_assert(!reserve(1, NULL)); /* units there are, but no room in the transaction */
    ck_assert(inventory_adds_up(&state));
}
END_TEST

/* `count` rows of one unit that have expired, and nothing else available. */
static void expired_rows(int count) {
    state.product.total = state.product.available = count;
    for (int i = 0; i < count; i++) {
        stored_row("CUST-1", 1, -count + i);
    }
}

START_TEST(requests_leave_room_for_what_has_expired_up_to_half_of_a_commit) {
    static const struct {
        int expired, room;
    } rows[] = {{0, 99}, {1, 98}, {25, 74}, {50, 49}, {51, 49}, {5000, 49}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        product_state_cleanup(&state);
        expired_rows(rows[i].expired);
        ck_assert_int_eq(inventory_room(&state, NOW_MS), rows[i].room);
        ck_assert_int_eq(inventory_room(&state, NOW_MS - 10000), INVENTORY_MAX_CHANGES);
        state.change_count = 60;
        int left = rows[i].room - 60;
        ck_assert_int_eq(inventory_room(&state, NOW_MS), left > 0 ? left : 0);
        state.change_count = 0;
    }
}
END_TEST

START_TEST(what_a_request_has_expired_is_part_of_the_share) {
    expired_rows(200);
    ck_assert(inventory_expire_for(&state, 10, NOW_MS, 1));
    ck_assert_int_eq(state.product.available, 10);
    ck_assert_int_eq(state.change_count, 10);
    ck_assert_int_eq(inventory_room(&state, NOW_MS), 49); /* 10 of the other half are used */
    ck_assert(reserve(10, NULL));
    ck_assert_int_eq(inventory_room(&state, NOW_MS), 48);
    ck_assert_int_eq(inventory_expire_alongside(&state, NOW_MS), 0); /* it had more than its own */
    ck_assert(!inventory_expire_for(&state, 150, NOW_MS, 1));
    ck_assert_int_eq(state.change_count, INVENTORY_MAX_CHANGES - 1);
    ck_assert(inventory_adds_up(&state));
}
END_TEST

START_TEST(as_many_go_along_as_requests_change_and_a_few_in_any_case) {
    static const struct {
        int changes, expired;
    } rows[] = {{1, INVENTORY_EXPIRE_FEW}, {8, 8}, {20, 20}, {49, 49}, {74, 25}, {99, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        product_state_cleanup(&state);
        expired_rows(200);
        state.change_count = rows[i].changes;
        ck_assert_int_eq(inventory_expire_alongside(&state, NOW_MS), rows[i].expired);
        ck_assert_int_eq(inventory_expire_alongside(&state, NOW_MS), 0);
    }
}
END_TEST

/*
 * 64 callers that are never satisfied, of a product whose reservations expire as fast as they are
 * made.
 */
START_TEST(who_reserves_as_fast_as_reservations_expire_keeps_three_quarters_of_each_commit) {
    enum { CALLERS = 64, COMMITS = 400, STEP_MS = 10, LASTS_MS = 100 * STEP_MS };
    int64_t now_ms = NOW_MS;
    int made = 0, least = CALLERS;
    state.product.total = state.product.available = 1000000;
    for (int commit = 0; commit < COMMITS; commit++, now_ms += STEP_MS) {
        int served = 0;
        bool reserved = false;
        const struct reservation *row = NULL;
        while (served < CALLERS && inventory_room(&state, now_ms) >= 1) {
            ck_assert_int_eq(inventory_reserve(&state, "C", 1, now_ms, LASTS_MS, random_system(),
                                               &reserved, &row),
                             STATUS_OK);
            ck_assert(reserved);
            served++;
        }
        inventory_expire_alongside(&state, now_ms);
        product_state_committed(&state);
        made += served;
        least = served < least ? served : least;
    }
    ck_assert_int_ge(least, 49);
    ck_assert_int_ge(made, COMMITS * 49);
    ck_assert_uint_lt(reservation_list_expired_count(&state.reservations, now_ms), 5000);
    ck_assert_uint_lt(state.reservations.count, CALLERS * LASTS_MS / STEP_MS + 5000);
}
END_TEST

START_TEST(release_begins_with_what_expires_first_and_splits_the_last) {
    stored_row("CUST-123", 5, MINUTE_MS);
    stored_row("CUST-9", 50, 2 * MINUTE_MS);
    stored_row("CUST-123", 10, 3 * MINUTE_MS);
    ck_assert_int_eq(inventory_release(&state, "CUST-123", NULL, 8, NOW_MS, 0), 8);
    ck_assert_int_eq(state.reservations.rows[0]->mark, RESERVATION_REMOVED);
    ck_assert_int_eq(state.reservations.rows[1]->mark, RESERVATION_STORED);
    ck_assert_int_eq(state.reservations.rows[2]->mark, RESERVATION_CHANGED);
    ck_assert_int_eq(state.reservations.rows[2]->quantity, 7);
    ck_assert_int_eq(state.product.available, 100 - 65 + 8);
    ck_assert_int_eq(state.change_count, 2);
    ck_assert(inventory_adds_up(&state));
}
END_TEST

START_TEST(release_frees_no_more_than_that_customer_holds) {
    stored_row("CUST-123", 5, MINUTE_MS);
    stored_row("CUST-9", 50, 2 * MINUTE_MS);
    ck_assert_int_eq(inventory_release(&state, "CUST-123", NULL, 1000, NOW_MS, 0), 5);
    ck_assert_int_eq(inventory_release(&state, "CUST-123", NULL, 1000, NOW_MS, 0), 0);
    ck_assert_int_eq(inventory_release(&state, "CUST-77", NULL, 1, NOW_MS, 0), 0);
    ck_assert_int_eq(state.product.available, 50);
}
END_TEST

START_TEST(release_by_id_touches_that_reservation_alone_and_only_for_its_customer) {
    stored_row("CUST-123", 5, MINUTE_MS);
    stored_row("CUST-123", 6, 2 * MINUTE_MS);
    const char *second = state.reservations.rows[1]->id;
    ck_assert_int_eq(inventory_release(&state, "CUST-9", second, 6, NOW_MS, 0), 0);
    ck_assert_int_eq(inventory_release(&state, "CUST-123", second, 100, NOW_MS, 0), 6);
    ck_assert_int_eq(state.reservations.rows[0]->mark, RESERVATION_STORED);
    ck_assert_int_eq(state.reservations.rows[1]->mark, RESERVATION_REMOVED);
}
END_TEST

START_TEST(what_has_expired_is_not_released_twice) {
    stored_row("CUST-123", 5, -1);
    ck_assert_int_eq(inventory_release(&state, "CUST-123", NULL, 5, NOW_MS, 0), 0);
    ck_assert_int_eq(inventory_expire(&state, NOW_MS, 0, INVENTORY_MAX_CHANGES), 1);
    ck_assert_int_eq(state.product.available, 100);
}
END_TEST

START_TEST(release_stops_at_what_one_transaction_can_hold) {
    state.product.total = state.product.available = 200;
    for (int i = 0; i < 150; i++) {
        stored_row("CUST-123", 1, MINUTE_MS + i);
    }
    ck_assert_int_eq(inventory_release(&state, "CUST-123", NULL, 150, NOW_MS, 0),
                     INVENTORY_MAX_CHANGES);
    ck_assert_int_eq(state.change_count, INVENTORY_MAX_CHANGES);
    ck_assert(inventory_adds_up(&state));
}
END_TEST

START_TEST(release_leaves_the_changes_that_it_is_told_to_spare) {
    state.product.total = state.product.available = 200;
    for (int i = 0; i < 150; i++) {
        stored_row("CUST-123", 1, MINUTE_MS + i);
    }
    ck_assert_int_eq(inventory_release(&state, "CUST-123", NULL, 150, NOW_MS, 1),
                     INVENTORY_MAX_CHANGES - 1);
    ck_assert_int_eq(state.change_count, INVENTORY_MAX_CHANGES - 1);
}
END_TEST

START_TEST(the_changes_of_a_release_are_known_before) {
    stored_row("CUST-123", 5, -1);
    stored_row("CUST-123", 5, MINUTE_MS);
    stored_row("CUST-9", 5, MINUTE_MS + 1);
    stored_row("CUST-123", 5, MINUTE_MS + 2);
    ck_assert(reserve(5, NULL));
    const char *second = state.reservations.rows[1]->id;
    ck_assert_int_eq(inventory_release_changes(&state, "CUST-123", NULL, 5, NOW_MS), 1);
    ck_assert_int_eq(inventory_release_changes(&state, "CUST-123", NULL, 6, NOW_MS), 2);
    ck_assert_int_eq(inventory_release_changes(&state, "CUST-123", NULL, 100, NOW_MS),
                     2); /* the added row is one already */
    ck_assert_int_eq(inventory_release_changes(&state, "CUST-123", second, 100, NOW_MS), 1);
    ck_assert_int_eq(inventory_release_changes(&state, "CUST-77", NULL, 100, NOW_MS), 0);
    ck_assert_int_eq(state.change_count, 1);
}
END_TEST

START_TEST(a_row_added_and_released_before_any_commit_needs_no_write) {
    ck_assert(reserve(5, NULL));
    ck_assert_int_eq(inventory_release(&state, "CUST-123", NULL, 2, NOW_MS, 0), 2);
    ck_assert_int_eq(state.reservations.rows[0]->mark, RESERVATION_ADDED);
    ck_assert_int_eq(state.reservations.rows[0]->quantity, 3);
    ck_assert_int_eq(inventory_release(&state, "CUST-123", NULL, 3, NOW_MS, 0), 3);
    ck_assert_int_eq(state.change_count, 0);
    ck_assert_int_eq(state.product.available, 100);
    product_state_committed(&state);
    ck_assert_uint_eq(state.reservations.count, 0);
}
END_TEST

START_TEST(after_a_commit_removed_rows_are_gone_and_the_rest_is_stored) {
    stored_row("CUST-1", 1, -1);
    stored_row("CUST-2", 2, MINUTE_MS);
    inventory_expire(&state, NOW_MS, 0, INVENTORY_MAX_CHANGES);
    ck_assert(reserve(3, NULL));
    product_state_committed(&state);
    ck_assert_uint_eq(state.reservations.count, 2);
    ck_assert_int_eq(state.change_count, 0);
    ck_assert_str_eq(state.reservations.rows[0]->customer_id, "CUST-2");
    ck_assert_int_eq(state.reservations.rows[0]->mark, RESERVATION_STORED);
    ck_assert_int_eq(state.reservations.rows[1]->mark, RESERVATION_STORED);
}
END_TEST

START_TEST(a_new_row_takes_its_place_by_expiry) {
    stored_row("CUST-1", 1, MINUTE_MS);
    stored_row("CUST-2", 1, 60 * MINUTE_MS);
    const struct reservation *row = NULL;
    ck_assert(reserve(1, &row));
    ck_assert_ptr_eq(row, state.reservations.rows[1]);
    ck_assert_str_eq(state.reservations.rows[2]->customer_id, "CUST-2");
}
END_TEST

START_TEST(a_torn_picture_does_not_add_up) {
    stored_row("CUST-1", 5, MINUTE_MS);
    ck_assert(inventory_adds_up(&state));
    state.product.available -= 1;
    ck_assert(!inventory_adds_up(&state));
}
END_TEST

/*
 * Any mix of operations keeps the books: available + rows == total, nothing negative, changes
 * within the limit.
 */
START_TEST(random_operations_keep_the_sum) {
    srand((unsigned)_i + 1);
    int64_t now_ms = NOW_MS;
    for (int step = 0; step < 2000; step++) {
        char customer[16];
        snprintf(customer, sizeof customer, "C%d", rand() % 5);
        int64_t quantity = 1 + rand() % 20;
        bool reserved = false;
        const struct reservation *row = NULL;
        switch (rand() % 4) {
        case 0:
        case 1:
            ck_assert_int_eq(inventory_reserve(&state, customer, quantity, now_ms, 1 + rand() % 50,
                                               random_system(), &reserved, &row),
                             STATUS_OK);
            break;
        case 2:
            ck_assert_int_le(inventory_release(&state, customer, NULL, quantity, now_ms, 0),
                             quantity);
            break;
        default:
            inventory_expire(&state, now_ms, 0, INVENTORY_MAX_CHANGES);
            break;
        }
        ck_assert(inventory_adds_up(&state));
        ck_assert_int_ge(state.product.available, 0);
        ck_assert_int_eq(inventory_available(&state, now_ms) + inventory_reserved(&state, now_ms),
                         state.product.total);
        ck_assert_int_le(state.change_count, INVENTORY_MAX_CHANGES);
        if (rand() % 10 == 0) {
            product_state_committed(&state);
        }
        now_ms += rand() % 10;
    }
}
END_TEST

START_TEST(product_ids_are_url_safe_words) {
    char longest[PRODUCT_ID_BYTES + 1];
    memset(longest, 'a', sizeof longest);
    longest[128] = '\0';
    static const char *const good[] = {"PROD-001", "a", "A.b_c~d-9", ".a", "..a", "~", NULL};
    static const char *const bad[] = {
        "",  "a b", "a/b", "a%2Fb", "é",    "a'b", "a\nb", "a#", "a+b", "reconciliation-job",
        ".", "..",  "A.",  "A..",   "a.b.", NULL};
    for (int i = 0; good[i] != NULL; i++) {
        ck_assert_msg(inventory_is_product_id(good[i]), "%s", good[i]);
    }
    for (int i = 0; bad[i] != NULL; i++) {
        ck_assert_msg(!inventory_is_product_id(bad[i]), "%s", bad[i]);
    }
    ck_assert(inventory_is_stored_product_id("A.") &&
              !inventory_is_stored_product_id("a/b")); /* of older releases */
    ck_assert(inventory_is_product_id(longest));
    longest[128] = 'a';
    longest[129] = '\0';
    ck_assert(!inventory_is_product_id(longest));
}
END_TEST

START_TEST(customer_ids_are_printable_text_of_at_most_128_characters) {
    char text[CUSTOMER_ID_BYTES + 8] = "";
    for (int i = 0; i < 128; i++) {
        strcat(text, "😀"); /* four bytes, one character */
    }
    ck_assert(inventory_is_customer_id(text));
    strcat(text, "x");
    ck_assert(!inventory_is_customer_id(text));
    ck_assert(inventory_is_customer_id("O'Brien & Söhne"));
    ck_assert(!inventory_is_customer_id(""));
    ck_assert(!inventory_is_customer_id("tab\there"));
    ck_assert(!inventory_is_customer_id("del\x7f"));
    ck_assert(!inventory_is_customer_id("c1\xc2\x85"));
    ck_assert(!inventory_is_customer_id("bad\xff"));
}
END_TEST

static struct reservation *find(const struct reservation *row, const char *customer, int64_t at_ms,
                                enum refusal *out_refusal) {
    *out_refusal = REFUSAL_NONE;
    return inventory_find_named(&state, row->id, customer, at_ms, out_refusal);
}

START_TEST(a_reservation_is_found_until_its_very_expiry_and_only_for_its_customer) {
    enum refusal refusal;
    stored_row("CUST-1", 10, MINUTE_MS);
    struct reservation *row = state.reservations.rows[0];
    ck_assert_ptr_eq(find(row, NULL, NOW_MS + MINUTE_MS - 1, &refusal), row);
    ck_assert_ptr_eq(find(row, "CUST-1", NOW_MS, &refusal), row);
    ck_assert_int_eq(refusal, REFUSAL_NONE);
    ck_assert_ptr_null(find(row, "CUST-2", NOW_MS, &refusal));
    ck_assert_int_eq(refusal, REFUSAL_NO_RESERVATION);
    ck_assert_ptr_null(find(row, "CUST-1", NOW_MS + MINUTE_MS, &refusal));
    ck_assert_int_eq(refusal, REFUSAL_EXPIRED);
}
END_TEST

/* Whether the row is still there, is removed by this commit, or was removed by an earlier one. */
START_TEST(a_reservation_whose_time_has_come_is_expired_before_and_after_it_is_removed) {
    enum refusal refusal;
    stored_row("CUST-1", 10, MINUTE_MS);
    struct reservation gone = *state.reservations.rows[0];
    for (int i = 0; i < 3; i++) {
        ck_assert_ptr_null(find(&gone, "CUST-1", NOW_MS + MINUTE_MS, &refusal));
        ck_assert_int_eq(refusal, REFUSAL_EXPIRED);
        ck_assert_ptr_null(find(&gone, "CUST-2", NOW_MS + MINUTE_MS, &refusal));
        ck_assert_int_eq(refusal, REFUSAL_EXPIRED);
        if (i == 0) {
            inventory_expire(&state, NOW_MS + MINUTE_MS, 0, 1);
        } else {
            product_state_committed(&state);
        }
    }
    ck_assert_ptr_null(find(&gone, "CUST-1", NOW_MS, &refusal));
    ck_assert_int_eq(refusal, REFUSAL_NO_RESERVATION); /* its time had not come */
    strcpy(gone.id, "7c9e6679-7425-40de-944b-e07fc1f90ae7");
    ck_assert_ptr_null(find(&gone, "CUST-1", NOW_MS + MINUTE_MS, &refusal));
    ck_assert_int_eq(refusal, REFUSAL_NO_RESERVATION);
}
END_TEST

START_TEST(confirmed_units_leave_the_reservation_and_the_total_and_not_what_is_available) {
    stored_row("CUST-1", 10, MINUTE_MS);
    struct reservation *row = state.reservations.rows[0];
    inventory_confirm(&state, row, 4);
    ck_assert_int_eq(row->quantity, 6);
    ck_assert_int_eq(row->mark, RESERVATION_CHANGED);
    ck_assert_int_eq(state.product.total, 96);
    ck_assert_int_eq(state.product.available, 90);
    inventory_confirm(&state, row, 6);
    ck_assert(reservation_is_removed(row));
    ck_assert_int_eq(state.product.total, 90);
    ck_assert_int_eq(state.product.available, 90);
    ck_assert_int_eq(state.change_count, 1);
    ck_assert(inventory_adds_up(&state));
    ck_assert_int_eq(inventory_release(&state, "CUST-1", NULL, 10, NOW_MS, 0), 0);
}
END_TEST

/* Its row is never written, but the total is another. */
START_TEST(a_sale_of_a_reservation_that_is_new_in_this_commit_is_a_change) {
    const struct reservation *row = NULL;
    ck_assert(reserve(5, &row));
    inventory_confirm(&state, state.reservations.rows[0], 5);
    ck_assert_uint_eq(state.reservations.count, 0);
    ck_assert_int_eq(state.product.total, 95);
    ck_assert_int_eq(state.product.available, 95);
    ck_assert_int_eq(state.change_count, 1);
    ck_assert(inventory_adds_up(&state));
}
END_TEST

START_TEST(an_extended_reservation_lives_until_its_new_expiry_and_not_a_moment_shorter) {
    enum refusal refusal;
    stored_row("CUST-1", 10, MINUTE_MS);
    stored_row("CUST-2", 10, 2 * MINUTE_MS);
    struct reservation *row = state.reservations.rows[0];
    inventory_extend(&state, row, NOW_MS + 3 * MINUTE_MS);
    ck_assert_int_eq(row->expires_ms, NOW_MS + 3 * MINUTE_MS);
    inventory_extend(&state, row, NOW_MS + 2 * MINUTE_MS); /* never earlier */
    ck_assert_int_eq(row->expires_ms, NOW_MS + 3 * MINUTE_MS);
    ck_assert_int_eq(state.change_count, 1);

    int64_t last_ms = NOW_MS + 3 * MINUTE_MS - 1;
    ck_assert_int_eq(inventory_available(&state, last_ms), 90);
    ck_assert_int_eq(inventory_expire(&state, last_ms, 0, 99), 1); /* the other */
    ck_assert_ptr_eq(find(row, "CUST-1", last_ms, &refusal), row);
    ck_assert_ptr_null(find(row, "CUST-1", last_ms + 1, &refusal));
    ck_assert_int_eq(refusal, REFUSAL_EXPIRED);
    ck_assert_int_eq(inventory_expire(&state, last_ms + 1, 0, 99), 1);
    ck_assert(inventory_adds_up(&state));
}
END_TEST

START_TEST(an_extension_that_is_not_later_is_no_change) {
    stored_row("CUST-1", 10, MINUTE_MS);
    inventory_extend(&state, state.reservations.rows[0], NOW_MS + MINUTE_MS);
    ck_assert_int_eq(state.change_count, 0);
    ck_assert_int_eq(state.reservations.rows[0]->mark, RESERVATION_STORED);
}
END_TEST

START_TEST(what_is_available_changes_by_as_much_as_the_total) {
    stored_row("C1", 30, MINUTE_MS);
    ck_assert(inventory_set_total(&state, 150));
    ck_assert_int_eq(state.product.total, 150);
    ck_assert_int_eq(state.product.available, 120);
    ck_assert_int_eq(state.change_count, 1); /* there is something to commit */
    ck_assert(inventory_set_total(&state, 40));
    ck_assert_int_eq(state.product.available, 10);
    ck_assert(inventory_adds_up(&state));
}
END_TEST

START_TEST(a_total_goes_down_to_what_is_reserved_and_no_further) {
    stored_row("C1", 30, MINUTE_MS);
    ck_assert(!inventory_set_total(&state, 29));
    ck_assert_int_eq(state.product.total, 100);
    ck_assert_int_eq(state.product.available, 70);
    ck_assert_int_eq(state.change_count, 0);
    ck_assert(inventory_set_total(&state, 30));
    ck_assert_int_eq(state.product.available, 0);
}
END_TEST

START_TEST(the_same_total_is_no_change) {
    ck_assert(inventory_set_total(&state, 100));
    ck_assert_int_eq(state.change_count, 0);
}
END_TEST

START_TEST(a_total_is_not_changed_without_room_for_it) {
    state.change_count = INVENTORY_MAX_CHANGES;
    ck_assert(!inventory_set_total(&state, 101));
    ck_assert_int_eq(state.product.total, 100);
}
END_TEST

/* Rows that were read, and what is said of them: with all rows they have to add up exactly. */
START_TEST(a_state_is_checked_against_its_rows) {
    static const struct {
        int64_t total, available, units;
        bool has_all, is_right;
        const char *said;
    } rows[] = {
        {100, 80, 20, true, true, ""},
        {100, 100, 20, true, false, "`available` has to be 80"},
        {100, 79, 20, true, false, "`available` has to be 80"},
        {100, 101, 0, true, false, "`available` has to be 100"},
        {10, 0, 20, true, false, "its total of 10"},
        {100, 80, 20, false, true, ""},
        {100, 10, 20, false, true, ""},
        {100, 81, 20, false, false, "at least 20 in reservations"},
        {100, 101, 0, false, false, "its total of 100"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct product_state read;
        struct error err = {0};
        product_state_init(&read);
        strcpy(read.product.id, "P");
        read.product.total = rows[i].total;
        read.product.available = rows[i].available;
        read.complete_until_ms = rows[i].has_all ? INT64_MAX : 1;
        if (rows[i].units > 0) {
            struct reservation row = {.quantity = (int)rows[i].units};
            ck_assert_int_eq(product_state_add(&read, &row, "C"), STATUS_OK);
        }
        ck_assert_msg(inventory_check(&read, &err) ==
                          (rows[i].is_right ? STATUS_OK : STATUS_MALFORMED),
                      "row %zu", i);
        ck_assert_msg(strstr(err.message, rows[i].said) != NULL, "row %zu: %s", i, err.message);
        product_state_cleanup(&read);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("inventory");
    TCase *rules = tcase_create("rules");
    tcase_add_checked_fixture(rules, set_up, tear_down);
    tcase_add_test(rules, a_state_is_checked_against_its_rows);
    tcase_add_test(rules, a_reservation_takes_its_units_and_names_its_expiry);
    tcase_add_test(rules, the_last_unit_can_be_reserved_and_no_more);
    tcase_add_test(rules, a_reservation_counts_as_released_from_its_very_millisecond);
    tcase_add_test(rules, units_of_expired_reservations_can_be_reserved_again);
    tcase_add_test(rules, expiry_leaves_room_for_the_row_that_follows);
    tcase_add_test(rules, requests_leave_room_for_what_has_expired_up_to_half_of_a_commit);
    tcase_add_test(rules, what_a_request_has_expired_is_part_of_the_share);
    tcase_add_test(rules, as_many_go_along_as_requests_change_and_a_few_in_any_case);
    tcase_add_test(rules,
                   who_reserves_as_fast_as_reservations_expire_keeps_three_quarters_of_each_commit);
    tcase_add_test(rules, release_begins_with_what_expires_first_and_splits_the_last);
    tcase_add_test(rules, release_frees_no_more_than_that_customer_holds);
    tcase_add_test(rules, release_by_id_touches_that_reservation_alone_and_only_for_its_customer);
    tcase_add_test(rules, what_has_expired_is_not_released_twice);
    tcase_add_test(rules, release_stops_at_what_one_transaction_can_hold);
    tcase_add_test(rules, a_row_added_and_released_before_any_commit_needs_no_write);
    tcase_add_test(rules, release_leaves_the_changes_that_it_is_told_to_spare);
    tcase_add_test(rules, the_changes_of_a_release_are_known_before);
    tcase_add_test(rules, after_a_commit_removed_rows_are_gone_and_the_rest_is_stored);
    tcase_add_test(rules, a_new_row_takes_its_place_by_expiry);
    tcase_add_test(rules, a_torn_picture_does_not_add_up);
    tcase_add_test(rules, a_reservation_is_found_until_its_very_expiry_and_only_for_its_customer);
    tcase_add_test(rules,
                   a_reservation_whose_time_has_come_is_expired_before_and_after_it_is_removed);
    tcase_add_test(rules,
                   confirmed_units_leave_the_reservation_and_the_total_and_not_what_is_available);
    tcase_add_test(rules, a_sale_of_a_reservation_that_is_new_in_this_commit_is_a_change);
    tcase_add_test(rules,
                   an_extended_reservation_lives_until_its_new_expiry_and_not_a_moment_shorter);
    tcase_add_test(rules, an_extension_that_is_not_later_is_no_change);
    tcase_add_loop_test(rules, random_operations_keep_the_sum, 0, 10);
    tcase_add_test(rules, what_is_available_changes_by_as_much_as_the_total);
    tcase_add_test(rules, a_total_goes_down_to_what_is_reserved_and_no_further);
    tcase_add_test(rules, the_same_total_is_no_change);
    tcase_add_test(rules, a_total_is_not_changed_without_room_for_it);
    tcase_add_test(rules, product_ids_are_url_safe_words);
    tcase_add_test(rules, customer_ids_are_printable_text_of_at_most_128_characters);
    suite_add_tcase(suite, rules);
    return check_main(suite);
}
