#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/utc.h"
#include "storage/table_batch.h"
#include "storage/table_client.h"
#include "support/checks/fidelity_compare.h"
#include "support/checks/fidelity_run.h"

static const char *const partition_keys[FIDELITY_PARTITIONS] = {"P-001", "P.002~x", "it's"};
static const char *const row_keys[FIDELITY_ROWS] = {
    "product", "r-0194b0a1", "r-0194b0a2", "r-0194b0a3", "k-5", "k-6", "k-7", "z~9"};
static const char *const customers[] = {"CUST-1", "O'Brien", "a \"b\" \\c",
                                        "caf\xc3\xa9 \xe2\x82\xac"};

enum { PAGES = 3 };

static void write_table(const struct fidelity_run *run, int table, char out[ROWS_NAME_BYTES]) {
    snprintf(out, ROWS_NAME_BYTES, "%s%c", run->name, 'a' + table);
}

static void begin(struct fidelity_request *request, const char *method) {
    fidelity_request_init(request, SIMULATED_TABLE_SERVICE, method);
    http_headers_add(&request->headers, "Accept", "application/json;odata=minimalmetadata");
    http_headers_add(&request->headers, "DataServiceVersion", "3.0;NetFx");
    http_headers_add(&request->headers, "MaxDataServiceVersion", "3.0;NetFx");
}

/* ---- tables ---- */

static void create_named(struct fidelity_run *run, const char *name, bool wants_content) {
    struct fidelity_request request;
    begin(&request, "POST");
    http_headers_add(&request.headers, "Content-Type", "application/json");
    if (!wants_content) {
        http_headers_add(&request.headers, "Prefer", "return-no-content");
    }
    strbuf_append_string(&request.path, "/Tables");
    strbuf_appendf(&request.body, "{\"TableName\":\"%s\"}", name);
    fidelity_run_exchange_same(run, &request);
}

static void create_table(struct fidelity_run *run) {
    int table = fidelity_run_draw(run, FIDELITY_TABLES);
    char name[ROWS_NAME_BYTES];
    if (run->sides->clock.ms < run->table_free_ms[table]) {
        return;
    }
    write_table(run, table, name);
    create_named(run, name, fidelity_run_chance(run, 3));
}

/* Nothing is asked about a table until it is gone for Azure, too. */
static void delete_table(struct fidelity_run *run) {
    int table = fidelity_run_draw(run, FIDELITY_TABLES);
    char name[ROWS_NAME_BYTES];
    struct fidelity_request request;
    if (!fidelity_run_chance(run, 8) || run->sides->clock.ms < run->table_free_ms[table]) {
        return;
    }
    write_table(run, table, name);
    begin(&request, "DELETE");
    strbuf_appendf(&request.path, "/Tables('%s')", name);
    if (fidelity_run_exchange_same(run, &request) == 204) {
        run->table_free_ms[table] = run->sides->clock.ms + ROWS_DELETION_MS;
    }
}

/* One that is not being deleted. */
static int draw_table(struct fidelity_run *run) {
    int table = fidelity_run_draw(run, FIDELITY_TABLES);
    if (run->sides->clock.ms < run->table_free_ms[table]) {
        fidelity_sides_pass(run->sides, ROWS_DELETION_MS);
    }
    return table;
}

/* ---- changes ---- */

static void append_property(struct strbuf *out, const char *name) {
    strbuf_appendf(out, "%s\"%s\":", out->length > 1 ? "," : "", name);
}

/* At least one: in a transaction Azurite answers 500 to an entity that has none. */
static void draw_properties(struct fidelity_run *run, struct strbuf *out) {
    append_property(out, "count");
    strbuf_append_int64(out, fidelity_run_draw(run, 3));
    if (!fidelity_run_chance(run, 4)) {
        strbuf_appendf(out, "%s\"total@odata.type\":\"Edm.Int64\",\"total\":\"%d\"",
                       out->length > 1 ? "," : "", fidelity_run_draw(run, 10));
    }
    if (fidelity_run_chance(run, 5)) {
        append_property(out, "note");
        strbuf_append_string(out, fidelity_run_chance(run, 2) ? "null" : "\"\\u00fc\\n\"");
    }
    if (!fidelity_run_chance(run, 4)) {
        append_property(out, "quantity");
        strbuf_append_int64(out, fidelity_run_draw(run, 10));
    }
    if (!fidelity_run_chance(run, 4)) {
        append_property(out, "customerId");
        json_append_string(out, customers[fidelity_run_draw(run, 4)]);
    }
    if (fidelity_run_chance(run, 2)) {
        strbuf_appendf(out,
                       "%s\"keepUntil@odata.type\":\"Edm.DateTime\",\"keepUntil\":\"2026-01-0%dT10:"
                       "00:00.%03dZ\"",
                       out->length > 1 ? "," : "", 1 + fidelity_run_draw(run, 9),
                       1 + fidelity_run_draw(run, 999));
    }
    if (fidelity_run_chance(run, 3)) {
        append_property(out, "flag");
        strbuf_append_string(out, fidelity_run_chance(run, 2) ? "true" : "false");
    }
}

static void draw_entity(struct fidelity_run *run, struct fidelity_change *change) {
    struct strbuf entity;
    strbuf_init(&entity, sizeof change->entity - 1);
    strbuf_append_char(&entity, '{');
    if (change->kind == ROW_INSERT) {
        append_property(&entity, "PartitionKey");
        json_append_string(&entity, partition_keys[change->partition]);
        append_property(&entity, "RowKey");
        json_append_string(&entity, row_keys[change->row]);
    }
    draw_properties(run, &entity);
    strbuf_append_char(&entity, '}');
    ck_assert_int_eq(strbuf_status(&entity), STATUS_OK);
    snprintf(change->entity, sizeof change->entity, "%s",
             change->kind == ROW_DELETE ? "" : entity.data);
    strbuf_cleanup(&entity);
}

static void draw_change(struct fidelity_run *run, struct fidelity_change *change, int table,
                        int partition) {
    static const enum row_change_kind kinds[] = {ROW_INSERT, ROW_INSERT, ROW_REPLACE,
                                                 ROW_MERGE,  ROW_MERGE,  ROW_DELETE};
    change->kind = kinds[fidelity_run_draw(run, 6)];
    change->table = table;
    change->partition = partition;
    change->row = fidelity_run_draw(run, FIDELITY_ROWS);
    change->condition = FIDELITY_NONE;
    if (change->kind != ROW_INSERT) {
        change->condition = (enum fidelity_condition)fidelity_run_draw(run, FIDELITY_CONDITIONS);
    }
    if (change->kind == ROW_DELETE && change->condition == FIDELITY_NONE) {
        change->condition = FIDELITY_ANY;
    }
    change->wants_content = fidelity_run_chance(run, 4);
    draw_entity(run, change);
}

static struct fidelity_etags *etags_of(struct fidelity_run *run, int side,
                                       const struct fidelity_change *change) {
    return &run->etags[side][change->table][change->partition][change->row];
}

/* NULL: no condition. What a row has not had yet is "*". */
static const char *if_match_of(struct fidelity_run *run, int side,
                               const struct fidelity_change *change) {
    const struct fidelity_etags *etags = etags_of(run, side, change);
    const char *etag = change->condition == FIDELITY_NEWEST  ? etags->newest
                       : change->condition == FIDELITY_OLDER ? etags->older
                                                             : "";
    return change->condition == FIDELITY_NONE ? NULL : etag[0] != '\0' ? etag : "*";
}

static void learn_etag(struct fidelity_run *run, int side, const struct fidelity_change *change,
                       const char *etag) {
    struct fidelity_etags *etags = etags_of(run, side, change);
    if (etag[0] != '\0') {
        memcpy(etags->older, etags->newest, sizeof etags->older);
        snprintf(etags->newest, sizeof etags->newest, "%s", etag);
    }
}

static const char *method_of(const struct fidelity_change *change) {
    static const char *const methods[] = {[ROW_INSERT] = "POST",
                                          [ROW_REPLACE] = "PUT",
                                          [ROW_MERGE] = "MERGE",
                                          [ROW_DELETE] = "DELETE"};
    return methods[change->kind];
}

static void append_path(struct fidelity_run *run, const struct fidelity_change *change,
                        struct strbuf *out) {
    char table[ROWS_NAME_BYTES];
    write_table(run, change->table, table);
    if (change->kind == ROW_INSERT) {
        strbuf_appendf(out, "/%s", table);
    } else {
        table_batch_append_entity_path(out, table, partition_keys[change->partition],
                                       row_keys[change->row]);
    }
}

static void build_change(struct fidelity_run *run, int side, const struct fidelity_change *change,
                         struct fidelity_request *request) {
    const char *if_match = if_match_of(run, side, change);
    begin(request, method_of(change));
    append_path(run, change, &request->path);
    if (change->kind != ROW_DELETE) {
        http_headers_add(&request->headers, "Content-Type", "application/json");
        strbuf_append_string(&request->body, change->entity);
    }
    if (change->kind == ROW_INSERT && !change->wants_content) {
        http_headers_add(&request->headers, "Prefer", "return-no-content");
    }
    if (if_match != NULL) {
        http_headers_add(&request->headers, "If-Match", if_match);
    }
}

/* Sends both their requests, releases these, and has `learn` look at each answer of a success. */
static void exchange(struct fidelity_run *run, struct fidelity_request *requests,
                     void (*learn)(struct fidelity_run *run, int side,
                                   const struct raw_response *answer, void *context),
                     void *context) {
    struct raw_response answers[FIDELITY_SIDES];
    fidelity_run_exchange(run, requests, answers);
    for (int side = 0; side < FIDELITY_SIDES; side++) {
        if (answers[side].status < 300) {
            learn(run, side, &answers[side], context);
        }
        raw_response_cleanup(&answers[side]);
        fidelity_request_cleanup(&requests[side]);
    }
}

static void learn_change(struct fidelity_run *run, int side, const struct raw_response *answer,
                         void *context) {
    char etag[FIDELITY_ETAG_BYTES];
    learn_etag(run, side, context, raw_response_header(answer, "ETag", etag, sizeof etag));
}

static void change_row(struct fidelity_run *run) {
    struct fidelity_change change;
    struct fidelity_request requests[FIDELITY_SIDES];
    int table = draw_table(run);
    draw_change(run, &change, table, fidelity_run_draw(run, FIDELITY_PARTITIONS));
    for (int side = 0; side < FIDELITY_SIDES; side++) {
        build_change(run, side, &change, &requests[side]);
    }
    exchange(run, requests, learn_change, &change);
}

/* ---- transactions ---- */

struct changes {
    struct fidelity_change items[FIDELITY_MAX_CHANGES];
    size_t count;
};

static void append_part(struct fidelity_run *run, int side, const struct fidelity_change *change,
                        struct strbuf *out) {
    const char *if_match = if_match_of(run, side, change);
    strbuf_append_string(out, "--changeset_1\r\nContent-Type: application/http\r\n"
                              "Content-Transfer-Encoding: binary\r\n\r\n");
    strbuf_appendf(out, "%s %s", method_of(change), run->sides->account.table_endpoint);
    append_path(run, change, out);
    strbuf_append_string(out, " HTTP/1.1\r\nAccept: application/json;odata=minimalmetadata\r\n"
                              "DataServiceVersion: 3.0;\r\n");
    if (change->kind == ROW_INSERT) {
        strbuf_append_string(out, "Prefer: return-no-content\r\n");
    }
    if (if_match != NULL) {
        strbuf_appendf(out, "If-Match: %s\r\n", if_match);
    }
    if (change->kind != ROW_DELETE) {
        strbuf_append_string(out, "Content-Type: application/json\r\n");
    }
    strbuf_appendf(out, "\r\n%s\r\n", change->entity);
}

static void build_transaction(struct fidelity_run *run, int side, const struct changes *changes,
                              struct fidelity_request *request) {
    begin(request, "POST");
    strbuf_append_string(&request->path, "/$batch");
    http_headers_add(&request->headers, "Content-Type", "multipart/mixed; boundary=batch_1");
    strbuf_append_string(
        &request->body, "--batch_1\r\nContent-Type: multipart/mixed; boundary=changeset_1\r\n\r\n");
    for (size_t i = 0; i < changes->count; i++) {
        append_part(run, side, &changes->items[i], &request->body);
    }
    strbuf_append_string(&request->body, "--changeset_1--\r\n--batch_1--\r\n");
}

static void learn_transaction(struct fidelity_run *run, int side, const struct raw_response *answer,
                              void *context) {
    const struct changes *changes = context;
    for (size_t i = 0; i < changes->count; i++) {
        char etag[FIDELITY_ETAG_BYTES];
        fidelity_compare_part_etag(answer, i, etag);
        learn_etag(run, side, &changes->items[i], etag);
    }
}

/* Most have each row once. (Azurite takes several partitions: test_storage_fidelity.c.) */
static void draw_transaction(struct fidelity_run *run, struct changes *changes) {
    int table = draw_table(run), partition = fidelity_run_draw(run, FIDELITY_PARTITIONS);
    bool may_repeat = fidelity_run_chance(run, 8);
    unsigned used = 0;
    changes->count = 0;
    for (int wanted = 1 + fidelity_run_draw(run, 5); wanted > 0; wanted--) {
        struct fidelity_change *change = &changes->items[changes->count];
        draw_change(run, change, table, partition);
        if ((used & (1U << change->row)) == 0 || may_repeat) {
            changes->count++;
        }
        used |= 1U << change->row;
    }
}

static void transact(struct fidelity_run *run) {
    static struct changes changes;
    struct fidelity_request requests[FIDELITY_SIDES];
    draw_transaction(run, &changes);
    for (int side = 0; side < FIDELITY_SIDES; side++) {
        build_transaction(run, side, &changes, &requests[side]);
    }
    exchange(run, requests, learn_transaction, &changes);
}

/* ---- reading ---- */

static void get_row(struct fidelity_run *run) {
    struct fidelity_request request;
    const struct fidelity_change row = {.kind = ROW_MERGE,
                                        .table = draw_table(run),
                                        .partition = fidelity_run_draw(run, FIDELITY_PARTITIONS),
                                        .row = fidelity_run_draw(run, FIDELITY_ROWS)};
    begin(&request, "GET");
    append_path(run, &row, &request.path);
    fidelity_run_exchange_same(run, &request);
}

/* What a query asks for, and where each side goes on. */
struct pages {
    char table[ROWS_NAME_BYTES];
    struct strbuf filter; /* "": none */
    const char *select;   /* NULL: all */
    int top;              /* 0: as many as there may be */
    struct http_headers next[FIDELITY_SIDES];
};

static void learn_page(struct fidelity_run *run, int side, const struct raw_response *answer,
                       void *context) {
    static const char *const names[][2] = {
        {"x-ms-continuation-NextPartitionKey", "NextPartitionKey"},
        {"x-ms-continuation-NextRowKey", "NextRowKey"}};
    struct pages *pages = context;
    (void)run;
    for (size_t i = 0; i < 2; i++) {
        char token[2 * ENTITY_KEY_BYTES];
        raw_response_header(answer, names[i][0], token, sizeof token);
        if (token[0] != '\0') {
            http_headers_add(&pages->next[side], names[i][1], token);
        }
    }
}

static void build_page(struct pages *pages, int side, struct fidelity_request *request) {
    begin(request, "GET");
    strbuf_appendf(&request->path, "/%s()", pages->table);
    if (pages->filter.length > 0) {
        http_headers_add(&request->query, "$filter", pages->filter.data);
    }
    if (pages->select != NULL) {
        http_headers_add(&request->query, "$select", pages->select);
    }
    if (pages->top > 0) {
        http_headers_addf(&request->query, "$top", "%d", pages->top);
    }
    for (size_t i = 0; i < pages->next[side].count; i++) {
        http_headers_add(&request->query, pages->next[side].items[i].name,
                         pages->next[side].items[i].value);
    }
    http_headers_clear(&pages->next[side]);
}

static void pages_init(struct pages *pages) {
    *pages = (struct pages){.top = 0};
    strbuf_init(&pages->filter, SIZE_MAX);
    for (int side = 0; side < FIDELITY_SIDES; side++) {
        http_headers_init(&pages->next[side]);
    }
}

/* Asks for up to `count` pages and releases `pages`. */
static void read_pages(struct fidelity_run *run, struct pages *pages, int count) {
    for (int i = 0; i < count && (i == 0 || pages->next[FIDELITY_SIMULATED].count > 0); i++) {
        struct fidelity_request requests[FIDELITY_SIDES];
        for (int side = 0; side < FIDELITY_SIDES; side++) {
            build_page(pages, side, &requests[side]);
        }
        exchange(run, requests, learn_page, pages);
    }
    strbuf_cleanup(&pages->filter);
    http_headers_cleanup(&pages->next[FIDELITY_SIMULATED]);
    http_headers_cleanup(&pages->next[FIDELITY_AZURITE]);
}

/* The product's filters, and some like them. */
static void draw_filter(struct fidelity_run *run, struct strbuf *out) {
    const char *row = row_keys[fidelity_run_draw(run, FIDELITY_ROWS)];
    int kind = fidelity_run_draw(run, 9), number = fidelity_run_draw(run, 10);
    if (kind >= 3) {
        strbuf_append_string(out, "PartitionKey eq ");
        table_append_literal(out, partition_keys[fidelity_run_draw(run, FIDELITY_PARTITIONS)]);
    }
    switch (kind) {
    case 1:
        strbuf_appendf(out, "RowKey eq '%s'", row);
        break;
    case 2:
        strbuf_appendf(out, "RowKey ge 'product' and RowKey lt '%s'", row);
        break;
    case 4:
        strbuf_appendf(out,
                       " and RowKey ge 'product' and RowKey lt 'r.' and (RowKey lt '%s' or (RowKey "
                       "ge '%s' and "
                       "customerId eq ",
                       row, row);
        table_append_literal(out, customers[fidelity_run_draw(run, 4)]);
        strbuf_appendf(out, ") or RowKey eq '%s')",
                       row_keys[fidelity_run_draw(run, FIDELITY_ROWS)]);
        break;
    case 5:
        strbuf_appendf(out,
                       " and RowKey ge 'k-' and RowKey lt 'k.' and keepUntil le "
                       "datetime'2026-01-0%dT10:00:00.%03dZ'",
                       1 + fidelity_run_draw(run, 9), fidelity_run_draw(run, 999));
        break;
    case 6:
        strbuf_appendf(out, " and quantity %s %d", fidelity_run_chance(run, 2) ? "ge" : "lt",
                       number);
        break;
    case 7:
        strbuf_appendf(out, " and total %s %dL", fidelity_run_chance(run, 2) ? "gt" : "le", number);
        break;
    case 8:
        strbuf_appendf(out, " and flag eq %s", fidelity_run_chance(run, 2) ? "true" : "false");
        break;
    default:
        break;
    }
}

static void query(struct fidelity_run *run) {
    struct pages pages;
    pages_init(&pages);
    write_table(run, draw_table(run), pages.table);
    draw_filter(run, &pages.filter);
    pages.top = fidelity_run_chance(run, 3) ? 1 + fidelity_run_draw(run, 4) : 0;
    pages.select = fidelity_run_chance(run, 6) ? "RowKey,total" : NULL;
    read_pages(run, &pages, PAGES);
}

/* ---- steps ---- */

void fidelity_tables_step(struct fidelity_run *run) {
    static void (*const steps[])(struct fidelity_run * run) = {
        create_table, delete_table, change_row, change_row, change_row, transact,
        transact,     transact,     get_row,    query,      query};
    steps[fidelity_run_draw(run, (int)(sizeof steps / sizeof steps[0]))](run);
}

static void read_table(struct fidelity_run *run, const char *table, int pages_wanted) {
    struct pages pages;
    pages_init(&pages);
    snprintf(pages.table, sizeof pages.table, "%s", table);
    read_pages(run, &pages, pages_wanted);
}

void fidelity_tables_read_back(struct fidelity_run *run) {
    for (int table = 0; table < FIDELITY_TABLES; table++) {
        char name[ROWS_NAME_BYTES];
        if (run->sides->clock.ms >= run->table_free_ms[table]) {
            write_table(run, table, name);
            read_table(run, name, 1);
        }
    }
}

/* ---- many rows ---- */

static void fill(struct fidelity_run *run, const char *table, int number) {
    struct fidelity_request request;
    begin(&request, "POST");
    strbuf_append_string(&request.path, "/$batch");
    http_headers_add(&request.headers, "Content-Type", "multipart/mixed; boundary=batch_1");
    strbuf_append_string(
        &request.body, "--batch_1\r\nContent-Type: multipart/mixed; boundary=changeset_1\r\n\r\n");
    for (int i = 0; i < 100; i++) {
        strbuf_appendf(&request.body,
                       "--changeset_1\r\nContent-Type: "
                       "application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
                       "POST %s/%s HTTP/1.1\r\nPrefer: return-no-content\r\nContent-Type: "
                       "application/json\r\n\r\n"
                       "{\"PartitionKey\":\"p\",\"RowKey\":\"r%05d\",\"quantity\":%d}\r\n",
                       run->sides->account.table_endpoint, table, number * 100 + i, i);
    }
    strbuf_append_string(&request.body, "--changeset_1--\r\n--batch_1--\r\n");
    ck_assert_int_eq(fidelity_run_exchange_same(run, &request), 202);
}

void fidelity_tables_fill(struct fidelity_run *run, int transactions) {
    char table[ROWS_NAME_BYTES];
    write_table(run, FIDELITY_TABLES, table);
    create_named(run, table, false);
    for (int i = 0; i < transactions; i++) {
        fill(run, table, i);
    }
    read_table(run, table, transactions);
}
