#include "support/calls/simulated_calls.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_CONTENT "Prefer: return-no-content\r\n"

struct simulated_calls simulated_calls;

static int64_t clock_ms(const struct clock *clock) {
    (void)clock;
    return simulated_calls.now_ms;
}

void simulated_calls_begin(void) {
    static const struct storage_account account = {
        .name = "acme",
        .blob_endpoint = "https://acme.blob.core.windows.net",
        .table_endpoint = "https://acme.table.core.windows.net"};
    simulated_calls.clock = (struct clock){clock_ms, clock_ms};
    simulated_calls.now_ms = SIMULATED_START_MS;
    strbuf_init(&simulated_calls.answer, SIZE_MAX);
    ck_assert_int_eq(
        simulated_storage_init(&simulated_calls.storage, &simulated_calls.clock, &account),
        STATUS_OK);
}

void simulated_calls_end(void) {
    simulated_storage_cleanup(&simulated_calls.storage);
    strbuf_cleanup(&simulated_calls.answer);
}

static int ask(enum simulated_service service, const char *what, const char *headers,
               const char *body) {
    struct strbuf request;
    strbuf_init(&request, SIZE_MAX);
    strbuf_appendf(&request, "%s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n%s", what,
                   strlen(body), headers);
    if (strstr(headers, "Authorization: ") == NULL) {
        strbuf_append_string(&request, "Authorization: SharedKey acme:x\r\n");
    }
    strbuf_appendf(&request, "\r\n%s", body);
    strbuf_clear(&simulated_calls.answer);
    simulated_storage_answer(&simulated_calls.storage, service, request.data, request.length,
                             &simulated_calls.answer);
    strbuf_cleanup(&request);
    return (int)strtol(simulated_calls.answer.data + strlen("HTTP/1.1 "), NULL, 10);
}

int simulated_ask_blob(const char *what, const char *headers) {
    return ask(SIMULATED_BLOB_SERVICE, what, headers, "");
}

int simulated_ask_table(const char *what, const char *headers, const char *body) {
    return ask(SIMULATED_TABLE_SERVICE, what, headers, body);
}

void simulated_make_table(void) {
    ck_assert_int_eq(
        simulated_ask_table("POST /Tables", NO_CONTENT, "{\"TableName\":\"inventory\"}"), 204);
}

int simulated_insert(const char *partition_key, int row, int quantity) {
    char body[256];
    snprintf(body, sizeof body, "{\"PartitionKey\":\"%s\",\"RowKey\":\"r%05d\",\"quantity\":%d}",
             partition_key, row, quantity);
    return simulated_ask_table("POST /inventory", NO_CONTENT, body);
}

bool simulated_says(const char *text) {
    return strstr(simulated_calls.answer.data, text) != NULL;
}
