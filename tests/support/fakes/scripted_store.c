#include "support/fakes/scripted_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/store_operation.h"

struct scripted_operation {
    struct store_operation base; /* first */
    TAILQ_ENTRY(scripted_operation) link;
    struct scripted_store *store;
    enum scripted_kind kind;
    const struct seed_product *seeds;
    size_t seed_count;
    const char *product_id;
    struct inventory_query query;
    struct product_state *state; /* read: what receives it; commit: what is committed */
    const char *key_hash;
    struct idempotency_record *out_record;
    int64_t time_ms; /* commit: the deadline; index: the expiry; find, finish: now */
    int64_t *out_ms;
    struct product_ids *out_products;
    int *out_count;
    enum status planned;
    bool is_unheard; /* it has its effect, and then ends with `planned` */
};

static struct scripted_store *store_of(struct inventory_store *base) {
    return (struct scripted_store *)base;
}

static void run_inner(struct scripted_operation *op, inventory_store_done done, void *context) {
    struct inventory_store *inner = &op->store->memory.base;
    switch (op->kind) {
    case SCRIPTED_PREPARE:
        inner->ops->prepare(inner, op->seeds, op->seed_count, done, context);
        break;
    case SCRIPTED_READ:
        inner->ops->read(inner, op->product_id, &op->query, op->state, done, context);
        break;
    case SCRIPTED_FIND_RECORD:
        inner->ops->find_record(inner, op->product_id, op->key_hash, op->out_record, done, context);
        break;
    case SCRIPTED_COMMIT:
        /* However long the test has held it, it was sent in time. */
        inner->ops->commit(inner, op->state, INT64_MAX, done, context);
        break;
    case SCRIPTED_INDEX:
        inner->ops->index_expiry(inner, op->product_id, op->time_ms, op->out_ms, done, context);
        break;
    case SCRIPTED_ANNOUNCE:
        inner->ops->announce_wait(inner, op->product_id, done, context);
        break;
    case SCRIPTED_READ_WAIT:
        inner->ops->read_wait(inner, op->product_id, op->out_ms, done, context);
        break;
    case SCRIPTED_FIND_DUE:
        inner->ops->find_expired(inner, op->time_ms, op->out_products, done, context);
        break;
    case SCRIPTED_FINISH_DUE:
        inner->ops->clean_up_expired(inner, op->product_id, op->time_ms, op->out_count, done,
                                     context);
        break;
    case SCRIPTED_KINDS:
        abort();
    }
}

static void fail(struct scripted_operation *op) {
    struct error err;
    if (op->kind == SCRIPTED_READ) {
        product_state_cleanup(op->state);
    }
    error_set(&err, op->planned, "the script says %s", status_name(op->planned));
    store_operation_end(&op->base, op->planned, &err);
}

static void on_effect(void *context, enum status status, const struct error *err) {
    struct scripted_operation *op = context;
    if (op->is_unheard) {
        fail(op);
    } else {
        store_operation_end(&op->base, status, err);
    }
}

static void end_planned(struct store_operation *base) {
    struct scripted_operation *op = (struct scripted_operation *)base;
    if (op->planned == STATUS_OK || op->is_unheard) {
        run_inner(op, on_effect, op);
    } else {
        fail(op);
    }
}

static enum status take_plan(struct scripted_store *store, enum scripted_kind kind) {
    if (store->plan_counts[kind] == 0) {
        return STATUS_OK;
    }
    enum status status = store->plans[kind][0];
    store->plan_counts[kind]--;
    memmove(&store->plans[kind][0], &store->plans[kind][1], (SCRIPTED_PLANS - 1) * sizeof status);
    return status;
}

static void start(struct inventory_store *base, enum scripted_kind kind,
                  const struct scripted_operation *like, inventory_store_done done, void *context) {
    struct scripted_store *store = store_of(base);
    if (!event_loop_is_current(base->platform->loop)) {
        abort();
    }
    struct scripted_operation *op = store_operation_new(base, sizeof *op, done, context);
    if (op == NULL) {
        return;
    }
    struct store_operation own = op->base;
    *op = *like;
    op->base = own;
    op->store = store;
    op->kind = kind;
    store->counts[kind]++;
    if (store->hold[kind]) {
        TAILQ_INSERT_TAIL(&store->held, op, link);
        return;
    }
    op->planned = take_plan(store, kind);
    store_operation_post(&op->base, base->platform->loop, end_planned);
}

/* ---- the store's operations ---- */

static int64_t script_now_ms(struct inventory_store *base) {
    struct inventory_store *inner = &store_of(base)->memory.base;
    return inner->ops->now_ms(inner);
}

static int64_t script_certain_ms(struct inventory_store *base) {
    return script_now_ms(base) - store_of(base)->doubt_ms;
}

static void script_prepare(struct inventory_store *base, const struct seed_product *seeds,
                           size_t count, inventory_store_done done, void *context) {
    start(base, SCRIPTED_PREPARE, &(struct scripted_operation){.seeds = seeds, .seed_count = count},
          done, context);
}

static void script_read(struct inventory_store *base, const char *product_id,
                        const struct inventory_query *query, struct product_state *out,
                        inventory_store_done done, void *context) {
    product_state_cleanup(out); /* also without memory */
    store_of(base)->reads_of_all += query->all;
    start(base, SCRIPTED_READ,
          &(struct scripted_operation){.product_id = product_id, .query = *query, .state = out},
          done, context);
}

static void script_find_record(struct inventory_store *base, const char *product_id,
                               const char *key_hash, struct idempotency_record *out,
                               inventory_store_done done, void *context) {
    start(base, SCRIPTED_FIND_RECORD,
          &(struct scripted_operation){
              .product_id = product_id, .key_hash = key_hash, .out_record = out},
          done, context);
}

static void script_commit(struct inventory_store *base, struct product_state *state,
                          int64_t deadline_ms, inventory_store_done done, void *context) {
    store_of(base)->last_change_count = state->change_count;
    store_of(base)->last_deadline_ms = deadline_ms;
    start(base, SCRIPTED_COMMIT,
          &(struct scripted_operation){.state = state, .time_ms = deadline_ms}, done, context);
}

static void script_index(struct inventory_store *base, const char *product_id, int64_t expires_ms,
                         int64_t *out_indexed_due_ms, inventory_store_done done, void *context) {
    start(base, SCRIPTED_INDEX,
          &(struct scripted_operation){
              .product_id = product_id, .time_ms = expires_ms, .out_ms = out_indexed_due_ms},
          done, context);
}

static void script_announce(struct inventory_store *base, const char *product_id,
                            inventory_store_done done, void *context) {
    start(base, SCRIPTED_ANNOUNCE, &(struct scripted_operation){.product_id = product_id}, done,
          context);
}

static void script_read_wait(struct inventory_store *base, const char *product_id,
                             int64_t *out_announced_ms, inventory_store_done done, void *context) {
    start(base, SCRIPTED_READ_WAIT,
          &(struct scripted_operation){.product_id = product_id, .out_ms = out_announced_ms}, done,
          context);
}

static void script_find_due(struct inventory_store *base, int64_t now_ms, struct product_ids *out,
                            inventory_store_done done, void *context) {
    start(base, SCRIPTED_FIND_DUE,
          &(struct scripted_operation){.time_ms = now_ms, .out_products = out}, done, context);
}

static void script_finish_due(struct inventory_store *base, const char *product_id, int64_t now_ms,
                              int *out_records_deleted, inventory_store_done done, void *context) {
    start(base, SCRIPTED_FINISH_DUE,
          &(struct scripted_operation){
              .product_id = product_id, .time_ms = now_ms, .out_count = out_records_deleted},
          done, context);
}

/* ---- for tests ---- */

void scripted_store_init(struct scripted_store *store, const struct platform *platform) {
    static const struct inventory_store_ops ops = {.prepare = script_prepare,
                                                   .now_ms = script_now_ms,
                                                   .certain_ms = script_certain_ms,
                                                   .read = script_read,
                                                   .find_record = script_find_record,
                                                   .commit = script_commit,
                                                   .index_expiry = script_index,
                                                   .announce_wait = script_announce,
                                                   .read_wait = script_read_wait,
                                                   .find_expired = script_find_due,
                                                   .clean_up_expired = script_finish_due};
    memset(store, 0, sizeof *store);
    TAILQ_INIT(&store->held);
    store_operation_init_store(&store->base, &ops, platform);
    inventory_store_memory_init(&store->memory, platform);
}

void scripted_store_cleanup(struct scripted_store *store) {
    inventory_store_memory_cleanup(&store->memory);
}

void scripted_store_plan(struct scripted_store *store, enum scripted_kind kind,
                         enum status status) {
    if (store->plan_counts[kind] == SCRIPTED_PLANS) {
        abort();
    }
    store->plans[kind][store->plan_counts[kind]++] = status;
}

static struct scripted_operation *first_held(const struct scripted_store *store,
                                             enum scripted_kind kind) {
    struct scripted_operation *op;
    TAILQ_FOREACH(op, &store->held, link) {
        if (op->kind == kind) {
            return op;
        }
    }
    fprintf(stderr, "scripted_store: no operation of kind %d is held\n", (int)kind);
    abort();
}

static void end_held(struct scripted_store *store, enum scripted_kind kind, enum status status,
                     bool is_unheard) {
    struct scripted_operation *op = first_held(store, kind);
    TAILQ_REMOVE(&store->held, op, link);
    op->planned = status;
    op->is_unheard = is_unheard;
    const struct correlation *before = correlation_use(op->base.correlation);
    end_planned(&op->base);
    correlation_use(before);
}

void scripted_store_end(struct scripted_store *store, enum scripted_kind kind, enum status status) {
    end_held(store, kind, status, false);
}

void scripted_store_end_unheard(struct scripted_store *store, enum scripted_kind kind,
                                enum status status) {
    end_held(store, kind, status, true);
}

int scripted_store_held(const struct scripted_store *store, enum scripted_kind kind) {
    const struct scripted_operation *op;
    int count = 0;
    TAILQ_FOREACH(op, &store->held, link) {
        count += op->kind == kind;
    }
    return count;
}

const struct correlation *scripted_store_correlation(const struct scripted_store *store,
                                                     enum scripted_kind kind) {
    return first_held(store, kind)->base.correlation;
}
