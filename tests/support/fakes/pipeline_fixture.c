#include "support/fakes/pipeline_fixture.h"

#include <check.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/loop_call.h"
#include "inventory/inventory.h"
#include "lease/lease_options.h"
#include "support/calls/store_wait.h"

enum { ROUNDS = 300, CLOSE_MS = 60000 };

struct pipeline_fixture fixture;

/* ---- the loop ---- */

struct fixture_act {
    struct loop_call call;
    void (*act)(void *context);
    void *context;
    struct loop_task task;
    int rounds;
};

static void next_round(void *context) {
    struct fixture_act *act = context;
    if (--act->rounds > 0) {
        event_loop_post(fixture.loop, &act->task);
    } else {
        loop_call_end(&act->call);
    }
}

static void begin_act(void *context) {
    struct fixture_act *act = context;
    act->task = (struct loop_task){.run = next_round, .context = act};
    event_loop_post(fixture.loop, &act->task);
    act->act(act->context);
}

void fixture_run(void (*act)(void *context), void *context) {
    struct fixture_act own = {.act = act, .context = context, .rounds = ROUNDS};
    loop_call_run(&own.call, fixture.loop, begin_act, &own);
}

static void do_nothing(void *context) {
    (void)context;
}

void fixture_settle(void) {
    fixture_run(do_nothing, NULL);
}

void fixture_advance(int64_t ms) {
    clock_fake_advance(&fixture.clock, ms);
    fixture_settle();
}

void fixture_advance_in_steps(int64_t ms) {
    for (int64_t i = 0; i < ms; i += PIPELINE_FIXTURE_STEP_MS) {
        fixture_advance(PIPELINE_FIXTURE_STEP_MS);
    }
}

void fixture_creep(int64_t ms) {
    for (int64_t i = 0; i < ms; i++) {
        fixture_advance(1);
    }
}

/* ---- set up, tear down ---- */

void pipeline_fixture_set_up(void) {
    static const struct seed_product seed = {"P", PIPELINE_FIXTURE_UNITS};
    memset(&fixture, 0, sizeof fixture);
    clock_fake_init(&fixture.clock, 1000000, 1700000000000);
    ck_assert_int_eq(event_loop_new(&fixture.loop, &fixture.clock.base, NULL), STATUS_OK);
    ck_assert_int_eq(event_loop_start(fixture.loop, NULL), STATUS_OK);
    clock_fake_wake(&fixture.clock, fixture.loop);
    fixture.platform = (struct platform){
        .clock = &fixture.clock.base, .loop = fixture.loop, .random = random_system()};
    fixture.lease_options = lease_options_default();
    fixture.lease_service = lease_store_fake_new(fixture.loop, &fixture.clock.base);
    ck_assert_int_eq(lease_manager_new(&fixture.leases, &fixture.lease_options,
                                       lease_store_fake_store(fixture.lease_service),
                                       &fixture.platform, NULL),
                     STATUS_OK);
    scripted_store_init(&fixture.store, &fixture.platform);
    struct inventory_store *memory = &fixture.store.memory.base;
    ck_assert_int_eq(inventory_store_prepare_and_wait(memory, &seed, 1, NULL), STATUS_OK);
    const struct pipeline_shared shared = {.platform = &fixture.platform,
                                           .store = &fixture.store.base,
                                           .leases = fixture.leases,
                                           .acquire_timeout_ms = PIPELINE_FIXTURE_TIMEOUT_MS,
                                           .reservation_lifetime_ms = PIPELINE_FIXTURE_LIFETIME_MS};
    product_queues_init(&fixture.queues, &shared);
}

static void close_queues(void *context) {
    (void)context;
    if (!fixture.is_closed) {
        fixture.is_closed = true;
        product_queues_close(&fixture.queues);
    }
}

void fixture_close(void) {
    fixture_run(close_queues, NULL);
}

static void on_closed(void *context, int unreleased) {
    (void)unreleased; /* one that others took from us may count */
    *(bool *)context = true;
}

static void close_leases(void *context) {
    int64_t deadline_ms = clock_now_ms(&fixture.clock.base) + CLOSE_MS;
    lease_manager_close_start(fixture.leases, deadline_ms, on_closed, context);
}

void pipeline_fixture_tear_down(void) {
    bool is_closed = false;
    for (int kind = 0; kind < SCRIPTED_KINDS; kind++) {
        fixture.store.hold[kind] = false;
        while (fixture_held((enum scripted_kind)kind) > 0) {
            fixture_end((enum scripted_kind)kind, STATUS_OK);
        }
    }
    for (int kind = 0; kind < FAKE_KINDS; kind++) {
        lease_store_fake_hold(fixture.lease_service, (enum fake_call_kind)kind, false);
    }
    fixture_close();
    for (int i = 0; i < 20; i++) { /* a window, a linger, a renewal */
        fixture_advance(500);
    }
    fixture_run(close_leases, &is_closed);
    fixture_advance(is_closed ? 0 : CLOSE_MS);
    ck_assert(is_closed);
    event_loop_stop(fixture.loop);
    product_queues_cleanup(&fixture.queues);
    lease_manager_free(fixture.leases);
    event_loop_free(fixture.loop);
    scripted_store_cleanup(&fixture.store);
    lease_store_fake_free(fixture.lease_service);
}

/* ---- what there is ---- */

static int by_product(const void *left, const void *right) {
    return strcmp(left, right);
}

struct product_pipeline *fixture_pipeline(void) {
    void *const *found = tfind("P", &fixture.queues.pipelines, by_product);
    return found == NULL ? NULL : *found;
}

enum pipeline_state fixture_state(void) {
    struct product_pipeline *pipeline = fixture_pipeline();
    return pipeline == NULL ? PIPELINE_IDLE : pipeline->state;
}

/* ---- the store ---- */

struct ending {
    enum scripted_kind kind;
    enum status status;
};

static void end_there(void *context) {
    const struct ending *ending = context;
    scripted_store_end(&fixture.store, ending->kind, ending->status);
}

static void end_unheard_there(void *context) {
    const struct ending *ending = context;
    scripted_store_end_unheard(&fixture.store, ending->kind, ending->status);
}

void fixture_hold(enum scripted_kind kind) {
    fixture.store.hold[kind] = true;
}

void fixture_let_go(enum scripted_kind kind) {
    fixture.store.hold[kind] = false;
}

void fixture_end(enum scripted_kind kind, enum status status) {
    fixture_run(end_there, &(struct ending){kind, status});
}

void fixture_end_unheard(enum scripted_kind kind, enum status status) {
    fixture_run(end_unheard_there, &(struct ending){kind, status});
}

void fixture_end_commit_after(int64_t ms) {
    fixture_advance(ms);
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
}

void fixture_plan(enum scripted_kind kind, enum status status) {
    scripted_store_plan(&fixture.store, kind, status);
}

int fixture_count(enum scripted_kind kind) {
    return fixture.store.counts[kind];
}

int fixture_held(enum scripted_kind kind) {
    return scripted_store_held(&fixture.store, kind);
}

/* Reads all of P, for a change behind the pipeline's back. */
static void read_all(struct product_state *state) {
    product_state_init(state);
    ck_assert_int_eq(inventory_store_read_and_wait(&fixture.store.memory.base, "P",
                                                   &(struct inventory_query){.all = true}, state,
                                                   NULL),
                     STATUS_OK);
}

static void commit_all(struct product_state *state) {
    ck_assert_int_eq(
        inventory_store_commit_and_wait(&fixture.store.memory.base, state, INT64_MAX, NULL),
        STATUS_OK);
    product_state_cleanup(state);
}

static int64_t store_now_ms(void) {
    return fixture.store.base.ops->now_ms(&fixture.store.base);
}

static void reserve_one(struct product_state *state, const char *customer, int64_t quantity,
                        int64_t in_ms) {
    const struct reservation *made;
    bool reserved = false;
    int64_t at_ms = store_now_ms() + in_ms - PIPELINE_FIXTURE_LIFETIME_MS;
    ck_assert_int_eq(inventory_reserve(state, customer, quantity, at_ms,
                                       PIPELINE_FIXTURE_LIFETIME_MS, random_system(), &reserved,
                                       &made),
                     STATUS_OK);
    ck_assert(reserved);
}

void fixture_others_reserve(int64_t quantity) {
    struct product_state state;
    read_all(&state);
    reserve_one(&state, "others", quantity, PIPELINE_FIXTURE_LIFETIME_MS);
    commit_all(&state);
}

void fixture_add_reservations(const char *customer, int count, int64_t in_ms) {
    for (int done = 0; done < count;) {
        struct product_state state;
        read_all(&state);
        for (int i = 0; i < INVENTORY_MAX_CHANGES && done < count; i++, done++) {
            reserve_one(&state, customer, 1, in_ms);
        }
        commit_all(&state);
    }
}

void fixture_assert_stored(int64_t available, int64_t version, size_t rows) {
    struct product_state state;
    read_all(&state);
    ck_assert_int_eq(inventory_available(&state, store_now_ms()), available);
    ck_assert_int_eq(state.product.version, version);
    ck_assert_uint_eq(state.reservations.count, rows);
    product_state_cleanup(&state);
}

/* ---- the lease service ---- */

void fixture_hold_acquire(bool hold) {
    lease_store_fake_hold(fixture.lease_service, FAKE_ACQUIRE, hold);
}

void fixture_answer_acquire(enum status status) {
    lease_store_fake_answer(fixture.lease_service, FAKE_ACQUIRE, status);
    fixture_settle();
}

int fixture_acquires(void) {
    return (int)lease_store_fake_count(fixture.lease_service, FAKE_ACQUIRE);
}

void fixture_set_holder(const char *lease_id) {
    lease_store_fake_set_holder(fixture.lease_service, PIPELINE_FIXTURE_LEASE, lease_id);
}

bool fixture_is_leased(void) {
    return lease_store_fake_is_leased(fixture.lease_service, PIPELINE_FIXTURE_LEASE);
}

/* ---- callers ---- */

static void on_served(struct inventory_request *request) {
    struct caller *caller = (struct caller *)request;
    if (fixture.is_submitting || ++caller->served > 1 || !event_loop_is_current(fixture.loop)) {
        fprintf(
            stderr,
            "pipeline_fixture: a request was served twice, or inside the call that submits one\n");
        abort();
    }
    caller->place = ++fixture.served_count;
    if (caller->then != NULL) {
        caller->then(caller);
    }
}

static struct caller new_caller(const struct operation *operation, const char *customer,
                                int64_t quantity) {
    return (struct caller){.request = {.operation = operation,
                                       .product_id = "P",
                                       .customer_id = customer,
                                       .quantity = quantity,
                                       .served = on_served}};
}

struct caller caller_reserves(int64_t quantity) {
    return new_caller(&operation_reserve, "alice", quantity);
}

struct caller caller_releases(const char *customer, int64_t quantity) {
    return new_caller(&operation_release, customer, quantity);
}

struct caller caller_expires(void) {
    return new_caller(&operation_expire, NULL, 0);
}

struct caller caller_sets_total(int64_t total) {
    return new_caller(&operation_set_total, NULL, total);
}

struct caller caller_reserves_with_key(int64_t quantity, const char *key) {
    struct caller caller = caller_reserves(quantity);
    snprintf(caller.request.key_hash, sizeof caller.request.key_hash, "%s", key);
    snprintf(caller.request.request_hash, sizeof caller.request.request_hash, "%lld",
             (long long)quantity);
    return caller;
}

void caller_set_invocation(struct caller *caller, const char *invocation_id) {
    snprintf(caller->correlation.invocation_id, sizeof caller->correlation.invocation_id, "%s",
             invocation_id);
    caller->request.correlation = &caller->correlation;
}

void caller_submit_there(struct caller *caller) {
    bool was_submitting = fixture.is_submitting;
    fixture.is_submitting = true;
    product_queues_submit(&fixture.queues, &caller->request);
    fixture.is_submitting = was_submitting;
}

void caller_submit_again(struct caller *caller) {
    if (fixture.resubmissions-- > 0) {
        caller->served = 0;
        caller_submit_there(caller);
    }
}

static void submit_one(void *context) {
    caller_submit_there(context);
}

void caller_submit(struct caller *caller) {
    fixture_run(submit_one, caller);
}

struct submission {
    struct caller *callers;
    int count;
};

static void submit_many(void *context) {
    const struct submission *submission = context;
    for (int i = 0; i < submission->count; i++) {
        caller_submit_there(&submission->callers[i]);
    }
}

void caller_submit_all(struct caller *callers, int count) {
    fixture_run(submit_many, &(struct submission){callers, count});
}

void caller_assert_waits(const struct caller *caller) {
    ck_assert_int_eq(caller->served, 0);
}

void caller_assert_served(const struct caller *caller, enum status status) {
    ck_assert_int_eq(caller->served, 1);
    ck_assert_msg(caller->request.status == status, "%s, not %s: %s",
                  status_name(caller->request.status), status_name(status),
                  caller->request.status == STATUS_OK ? "" : caller->request.failure.message);
}

void caller_assert_granted(const struct caller *caller) {
    caller_assert_served(caller, STATUS_OK);
    ck_assert_int_eq(caller->request.units, caller->request.quantity);
}

void caller_assert_refused(const struct caller *caller, int64_t available) {
    caller_assert_served(caller, STATUS_OK);
    ck_assert_int_eq(caller->request.units, 0);
    ck_assert_int_eq(caller->request.available, available);
}
