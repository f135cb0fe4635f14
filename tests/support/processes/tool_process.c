#include "support/processes/tool_process.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "support/processes/instance_pair.h"

enum { MAX_WORDS = 10 };

struct process tool_process;
struct fault_proxy *tool_blob_proxy, *tool_table_proxy;

static char *printed;                                         /* by the tool, when it had ended */
static char through_proxies[AZURITE_CONNECTION_STRING_BYTES]; /* "": straight to storage */

void tool_set_up(void) {
    memset(&tool_process, 0, sizeof tool_process);
    tool_blob_proxy = tool_table_proxy = NULL;
    through_proxies[0] = '\0';
    instance_set_up();
}

void tool_tear_down(void) {
    process_cleanup(&tool_process);
    free(printed);
    printed = NULL;
    fault_proxy_free(tool_blob_proxy);
    fault_proxy_free(tool_table_proxy);
    instance_tear_down();
}

const char *tool_program(void) {
    static char path[4096];
    const char *folder = getenv("LEASEHOLD_BIN");
    ck_assert_msg(folder != NULL, "LEASEHOLD_BIN is not set: run the tests with `make test`");
    snprintf(path, sizeof path, "%s/leasectl", folder);
    return path;
}

const char *tool_connection(void) {
    static char setting[AZURITE_CONNECTION_STRING_BYTES + 64];
    snprintf(setting, sizeof setting, "DistributedLeasing__ConnectionString=%s",
             through_proxies[0] == '\0' ? instance_pair.azurite.connection_string
                                        : through_proxies);
    return setting;
}

void tool_start_with(struct process *process, const char *setting, const char *const *words) {
    const char *argv[MAX_WORDS + 2] = {tool_program()};
    for (int i = 0; words[i] != NULL; i++) {
        ck_assert_int_lt(i, MAX_WORDS);
        argv[i + 1] = words[i];
    }
    const char *const env[] = {tool_connection(), setting, NULL};
    process_start(process, &(struct process_options){.argv = argv, .env = env, .cwd = "/"});
}

void tool_start(const char *const *words) {
    process_cleanup(&tool_process);
    tool_start_with(&tool_process, NULL, words);
}

const char *tool_finish(int exit_code) {
    int ended = process_wait(&tool_process, TOOL_TIMEOUT_MS);
    free(printed);
    printed = process_output_from(&tool_process, 0);
    ck_assert_msg(ended == exit_code, "it ended with %d, not %d:\n%s", ended, exit_code, printed);
    return printed;
}

const char *tool_run(const char *const *words, int exit_code) {
    tool_start(words);
    return tool_finish(exit_code);
}

void tool_expect(const char *const *words, int exit_code, const char *text) {
    const char *output = tool_run(words, exit_code);
    ck_assert_msg(strstr(output, text) != NULL, "no \"%s\" in:\n%s", text, output);
}

int64_t tool_shown(const char *product_id, const char *key) {
    const char *output = tool_run(TOOL_WORDS("--json", "show", product_id), 0);
    cJSON *snapshot = NULL;
    int64_t value = 0;
    struct error err;
    ck_assert_msg(json_parse(output, strlen(output), &snapshot, &err) == STATUS_OK, "%s: %s",
                  err.message, output);
    ck_assert_msg(json_int64(snapshot, key, &value), "no %s in %s", key, output);
    cJSON_Delete(snapshot);
    return value;
}

void tool_expect_product(const char *product_id, int64_t total, int64_t available,
                         int64_t version) {
    ck_assert_int_eq(tool_shown(product_id, "totalQuantity"), total);
    ck_assert_int_eq(tool_shown(product_id, "availableQuantity"), available);
    ck_assert_int_eq(tool_shown(product_id, "version"), version);
}

void tool_expect_soon(const char *const *words, const char *text) {
    int64_t deadline_ms = process_now_ms() + TOOL_TIMEOUT_MS;
    for (;;) {
        tool_start(words);
        process_wait(&tool_process, TOOL_TIMEOUT_MS);
        char *output = process_output_from(&tool_process, 0);
        if (strstr(output, text) != NULL) {
            free(output);
            return;
        }
        ck_assert_msg(process_now_ms() < deadline_ms, "no \"%s\" in:\n%s", text, output);
        free(output);
    }
}

void tool_go_through_proxies(void) {
    tool_blob_proxy = fault_proxy_new(instance_pair.azurite.blob_port, 1);
    tool_table_proxy = fault_proxy_new(instance_pair.azurite.table_port, 1);
    azurite_write_connection_string(fault_proxy_port(tool_blob_proxy),
                                    fault_proxy_port(tool_table_proxy), through_proxies);
}
