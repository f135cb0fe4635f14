#include "torture/torture_world.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/inventory_store_table.h"
#include "inventory/product_entity.h"
#include "storage/table_client.h"
#include "support/calls/blob_calls.h"
#include "support/calls/http_client.h"
#include "support/calls/store_wait.h"
#include "support/calls/table_calls.h"

#define MINUTES_MS INT64_C(60000)
#define DAY_MS (24 * 60 * MINUTES_MS)
enum { START_TIMEOUT_MS = 60000, STORAGE_TIMEOUT_MS = 20000, POLL_MS = 20 };

/* A run with fewer products takes the first ones. So those have room for many clients. */
static const struct {
    const char *id;
    int room;
} products[TORTURE_MAX_PRODUCTS] = {
    {"MANY", 250}, {"CROWDED", 60}, {"SCARCE", 12}, {"FEW", 40}, {"SOME", 90}};

/* ---- chance ---- */

static uint64_t next_random(struct torture_random *random) {
    uint64_t mixed = random->state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

int torture_random_below(struct torture_random *random, int limit) {
    return (int)(next_random(random) % (uint64_t)limit);
}

bool torture_random_chance(struct torture_random *random, double probability) {
    return (double)(next_random(random) >> 11) * 0x1p-53 < probability;
}

const char *torture_world_product(int index) {
    return products[index].id;
}

int torture_world_room(int index) {
    return products[index].room;
}

int torture_world_residents(int index) {
    return index == TORTURE_CROWDED ? TORTURE_RESIDENTS : 0;
}

/* ---- the operator ---- */

static int64_t storage_deadline(const struct torture_world *world) {
    return storage_connection_deadline(&world->operator, STORAGE_TIMEOUT_MS);
}

static void need(enum status status, const struct error *err) {
    ck_assert_msg(status == STATUS_OK, "the operator: %s", err->message);
}

/* Has the residents move in, before anybody else is there. */
static void settle_residents(struct torture_world *world) {
    struct inventory_store_table table;
    struct product_state state;
    struct error err = {0};
    struct seed_product seed = {.total = products[TORTURE_CROWDED].room + TORTURE_RESIDENTS};
    strcpy(seed.id, products[TORTURE_CROWDED].id);
    inventory_store_table_init(&table, &world->operator.client, "inventory");
    product_state_init(&state);
    need(inventory_store_prepare_and_wait(&table.base, &seed, 1, &err), &err);
    need(inventory_store_read_and_wait(&table.base, seed.id,
                                       &(struct inventory_query){.until_ms = 0}, &state, &err),
         &err);
    int64_t now_ms = table.base.ops->now_ms(&table.base);
    for (int i = 1; i <= TORTURE_RESIDENTS; i++) {
        const struct reservation *row = NULL;
        bool reserved = false;
        need(inventory_reserve(&state, HISTORY_RESIDENT, 1, now_ms, DAY_MS, random_system(),
                               &reserved, &row),
             &err);
        if (i % INVENTORY_MAX_CHANGES == 0 || i == TORTURE_RESIDENTS) {
            need(
                inventory_store_commit_and_wait(&table.base, &state, storage_deadline(world), &err),
                &err);
        }
    }
    product_state_cleanup(&state);
    inventory_store_table_cleanup(&table);
}

static void delete_from_storage(struct torture_world *world, enum storage_service service,
                                int success, const char *path) {
    struct error err = {0};
    struct http_reply reply;
    struct storage_request request;
    http_reply_init(&reply);
    storage_request_init(&request, service, "DELETE", success);
    strbuf_append_string(&request.path, path);
    if (service == STORAGE_BLOB) {
        http_headers_add(&request.query, "restype", "container");
    } else {
        http_headers_add(&request.headers, "Accept", "application/json");
        http_headers_add(&request.headers, "If-Match", "*");
    }
    need(storage_client_send(&world->operator.client, &request, storage_deadline(world), &reply,
                             &err),
         &err);
    storage_request_cleanup(&request);
    http_reply_cleanup(&reply);
}

void torture_world_delete_leases(struct torture_world *world) {
    struct error err = {0};
    enum status status =
        blob_container_create(&world->operator.client, "leases", storage_deadline(world), &err);
    ck_assert_msg(status == STATUS_OK || status == STATUS_ALREADY_EXISTS, "%s", err.message);
    delete_from_storage(world, STORAGE_BLOB, 202, "/leases");
}

void torture_world_delete_table(struct torture_world *world) {
    delete_from_storage(world, STORAGE_TABLE, 204, "/Tables('inventory')");
}

void torture_world_delete_product_row(struct torture_world *world, int index) {
    char path[128];
    snprintf(path, sizeof path, "/inventory(PartitionKey='%s',RowKey='" PRODUCT_ROW "')",
             products[index].id);
    delete_from_storage(world, STORAGE_TABLE, 204, path);
}

bool torture_world_has_product_row(struct torture_world *world, int index) {
    cJSON *entity = NULL;
    struct error err = {0};
    enum status status = table_get(&world->operator.client, "inventory", products[index].id,
                                   PRODUCT_ROW, storage_deadline(world), &entity, &err);
    cJSON_Delete(entity);
    if (status != STATUS_NOT_FOUND) {
        need(status, &err);
    }
    return status == STATUS_OK;
}

/* ---- instances ---- */

int torture_world_mixed(const struct torture_world *world) {
    int chosen = (int)(world->options->seed % TORTURE_INSTANCES);
    return world->options->old_handler == NULL ? -1 : chosen;
}

/* Chooses the handler of an instance that is about to start. */
static void choose_handler(struct torture_world *world, int index) {
    if (index == torture_world_mixed(world)) {
        bool is_old = !atomic_load(&world->instances[index].is_old);
        atomic_store(&world->instances[index].is_old, is_old);
        world->mixed_starts[is_old]++;
    }
}

static void launch(struct torture_world *world, int index) {
    struct torture_instance *instance = &world->instances[index];
    choose_handler(world, index);
    const char *handler = instance->is_old ? world->options->old_handler : NULL;
    char name[32], seeds[256] = "Inventory:SeedProducts=";
    snprintf(name, sizeof name, "HANDLER_INSTANCE=%d", index + 1);
    for (int i = 0; i < world->options->product_count; i++) {
        size_t used = strlen(seeds);
        snprintf(seeds + used, sizeof seeds - used, "%s%s=%d", i == 0 ? "" : ";", products[i].id,
                 products[i].room + torture_world_residents(i));
    }
    const char *const settings[] = {name,
                                    seeds,
                                    "Inventory:ReservationLifetime=00:00:04",
                                    "DistributedLeasing:DefaultLeaseDuration=00:00:15",
                                    "DistributedLeasing:AcquireTimeout=00:00:10",
                                    instance->has_clock ? instance->clock.preload : NULL,
                                    instance->clock.offset_variable,
                                    NULL};
    app_start_handler(&instance->app,
                      &(struct app_options){.connection_string = instance->connection_string,
                                            .settings = settings,
                                            .handler = handler});
    ck_assert_msg(app_wait_for_log(&instance->app, 0, "listens on", START_TIMEOUT_MS),
                  "instance %d does not listen", index + 1);
    atomic_store(&instance->port, instance->app.port);
    atomic_store(&instance->usable, true);
}

static void open_instance(struct torture_world *world, int index) {
    struct torture_instance *instance = &world->instances[index];
    int ports[TORTURE_PROXIES] = {world->azurite.blob_port, world->azurite.table_port};
    for (int i = 0; i < TORTURE_PROXIES && world->options->faults != TORTURE_NO_FAULTS; i++) {
        uint64_t seed = world->options->seed + (uint64_t)(TORTURE_PROXIES * index + i);
        instance->proxies[i] = fault_proxy_new(ports[i], seed);
        ports[i] = fault_proxy_port(instance->proxies[i]);
    }
    azurite_write_connection_string(ports[0], ports[1], instance->connection_string);
    instance->has_clock = world->options->faults == TORTURE_ALL_FAULTS;
    if (instance->has_clock) {
        static const int64_t offsets_ms[TORTURE_INSTANCES] = {0, 10 * MINUTES_MS, -10 * MINUTES_MS};
        wall_clock_open(&instance->clock);
        wall_clock_set(&instance->clock, offsets_ms[index]);
    }
    launch(world, index);
}

static void await_product(const struct torture_instance *instance, int product) {
    char path[128];
    int64_t deadline_ms = process_now_ms() + START_TIMEOUT_MS;
    snprintf(path, sizeof path, "/api/inventory/%s", products[product].id);
    while (http_ask_status((struct http_ask){.port = instance->app.port, .path = path}) != 200) {
        ck_assert_msg(process_now_ms() < deadline_ms, "no answer for %s:\n%s", products[product].id,
                      process_output_from(&instance->app.process, 0));
    }
}

void torture_world_await_products(struct torture_world *world) {
    int product_count = world->options->product_count;
    for (int i = 0; i < TORTURE_INSTANCES * product_count; i++) {
        await_product(&world->instances[i / product_count], i % product_count);
    }
}

void torture_world_open(struct torture_world *world, const struct torture_options *options) {
    memset(world, 0, sizeof *world);
    world->options = options;
    temp_folder_make(&world->folder);
    azurite_start(&world->azurite, AZURITE_IN_MEMORY);
    storage_connection_open(&world->operator, world->azurite.connection_string);
    settle_residents(world);
    for (int i = 0; i < TORTURE_INSTANCES; i++) {
        open_instance(world, i);
    }
    torture_world_await_products(world);
}

static void keep_log(const struct torture_world *world, int index) {
    char path[128];
    snprintf(path, sizeof path, "%s/instance-%d.log", world->folder.path, index + 1);
    char *log = process_output_from(&world->instances[index].app.process, 0);
    FILE *file = fopen(path, "a");
    ck_assert_msg(file != NULL, "writing %s", path);
    if (index == torture_world_mixed(world)) {
        fprintf(file, "==== the %s handler\n", world->instances[index].is_old ? "old" : "new");
    }
    fputs(log, file);
    fclose(file);
    free(log);
}

void torture_world_keep_logs(struct torture_world *world) {
    for (int i = 0; i < TORTURE_INSTANCES; i++) {
        keep_log(world, i);
    }
}

void torture_world_restart(struct torture_world *world, int index) {
    struct torture_instance *instance = &world->instances[index];
    atomic_store(&instance->usable, false);
    app_stop(&instance->app, SIGKILL);
    keep_log(world, index);
    app_cleanup(&instance->app);
    launch(world, index);
}

void torture_world_close(struct torture_world *world) {
    for (int i = 0; i < TORTURE_INSTANCES; i++) {
        struct torture_instance *instance = &world->instances[i];
        app_cleanup(&instance->app);
        for (int j = 0; j < TORTURE_PROXIES; j++) {
            fault_proxy_free(instance->proxies[j]);
        }
        wall_clock_close(&instance->clock);
    }
    storage_connection_close(&world->operator);
    azurite_cleanup(&world->azurite);
}

/* ---- the store ---- */

static void copy(char out[HISTORY_NAME_BYTES], const char *text) {
    ck_assert_uint_lt(strlen(text), HISTORY_NAME_BYTES);
    strcpy(out, text);
}

static enum status take_entity(void *context, const cJSON *entity, struct error *err) {
    (void)err;
    struct checker_product *out = context;
    const char *row_key = json_string(entity, "RowKey");
    struct reservation reservation = {0};
    const char *customer_id = NULL;
    if (strcmp(row_key, PRODUCT_ROW) == 0) {
        /* As it is, not as handlers read it: what they would refuse is for the checker to tell. */
        ck_assert(json_int64(entity, "total", &out->stored_total) &&
                  json_int64(entity, "available", &out->stored_available) &&
                  json_int64(entity, "version", &out->stored_version));
    } else if (strncmp(row_key, RESERVATION_ROW_PREFIX, strlen(RESERVATION_ROW_PREFIX)) == 0) {
        ck_assert(product_entity_read_reservation(entity, row_key, &reservation, &customer_id));
        if (strcmp(customer_id, HISTORY_RESIDENT) == 0) {
            out->stored_resident_count++;
            out->stored_resident_units += reservation.quantity;
            return STATUS_OK;
        }
        out->rows = realloc(out->rows, (out->row_count + 1) * sizeof *out->rows);
        ck_assert_ptr_nonnull(out->rows);
        struct history_reservation *row = &out->rows[out->row_count++];
        *row = (struct history_reservation){.quantity = reservation.quantity,
                                            .reserved_ms = reservation.reserved_ms,
                                            .expires_ms = reservation.expires_ms};
        strcpy(row->id, reservation.id);
        copy(row->customer, customer_id);
    }
    return STATUS_OK;
}

void torture_world_read_product(struct torture_world *world, const struct history *history,
                                int index, struct checker_product *out) {
    char filter[128];
    struct error err = {0};
    snprintf(filter, sizeof filter, "PartitionKey eq '%s'", products[index].id);
    *out = (struct checker_product){.total = products[index].room + torture_world_residents(index),
                                    .resident_count = (size_t)torture_world_residents(index),
                                    .resident_units = torture_world_residents(index),
                                    .read_from_ms = history_now_ms(history)};
    copy(out->id, products[index].id);
    int pages = 0;
    const struct table_query query = {.table = "inventory",
                                      .filter = filter,
                                      .visit = take_entity,
                                      .context = out,
                                      .out_pages = &pages};
    need(table_query(&world->operator.client, &query, storage_deadline(world), &err), &err);
    out->read_to_ms = history_now_ms(history);
}
