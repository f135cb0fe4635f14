#include "leasectl/products.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/utc.h"
#include "functions/inventory_view.h"
#include "inventory/inventory_store_wait.h"
#include "leasectl/change.h"
#include "leasectl/reservations.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct table_column product_columns[] = {
    {"productId", "PRODUCT", false},
    {"totalQuantity", "TOTAL", true},
    {"availableQuantity", "AVAILABLE", true},
    {"reservedQuantity", "RESERVED", true},
    {"version", "VERSION", true},
};

/* ---- list ---- */

/* Returns NULL if there is no memory. */
static cJSON *new_row(const char *product_id, int64_t total, int64_t available, int64_t version) {
    cJSON *row = cJSON_CreateObject();
    bool complete = cJSON_AddStringToObject(row, "productId", product_id) != NULL &&
                    json_add_int64(row, "totalQuantity", total) &&
                    json_add_int64(row, "availableQuantity", available) &&
                    json_add_int64(row, "reservedQuantity", total - available) &&
                    json_add_int64(row, "version", version);
    if (!complete) {
        cJSON_Delete(row);
        return NULL;
    }
    return row;
}

static enum status append_row(cJSON *rows, const struct product *product, int64_t available,
                              struct error *err) {
    cJSON *row = new_row(product->id, product->total, available, product->version);
    if (!cJSON_AddItemToArray(rows, row)) {
        cJSON_Delete(row);
        return error_set(err, STATUS_NO_MEMORY, "no memory for a list of products");
    }
    return STATUS_OK;
}

/* The products as their rows in the table say. */
struct listing {
    struct product *products;
    size_t count, capacity;
};

static enum status list_product(void *context, const struct product *product, struct error *err) {
    struct listing *listing = context;
    if (listing->count == listing->capacity) {
        size_t capacity = listing->capacity == 0 ? 64 : listing->capacity * 2;
        struct product *grown = realloc(listing->products, capacity * sizeof *grown);
        if (grown == NULL) {
            return error_set(err, STATUS_NO_MEMORY, "no memory for a list of products");
        }
        listing->products = grown;
        listing->capacity = capacity;
    }
    listing->products[listing->count++] = *product;
    return STATUS_OK;
}

/*
 * Appends a product with what is available now. Its row counts expired reservations as reserved. So
 * if one may have expired, the product is read again together with the expired ones.
 */
static enum status append_product(cJSON *rows, struct inventory_store *store,
                                  const struct product *product, struct error *err) {
    int64_t now_ms = store->ops->now_ms(store);
    if (product->due_ms > now_ms) {
        return append_row(rows, product, product->available, err);
    }
    struct product_state state;
    product_state_init(&state);
    struct inventory_query query = {.until_ms = now_ms};
    enum status status = inventory_store_read_and_wait(store, product->id, &query, &state, err);
    if (status == STATUS_OK) {
        status = append_row(rows, &state.product, inventory_available(&state, now_ms), err);
    } else if (status == STATUS_MALFORMED) { /* the other products are still listed */
        log_event(LOG_ERROR, "A product is left out: %s", err->message);
        status = STATUS_OK;
    } else if (status == STATUS_NOT_FOUND) {
        status = STATUS_OK; /* it has just been deleted */
    }
    product_state_cleanup(&state);
    return status;
}

enum status products_rows(struct services *services, cJSON **out, struct error *err) {
    struct listing listing = {0};
    cJSON *rows = cJSON_CreateArray();
    enum status status =
        inventory_store_list_and_wait(&services->table_store, list_product, &listing, err);
    for (size_t i = 0; i < listing.count && status == STATUS_OK; i++) {
        status = append_product(rows, &services->table_store.base, &listing.products[i], err);
    }
    free(listing.products);
    if (status == STATUS_OK) {
        *out = rows;
    } else {
        cJSON_Delete(rows);
    }
    return status;
}

enum status products_list(struct services *services, const struct output *output,
                          struct error *err) {
    cJSON *rows = NULL;
    enum status status = products_rows(services, &rows, err);
    if (status == STATUS_OK) {
        status = output_rows(output, product_columns, COUNT(product_columns), rows, err);
    }
    cJSON_Delete(rows);
    return status;
}

/* ---- set, adjust, add ---- */

/* Prints the product as the change has left it. */
static enum status print_product(const struct output *output, const char *product_id, int64_t total,
                                 int64_t available, int64_t version, struct error *err) {
    cJSON *row = new_row(product_id, total, available, version);
    enum status status = output_row(output, product_columns, COUNT(product_columns), row, err);
    cJSON_Delete(row);
    return status;
}

/* Says why the rules have refused to change a total. */
static enum status explain_refusal(const struct inventory_request *request, struct error *err) {
    const char *id = request->product_id;
    long long total = request->total, available = request->available, wanted = request->quantity;
    if (request->refusal == REFUSAL_OTHER_VERSION) {
        return error_set(err, STATUS_PRECONDITION_FAILED,
                         "product %s was not changed: its version is %lld, not %lld", id,
                         (long long)request->version, (long long)request->expected_version);
    }
    if (request->refusal == REFUSAL_QUANTITY_TOO_LARGE) {
        return error_set(err, STATUS_PRECONDITION_FAILED,
                         "the total of %s cannot be more than %lld; it is still %lld", id,
                         (long long)INVENTORY_MAX_TOTAL, total);
    }
    if (request->operation == &operation_adjust) {
        return error_set(err, STATUS_PRECONDITION_FAILED,
                         "the total of %s cannot change by %lld: %lld units are available; it is "
                         "still %lld",
                         id, wanted, available, total);
    }
    return error_set(err, STATUS_PRECONDITION_FAILED,
                     "the total of %s cannot be %lld: %lld units are reserved; it is still %lld",
                     id, wanted, total - available, total);
}

static enum status change_total(struct services *services, const struct output *output,
                                struct inventory_request *request, struct error *err) {
    enum status status = change_run(services, request, err);
    if (status == STATUS_OK && request->refusal != REFUSAL_NONE) {
        status = explain_refusal(request, err);
    }
    return status == STATUS_OK ? print_product(output, request->product_id, request->total,
                                               request->available, request->version, err)
                               : status;
}

enum status products_set(struct services *services, const struct output *output,
                         const char *product_id, int64_t total, int64_t expected_version,
                         struct error *err) {
    struct inventory_request request = {.operation = &operation_set_total,
                                        .product_id = product_id,
                                        .quantity = total,
                                        .expected_version = expected_version};
    return change_total(services, output, &request, err);
}

enum status products_adjust(struct services *services, const struct output *output,
                            const char *product_id, int64_t difference, struct error *err) {
    struct inventory_request request = {
        .operation = &operation_adjust, .product_id = product_id, .quantity = difference};
    return change_total(services, output, &request, err);
}

enum status products_add(struct services *services, const struct output *output,
                         const char *product_id, int64_t total, struct error *err) {
    struct seed_product product = {.total = total};
    snprintf(product.id, sizeof product.id, "%s", product_id);
    enum status status = inventory_store_add_and_wait(&services->table_store, &product, err);
    if (status != STATUS_OK) {
        error_wrap(err, "adding product %s", product_id);
        return status;
    }
    return print_product(output, product_id, total, total, 1, err);
}

/* ---- show ---- */

/* Adds a time, or null if it is `none_ms`. Returns false if there is no memory. */
static bool add_time(cJSON *object, const char *name, int64_t time_ms, int64_t none_ms) {
    char text[UTC_TEXT_BYTES];
    utc_format_iso8601_ms(time_ms, text);
    return (time_ms == none_ms ? cJSON_AddNullToObject(object, name)
                               : cJSON_AddStringToObject(object, name, text)) != NULL;
}

/* Returns the answer of GetInventory, or NULL if there is no memory. */
static cJSON *make_inventory_view(struct product_state *state, int64_t now_ms) {
    struct strbuf text;
    cJSON *root = NULL;
    strbuf_init(&text, SIZE_MAX);
    inventory_view_write_all(state, now_ms, &text);
    if (strbuf_status(&text) == STATUS_OK &&
        json_parse(text.data, text.length, &root, NULL) != STATUS_OK) {
        root = NULL;
    }
    strbuf_cleanup(&text);
    return root;
}

/*
 * Returns the answer of GetInventory with more members for operators, or NULL if there is no
 * memory. A `due_ms` of 0 means that an older release has written the row without it.
 */
static cJSON *make_operator_view(struct product_state *state, int64_t now_ms) {
    const struct product *product = &state->product;
    int64_t due_ms = product->due_ms == 0 ? INT64_MAX : product->due_ms;
    cJSON *view = make_inventory_view(state, now_ms);
    bool complete = json_add_int64(view, "version", product->version) &&
                    cJSON_AddStringToObject(view, "etag", state->etag) != NULL &&
                    add_time(view, "dueAt", due_ms, INT64_MAX) &&
                    add_time(view, "indexedDueAt", product->indexed_due_ms, 0) &&
                    add_time(view, "indexedKeepUntil", product->indexed_keep_ms, 0);
    if (!complete) {
        cJSON_Delete(view);
        return NULL;
    }
    return view;
}

/*
 * Returns all members that are no lists, as rows of name and value. The values are borrowed from
 * the view. Returns NULL if there is no memory.
 */
static cJSON *list_facts(const cJSON *view) {
    cJSON *facts = cJSON_CreateArray();
    bool complete = facts != NULL;
    for (const cJSON *member = view->child; member != NULL && complete; member = member->next) {
        if (cJSON_IsArray(member)) {
            continue;
        }
        cJSON *fact = cJSON_CreateObject(),
              *value = cJSON_GetObjectItemCaseSensitive(view, member->string);
        complete = cJSON_AddStringToObject(fact, "name", member->string) != NULL &&
                   cJSON_AddItemReferenceToObject(fact, "value", value) &&
                   cJSON_AddItemToArray(facts, fact);
        if (!complete) {
            cJSON_Delete(fact);
        }
    }
    if (!complete) {
        cJSON_Delete(facts);
        facts = NULL;
    }
    return facts;
}

static enum status print_view(const struct output *output, const cJSON *view, struct error *err) {
    static const struct table_column fact_columns[] = {{"name", NULL, false},
                                                       {"value", NULL, false}};
    const cJSON *reservations = cJSON_GetObjectItemCaseSensitive(view, "activeReservations");
    cJSON *facts = list_facts(view);
    enum status status = facts == NULL
                             ? output_text(NULL, err)
                             : output_rows(output, fact_columns, COUNT(fact_columns), facts, err);
    cJSON_Delete(facts);
    if (status == STATUS_OK) {
        status = output_text("\n", err);
    }
    if (status == STATUS_OK) {
        status = reservations_print(output, reservations, err);
    }
    return status;
}

enum status products_show(struct services *services, const struct output *output,
                          const char *product_id, struct error *err) {
    struct product_state state;
    product_state_init(&state);
    int64_t now_ms = 0;
    enum status status =
        inventory_service_get(&services->inventory, product_id, &state, &now_ms, err);
    if (status == STATUS_OK) {
        cJSON *view = make_operator_view(&state, now_ms);
        status =
            output->json || view == NULL ? output_json(view, err) : print_view(output, view, err);
        cJSON_Delete(view);
    }
    product_state_cleanup(&state);
    return change_explain_not_found(status, product_id, err);
}
