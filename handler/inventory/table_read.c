#include "inventory/table_read.h"

#include <string.h>

#include "base/json.h"
#include "inventory/product_entity.h"
#include "inventory/store_operation.h"
#include "storage/table_client.h"

enum {
    FILTER_MAX_BYTES = 8192,
    SNAPSHOT_TRIES = 3,
    SNAPSHOT_MS = 10000, /* after this time no further try begins */
    SPARE_ROWS = 50,     /* in a page, for the product and its expired reservations */
    VISITED_ROWS = 500,  /* in a page for a visitor: at most 1.5 MB while it is read */
};
#define LAST_UUID_TIME_MS ((INT64_C(1) << 48) - 1)

/* ---- the query's filter ---- */

/*
 * Writes the first key that a reservation can have whose first expiry is after `until_ms`. Ids
 * begin with the first expiry. So all reservations that expire until then have keys before it, and
 * so have those that were extended since.
 */
static void append_first_unexpired_key(struct strbuf *key, int64_t until_ms) {
    char prefix[UUID_TIME_PREFIX_BYTES];
    uuid_time_prefix(until_ms < LAST_UUID_TIME_MS ? until_ms + 1 : LAST_UUID_TIME_MS, prefix);
    strbuf_appendf(key, RESERVATION_ROW_PREFIX "%s", prefix);
}

/*
 * Selects rows of the range: the product's, the expired ones, the customer's, and the one named. A
 * customer's reservation that was extended may stand anywhere in the range.
 */
static void append_choice(struct strbuf *filter, const char *first_unexpired_key,
                          const struct inventory_query *query) {
    if (query->later_only) {
        strbuf_append_string(filter, " and (RowKey eq '" PRODUCT_ROW "'");
    } else {
        strbuf_append_string(filter, " and (RowKey lt ");
        table_append_literal(filter, first_unexpired_key);
    }
    if (query->customer_id != NULL) {
        strbuf_append_string(filter, " or customerId eq ");
        table_append_literal(filter, query->customer_id);
    }
    if (query->reservation_id != NULL) {
        strbuf_appendf(filter, " or RowKey eq '" RESERVATION_ROW_PREFIX "%s'",
                       query->reservation_id);
    }
    strbuf_append_char(filter, ')');
}

/*
 * The filter selects a range of keys, and where needed a choice of its rows:
 *
 *     query                              range up to                     choice
 *     all                                the end of the reservations     none
 *     nothing but until_ms               the first unexpired key         none
 *     a customer, a reservation, or      the end of the reservations     append_choice
 *     later_only
 */
static void append_read_filter(struct strbuf *filter, const char *product_id,
                               const struct inventory_query *query) {
    struct strbuf unexpired;
    strbuf_init(&unexpired, PRODUCT_ENTITY_KEY_BYTES);
    append_first_unexpired_key(&unexpired, query->until_ms);
    bool has_choice = !query->all && (query->customer_id != NULL || query->reservation_id != NULL ||
                                      query->later_only);

    strbuf_append_string(filter, "PartitionKey eq ");
    table_append_literal(filter, product_id);
    strbuf_append_string(filter, " and RowKey ge '" PRODUCT_ROW "' and RowKey lt ");
    table_append_literal(filter,
                         query->all || has_choice ? AFTER_RESERVATION_ROWS : unexpired.data);
    if (has_choice) {
        append_choice(filter, unexpired.data, query);
    }
    if (strbuf_status(&unexpired) != STATUS_OK) {
        filter->status = strbuf_status(&unexpired);
    }
    strbuf_cleanup(&unexpired);
}

/* ---- a read under way ---- */

struct table_read {
    struct store_operation base;
    struct inventory_store_table *store;
    const char *product_id;
    struct inventory_query query;
    struct product_state *out;
    struct strbuf filter;
    struct table_call call;
    int64_t last_try_ms; /* no further try begins later */
    int tries;
    /* Of this try. */
    int pages;
    int customer_rows; /* that expire after until_ms, and were not extended */
    bool has_enough;   /* nothing more is needed of this query */
    bool has_rows;     /* of reservations */
    /* For a visitor: the time was in doubt, so this try is void; it has been confirmed since. */
    bool awaits_time;
    bool is_time_confirmed;
    cJSON *product_row; /* read after the pages */
};

static struct storage_client *client_of(const struct table_read *read) {
    return read->store->client;
}

/* Without the product's row, which comes first, the read fails at its end. */
static enum status visit_reservation(struct table_read *read, const struct reservation *row,
                                     const char *customer_id, struct error *err) {
    struct reservation_visitor *visitor = read->query.visitor;
    if (read->out->etag[0] == '\0') {
        return STATUS_OK;
    }
    visitor->units += row->quantity;
    return visitor->visit(visitor, row, customer_id, err);
}

/* The customer's rows that have expired come along, since their keys do not tell them apart. */
static bool is_asked_for(const struct inventory_query *query, const struct reservation *row) {
    return !query->later_only || row->expires_ms > query->until_ms ||
           (query->reservation_id != NULL && strcmp(row->id, query->reservation_id) == 0);
}

/*
 * Rows come in the order of their keys. So once there are enough rows that were not extended, all
 * that expire before the last of them have been read.
 */
static enum status add_reservation(struct table_read *read, const cJSON *entity,
                                   const char *row_key, struct error *err) {
    struct reservation row = {0};
    const char *customer_id = NULL;
    if (!product_entity_read_reservation(entity, row_key, &row, &customer_id)) {
        return product_entity_unreadable(entity, err);
    }
    read->has_rows = true;
    if (!is_asked_for(&read->query, &row)) {
        return STATUS_OK;
    }
    read->customer_rows +=
        row.expires_ms > read->query.until_ms && !reservation_list_is_extended(&row);
    read->has_enough = read->query.limit > 0 && read->customer_rows >= read->query.limit;
    if (read->query.visitor != NULL) {
        return visit_reservation(read, &row, customer_id, err);
    }
    enum status status = product_state_add(read->out, &row, customer_id);
    return status == STATUS_OK ? STATUS_OK : error_set(err, status, "no memory for a reservation");
}

/*
 * The visitor is told the time before it gets the rows, so that time must not be in doubt. One
 * request removes the doubt.
 */
static void begin_visits(struct table_read *read) {
    struct reservation_visitor *visitor = read->query.visitor;
    if (!read->is_time_confirmed &&
        storage_clock_is_in_doubt(&client_of(read)->clocks[STORAGE_TABLE])) {
        read->awaits_time = true;
        read->has_enough = true;
        return;
    }
    visitor->units = 0;
    visitor->begin(visitor,
                   inventory_query_moment_ms(
                       &read->query, storage_clock_ms(&client_of(read)->clocks[STORAGE_TABLE])));
}

static enum status add_product(struct table_read *read, const cJSON *entity, struct error *err) {
    if (!product_entity_read_product(entity, &read->out->product, read->out->etag)) {
        return product_entity_unreadable(entity, err);
    }
    if (read->query.visitor != NULL) {
        begin_visits(read);
    }
    return STATUS_OK;
}

static enum status on_row(void *context, const cJSON *entity, struct error *err) {
    struct table_read *read = context;
    const char *row_key = json_string(entity, "RowKey");
    if (row_key == NULL) {
        return product_entity_unreadable(entity, err);
    }
    if (read->awaits_time) {
        return STATUS_OK;
    }
    if (strcmp(row_key, PRODUCT_ROW) == 0) {
        return add_product(read, entity, err);
    }
    if (strncmp(row_key, RESERVATION_ROW_PREFIX, strlen(RESERVATION_ROW_PREFIX)) != 0) {
        return STATUS_OK; /* a newer release's, of a kind that is unknown here */
    }
    return add_reservation(read, entity, row_key, err);
}

static enum status check_product_row(const struct table_read *read, struct error *err) {
    if (read->out->etag[0] != '\0') {
        return STATUS_OK;
    }
    if (!read->has_rows) {
        return error_set(err, STATUS_NOT_FOUND, "there is no such product");
    }
    return error_set(err, STATUS_MALFORMED,
                     "its row `" PRODUCT_ROW
                     "` is missing from the table, but its reservations are there: restore that "
                     "row, or delete all rows of its partition");
}

static void end_read(struct table_read *read, enum status status, const struct error *err) {
    struct error failure = *err;
    strbuf_cleanup(&read->filter);
    if (status == STATUS_OK) {
        const struct inventory_query *asked = &read->query;
        read->out->complete_until_ms =
            asked->all ? INT64_MAX : (asked->later_only ? 0 : asked->until_ms);
    } else {
        product_state_cleanup(read->out);
        error_wrap(&failure, "reading product %s", read->product_id);
    }
    store_operation_end(&read->base, status, &failure);
}

static void get_product_row(struct table_read *read, table_done done) {
    table_get_start(&read->call, client_of(read), read->store->table, read->product_id, PRODUCT_ROW,
                    storage_client_deadline_ms(client_of(read)), &read->product_row, done, read);
}

/* ---- CONFIRMING_TIME ---- */

static void read_pages(struct table_read *read);

static void on_time_confirmed(void *context, enum status status, const struct error *err) {
    struct table_read *read = context;
    const struct error none = {.status = STATUS_OK};
    (void)err;
    if (status == STATUS_OK) {
        cJSON_Delete(read->product_row);
    }
    if (read->awaits_time) {
        read->is_time_confirmed = true;
        read_pages(read);
    } else {
        end_read(read, STATUS_OK, &none);
    }
}

/*
 * The meaning of a product's rows depends on the time. If storage's time is in doubt, one more
 * answer removes the doubt.
 */
static void confirm_time(struct table_read *read) {
    const struct error none = {.status = STATUS_OK};
    bool is_needed =
        read->awaits_time || (read->query.visitor == NULL &&
                              storage_clock_is_in_doubt(&client_of(read)->clocks[STORAGE_TABLE]));
    if (is_needed) {
        get_product_row(read, on_time_confirmed);
        return;
    }
    end_read(read, STATUS_OK, &none);
}

/* ---- CHECKING_ETAG ---- */

/* Compares the ETag that the product's row had after the last page. */
static void check_etag(struct table_read *read, const char *etag) {
    if (strcmp(etag, read->out->etag) == 0) {
        confirm_time(read);
    } else if (read->tries < SNAPSHOT_TRIES &&
               clock_now_ms(client_of(read)->platform->clock) < read->last_try_ms) {
        read_pages(read);
    } else {
        struct error err;
        error_set(&err, STATUS_PRECONDITION_FAILED,
                  "it changed too often while its many rows were read");
        end_read(read, STATUS_PRECONDITION_FAILED, &err);
    }
}

static void on_checked(void *context, enum status status, const struct error *err) {
    struct table_read *read = context;
    struct error failure = *err;
    struct product product;
    char etag[INVENTORY_ETAG_BYTES];
    if (status == STATUS_OK) {
        if (!product_entity_read_product(read->product_row, &product, etag)) {
            status = product_entity_unreadable(read->product_row, &failure);
        }
        cJSON_Delete(read->product_row);
    }
    if (status == STATUS_OK) {
        check_etag(read, etag);
    } else {
        end_read(read, status, &failure);
    }
}

/* ---- READING_PAGES ---- */

static void on_pages(void *context, enum status status, const struct error *err) {
    struct table_read *read = context;
    struct error failure = *err;
    if (status == STATUS_OK) {
        status = check_product_row(read, &failure);
    }
    if (status != STATUS_OK) {
        end_read(read, status, &failure);
    } else if (read->pages > 1 && !read->awaits_time) {
        get_product_row(read, on_checked);
    } else {
        confirm_time(read);
    }
}

static void read_pages(struct table_read *read) {
    bool has_visitor = read->query.visitor != NULL;
    product_state_cleanup(read->out);
    read->tries += !read->awaits_time; /* the void try does not count */
    read->customer_rows = 0;
    read->has_enough = read->has_rows = read->awaits_time = false;
    const struct table_query query = {.table = read->store->table,
                                      .filter = read->filter.data,
                                      .page_rows = read->query.limit > 0
                                                       ? read->query.limit + SPARE_ROWS
                                                   : has_visitor ? VISITED_ROWS
                                                                 : 0,
                                      .visit = on_row,
                                      .context = read,
                                      .is_enough = &read->has_enough,
                                      .out_pages = &read->pages};
    table_query_start(&read->call, client_of(read), &query,
                      storage_client_deadline_ms(client_of(read)), on_pages, read);
}

static void end_without_query(struct store_operation *operation) {
    struct error err;
    struct table_read *read = (struct table_read *)operation;
    error_set(&err, strbuf_status(&read->filter), "the query could not be written");
    end_read(read, err.status, &err);
}

void table_read(struct inventory_store *base, const char *product_id,
                const struct inventory_query *query, struct product_state *out,
                inventory_store_done done, void *context) {
    struct table_read *read = store_operation_new(base, sizeof *read, done, context);
    if (read == NULL) {
        product_state_cleanup(out);
        return;
    }
    read->store = (struct inventory_store_table *)base;
    read->product_id = product_id;
    read->query = *query;
    read->out = out;
    read->last_try_ms = clock_now_ms(client_of(read)->platform->clock) + SNAPSHOT_MS;
    strbuf_init(&read->filter, FILTER_MAX_BYTES);
    append_read_filter(&read->filter, product_id, query);
    if (strbuf_status(&read->filter) == STATUS_OK) {
        read_pages(read);
    } else {
        store_operation_post(&read->base, base->platform->loop, end_without_query);
    }
}
