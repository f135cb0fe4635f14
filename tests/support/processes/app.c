#include "support/processes/app.h"

#include <check.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "devhost/free_port.h"
#include "functions/function_table.h"
#include "support/calls/answer_record.h"
#include "support/calls/http_client.h"

enum { START_TIMEOUT_MS = 60000, STOP_TIMEOUT_MS = 20000, PATH_BYTES = 4096, MAX_ENV = 64 };

static const char *required_env(const char *name) {
    const char *value = getenv(name);
    ck_assert_msg(value != NULL, "%s is not set: run the tests with `make test`", name);
    return value;
}

static void link_into(const struct app *app, const char *name, const char *target) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", app->folder, name);
    ck_assert_msg(symlink(target, path) == 0, "linking %s", path);
}

static void link_from_root(const struct app *app, const char *name) {
    char target[PATH_BYTES];
    snprintf(target, sizeof target, "%s/%s", required_env("LEASEHOLD_ROOT"), name);
    link_into(app, name, target);
}

static void write_file(const struct app *app, const char *name, const char *text) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", app->folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_msg(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, "writing %s", path);
}

static void write_settings(const struct app *app, const struct app_options *options) {
    cJSON *file = cJSON_CreateObject();
    cJSON *values = cJSON_AddObjectToObject(file, "Values");
    cJSON_AddStringToObject(values, "FUNCTIONS_WORKER_RUNTIME", "custom");
    if (options->connection_string != NULL) {
        cJSON_AddStringToObject(values, "DistributedLeasing:ConnectionString",
                                options->connection_string);
    }
    cJSON_AddStringToObject(values, "Inventory:SeedProducts",
                            "PROD-001=100;PROD-002=50;PROD-003=200");
    for (const char *const *setting = options->settings; setting != NULL && *setting != NULL;
         setting++) {
        char name[256];
        size_t length = strcspn(*setting, "=");
        snprintf(name, sizeof name, "%.*s", (int)length, *setting);
        cJSON_DeleteItemFromObjectCaseSensitive(values, name);
        cJSON_AddStringToObject(values, name, *setting + length + 1);
    }
    char *text = cJSON_Print(file);
    write_file(app, "local.settings.json", text);
    cJSON_free(text);
    cJSON_Delete(file);
}

static void write_timer(const struct app *app, const char *name, const char *schedule) {
    char path[PATH_BYTES], text[512];
    snprintf(path, sizeof path, "%s/%s", app->folder, name);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(text, sizeof text,
             "{\"bindings\":[{\"type\":\"timerTrigger\",\"name\":\"timer\",\"direction\":\"in\","
             "\"schedule\":\"%s\"}]}",
             schedule);
    snprintf(path, sizeof path, "%s/function.json", name);
    write_file(app, path, text);
}

static void make_folder(struct app *app, const struct app_options *options) {
    strcpy(app->folder, "/tmp/leasehold-app-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(app->folder));
    link_from_root(app, "host.json");
    for (const struct function *function = function_table; function->name != NULL; function++) {
        if (function->route == NULL && options->timer_schedule != NULL) {
            write_timer(app, function->name, options->timer_schedule);
        } else {
            link_from_root(app, function->name);
        }
    }
    link_into(app, "bin", required_env("LEASEHOLD_BIN"));
    write_settings(app, options);
}

/* devhost tells its address once it serves. */
static int read_port(struct app *app) {
    static const char address[] = "http://localhost:";
    char *output = process_output_from(&app->process, 0);
    const char *found = strstr(output, address);
    int port = found == NULL ? 0 : atoi(found + strlen(address));
    free(output);
    return port;
}

void app_start(struct app *app, const struct app_options *options) {
    memset(app, 0, sizeof *app);
    make_folder(app, options);
    char devhost[PATH_BYTES];
    snprintf(devhost, sizeof devhost, "%s/devhost", required_env("LEASEHOLD_BIN"));
    const char *const argv[] = {devhost,        "--app", app->folder,
                                "--port",       "0",     options->shape == NULL ? NULL : "--shape",
                                options->shape, NULL};
    process_start(&app->process, &(struct process_options){.argv = argv, .env = options->env});
    bool serves = process_wait_for_output(&app->process, 0, "/api/inventory/{productId}/reserve",
                                          START_TIMEOUT_MS);
    if (!serves) {
        char *output = process_output_from(&app->process, 0);
        ck_abort_msg("devhost does not serve:\n%s", output);
    }
    app->port = read_port(app);
    ck_assert_int_gt(app->port, 0);
    answer_record_add_port(app->port, false);
}

void app_start_handler(struct app *app, const struct app_options *options) {
    memset(app, 0, sizeof *app);
    make_folder(app, options);
    app->port = free_port_find();
    char handler[PATH_BYTES], port[64];
    snprintf(handler, sizeof handler, "%s/handler", required_env("LEASEHOLD_BIN"));
    snprintf(port, sizeof port, "FUNCTIONS_CUSTOMHANDLER_PORT=%d", app->port);
    /* A host passes every app setting in the environment; ':' is fine in a name there. */
    char connection[1024], seeds[] = "Inventory:SeedProducts=PROD-001=100;PROD-002=50;PROD-003=200";
    const char *env[MAX_ENV] = {
        port, "CONTAINER_NAME="}; /* where the tests run in one, it would be everybody's name */
    size_t count = 2;
    for (const char *const *setting = options->settings; setting != NULL && *setting != NULL;
         setting++) {
        ck_assert_uint_lt(count, MAX_ENV - 3);
        env[count++] = *setting;
    }
    for (const char *const *variable = options->env; variable != NULL && *variable != NULL;
         variable++) {
        ck_assert_uint_lt(count, MAX_ENV - 3);
        env[count++] = *variable;
    }
    if (options->connection_string != NULL) {
        snprintf(connection, sizeof connection, "DistributedLeasing:ConnectionString=%s",
                 options->connection_string);
        env[count++] = connection;
    }
    env[count++] = seeds;
    const char *const argv[] = {options->handler == NULL ? handler : options->handler, NULL};
    answer_record_add_port(app->port, true);
    process_start(&app->process,
                  &(struct process_options){.argv = argv, .env = env, .cwd = app->folder});
}

int app_stop(struct app *app, int signal) {
    return process_stop(&app->process, signal, STOP_TIMEOUT_MS);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where) {
    (void)info, (void)type, (void)where;
    return remove(path);
}

void app_cleanup(struct app *app) {
    answer_record_remove_port(app->port);
    process_cleanup(&app->process);
    if (app->folder[0] != '\0') {
        nftw(app->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        app->folder[0] = '\0';
    }
}

bool app_wait_for_log(struct app *app, size_t from, const char *text, int64_t timeout_ms) {
    return process_wait_for_output(&app->process, from, text, timeout_ms);
}

void app_expect_log(struct app *app, size_t from, const char *text, int64_t timeout_ms) {
    if (!app_wait_for_log(app, from, text, timeout_ms)) {
        ck_abort_msg("'%s' is not in the log:\n%s", text,
                     process_text_tail(process_output_from(&app->process, 0)));
    }
}
