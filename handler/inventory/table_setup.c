#include "inventory/table_setup.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/log.h"
#include "inventory/product_creation.h"
#include "inventory/product_entity.h"
#include "inventory/store_operation.h"

enum { SEEDS_AT_ONCE = 8 };

/* ---- prepare ---- */

struct preparation;

/* A seed under way. Seed number N uses seedings[N % SEEDS_AT_ONCE]. */
struct seeding {
    struct preparation *preparation;
    struct product_creation creation;
};

struct preparation {
    struct store_operation base;
    struct inventory_store_table *store;
    const struct seed_product *seeds;
    size_t count;
    size_t next; /* the number of the seed to begin next */
    int under_way_count;
    struct error failure; /* the first one */
    struct table_call call;
    struct seeding seedings[SEEDS_AT_ONCE];
};

static void end_preparation(struct preparation *preparation, enum status status,
                            const struct error *err) {
    struct error failure = *err;
    if (status == STATUS_OK) {
        preparation->store->seeds_done = 0;
    } else {
        error_wrap(&failure, "preparing table %s", preparation->store->table);
    }
    store_operation_end(&preparation->base, status, &failure);
}

/* Returns whether seed `number` needs no more work. */
static bool is_seed_done(const struct inventory_store_table *store, size_t number) {
    return number < store->seeds_done ||
           (store->seeds_done_ahead >> (number - store->seeds_done) & 1) != 0;
}

static void note_seed_done(struct inventory_store_table *store, size_t number) {
    store->seeds_done_ahead |= UINT32_C(1) << (number - store->seeds_done);
    while ((store->seeds_done_ahead & 1) != 0) {
        store->seeds_done_ahead >>= 1;
        store->seeds_done++;
    }
}

static void on_seed_ended(void *context, enum status status, const struct error *err);

/*
 * Begins seeds while fewer than SEEDS_AT_ONCE numbers lie between the first unfinished one and the
 * next. So each seed under way has a place in `seedings`, and a bit in seeds_done_ahead.
 */
static void begin_seeds(struct preparation *preparation) {
    static_assert(SEEDS_AT_ONCE <= 32, "seeds_done_ahead has a bit for each");
    const struct inventory_store_table *store = preparation->store;
    size_t end = store->seeds_done + (store->has_seen_table ? SEEDS_AT_ONCE : 1);
    for (; preparation->failure.status == STATUS_OK && preparation->next < preparation->count &&
           preparation->next < end;
         preparation->next++) {
        if (!is_seed_done(store, preparation->next)) {
            struct seeding *seeding = &preparation->seedings[preparation->next % SEEDS_AT_ONCE];
            preparation->under_way_count++;
            seeding->preparation = preparation;
            product_creation_start(&seeding->creation, preparation->store,
                                   &preparation->seeds[preparation->next], on_seed_ended, seeding);
        }
    }
}

/*
 * A seed that has other rows in its partition needs an operator. It is logged and counts as done,
 * so that it does not keep the other seeds from being created.
 */
static void on_seed_ended(void *context, enum status status, const struct error *err) {
    struct seeding *seeding = context;
    struct preparation *preparation = seeding->preparation;
    const struct seed_product *seed = seeding->creation.product;
    preparation->under_way_count--;
    if (seeding->creation.has_other_rows) {
        log_event(LOG_ERROR, "Product %s was not created: %s", seed->id, err->message);
    }
    if (seeding->creation.product_exists || seeding->creation.has_other_rows) {
        note_seed_done(preparation->store, (size_t)(seed - preparation->seeds));
    } else if (preparation->failure.status == STATUS_OK) {
        preparation->failure = *err;
        preparation->failure.status = status;
    }
    begin_seeds(preparation);
    if (preparation->under_way_count == 0) {
        end_preparation(preparation, preparation->failure.status, &preparation->failure);
    }
}

static void on_table_created(void *context, enum status status, const struct error *err) {
    struct preparation *preparation = context;
    if (status == STATUS_OK || status == STATUS_ALREADY_EXISTS) {
        preparation->store->has_seen_table = true;
        status = STATUS_OK;
    }
    end_preparation(preparation, status, err);
}

static void end_without_work(struct store_operation *operation) {
    end_preparation((struct preparation *)operation, STATUS_OK, &operation->failure);
}

void table_setup_prepare(struct inventory_store *base, const struct seed_product *seeds,
                         size_t count, inventory_store_done done, void *context) {
    struct inventory_store_table *store = (struct inventory_store_table *)base;
    struct preparation *preparation = store_operation_new(base, sizeof *preparation, done, context);
    if (preparation == NULL) {
        return;
    }
    preparation->store = store;
    preparation->seeds = seeds;
    preparation->count = count;
    preparation->next = store->seeds_done;
    if (count > 0) {
        begin_seeds(preparation);
    } else if (store->has_seen_table) {
        store_operation_post(&preparation->base, base->platform->loop, end_without_work);
    } else {
        table_create_start(&preparation->call, store->client, store->table,
                           storage_client_deadline_ms(store->client), on_table_created,
                           preparation);
    }
}

/* ---- add ---- */

struct addition {
    struct store_operation base;
    struct inventory_store_table *store;
    struct product_creation creation;
    struct table_call call;
    cJSON *row;
};

static enum status creator_unknown(struct error *err) {
    error_wrap(err, "it exists now, but it is unknown who added it");
    return err->status = STATUS_UNAVAILABLE;
}

/*
 * Returns STATUS_OK if this addition has inserted the row that exists. That is so if an attempt of
 * its insert succeeded, and the answer was lost.
 */
static enum status identify_creator(const struct addition *addition, struct error *err) {
    struct product found;
    char etag[INVENTORY_ETAG_BYTES];
    if (!product_entity_read_product(addition->row, &found, etag)) {
        (void)product_entity_unreadable(addition->row, err);
        return creator_unknown(err);
    }
    if (strstr(found.commit_ids, addition->creation.commit_id) != NULL) {
        return STATUS_OK;
    }
    if (found.version > INVENTORY_COMMIT_IDS) {
        error_set(err, STATUS_UNAVAILABLE, "its row no longer names its first commit");
        return creator_unknown(err);
    }
    return error_set(err, STATUS_ALREADY_EXISTS, "somebody else has just added it");
}

static void on_row_read(void *context, enum status status, const struct error *err) {
    struct addition *addition = context;
    struct error failure = *err;
    if (status == STATUS_OK) {
        status = identify_creator(addition, &failure);
        cJSON_Delete(addition->row);
    } else {
        status = creator_unknown(&failure);
    }
    store_operation_end(&addition->base, status, &failure);
}

static void on_created(void *context, enum status status, const struct error *err) {
    struct addition *addition = context;
    struct inventory_store_table *store = addition->store;
    if (status == STATUS_ALREADY_EXISTS && addition->creation.was_inserting) {
        table_get_start(&addition->call, store->client, store->table,
                        addition->creation.product->id, PRODUCT_ROW,
                        storage_client_deadline_ms(store->client), &addition->row, on_row_read,
                        addition);
    } else {
        store_operation_end(&addition->base, status, err);
    }
}

void table_setup_add(struct inventory_store_table *store, const struct seed_product *product,
                     inventory_store_done done, void *context) {
    struct addition *addition = store_operation_new(&store->base, sizeof *addition, done, context);
    if (addition != NULL) {
        addition->store = store;
        product_creation_start(&addition->creation, store, product, on_created, addition);
    }
}

/* ---- list ---- */

struct listing {
    struct store_operation base;
    struct inventory_store_table *store;
    struct table_call call;
    table_setup_visitor visit;
};

static enum status list_row(void *context, const cJSON *entity, struct error *err) {
    const struct listing *listing = context;
    struct product product;
    struct error unread;
    char etag[INVENTORY_ETAG_BYTES];
    if (!product_entity_read_product(entity, &product, etag)) {
        (void)product_entity_unreadable(entity, &unread);
        log_event(LOG_ERROR, "A product is left out: %s", unread.message);
        return STATUS_OK;
    }
    return listing->visit(listing->base.context, &product, err);
}

static void on_listed(void *context, enum status status, const struct error *err) {
    struct listing *listing = context;
    struct error failure = *err;
    if (status != STATUS_OK) {
        error_wrap(&failure, "listing table %s", listing->store->table);
    }
    store_operation_end(&listing->base, status, &failure);
}

void table_setup_list(struct inventory_store_table *store, table_setup_visitor visit,
                      inventory_store_done done, void *context) {
    struct listing *listing = store_operation_new(&store->base, sizeof *listing, done, context);
    if (listing == NULL) {
        return;
    }
    const struct table_query query = {.table = store->table,
                                      .filter = "RowKey eq '" PRODUCT_ROW "'",
                                      .visit = list_row,
                                      .context = listing};
    listing->store = store;
    listing->visit = visit;
    table_query_start(&listing->call, store->client, &query,
                      storage_client_deadline_ms(store->client), on_listed, listing);
}
