/*
 * A round of reconciliation over a scripted store and a fake lease service, in virtual time: when
 * something fails at any of its steps, when its lease is lost, when the program stops at any step,
 * and when there is no memory. It ends once, never inside its start, and leaves no lease behind.
 */
#include "inventory/reconcile.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/product_pipeline.h"
#include "lease/lease_names.h"
#include "lease/lease_options.h"
#include "support/fakes/lease_store_fake.h"
#include "support/fakes/scripted_store.h"
#include "support/fakes/virtual_storage.h"
#include "support/processes/check_main.h"
#include "support/processes/stdout_capture.h"

/* Operations of the store, and pipelines, get their memory here. */
static int allocations_left;

static void *calloc_while_there_is_some(size_t count, size_t bytes) {
    return allocations_left-- <= 0 ? NULL : calloc(count, bytes);
}

#define calloc calloc_while_there_is_some
#include "inventory/product_pipeline.c" /* NOLINT(bugprone-suspicious-include) */
#include "inventory/store_operation.c"  /* NOLINT(bugprone-suspicious-include) */
#undef calloc

enum {
    MANY = 12,
    TIMEOUT_MS = 5000,
    LIFETIME_MS = 60000,
    CLOSE_MS = 60000,
    RECORD_MS = 3600000,
    LONGEST_MS = 86400000
};
#define OTHER "11111111-1111-4111-8111-111111111111"

static struct scripted_store store;
static struct lease_store_fake *lease_service;
static struct leasehold_options lease_options;
static struct lease_manager *leases;
static struct inventory_service service;
static struct seed_product seeds[MANY];
static const struct correlation invocation = {.invocation_id = "the timer's"};

static struct reconciliation job;
static int ended, most_visits;
static bool is_starting;
static enum status ended_with;
static int64_t ended_ms;
static struct reconcile_result result;
static struct error failure;

/* Nothing is asked of a network here. */
static void answer_call(int index, const struct http_call *call, struct virtual_answer *out) {
    (void)index, (void)call, (void)out;
    ck_abort();
}

/* A lease that nobody releases is renewed for ever. */
static bool step(void) {
    bool more = virtual_step();
    ck_assert_int_le(virtual_loop.now_ms, VIRTUAL_START_MS + LONGEST_MS);
    most_visits = job.visits_under_way > most_visits ? job.visits_under_way : most_visits;
    return more;
}

/* ---- products in which something is due ---- */

static void note(void *context, enum status status, const struct error *err) {
    ck_assert_msg(status == STATUS_OK, "%s", err->message);
    *(bool *)context = true;
}

static void await(const bool *is_over) {
    while (!*is_over) {
        ck_assert(virtual_step());
    }
}

static void read_product(const char *id, struct product_state *out) {
    struct inventory_store *memory = &store.memory.base;
    bool is_read = false;
    product_state_init(out);
    memory->ops->read(memory, id, &(struct inventory_query){.all = true}, out, note, &is_read);
    await(&is_read);
}

/* A reservation that has expired, and a record that need not be kept any longer. */
static void make_due(const char *id) {
    struct inventory_store *memory = &store.memory.base;
    const struct idempotency_record record = {.key_hash = "1",
                                              .keep_until_ms = VIRTUAL_WALL_MS - RECORD_MS};
    const struct reservation *row;
    struct product_state state;
    bool reserved, is_committed = false;
    read_product(id, &state);
    ck_assert_int_eq(inventory_reserve(&state, "C", 1, VIRTUAL_WALL_MS - 2 * LIFETIME_MS,
                                       LIFETIME_MS, random_system(), &reserved, &row),
                     STATUS_OK);
    ck_assert_int_eq(product_state_add_record(&state, &record), STATUS_OK);
    memory->ops->commit(memory, &state, INT64_MAX, note, &is_committed);
    await(&is_committed);
    product_state_cleanup(&state);
}

static int products_left(void) {
    int left = 0;
    for (int i = 0; i < MANY; i++) {
        struct product_state state;
        read_product(seeds[i].id, &state);
        left += state.reservations.count > 0;
        product_state_cleanup(&state);
    }
    return left;
}

/* ---- set up, tear down ---- */

static void prepare(void) {
    struct inventory_store *memory = &store.memory.base;
    bool is_prepared = false;
    memory->ops->prepare(memory, seeds, MANY, note, &is_prepared);
    await(&is_prepared);
}

/* The service has still to make the store ready, which changes nothing. */
static void set_up_with(int due_count) {
    const struct inventory_options options = {.reservation_lifetime_ms = LIFETIME_MS};
    allocations_left = INT32_MAX;
    virtual_begin();
    lease_options = lease_options_default();
    lease_service = lease_store_fake_new(&virtual_loop, &virtual_clock);
    ck_assert_int_eq(lease_manager_new(&leases, &lease_options,
                                       lease_store_fake_store(lease_service), &virtual_platform,
                                       NULL),
                     STATUS_OK);
    scripted_store_init(&store, &virtual_platform);
    for (int i = 0; i < MANY; i++) {
        seeds[i].total = 10;
        snprintf(seeds[i].id, sizeof seeds[i].id, "P%02d", i);
    }
    prepare();
    for (int i = 0; i < due_count; i++) {
        make_due(seeds[i].id);
    }
    inventory_service_init(&service, &virtual_platform, &store.base, leases, &options, TIMEOUT_MS);
    memset(&job, 0, sizeof job);
    ended = most_visits = 0;
}

static void set_up(void) {
    set_up_with(MANY);
}

static void on_closed(void *context, int unreleased) {
    (void)unreleased; /* one that others took from us may count */
    *(bool *)context = true;
}

static void stop_service(void) {
    if (!service.queues.is_closed) {
        product_queues_close(&service.queues);
    }
}

static void tear_down(void) {
    bool is_closed = false;
    allocations_left = INT32_MAX;
    stop_service();
    lease_manager_close_start(leases, virtual_loop.now_ms + CLOSE_MS, on_closed, &is_closed);
    while (step()) {
    }
    ck_assert(is_closed);
    inventory_service_cleanup(&service);
    lease_manager_free(leases);
    scripted_store_cleanup(&store);
    lease_store_fake_free(lease_service);
    virtual_end();
}

/* ---- a round ---- */

static void note_end(void *context, enum status status, const struct reconcile_result *of,
                     const struct error *err) {
    ck_assert_ptr_eq(context, &job);
    ck_assert(!is_starting);
    ck_assert_ptr_null(correlation_current()); /* the invocation may be over */
    ck_assert_int_eq(status == STATUS_OK, of != NULL);
    ck_assert_int_eq(status == STATUS_OK, err->message[0] == '\0');
    ended++;
    ended_with = status;
    ended_ms = virtual_loop.now_ms;
    result = of == NULL ? (struct reconcile_result){0} : *of;
    failure = *err;
}

static void begin(void) {
    const struct correlation *before = correlation_use(&invocation);
    is_starting = true;
    reconcile_start(&job, &service, note_end, &job);
    is_starting = false;
    correlation_use(before);
}

/* Until it has ended: leases that are kept go on being renewed. */
static void finish(void) {
    while (ended == 0) {
        ck_assert(step());
    }
    ck_assert_int_eq(job.state, RECONCILE_ENDED);
    ck_assert_int_eq(job.visits_under_way, 0);
    ck_assert_ptr_null(job.products.ids);
    ck_assert_ptr_null(job.job_lease);
}

static void run(void) {
    begin();
    finish();
}

static bool is_job_leased(void) {
    return lease_store_fake_is_leased(lease_service, RECONCILIATION_LEASE_NAME);
}

static void write_lease_name(int product, char out[LEASE_NAME_BYTES]) {
    snprintf(out, LEASE_NAME_BYTES, PRODUCT_LEASE_PREFIX "P%02d", product);
}

static void set_holder(int product, const char *lease_id) {
    char name[LEASE_NAME_BYTES];
    write_lease_name(product, name);
    lease_store_fake_set_holder(lease_service, name, lease_id);
}

/* Lets everything come to rest: no lease may be left. */
static void assert_all_released(void) {
    while (step()) {
    }
    ck_assert_int_eq(ended, 1);
    ck_assert(!is_job_leased());
    for (int i = 0; i < MANY; i++) {
        char name[LEASE_NAME_BYTES];
        write_lease_name(i, name);
        ck_assert(!lease_store_fake_is_leased(lease_service, name));
    }
}

static void hold(enum scripted_kind kind) {
    store.hold[kind] = true;
}

static void let_go(enum scripted_kind kind, enum status status) {
    store.hold[kind] = false;
    while (scripted_store_held(&store, kind) > 0) {
        scripted_store_end(&store, kind, status);
    }
}

static void await_held(enum scripted_kind kind, int count) {
    while (scripted_store_held(&store, kind) < count) {
        ck_assert(step());
    }
}

START_TEST(all_that_is_due_is_taken_away_a_few_products_at_a_time) {
    run();
    ck_assert_int_eq(ended_with, STATUS_OK);
    ck_assert(result.processed);
    ck_assert_int_eq(result.products_reconciled, MANY);
    ck_assert_int_eq(result.reservations_released, MANY);
    ck_assert_int_eq(most_visits, RECONCILE_VISITS);
    ck_assert_int_eq(products_left(), 0);
    ck_assert_str_eq(lease_store_fake_call(lease_service, FAKE_ACQUIRE, 0).name,
                     RECONCILIATION_LEASE_NAME);
    ck_assert_int_eq(lease_store_fake_call(lease_service, FAKE_ACQUIRE, 0).duration_s,
                     RECONCILIATION_LEASE_S);
    ck_assert_str_eq(lease_store_fake_call(lease_service, FAKE_ACQUIRE, 0).lease_id,
                     result.lease_id);
    assert_all_released();
    ck_assert_int_eq(store.counts[SCRIPTED_FINISH_DUE], MANY);
}
END_TEST

START_TEST(a_round_with_nothing_to_do_ends_well) {
    set_up_with(0);
    run();
    ck_assert_int_eq(ended_with, STATUS_OK);
    ck_assert(result.processed);
    ck_assert_int_eq(result.products_reconciled, 0);
    assert_all_released();
    tear_down();
}
END_TEST

START_TEST(one_round_after_the_other_can_be_made_with_the_same_struct) {
    run();
    assert_all_released();
    make_due("P03");
    ended = 0;
    run();
    ck_assert_int_eq(ended_with, STATUS_OK);
    ck_assert_int_eq(result.products_reconciled, 1);
    ck_assert_int_eq(result.reservations_released, 1);
    assert_all_released();
}
END_TEST

START_TEST(the_duration_is_that_of_the_whole_round) {
    hold(SCRIPTED_FIND_DUE);
    begin();
    await_held(SCRIPTED_FIND_DUE, 1);
    int64_t before_ms = virtual_loop.now_ms;
    while (lease_store_fake_count(lease_service, FAKE_RENEW) == 0) {
        ck_assert(step());
    }
    let_go(SCRIPTED_FIND_DUE, STATUS_OK);
    finish();
    ck_assert_int_ge(result.duration_ms, virtual_loop.now_ms - before_ms);
    assert_all_released();
}
END_TEST

START_TEST(everything_is_asked_in_the_name_of_the_invocation) {
    static const enum scripted_kind kinds[] = {SCRIPTED_FIND_DUE, SCRIPTED_READ, SCRIPTED_COMMIT,
                                               SCRIPTED_FINISH_DUE};
    begin();
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        hold(kinds[i]);
        await_held(kinds[i], 1);
        const struct correlation *of = scripted_store_correlation(&store, kinds[i]);
        ck_assert_ptr_nonnull(of);
        ck_assert_str_eq(of->invocation_id, invocation.invocation_id);
        let_go(kinds[i], STATUS_OK);
    }
    finish();
    ck_assert_int_eq(ended_with, STATUS_OK);
    ck_assert_int_eq(result.products_reconciled, MANY);
    assert_all_released();
}
END_TEST

/* ---- log lines ---- */

static char logged[16384];

static void run_logged(void) {
    stdout_capture_start();
    run();
    stdout_capture_read(logged, sizeof logged);
    stdout_capture_stop();
}

/* So many lines hold this, each in the name of the invocation. */
static void assert_logged(const char *text, int expected) {
    static const char end[] = " [invocation the timer's]";
    int count = 0;
    for (const char *at = logged; (at = strstr(at, text)) != NULL; at++, count++) {
        const char *line_end = strchr(at, '\n');
        ck_assert_msg(strncmp(line_end - strlen(end), end, strlen(end)) == 0, "%s", at);
    }
    ck_assert_int_eq(count, expected);
}

START_TEST(a_round_is_logged_in_the_name_of_the_invocation) {
    set_holder(0, OTHER);
    run_logged();
    set_holder(0, "");
    assert_logged("for reconciliation", 2);
    assert_logged("✓ Acquired lease", MANY);
    assert_logged("Reconciled product P", MANY - 1);
    assert_logged("Reconciled product P11: 1 expired reservations released, 1 records deleted", 1);
    assert_logged("Product P00 is busy; its expired reservations are left for the next round", 1);
}
END_TEST

START_TEST(a_round_elsewhere_is_logged_in_the_name_of_the_invocation) {
    lease_store_fake_set_holder(lease_service, RECONCILIATION_LEASE_NAME, OTHER);
    run_logged();
    lease_store_fake_set_holder(lease_service, RECONCILIATION_LEASE_NAME, "");
    ck_assert(!result.processed);
    ck_assert_str_eq(result.lease_id, "");
    assert_logged("Could not acquire lease for reconciliation. Another instance is at it.", 1);
    assert_logged("lease", 1);
}
END_TEST

/* ---- failures ---- */

enum step { PREPARE, JOB_LEASE, FIND, PRODUCT_LEASE, READ, COMMIT, FINISH };

static void plan(enum step at, enum status status) {
    static const enum scripted_kind kinds[] = {[PREPARE] = SCRIPTED_PREPARE,
                                               [FIND] = SCRIPTED_FIND_DUE,
                                               [READ] = SCRIPTED_READ,
                                               [COMMIT] = SCRIPTED_COMMIT,
                                               [FINISH] = SCRIPTED_FINISH_DUE};
    if (at == PRODUCT_LEASE) {
        lease_store_fake_script(lease_service, FAKE_ACQUIRE, STATUS_OK); /* the job's */
    }
    if (at == JOB_LEASE || at == PRODUCT_LEASE) {
        lease_store_fake_script(lease_service, FAKE_ACQUIRE, status);
    } else {
        scripted_store_plan(&store, kinds[at], status);
    }
}

/* The first time that a step is taken it fails so. What the round ends with, and what is left. */
static const struct {
    enum step at;
    enum status status, round_status;
    int left;    /* products, whose reservations are still there */
    size_t next; /* the first product that was not begun */
} failures[] = {
    {PREPARE, STATUS_UNAVAILABLE, STATUS_UNAVAILABLE, MANY, 0},
    {PREPARE, STATUS_CANCELLED, STATUS_CANCELLED, MANY, 0},
    {PREPARE, STATUS_CONTAINER_NOT_FOUND, STATUS_CONTAINER_NOT_FOUND, MANY, 0},
    {PREPARE, STATUS_NO_MEMORY, STATUS_NO_MEMORY, MANY, 0},
    {JOB_LEASE, STATUS_LEASE_CONFLICT, STATUS_OK, MANY, 0},
    {JOB_LEASE, STATUS_UNAUTHORIZED, STATUS_UNAUTHORIZED, MANY, 0},
    {JOB_LEASE, STATUS_NO_MEMORY, STATUS_NO_MEMORY, MANY, 0},
    {JOB_LEASE, STATUS_CANCELLED, STATUS_CANCELLED, MANY, 0},
    {FIND, STATUS_UNAVAILABLE, STATUS_UNAVAILABLE, MANY, 0},
    {FIND, STATUS_CANCELLED, STATUS_CANCELLED, MANY, 0},
    {FIND, STATUS_MALFORMED, STATUS_MALFORMED, MANY, 0},
    {FIND, STATUS_NO_MEMORY, STATUS_NO_MEMORY, MANY, 0},
    {PRODUCT_LEASE, STATUS_UNAUTHORIZED, STATUS_UNAUTHORIZED, 1, MANY},
    {READ, STATUS_UNAVAILABLE, STATUS_UNAVAILABLE, MANY - 7, 8},
    {READ, STATUS_CANCELLED, STATUS_CANCELLED, MANY - 7, 8},
    {READ, STATUS_CONTAINER_NOT_FOUND, STATUS_CONTAINER_NOT_FOUND, MANY - 7, 8},
    {READ, STATUS_MALFORMED, STATUS_MALFORMED, 1, MANY},
    {READ, STATUS_UNAUTHORIZED, STATUS_UNAUTHORIZED, 1, MANY},
    {READ, STATUS_NO_MEMORY, STATUS_NO_MEMORY, 1, MANY},
    {READ, STATUS_NOT_FOUND, STATUS_OK, 1, MANY}, /* it was taken out of the store */
    {COMMIT, STATUS_UNAVAILABLE, STATUS_UNAVAILABLE, MANY - 7, 8},
    {COMMIT, STATUS_MALFORMED, STATUS_MALFORMED, 1, MANY},
    {COMMIT, STATUS_PRECONDITION_FAILED, STATUS_OK, 1, MANY}, /* so its lease was lost */
    {COMMIT, STATUS_LEASE_LOST, STATUS_OK, 1, MANY},          /* it is left for the next round */
    {FINISH, STATUS_UNAVAILABLE, STATUS_UNAVAILABLE, MANY - 8, 8},
    {FINISH, STATUS_CANCELLED, STATUS_CANCELLED, MANY - 8, 8},
    {FINISH, STATUS_CONTAINER_NOT_FOUND, STATUS_CONTAINER_NOT_FOUND, MANY - 8, 8},
    {FINISH, STATUS_MALFORMED, STATUS_MALFORMED, 0, MANY},
    {FINISH, STATUS_NO_MEMORY, STATUS_NO_MEMORY, 0, MANY},
};
enum { FAILURES = sizeof failures / sizeof failures[0] };

START_TEST(what_fails_fails_the_round_and_the_others_go_on_where_that_may_help) {
    plan(failures[_i].at, failures[_i].status);
    run();
    ck_assert_int_eq(ended_with, failures[_i].round_status);
    ck_assert_uint_eq(job.next_product, failures[_i].next);
    assert_all_released();
    ck_assert_int_eq(products_left(), failures[_i].left);
}
END_TEST

START_TEST(the_first_failure_that_counts_is_told) {
    scripted_store_plan(&store, SCRIPTED_READ, STATUS_LEASE_LOST); /* this one does not */
    scripted_store_plan(&store, SCRIPTED_READ, STATUS_MALFORMED);
    scripted_store_plan(&store, SCRIPTED_READ, STATUS_UNAUTHORIZED);
    run();
    ck_assert_int_eq(ended_with, STATUS_MALFORMED);
    assert_all_released();
    ck_assert_int_eq(products_left(), 3);
}
END_TEST

START_TEST(a_store_that_is_gone_is_noted) {
    scripted_store_plan(&store, SCRIPTED_FIND_DUE, STATUS_CONTAINER_NOT_FOUND);
    run();
    ck_assert_int_eq(ended_with, STATUS_CONTAINER_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(failure.message, "the stock has disappeared"));
    assert_all_released();
    ended = 0;
    run(); /* it is not even asked for */
    ck_assert_int_eq(ended_with, STATUS_CONTAINER_NOT_FOUND);
    ck_assert_int_eq(store.counts[SCRIPTED_FIND_DUE], 1);
    ck_assert_uint_eq(lease_store_fake_count(lease_service, FAKE_ACQUIRE), 1);
}
END_TEST

/* Its visit waits for all of AcquireTimeout, and the other visits go on meanwhile. */
START_TEST(a_busy_product_is_left_and_keeps_no_other_waiting) {
    set_holder(0, OTHER);
    run();
    ck_assert_int_eq(ended_with, STATUS_OK);
    ck_assert_int_eq(result.products_reconciled, MANY - 1);
    ck_assert_int_eq(result.reservations_released, MANY - 1);
    ck_assert_int_eq(products_left(), 1);
    set_holder(0, "");
    assert_all_released();
}
END_TEST

/* ---- the job's lease is lost ---- */

static void lose_job(void) {
    lease_store_fake_set_holder(lease_service, RECONCILIATION_LEASE_NAME, OTHER);
    while (lease_manager_is_held(leases, job.job_lease)) {
        ck_assert(step());
    }
    lease_store_fake_set_holder(lease_service, RECONCILIATION_LEASE_NAME, "");
}

/* Those that are under way are finished, and no other is begun. */
START_TEST(a_job_whose_lease_is_lost_in_the_middle_begins_no_other_product) {
    static const enum scripted_kind kinds[] = {SCRIPTED_FINISH_DUE, SCRIPTED_READ};
    hold(kinds[_i]);
    begin();
    await_held(kinds[_i], RECONCILE_VISITS);
    lose_job();
    let_go(kinds[_i], STATUS_OK);
    finish();
    ck_assert_int_eq(ended_with, STATUS_LEASE_LOST);
    ck_assert_str_eq(failure.message, "the job's lease was lost before product P08");
    ck_assert_uint_eq(job.next_product, RECONCILE_VISITS);
    assert_all_released();
    ck_assert_int_eq(store.counts[SCRIPTED_FINISH_DUE], RECONCILE_VISITS);
    ck_assert_int_eq(products_left(), MANY - RECONCILE_VISITS);
}
END_TEST

START_TEST(a_job_whose_lease_is_lost_while_it_searches_begins_none) {
    hold(SCRIPTED_FIND_DUE);
    begin();
    await_held(SCRIPTED_FIND_DUE, 1);
    lose_job();
    let_go(SCRIPTED_FIND_DUE, STATUS_OK);
    finish();
    ck_assert_int_eq(ended_with, STATUS_LEASE_LOST);
    ck_assert_str_eq(failure.message, "the job's lease was lost before product P00");
    assert_all_released();
    ck_assert_int_eq(store.counts[SCRIPTED_READ], 0);
}
END_TEST

START_TEST(a_lease_that_is_lost_after_the_last_product_was_begun_does_not_matter) {
    set_up_with(RECONCILE_VISITS);
    hold(SCRIPTED_FINISH_DUE);
    begin();
    await_held(SCRIPTED_FINISH_DUE, RECONCILE_VISITS);
    lose_job();
    let_go(SCRIPTED_FINISH_DUE, STATUS_OK);
    finish();
    ck_assert_int_eq(ended_with, STATUS_OK);
    ck_assert_int_eq(result.products_reconciled, RECONCILE_VISITS);
    assert_all_released();
    tear_down();
}
END_TEST

/* ---- stopping ---- */

/* As main.c does: nobody waits for a lease any more, then storage answers nothing any more. */
static void stop_program(void) {
    stop_service();
    lease_manager_cancel_acquires(leases);
    lease_manager_cancel_waits(leases);
    for (int kind = 0; kind < SCRIPTED_KINDS; kind++) {
        store.plan_counts[kind] = 0;
        for (int i = 0; i < SCRIPTED_PLANS; i++) {
            scripted_store_plan(&store, (enum scripted_kind)kind, STATUS_CANCELLED);
        }
        let_go((enum scripted_kind)kind, STATUS_CANCELLED);
    }
}

/* Lets the round take so many steps. Returns whether it has not ended by then. */
static bool is_under_way(int steps) {
    while (steps-- > 0 && ended == 0 && step()) {
    }
    return ended == 0;
}

/* What does not end by itself: operations of a kind, or one of these. */
enum obstacle { NO_OBSTACLE = SCRIPTED_KINDS, BUSY_PRODUCTS, SILENT_LEASE_SERVICE, OBSTACLES };

static void put_up(int obstacle) {
    if (obstacle < SCRIPTED_KINDS) {
        hold((enum scripted_kind)obstacle);
    }
    for (int i = 0; obstacle == BUSY_PRODUCTS && i < MANY; i++) {
        set_holder(i, OTHER);
    }
    lease_store_fake_hold(lease_service, FAKE_ACQUIRE, obstacle == SILENT_LEASE_SERVICE);
}

static void stop_after(int steps, int obstacle) {
    put_up(obstacle);
    begin();
    bool more = is_under_way(steps);
    int64_t stopped_ms = virtual_loop.now_ms;
    stop_program();
    finish();
    ck_assert(!more || ended_ms == stopped_ms);
    ck_assert(ended_with == STATUS_CANCELLED ||
              (ended_with == STATUS_OK && job.next_product == MANY));
    for (int i = 0; obstacle == BUSY_PRODUCTS && i < MANY; i++) {
        set_holder(i, "");
    }
    assert_all_released();
}

START_TEST(a_round_ends_at_once_when_the_program_stops_wherever_it_stands) {
    enum { MOST_STEPS = 150 }; /* with nothing in its way a round takes about a hundred */
    bool more = true;
    for (int steps = 0; more && steps < MOST_STEPS; steps++) {
        set_up_with(MANY);
        stop_after(steps, _i);
        more = ended_with != STATUS_OK;
        tear_down();
    }
}
END_TEST

START_TEST(a_round_that_is_started_while_the_program_stops_ends_at_once) {
    stop_program();
    run();
    ck_assert_int_eq(ended_with, STATUS_CANCELLED);
    ck_assert_int_eq(ended_ms, VIRTUAL_START_MS);
    assert_all_released();
}
END_TEST

/* ---- memory ---- */

START_TEST(a_round_without_memory_ends_and_says_so) {
    bool more = true;
    int failed = 0;
    for (int allocations = 0; more; allocations++) {
        set_up_with(2);
        allocations_left = allocations;
        run();
        more = ended_with == STATUS_NO_MEMORY;
        ck_assert(more || ended_with == STATUS_OK);
        failed += more;
        assert_all_released();
        tear_down();
    }
    ck_assert_int_gt(failed, 7);
}
END_TEST

START_TEST(a_lease_without_memory_fails_the_round) {
    lease_store_fake_refuse(lease_service, FAKE_ACQUIRE, STATUS_NO_MEMORY);
    run();
    ck_assert_int_eq(ended_with, STATUS_NO_MEMORY);
    assert_all_released();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("reconcile");
    TCase *tests = tcase_create("a round"),
          *own = tcase_create("rounds that set up their world themselves");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, all_that_is_due_is_taken_away_a_few_products_at_a_time);
    tcase_add_test(tests, one_round_after_the_other_can_be_made_with_the_same_struct);
    tcase_add_test(tests, the_duration_is_that_of_the_whole_round);
    tcase_add_test(tests, everything_is_asked_in_the_name_of_the_invocation);
    tcase_add_test(tests, a_round_is_logged_in_the_name_of_the_invocation);
    tcase_add_test(tests, a_round_elsewhere_is_logged_in_the_name_of_the_invocation);
    tcase_add_loop_test(tests, what_fails_fails_the_round_and_the_others_go_on_where_that_may_help,
                        0, FAILURES);
    tcase_add_test(tests, the_first_failure_that_counts_is_told);
    tcase_add_test(tests, a_store_that_is_gone_is_noted);
    tcase_add_test(tests, a_busy_product_is_left_and_keeps_no_other_waiting);
    tcase_add_loop_test(tests, a_job_whose_lease_is_lost_in_the_middle_begins_no_other_product, 0,
                        2);
    tcase_add_test(tests, a_job_whose_lease_is_lost_while_it_searches_begins_none);
    tcase_add_test(tests, a_lease_without_memory_fails_the_round);
    tcase_add_test(tests, a_round_that_is_started_while_the_program_stops_ends_at_once);
    tcase_add_test(own, a_round_with_nothing_to_do_ends_well);
    tcase_add_test(own, a_lease_that_is_lost_after_the_last_product_was_begun_does_not_matter);
    tcase_add_loop_test(own, a_round_ends_at_once_when_the_program_stops_wherever_it_stands, 0,
                        OBSTACLES);
    tcase_add_test(own, a_round_without_memory_ends_and_says_so);
    suite_add_tcase(suite, tests);
    suite_add_tcase(suite, own);
    return check_main(suite);
}
