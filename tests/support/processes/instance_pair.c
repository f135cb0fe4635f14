#include "support/processes/instance_pair.h"

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/uuid.h"
#include "support/calls/blob_calls.h"
#include "support/calls/lease_witness.h"

enum {
    OPERATOR_TIMEOUT_MS = 10000,
    OPERATOR_LEASE_S = 15,
    REQUEST_BYTES = 512,
    POLL_INTERVAL_MS = 20
};

struct instance_pair instance_pair;

void instance_set_up(void) {
    memset(&instance_pair.holder, 0, sizeof instance_pair.holder);
    memset(&instance_pair.other, 0, sizeof instance_pair.other);
    azurite_start(&instance_pair.azurite, AZURITE_IN_MEMORY);
    storage_connection_open(&instance_pair.operator, instance_pair.azurite.connection_string);
}

void instance_tear_down(void) {
    app_cleanup(&instance_pair.holder);
    app_cleanup(&instance_pair.other);
    storage_connection_close(&instance_pair.operator);
    azurite_cleanup(&instance_pair.azurite);
}

/* ---- handlers and their logs ---- */

static const char *log_tail(const struct app *app) {
    return process_text_tail(
        process_output_from(&app->process, 0)); /* the test ends here: nobody frees it */
}

size_t instance_wait_for_log(struct app *app, size_t from, const char *text, int64_t timeout_ms) {
    app_expect_log(app, from, text, timeout_ms);
    return process_output_length(&app->process);
}

void instance_start(struct app *app, const char *const *settings) {
    app_start_handler(
        app, &(struct app_options){.connection_string = instance_pair.azurite.connection_string,
                                   .settings = settings});
    instance_wait_for_log(app, 0, "listens on", INSTANCE_PATIENCE_MS);
    instance_available(app, "PROD-001");
}

static int count_lines_with(char *lines, const char *text) {
    int count = 0;
    char *place = NULL;
    for (char *line = strtok_r(lines, "\n", &place); line != NULL;
         line = strtok_r(NULL, "\n", &place)) {
        count += strcasestr(line, text) != NULL;
    }
    return count;
}

int instance_count_in_log(const struct app *app, size_t from, const char *text) {
    char *log = process_output_from(&app->process, from);
    int count = count_lines_with(log, text);
    free(log);
    return count;
}

void instance_assert_calm(const struct app *app) {
    static const char *const words[] = {"warn", "error",
                                        "fail"}; /* what the host's rules look for */
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        ck_assert_msg(instance_count_in_log(app, 0, words[i]) == 0, "'%s' is in the log:\n%s",
                      words[i], log_tail(app));
    }
}

void instance_stop(struct app *app) {
    int exit_code = app_stop(app, SIGTERM);
    ck_assert_msg(exit_code == 0, "it ended with %d:\n%s", exit_code, log_tail(app));
}

/* ---- calls ---- */

static int send_call(const struct app *app, const char *method, const char *path,
                     const char *body) {
    char request[REQUEST_BYTES];
    int length = snprintf(request, sizeof request,
                          "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                          "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                          method, path, strlen(body), body);
    ck_assert_int_lt(length, REQUEST_BYTES);
    int call = raw_http_connect(app->port);
    ck_assert(raw_http_send(call, request));
    return call;
}

int instance_send_reserve(const struct app *app, const char *product_id, int quantity) {
    char path[REQUEST_BYTES / 2], body[REQUEST_BYTES / 4];
    snprintf(path, sizeof path, "/api/inventory/%s/reserve", product_id);
    snprintf(body, sizeof body, "{\"quantity\":%d,\"customerId\":\"CUST-123\"}", quantity);
    return send_call(app, "POST", path, body);
}

struct raw_response instance_answer(int call) {
    struct raw_response response = {.status = 0};
    raw_http_read(call, &response, false);
    close(call);
    return response;
}

void instance_expect_answer(int call, int status, const char *text) {
    struct raw_response response = instance_answer(call);
    ck_assert_msg(response.status == status && strstr(response.body, text) != NULL,
                  "%d %s, not %d with %s", response.status, response.body, status, text);
    raw_response_cleanup(&response);
}

void instance_expect_reserve(const struct app *app, const char *product_id, int quantity,
                             int status, const char *text) {
    instance_expect_answer(instance_send_reserve(app, product_id, quantity), status, text);
}

static int number_after(const char *text, const char *key) {
    const char *found = strstr(text, key);
    ck_assert_msg(found != NULL, "no %s in %s", key, text);
    return (int)strtol(found + strlen(key), NULL, 10);
}

int instance_available(const struct app *app, const char *product_id) {
    char path[REQUEST_BYTES / 2];
    snprintf(path, sizeof path, "/api/inventory/%s", product_id);
    struct raw_response response = instance_answer(send_call(app, "GET", path, ""));
    ck_assert_msg(response.status == 200, "%d %s", response.status, response.body);
    int available = number_after(response.body, "\"availableQuantity\":");
    int reserved = number_after(response.body, "\"reservedQuantity\":");
    ck_assert_msg(available + reserved == number_after(response.body, "\"totalQuantity\":"), "%s",
                  response.body);
    raw_response_cleanup(&response);
    return available;
}

/* ---- storage, and those who wait for it ---- */

int instance_count_requests(size_t mark, const char *text) {
    char *requests = azurite_requests_since(&instance_pair.azurite, mark);
    int count = count_lines_with(requests, text);
    free(requests);
    return count;
}

void instance_wait_for_requests(size_t mark, const char *text, int count, int64_t timeout_ms) {
    int64_t deadline_ms = process_now_ms() + timeout_ms;
    while (instance_count_requests(mark, text) < count) {
        ck_assert_msg(process_now_ms() < deadline_ms, "not %d requests with %s, but:\n%s", count,
                      text,
                      process_text_tail(azurite_requests_since(&instance_pair.azurite, mark)));
        poll(NULL, 0, POLL_INTERVAL_MS);
    }
}

/*
 * The handler works once it has read the product. That storage's answer to the read has come in,
 * too, is known when one that storage gave later has: a single thread of the handler takes them.
 */
int instance_hold(const char *const *settings, int quantity) {
    struct app *holder = &instance_pair.holder;
    instance_start(holder, settings);
    size_t mark = azurite_mark(&instance_pair.azurite);
    int call = instance_send_reserve(holder, "PROD-001", quantity);
    instance_wait_for_log(holder, 0, "Acquired lease", INSTANCE_PATIENCE_MS);
    instance_wait_for_requests(mark, "GET /devstoreaccount1/inventory", 1, INSTANCE_PATIENCE_MS);
    instance_available(holder, "PROD-001");
    return call;
}

int instance_wait_behind(int quantity) {
    size_t mark = azurite_mark(&instance_pair.azurite);
    int call = instance_send_reserve(&instance_pair.other, "PROD-001", quantity);
    instance_wait_for_requests(mark, "comp=lease HTTP/1.1\" 409", 1, INSTANCE_PATIENCE_MS);
    return call;
}

static void name_blob(const char *product_id, char out[REQUEST_BYTES]) {
    snprintf(out, REQUEST_BYTES, "lease-inventory-%s", product_id);
}

void instance_break_lease(const char *product_id) {
    char blob[REQUEST_BYTES];
    struct error err = {0};
    name_blob(product_id, blob);
    enum status status = blob_lease_break(
        &instance_pair.operator.client, "leases", blob,
        storage_connection_deadline(&instance_pair.operator, OPERATOR_TIMEOUT_MS), &err);
    ck_assert_msg(status == STATUS_OK, "%s", err.message);
}

bool instance_lease_is_free(const char *product_id) {
    char blob[REQUEST_BYTES], id[UUID_TEXT_BYTES];
    struct error err = {0};
    int64_t sent_ms;
    name_blob(product_id, blob);
    ck_assert_int_eq(uuid_v4(random_system(), id), STATUS_OK);
    enum status status = blob_lease_acquire(
        &instance_pair.operator.client, "leases", blob, id, OPERATOR_LEASE_S,
        storage_connection_deadline(&instance_pair.operator, OPERATOR_TIMEOUT_MS), &sent_ms, &err);
    ck_assert_msg(status == STATUS_OK || status == STATUS_LEASE_CONFLICT, "%s: %s", blob,
                  err.message);
    return status == STATUS_OK;
}

void instance_delete_lease_container(void) {
    struct lease_witness witness;
    lease_witness_open(&witness, instance_pair.azurite.connection_string, "leases");
    lease_witness_delete_container(&witness);
    lease_witness_close(&witness);
}
