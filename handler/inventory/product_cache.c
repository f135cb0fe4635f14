#include "inventory/product_cache.h"

#include "base/log.h"
#include "inventory/operation.h"

/* Rows that expire within this time are read too: they are in memory when they expire. */
enum { READ_AHEAD_MS = 10000 };

void product_cache_init(struct product_cache *cache) {
    *cache = (struct product_cache){0};
    product_state_init(&cache->state);
}

void product_cache_cleanup(struct product_cache *cache) {
    product_state_cleanup(&cache->state);
}

static bool is_filled(const struct product_cache *cache) {
    return cache->state.etag[0] != '\0';
}

void product_cache_forget(struct product_cache *cache) {
    if (is_filled(cache)) {
        cache->last_version = cache->state.product.version;
    }
    product_state_cleanup(&cache->state);
    cache->is_read_under_lease = false;
}

void product_cache_note_lease_change(struct product_cache *cache) {
    cache->is_read_under_lease = false;
}

/* Returns true if every reservation that has expired is in memory. */
static bool has_all_expired_rows(const struct product_state *state, int64_t now_ms) {
    return now_ms < state->product.due_ms || now_ms <= state->complete_until_ms;
}

/*
 * Where others commit, the cache is probably outdated at the start of a lease. Then one read costs
 * less than a commit that storage rejects and the read after it.
 */
bool product_cache_is_usable(const struct product_cache *cache, int64_t now_ms) {
    bool is_recent = now_ms - cache->validated_ms <= PRODUCT_VALID_FOR_MS;
    bool is_likely_current = cache->is_read_under_lease || !cache->others_committed;
    return is_filled(cache) && is_recent && is_likely_current &&
           has_all_expired_rows(&cache->state, now_ms);
}

static void add_rows_of(const struct inventory_request *request, struct inventory_query *query) {
    query->reservation_id = request->reservation_id;
    if (request->reservation_id == NULL) {
        query->customer_id = request->customer_id;
        query->limit = INVENTORY_MAX_CHANGES;
    }
}

struct inventory_query product_cache_query(const struct product_cache *cache, int64_t now_ms,
                                           const struct inventory_request *with_rows_of) {
    struct inventory_query query = {.all = cache->checked.version == 0,
                                    .until_ms = now_ms + READ_AHEAD_MS};
    if (with_rows_of != NULL) {
        add_rows_of(with_rows_of, &query);
    }
    return query;
}

struct inventory_query product_cache_rows_query(const struct product_cache *cache,
                                                const struct inventory_request *request) {
    if (request->operation->rows == ROWS_SNAPSHOT) {
        const struct inventory_query all = {.all = true};
        return request->snapshot_query == NULL ? all : *request->snapshot_query;
    }
    struct inventory_query query = {.until_ms = cache->state.complete_until_ms, .later_only = true};
    add_rows_of(request, &query);
    return query;
}

static void log_if_recreated(const struct product *product,
                             const struct product_checkpoint *checked) {
    if (product->version < checked->version) {
        log_event(LOG_WARNING,
                  "Product %s was deleted and created again: its version was %lld and is %lld",
                  product->id, (long long)checked->version, (long long)product->version);
    }
}

bool product_cache_note_read(struct product_cache *cache, const struct inventory_query *query,
                             int64_t now_ms, bool *out_others) {
    struct product_state *state = &cache->state;
    if (!query->all && !product_state_follows(state, &cache->checked)) {
        log_if_recreated(&state->product, &cache->checked);
        return false;
    }
    /* Rows that expire later are trimmed after the batch. */
    state->complete_until_ms = query->until_ms;
    product_state_take_checkpoint(state, &cache->checked);
    *out_others = cache->last_version != 0 && state->product.version != cache->last_version;
    cache->others_committed = *out_others;
    cache->is_read_under_lease = true;
    cache->validated_ms = now_ms;
    return true;
}

void product_cache_note_malformed(struct product_cache *cache) {
    cache->checked.version = 0;
}

void product_cache_note_commit(struct product_cache *cache, int64_t now_ms) {
    cache->validated_ms = now_ms;
    product_state_take_checkpoint(&cache->state, &cache->checked);
}
