/*
 * test_reconcile_scale.c - housekeeping in a large table costs what is due, not what is there.
 *
 * 1,000 products with 100 reservations each; 1 % of these are due, ten each in 100 products.
 */
#include <stdio.h>

#include "inventory/inventory_service.h"
#include "inventory/inventory_store_table.h"
#include "support/calls/prepare_wait.h"
#include "support/calls/reconcile_wait.h"
#include "support/calls/store_wait.h"
#include "support/processes/azurite.h"
#include "support/processes/check_main.h"
#include "support/processes/lease_handler.h"

enum {
    PRODUCTS = 1000,
    RESERVATIONS = 100,
    DUE_PRODUCTS = 100,
    DUE_RESERVATIONS = 10,
    BATCH = 50,
    LIFETIME_MS = 60 * 60 * 1000,
    TIMEOUT_S = 900,
    REQUESTS_PER_DUE_PRODUCT = 6, /* lease, read, commit, release, and what the index needs */
    OTHER_REQUESTS = 20,
};

static struct azurite azurite;
static struct lease_handler handler;
static struct inventory_store_table store;
static struct inventory_service service;
static struct inventory_options options = {.reservation_lifetime_ms = LIFETIME_MS};
static struct seed_product seeds[PRODUCTS];
static struct error err;

static void check(enum status status) {
    ck_assert_msg(status == STATUS_OK, "%s", status == STATUS_OK ? "" : err.message);
}

static void set_up(void) {
    azurite_start(&azurite, AZURITE_IN_MEMORY);
    lease_handler_start(&handler, azurite.connection_string, "leases");
    handler.options.renew_interval_ms = 6000;
    inventory_store_table_init(&store, &handler.storage.client, "inventory");
    for (int i = 0; i < PRODUCTS; i++) {
        seeds[i].total = RESERVATIONS;
        snprintf(seeds[i].id, sizeof seeds[i].id, "PROD-%04d", i);
    }
    options.seeds = seeds;
    options.seed_count = PRODUCTS;
    inventory_service_init(&service, &handler.storage.platform, &store.base, handler.manager,
                           &options, 10000);
    check(prepare_and_wait(&service, &err));
}

static void tear_down(void) {
    lease_handler_stop(&handler);
    inventory_service_cleanup(&service);
    inventory_store_table_cleanup(&store);
    azurite_cleanup(&azurite);
}

/*
 * In transactions of BATCH; the first `due` are as if they had been made an hour ago and expired a
 * moment ago.
 */
static void fill(const char *product_id, int due) {
    struct product_state state;
    struct inventory_query query = {.all = true};
    product_state_init(&state);
    check(inventory_store_read_and_wait(&store.base, product_id, &query, &state, &err));
    int64_t now_ms = store.base.ops->now_ms(&store.base);
    for (int i = 1; i <= RESERVATIONS; i++) {
        const struct reservation *row = NULL;
        bool reserved = false;
        int64_t made_ms = i <= due ? now_ms - LIFETIME_MS - 1 : now_ms;
        check(inventory_reserve(&state, "CUST-123", 1, made_ms, LIFETIME_MS, random_system(),
                                &reserved, &row));
        ck_assert(reserved);
        if (i % BATCH == 0) {
            check(inventory_store_commit_and_wait(&store.base, &state,
                                                  clock_now_ms(clock_system()) + 10000, &err));
        }
    }
    product_state_cleanup(&state);
}

/*
 * Reconciles; answers how many requests storage was sent for it, that of the leases that it
 * releases, too.
 */
static int reconcile(struct reconcile_result *out) {
    size_t mark = azurite_mark(&azurite);
    check(reconcile_and_wait(&service, out, &err));
    inventory_service_cancel(&service);
    lease_handler_stop(&handler);
    int requests = azurite_request_count(&azurite, mark);
    lease_handler_start(&handler, azurite.connection_string, "leases");
    return requests;
}

START_TEST(reconciliation_costs_requests_in_proportion_to_what_is_due) {
    for (int i = 0; i < PRODUCTS; i++) {
        fill(seeds[i].id, i < DUE_PRODUCTS ? DUE_RESERVATIONS : 0);
    }
    struct reconcile_result result;
    int requests = reconcile(&result);
    printf("%d reservations of %d products, %d due: %d requests, %.2f for each that was due, in "
           "%lld ms\n",
           PRODUCTS * RESERVATIONS, PRODUCTS, DUE_PRODUCTS * DUE_RESERVATIONS, requests,
           (double)requests / (DUE_PRODUCTS * DUE_RESERVATIONS), (long long)result.duration_ms);
    ck_assert_int_eq(result.products_reconciled, DUE_PRODUCTS);
    ck_assert_int_eq(result.reservations_released, DUE_PRODUCTS * DUE_RESERVATIONS);
    ck_assert_int_le(requests, DUE_PRODUCTS * REQUESTS_PER_DUE_PRODUCT + OTHER_REQUESTS);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("reconcile_scale");
    TCase *scale = tcase_create("scale");
    tcase_set_timeout(scale, TIMEOUT_S);
    tcase_add_checked_fixture(scale, set_up, tear_down);
    tcase_add_test(scale, reconciliation_costs_requests_in_proportion_to_what_is_due);
    suite_add_tcase(suite, scale);
    return check_main(suite);
}
