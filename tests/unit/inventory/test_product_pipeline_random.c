/*
 * test_product_pipeline_random.c - the pipeline under random requests, failures, lost leases and
 * waits (support/load/random_run.h), and what holds whatever happened.
 *
 *     SEED=N     the first seed (1)
 *     SEEDS=N    how many, one run each (60)
 *
 * A failure names its seed, and libcheck names it even where a run crashes or hangs. A rare failure
 * may need several runs of its seed.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/inventory.h"
#include "inventory/inventory_store_wait.h"
#include "inventory/product_pipeline.h"
#include "support/checks/inventory_adds_up.h"
#include "support/load/random_run.h"
#include "support/processes/check_main.h"

enum { SEEDS = 60 };

#define FAIL(format, ...)                                                          \
    ck_abort_msg("seed %d, step %d: " format ". To run it again: SEED=%d SEEDS=1", \
                 random_run.seed, random_run.step, __VA_ARGS__, random_run.seed)

/* ---- commits ---- */

/* Each began with the lease. */
static void check_commits(void) {
    if (random_run.fault_of_commit != NULL) {
        FAIL("%s", random_run.fault_of_commit);
    }
}

/* ---- in the end: those who came ---- */

static void check_everybody_was_served_once(void) {
    for (int i = 0; i < random_run.caller_count; i++) {
        if (random_run.callers[i].served != 1) {
            FAIL("caller %d was served %d times, and the pipeline is in state %d", i,
                 random_run.callers[i].served, (int)fixture_state());
        }
    }
}

/* When everything was well again. */
static void check_last_callers(void) {
    for (int i = random_run.caller_count - RANDOM_RUN_LAST_CALLERS; i < random_run.caller_count;
         i++) {
        enum status status = random_run.callers[i].request.status;
        if (fixture.is_closed ? status != STATUS_CANCELLED
                              : status != STATUS_OK && status != STATUS_KEY_REUSED) {
            FAIL("caller %d, who came when everything was well, ended with %s: %s", i,
                 status_name(status), random_run.callers[i].request.failure.message);
        }
    }
}

static void check_answer(int i) {
    const struct inventory_request *request = &random_run.callers[i].request;
    if (request->status != STATUS_OK) {
        return;
    }
    if (request->units < 0 || request->available < 0) {
        FAIL("caller %d was answered with %lld units, and %lld available", i,
             (long long)request->units, (long long)request->available);
    }
    if (request->operation == &operation_reserve && request->units != 0 &&
        request->units != request->quantity) {
        FAIL("caller %d reserved %lld units, not %lld", i, (long long)request->units,
             (long long)request->quantity);
    }
    if (request->operation == &operation_release && request->units > request->quantity) {
        FAIL("caller %d released %lld units, not %lld", i, (long long)request->units,
             (long long)request->quantity);
    }
    if (request->operation == &operation_snapshot && !inventory_adds_up(request->snapshot)) {
        FAIL("the snapshot of caller %d does not add up", i);
    }
}

static void check_answers(void) {
    for (int i = 0; i < random_run.caller_count; i++) {
        check_answer(i);
    }
}

static bool was_carried_out(const struct inventory_request *request) {
    return request->key_hash[0] != '\0' && request->status == STATUS_OK && request->units > 0;
}

static bool are_same_request(const struct inventory_request *left,
                             const struct inventory_request *right) {
    return strcmp(left->key_hash, right->key_hash) == 0 &&
           strcmp(left->request_hash, right->request_hash) == 0;
}

static bool was_refused(const struct inventory_request *request) {
    return request->status == STATUS_OK && request->units == 0;
}

/* A caller who came after the request of its key had been answered gets that answer. */
static void check_no_refused_repeat(int first, int later) {
    const struct inventory_request *left = &random_run.callers[first].request,
                                   *right = &random_run.callers[later].request;
    if (was_carried_out(left) && was_refused(right) && are_same_request(left, right) &&
        random_run.callers[first].place <= random_run.served_before[later]) {
        FAIL("the request of key %s was carried out for caller %d, and then refused for caller %d",
             left->key_hash, first, later);
    }
}

/* What a key was used for is carried out once. */
static void check_pair(int i, int j) {
    const struct inventory_request *left = &random_run.callers[i].request,
                                   *right = &random_run.callers[j].request;
    if (!was_carried_out(left) || !was_carried_out(right) ||
        strcmp(left->key_hash, right->key_hash) != 0) {
        return;
    }
    if (!are_same_request(left, right)) {
        FAIL("callers %d and %d have used the key %s for two requests", i, j, left->key_hash);
    }
    if (!left->is_repeat && !right->is_repeat) {
        FAIL("the request of key %s was carried out for caller %d and for caller %d",
             left->key_hash, i, j);
    }
    if (strcmp(left->reservation.id, right->reservation.id) != 0 || left->units != right->units) {
        FAIL("callers %d and %d have got two answers for the key %s", i, j, left->key_hash);
    }
}

static void check_keys(void) {
    for (int i = 0; i < random_run.caller_count; i++) {
        for (int j = 0; j < i; j++) {
            check_pair(i, j);
            check_no_refused_repeat(j, i);
        }
    }
}

/* ---- in the end: what is stored ---- */

static void check_sums(const struct product_state *state) {
    if (!inventory_adds_up(state) || state->product.available < 0) {
        FAIL("%lld available and %lld reserved are not the total of %lld",
             (long long)state->product.available, (long long)state->reservations.units,
             (long long)state->product.total);
    }
    for (size_t i = 0; i < state->reservations.count; i++) {
        if (state->reservations.rows[i]->quantity <= 0) {
            FAIL("a reservation of %d units is stored", state->reservations.rows[i]->quantity);
        }
    }
}

/* Also where a caller was told of a failure. */
static void check_one_reservation_for_each_key(const struct product_state *state) {
    for (int i = 0; i < RANDOM_RUN_NAMES; i++) {
        int count = 0;
        for (size_t row = 0; row < state->reservations.count; row++) {
            count += strcmp(state->reservations.rows[row]->customer_id, random_run_keys[i]) == 0;
        }
        if (count > 1) {
            FAIL("%d reservations are stored for the key %s", count, random_run_keys[i]);
        }
    }
}

static int64_t units_of_answers(void) {
    int64_t units = 0;
    for (int i = 0; i < random_run.caller_count; i++) {
        const struct inventory_request *request = &random_run.callers[i].request;
        if (request->status != STATUS_OK || request->is_repeat) {
            continue;
        }
        units += request->operation == &operation_reserve ? request->units : 0;
        units -= request->operation == &operation_release ? request->units : 0;
    }
    return units;
}

/* Where callers know of everything that was done, and nothing has expired. */
static void check_units(const struct product_state *state) {
    int64_t lasted_ms = clock_now_ms(&fixture.clock.base) - random_run.started_ms;
    int64_t expected = random_run.units_of_others + units_of_answers();
    if (!random_run.has_lost_answers && lasted_ms < fixture.queues.shared.reservation_lifetime_ms &&
        state->reservations.units != expected) {
        FAIL("%lld units are stored, and %lld were answered", (long long)state->reservations.units,
             (long long)expected);
    }
}

static void check_store(void) {
    struct product_state state;
    product_state_init(&state);
    ck_assert_int_eq(inventory_store_read_and_wait(&fixture.store.memory.base, "P",
                                                   &(struct inventory_query){.all = true}, &state,
                                                   NULL),
                     STATUS_OK);
    check_sums(&state);
    check_one_reservation_for_each_key(&state);
    check_units(&state);
    product_state_cleanup(&state);
}

/* ---- in the end: the pipeline ---- */

static void check_is_at_rest(void) {
    const struct product_pipeline *pipeline = fixture_pipeline();
    if (pipeline != NULL && !product_pipeline_is_idle(pipeline)) {
        FAIL("the pipeline stays in state %d with %d operations in the background",
             (int)pipeline->state, pipeline->background_count);
    }
    if ((pipeline != NULL && pipeline->lease != NULL) || fixture_is_leased()) {
        FAIL("the lease is not released, and the pipeline in state %d", (int)fixture_state());
    }
}

/* ---- runs ---- */

static void tear_down(void) {
    pipeline_fixture_tear_down();
    random_run_cleanup();
}

START_TEST(whatever_happens_everybody_is_served_once_and_the_sums_are_right) {
    random_run_begin(_i);
    random_run_take_steps();
    check_commits();
    random_run_end();
    random_run_ask_again();
    check_commits();
    check_everybody_was_served_once();
    check_is_at_rest();
    check_last_callers();
    check_answers();
    check_keys();
    check_store();
}
END_TEST

/* An environment variable's number. */
static int number_from(const char *name, int otherwise) {
    const char *text = getenv(name);
    long number = text == NULL ? otherwise : strtol(text, NULL, 10);
    return number > 0 && number < INT_MAX / 2 ? (int)number : otherwise;
}

/* The loop's number is the seed, so libcheck names it also where a run crashes or hangs. */
int main(void) {
    int first = number_from("SEED", 1);
    Suite *suite = suite_create("product_pipeline_random");
    TCase *tcase = tcase_create("random");
    tcase_add_checked_fixture(tcase, pipeline_fixture_set_up, tear_down);
    tcase_add_loop_test(tcase, whatever_happens_everybody_is_served_once_and_the_sums_are_right,
                        first, first + number_from("SEEDS", SEEDS));
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
