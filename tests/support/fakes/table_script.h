/*
 * table_script.h - the table store against a fake storage that answers from a script; for the tests
 * of its parts.
 *
 * Each file that includes it has its own `table` and `fake`, and a `state`: product P at version 7
 * with one reservation to commit.
 */
#ifndef SUPPORT_TABLE_SCRIPT_H
#define SUPPORT_TABLE_SCRIPT_H

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "inventory/inventory_store_table.h"
#include "support/calls/store_wait.h"
#include "support/fakes/http_fake.h"
#include "support/processes/storage_connection.h"

enum { DEADLINE_MS = 3000, MINUTE_MS = 60000 };
#define RESERVED_MS INT64_C(1737297930000) /* half past a minute */
#define EXPIRES_MS (RESERVED_MS + 1000)
#define BUCKET_MS (RESERVED_MS - 30000)
#define OTHERS_ID "00000000-0000-4000-8000-000000000007"
#define JSON_HEADERS "Content-Type: application/json;odata=minimalmetadata\r\n"

static struct http_fake *fake;
static struct storage_connection connection;
static struct inventory_store_table table;
static struct product_state state;

/* One commit, made on a thread of its own while the test plays storage. */
static struct {
    pthread_t thread;
    int64_t deadline_ms;
    enum status status;
    struct error err;
} commit;

static inline void set_up(void) {
    char connection_string[1024];
    fake = http_fake_new();
    const char *url = http_fake_url(fake);
    snprintf(connection_string, sizeof connection_string,
             "AccountName=fake;AccountKey=c2VjcmV0;BlobEndpoint=%s/fake;TableEndpoint=%s/fake", url,
             url);
    storage_connection_open(&connection, connection_string);
    inventory_store_table_init(&table, &connection.client, "inventory");
    product_state_init(&state);
    strcpy(state.product.id, "P");
    strcpy(state.etag, "W/\"datetime'7'\"");
    state.product.total = state.product.available = 10;
    state.product.version = 7;
    state.product.indexed_due_ms = BUCKET_MS;
    strcpy(state.product.commit_ids, OTHERS_ID);
    bool reserved = false;
    const struct reservation *row = NULL;
    ck_assert_int_eq(inventory_reserve(&state, "C1", 4, RESERVED_MS, EXPIRES_MS - RESERVED_MS,
                                       random_system(), &reserved, &row),
                     STATUS_OK);
    commit.deadline_ms = clock_now_ms(clock_system()) + DEADLINE_MS;
}

static inline void tear_down(void) {
    product_state_cleanup(&state);
    inventory_store_table_cleanup(&table);
    storage_connection_close(&connection);
    http_fake_free(fake);
}

static inline void *run_commit(void *unused) {
    commit.status =
        inventory_store_commit_and_wait(&table.base, &state, commit.deadline_ms, &commit.err);
    return unused;
}

static inline void start_commit(void) {
    ck_assert_int_eq(pthread_create(&commit.thread, NULL, run_commit, NULL), 0);
}

static inline void finish_commit(void) {
    ck_assert_int_eq(pthread_join(commit.thread, NULL), 0);
}

/* Our commit's id, from the transaction that storage was sent. */
static inline void sent_commit_id(char out[UUID_TEXT_BYTES]) {
    http_fake_wait(fake, 1);
    const char *found = strstr(http_fake_request(fake, 0)->body, "\"commitIds\":\"");
    ck_assert_ptr_nonnull(found);
    snprintf(out, UUID_TEXT_BYTES, "%s", found + strlen("\"commitIds\":\""));
}

static inline void push_answer(int status, const char *body) {
    http_fake_push(
        fake, &(struct http_fake_answer){.status = status, .headers = JSON_HEADERS, .body = body});
}

static inline void push_product_with_etag(int version, int etag, const char *commit_ids) {
    char body[2048];
    snprintf(
        body, sizeof body,
        "{\"odata.etag\":\"W/\\\"datetime'%d'\\\"\",\"PartitionKey\":\"P\",\"RowKey\":\"product\","
        "\"total\":\"10\",\"available\":\"6\",\"version\":\"%d\",\"dueAt\":\"9999-12-31T23:59:59."
        "999Z\","
        "\"commitIds\":\"%s\",\"indexedDue\":\"0\",\"indexedKeep\":\"0\"}",
        etag, version, commit_ids);
    push_answer(200, body);
}

static inline void push_product(int version, const char *commit_ids) {
    push_product_with_etag(version, version, commit_ids);
}

/* A transaction that storage refused; held back until http_fake_let_go. */
static inline void push_refusal(int status, const char *code, enum http_fake_behaviour behaviour) {
    char body[1024];
    snprintf(
        body, sizeof body,
        "--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_1\r\n\r\n"
        "--changesetresponse_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: "
        "binary\r\n\r\n"
        "HTTP/1.1 %d No\r\nContent-Type: application/json\r\n\r\n"
        "{\"odata.error\":{\"code\":\"%s\",\"message\":{\"lang\":\"en-US\",\"value\":\"0:x\"}}}\r\n"
        "--changesetresponse_1--\r\n--batchresponse_1--\r\n",
        status, code);
    http_fake_push(fake,
                   &(struct http_fake_answer){
                       .behaviour = behaviour,
                       .status = 202,
                       .headers = "Content-Type: multipart/mixed; boundary=batchresponse_1\r\n",
                       .body = body});
}

static inline void push_refused(int status, const char *code) {
    push_refusal(status, code, HTTP_FAKE_ANSWER);
}

static inline void push_lost(void) {
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CLOSE});
}

/* A transaction of so many operations that went through. */
static inline void push_done(int parts) {
    char body[4096], *end = body;
    end += sprintf(
        end,
        "--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_1\r\n\r\n");
    for (int i = 0; i < parts; i++) {
        end += sprintf(end,
                       "--changesetresponse_1\r\nContent-Type: "
                       "application/http\r\nContent-Transfer-Encoding: binary\r\n"
                       "\r\nHTTP/1.1 204 No Content\r\nETag: W/\"datetime'8%s'\"\r\n\r\n\r\n",
                       i == 0 ? "" : "r");
    }
    sprintf(end, "--changesetresponse_1--\r\n--batchresponse_1--\r\n");
    http_fake_push(fake,
                   &(struct http_fake_answer){
                       .status = 202,
                       .headers = "Content-Type: multipart/mixed; boundary=batchresponse_1\r\n",
                       .body = body});
}

static inline void push_committed(void) {
    push_done(1 + state.change_count);
}

static inline void assert_committed(void) {
    ck_assert_msg(commit.status == STATUS_OK, "%s", commit.err.message);
    ck_assert_int_eq(state.product.version, 8);
    ck_assert_str_eq(state.etag, "W/\"datetime'8'\"");
    ck_assert_int_eq(state.change_count, 0);
}

static inline void assert_not_committed(enum status expected) {
    ck_assert_msg(commit.status == expected, "%s: %s", status_name(commit.status),
                  commit.err.message);
    ck_assert_int_eq(state.product.version, 7);
    ck_assert_int_eq(state.change_count, 1 + (int)state.record_count);
    ck_assert_str_eq(state.etag, "W/\"datetime'7'\"");
    ck_assert_int_eq(state.product.indexed_due_ms, BUCKET_MS);
}

static inline void add_record(void) {
    struct idempotency_record record = {
        .key_hash = "abc", .request_hash = "x", .keep_until_ms = RESERVED_MS};
    ck_assert_int_eq(product_state_add_record(&state, &record), STATUS_OK);
    state.product.indexed_keep_ms = RESERVED_MS - RESERVED_MS % (60 * MINUTE_MS) + 60 * MINUTE_MS;
}

#endif
