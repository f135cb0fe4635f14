/*
 * GetInventory for a product with 100,000 reservations, in each shape in which the host calls: the
 * whole answer, and how much memory it takes of the handler. The storage is bench/storage/, because
 * Azurite needs minutes for so many rows.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "inventory/inventory_store_table.h"
#include "support/calls/http_client.h"
#include "support/calls/store_wait.h"
#include "support/processes/app.h"
#include "support/processes/check_main.h"
#include "support/processes/storage_connection.h"

enum {
    RESERVATIONS = 100000,
    LEFT_OVER = 7, /* units that are in no reservation */
    LIFETIME_MS = 60 * 60 * 1000,
    START_MS = 20000,
    TIMEOUT_S = 300,
};

/* Above idle. A sanitizer's own memory is no measure of ours. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MAX_KIB = INT32_MAX };
#else
enum { MAX_KIB = 4 * 1024 };
#endif

#define PRODUCT "BIG"
/* The key is Azurite's, which its documentation publishes. */
#define ACCOUNT                                                                  \
    "DefaultEndpointsProtocol=http;"                                             \
    "AccountName=devstoreaccount1;"                                              \
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/" \
    "K1SZFPTOtr/KBHBeksoGMGw==;"

static struct process storage;
static char connection_string[512];
static struct app app;
static struct error err;
static int64_t reserved_units;

static void check(enum status status) {
    ck_assert_msg(status == STATUS_OK, "%s", status == STATUS_OK ? "" : err.message);
}

/* ---- storage ---- */

static void start_storage(void) {
    char program[4096];
    snprintf(program, sizeof program, "%s/../bench/fake_storage", getenv("LEASEHOLD_BIN"));
    const char *const argv[] = {program, NULL};
    process_start(&storage, &(struct process_options){.argv = argv});
    ck_assert(process_wait_for_output(&storage, 0, "}\n", START_MS));
    char *line = process_output_from(&storage, 0);
    int blob_port = 0, table_port = 0;
    ck_assert_int_eq(sscanf(line, "{\"blob\":%d,\"table\":%d}", &blob_port, &table_port), 2);
    free(line);
    snprintf(connection_string, sizeof connection_string,
             ACCOUNT "BlobEndpoint=http://127.0.0.1:%d/devstoreaccount1;"
                     "TableEndpoint=http://127.0.0.1:%d/devstoreaccount1;",
             blob_port, table_port);
}

/* Commits as many reservations as a transaction holds. */
static void commit_some(struct inventory_store_table *store, struct product_state *state, int count,
                        int first) {
    int64_t now_ms = store->base.ops->now_ms(&store->base);
    for (int i = first; i < first + count; i++) {
        const struct reservation *row;
        bool reserved;
        check(inventory_reserve(state, i % 3 == 0 ? "K\xC3\xA4ufer \"\\" : "CUST-123", 1 + i % 9,
                                now_ms, LIFETIME_MS, random_system(), &reserved, &row));
        ck_assert(reserved);
        reserved_units += 1 + i % 9;
    }
    check(inventory_store_commit_and_wait(&store->base, state,
                                          clock_now_ms(clock_system()) + START_MS, &err));
    product_state_trim(state, 0);
}

static void fill_storage(void) {
    struct storage_connection connection;
    struct inventory_store_table store;
    struct product_state state;
    struct seed_product seed = {.id = PRODUCT};
    for (int i = 0; i < RESERVATIONS; i++) {
        seed.total += 1 + i % 9;
    }
    seed.total += LEFT_OVER;
    storage_connection_open(&connection, connection_string);
    inventory_store_table_init(&store, &connection.client, "inventory");
    product_state_init(&state);
    check(inventory_store_prepare_and_wait(&store.base, &seed, 1, &err));
    check(inventory_store_read_and_wait(&store.base, PRODUCT, &(struct inventory_query){0}, &state,
                                        &err));
    for (int done = 0, count; done < RESERVATIONS; done += count) {
        count = RESERVATIONS - done;
        count = count < INVENTORY_MAX_CHANGES ? count : INVENTORY_MAX_CHANGES;
        commit_some(&store, &state, count, done);
    }
    product_state_cleanup(&state);
    inventory_store_table_cleanup(&store);
    storage_connection_close(&connection);
}

static void set_up(void) {
    start_storage();
    fill_storage();
}

static void tear_down(void) {
    app_cleanup(&app);
    process_cleanup(&storage);
}

/* ---- the handler's memory ---- */

/* Returns the only child of a process, whichever of its threads has started it. */
static int child_of(int pid) {
    char path[300];
    int child = 0;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    ck_assert_ptr_nonnull(tasks);
    for (const struct dirent *task; child == 0 && (task = readdir(tasks)) != NULL;) {
        snprintf(path, sizeof path, "/proc/%d/task/%.20s/children", pid, task->d_name);
        FILE *children = fopen(path, "r");
        if (children != NULL) {
            child = fscanf(children, "%d", &child) == 1 ? child : 0;
            fclose(children);
        }
    }
    closedir(tasks);
    ck_assert_int_gt(child, 0);
    return child;
}

/* Reads a figure of /proc/PID/status, in KiB. */
static long read_status(int pid, const char *name) {
    char path[64], line[256];
    long value = -1;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            value = strtol(line + strlen(name), NULL, 10);
        }
    }
    fclose(file);
    return value;
}

/* From now on VmHWM is the peak since now. */
static void reset_peak(int pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/clear_refs", pid);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs("5", file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* ---- the answer ---- */

static struct http_reply get(const char *path) {
    struct http_reply reply = http_ask((struct http_ask){.port = app.port, .path = path});
    ck_assert_int_eq(reply.status, 200);
    return reply;
}

static void assert_product(const struct http_reply *reply) {
    int64_t total, available, reserved, quantity, sum = 0;
    cJSON *root = http_reply_json(reply);
    ck_assert(json_int64(root, "totalQuantity", &total) &&
              json_int64(root, "availableQuantity", &available) &&
              json_int64(root, "reservedQuantity", &reserved));
    const cJSON *row, *list = cJSON_GetObjectItem(root, "activeReservations");
    cJSON_ArrayForEach(row, list) {
        sum += json_int64(row, "quantity", &quantity) ? quantity : INT32_MIN;
    }
    ck_assert_int_eq(cJSON_GetArraySize(list), RESERVATIONS);
    ck_assert_int_eq(sum, reserved_units);
    ck_assert_int_eq(reserved, reserved_units);
    ck_assert_int_eq(available, LEFT_OVER);
    ck_assert_int_eq(total, available + reserved);
    cJSON_Delete(root);
}

/* Gets the product from a host of that shape. Returns the peak above idle, in KiB. */
static long measure(const char *shape, char out_hash[SHA256_TEXT_BYTES]) {
    app_start(&app, &(struct app_options){.connection_string = connection_string, .shape = shape});
    struct http_reply small = get("/api/inventory/PROD-001");
    http_reply_cleanup(&small);
    int handler = child_of(app.process.pid);
    reset_peak(handler);
    long idle = read_status(handler, "VmRSS:");
    int64_t start_ms = process_now_ms();
    struct http_reply large = get("/api/inventory/" PRODUCT);
    int64_t took_ms = process_now_ms() - start_ms;
    long peak = read_status(handler, "VmHWM:") - idle;
    assert_product(&large);
    ck_assert_int_eq(crypto_sha256_hex(large.body.data, large.body.length, out_hash), STATUS_OK);
    printf("%s: %zu bytes in %lld ms; idle %ld KiB, peak %ld KiB above it\n", shape,
           large.body.length, (long long)took_ms, idle, peak);
    http_reply_cleanup(&large);
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0);
    app_cleanup(&app);
    return peak;
}

START_TEST(a_product_with_100_000_reservations_is_shown_in_4_MiB) {
    static const char *const shapes[] = {"proxy", "forward", "invocation"};
    char hashes[3][SHA256_TEXT_BYTES];
    for (int i = 0; i < 3; i++) {
        ck_assert_int_le(measure(shapes[i], hashes[i]), MAX_KIB);
        ck_assert_str_eq(hashes[i], hashes[0]);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("large_product");
    TCase *tests = tcase_create("large_product");
    tcase_set_timeout(tests, TIMEOUT_S);
    tcase_add_unchecked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_product_with_100_000_reservations_is_shown_in_4_MiB);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
