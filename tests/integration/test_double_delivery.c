/*
 * test_double_delivery.c - every change that the table store asks for is delivered twice, and the
 * second answer is all that comes.
 *
 * What leases ask for is in test_lease_faults.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/inventory_store_table.h"
#include "inventory/table_setup.h"
#include "support/calls/store_wait.h"
#include "support/checks/inventory_adds_up.h"
#include "support/checks/inventory_store_contract.h"
#include "support/processes/azurite_steps.h"
#include "support/processes/check_main.h"
#include "support/processes/storage_connection.h"
#include "support/proxies/fault_proxy.h"

enum { DEADLINE_MS = 30000, TIMEOUT_S = 120 };
#define HOUR_MS INT64_C(3600000)

static struct fault_proxy *proxy;
static struct storage_connection connection;
static struct inventory_store_table store;
static struct product_state state;
static char table[STORAGE_UNIQUE_NAME_BYTES];
static struct error err;

/* Reads are GETs. */
static struct inventory_store *open_table(void) {
    char connection_string[AZURITE_CONNECTION_STRING_BYTES];
    proxy = fault_proxy_new(azurite.table_port, 1);
    fault_proxy_add(proxy, &(struct fault_rule){.method = "POST", .kind = FAULT_TWICE});
    azurite_write_connection_string(azurite.blob_port, fault_proxy_port(proxy), connection_string);
    storage_connection_open(&connection, connection_string);
    storage_unique_name(table);
    inventory_store_table_init(&store, &connection.client, table);
    return &store.base;
}

static void close_table(void) {
    inventory_store_table_cleanup(&store);
    storage_connection_close(&connection);
    fault_proxy_free(proxy);
}

static void set_up(void) {
    open_table();
    product_state_init(&state);
}

static void tear_down(void) {
    product_state_cleanup(&state);
    close_table();
}

static void expect(enum status status, enum status expected) {
    ck_assert_msg(status == expected, "%s: %s", status_name(status), err.message);
}

static void read_product(const char *id) {
    expect(inventory_store_read_and_wait(&store.base, id, &(struct inventory_query){.all = true},
                                         &state, &err),
           STATUS_OK);
    ck_assert(inventory_adds_up(&state));
}

/* The table and each product: what is there already is our own. */
START_TEST(what_is_missing_is_created_once) {
    static const struct seed_product seeds[] = {{"A", 100}, {"B", 50}};
    expect(inventory_store_prepare_and_wait(&store.base, seeds, 2, &err), STATUS_OK);
    for (size_t i = 0; i < 2; i++) {
        read_product(seeds[i].id);
        ck_assert_int_eq(state.product.total, seeds[i].total);
        ck_assert_int_eq(state.product.version, 1);
    }
    ck_assert_int_ge(fault_proxy_applied_kind(proxy, FAULT_TWICE), 3);
}
END_TEST

START_TEST(an_operator_who_adds_a_product_is_told_that_it_was_added) {
    const struct seed_product product = {"A", 100};
    expect(inventory_store_add_and_wait(&store, &product, &err), STATUS_OK);
    expect(inventory_store_add_and_wait(&store, &product, &err), STATUS_ALREADY_EXISTS);
    read_product("A");
    ck_assert_int_eq(state.product.total, 100);
}
END_TEST

static void commit(void) {
    expect(inventory_store_commit_and_wait(
               &store.base, &state, storage_connection_deadline(&connection, DEADLINE_MS), &err),
           STATUS_OK);
}

static void take_away(const char *product_id, int64_t now_ms) {
    int purged = 0;
    read_product(product_id);
    if (inventory_expire(&state, now_ms, 0, INVENTORY_MAX_CHANGES) > 0) {
        commit();
    }
    expect(
        inventory_store_clean_up_expired_and_wait(&store.base, product_id, now_ms, &purged, &err),
        STATUS_OK);
}

static size_t count_due(int64_t now_ms) {
    struct product_ids due = {.ids = NULL};
    expect(inventory_store_find_expired_and_wait(&store.base, now_ms, &due, &err), STATUS_OK);
    free(due.ids);
    return due.count;
}

/* Rows of both indexes come and go, and the records with them. */
START_TEST(what_is_due_is_found_and_taken_away) {
    const struct seed_product product = {"A", 100};
    struct idempotency_record record = {.key_hash = "1", .request_hash = "x"}, found;
    const struct reservation *row = NULL;
    bool reserved = false;
    expect(inventory_store_prepare_and_wait(&store.base, &product, 1, &err), STATUS_OK);
    int64_t now_ms = store.base.ops->now_ms(&store.base);
    read_product("A");
    expect(inventory_reserve(&state, "C1", 4, now_ms - 2 * HOUR_MS, HOUR_MS, random_system(),
                             &reserved, &row),
           STATUS_OK);
    record.keep_until_ms = now_ms - 2 * HOUR_MS;
    expect(product_state_add_record(&state, &record), STATUS_OK);
    commit();
    ck_assert_uint_eq(count_due(now_ms), 1);
    take_away("A", now_ms);
    ck_assert_uint_eq(count_due(now_ms), 0);
    expect(inventory_store_find_record_and_wait(&store.base, "A", "1", &found, &err),
           STATUS_NOT_FOUND);
    read_product("A");
    ck_assert_int_eq(state.product.available, 100);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("double_delivery");
    TCase *contract = inventory_store_contract(open_table, close_table);
    TCase *tests = tcase_create("each change of the table");
    tcase_add_unchecked_fixture(contract, start_azurite, release_azurite);
    tcase_add_unchecked_fixture(tests, start_azurite, release_azurite);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(contract, TIMEOUT_S);
    tcase_set_timeout(tests, TIMEOUT_S);
    tcase_add_test(tests, what_is_missing_is_created_once);
    tcase_add_test(tests, an_operator_who_adds_a_product_is_told_that_it_was_added);
    tcase_add_test(tests, what_is_due_is_found_and_taken_away);
    suite_add_tcase(suite, contract);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
