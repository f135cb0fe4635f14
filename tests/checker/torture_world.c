#include "checker/torture_world.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/product_entity.h"
#include "storage/table_client.h"
#include "support/http_client.h"

#define MINUTES_MS INT64_C(60000)
enum { START_TIMEOUT_MS = 60000, READ_TIMEOUT_MS = 20000, POLL_MS = 20 };

static const struct {
    const char *id;
    int total;
} products[TORTURE_PRODUCTS] = {{"SCARCE", 12}, {"FEW", 40}, {"SOME", 90}, {"MANY", 250}};

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

int torture_world_total(int index) {
    return products[index].total;
}

/* ---- instances ---- */

static void launch(struct torture_world *world, int index) {
    struct torture_instance *instance = &world->instances[index];
    char name[32], seeds[256] = "Inventory:SeedProducts=";
    snprintf(name, sizeof name, "HANDLER_INSTANCE=%d", index + 1);
    for (int i = 0; i < TORTURE_PRODUCTS; i++) {
        size_t used = strlen(seeds);
        snprintf(seeds + used, sizeof seeds - used, "%s%s=%d", i == 0 ? "" : ";", products[i].id, products[i].total);
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
                      &(struct app_options){.connection_string = instance->connection_string, .settings = settings});
    ck_assert_msg(app_wait_for_log(&instance->app, 0, "listens on", START_TIMEOUT_MS), "instance %d does not listen",
                  index + 1);
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

void torture_world_open(struct torture_world *world, const struct torture_options *options) {
    memset(world, 0, sizeof *world);
    world->options = options;
    temp_folder_make(&world->folder);
    azurite_start(&world->azurite, AZURITE_IN_MEMORY);
    storage_connection_open(&world->operator, world->azurite.connection_string);
    for (int i = 0; i < TORTURE_INSTANCES; i++) {
        open_instance(world, i);
    }
    for (int i = 0; i < TORTURE_INSTANCES * TORTURE_PRODUCTS; i++) {
        await_product(&world->instances[i / TORTURE_PRODUCTS], i % TORTURE_PRODUCTS);
    }
}

static void keep_log(const struct torture_world *world, int index) {
    char path[128];
    snprintf(path, sizeof path, "%s/instance-%d.log", world->folder.path, index + 1);
    char *log = process_output_from(&world->instances[index].app.process, 0);
    FILE *file = fopen(path, "a");
    ck_assert_msg(file != NULL, "writing %s", path);
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
    app_release(&instance->app);
    launch(world, index);
}

void torture_world_close(struct torture_world *world) {
    for (int i = 0; i < TORTURE_INSTANCES; i++) {
        struct torture_instance *instance = &world->instances[i];
        app_release(&instance->app);
        for (int j = 0; j < TORTURE_PROXIES; j++) {
            fault_proxy_free(instance->proxies[j]);
        }
        wall_clock_close(&instance->clock);
    }
    storage_connection_close(&world->operator);
    azurite_release(&world->azurite);
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
    struct reservation reservation;
    if (strcmp(row_key, PRODUCT_ROW) == 0) {
        /* As it is, not as handlers read it: what they would refuse is for the checker to tell. */
        ck_assert(json_int64(entity, "total", &out->stored_total) &&
                  json_int64(entity, "available", &out->stored_available) &&
                  json_int64(entity, "version", &out->stored_version));
    } else if (strncmp(row_key, RESERVATION_ROW_PREFIX, strlen(RESERVATION_ROW_PREFIX)) == 0) {
        ck_assert(product_entity_read_reservation(entity, row_key, &reservation));
        out->rows = realloc(out->rows, (out->row_count + 1) * sizeof *out->rows);
        ck_assert_ptr_nonnull(out->rows);
        struct history_reservation *row = &out->rows[out->row_count++];
        *row = (struct history_reservation){.quantity = reservation.quantity,
                                            .reserved_ms = reservation.reserved_ms,
                                            .expires_ms = reservation.expires_ms};
        strcpy(row->id, reservation.id);
        copy(row->customer, reservation.customer_id);
    }
    return STATUS_OK;
}

void torture_world_read_product(struct torture_world *world, const struct history *history, int index,
                                struct checker_product *out) {
    char filter[128];
    struct error err = {0};
    snprintf(filter, sizeof filter, "PartitionKey eq '%s'", products[index].id);
    *out = (struct checker_product){.total = products[index].total, .read_from_ms = history_now_ms(history)};
    copy(out->id, products[index].id);
    int pages = 0;
    enum status status =
        table_query(&world->operator.client, "inventory", filter,
                    storage_connection_deadline(&world->operator, READ_TIMEOUT_MS), take_entity, out, &pages, &err);
    ck_assert_msg(status == STATUS_OK, "%s", err.message);
    out->read_to_ms = history_now_ms(history);
}
