#include "support/calls/table_calls.h"

#include <check.h>

#include "http/loop_call.h"

/* What is asked, and what came of it. */
struct waiting_call {
    struct loop_call call;
    struct table_call operation;
    struct storage_client *client;
    const char *table, *partition_key, *row_key;
    const char *entity;
    const struct table_query *query;
    const struct table_operation *operations;
    size_t operation_count;
    int64_t deadline_ms;
    cJSON **out;
    char *out_first_etag;
    int end_count;
    enum status status;
    struct error err;
};

static void on_end(void *context, enum status status, const struct error *err) {
    struct waiting_call *own = context;
    own->end_count++;
    own->status = status;
    own->err = *err;
    loop_call_end(&own->call);
}

static enum status run(struct waiting_call *own, void (*begin)(void *context), struct error *err) {
    loop_call_run(&own->call, own->client->platform->loop, begin, own);
    ck_assert_int_eq(own->end_count, 1);
    if (own->status != STATUS_OK && err != NULL) {
        *err = own->err;
    }
    return own->status;
}

static void begin_create(void *context) {
    struct waiting_call *own = context;
    table_create_start(&own->operation, own->client, own->table, own->deadline_ms, on_end, own);
    ck_assert_int_eq(own->end_count, 0); /* never inside start */
}

enum status table_create(struct storage_client *client, const char *table, int64_t deadline_ms,
                         struct error *err) {
    struct waiting_call own = {.client = client, .table = table, .deadline_ms = deadline_ms};
    return run(&own, begin_create, err);
}

static void begin_insert(void *context) {
    struct waiting_call *own = context;
    table_insert_start(&own->operation, own->client, own->table, own->entity, own->deadline_ms,
                       on_end, own);
    ck_assert_int_eq(own->end_count, 0);
}

enum status table_insert(struct storage_client *client, const char *table, const char *entity,
                         int64_t deadline_ms, struct error *err) {
    struct waiting_call own = {
        .client = client, .table = table, .entity = entity, .deadline_ms = deadline_ms};
    return run(&own, begin_insert, err);
}

static void begin_get(void *context) {
    struct waiting_call *own = context;
    table_get_start(&own->operation, own->client, own->table, own->partition_key, own->row_key,
                    own->deadline_ms, own->out, on_end, own);
    ck_assert_int_eq(own->end_count, 0);
}

enum status table_get(struct storage_client *client, const char *table, const char *partition_key,
                      const char *row_key, int64_t deadline_ms, cJSON **out, struct error *err) {
    struct waiting_call own = {.client = client,
                               .table = table,
                               .partition_key = partition_key,
                               .row_key = row_key,
                               .deadline_ms = deadline_ms,
                               .out = out};
    return run(&own, begin_get, err);
}

static void begin_query(void *context) {
    struct waiting_call *own = context;
    table_query_start(&own->operation, own->client, own->query, own->deadline_ms, on_end, own);
    ck_assert_int_eq(own->end_count, 0);
}

enum status table_query(struct storage_client *client, const struct table_query *query,
                        int64_t deadline_ms, struct error *err) {
    struct waiting_call own = {.client = client, .query = query, .deadline_ms = deadline_ms};
    return run(&own, begin_query, err);
}

static void begin_transaction(void *context) {
    struct waiting_call *own = context;
    table_transaction_start(&own->operation, own->client, own->table, own->operations,
                            own->operation_count, own->deadline_ms, own->out_first_etag, on_end,
                            own);
    ck_assert_int_eq(own->end_count, 0);
}

enum status table_transaction(struct storage_client *client, const char *table,
                              const struct table_operation *operations, size_t count,
                              int64_t deadline_ms, char out_first_etag[TABLE_ETAG_BYTES],
                              struct error *err) {
    struct waiting_call own = {.client = client,
                               .table = table,
                               .operations = operations,
                               .operation_count = count,
                               .deadline_ms = deadline_ms};
    own.out_first_etag = out_first_etag;
    return run(&own, begin_transaction, err);
}
