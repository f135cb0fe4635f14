#include "support/checks/inventory_store_contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/checks/inventory_store_steps.h"

START_TEST(seed_products_are_created_once_and_never_reset) {
    read_all("A");
    ck_assert_str_eq(state.product.id, "A");
    ck_assert_int_eq(state.product.total, 100);
    ck_assert_int_eq(state.product.available, 100);
    ck_assert_int_eq(state.product.version, 1);
    reserve_and_commit("A", "C1", 30, now_ms());
    static const struct seed_product again[] = {{"A", 999}, {"C", 7}};
    ck_assert_int_eq(inventory_store_prepare_and_wait(store, again, 2, &err), STATUS_OK);
    read_all("A");
    ck_assert_int_eq(state.product.total, 100);
    ck_assert_int_eq(state.product.available, 70);
    read_all("C");
    ck_assert_int_eq(state.product.total, 7);
}
END_TEST

START_TEST(an_unknown_product_is_not_found) {
    ck_assert_int_eq(read_as("NONE", (struct inventory_query){.all = true}, &state),
                     STATUS_NOT_FOUND);
    ck_assert_int_eq(read_as("a", (struct inventory_query){.all = true}, &state),
                     STATUS_NOT_FOUND); /* ids have a case */
}
END_TEST

START_TEST(a_commit_is_read_back_whole_with_the_next_version) {
    int64_t at_ms = now_ms();
    read_all("A");
    reserve_in_memory("O'Brien & Söhne 100% #1+1", 5, at_ms);
    char id[UUID_TEXT_BYTES];
    strcpy(id, state.reservations.rows[0]->id);
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
    ck_assert_int_eq(state.product.version, 2);
    ck_assert_int_eq(state.change_count, 0);

    read_all("A");
    ck_assert_int_eq(state.product.version, 2);
    ck_assert_int_eq(state.product.available, 95);
    ck_assert_uint_eq(state.reservations.count, 1);
    ck_assert_str_eq(state.reservations.rows[0]->id, id);
    ck_assert_str_eq(state.reservations.rows[0]->customer_id, "O'Brien & Söhne 100% #1+1");
    ck_assert_int_eq(state.reservations.rows[0]->quantity, 5);
    ck_assert_int_eq(state.reservations.rows[0]->reserved_ms, at_ms);
    ck_assert_int_eq(state.reservations.rows[0]->expires_ms, at_ms + LIFETIME_MS);
}
END_TEST

START_TEST(a_state_can_be_committed_again_without_reading) {
    reserve_and_commit("A", "C1", 1, now_ms());
    reserve_in_memory("C2", 2, now_ms());
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
    read_all("A");
    ck_assert_int_eq(state.product.version, 3);
    ck_assert_int_eq(state.product.available, 97);
}
END_TEST

START_TEST(changed_and_removed_rows_are_stored) {
    reserve_and_commit("A", "C1", 5, now_ms());
    reserve_and_commit("A", "C1", 6, now_ms() + 1000);
    read_all("A");
    ck_assert_int_eq(inventory_release(&state, "C1", NULL, 8, now_ms(), 0), 8);
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
    read_all("A");
    ck_assert_uint_eq(state.reservations.count, 1);
    ck_assert_int_eq(state.reservations.rows[0]->quantity, 3);
    ck_assert_str_eq(state.reservations.rows[0]->customer_id, "C1");
    ck_assert_int_eq(state.product.available, 97);
}
END_TEST

/* Extends the first row in memory until `expires_ms`, and commits. Its id stays. */
static void extend_and_commit(int64_t expires_ms, char out_id[UUID_TEXT_BYTES]) {
    strcpy(out_id, state.reservations.rows[0]->id);
    inventory_extend(&state, state.reservations.rows[0], expires_ms);
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
}

static void assert_row(int64_t expires_ms, const char *id) {
    const struct reservation *row = reservation_list_find(&state.reservations, id);
    ck_assert_msg(row != NULL, "there is no row %s", id);
    ck_assert_int_eq(row->expires_ms, expires_ms);
    ck_assert_int_eq(row->mark, RESERVATION_STORED);
}

START_TEST(an_extended_reservation_keeps_its_id_and_is_read_by_all_that_ask_for_it) {
    int64_t at_ms = now_ms() - LIFETIME_MS - 1000, expires_ms = now_ms() + LIFETIME_MS;
    char id[UUID_TEXT_BYTES];
    reserve_and_commit("A", "C1", 5, at_ms); /* its first expiry has passed */
    extend_and_commit(expires_ms, id);
    const struct inventory_query queries[] = {
        {.all = true},
        {.customer_id = "C1"},
        {.customer_id = "C1", .later_only = true},
        {.customer_id = "C1", .limit = 1},
        {.reservation_id = id, .later_only = true},
        {.reservation_id = id},
    };
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        ck_assert_int_eq(read_as("A", queries[i], &state), STATUS_OK);
        ck_assert_uint_eq(state.reservations.count, 1);
        assert_row(expires_ms, id);
        ck_assert(!inventory_has_expired(&state, expires_ms - 1));
    }
    ck_assert_int_eq(state.product.due_ms, expires_ms);
}
END_TEST

START_TEST(an_extended_reservation_is_due_when_it_expires_now) {
    int64_t at_ms = now_ms(), expires_ms = at_ms + 3 * LIFETIME_MS;
    char id[UUID_TEXT_BYTES];
    reserve_and_commit("A", "C1", 5, at_ms);
    extend_and_commit(expires_ms, id);
    int64_t visit_ms = at_ms + LIFETIME_MS + HOUR_MS - 10 * MINUTE_MS;
    free(find_expired(visit_ms).ids);
    (void)clean_up_expired("A", visit_ms); /* the visit that finds it active */
    assert_due(expires_ms + MINUTE_MS, "A ");
}
END_TEST

START_TEST(a_reservation_that_was_extended_and_split_is_stored_so_and_can_be_removed) {
    char id[UUID_TEXT_BYTES];
    int64_t expires_ms = now_ms() + 2 * LIFETIME_MS;
    reserve_and_commit("A", "C1", 5, now_ms());
    inventory_confirm(&state, state.reservations.rows[0], 2);
    extend_and_commit(expires_ms, id);
    read_all("A");
    assert_row(expires_ms, id);
    ck_assert_int_eq(state.reservations.rows[0]->quantity, 3);
    ck_assert_int_eq(state.product.total, 98);
    ck_assert_int_eq(state.product.available, 95);
    inventory_confirm(&state, state.reservations.rows[0], 3);
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
    read_all("A");
    ck_assert_uint_eq(state.reservations.count, 0);
    ck_assert_int_eq(state.product.total, 95);
}
END_TEST

/* Keys are read in their order, in which an extended reservation stands where it was first. */
START_TEST(a_limit_leaves_no_row_out_that_expires_before_an_extended_one) {
    int64_t at_ms = now_ms();
    char id[UUID_TEXT_BYTES];
    reserve_and_commit("A", "C1", 1, at_ms);
    reserve_and_commit("A", "C1", 1, at_ms + MINUTE_MS);
    reserve_and_commit("A", "C1", 1, at_ms + 2 * MINUTE_MS);
    extend_and_commit(at_ms + 5 * LIFETIME_MS, id);
    ck_assert_int_eq(
        read_as("A", (struct inventory_query){.customer_id = "C1", .limit = 1}, &state), STATUS_OK);
    ck_assert_uint_ge(state.reservations.count, 1);
    ck_assert_int_eq(state.reservations.rows[0]->expires_ms, at_ms + MINUTE_MS + LIFETIME_MS);
}
END_TEST

START_TEST(a_record_has_the_whole_answer) {
    struct idempotency_record record = sample, found;
    strcpy(record.key_hash, "whole");
    strcpy(record.customer_id, "O'Brien & S\xc3\xb6hne");
    record.total = 123456789012;
    record.remaining = 7;
    record.keep_until_ms = now_ms() + HOUR_MS;
    read_all("A");
    ck_assert_int_eq(product_state_add_record(&state, &record), STATUS_OK);
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
    ck_assert_int_eq(find("A", "whole", &found), STATUS_OK);
    ck_assert_str_eq(found.customer_id, record.customer_id);
    ck_assert_int_eq(found.total, record.total);
    ck_assert_int_eq(found.remaining, 7);
}
END_TEST

START_TEST(a_stale_commit_fails_whole) {
    struct product_state stale;
    product_state_init(&stale);
    ck_assert_int_eq(read_as("A", (struct inventory_query){.all = true}, &stale), STATUS_OK);
    reserve_and_commit("A", "WINNER", 60, now_ms());

    bool reserved = false;
    const struct reservation *row = NULL;
    ck_assert_int_eq(inventory_reserve(&stale, "LOSER", 60, now_ms(), LIFETIME_MS, random_system(),
                                       &reserved, &row),
                     STATUS_OK);
    ck_assert(reserved);
    ck_assert_int_eq(commit(&stale), STATUS_PRECONDITION_FAILED);
    ck_assert_int_eq(stale.product.version, 1);
    product_state_cleanup(&stale);
    read_all("A");
    ck_assert_int_eq(state.product.available, 40);
    ck_assert_uint_eq(state.reservations.count, 1);
    ck_assert_str_eq(state.reservations.rows[0]->customer_id, "WINNER");
}
END_TEST

START_TEST(a_full_transaction_is_one_commit) {
    read_all("A");
    for (int i = 0; i < INVENTORY_MAX_CHANGES; i++) {
        reserve_in_memory("C1", 1, now_ms());
    }
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
    read_all("A");
    ck_assert_int_eq(state.product.version, 2);
    ck_assert_int_eq(state.product.available, 1);
    ck_assert_uint_eq(state.reservations.count, INVENTORY_MAX_CHANGES);
    for (size_t i = 1; i < state.reservations.count; i++) {
        ck_assert_int_le(state.reservations.rows[i - 1]->expires_ms,
                         state.reservations.rows[i]->expires_ms);
    }
}
END_TEST

START_TEST(a_query_reads_the_expired_and_who_it_asks_for) {
    int64_t at_ms = now_ms();
    reserve_and_commit("A", "OLD", 1, at_ms - LIFETIME_MS); /* expires at at_ms */
    reserve_and_commit("A", "EDGE", 2, at_ms - LIFETIME_MS + 1);
    reserve_and_commit("A", "C1", 3, at_ms);
    reserve_and_commit("A", "C2", 4, at_ms);
    reserve_and_commit("B", "C1", 5, at_ms);
    char id[UUID_TEXT_BYTES];
    read_all("A");
    ck_assert_uint_eq(state.reservations.count, 4);
    strcpy(id, state.reservations.rows[3]->id);

    ck_assert_int_eq(read_as("A", (struct inventory_query){.until_ms = at_ms}, &state), STATUS_OK);
    ck_assert_uint_eq(state.reservations.count, 1);
    ck_assert_str_eq(state.reservations.rows[0]->customer_id, "OLD");
    ck_assert_int_eq(state.product.available, 90);
    ck_assert_int_eq(read_as("A", (struct inventory_query){.until_ms = at_ms - 1}, &state),
                     STATUS_OK);
    ck_assert_uint_eq(state.reservations.count, 0);
    ck_assert_int_eq(read_as("A", (struct inventory_query){.until_ms = at_ms + 1}, &state),
                     STATUS_OK);
    ck_assert_uint_eq(state.reservations.count, 2);

    ck_assert_int_eq(
        read_as("A", (struct inventory_query){.customer_id = "C1", .until_ms = at_ms}, &state),
        STATUS_OK);
    ck_assert_uint_eq(state.reservations.count, 2);
    ck_assert_str_eq(state.reservations.rows[1]->customer_id, "C1");
    ck_assert_int_eq(
        read_as("A", (struct inventory_query){.reservation_id = id, .until_ms = at_ms}, &state),
        STATUS_OK);
    ck_assert_uint_eq(state.reservations.count, 2);
    ck_assert_str_eq(state.reservations.rows[1]->id, id);
    ck_assert_int_eq(
        read_as("A",
                (struct inventory_query){.customer_id = "O'Neil' or 'a' eq 'a", .until_ms = at_ms},
                &state),
        STATUS_OK);
    ck_assert_uint_eq(state.reservations.count, 1);
}
END_TEST

START_TEST(a_state_knows_until_when_it_is_complete) {
    read_all("A");
    ck_assert_int_eq(state.complete_until_ms, INT64_MAX);
    ck_assert_int_eq(state.product.due_ms, INT64_MAX);
    ck_assert_int_eq(
        read_as("A", (struct inventory_query){.customer_id = "C1", .until_ms = 7}, &state),
        STATUS_OK);
    ck_assert_int_eq(state.complete_until_ms, 7);
}
END_TEST

START_TEST(a_query_may_reach_to_the_end_of_time) {
    reserve_and_commit("A", "C1", 1, now_ms());
    ck_assert_int_eq(read_as("A", (struct inventory_query){.until_ms = INT64_MAX}, &state),
                     STATUS_OK);
    ck_assert_uint_eq(state.reservations.count, 1);
}
END_TEST

START_TEST(a_commit_stores_when_the_first_reservation_expires) {
    int64_t at_ms = now_ms();
    reserve_and_commit("A", "LATE", 1, at_ms + 5000);
    reserve_and_commit("A", "EARLY", 1, at_ms);
    ck_assert_int_eq(state.product.due_ms, at_ms + LIFETIME_MS);
    read_all("A");
    ck_assert_int_eq(state.product.due_ms, at_ms + LIFETIME_MS);
    ck_assert_int_eq(inventory_release(&state, "EARLY", NULL, 1, at_ms, 0), 1);
    ck_assert_int_eq(commit(&state), STATUS_OK);
    read_all("A");
    ck_assert_int_eq(state.product.due_ms, at_ms + 5000 + LIFETIME_MS);
    ck_assert_int_eq(inventory_release(&state, "LATE", NULL, 1, at_ms, 0), 1);
    ck_assert_int_eq(commit(&state), STATUS_OK);
    read_all("A");
    ck_assert_int_eq(state.product.due_ms, INT64_MAX);
}
END_TEST

/* ---- records ---- */

START_TEST(a_record_is_read_back_with_the_version_that_its_commit_made) {
    struct idempotency_record found;
    read_all("A");
    reserve_in_memory("C1", 3, now_ms());
    add_record("abc", 1737384330123);
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
    ck_assert_uint_eq(state.record_count, 0);
    ck_assert_msg(find("A", "abc", &found) == STATUS_OK, "%s", err.message);
    ck_assert_str_eq(found.key_hash, "abc");
    ck_assert_str_eq(found.request_hash, sample.request_hash);
    ck_assert_str_eq(found.reservation_id, sample.reservation_id);
    ck_assert_int_eq(found.quantity, 3);
    ck_assert_int_eq(found.available, 97);
    ck_assert_int_eq(found.version, 2);
    ck_assert_int_eq(found.reserved_ms, sample.reserved_ms);
    ck_assert_int_eq(found.expires_ms, sample.expires_ms);
    ck_assert_int_eq(found.keep_until_ms, 1737384330123);
    assert_found("B", "abc", false);
    assert_found("A", "ab", false);
    read_all("A"); /* it is no reservation */
    ck_assert_uint_eq(state.reservations.count, 1);
}
END_TEST

START_TEST(a_record_of_a_release_names_no_reservation) {
    struct idempotency_record found,
        record = {.key_hash = "rel", .request_hash = "x", .quantity = 2};
    read_all("A");
    ck_assert_int_eq(product_state_add_record(&state, &record), STATUS_OK);
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
    ck_assert_int_eq(find("A", "rel", &found), STATUS_OK);
    ck_assert_str_eq(found.reservation_id, "");
    ck_assert_int_eq(found.reserved_ms, 0);
    ck_assert_int_eq(found.expires_ms, 0);
}
END_TEST

START_TEST(a_record_that_is_there_stops_the_whole_commit_and_leaves_the_state_as_it_was) {
    struct idempotency_record found;
    read_all("A");
    add_record("first", now_ms() + HOUR_MS);
    ck_assert_int_eq(commit(&state), STATUS_OK);
    reserve_in_memory("C2", 5, now_ms());
    add_record("new", now_ms() + HOUR_MS);
    add_record("first", now_ms() + HOUR_MS);
    ck_assert_int_eq(commit(&state), STATUS_ALREADY_EXISTS);
    ck_assert_int_eq(state.product.version, 2);
    ck_assert_int_eq(state.change_count, 3);
    ck_assert_uint_eq(state.record_count, 2);
    assert_found("A", "new", false);

    state.record_count--; /* without that one it goes through, with nothing read again */
    state.change_count--;
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
    ck_assert_int_eq(find("A", "new", &found), STATUS_OK);
    ck_assert_int_eq(found.version, 3);
    ck_assert_int_eq(find("A", "first", &found), STATUS_OK);
    ck_assert_int_eq(found.version, 2);
    read_all("A");
    ck_assert_int_eq(state.product.version, 3);
    ck_assert_int_eq(state.product.available, 95);
}
END_TEST

START_TEST(a_stale_commit_with_a_record_that_is_there_writes_nothing) {
    struct product_state stale;
    product_state_init(&stale);
    ck_assert_int_eq(read_as("A", (struct inventory_query){.all = true}, &stale), STATUS_OK);
    read_all("A");
    add_record("key", now_ms() + HOUR_MS);
    ck_assert_int_eq(commit(&state), STATUS_OK);
    struct idempotency_record again = sample;
    strcpy(again.key_hash, "key");
    ck_assert_int_eq(product_state_add_record(&stale, &again), STATUS_OK);
    enum status status = commit(&stale); /* both checks fail; a store may look at either first */
    ck_assert(status == STATUS_PRECONDITION_FAILED || status == STATUS_ALREADY_EXISTS);
    product_state_cleanup(&stale);
    read_all("A");
    ck_assert_int_eq(state.product.version, 2);
}
END_TEST

START_TEST(reservations_and_records_fill_a_transaction_together) {
    read_all("A");
    for (int i = 0; i < INVENTORY_MAX_CHANGES / 2; i++) {
        reserve_in_memory("C1", 1, now_ms());
    }
    for (int i = 0; state.change_count < INVENTORY_MAX_CHANGES; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        add_record(key, now_ms() + HOUR_MS);
    }
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
    assert_found("A", "k49", true);
}
END_TEST

/* Customer C has 40 reservations that expire later, 1 that has expired, and so has D. */
static void reserve_many(void) {
    read_all("A");
    reserve_in_memory("C", 1, now_ms() - 2 * LIFETIME_MS);
    reserve_in_memory("D", 1, now_ms() - 2 * LIFETIME_MS);
    for (int i = 0; i < 40; i++) {
        reserve_in_memory("C", 1, now_ms() + i);
    }
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
}

static int64_t first_of_c(void) {
    const struct reservation *row = reservation_list_first_of(&state.reservations, "C");
    ck_assert_ptr_nonnull(row);
    return row->expires_ms;
}

START_TEST(a_query_may_ask_for_a_customers_first_rows_that_have_not_expired) {
    reserve_many();
    struct inventory_query query = {.customer_id = "C", .until_ms = now_ms(), .later_only = true};
    ck_assert_msg(read_as("A", query, &state) == STATUS_OK, "%s", err.message);
    ck_assert_uint_eq(state.reservations.count, 40);
    ck_assert_int_eq(state.complete_until_ms, 0);
    ck_assert_int_eq(state.product.version, 2);
    int64_t first_ms = first_of_c();
    ck_assert_int_gt(first_ms, query.until_ms);

    query.limit = 10;
    ck_assert_msg(read_as("A", query, &state) == STATUS_OK, "%s", err.message);
    ck_assert_uint_ge(state.reservations.count, 10);
    ck_assert_int_eq(first_of_c(), first_ms);

    query.later_only = false;
    ck_assert_msg(read_as("A", query, &state) == STATUS_OK, "%s", err.message);
    ck_assert_uint_ge(state.reservations.count, 12);
    ck_assert_int_eq(state.complete_until_ms, query.until_ms);
    ck_assert_ptr_nonnull(reservation_list_first_of(&state.reservations, "D"));
}
END_TEST

START_TEST(a_query_for_later_rows_of_nobody_reads_the_product_alone) {
    reserve_many();
    struct inventory_query query = {.until_ms = now_ms(), .later_only = true};
    ck_assert_msg(read_as("A", query, &state) == STATUS_OK, "%s", err.message);
    ck_assert_uint_eq(state.reservations.count, 0);
    ck_assert_int_eq(state.product.version, 2);
    query.reservation_id = "0194a0b1-2345-8678-9abc-def012345678";
    ck_assert_int_eq(read_as("NONE", query, &state), STATUS_NOT_FOUND);
}
END_TEST

static void start_read(struct store_call *own) {
    static const struct inventory_query query = {.all = true};
    store->ops->read(store, own->product, &query, &state, note_call_end, own);
}

static void start_commit(struct store_call *own) {
    store->ops->commit(store, &state, clock_now_ms(clock_system()) + DEADLINE_MS, note_call_end,
                       own);
}

static void start_find_record(struct store_call *own) {
    static struct idempotency_record found;
    store->ops->find_record(store, own->product, "abc", &found, note_call_end, own);
}

/* The operations that follow have this checked by their own tests. */
START_TEST(no_operation_ends_inside_its_start) {
    (void)ran((struct store_call){.start = start_read, .product = "A"});
    reserve_in_memory("C", 1, now_ms());
    add_record("abc", now_ms() + HOUR_MS);
    (void)ran((struct store_call){.start = start_commit});
    (void)ran((struct store_call){.start = start_find_record, .product = "A"});
}
END_TEST

/* Twice, as by two instances; and the commit behind it goes through. */
START_TEST(an_expiry_that_is_indexed_ahead_is_found_when_its_commit_has_come) {
    read_all("A");
    int64_t indexed_ms = index_expiry("A", now_ms() + LIFETIME_MS);
    ck_assert_int_eq(index_expiry("A", now_ms() + LIFETIME_MS), indexed_ms);
    state.product.indexed_due_ms = indexed_ms;
    reserve_in_memory("C", 1, now_ms());
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
    assert_due(now_ms(), "");
    assert_due(now_ms() + LIFETIME_MS, "A ");
}
END_TEST

START_TEST(a_wait_that_is_announced_is_dated_by_storage_and_renewed) {
    ck_assert_int_eq(read_wait("A"), 0);
    announce_wait("A");
    int64_t first_ms = read_wait("A");
    ck_assert_int_lt(llabs(first_ms - now_ms()), MINUTE_MS);
    announce_wait("A");
    ck_assert_int_ge(read_wait("A"), first_ms);
    ck_assert_int_eq(read_wait("B"), 0);
}
END_TEST

/* Neither its product nor one that does not exist is changed by it, or kept from being created. */
START_TEST(a_wait_that_is_announced_disturbs_nobody) {
    static const struct seed_product later[] = {{"LATER", 7}};
    announce_wait("A");
    announce_wait("LATER");
    reserve_and_commit("A", "C", 1, now_ms());
    read_all("A");
    ck_assert_uint_eq(state.reservations.count, 1);
    ck_assert_int_eq(read_as("LATER", (struct inventory_query){.all = true}, &state),
                     STATUS_NOT_FOUND);
    ck_assert_int_eq(inventory_store_prepare_and_wait(store, later, 1, &err), STATUS_OK);
    read_all("LATER");
    ck_assert_int_eq(state.product.total, 7);
    assert_due(now_ms(), "");
}
END_TEST

TCase *inventory_store_contract(struct inventory_store *(*open)(void), void (*close)(void)) {
    use_store(open, close);
    TCase *contract = tcase_create("store contract");
    tcase_set_timeout(contract, 60);
    tcase_add_checked_fixture(contract, set_up, tear_down);
    tcase_add_test(contract, seed_products_are_created_once_and_never_reset);
    tcase_add_test(contract, an_unknown_product_is_not_found);
    tcase_add_test(contract, a_commit_is_read_back_whole_with_the_next_version);
    tcase_add_test(contract, a_state_can_be_committed_again_without_reading);
    tcase_add_test(contract, changed_and_removed_rows_are_stored);
    tcase_add_test(contract,
                   an_extended_reservation_keeps_its_id_and_is_read_by_all_that_ask_for_it);
    tcase_add_test(contract, an_extended_reservation_is_due_when_it_expires_now);
    tcase_add_test(contract,
                   a_reservation_that_was_extended_and_split_is_stored_so_and_can_be_removed);
    tcase_add_test(contract, a_limit_leaves_no_row_out_that_expires_before_an_extended_one);
    tcase_add_test(contract, a_record_has_the_whole_answer);
    tcase_add_test(contract, a_stale_commit_fails_whole);
    tcase_add_test(contract, a_full_transaction_is_one_commit);
    tcase_add_test(contract, a_query_reads_the_expired_and_who_it_asks_for);
    tcase_add_test(contract, a_query_may_ask_for_a_customers_first_rows_that_have_not_expired);
    tcase_add_test(contract, a_query_for_later_rows_of_nobody_reads_the_product_alone);
    tcase_add_test(contract, no_operation_ends_inside_its_start);
    tcase_add_test(contract, an_expiry_that_is_indexed_ahead_is_found_when_its_commit_has_come);
    tcase_add_test(contract, a_wait_that_is_announced_is_dated_by_storage_and_renewed);
    tcase_add_test(contract, a_wait_that_is_announced_disturbs_nobody);
    tcase_add_test(contract, a_state_knows_until_when_it_is_complete);
    tcase_add_test(contract, a_query_may_reach_to_the_end_of_time);
    tcase_add_test(contract, a_commit_stores_when_the_first_reservation_expires);
    tcase_add_test(contract, a_record_is_read_back_with_the_version_that_its_commit_made);
    tcase_add_test(contract, a_record_of_a_release_names_no_reservation);
    tcase_add_test(contract,
                   a_record_that_is_there_stops_the_whole_commit_and_leaves_the_state_as_it_was);
    tcase_add_test(contract, a_stale_commit_with_a_record_that_is_there_writes_nothing);
    tcase_add_test(contract, reservations_and_records_fill_a_transaction_together);
    return contract;
}
