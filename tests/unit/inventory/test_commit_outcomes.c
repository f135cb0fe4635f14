/*
 * What a commit says of itself is true, whatever the network and others do. Every sequence of
 * things that can happen to its first requests is tried, against a table that carries out what
 * reaches it. In virtual time.
 */
#include "inventory/product_transaction.h"

#include <stdio.h>

#include "inventory/inventory_store_table.h"
#include "support/fakes/virtual_storage.h"
#include "support/processes/check_main.h"

enum { COMMIT_MS = 5000, FAULTED = 4 };
#define RIVALS_ID "00000000-0000-4000-8000-000000000009"

/* What happens to a request. */
enum event {
    ANSWERED,
    LOST,      /* before it came to storage */
    UNHEARD,   /* carried out, but the answer was lost */
    UNREAD,    /* carried out, but the answer could not be read: no memory, or too large */
    UNSENT,    /* there was no memory to send it */
    LATE,      /* it has no answer, and is carried out after three more requests, or at the end */
    KEPT,      /* the same, but something on the way says that the ETag has changed */
    TWICE,     /* delivered twice, and the second answer comes back */
    GATEWAY,   /* something on the way answers in storage's place */
    FORBIDDEN, /* storage refuses it without looking */
    GARBLED,   /* carried out, but the answer cannot be read */
    RIVAL,     /* somebody else has committed just before it */
    EVENTS
};

/* The product's row, as a table would have it. */
static struct {
    int etag;
    int version;
    char commit_ids[INVENTORY_COMMIT_IDS_BYTES];
    int applied; /* so often our commit was carried out */
    int late_in; /* requests until one that is late is carried out; 0: there is none */
} row;

static enum event events[FAULTED];
static bool has_rows_in_the_way; /* a record of the commit is there already */

static void commit_as(const char *id) {
    size_t length = strlen(id), before = strlen(row.commit_ids);
    ck_assert_uint_lt(before + length + 2, sizeof row.commit_ids);
    memmove(row.commit_ids + length + 1, row.commit_ids, before + 1);
    memcpy(row.commit_ids, id, length);
    row.commit_ids[length] = ',';
    row.version++;
    row.etag++;
}

static char our_id[UUID_TEXT_BYTES];

/* The list of ids with our id in its place. */
static void write_ids(char *out, size_t out_bytes) {
    const char *ours = strstr(row.commit_ids, "OURS");
    if (ours == NULL) {
        snprintf(out, out_bytes, "%s", row.commit_ids);
    } else {
        snprintf(out, out_bytes, "%.*s%s%s", (int)(ours - row.commit_ids), row.commit_ids, our_id,
                 ours + 4);
    }
}

/* ---- storage ---- */

static void answer_transaction(struct virtual_answer *out, int parts, int http_status,
                               const char *code) {
    size_t at = 0;
    out->http_status = 202;
    out->content_type = "multipart/mixed; boundary=b";
    for (int i = 0; i < parts; i++) {
        at += (size_t)snprintf(
            out->body + at, sizeof out->body - at,
            "--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 %d X\r\nETag: W/\"%d\"\r\n\r\n",
            http_status, row.etag);
        at += (size_t)snprintf(out->body + at, sizeof out->body - at,
                               code == NULL ? "\r\n" : "{\"odata.error\":{\"code\":\"%s\"}}\r\n",
                               code);
    }
    snprintf(out->body + at, sizeof out->body - at, "--b--\r\n");
}

/* As storage does it: the first operation that fails is the one that is told of. */
static void carry_out(struct virtual_answer *out) {
    if (row.etag != 7) {
        answer_transaction(out, 1, 412, "UpdateConditionNotSatisfied");
    } else if (has_rows_in_the_way) {
        answer_transaction(out, 1, 409, "EntityAlreadyExists");
    } else {
        row.applied++;
        commit_as("OURS");
        answer_transaction(out, 3, 204, NULL);
    }
}

static void answer_row(struct virtual_answer *out) {
    char ids[2 * INVENTORY_COMMIT_IDS_BYTES];
    write_ids(ids, sizeof ids);
    out->http_status = 200;
    snprintf(out->body, sizeof out->body,
             "{\"odata.etag\":\"W/"
             "\\\"%d\\\"\",\"PartitionKey\":\"P\",\"RowKey\":\"product\",\"total\":\"10\","
             "\"available\":\"6\",\"version\":\"%d\",\"commitIds\":\"%s\",\"indexedDue\":\"0\","
             "\"indexedKeep\":\"0\"}",
             row.etag, row.version, ids);
}

static void serve(const struct http_call *call, struct virtual_answer *out) {
    if (strcmp(call->method, "POST") == 0) {
        carry_out(out);
    } else {
        answer_row(out);
    }
}

static void note_our_id(const struct http_call *call) {
    static const char key[] = "\"commitIds\":\"";
    const char *found = strstr(call->body, key);
    ck_assert_ptr_nonnull(found);
    snprintf(our_id, sizeof our_id, "%.36s", found + strlen(key));
}

static void carry_out_late(void) {
    struct virtual_answer unheard = {.http_status = 0};
    row.late_in = 0;
    carry_out(&unheard);
}

static void be_late(bool is_commit) {
    if (is_commit && row.late_in == 0) {
        row.late_in = 4; /* with this one */
    }
}

static void answer_call(int index, const struct http_call *call, struct virtual_answer *out) {
    enum event event = index < FAULTED ? events[index] : ANSWERED;
    bool is_commit = strcmp(call->method, "POST") == 0, is_due = row.late_in == 1;
    struct virtual_answer unheard = {.http_status = 0};
    if (is_commit) {
        note_our_id(call);
    }
    switch (event) {
    case RIVAL:
        commit_as(RIVALS_ID);
        serve(call, out);
        break;
    case UNHEARD:
        serve(call, &unheard);
        out->lost = STATUS_UNAVAILABLE;
        break;
    case UNREAD:
        serve(call, &unheard);
        out->lost = index % 4 == 0 ? STATUS_TOO_LARGE : STATUS_NO_MEMORY;
        break;
    case UNSENT:
        out->refused = STATUS_NO_MEMORY;
        break;
    case GARBLED:
        serve(call, out);
        snprintf(out->body, sizeof out->body, "{\"PartitionKey\":\"P\",\"RowKey\":\"product\"}");
        break;
    case TWICE:
        serve(call, &unheard);
        serve(call, out);
        break;
    case LATE:
        be_late(is_commit);
        out->hangs = true;
        break;
    case KEPT:
        be_late(is_commit);
        answer_transaction(out, 1, 412, "UpdateConditionNotSatisfied");
        break;
    case LOST:
        out->lost = STATUS_UNAVAILABLE;
        break;
    case GATEWAY:
        *out = (struct virtual_answer){
            .http_status = 404, .is_foreign = true, .body = "<html>not storage</html>"};
        break;
    case FORBIDDEN:
        out->http_status = 403;
        snprintf(out->body, sizeof out->body,
                 "{\"odata.error\":{\"code\":\"AuthorizationFailure\"}}");
        break;
    case ANSWERED:
    case EVENTS:
        serve(call, out);
        break;
    }
    if (is_due) {
        carry_out_late();
    }
    row.late_in -= row.late_in > 0;
}

/* ---- one commit ---- */

static struct inventory_store_table store;
static struct product_state state;
static int ended;
static enum status ended_with;
static struct error ended_err;

static void note_end(void *context, enum status status, const struct error *err) {
    (void)context;
    ended++;
    ended_with = status;
    ended_err = *err;
}

static void begin(void) {
    virtual_begin();
    inventory_store_table_init(&store, &virtual_client, "inventory");
    memset(&row, 0, sizeof row);
    row.etag = row.version = 7;
    snprintf(row.commit_ids, sizeof row.commit_ids, "%s", "00000000-0000-4000-8000-000000000007");
    product_state_init(&state);
    state.product = (struct product){.id = "P", .total = 10, .available = 10, .version = 7};
    snprintf(state.etag, sizeof state.etag, "W/\"7\"");
    memcpy(state.product.commit_ids, row.commit_ids, sizeof state.product.commit_ids);
    struct idempotency_record record = {
        .key_hash = "abc", .request_hash = "x", .keep_until_ms = VIRTUAL_WALL_MS};
    ck_assert_int_eq(product_state_add_record(&state, &record), STATUS_OK);
    record.key_hash[0] = 'b';
    ck_assert_int_eq(product_state_add_record(&state, &record), STATUS_OK);
    state.product.indexed_keep_ms = VIRTUAL_WALL_MS - VIRTUAL_WALL_MS % 3600000 + 3600000;
    ended = 0;
}

static void assert_truth(void) {
    const char *what = status_name(ended_with);
    ck_assert_int_eq(ended, 1);
    ck_assert_int_le(row.applied, 1);
    ck_assert_int_le(virtual_loop.now_ms, VIRTUAL_START_MS + COMMIT_MS + STORAGE_DEADLINE_MS);
    if (row.late_in > 0) {
        carry_out_late();
    }
    if (ended_with == STATUS_OK) {
        ck_assert_int_eq(row.applied, 1);
        ck_assert_int_eq(state.product.version, 8);
        ck_assert_int_eq(state.change_count, 0);
        ck_assert_msg(state.etag[0] == '\0' || strcmp(state.etag, "W/\"8\"") == 0, "%s",
                      state.etag);
        return;
    }
    ck_assert_int_eq(state.product.version, 7);
    ck_assert_int_eq(state.change_count, 2);
    if (ended_with != STATUS_UNAVAILABLE) {
        ck_assert_msg(row.applied == 0, "%s, but it happened", what);
        ck_assert_msg(ended_with == STATUS_PRECONDITION_FAILED ||
                          ended_with == STATUS_ALREADY_EXISTS || ended_with == STATUS_UNAUTHORIZED,
                      "%s: %s", what, ended_err.message);
    }
}

/* Commits while `events` happen. Returns how many of them did. */
static int commit_under_events(void) {
    begin();
    store.base.ops->commit(&store.base, &state, VIRTUAL_START_MS + COMMIT_MS, note_end, NULL);
    ck_assert_int_eq(ended, 0);
    while (virtual_step()) {
    }
    assert_truth();
    product_state_cleanup(&state);
    inventory_store_table_cleanup(&store);
    virtual_end();
    return virtual_calls < FAULTED ? virtual_calls : FAULTED;
}

/*
 * Makes of `events` the next sequence that differs in one of the first `count`, but not in the very
 * first. Returns false if there is none. What stands behind them did not matter.
 */
static bool next_sequence(int count) {
    while (count > 1 && events[count - 1] == EVENTS - 1) {
        count--;
    }
    if (count <= 1) {
        return false;
    }
    events[count - 1]++;
    for (int i = count; i < FAULTED; i++) {
        events[i] = ANSWERED;
    }
    return true;
}

/* _i: what happens to the first request; and whether a row of the commit is there already. */
START_TEST(what_a_commit_says_of_itself_is_true) {
    int sequences = 0, happened;
    has_rows_in_the_way = _i >= EVENTS;
    memset(events, 0, sizeof events);
    events[0] = (enum event)(_i % EVENTS);
    do {
        happened = commit_under_events();
        sequences++;
    } while (next_sequence(happened));
    ck_assert(sequences > 1 || (events[0] == ANSWERED && !has_rows_in_the_way));
}
END_TEST

/* Nothing else happens but `event`, to the first request. */
static void commit_under(enum event event) {
    memset(events, 0, sizeof events);
    events[0] = event;
    (void)commit_under_events();
}

static void assert_ended(enum status expected, int calls) {
    ck_assert_msg(ended_with == expected, "%s: %s", status_name(ended_with), ended_err.message);
    ck_assert_int_eq(virtual_calls, calls);
}

/*
 * A commit that said "nobody knows" each time would say nothing untrue. So each of these is told as
 * it is.
 */
START_TEST(a_commit_says_no_less_than_can_be_known) {
    static const struct {
        enum event event;
        enum status expected;
        int calls;
    } cases[] = {
        {ANSWERED, STATUS_OK, 1},
        {LOST, STATUS_OK, 3}, /* the row shows that it has not happened yet, so it is sent again */
        {UNHEARD, STATUS_OK, 2},
        {UNREAD, STATUS_OK, 2},
        {UNSENT, STATUS_OK, 3},
        {LATE, STATUS_OK, 3}, /* the repeat comes first */
        {KEPT, STATUS_OK, 3},
        {TWICE, STATUS_OK, 2},
        {GATEWAY, STATUS_OK, 3},
        {FORBIDDEN, STATUS_UNAUTHORIZED, 2},
        {GARBLED, STATUS_OK, 2},
        {RIVAL, STATUS_PRECONDITION_FAILED, 2},
    };
    has_rows_in_the_way = false;
    commit_under(cases[_i].event);
    assert_ended(cases[_i].expected, cases[_i].calls);
}
END_TEST

/* _i: the answers to the transaction and to the probe. */
START_TEST(a_commit_is_unknown_when_the_row_cannot_be_read) {
    static const struct {
        enum event commit, probe;
        int calls;
    } cases[] = {{LOST, FORBIDDEN, 2}, {UNHEARD, FORBIDDEN, 2}, {LOST, GARBLED, 2}};
    has_rows_in_the_way = false;
    memset(events, 0, sizeof events);
    events[0] = cases[_i].commit;
    events[1] = cases[_i].probe;
    (void)commit_under_events();
    assert_ended(STATUS_UNAVAILABLE, cases[_i].calls);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("commit_outcomes");
    TCase *tcase = tcase_create("virtual");
    tcase_set_timeout(tcase, 100);
    tcase_add_loop_test(tcase, what_a_commit_says_of_itself_is_true, 0, 2 * EVENTS);
    tcase_add_loop_test(tcase, a_commit_says_no_less_than_can_be_known, 0, EVENTS);
    tcase_add_loop_test(tcase, a_commit_is_unknown_when_the_row_cannot_be_read, 0, 3);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
