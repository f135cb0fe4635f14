#include "support/load/random_run.h"

#include <assert.h>
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "inventory/inventory_store_wait.h"
#include "inventory/product_pipeline.h"

enum {
    STEPS = 500,
    TOGETHER = 5, /* callers who come at the same moment */
    MAX_PLANS = 4,
    USUAL_QUANTITY = 8,
    DOUBT_MS = 1500,
    CALM_ROUNDS = 400,
    CALM_STEP_MS = 100,
    RENEW_EARLY_PERCENT = 10,
    SPARED_PERCENT = 40,
};

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

struct random_run random_run;

/* ---- random numbers ---- */

/* xorshift64*: the same numbers everywhere. 0 to n - 1. */
static int pick(int n) {
    random_run.random_state ^= random_run.random_state >> 12;
    random_run.random_state ^= random_run.random_state << 25;
    random_run.random_state ^= random_run.random_state >> 27;
    return (int)((random_run.random_state * UINT64_C(2685821657736338717) >> 33) % (uint64_t)n);
}

static bool chance(int percent) {
    return pick(100) < percent;
}

/* That a record was not found would be an answer. */
static enum status pick_failure(enum scripted_kind kind) {
    static const enum status failures[] = {
        STATUS_UNAVAILABLE, STATUS_PRECONDITION_FAILED, STATUS_MALFORMED,     STATUS_NO_MEMORY,
        STATUS_CANCELLED,   STATUS_NOT_FOUND,           STATUS_ALREADY_EXISTS};
    enum status failure = failures[pick(COUNT_OF(failures))];
    return kind == SCRIPTED_FIND_RECORD && failure == STATUS_NOT_FOUND ? STATUS_UNAVAILABLE
                                                                       : failure;
}

static enum scripted_kind pick_kind(void) {
    return (enum scripted_kind)pick(SCRIPTED_KINDS);
}

/* ---- requests ---- */

static_assert((int)RANDOM_RUN_LAST_CALLERS == 3 * (int)RANDOM_RUN_NAMES,
              "for each key two, and one who asks for something else");

static const char *const customers[RANDOM_RUN_NAMES] = {"c0", "c1", "c2", "c3", "c4", "c5"};
const char *const random_run_keys[RANDOM_RUN_NAMES] = {"k0", "k1", "k2", "k3", "k4", "k5"};
static const char *const release_keys[RANDOM_RUN_NAMES] = {"r0", "r1", "r2", "r3", "r4", "r5"};

static struct caller reserves(void) {
    struct caller caller = caller_reserves(1 + pick(200));
    caller.request.customer_id = customers[pick(RANDOM_RUN_NAMES)];
    return caller;
}

static struct caller reserves_with(const char *key, int64_t quantity) {
    struct caller caller = caller_reserves_with_key(quantity, key);
    caller.request.customer_id = key;
    return caller;
}

/* Mostly the same request as others with the same key. */
static struct caller reserves_with_key(void) {
    return reserves_with(random_run_keys[pick(RANDOM_RUN_NAMES)], chance(80) ? USUAL_QUANTITY : 1);
}

static struct caller releases(void) {
    return caller_releases(customers[pick(RANDOM_RUN_NAMES)], 1 + pick(400));
}

static struct caller releases_with_key(void) {
    int i = pick(RANDOM_RUN_NAMES);
    struct caller caller = caller_releases(customers[i], chance(80) ? USUAL_QUANTITY : 1);
    snprintf(caller.request.key_hash, sizeof caller.request.key_hash, "%s", release_keys[i]);
    snprintf(caller.request.request_hash, sizeof caller.request.request_hash, "%lld",
             (long long)caller.request.quantity);
    return caller;
}

static struct caller sets_total(void) {
    return caller_sets_total(PIPELINE_FIXTURE_UNITS - 100 + pick(200));
}

static struct caller takes_snapshot(void) {
    struct caller caller = caller_expires();
    caller.request.operation = &operation_snapshot;
    return caller;
}

static const struct {
    int weight;
    struct caller (*make)(void);
} requests[] = {{30, reserves},         {20, reserves_with_key}, {22, releases},
                {8, releases_with_key}, {8, caller_expires},     {8, sets_total},
                {4, takes_snapshot}};

/* NULL: there is no place left for another. */
static struct caller *add_caller(const struct caller *like, int limit) {
    if (random_run.caller_count == limit) {
        return NULL;
    }
    int i = random_run.caller_count++;
    random_run.callers[i] = *like;
    random_run.callers[i].request.snapshot = &random_run.snapshots[i];
    random_run.served_before[i] = fixture.served_count;
    return &random_run.callers[i];
}

/* On the loop's thread. */
static void come_back(struct caller *caller) {
    struct caller next = caller_reserves(1), *added = NULL;
    if (caller->request.status != STATUS_CANCELLED) {
        added = add_caller(&next, RANDOM_RUN_MAX_CALLERS - RANDOM_RUN_LAST_CALLERS);
    }
    if (added != NULL) {
        caller_submit_there(added);
    }
}

static struct caller make_caller(void) {
    int drawn = pick(100), i = 0;
    while (drawn >= requests[i].weight) {
        drawn -= requests[i++].weight;
    }
    struct caller caller = requests[i].make();
    caller.then = chance(20) ? come_back : NULL;
    return caller;
}

/* ---- steps ---- */

static void callers_come(void) {
    int wanted = chance(25) ? TOGETHER : 1, from = random_run.caller_count;
    for (int i = 0; i < wanted; i++) {
        struct caller like = make_caller();
        struct caller *caller = add_caller(&like, RANDOM_RUN_MAX_CALLERS - RANDOM_RUN_LAST_CALLERS);
        if (caller != NULL && chance(50)) {
            caller_set_invocation(caller, "invocation");
        }
    }
    caller_submit_all(&random_run.callers[from], random_run.caller_count - from);
}

static void storage_hangs(void) {
    fixture_hold(pick_kind());
}

static void storage_hangs_no_more(void) {
    fixture_let_go(pick_kind());
}

static void end_one(enum scripted_kind kind) {
    if (kind == SCRIPTED_COMMIT && random_run.may_lose_answers && chance(25)) {
        random_run.has_lost_answers = true;
        fixture_end_unheard(kind, STATUS_UNAVAILABLE);
    } else {
        fixture_end(kind, chance(12) ? pick_failure(kind) : STATUS_OK);
    }
}

static void what_hangs_ends(void) {
    for (int kind = 0; kind < SCRIPTED_KINDS; kind++) {
        while (fixture_held((enum scripted_kind)kind) > 0) {
            end_one((enum scripted_kind)kind);
        }
    }
}

static void storage_fails_once(void) {
    enum scripted_kind kind = pick_kind();
    if (fixture.store.plan_counts[kind] < MAX_PLANS) {
        fixture_plan(kind, pick_failure(kind));
    }
}

static void clock_gets_doubtful(void) {
    fixture.store.doubt_ms = DOUBT_MS;
}

static void clock_is_certain(void) {
    fixture.store.doubt_ms = 0;
}

static void set_holder(const char *lease) {
    const struct product_pipeline *pipeline = fixture_pipeline();
    if (pipeline != NULL && pipeline->lease != NULL) {
        snprintf(random_run.robbed_lease, sizeof random_run.robbed_lease, "%s",
                 lease_id(pipeline->lease));
    }
    fixture_set_holder(lease);
}

static void others_take_the_lease(void) {
    set_holder(PIPELINE_FIXTURE_OTHER);
}

static void the_lease_is_free(void) {
    set_holder("");
}

static enum fake_call_kind pick_lease_call(void) {
    static const enum fake_call_kind kinds[] = {FAKE_ACQUIRE, FAKE_RENEW, FAKE_RELEASE};
    return kinds[pick(COUNT_OF(kinds))];
}

static void a_lease_call_fails(void) {
    lease_store_fake_script(fixture.lease_service, pick_lease_call(), STATUS_UNAVAILABLE);
}

static void lease_calls_hang(void) {
    lease_store_fake_hold(fixture.lease_service, pick_lease_call(), true);
}

static void lease_calls_hang_no_more(void) {
    for (int kind = 0; kind < FAKE_KINDS; kind++) {
        lease_store_fake_hold(fixture.lease_service, (enum fake_call_kind)kind, false);
        while (lease_store_fake_let_go(fixture.lease_service, (enum fake_call_kind)kind)) {
            fixture_settle();
        }
    }
}

/* As if they held the lease. */
static void others_commit(void) {
    struct product_state state;
    product_state_init(&state);
    ck_assert_int_eq(inventory_store_read_and_wait(&fixture.store.memory.base, "P",
                                                   &(struct inventory_query){0}, &state, NULL),
                     STATUS_OK);
    if (state.product.available > 0) {
        fixture_others_reserve(1);
        random_run.units_of_others++;
    }
    product_state_cleanup(&state);
}

static void a_moment_passes(void) {
    fixture_advance(1 + pick(8));
}

static void time_passes(void) {
    static const int64_t times_ms[] = {20, 100, YIELD_MS, TENURE_MS, 1500, 6000, 20000, 60000};
    fixture_advance(times_ms[pick(COUNT_OF(times_ms))]);
}

static const struct {
    int weight;
    bool is_trouble;
    void (*take)(void);
} steps[] = {{26, false, callers_come},
             {14, false, what_hangs_ends},
             {10, false, storage_hangs_no_more},
             {4, false, lease_calls_hang_no_more},
             {6, false, the_lease_is_free},
             {2, false, clock_is_certain},
             {12, false, a_moment_passes},
             {9, false, time_passes},
             {3, true, storage_hangs},
             {2, true, storage_fails_once},
             {1, true, clock_gets_doubtful},
             {4, true, others_take_the_lease},
             {2, true, a_lease_call_fails},
             {3, true, lease_calls_hang},
             {2, true, others_commit}};

static bool is_spared[COUNT_OF(steps)];

/* Each run is spared some kinds of trouble, so that others come more often upon a busy pipeline. */
static void choose_troubles(void) {
    for (int i = 0; i < COUNT_OF(steps); i++) {
        is_spared[i] = steps[i].is_trouble && chance(SPARED_PERCENT);
    }
}

static void take_step(void) {
    int drawn = pick(100), i = 0;
    while (drawn >= steps[i].weight) {
        drawn -= steps[i++].weight;
    }
    if (!is_spared[i]) {
        steps[i].take();
    }
}

/* ---- during each commit ---- */

static const struct inventory_store_ops *scripted_ops;
static struct inventory_store_ops watched_ops;

/* NULL: none. The lease service knows of the lease, unless storage gave it away behind our back. */
static const char *find_fault_of_commit(int64_t deadline_ms) {
    const struct lease *lease = fixture_pipeline()->lease;
    if (lease == NULL || !lease_manager_is_held(fixture.leases, lease)) {
        return "a commit began without the lease";
    }
    if (deadline_ms > lease_manager_safe_until_ms(fixture.leases, lease)) {
        return "a commit may outlast the lease";
    }
    if (!fixture_is_leased() && strcmp(lease_id(lease), random_run.robbed_lease) != 0) {
        return "a commit began while the lease was free";
    }
    return NULL;
}

/* On the loop's thread, where nothing may fail. */
static void watch_commit(struct inventory_store *store, struct product_state *state,
                         int64_t deadline_ms, inventory_store_done done, void *context) {
    if (random_run.fault_of_commit == NULL) {
        random_run.fault_of_commit = find_fault_of_commit(deadline_ms);
    }
    scripted_ops->commit(store, state, deadline_ms, done, context);
}

static void watch_commits(void) {
    scripted_ops = fixture.store.base.ops;
    watched_ops = *scripted_ops;
    watched_ops.commit = watch_commit;
    fixture.store.base.ops = &watched_ops;
}

/* ---- a run ---- */

static void choose_surroundings(void) {
    static const int64_t timeouts_ms[] = {0, 50, 1000, PIPELINE_FIXTURE_TIMEOUT_MS};
    static const int64_t lifetimes_ms[] = {500, 20000, PIPELINE_FIXTURE_LIFETIME_MS,
                                           PIPELINE_FIXTURE_LIFETIME_MS};
    struct pipeline_shared *shared = &fixture.queues.shared;
    shared->acquire_timeout_ms = timeouts_ms[pick(COUNT_OF(timeouts_ms))];
    shared->reservation_lifetime_ms = lifetimes_ms[pick(COUNT_OF(lifetimes_ms))];
    shared->processing_time_ms = chance(25) ? 30 : 0;
    if (chance(50)) {
        fixture.lease_options.renew_interval_ms =
            fixture.lease_options.duration_s * 10 * RENEW_EARLY_PERCENT;
    }
    random_run.may_lose_answers = chance(50);
    random_run.close_at_step = chance(30) ? pick(STEPS) : -1;
}

void random_run_begin(int seed) {
    watch_commits();
    memset(&random_run, 0, sizeof random_run);
    for (int i = 0; i < RANDOM_RUN_MAX_CALLERS; i++) {
        product_state_init(&random_run.snapshots[i]);
    }
    random_run.started_ms = clock_now_ms(&fixture.clock.base);
    random_run.seed = seed;
    random_run.random_state = (uint64_t)seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    for (int i = 0; i < 5; i++) {
        (void)pick(2); /* the first numbers of seeds that lie side by side are alike */
    }
    choose_surroundings();
    choose_troubles();
}

void random_run_cleanup(void) {
    for (int i = 0; i < RANDOM_RUN_MAX_CALLERS; i++) {
        product_state_cleanup(&random_run.snapshots[i]);
    }
}

void random_run_take_steps(void) {
    for (random_run.step = 0; random_run.step < STEPS && random_run.fault_of_commit == NULL;
         random_run.step++) {
        if (random_run.step == random_run.close_at_step) {
            fixture_close();
        }
        take_step();
    }
}

static bool is_at_rest(void) {
    const struct product_pipeline *pipeline = fixture_pipeline();
    return (pipeline == NULL || product_pipeline_is_idle(pipeline)) && !fixture_is_leased();
}

static void let_time_pass(void) {
    fixture_advance(CALM_STEP_MS);
    for (int i = 0; i < CALM_ROUNDS && !is_at_rest(); i++) {
        fixture_advance(CALM_STEP_MS);
    }
}

void random_run_end(void) {
    clock_is_certain();
    lease_store_fake_end_scripts(fixture.lease_service);
    lease_calls_hang_no_more();
    the_lease_is_free();
    for (int kind = 0; kind < SCRIPTED_KINDS; kind++) {
        fixture_let_go((enum scripted_kind)kind);
        fixture.store.plan_counts[kind] = 0;
        while (fixture_held((enum scripted_kind)kind) > 0) {
            fixture_end((enum scripted_kind)kind, STATUS_OK);
        }
    }
    let_time_pass();
}

void random_run_ask_again(void) {
    int from = random_run.caller_count;
    for (int i = 0; i < RANDOM_RUN_LAST_CALLERS; i++) {
        struct caller like =
            i % 3 == 0 ? make_caller() : reserves_with(random_run_keys[i / 3], USUAL_QUANTITY);
        like.then = NULL;
        add_caller(&like, RANDOM_RUN_MAX_CALLERS);
    }
    caller_submit_all(&random_run.callers[from], RANDOM_RUN_LAST_CALLERS);
    let_time_pass();
}
