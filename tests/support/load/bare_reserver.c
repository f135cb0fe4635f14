#include "support/load/bare_reserver.h"

#include <check.h>
#include <string.h>

#include "inventory/inventory.h"
#include "inventory/product_entity.h"
#include "storage/table_client.h"
#include "support/calls/table_calls.h"

enum { DEADLINE_MS = 30000, UNITS = 1000000000, LIFETIME_MS = 30 * 60 * 1000 };

static int64_t deadline_ms(const struct bare_reserver *reserver) {
    return clock_now_ms(reserver->client->platform->clock) + DEADLINE_MS;
}

/* As many as the row of a busy product names. */
static void fill_commit_ids(struct product *product) {
    for (int i = 0; i < INVENTORY_COMMIT_IDS; i++) {
        char *id = product->commit_ids + (size_t)i * UUID_TEXT_BYTES;
        ck_assert_int_eq(uuid_v4(random_system(), id), STATUS_OK);
        id[UUID_TEXT_BYTES - 1] = i + 1 < INVENTORY_COMMIT_IDS ? ',' : '\0';
    }
}

static void create_product(struct bare_reserver *reserver) {
    struct error err = {0};
    struct strbuf text;
    strbuf_init(&text, SIZE_MAX);
    product_entity_write_product(&reserver->state.product, &text);
    enum status status =
        table_insert(reserver->client, reserver->table, text.data, deadline_ms(reserver), &err);
    strbuf_cleanup(&text);
    cJSON *entity = NULL;
    ck_assert_msg(status == STATUS_OK, "%s", err.message);
    status = table_get(reserver->client, reserver->table, reserver->state.product.id, PRODUCT_ROW,
                       deadline_ms(reserver), &entity, &err);
    ck_assert_msg(status == STATUS_OK, "%s", err.message);
    ck_assert(product_entity_read_product(entity, &reserver->state.product, reserver->state.etag));
    cJSON_Delete(entity);
}

void bare_reserver_open(struct bare_reserver *reserver, struct storage_client *client,
                        const char *table, const char *product_id) {
    *reserver = (struct bare_reserver){.client = client, .table = table};
    product_state_init(&reserver->state);
    struct product *product = &reserver->state.product;
    *product =
        (struct product){.total = UNITS, .available = UNITS, .version = 1, .due_ms = INT64_MAX};
    ck_assert_uint_lt(strlen(product_id), sizeof product->id);
    strcpy(product->id, product_id);
    fill_commit_ids(product);
    struct error err = {0};
    enum status status = table_create(client, table, deadline_ms(reserver), &err);
    ck_assert_msg(status == STATUS_OK || status == STATUS_ALREADY_EXISTS, "%s", err.message);
    create_product(reserver);
}

void bare_reserver_close(struct bare_reserver *reserver) {
    product_state_cleanup(&reserver->state);
}

static void add_reservations(struct product_state *state, int64_t now_ms, int rows) {
    for (int i = 0; i < rows; i++) {
        bool reserved = false;
        const struct reservation *row = NULL;
        ck_assert_int_eq(inventory_reserve(state, "CUST-1", 1, now_ms, LIFETIME_MS, random_system(),
                                           &reserved, &row),
                         STATUS_OK);
        ck_assert(reserved);
    }
}

static void send_transaction(struct bare_reserver *reserver) {
    struct table_operation operations[TABLE_TRANSACTION_MAX_OPERATIONS] = {{.kind = TABLE_MERGE}};
    char row_keys[TABLE_TRANSACTION_MAX_OPERATIONS][PRODUCT_ENTITY_KEY_BYTES] = {PRODUCT_ROW};
    struct strbuf entities[TABLE_TRANSACTION_MAX_OPERATIONS];
    struct product_state *state = &reserver->state;
    size_t count = state->changed_count + 1;
    strbuf_init(&entities[0], SIZE_MAX);
    product_entity_write_product(&state->product, &entities[0]);
    for (size_t i = 1; i < count; i++) {
        product_entity_reservation_key(state->changed[i - 1], row_keys[i]);
        strbuf_init(&entities[i], SIZE_MAX);
        product_entity_write_reservation(state->product.id, state->changed[i - 1], &entities[i]);
        operations[i].kind = TABLE_INSERT;
    }
    for (size_t i = 0; i < count; i++) {
        operations[i].partition_key = state->product.id;
        operations[i].row_key = row_keys[i];
        operations[i].entity = entities[i].data;
    }
    operations[0].if_match = state->etag;
    char etag[TABLE_ETAG_BYTES];
    struct error err = {0};
    enum status status = table_transaction(reserver->client, reserver->table, operations, count,
                                           deadline_ms(reserver), etag, &err);
    ck_assert_msg(status == STATUS_OK, "%s", err.message);
    strcpy(state->etag, etag);
    for (size_t i = 0; i < count; i++) {
        strbuf_cleanup(&entities[i]);
    }
}

void bare_reserver_commit(struct bare_reserver *reserver, int rows) {
    struct product_state *state = &reserver->state;
    int64_t now_ms = storage_clock_ms(&reserver->client->clocks[STORAGE_TABLE]);
    add_reservations(state, now_ms, rows);
    state->product.version++;
    state->product.due_ms = now_ms + LIFETIME_MS;
    ck_assert_int_eq(uuid_v4(random_system(), state->product.commit_ids), STATUS_OK);
    state->product.commit_ids[UUID_TEXT_BYTES - 1] = ',';
    send_transaction(reserver);
    product_state_committed(state);
    product_state_trim(state, 0); /* nothing comes back to them */
}
