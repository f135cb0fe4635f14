/*
 * The app settings as they come: environment variables, local.settings.json, appsettings.json,
 * host.json. What is accepted lies within the specification's ranges; a refusal is one line without
 * a secret.
 */
#include <ftw.h>
#include <string.h>

#include "base/utf8.h"
#include "fuzz/input.h"
#include "lease/lease_options.h"
#include "settings/app_settings.h"

enum { MOST_VARIABLES = 8 };

#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define LEASING "DistributedLeasing__"

enum { SECRET_BYTES = 17 };

static char folder[] =
    "/dev/shm/leasehold-fuzz-XXXXXX"; /* in memory: on a disk it takes a hundred times as long */

static int remove_entry(const char *path, const struct stat *about, int type, struct FTW *where) {
    (void)about;
    (void)type;
    (void)where;
    return remove(path);
}

static void remove_folder(void) {
    nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    REQUIRE(mkdtemp(folder) != NULL);
    atexit(remove_folder);
    return 0;
}

static void check_lease(const struct leasehold_options *lease) {
    REQUIRE(lease->duration_s == LEASEHOLD_INFINITE ||
            (lease->duration_s >= 15 && lease->duration_s <= 60));
    REQUIRE(lease->safety_threshold >= 0.5 && lease->safety_threshold <= 0.95);
    for (int duration_s = 15; duration_s <= 60; duration_s++) {
        int64_t renew_after_ms = lease_options_renew_after_ms(lease, duration_s);
        REQUIRE(renew_after_ms >= 0 &&
                renew_after_ms <= lease_options_safe_for_ms(lease, duration_s));
    }
    REQUIRE(lease->renew_max_retries >= 0 && lease->renew_max_retries <= 100);
    REQUIRE(lease->renew_retry_ms >= 1 && lease->renew_retry_ms <= 60000);
    REQUIRE(lease->acquire_timeout_ms >= 0 && lease->acquire_timeout_ms <= 600000);
    REQUIRE(lease->acquire_retry_ms >= 1 && lease->acquire_retry_ms <= 60000);
}

static void check_inventory(const struct app_settings *settings) {
    REQUIRE(settings->inventory.max_reservation_lifetime_ms >=
            settings->inventory.reservation_lifetime_ms);
    REQUIRE(settings->inventory.reservation_lifetime_ms >= 1 &&
            settings->inventory.processing_time_ms >= 0);
    REQUIRE(settings->inventory.seeds == settings->seeds);
    for (size_t i = 0; i < settings->inventory.seed_count; i++) {
        const struct seed_product *seed = &settings->seeds[i];
        REQUIRE(input_consists_of(seed->id, UPPER LOWER DIGITS "._~-", 1, 128));
        REQUIRE(seed->total >= 0 && seed->total <= 1000000000);
        for (size_t j = 0; j < i; j++) {
            REQUIRE(strcmp(settings->seeds[j].id, seed->id) != 0);
        }
    }
}

static void check_accepted(const struct app_settings *settings) {
    const struct leasehold_options *lease = &settings->lease;
    REQUIRE(settings->port >= 1 && settings->port <= 65535);
    REQUIRE(settings->instance[0] != '\0' && strpbrk(settings->instance, "\r\n") == NULL);
    REQUIRE(input_consists_of(settings->route_prefix, UPPER LOWER DIGITS "._~-/", 0,
                              ROUTE_PREFIX_BYTES - 1));
    REQUIRE(settings->route_prefix[0] != '/' && (unsigned)settings->log_level <= LOG_NONE);
    REQUIRE(settings->account.blob_endpoint[0] != '\0');
    REQUIRE(settings->store_kind == STORE_MEMORY || settings->account.table_endpoint[0] != '\0');
    REQUIRE(input_consists_of(lease->container, LOWER DIGITS "-", 3, 63));
    REQUIRE(input_consists_of(lease->blob_prefix, UPPER LOWER DIGITS "._~-/", 0, 100));
    REQUIRE(input_consists_of(settings->table_name, UPPER LOWER DIGITS, 3, 63));
    for (size_t i = 0; i < lease->metadata_count; i++) {
        REQUIRE(input_consists_of(lease->metadata[i].name, UPPER LOWER DIGITS "_", 1, 256));
        REQUIRE(utf8_count_printable(lease->metadata[i].value) ==
                (int64_t)strlen(lease->metadata[i].value));
    }
    check_lease(lease);
    check_inventory(settings);
}

static void write_file(const char *name, const char *text) {
    char path[sizeof folder + 32];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    REQUIRE(file != NULL);
    REQUIRE(fwrite(text, 1, strlen(text), file) == strlen(text) && fclose(file) == 0);
}

/*
 * 16 digits that are not in the input, whose hash (FNV-1a) they are: no fuzzer puts them where they
 * may be shown.
 */
static void make_secret(const uint8_t *data, size_t size, char out[SECRET_BYTES]) {
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ data[i]) * UINT64_C(1099511628211);
    }
    snprintf(out, SECRET_BYTES, "%016llx", (unsigned long long)hash);
}

static char *join(const char *left, const char *middle, const char *right) {
    char *joined;
    REQUIRE(asprintf(&joined, "%s%s%s", left, middle, right) >= 0);
    return joined;
}

/*
 * The first line, unless it is empty, is a connection string, to which a key is added; if it is
 * empty, a client secret signs in, with a flaw for which it is refused. Lines up to an empty one
 * are other variables.
 */
static size_t take_environment(struct input *input, const char *secret,
                               char *environment[MOST_VARIABLES + 1]) {
    char *line = input_take_line(input);
    char *key = join(line, ";AccountKey=", secret);
    size_t count = 0;
    if (line[0] != '\0') {
        environment[count++] = join(LEASING "ConnectionString=", key, "");
        environment[count++] =
            join(LEASING "Authentication__ServicePrincipal__ClientSecret=", secret, "");
    } else {
        environment[count++] = join("AZURE_CLIENT_ID=c", "", "");
        environment[count++] = join("AZURE_TENANT_ID=t", "", "");
        environment[count++] =
            join(LEASING "StorageAccountUri=", "https://a.blob.core.windows.net", "");
        environment[count++] =
            join(LEASING "Authentication__ServicePrincipal__ClientSecret=", secret, "\x01.");
    }
    free(key);
    free(line);
    for (; count < MOST_VARIABLES; count++) {
        environment[count] = input_take_line(input);
        if (environment[count][0] == '\0') {
            free(environment[count]);
            break;
        }
    }
    environment[count] = NULL;
    return count;
}

static void load(char *const *environment, const char *secret) {
    struct app_settings settings, before;
    memset(&settings, 0x5a, sizeof settings);
    before = settings;
    struct error err = {0};
    enum status status = app_settings_load(folder, environment, &settings, &err);
    if (status == STATUS_OK) {
        check_accepted(&settings);
        app_settings_cleanup(&settings);
    } else {
        REQUIRE(memcmp(&settings, &before, sizeof before) == 0 &&
                status == STATUS_INVALID_ARGUMENT);
        REQUIRE(err.message[0] != '\0' && strpbrk(err.message, "\r\n") == NULL);
        REQUIRE(strstr(err.message, secret) == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const files[] = {"local.settings.json", "appsettings.json", "host.json"};
    struct input input = input_of(data, size);
    char secret[SECRET_BYTES], *environment[MOST_VARIABLES + 1];
    make_secret(data, size, secret);
    size_t count = take_environment(&input, secret, environment);
    for (size_t i = 0; i < 2; i++) { /* each on a line */
        char *text = input_take_line(&input);
        write_file(files[i], text[0] == '\0' ? "{}" : text);
        free(text);
    }
    char *text = input_take_text(&input);
    write_file(files[2], text[0] == '\0' ? "{}" : text);
    free(text);
    load(environment, secret);
    for (size_t i = 0; i < count; i++) {
        free(environment[i]);
    }
    return 0;
}
