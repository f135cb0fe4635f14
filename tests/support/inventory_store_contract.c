#include "support/inventory_store_contract.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { LIFETIME_MS = 30 * 60 * 1000, DEADLINE_MS = 10000 };

static struct inventory_store *(*open_store)(void);
static void (*close_store)(void);
static struct inventory_store *store;
static struct product_state state;
static struct error err;

static void set_up(void) {
    store = open_store();
    product_state_init(&state);
    static const struct seed_product seeds[] = {{"B", 50}, {"A", 100}};
    ck_assert_int_eq(store->ops->prepare(store, seeds, 2, &err), STATUS_OK);
}

static void tear_down(void) {
    product_state_release(&state);
    close_store();
}

static int64_t now_ms(void) {
    return store->ops->now_ms(store);
}

static enum status read_as(const char *id, struct inventory_query query, struct product_state *out) {
    if (query.now_ms == 0) {
        query.now_ms = now_ms();
    }
    return store->ops->read(store, id, &query, out, &err);
}

static void read_all(const char *id) {
    ck_assert_msg(read_as(id, (struct inventory_query){.all = true}, &state) == STATUS_OK, "%s", err.message);
    ck_assert(inventory_adds_up(&state));
}

static enum status commit(struct product_state *what) {
    return store->ops->commit(store, what, clock_now_ms(clock_system()) + DEADLINE_MS, &err);
}

static void reserve_in_memory(const char *customer, int64_t quantity, int64_t at_ms) {
    bool reserved = false;
    const struct reservation *row = NULL;
    ck_assert_int_eq(inventory_reserve(&state, customer, quantity, at_ms, LIFETIME_MS, &reserved, &row), STATUS_OK);
    ck_assert(reserved);
}

static void reserve_and_commit(const char *product, const char *customer, int64_t quantity, int64_t at_ms) {
    read_all(product);
    reserve_in_memory(customer, quantity, at_ms);
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
}

START_TEST(seed_products_are_created_once_and_never_reset) {
    read_all("A");
    ck_assert_str_eq(state.product.id, "A");
    ck_assert_int_eq(state.product.total, 100);
    ck_assert_int_eq(state.product.available, 100);
    ck_assert_int_eq(state.product.version, 1);
    reserve_and_commit("A", "C1", 30, now_ms());
    static const struct seed_product again[] = {{"A", 999}, {"C", 7}};
    ck_assert_int_eq(store->ops->prepare(store, again, 2, &err), STATUS_OK);
    read_all("A");
    ck_assert_int_eq(state.product.total, 100);
    ck_assert_int_eq(state.product.available, 70);
    read_all("C");
    ck_assert_int_eq(state.product.total, 7);
}
END_TEST

START_TEST(an_unknown_product_is_not_found) {
    ck_assert_int_eq(read_as("NONE", (struct inventory_query){.all = true}, &state), STATUS_NOT_FOUND);
    ck_assert_int_eq(read_as("a", (struct inventory_query){.all = true}, &state),
                     STATUS_NOT_FOUND); /* ids have a case */
}
END_TEST

START_TEST(a_commit_is_read_back_whole_with_the_next_version) {
    int64_t at_ms = now_ms();
    read_all("A");
    reserve_in_memory("O'Brien & Söhne 100% #1+1", 5, at_ms);
    struct reservation expected = state.reservations[0];
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
    ck_assert_int_eq(state.product.version, 2);
    ck_assert_int_eq(state.change_count, 0);

    read_all("A");
    ck_assert_int_eq(state.product.version, 2);
    ck_assert_int_eq(state.product.available, 95);
    ck_assert_uint_eq(state.reservation_count, 1);
    ck_assert_str_eq(state.reservations[0].id, expected.id);
    ck_assert_str_eq(state.reservations[0].customer_id, expected.customer_id);
    ck_assert_int_eq(state.reservations[0].quantity, 5);
    ck_assert_int_eq(state.reservations[0].reserved_ms, at_ms);
    ck_assert_int_eq(state.reservations[0].expires_ms, at_ms + LIFETIME_MS);
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
    ck_assert_int_eq(inventory_release(&state, "C1", NULL, 8, now_ms()), 8);
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
    read_all("A");
    ck_assert_uint_eq(state.reservation_count, 1);
    ck_assert_int_eq(state.reservations[0].quantity, 3);
    ck_assert_str_eq(state.reservations[0].customer_id, "C1");
    ck_assert_int_eq(state.product.available, 97);
}
END_TEST

START_TEST(a_stale_commit_fails_whole) {
    struct product_state stale;
    product_state_init(&stale);
    ck_assert_int_eq(read_as("A", (struct inventory_query){.all = true}, &stale), STATUS_OK);
    reserve_and_commit("A", "WINNER", 60, now_ms());

    bool reserved = false;
    const struct reservation *row = NULL;
    ck_assert_int_eq(inventory_reserve(&stale, "LOSER", 60, now_ms(), LIFETIME_MS, &reserved, &row), STATUS_OK);
    ck_assert(reserved);
    ck_assert_int_eq(commit(&stale), STATUS_PRECONDITION_FAILED);
    ck_assert_int_eq(stale.product.version, 1);
    product_state_release(&stale);
    read_all("A");
    ck_assert_int_eq(state.product.available, 40);
    ck_assert_uint_eq(state.reservation_count, 1);
    ck_assert_str_eq(state.reservations[0].customer_id, "WINNER");
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
    ck_assert_uint_eq(state.reservation_count, INVENTORY_MAX_CHANGES);
    for (size_t i = 1; i < state.reservation_count; i++) {
        ck_assert_int_le(state.reservations[i - 1].expires_ms, state.reservations[i].expires_ms);
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
    ck_assert_uint_eq(state.reservation_count, 4);
    strcpy(id, state.reservations[3].id);

    ck_assert_int_eq(read_as("A", (struct inventory_query){.now_ms = at_ms}, &state), STATUS_OK);
    ck_assert_uint_eq(state.reservation_count, 1);
    ck_assert_str_eq(state.reservations[0].customer_id, "OLD");
    ck_assert_int_eq(state.product.available, 90);
    ck_assert_int_eq(read_as("A", (struct inventory_query){.now_ms = at_ms - 1}, &state), STATUS_OK);
    ck_assert_uint_eq(state.reservation_count, 0);
    ck_assert_int_eq(read_as("A", (struct inventory_query){.now_ms = at_ms + 1}, &state), STATUS_OK);
    ck_assert_uint_eq(state.reservation_count, 2);

    ck_assert_int_eq(read_as("A", (struct inventory_query){.customer_id = "C1", .now_ms = at_ms}, &state), STATUS_OK);
    ck_assert_uint_eq(state.reservation_count, 2);
    ck_assert_str_eq(state.reservations[1].customer_id, "C1");
    ck_assert_int_eq(read_as("A", (struct inventory_query){.reservation_id = id, .now_ms = at_ms}, &state), STATUS_OK);
    ck_assert_uint_eq(state.reservation_count, 2);
    ck_assert_str_eq(state.reservations[1].id, id);
    ck_assert_int_eq(
        read_as("A", (struct inventory_query){.customer_id = "O'Neil' or 'a' eq 'a", .now_ms = at_ms}, &state),
        STATUS_OK);
    ck_assert_uint_eq(state.reservation_count, 1);
}
END_TEST

/* What a scan saw, as "A+ B- ": + where something has expired. */
static enum status note_product(void *context, const char *product_id, bool has_expired, struct error *error) {
    (void)error;
    char *seen = context;
    sprintf(seen + strlen(seen), "%s%c ", product_id, has_expired ? '+' : '-');
    return STATUS_OK;
}

START_TEST(a_scan_tells_where_something_has_expired) {
    int64_t at_ms = now_ms();
    char seen[64] = "";
    reserve_and_commit("A", "C1", 1, at_ms);
    reserve_and_commit("B", "C1", 1, at_ms - LIFETIME_MS);
    reserve_and_commit("B", "C1", 1, at_ms);
    ck_assert_int_eq(store->ops->scan(store, at_ms, note_product, seen, &err), STATUS_OK);
    ck_assert_str_eq(seen, "A- B+ ");
    seen[0] = '\0';
    ck_assert_int_eq(store->ops->scan(store, at_ms - 1, note_product, seen, &err), STATUS_OK);
    ck_assert_str_eq(seen, "A- B- ");
}
END_TEST

static enum status refuse(void *context, const char *product_id, bool has_expired, struct error *error) {
    (void)product_id, (void)has_expired;
    ++*(int *)context;
    return error_set(error, STATUS_LEASE_LOST, "enough");
}

START_TEST(a_scan_ends_where_its_visitor_says_so) {
    int visits = 0;
    ck_assert_int_eq(store->ops->scan(store, now_ms(), refuse, &visits, &err), STATUS_LEASE_LOST);
    ck_assert_int_eq(visits, 1);
}
END_TEST

TCase *inventory_store_contract(struct inventory_store *(*open)(void), void (*close)(void)) {
    open_store = open;
    close_store = close;
    TCase *contract = tcase_create("store contract");
    tcase_set_timeout(contract, 60);
    tcase_add_checked_fixture(contract, set_up, tear_down);
    tcase_add_test(contract, seed_products_are_created_once_and_never_reset);
    tcase_add_test(contract, an_unknown_product_is_not_found);
    tcase_add_test(contract, a_commit_is_read_back_whole_with_the_next_version);
    tcase_add_test(contract, a_state_can_be_committed_again_without_reading);
    tcase_add_test(contract, changed_and_removed_rows_are_stored);
    tcase_add_test(contract, a_stale_commit_fails_whole);
    tcase_add_test(contract, a_full_transaction_is_one_commit);
    tcase_add_test(contract, a_query_reads_the_expired_and_who_it_asks_for);
    tcase_add_test(contract, a_scan_tells_where_something_has_expired);
    tcase_add_test(contract, a_scan_ends_where_its_visitor_says_so);
    return contract;
}
