#include "inventory/inventory_store_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/calls/store_wait.h"
#include "support/checks/inventory_due_contract.h"
#include "support/checks/inventory_store_contract.h"
#include "support/checks/inventory_visit_contract.h"
#include "support/processes/azurite_steps.h"
#include "support/processes/check_main.h"
#include "support/processes/storage_connection.h"

enum { MINUTE_MS = 60000, HOUR_MS = 60 * MINUTE_MS, DEADLINE_MS = 30000 };

static struct storage_connection connection;
static struct inventory_store_table store;
static char table[STORAGE_UNIQUE_NAME_BYTES];
static struct error err;

static struct inventory_store *open_table(void) {
    storage_connection_open(&connection, azurite.connection_string);
    storage_unique_name(table);
    inventory_store_table_init(&store, &connection.client, table);
    return &store.base;
}

static void close_table(void) {
    inventory_store_table_cleanup(&store);
    storage_connection_close(&connection);
}

/* ---- what the index costs ---- */

enum {
    PRODUCTS = 200,
    RESERVATIONS = 50,
    DUE_PRODUCTS = 2
}; /* 1 % of 10,000 reservations, two products' */

static struct product_state state;

static void open_many(void) {
    static struct seed_product seeds[PRODUCTS];
    open_table();
    product_state_init(&state);
    for (int i = 0; i < PRODUCTS; i++) {
        snprintf(seeds[i].id, sizeof seeds[i].id, "P-%03d", i);
        seeds[i].total = 100;
    }
    ck_assert_msg(inventory_store_prepare_and_wait(&store.base, seeds, PRODUCTS, &err) == STATUS_OK,
                  "%s", err.message);
}

static void close_many(void) {
    product_state_cleanup(&state);
    close_table();
}

static void read_product(const char *id, int64_t until_ms) {
    struct inventory_query query = {.until_ms = until_ms};
    ck_assert_msg(inventory_store_read_and_wait(&store.base, id, &query, &state, &err) == STATUS_OK,
                  "%s", err.message);
}

static void commit(void) {
    int64_t deadline_ms = storage_connection_deadline(&connection, DEADLINE_MS);
    ck_assert_msg(inventory_store_commit_and_wait(&store.base, &state, deadline_ms, &err) ==
                      STATUS_OK,
                  "%s", err.message);
}

/*
 * Makes reservations of one unit in one commit; the first expires at `expires_ms`, each later one a
 * millisecond after.
 */
static void reserve(int count, int64_t expires_ms) {
    for (int i = 0; i < count; i++) {
        bool reserved = false;
        const struct reservation *row = NULL;
        ck_assert_int_eq(inventory_reserve(&state, "C1", 1, expires_ms + i - HOUR_MS, HOUR_MS,
                                           random_system(), &reserved, &row),
                         STATUS_OK);
        ck_assert(reserved);
    }
    commit();
}

static int finish(struct inventory_store_table *own, const char *product_id, int64_t now_ms) {
    int purged = -1;
    ck_assert_msg(inventory_store_clean_up_expired_and_wait(&own->base, product_id, now_ms, &purged,
                                                            &err) == STATUS_OK,
                  "%s", err.message);
    return purged;
}

/* One visit of reconciliation's. */
static void reconcile(const char *product_id, int64_t now_ms) {
    read_product(product_id, now_ms);
    if (inventory_expire(&state, now_ms, 0, INVENTORY_MAX_CHANGES) > 0) {
        commit();
    }
    (void)finish(&store, product_id, now_ms);
}

static struct product_ids find_expired(struct inventory_store_table *own, int64_t now_ms) {
    struct product_ids due = {.ids = NULL};
    ck_assert_msg(inventory_store_find_expired_and_wait(&own->base, now_ms, &due, &err) ==
                      STATUS_OK,
                  "%s", err.message);
    return due;
}

static int reconciliation_requests(int64_t now_ms, size_t expected_visits) {
    size_t mark = azurite_mark(&azurite);
    struct product_ids due = find_expired(&store, now_ms);
    ck_assert_uint_eq(due.count, expected_visits);
    for (size_t i = 0; i < due.count; i++) {
        reconcile(due.ids[i], now_ms);
    }
    free(due.ids);
    return azurite_request_count(&azurite, mark);
}

START_TEST(reconciliation_costs_requests_for_what_is_due_alone) {
    int64_t now_ms = store.base.ops->now_ms(&store.base);
    for (int i = 0; i < PRODUCTS; i++) {
        char id[PRODUCT_ID_BYTES];
        snprintf(id, sizeof id, "P-%03d", i);
        read_product(id, 0);
        reserve(RESERVATIONS, i < DUE_PRODUCTS ? now_ms - HOUR_MS : now_ms + HOUR_MS);
    }
    /* The query; for each due product a read, a commit and the row's deletion. */
    ck_assert_int_le(reconciliation_requests(now_ms, DUE_PRODUCTS), 1 + 3 * DUE_PRODUCTS);
    ck_assert_int_eq(reconciliation_requests(now_ms, 0), 1);
    for (int i = 0; i < DUE_PRODUCTS; i++) {
        char id[PRODUCT_ID_BYTES];
        snprintf(id, sizeof id, "P-%03d", i);
        read_product(id, INT64_MAX);
        ck_assert_int_eq(state.product.available, 100);
        ck_assert_uint_eq(state.reservations.count, 0);
    }
}
END_TEST

START_TEST(a_row_stays_for_a_grace_and_then_goes_with_one_request) {
    int64_t minute_ms = store.base.ops->now_ms(&store.base) - HOUR_MS;
    minute_ms -= minute_ms % MINUTE_MS;
    read_product("P-000", 0);
    reserve(1, minute_ms);
    int64_t over_ms = minute_ms + MINUTE_MS + EXPIRY_GRACE_MS;
    ck_assert_int_eq(reconciliation_requests(over_ms - 1, 1), 3); /* query, read, commit */
    ck_assert_int_eq(reconciliation_requests(over_ms - 1, 1), 2); /* query, read */
    ck_assert_int_eq(reconciliation_requests(over_ms, 1), 3);     /* query, read, deletion */
    ck_assert_int_eq(reconciliation_requests(over_ms, 0), 1);
}
END_TEST

static int commit_requests(int64_t expires_ms) {
    size_t mark = azurite_mark(&azurite);
    reserve(1, expires_ms);
    return azurite_request_count(&azurite, mark);
}

START_TEST(the_index_costs_a_product_one_request_a_minute_and_one_an_hour_for_records) {
    int64_t hour_ms = store.base.ops->now_ms(&store.base) + HOUR_MS;
    hour_ms -= hour_ms % HOUR_MS;
    struct idempotency_record record = {
        .key_hash = "1", .request_hash = "x", .keep_until_ms = hour_ms};
    read_product("P-000", 0);
    ck_assert_int_eq(commit_requests(hour_ms), 2);
    ck_assert_int_eq(commit_requests(hour_ms + MINUTE_MS - 1), 1);
    ck_assert_int_eq(commit_requests(hour_ms + MINUTE_MS), 2);
    ck_assert_int_eq(product_state_add_record(&state, &record), STATUS_OK);
    ck_assert_int_eq(commit_requests(hour_ms + MINUTE_MS), 2);
    strcpy(record.key_hash, "2");
    record.keep_until_ms = hour_ms + HOUR_MS - 1;
    ck_assert_int_eq(product_state_add_record(&state, &record), STATUS_OK);
    ck_assert_int_eq(commit_requests(hour_ms + MINUTE_MS), 1);
    read_product("P-000", 0); /* the product's row remembers */
    ck_assert_int_eq(commit_requests(hour_ms + MINUTE_MS), 1);
    strcpy(record.key_hash, "3");
    record.keep_until_ms = hour_ms + HOUR_MS;
    ck_assert_int_eq(product_state_add_record(&state, &record), STATUS_OK);
    ck_assert_int_eq(commit_requests(hour_ms + 2 * MINUTE_MS), 3);
}
END_TEST

START_TEST(more_due_rows_than_a_page_holds_are_all_found_and_taken_away) {
    enum { MINUTES = 1100, REQUESTS_FOR_ROWS = 2 + 11 };
    int64_t now_ms = store.base.ops->now_ms(&store.base);
    read_product("P-000", 0);
    for (int i = 0; i < MINUTES; i++) {
        reserve(1, now_ms - (int64_t)(MINUTES + 5 - i) * MINUTE_MS);
        inventory_expire(&state, now_ms, 0, INVENTORY_MAX_CHANGES);
    }
    commit();
    ck_assert_int_eq(reconciliation_requests(now_ms, 1), REQUESTS_FOR_ROWS + 1);
    ck_assert_int_eq(reconciliation_requests(now_ms, 0), 1);
}
END_TEST

/* Two instances see the same; one is faster. */
START_TEST(rows_that_another_instance_has_taken_away_are_passed_over) {
    int64_t now_ms = store.base.ops->now_ms(&store.base), minute_ms = now_ms - HOUR_MS;
    struct idempotency_record record = {
        .key_hash = "1", .request_hash = "x", .keep_until_ms = now_ms - 2 * HOUR_MS};
    struct inventory_store_table other;
    inventory_store_table_init(&other, &connection.client, table);
    read_product("P-000", 0);
    ck_assert_int_eq(product_state_add_record(&state, &record), STATUS_OK);
    reserve(1, minute_ms);
    reserve(1, minute_ms + MINUTE_MS);
    free(find_expired(&other, now_ms).ids);
    reserve(1, minute_ms + 2 * MINUTE_MS);
    ck_assert_int_eq(reconciliation_requests(now_ms, 1) > 0, 1);
    ck_assert_int_eq(finish(&other, "P-000", now_ms), 0);
    inventory_store_table_cleanup(&other);
    ck_assert_int_eq(reconciliation_requests(now_ms, 0), 1);
}
END_TEST

START_TEST(a_missing_table_is_told_and_nothing_is_written) {
    struct inventory_store_table missing;
    inventory_store_table_init(&missing, &connection.client, "nosuchtable");
    struct idempotency_record record;
    ck_assert_int_eq(inventory_store_find_record_and_wait(&missing.base, "P", "x", &record, &err),
                     STATUS_CONTAINER_NOT_FOUND);
    struct product_ids due;
    ck_assert_int_eq(inventory_store_find_expired_and_wait(&missing.base, 1, &due, &err),
                     STATUS_CONTAINER_NOT_FOUND);
    inventory_store_table_cleanup(&missing);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("inventory_store_table");
    TCase *contract = inventory_store_contract(open_table, close_table);
    TCase *due = inventory_due_contract(open_table, close_table);
    TCase *visit = inventory_visit_contract(open_table, close_table);
    TCase *costs = tcase_create("costs of the index");
    tcase_add_unchecked_fixture(contract, start_azurite, release_azurite);
    tcase_add_unchecked_fixture(visit, start_azurite, release_azurite);
    tcase_add_unchecked_fixture(due, start_azurite, release_azurite);
    tcase_add_unchecked_fixture(costs, start_azurite, release_azurite);
    tcase_add_checked_fixture(costs, open_many, close_many);
    tcase_set_timeout(costs, 120);
    tcase_add_test(costs, reconciliation_costs_requests_for_what_is_due_alone);
    tcase_add_test(costs, a_row_stays_for_a_grace_and_then_goes_with_one_request);
    tcase_add_test(costs,
                   the_index_costs_a_product_one_request_a_minute_and_one_an_hour_for_records);
    tcase_add_test(costs, more_due_rows_than_a_page_holds_are_all_found_and_taken_away);
    tcase_add_test(costs, rows_that_another_instance_has_taken_away_are_passed_over);
    tcase_add_test(costs, a_missing_table_is_told_and_nothing_is_written);
    suite_add_tcase(suite, contract);
    suite_add_tcase(suite, visit);
    suite_add_tcase(suite, due);
    suite_add_tcase(suite, costs);
    return check_main(suite);
}
