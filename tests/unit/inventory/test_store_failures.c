/*
 * The table store's operations when something fails at any of their requests, when the program
 * stops at any of them, and when the client is closed at any of them. Each ends once, never inside
 * its start, with the right status, and leaves nothing behind. In virtual time.
 */
#include "inventory/inventory_store_table.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utc.h"
#include "inventory/product_read.h"
#include "support/checks/status_letters.h"
#include "support/fakes/virtual_faults.h"
#include "support/fakes/virtual_storage.h"
#include "support/processes/check_main.h"

/* The operations of this program get their memory here. */
static bool memory_is_short;

static void *calloc_unless_short(size_t count, size_t bytes) {
    return memory_is_short ? NULL : calloc(count, bytes);
}

#define calloc calloc_unless_short
#include "inventory/store_operation.c" /* NOLINT(bugprone-suspicious-include) */
#undef calloc

/* And its texts here: the one with this number, from 0, gets none. */
static int text_without_memory = INT32_MAX;

static void *malloc_but_one(size_t bytes) {
    return text_without_memory-- == 0 ? NULL : malloc(bytes);
}

#define malloc malloc_but_one
#include "base/strbuf.c" /* NOLINT(bugprone-suspicious-include) */
#undef malloc

/* What searches and purges keep meanwhile: the same. */
static int list_without_memory = INT32_MAX;

static void *calloc_but_one(size_t count, size_t bytes) {
    return list_without_memory-- == 0 ? NULL : calloc(count, bytes);
}

static void *realloc_but_one(void *memory, size_t bytes) {
    return list_without_memory-- == 0 ? NULL : realloc(memory, bytes);
}

#define calloc calloc_but_one
#define malloc(bytes) realloc_but_one(NULL, bytes)
#define realloc realloc_but_one
#include "inventory/expiry_index.c" /* NOLINT(bugprone-suspicious-include) */
#define FILTER_MAX_BYTES PURGE_FILTER_MAX_BYTES
#include "inventory/row_deletion.c" /* NOLINT(bugprone-suspicious-include) */
#undef FILTER_MAX_BYTES
#undef realloc
#undef malloc
#undef calloc

enum {
    COMMIT_MS = 5000,
    LONGEST_MS = 60000,
    LONGEST_SEARCH_MS = 301000,
    MOST_REQUESTS = 6,
    DAY_MS = 24 * 3600 * 1000
};
#define EXPIRES_MS (VIRTUAL_WALL_MS + 60000)
#define BUCKET_MS (EXPIRES_MS - 30000)
#define ROW                                                                            \
    "{\"odata.etag\":\"W/"                                                             \
    "\\\"%d\\\"\",\"PartitionKey\":\"P\",\"RowKey\":\"product\",\"total\":\"10\","     \
    "\"available\":\"10\",\"version\":\"%d\",\"commitIds\":\"00000000-0000-4000-8000-" \
    "000000000007\","                                                                  \
    "\"indexedDue\":\"0\",\"indexedKeep\":\"0\"}"
#define RECORD                                                                                   \
    "{\"PartitionKey\":\"P\",\"RowKey\":\"i-abc\",\"requestHash\":\"x\",\"reservationId\":\"\"," \
    "\"quantity\":\"1\","                                                                        \
    "\"available\":\"1\",\"version\":\"1\",\"reservedAt\":\"2025-01-19T14:45:30Z\","             \
    "\"expiresAt\":\"2025-01-19T14:45:30Z\",\"keepUntil\":\"2025-01-19T14:45:30Z\"}"

/* ---- the operations, and the requests that each costs when all goes well ---- */

static struct inventory_store_table store;
static struct product_state state;
static struct idempotency_record record;
static int64_t out_ms;
static struct product_ids due;
static int purged;
static const struct inventory_query query = {.until_ms = VIRTUAL_WALL_MS};

static int ended;
static bool is_starting;
static enum status ended_with;
static struct error failure;

static void note_end(void *context, enum status status, const struct error *err) {
    ck_assert_ptr_eq(context, &store);
    ck_assert(!is_starting);
    ck_assert_int_eq(status == STATUS_OK, err->message[0] == '\0');
    ended++;
    ended_with = status;
    failure = *err;
}

static void start_read(void) {
    store.base.ops->read(&store.base, "P", &query, &state, note_end, &store);
}

static void start_checked_read(void) {
    product_read(&store.base, "P", &query, &state, note_end, &store);
}

static void start_find_record(void) {
    store.base.ops->find_record(&store.base, "P", "abc", &record, note_end, &store);
}

/* With a row of either index, and a record that is new. */
static void start_commit(void) {
    const struct idempotency_record new_record = {.key_hash = "abc",
                                                  .keep_until_ms = VIRTUAL_WALL_MS};
    const struct reservation like = {.id = "0194a0b1-2345-8678-9abc-def012345678",
                                     .quantity = 1,
                                     .reserved_ms = VIRTUAL_WALL_MS,
                                     .expires_ms = EXPIRES_MS};
    state.product = (struct product){.id = "P", .total = 10, .available = 9, .version = 7};
    snprintf(state.etag, sizeof state.etag, "W/\"7\"");
    ck_assert_ptr_nonnull(product_state_insert(&state, &like, "C"));
    ck_assert_int_eq(product_state_add_record(&state, &new_record), STATUS_OK);
    store.base.ops->commit(&store.base, &state, VIRTUAL_START_MS + COMMIT_MS, note_end, &store);
}

static void start_index_expiry(void) {
    store.base.ops->index_expiry(&store.base, "P", EXPIRES_MS, &out_ms, note_end, &store);
}

static void start_announce_wait(void) {
    store.base.ops->announce_wait(&store.base, "P", note_end, &store);
}

static void start_read_wait(void) {
    store.base.ops->read_wait(&store.base, "P", &out_ms, note_end, &store);
}

static void start_find_due(void) {
    store.base.ops->find_expired(&store.base, VIRTUAL_WALL_MS, &due, note_end, &store);
}

/* What the last search met: such rows of product P in the index, that are over. */
static void meet_due_rows(bool has_records) {
    static const struct expiry_row rows[] = {
        {.product_id = "P", .time_ms = VIRTUAL_WALL_MS - DAY_MS, .kind = EXPIRY_OF_RESERVATIONS},
        {.product_id = "P", .time_ms = VIRTUAL_WALL_MS - DAY_MS, .kind = EXPIRY_OF_RECORDS}};
    store.expiry_index.found = malloc(sizeof rows);
    store.expiry_index.found_count = has_records ? 2 : 1;
    ck_assert_ptr_nonnull(store.expiry_index.found);
    memcpy(store.expiry_index.found, rows, sizeof rows);
}

/* Two records go, and the two rows that spoke of the product. */
static void start_finish_due(void) {
    meet_due_rows(true);
    store.base.ops->clean_up_expired(&store.base, "P", VIRTUAL_WALL_MS, &purged, note_end, &store);
}

static void start_finish_without_records(void) {
    meet_due_rows(false);
    store.base.ops->clean_up_expired(&store.base, "P", VIRTUAL_WALL_MS, &purged, note_end, &store);
}

/* No search has met the product. */
static void start_finish_of_nothing(void) {
    store.base.ops->clean_up_expired(&store.base, "P", VIRTUAL_WALL_MS, &purged, note_end, &store);
}

static void assert_found_due(void) {
    ck_assert_uint_eq(due.count, 1);
    ck_assert_str_eq(due.ids[0], "P");
}

/* Records of which it is not sure are not counted. */
static void assert_purged(void) {
    ck_assert_int_ge(purged, 0);
    ck_assert_int_le(purged, 2);
}

static void assert_no_records_purged(void) {
    ck_assert_int_eq(purged, 0);
}

static void assert_read(void) {
    ck_assert(state.product.version == 7 || state.product.version == 8);
    ck_assert_int_eq(state.complete_until_ms, VIRTUAL_WALL_MS);
}

static void assert_found(void) {
    ck_assert_str_eq(record.key_hash, "abc");
}

static void assert_committed(void) {
    ck_assert_int_eq(state.product.version, 8);
    ck_assert_int_eq(state.product.indexed_due_ms, BUCKET_MS);
}

static void assert_indexed(void) {
    ck_assert_int_eq(out_ms, BUCKET_MS);
}

static void assert_wait_read(void) {
    ck_assert(out_ms == VIRTUAL_WALL_MS || out_ms == 0); /* 0: a 404 says that nobody has waited */
}

static void assert_nothing(void) {
}

/* What a read or a search meets. */
enum scene {
    ONE_PAGE,
    TWO_PAGES,
    MOVED_ON,     /* two pages, and the product changes behind the first two */
    STRANGE_DATE, /* the first answer leaves it in doubt what the time is */
};

/* What an operation asks for in one of its requests. */
enum request {
    READ,
    READ_WAIT,
    READ_TIME,
    INDEX,
    INDEX_FIRST,
    UPSERT,
    TRANSACTION,
    QUERY,
    DELETION,
    REQUESTS
};

static const struct operation {
    void (*start)(void);
    void (*assert_done)(void);
    enum scene scene;
    int count; /* of the requests that it costs when nothing disturbs it */
    enum request requests[MOST_REQUESTS];
} operations[] = {
    {start_read, assert_read, ONE_PAGE, 1, {READ}},
    {start_read, assert_read, TWO_PAGES, 3, {READ, READ, READ}},
    {start_read, assert_read, MOVED_ON, 6, {READ, READ, READ, READ, READ, READ}},
    {start_read, assert_read, STRANGE_DATE, 2, {READ, READ_TIME}},
    {start_checked_read, assert_read, TWO_PAGES, 3, {READ, READ, READ}},
    {start_find_record, assert_found, ONE_PAGE, 1, {READ}},
    {start_commit, assert_committed, ONE_PAGE, 3, {INDEX_FIRST, INDEX_FIRST, TRANSACTION}},
    {start_index_expiry, assert_indexed, ONE_PAGE, 1, {INDEX}},
    {start_announce_wait, assert_nothing, ONE_PAGE, 1, {UPSERT}},
    {start_read_wait, assert_wait_read, ONE_PAGE, 1, {READ_WAIT}},
    {start_find_due, assert_found_due, ONE_PAGE, 1, {QUERY}},
    {start_find_due, assert_found_due, TWO_PAGES, 2, {QUERY, QUERY}},
    {start_finish_due, assert_purged, ONE_PAGE, 3, {QUERY, DELETION, DELETION}},
    {start_finish_due, assert_purged, TWO_PAGES, 4, {QUERY, QUERY, DELETION, DELETION}},
    {start_finish_without_records, assert_no_records_purged, ONE_PAGE, 1, {DELETION}},
    {.start = start_finish_of_nothing, .assert_done = assert_no_records_purged},
};
enum { OPERATIONS = sizeof operations / sizeof operations[0] };

/* ---- storage ---- */

static const struct operation *running;

/* Each operation of a transaction has succeeded. */
static void answer_parts(const struct http_call *call, struct virtual_answer *out) {
    static const char part[] =
        "--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 204 X\r\nETag: W/\"8\"\r\n\r\n\r\n";
    out->http_status = 202;
    out->content_type = "multipart/mixed; boundary=b";
    char *end = out->body;
    for (const char *at = call->body; (at = strstr(at, "application/http")) != NULL; at++) {
        end += sprintf(end, "%s", part);
    }
    sprintf(end, "--b--\r\n");
}

/* Behind the first two answers the product has moved on. */
static void write_row(char *out, size_t out_bytes, int index) {
    int version = running->scene == MOVED_ON && index >= 2 ? 8 : 7;
    snprintf(out, out_bytes, ROW, version, version);
}

/* One row of the index, and one record, on each page. */
static void write_due_row(char *out, size_t out_bytes, bool is_first) {
    snprintf(out, out_bytes, "{\"PartitionKey\":\"!due\",\"RowKey\":\"001737297%s00000-r-P\"}",
             is_first ? "8" : "9");
}

static void write_record(char *out, size_t out_bytes, bool is_first) {
    const char *key = is_first ? "a" : "b";
    snprintf(out, out_bytes, "{\"odata.etag\":\"W/\\\"%s\\\"\",\"RowKey\":\"i-%s\"}", key, key);
}

static void answer_page(int index, const struct http_call *call, struct virtual_answer *out) {
    bool is_first = strstr(call->url, "NextRowKey") == NULL;
    char row[1024] = "";
    if (running->start == start_find_due) {
        write_due_row(row, sizeof row, is_first);
    } else if (running->start == start_finish_due) {
        write_record(row, sizeof row, is_first);
    } else if (is_first) {
        write_row(row, sizeof row, index);
    }
    snprintf(out->body, sizeof out->body, "{\"value\":[%s]}", row);
    if (is_first && (running->scene == TWO_PAGES || running->scene == MOVED_ON)) {
        out->headers[0][0] = "x-ms-continuation-NextRowKey";
        out->headers[0][1] = "r-1";
    }
}

static void date_answer(int index, struct virtual_answer *out) {
    static char date[UTC_TEXT_BYTES];
    utc_format_http(virtual_wall_ms(NULL) + (index == 0 ? 2 * DAY_MS : 0), date);
    out->headers[0][0] = "Date";
    out->headers[0][1] = date;
}

static void answer_well(int index, const struct http_call *call, struct virtual_answer *out) {
    out->http_status = strcmp(call->method, "GET") == 0 ? 200 : 204;
    if (strstr(call->url, "/$batch") != NULL) {
        answer_parts(call, out);
    } else if (strstr(call->url, "()?") != NULL) {
        answer_page(index, call, out);
    } else if (strstr(call->url, "waiting") != NULL) {
        snprintf(out->body, sizeof out->body, "{\"Timestamp\":\"2025-01-19T14:45:30.0000000Z\"}");
    } else if (strstr(call->url, "i-abc") != NULL) {
        snprintf(out->body, sizeof out->body, "%s", RECORD);
    } else if (out->http_status == 200) {
        write_row(out->body, sizeof out->body, index);
    }
    if (running->scene == STRANGE_DATE) {
        date_answer(index, out);
    }
}

/* This storage has no table in which a request could have its effect. */
enum { FAULTS_WITHOUT_TABLE = UNHEARD };

static void answer_call(int index, const struct http_call *call, struct virtual_answer *out) {
    if (index >= first_bad && index <= last_bad) {
        answer_badly(out);
    } else {
        answer_well(index, call, out);
    }
}

/* ---- running ---- */

static void begin(const struct operation *operation, enum fault what, int from, int to) {
    running = operation;
    fault = what;
    first_bad = from;
    last_bad = to;
    ended = 0;
    out_ms = -1;
    due = (struct product_ids){.ids = NULL};
    purged = -1;
    memset(&record, 0, sizeof record);
    virtual_begin();
    inventory_store_table_init(&store, &virtual_client, "inventory");
    product_state_init(&state);
    is_starting = true;
    operation->start();
    is_starting = false;
}

static void assert_ended(void) {
    ck_assert_int_eq(ended, 1);
    int64_t longest_ms = running->start == start_find_due ? LONGEST_SEARCH_MS : LONGEST_MS;
    ck_assert_int_le(virtual_loop.now_ms, VIRTUAL_START_MS + longest_ms);
    if (ended_with == STATUS_OK) {
        running->assert_done();
    } else {
        ck_assert_int_eq(out_ms, -1);
        ck_assert_ptr_null(due.ids);
        ck_assert_int_eq(purged, -1);
        ck_assert_str_eq(record.key_hash, "");
        ck_assert(running->start == start_commit ? state.product.version == 7
                                                 : state.etag[0] == '\0');
    }
}

static void finish(void) {
    while (virtual_step()) {
    }
    assert_ended();
    free(due.ids);
    product_state_cleanup(&state);
    inventory_store_table_cleanup(&store);
    virtual_end();
}

START_TEST(an_operation_that_nothing_disturbs_costs_what_it_must) {
    begin(&operations[_i], LOST, INT32_MAX, INT32_MAX);
    finish();
    ck_assert_int_eq(ended_with, STATUS_OK);
    ck_assert_int_eq(virtual_calls, operations[_i].count);
}
END_TEST

/*
 * How an operation ends with each fault, in their order, at such a request: once, and from then on
 * for ever.
 */
static const struct {
    const char *once, *for_ever;
} ends_of[REQUESTS] = {
    [READ] = {"..NC.FRTPU.A", "UUNCUFRTPUUA"},
    [READ_WAIT] = {"..NC.F.TPU.A", "UUNCUF.TPUUA"},   /* without the row nobody has waited */
    [READ_TIME] = {"............", "............"},   /* the read does not fail for it */
    [INDEX] = {"..NC.FRTP...", "UUNCUFRTPUU."},       /* a row that is there is as good */
    [INDEX_FIRST] = {"..NC.FRTP...", "UUNCUFRTPUUU"}, /* but then the transaction fails */
    [UPSERT] = {"..NC.FRTP..A", "UUNCUFRTPUUA"},      /* the body of an answer does not matter */
    [TRANSACTION] = {".....FPT...A", "UUUUUFPTUUUU"}, /* the probe finds no change, or fails */
    [QUERY] = {"..NC.FRTPU.A", "UUNCUFRTPUUA"},
    [DELETION] = {"..NC.F.T...A", "UUNCUF.T.UUA"}, /* what is not as it was seen is passed over */
};

/* At its requests `from` to `to`. */
static void assert_ends(const struct operation *operation, int from, int to, const char *expected) {
    char ends[FAULTS_WITHOUT_TABLE + 1] = "";
    for (int what = 0; what < FAULTS_WITHOUT_TABLE; what++) {
        begin(operation, (enum fault)what, from, to);
        finish();
        ends[what] = status_letter(ended_with);
        ck_assert_int_gt(virtual_calls, from);
    }
    ck_assert_msg(strcmp(ends, expected) == 0, "from request %d to %d: %s", from, to, ends);
}

START_TEST(an_operation_tells_what_has_failed_at_each_of_its_requests) {
    const struct operation *operation = &operations[_i];
    for (int at = 0; at < operation->count; at++) {
        assert_ends(operation, at, at, ends_of[operation->requests[at]].once);
        assert_ends(operation, at, INT32_MAX, ends_of[operation->requests[at]].for_ever);
    }
}
END_TEST

/* For whoever reads it in the log. */
static const struct {
    void (*start)(void);
    const char *says;
} failures[] = {
    {start_read, "reading product P"},
    {start_find_record, "reading an idempotency record of product P"},
    {start_commit, "committing product P"},
    {start_index_expiry, "writing an expiry row of product P"},
    {start_announce_wait, "announcing a wait for the lease of product P"},
    {start_read_wait, "reading the last wait for the lease of product P"},
    {start_find_due, "finding what has expired"},
    {start_finish_due, "cleaning up what has expired of product P"},
};

START_TEST(a_failure_says_what_was_being_done) {
    const struct operation operation = {.start = failures[_i].start, .scene = ONE_PAGE};
    begin(&operation, FORBIDDEN, 0, INT32_MAX);
    finish();
    ck_assert_msg(strstr(failure.message, failures[_i].says) != NULL, "%s", failure.message);
}
END_TEST

static void start_commit_of_unread(void) {
    state.product.version = 7;
    store.base.ops->commit(&store.base, &state, VIRTUAL_START_MS + COMMIT_MS, note_end, &store);
}

static void start_read_for_long_name(void) {
    static char name[16384];
    static const struct inventory_query for_name = {.customer_id = name,
                                                    .until_ms = VIRTUAL_WALL_MS};
    memset(name, 'x', sizeof name - 1);
    store.base.ops->read(&store.base, "P", &for_name, &state, note_end, &store);
}

START_TEST(what_fails_before_its_first_request_does_not_end_inside_its_start) {
    static const struct operation early[] = {{.start = start_commit_of_unread},
                                             {.start = start_read_for_long_name}};
    static const enum status expected[] = {STATUS_PRECONDITION_FAILED, STATUS_TOO_LARGE};
    begin(&early[_i], LOST, INT32_MAX, INT32_MAX);
    ck_assert_int_eq(ended, 0);
    finish();
    ck_assert_int_eq(ended_with, expected[_i]);
    ck_assert_int_eq(virtual_calls, 0);
}
END_TEST

/* Lets the operation take so many steps. Returns whether it has not ended by then. */
static bool is_under_way(int steps) {
    while (steps-- > 0 && ended == 0) {
        ck_assert(virtual_step());
    }
    return ended == 0;
}

static void close_client(bool is_under_way_still) {
    (void)is_under_way_still;
    storage_client_cleanup(&virtual_client);
    assert_ended();
    free(due.ids);
    virtual_drop_calls();
    product_state_cleanup(&state);
    inventory_store_table_cleanup(&store);
}

/* A commit that may have been sent is unknown. A read that has all but the right time is read. */
static bool is_end_of_stopped(enum status status) {
    return status == STATUS_CANCELLED ||
           (status == STATUS_UNAVAILABLE && running->start == start_commit) ||
           (status == STATUS_OK && running->scene == STRANGE_DATE);
}

static void stop_program(bool is_under_way_still) {
    int64_t stopped_ms = virtual_loop.now_ms;
    storage_client_cancel(&virtual_client);
    finish();
    ck_assert(!is_under_way_still || virtual_loop.now_ms == stopped_ms);
    ck_assert(!is_under_way_still || is_end_of_stopped(ended_with));
}

/*
 * After each number of steps that the operation takes with these requests failing so. A search goes
 * on for minutes, and its later steps are all alike.
 */
static void end_everywhere(const struct operation *operation, enum fault what, int from, int to,
                           void (*end)(bool is_under_way_still)) {
    enum { MOST_STEPS = 45 };
    bool more = true;
    for (int steps = 0; more && steps < MOST_STEPS; steps++) {
        begin(operation, what, from, to);
        more = is_under_way(steps);
        end(more);
    }
}

static void end_in_all_ways(const struct operation *operation,
                            void (*end)(bool is_under_way_still)) {
    for (int what = 0; what < FAULTS_WITHOUT_TABLE; what++) {
        for (int from = 0; from < operation->count; from++) {
            end_everywhere(operation, (enum fault)what, from, from, end);
            end_everywhere(operation, (enum fault)what, from, INT32_MAX, end);
        }
    }
}

START_TEST(an_operation_ends_with_its_client_wherever_it_stands) {
    end_in_all_ways(&operations[_i], close_client);
}
END_TEST

START_TEST(an_operation_ends_when_the_program_stops_wherever_it_stands) {
    end_in_all_ways(&operations[_i], stop_program);
}
END_TEST

/* ---- no memory for the operation itself ---- */

/* With half of its filter a query would find, and a purge delete, what it must not. */
START_TEST(an_operation_that_cannot_write_its_query_asks_for_nothing) {
    static const struct operation asking[] = {
        {.start = start_find_due, .assert_done = assert_found_due},
        {.start = start_finish_due, .assert_done = assert_purged},
        {.start = start_read, .assert_done = assert_read}};
    int failed = 0;
    do {
        text_without_memory = failed;
        begin(&asking[_i], LOST, INT32_MAX, INT32_MAX);
        bool was_reached = text_without_memory < 0;
        text_without_memory = INT32_MAX;
        finish();
        ck_assert_int_eq(ended_with, was_reached ? STATUS_NO_MEMORY : STATUS_OK);
        ck_assert(!was_reached || virtual_calls == 0);
        failed++;
    } while (ended_with != STATUS_OK);
    ck_assert_int_gt(failed, 2);
}
END_TEST

START_TEST(a_search_or_a_purge_that_finds_no_memory_says_so) {
    static const struct operation listing[] = {
        {.start = start_find_due, .assert_done = assert_found_due},
        {.start = start_finish_due, .assert_done = assert_purged}};
    int failed = 0;
    do {
        list_without_memory = failed;
        begin(&listing[_i], LOST, INT32_MAX, INT32_MAX);
        finish();
        ck_assert_int_eq(ended_with, list_without_memory < 0 ? STATUS_NO_MEMORY : STATUS_OK);
        failed++;
    } while (ended_with != STATUS_OK);
    list_without_memory = INT32_MAX;
    ck_assert_int_eq(failed,
                     3); /* two lists each: what was found, and what is made of it or goes */
}
END_TEST

static int refusals_left;

/* Each refusal is followed by one more, as long as there are some left. */
static void note_refusal(void *context, enum status status, const struct error *err) {
    note_end(context, status, err);
    ck_assert_int_eq(status, STATUS_NO_MEMORY);
    if (refusals_left-- > 0) {
        is_starting = true;
        store.base.ops->announce_wait(&store.base, "P", note_refusal, &store);
        is_starting = false;
    }
}

START_TEST(an_operation_without_memory_ends_in_the_next_round) {
    memory_is_short = true;
    begin(&operations[_i], LOST, INT32_MAX, INT32_MAX);
    memory_is_short = false;
    ck_assert_int_eq(ended, 0);
    finish();
    ck_assert_int_eq(ended_with, STATUS_NO_MEMORY);
    ck_assert_int_eq(virtual_calls, 0);
}
END_TEST

START_TEST(who_finds_no_memory_again_and_again_is_told_each_time) {
    ended = 0;
    refusals_left = 3;
    memory_is_short = true;
    virtual_begin();
    inventory_store_table_init(&store, &virtual_client, "inventory");
    for (int i = 0; i < 2; i++) {
        is_starting = true;
        store.base.ops->announce_wait(&store.base, "P", note_refusal, &store);
        is_starting = false;
    }
    while (virtual_step()) {
    }
    ck_assert_int_eq(ended, 5);
    memory_is_short = false;
    inventory_store_table_cleanup(&store);
    virtual_end();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("store_failures");
    TCase *tcase = tcase_create("virtual");
    tcase_set_timeout(tcase, 100);
    tcase_add_loop_test(tcase, an_operation_that_nothing_disturbs_costs_what_it_must, 0,
                        OPERATIONS);
    tcase_add_loop_test(tcase, an_operation_tells_what_has_failed_at_each_of_its_requests, 0,
                        OPERATIONS);
    tcase_add_loop_test(tcase, a_failure_says_what_was_being_done, 0,
                        sizeof failures / sizeof failures[0]);
    tcase_add_loop_test(tcase, what_fails_before_its_first_request_does_not_end_inside_its_start, 0,
                        2);
    tcase_add_loop_test(tcase, an_operation_ends_with_its_client_wherever_it_stands, 0, OPERATIONS);
    tcase_add_loop_test(tcase, an_operation_ends_when_the_program_stops_wherever_it_stands, 0,
                        OPERATIONS);
    tcase_add_loop_test(tcase, an_operation_without_memory_ends_in_the_next_round, 0, OPERATIONS);
    tcase_add_loop_test(tcase, an_operation_that_cannot_write_its_query_asks_for_nothing, 0, 3);
    tcase_add_loop_test(tcase, a_search_or_a_purge_that_finds_no_memory_says_so, 0, 2);
    tcase_add_test(tcase, who_finds_no_memory_again_and_again_is_told_each_time);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
