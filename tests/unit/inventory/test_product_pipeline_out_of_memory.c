/*
 * test_product_pipeline_out_of_memory.c - every allocation between the queue and the answer fails
 * once, and with all that come after it.
 *
 * Whoever is concerned gets STATUS_NO_MEMORY, and nothing of theirs is stored. The others are
 * served, and so is everybody who asks again. What would leak is seen under the sanitizer.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "inventory/inventory.h"
#include "inventory/inventory_store_wait.h"
#include "support/checks/inventory_adds_up.h"
#include "support/fakes/memory_limit.h"
#include "support/fakes/pipeline_fixture.h"
#include "support/processes/check_main.h"

enum {
    ONE = 1,
    ALL_LATER = INT_MAX / 2,
    MAX_CALLERS = 8,
    MAX_MESSAGES = 32,
    STEP_MS = 100,
    SETTLE_MS = 500,
    NEXT_MINUTE_MS = 90000,
    LATER_MS = 600000,
};

/* ---- a scenario, and what is to be stored after it ---- */

struct scenario {
    void (*prepare)(void);
    int (*make_callers)(struct caller *callers);
    void (*go_on)(void); /* after the callers have come; NULL: nothing happens */
    int64_t available;   /* in the end */
    size_t rows;
    const char *expected_messages[MAX_MESSAGES]; /* of failures that have to be met; up to NULL */
};

static struct caller callers[MAX_CALLERS];
static int caller_count;
static struct product_state snapshot;

/* The messages with which callers failed, over all runs. */
static char messages[MAX_MESSAGES][sizeof((struct error *)0)->message];
static int message_count;

static void note_message(const char *message) {
    for (int i = 0; i < message_count; i++) {
        if (strcmp(messages[i], message) == 0) {
            return;
        }
    }
    ck_assert_int_lt(message_count, MAX_MESSAGES);
    snprintf(messages[message_count++], sizeof messages[0], "%s", message);
}

static bool has_message(const char *expected) {
    for (int i = 0; i < message_count; i++) {
        if (strstr(messages[i], expected) != NULL) {
            return true;
        }
    }
    return false;
}

static void assert_stored(const struct scenario *scenario) {
    struct product_state state;
    product_state_init(&state);
    ck_assert_int_eq(inventory_store_read_and_wait(&fixture.store.memory.base, "P",
                                                   &(struct inventory_query){.all = true}, &state,
                                                   NULL),
                     STATUS_OK);
    int64_t now_ms = fixture.store.base.ops->now_ms(&fixture.store.base);
    ck_assert_int_eq(inventory_available(&state, now_ms), scenario->available);
    ck_assert_uint_eq(state.reservations.count, scenario->rows);
    ck_assert(inventory_adds_up(&state));
    product_state_cleanup(&state);
}

/* ---- one run ---- */

static void let_go_by(int64_t ms) {
    for (int64_t done_ms = 0; done_ms < ms; done_ms += STEP_MS) {
        fixture_advance(STEP_MS);
    }
}

/* Those who failed ask again, now with memory. */
static void ask_again(void) {
    for (int i = 0; i < caller_count; i++) {
        if (callers[i].request.status != STATUS_OK) {
            callers[i].served = 0;
            caller_submit(&callers[i]);
            fixture_advance(SETTLE_MS);
            caller_assert_served(&callers[i], STATUS_OK);
        }
    }
}

/* What was granted under a key is granted once. */
static void repeat_those_with_a_key(void) {
    for (int i = 0; i < caller_count; i++) {
        if (callers[i].request.key_hash[0] != '\0' && callers[i].request.units > 0) {
            callers[i].served = 0;
            caller_submit(&callers[i]);
            fixture_advance(SETTLE_MS);
            caller_assert_granted(&callers[i]);
            ck_assert(callers[i].request.is_repeat);
        }
    }
}

static void check_answers(void) {
    for (int i = 0; i < caller_count; i++) {
        const struct inventory_request *request = &callers[i].request;
        ck_assert_int_eq(callers[i].served, 1);
        if (request->status != STATUS_OK) {
            ck_assert_msg(request->status == STATUS_NO_MEMORY, "%s: %s",
                          status_name(request->status), request->failure.message);
            note_message(request->failure.message);
        }
    }
}

/* Returns how many allocations have failed. */
static int run(const struct scenario *scenario, int first, int count) {
    pipeline_fixture_set_up();
    ck_assert(!fixture_is_leased()); /* the lease service knows the name from here on */
    product_state_init(&snapshot);
    scenario->prepare();
    memset(callers, 0, sizeof callers);
    caller_count = scenario->make_callers(callers);
    memory_limit_begin(first, count);
    caller_submit_all(callers, caller_count);
    if (scenario->go_on != NULL) {
        scenario->go_on();
    }
    let_go_by(SETTLE_MS);
    int failed = memory_limit_end();
    check_answers();
    ask_again();
    repeat_those_with_a_key();
    assert_stored(scenario);
    pipeline_fixture_tear_down();
    product_state_cleanup(&snapshot);
    return failed;
}

static void run_with_every_failure(const struct scenario *scenario, int count) {
    message_count = 0;
    int first = 1;
    while (run(scenario, first, count) > 0) {
        first++;
    }
    for (int i = 0; count == ONE && scenario->expected_messages[i] != NULL; i++) {
        ck_assert_msg(has_message(scenario->expected_messages[i]), "not met: %s",
                      scenario->expected_messages[i]);
    }
}

/* ---- the scenarios ---- */

static void add_customers(void) {
    fixture_add_reservations("bob", 3, LATER_MS);
    fixture_add_reservations("carol", 3, LATER_MS);
}

/* Of each operation one, and a refusal whose key is looked up. */
static int make_one_of_each(struct caller *out) {
    struct caller all[] = {caller_reserves_with_key(5, "granted"),
                           caller_releases("bob", 2),
                           caller_releases("carol", 1),
                           caller_reserves_with_key(2 * PIPELINE_FIXTURE_UNITS, "refused"),
                           caller_sets_total(PIPELINE_FIXTURE_UNITS + 1),
                           caller_reserves(1),
                           caller_expires(),
                           caller_reserves(1)};
    struct inventory_request *last = &all[sizeof all / sizeof all[0] - 1].request;
    last->operation = &operation_snapshot;
    last->snapshot = &snapshot;
    memcpy(out, all, sizeof all);
    return sizeof all / sizeof all[0];
}

static const struct scenario first_requests = {
    .prepare = add_customers,
    .make_callers = make_one_of_each,
    .available = PIPELINE_FIXTURE_UNITS - 6 - 6 + 3 + 1,
    .rows = 5,
    .expected_messages = {"joining the queue of product P", "out of memory",
                          "no memory for an operation on the store",
                          "no memory to look something up", "making a reservation",
                          "no memory to decide a batch", "no memory for the rows of a request",
                          "no memory to read product P", "committing product P: no memory"}};

static void prepare_nothing(void) {
}

static int make_reserves(struct caller *out) {
    out[0] = caller_reserves(1);
    out[1] = caller_reserves(2);
    return 2;
}

static const struct scenario product_without_rows = {.prepare = prepare_nothing,
                                                     .make_callers = make_reserves,
                                                     .available = PIPELINE_FIXTURE_UNITS - 3,
                                                     .rows = 2,
                                                     .expected_messages = {"making a reservation"}};

/* The product is known, and its lease has gone back: the index is written ahead. */
static void prepare_known_product(void) {
    struct caller caller = caller_reserves(1);
    add_customers();
    caller_submit(&caller);
    fixture_advance(SETTLE_MS);
    caller_assert_granted(&caller);
    ck_assert_int_eq(fixture_state(), PIPELINE_IDLE);
    fixture_advance(NEXT_MINUTE_MS);
}

static const struct scenario known_product = {
    .prepare = prepare_known_product,
    .make_callers = make_one_of_each,
    .available = PIPELINE_FIXTURE_UNITS - 7 - 6 + 3 + 1,
    .rows = 6,
    .expected_messages = {"out of memory", "no memory to look something up", "making a reservation",
                          "no memory to decide a batch"}};

/* Others hold the lease: waiting is announced, and later looked for. */
static void prepare_others(void) {
    prepare_known_product();
    fixture_set_holder(PIPELINE_FIXTURE_OTHER);
}

static void let_others_go(void) {
    let_go_by(2 * SETTLE_MS);
    fixture_set_holder("");
    let_go_by(2 * SETTLE_MS);
}

static const struct scenario contended_product = {.prepare = prepare_others,
                                                  .make_callers = make_reserves,
                                                  .go_on = let_others_go,
                                                  .available = PIPELINE_FIXTURE_UNITS - 7 - 3,
                                                  .rows = 9,
                                                  .expected_messages = {"out of memory"}};

/* So many rows have expired that removing them takes two batches. */
static void prepare_expired_rows(void) {
    fixture_add_reservations("old", INVENTORY_MAX_CHANGES + 10, -1);
}

static int make_expiry(struct caller *out) {
    out[0] = caller_reserves(PIPELINE_FIXTURE_UNITS);
    out[1] = caller_expires();
    return 2;
}

static const struct scenario expired_rows = {.prepare = prepare_expired_rows,
                                             .make_callers = make_expiry,
                                             .available = 0,
                                             .rows = 1,
                                             .expected_messages = {"no memory to read product P"}};

static const struct scenario *const scenarios[] = {
    &first_requests, &product_without_rows, &known_product, &contended_product, &expired_rows};
enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0] };

START_TEST(an_allocation_that_fails_fails_those_whom_it_concerns) {
    run_with_every_failure(scenarios[_i], ONE);
}
END_TEST

START_TEST(without_memory_from_some_moment_on_everybody_is_answered) {
    run_with_every_failure(scenarios[_i], ALL_LATER);
}
END_TEST

/* ---- look-ups ---- */

static int make_snapshot_beside_reserve(struct caller *out) {
    out[0] = caller_reserves(1);
    out[0].request.operation = &operation_snapshot;
    out[0].request.snapshot = &snapshot;
    out[1] = caller_reserves(1);
    return 2;
}

static void check_that_a_snapshot_fails_alone(void) {
    if (callers[0].served > 0 && callers[0].request.status != STATUS_OK &&
        strstr(callers[0].request.failure.message, "to look something up") != NULL) {
        caller_assert_granted(&callers[1]);
    }
}

static const struct scenario snapshot_beside_reserve = {
    .prepare = prepare_known_product,
    .make_callers = make_snapshot_beside_reserve,
    .go_on = check_that_a_snapshot_fails_alone,
    .available = PIPELINE_FIXTURE_UNITS - 8,
    .rows = 8,
    .expected_messages = {"no memory to look something up"}};

START_TEST(a_snapshot_that_cannot_be_looked_up_is_nobody_elses_trouble) {
    run_with_every_failure(&snapshot_beside_reserve, ONE);
}
END_TEST

/* The first read is on its way when there is no memory for the second. */
static bool is_second_look_up_refused(int first) {
    struct caller all[] = {caller_releases("bob", 1), caller_releases("carol", 1)};
    pipeline_fixture_set_up();
    prepare_known_product();
    fixture_hold(SCRIPTED_READ);
    memory_limit_begin(first, ONE);
    caller_submit_all(all, 2);
    bool is_refused =
        memory_limit_end() > 0 && fixture_held(SCRIPTED_READ) == 1 && all[0].served == 0;
    if (is_refused) {
        caller_assert_waits(&all[1]);
        fixture_end(SCRIPTED_READ, STATUS_OK);
        caller_assert_served(&all[0], STATUS_NO_MEMORY);
        caller_assert_served(&all[1], STATUS_NO_MEMORY);
        fixture_assert_stored(PIPELINE_FIXTURE_UNITS - 7, 4, 7);
    }
    pipeline_fixture_tear_down();
    return is_refused;
}

START_TEST(a_batch_without_memory_for_a_look_up_waits_for_those_under_way) {
    int first = 1;
    while (!is_second_look_up_refused(first)) {
        ck_assert_int_lt(first++, 20);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("product_pipeline_out_of_memory");
    TCase *tests = tcase_create("failures");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, an_allocation_that_fails_fails_those_whom_it_concerns, 0, SCENARIOS);
    tcase_add_loop_test(tests, without_memory_from_some_moment_on_everybody_is_answered, 0,
                        SCENARIOS);
    tcase_add_test(tests, a_snapshot_that_cannot_be_looked_up_is_nobody_elses_trouble);
    tcase_add_test(tests, a_batch_without_memory_for_a_look_up_waits_for_those_under_way);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
