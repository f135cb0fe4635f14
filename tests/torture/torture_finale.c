#include "torture/torture_finale.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "support/calls/blob_calls.h"
#include "support/calls/http_client.h"

enum {
    LOOKS_AT_LOST_STOCK = 3,
    START_TIMEOUT_MS = 60000,
    LEASE_TIMEOUT_MS = 30000,
    LEASE_S = 15,
    LATE_PRODUCT = 0, /* whose lease is outlived */
    POLL_MS = 20,
};
#define OPERATORS_LEASE "55555555-6666-4777-8888-999999999999"

/* ---- a lease that is outlived ---- */

/* One more instance, and its one request. */
struct late {
    struct torture_instance instance;
    pthread_t thread;
    atomic_bool answered;
    int status;
};

static void *reserve_late(void *context) {
    struct late *late = context;
    static const char body[] = "{\"quantity\":1,\"customerId\":\"late\"}";
    char path[128];
    snprintf(path, sizeof path, "/api/inventory/%s/reserve", torture_world_product(LATE_PRODUCT));
    late->status = http_ask_status(
        (struct http_ask){.port = late->instance.app.port, .path = path, .body = body});
    atomic_store(&late->answered, true);
    return NULL;
}

/*
 * Works for 12 s of the 15 that its lease lasts; and renewals fail. So a commit would begin with 3
 * s of it left.
 */
static void start_late(struct torture_world *world, struct late *late) {
    const int ports[TORTURE_PROXIES] = {world->azurite.blob_port, world->azurite.table_port};
    struct torture_instance *instance = &late->instance;
    for (int i = 0; i < TORTURE_PROXIES; i++) {
        instance->proxies[i] = fault_proxy_new(ports[i], 1);
    }
    azurite_write_connection_string(fault_proxy_port(instance->proxies[0]),
                                    fault_proxy_port(instance->proxies[1]),
                                    instance->connection_string);
    static const char *const settings[] = {
        "HANDLER_INSTANCE=late", "Inventory:ProcessingTime=00:00:12",
        "DistributedLeasing:DefaultLeaseDuration=00:00:15", NULL};
    app_start_handler(&instance->app,
                      &(struct app_options){.connection_string = instance->connection_string,
                                            .settings = settings});
    ck_assert(app_wait_for_log(&instance->app, 0, "listens on", START_TIMEOUT_MS));
}

static void end_late(struct late *late) {
    pthread_join(late->thread, NULL);
    app_stop(&late->instance.app, SIGKILL);
    app_cleanup(&late->instance.app);
    for (int i = 0; i < TORTURE_PROXIES; i++) {
        fault_proxy_free(late->instance.proxies[i]);
    }
}

/* Waits until the lease has run out, and takes it. */
static void take_lease(struct torture_world *world) {
    struct storage_connection *storage = &world->operator;
    int64_t deadline_ms = storage_connection_deadline(storage, LEASE_TIMEOUT_MS), sent_ms = 0;
    enum status status;
    char blob[64];
    snprintf(blob, sizeof blob, "lease-inventory-%s", torture_world_product(LATE_PRODUCT));
    while ((status = blob_lease_acquire(&storage->client, "leases", blob, OPERATORS_LEASE, LEASE_S,
                                        deadline_ms, &sent_ms, NULL)) == STATUS_LEASE_CONFLICT) {
        poll(NULL, 0, POLL_MS);
    }
    ck_assert_int_eq(status, STATUS_OK);
}

static void outlive_a_lease(struct torture_world *world, struct checker_report *report) {
    struct late late = {.status = 0};
    start_late(world, &late);
    fault_proxy_add(late.instance.proxies[0],
                    &(struct fault_rule){.lease_action = "renew", .kind = FAULT_STATUS_BEFORE});
    int held_back =
        fault_proxy_add(late.instance.proxies[1],
                        &(struct fault_rule){.path_contains = "$batch", .kind = FAULT_HANG_BEFORE});
    ck_assert_int_eq(pthread_create(&late.thread, NULL, reserve_late, &late), 0);
    while (!atomic_load(&late.answered) &&
           fault_proxy_applied(late.instance.proxies[1], held_back) == 0) {
        poll(NULL, 0, POLL_MS);
    }
    if (!atomic_load(&late.answered)) {
        take_lease(world);
        fault_proxy_clear(late.instance.proxies[1]);
        fault_proxy_let_go(late.instance.proxies[1]);
    }
    end_late(&late);
    if (late.status == 200) {
        checker_add(report, CHECKER_LEASE,
                    "a reserve was answered 200 whose lease had run out: an operator had it");
    }
}

/* ---- the end of the stock ---- */

/*
 * Asks each instance, more than once: the first request may be the one that makes anew what is
 * missing.
 */
static void expect_no_stock(struct torture_world *world, struct checker_report *report, int product,
                            const char *why) {
    char path[128], adjust_path[192];
    snprintf(path, sizeof path, "/api/inventory/%s", torture_world_product(product));
    snprintf(adjust_path, sizeof adjust_path, "%s/adjust", path);
    for (int i = 0; i < TORTURE_INSTANCES * LOOKS_AT_LOST_STOCK; i++) {
        int instance = i % TORTURE_INSTANCES;
        int status = http_ask_status(
            (struct http_ask){.port = world->instances[instance].app.port, .path = path});
        if (status == 200) {
            checker_add(report, CHECKER_RETURN, "instance %d shows %s, %s", instance + 1,
                        torture_world_product(product), why);
        }
        status = http_ask_status((struct http_ask){.port = world->instances[instance].app.port,
                                                   .path = adjust_path,
                                                   .body = "{\"delta\":1}"});
        if (status == 200) {
            checker_add(report, CHECKER_RETURN, "instance %d adjusts %s, %s", instance + 1,
                        torture_world_product(product), why);
        }
    }
}

/*
 * Takes away a product's row under its reservations, then the whole table. Only who restarts the
 * app accepts that.
 */
static void lose_the_stock(struct torture_world *world, struct checker_report *report) {
    torture_world_delete_product_row(world, TORTURE_CROWDED);
    torture_world_restart(world, 0);
    expect_no_stock(world, report, TORTURE_CROWDED,
                    "whose row was deleted and whose reservations are there");
    if (torture_world_has_product_row(world, TORTURE_CROWDED)) {
        checker_add(report, CHECKER_RETURN,
                    "a product's row was made anew beside the rows of its reservations");
    }
    torture_world_delete_table(world);
    for (int i = 0; i < world->options->product_count; i++) {
        expect_no_stock(world, report, i, "though the table was deleted under the running app");
    }
    for (int i = 0; i < TORTURE_INSTANCES; i++) {
        torture_world_restart(world, i);
    }
    torture_world_await_products(world);
}

void torture_finale_run(struct torture_world *world, struct checker_report *report) {
    outlive_a_lease(world, report);
    lose_the_stock(world, report);
}
