/*
 * The table service's answers to queries and point reads, by way of the real store, client and
 * requests: what is accepted can be worked with and written back; what is refused leaves nothing
 * behind.
 */
#include <stdlib.h>
#include <string.h>

#include "base/http_message.h"
#include "base/json.h"
#include "base/log.h"
#include "base/utf8.h"
#include "fuzz/input.h"
#include "fuzz/stub_transport.h"
#include "identity/credential.h"
#include "identity/storage_account.h"
#include "inventory/inventory_store_table.h"
#include "inventory/product_entity.h"
#include "support/calls/store_wait.h"
#include "support/checks/inventory_adds_up.h"

enum { READ_ALL, READ_CUSTOMER, FIND_RECORD, FIND_DUE, WRITE_ENTITY, QUESTIONS, MOST_PAGES = 4 };

#define NOW_MS INT64_C(1737297930000) /* 2025-01-19T14:45:30Z */
#define KEY_HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define BETWEEN_PAGES "\n---\n"

static int64_t now_ms(const struct clock *clock) {
    (void)clock;
    return 1000;
}

static int64_t wall_ms(const struct clock *clock) {
    (void)clock;
    return NOW_MS;
}

static enum status authorize(struct credential *credential, struct credential_request *request,
                             struct error *err) {
    (void)credential;
    (void)request;
    (void)err;
    return STATUS_OK;
}

static const struct clock still_clock = {now_ms, wall_ms};
static const struct storage_account account = {.table_endpoint =
                                                   "https://acme.table.core.windows.net"};
static struct credential credential = {authorize, NULL};
static struct platform platform;
static struct storage_client client;
static struct inventory_store_table store;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    log_configure(LOG_NONE, "fuzz");
    return 0;
}

static void begin(void) {
    platform = (struct platform){
        .clock = &still_clock, .http = stub_transport_client(), .random = random_system()};
    storage_client_init(&client, &platform, &account, &credential);
    inventory_store_table_init(&store, &client, "inventory");
    stub_transport_begin();
}

static void end(void) {
    inventory_store_table_cleanup(&store);
    storage_client_cleanup(&client);
}

/* Lays out the pages of `text`; all but the last say that there is more. */
static void lay_out(char *text, const struct http_headers *more, const struct http_headers *last) {
    for (int pages = 0; text != NULL && pages < MOST_PAGES; pages++) {
        char *next = strstr(text, BETWEEN_PAGES);
        if (next != NULL) {
            *next = '\0';
            next += strlen(BETWEEN_PAGES);
        }
        stub_transport_reply(200, next != NULL ? more : last, text, strlen(text));
        text = next;
    }
}

/* What was written, read as JSON; `text` is released. */
static cJSON *parse(struct strbuf *text) {
    cJSON *entity = NULL;
    REQUIRE(json_parse(text->data, text->length, &entity, NULL) == STATUS_OK);
    strbuf_cleanup(text);
    return entity;
}

static void check_row(const char *product_id, const struct reservation *row) {
    char key[PRODUCT_ENTITY_KEY_BYTES];
    REQUIRE(uuid_is_valid(row->id) && row->quantity > 0);
    struct strbuf text;
    strbuf_init(&text, SIZE_MAX);
    product_entity_write_reservation(product_id, row, &text);
    cJSON *entity = parse(&text);
    struct reservation again = {0};
    const char *customer_id = NULL;
    product_entity_reservation_key(row, key);
    REQUIRE(product_entity_read_reservation(entity, key, &again, &customer_id));
    REQUIRE(strcmp(customer_id, row->customer_id) == 0 && again.quantity == row->quantity);
    REQUIRE(again.reserved_ms == row->reserved_ms && again.expires_ms == row->expires_ms);
    cJSON_Delete(entity);
}

/* The operations on it, and the commit, which gets no answer. */
static void check_use(struct product_state *state) {
    const struct reservation *row = NULL;
    bool reserved = false;
    int64_t before = inventory_available(state, NOW_MS);
    int64_t units = before + inventory_reserved(state, NOW_MS);
    bool added_up = inventory_adds_up(state);
    inventory_expire(state, NOW_MS, 0, INVENTORY_MAX_CHANGES);
    REQUIRE(inventory_available(state, NOW_MS) == before);
    REQUIRE(inventory_reserve(state, "CUST-1", 5, NOW_MS, 1000, random_system(), &reserved, &row) ==
            STATUS_OK);
    inventory_release(state, "CUST-2", NULL, 3, NOW_MS, 0);
    REQUIRE(inventory_available(state, NOW_MS) + inventory_reserved(state, NOW_MS) == units);
    REQUIRE(inventory_adds_up(state) == added_up);
    if (state->change_count > 0) {
        REQUIRE(inventory_store_commit_and_wait(&store.base, state, 5000, NULL) != STATUS_OK);
    }
}

static void check_read(bool all) {
    const struct inventory_query query = {
        .all = all, .customer_id = all ? NULL : "CUST-2", .until_ms = NOW_MS};
    struct product_state state;
    struct error err = {0};
    product_state_init(&state);
    if (inventory_store_read_and_wait(&store.base, "PROD-001", &query, &state, &err) == STATUS_OK) {
        REQUIRE(state.etag[0] != '\0' && inventory_is_stored_product_id(state.product.id));
        for (size_t i = 0; i < state.reservations.count; i++) {
            check_row(state.product.id, state.reservations.rows[i]);
        }
        check_use(&state);
    } else {
        REQUIRE(err.message[0] != '\0' && state.reservations.count == 0);
    }
    product_state_cleanup(&state);
}

static void check_record(void) {
    struct idempotency_record record, before, again;
    memset(&record, 0x5a, sizeof record);
    before = record;
    if (inventory_store_find_record_and_wait(&store.base, "PROD-001", KEY_HASH, &record, NULL) !=
        STATUS_OK) {
        REQUIRE(memcmp(&record, &before, sizeof before) == 0);
        return;
    }
    REQUIRE(strcmp(record.key_hash, KEY_HASH) == 0);
    struct strbuf text;
    strbuf_init(&text, SIZE_MAX);
    product_entity_write_record("PROD-001", &record, &text);
    cJSON *entity = parse(&text);
    REQUIRE(product_entity_read_record(entity, KEY_HASH, &again));
    REQUIRE(strcmp(again.request_hash, record.request_hash) == 0 &&
            again.available == record.available);
    REQUIRE(strcmp(again.reservation_id, record.reservation_id) == 0 &&
            again.keep_until_ms == record.keep_until_ms);
    cJSON_Delete(entity);
}

static void check_expired(void) {
    struct product_ids expired = {.ids = NULL};
    if (inventory_store_find_expired_and_wait(&store.base, NOW_MS, &expired, NULL) != STATUS_OK) {
        REQUIRE(expired.ids == NULL);
        return;
    }
    for (size_t i = 0; i < expired.count; i++) {
        int deleted = 0;
        REQUIRE(inventory_is_stored_product_id(expired.ids[i]));
        (void)!inventory_store_clean_up_expired_and_wait(&store.base, expired.ids[i], NOW_MS,
                                                         &deleted, NULL);
        REQUIRE(deleted == 0); /* no answer says that a row is gone */
    }
    free(expired.ids);
}

/* A string is written on one line, by the rules of JSON and of JavaScript, and reads the same. */
static void check_string(const char *text) {
    if (!utf8_is_valid(text, strlen(text))) {
        return;
    }
    struct strbuf line;
    cJSON *again = NULL;
    strbuf_init(&line, SIZE_MAX);
    json_append_string(&line, text);
    REQUIRE(strpbrk(line.data, "\r\n") == NULL && strstr(line.data, "\xe2\x80\xa8") == NULL);
    REQUIRE(strstr(line.data, "\xe2\x80\xa9") == NULL);
    REQUIRE(json_parse(line.data, line.length, &again, NULL) == STATUS_OK);
    REQUIRE(cJSON_IsString(again) && strcmp(again->valuestring, text) == 0);
    strbuf_cleanup(&line);
    cJSON_Delete(again);
}

static void ask(unsigned question, const char *text) {
    switch (question) {
    case READ_ALL:
    case READ_CUSTOMER:
        check_read(question == READ_ALL);
        break;
    case FIND_RECORD:
        check_record();
        break;
    case FIND_DUE:
        check_expired();
        break;
    default:
        check_string(text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = input_of(data, size);
    unsigned question = input_take_choice(&input, QUESTIONS);
    char *continuation = input_take_line(&input), *date = input_take_line(&input),
         *text = input_take_text(&input);
    struct http_headers more, last;
    http_headers_init(&more);
    http_headers_init(&last);
    http_headers_add(&more, "x-ms-continuation-NextRowKey", continuation);
    http_headers_add(&more, "Date", date);
    begin();
    char *pages = strdup(text);
    REQUIRE(pages != NULL);
    lay_out(pages, &more, &last);
    ask(question, text);
    end();
    http_headers_cleanup(&more);
    http_headers_cleanup(&last);
    free(pages);
    free(text);
    free(date);
    free(continuation);
    return 0;
}
