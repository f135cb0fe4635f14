/*
 * test_product_queues.c - which pipelines are kept, what ends when all are closed, and in whose
 * name they log and ask storage.
 */
#include "inventory/product_queues.h"

#include <search.h>
#include <stdio.h>
#include <string.h>

#include "support/fakes/pipeline_fixture.h"
#include "support/fakes/pipeline_states.h"
#include "support/processes/check_main.h"
#include "support/processes/stdout_capture.h"

enum { LOG_BYTES = 16384, SOME = 3 };

/* ---- which pipelines there are ---- */

static struct product_pipeline *pipeline_of(const char *product_id) {
    struct product_pipeline *pipeline;
    TAILQ_FOREACH(pipeline, &fixture.queues.idle, idle_link) {
        if (strcmp(pipeline->product_id, product_id) == 0) {
            return pipeline;
        }
    }
    return NULL;
}

/* A request for a product that does not exist; its pipeline is idle afterwards. */
static void visit(const char *product_id) {
    struct caller caller = caller_reserves(1);
    caller.request.product_id = product_id;
    caller_submit(&caller);
    fixture_advance(LINGER_MS);
    caller_assert_served(&caller, STATUS_NOT_FOUND);
}

START_TEST(what_is_known_of_a_product_is_kept_for_the_last_so_many) {
    char id[32];
    visit("first");
    visit("second");
    for (int i = 2; i < PRODUCT_QUEUES_MAX_IDLE; i++) {
        snprintf(id, sizeof id, "product-%d", i);
        visit(id);
    }
    visit("first"); /* which makes "second" the longest idle */
    ck_assert_int_eq(fixture.queues.idle_count, PRODUCT_QUEUES_MAX_IDLE);
    visit("last");
    ck_assert_int_eq(fixture.queues.idle_count, PRODUCT_QUEUES_MAX_IDLE);
    ck_assert_ptr_nonnull(pipeline_of("first"));
    ck_assert_ptr_null(pipeline_of("second"));
    ck_assert_ptr_nonnull(pipeline_of("last"));
}
END_TEST

START_TEST(a_pipeline_in_use_is_not_idle) {
    struct caller caller = caller_reserves(1);
    pipeline_warm_up();
    ck_assert_ptr_eq(pipeline_of("P"), fixture_pipeline());
    ck_assert_int_eq(fixture.queues.shared.pipelines_in_use, 0);
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&caller);
    ck_assert_ptr_null(pipeline_of("P"));
    ck_assert_int_eq(fixture.queues.shared.pipelines_in_use, 1);
    visit("Q");
    ck_assert_int_eq(fixture.queues.shared.pipelines_in_use, 1);
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    fixture_advance(LINGER_MS);
    ck_assert_ptr_nonnull(pipeline_of("P"));
    ck_assert_int_eq(fixture.queues.shared.pipelines_in_use, 0);
}
END_TEST

static int compare_strings(const void *left, const void *right) {
    return strcmp(left, right);
}

static size_t rows_to_leave;

/* Stands for what many requests would have left in the cache of a product in use. */
static void leave_rows(struct caller *caller) {
    struct reservation like = {.quantity = 1, .expires_ms = INT64_C(1) << 47};
    struct product_pipeline *const *found =
        tfind(caller->request.product_id, &fixture.queues.pipelines, compare_strings);
    struct reservation_list *list = &(*found)->cache.state.reservations;
    while (list->count < rows_to_leave) {
        ck_assert_int_eq(uuid_v8_from_time(random_system(), like.expires_ms, like.id), STATUS_OK);
        ck_assert_ptr_nonnull(reservation_list_add(list, &like, "C"));
        like.expires_ms++;
    }
}

static void use_product(const char *product_id, size_t rows) {
    struct caller caller = caller_reserves(1);
    caller.request.product_id = product_id;
    caller.then = leave_rows;
    rows_to_leave = rows;
    caller_submit(&caller);
    fixture_advance(LINGER_MS);
}

static size_t rows_in(const char *product_id) {
    return pipeline_of(product_id)->cache.state.reservations.count;
}

START_TEST(idle_products_share_the_rows_that_are_kept_and_the_longest_idle_loses_its_rows) {
    enum { HALF = PRODUCT_CACHE_RECENT_ROWS / 2 };
    use_product("one", HALF);
    use_product("two", HALF);
    ck_assert_uint_eq(rows_in("one"), HALF);
    use_product("three", 1);
    ck_assert_uint_eq(rows_in("one"), 0);
    ck_assert_uint_eq(rows_in("two"), HALF);
    ck_assert_uint_eq(rows_in("three"), 1);
    ck_assert_uint_eq(fixture.queues.idle_rows, HALF + 1);
    use_product("two", HALF); /* a product in use does not count */
    ck_assert_uint_eq(fixture.queues.idle_rows, HALF + 1);
}
END_TEST

/* ---- closing ---- */

START_TEST(whoever_comes_after_closing_is_cancelled_though_not_inside_the_call) {
    struct caller caller = caller_reserves(1);
    pipeline_warm_up();
    fixture_close();
    caller_submit(&caller);
    caller_assert_served(&caller, STATUS_CANCELLED);
    ck_assert_int_eq(fixture_acquires(), 1);
}
END_TEST

START_TEST(whoever_comes_back_inside_the_cancellation_is_cancelled_again) {
    struct caller callers[SOME];
    static const char *const products[SOME] = {"P", "Q", "R"};
    fixture_hold_acquire(true);
    fixture.resubmissions = 2 * SOME;
    for (int i = 0; i < SOME; i++) {
        callers[i] = caller_reserves(1);
        callers[i].request.product_id = products[i];
        callers[i].then = caller_submit_again;
        caller_submit(&callers[i]);
    }
    fixture_close();
    for (int i = 0; i < SOME; i++) {
        caller_assert_served(&callers[i], STATUS_CANCELLED);
    }
    ck_assert_int_eq(fixture.served_count, SOME + 2 * SOME);
    fixture_hold_acquire(false);
    for (int i = 0; i < SOME; i++) {
        fixture_answer_acquire(STATUS_OK);
    }
    ck_assert(!fixture_is_leased());
}
END_TEST

/* ---- in whose name ---- */

static char logged[LOG_BYTES];

/*
 * The line that begins so, behind the instance; "": there is none. Of several the first, which is
 * then passed over.
 */
static const char *line_of(const char *begin) {
    static char line[512];
    char *found = strstr(logged, begin);
    line[0] = '\0';
    if (found != NULL) {
        snprintf(line, sizeof line, "%.*s", (int)strcspn(found, "\n"), found);
        found[0] = ' ';
        found[1] = ' ';
    }
    return line;
}

static void assert_logged(const char *begin, const char *invocation_id) {
    const char *line = line_of(begin);
    char end[80];
    snprintf(end, sizeof end, "[invocation %s]", invocation_id);
    ck_assert_msg(strlen(line) > strlen(end) && strcmp(line + strlen(line) - strlen(end), end) == 0,
                  "\"%s\" does not end with %s", line, end);
}

START_TEST(lines_are_written_in_the_name_of_the_first_of_the_batch_and_successes_in_their_own) {
    struct caller callers[] = {caller_reserves(1), caller_reserves(1)};
    stdout_capture_start();
    caller_set_invocation(&callers[0], "one");
    caller_set_invocation(&callers[1], "two");
    caller_submit_all(callers, 2);
    fixture_advance(LINGER_MS);
    stdout_capture_read(logged, sizeof logged);
    stdout_capture_stop();
    assert_logged("✓ Acquired lease", "one");
    assert_logged("✓ Successfully reserved", "one");
    assert_logged("✓ Successfully reserved", "two");
    assert_logged("Releasing lease", "one");
}
END_TEST

START_TEST(a_conflict_is_logged_in_the_name_of_each_who_waited) {
    struct caller callers[] = {caller_reserves(1), caller_reserves(1), caller_reserves(1)};
    fixture.queues.shared.acquire_timeout_ms = 0;
    fixture_set_holder(PIPELINE_FIXTURE_OTHER);
    stdout_capture_start();
    caller_set_invocation(&callers[0], "one");
    caller_set_invocation(&callers[2], "three");
    caller_submit_all(callers, 3);
    stdout_capture_read(logged, sizeof logged);
    stdout_capture_stop();
    assert_logged("Could not acquire lease for product P. Another operation in progress.", "one");
    ck_assert_ptr_null(strchr(line_of("Could not acquire lease"), '['));
    assert_logged("Could not acquire lease", "three");
}
END_TEST

static const enum scripted_kind kinds[] = {SCRIPTED_READ, SCRIPTED_FIND_RECORD, SCRIPTED_COMMIT,
                                           SCRIPTED_INDEX};

/* Also of what outlives the request that it was begun for. */
START_TEST(storage_is_asked_in_the_name_of_the_first_of_the_batch) {
    enum scripted_kind kind = kinds[_i];
    struct caller callers[] = {caller_reserves(1),
                               caller_reserves_with_key(PIPELINE_FIXTURE_UNITS + 1, "key")};
    if (kind == SCRIPTED_INDEX) {
        pipeline_warm_up();
        fixture_advance(60000);
    }
    int first = kind == SCRIPTED_FIND_RECORD ? 1 : 0;
    caller_set_invocation(&callers[0], "one");
    caller_set_invocation(&callers[1], "two");
    fixture_hold(kind);
    caller_submit_all(&callers[first], 2 - first);
    const struct correlation *correlation = scripted_store_correlation(&fixture.store, kind);
    ck_assert_ptr_nonnull(correlation);
    ck_assert_str_eq(correlation->invocation_id, first == 0 ? "one" : "two");
    ck_assert_ptr_ne(correlation, callers[first].request.correlation);
    fixture_let_go(kind);
    fixture_end(kind, STATUS_OK);
    ck_assert_int_eq(callers[1].served, 1);
}
END_TEST

/* _i 0: under the same lease as one that came with an invocation; 1: under the next one */
START_TEST(who_comes_without_an_invocation_is_served_in_nobodys_name) {
    struct caller callers[] = {caller_reserves(1), caller_reserves(1)};
    caller_set_invocation(&callers[0], "one");
    caller_submit(&callers[0]);
    fixture_advance(_i * LINGER_MS);
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&callers[1]);
    ck_assert_ptr_null(scripted_store_correlation(&fixture.store, SCRIPTED_COMMIT));
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
}
END_TEST

/* ---- a pipeline of its own ---- */

static void free_pipeline(void *context, struct product_pipeline *pipeline) {
    product_pipeline_free(pipeline);
    *(bool *)context = true;
}

struct own_submission {
    struct product_pipeline *pipeline;
    struct caller *caller;
};

static void submit_to_own(void *context) {
    const struct own_submission *submission = context;
    product_pipeline_submit(submission->pipeline, &submission->caller->request);
}

static void close_own(void *context) {
    product_pipeline_close(context);
}

/*
 * Whatever has made it idle: 0: it was served, 1: a conflict at its deadline, 2: an acquire failed,
 * 3: closed while acquiring
 */
START_TEST(a_pipeline_may_be_freed_when_it_becomes_idle) {
    bool is_freed = false;
    struct pipeline_shared shared = fixture.queues.shared;
    shared.became_idle = free_pipeline;
    shared.context = &is_freed;
    shared.pipelines_in_use = 1;
    struct caller caller = caller_reserves(1);
    caller_set_invocation(&caller, "one");
    struct own_submission submission = {product_pipeline_new(&shared, "P"), &caller};
    ck_assert_ptr_nonnull(submission.pipeline);
    fixture_set_holder(_i == 1 ? PIPELINE_FIXTURE_OTHER : "");
    if (_i == 2) {
        lease_store_fake_script(fixture.lease_service, FAKE_ACQUIRE, STATUS_UNAUTHORIZED);
    }
    fixture_hold_acquire(_i == 3);
    fixture_run(submit_to_own, &submission);
    if (_i == 3) {
        fixture_run(close_own, submission.pipeline);
        fixture_hold_acquire(false);
        fixture_answer_acquire(STATUS_OK);
    }
    fixture_advance(_i == 1 ? PIPELINE_FIXTURE_TIMEOUT_MS : LINGER_MS);
    ck_assert_int_eq(caller.served, 1);
    ck_assert(is_freed);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("product_queues");
    TCase *tcase = tcase_create("queues");
    tcase_add_checked_fixture(tcase, pipeline_fixture_set_up, pipeline_fixture_tear_down);
    tcase_add_test(tcase, what_is_known_of_a_product_is_kept_for_the_last_so_many);
    tcase_add_test(tcase, a_pipeline_in_use_is_not_idle);
    tcase_add_test(tcase,
                   idle_products_share_the_rows_that_are_kept_and_the_longest_idle_loses_its_rows);
    tcase_add_test(tcase, whoever_comes_after_closing_is_cancelled_though_not_inside_the_call);
    tcase_add_test(tcase, whoever_comes_back_inside_the_cancellation_is_cancelled_again);
    tcase_add_test(
        tcase, lines_are_written_in_the_name_of_the_first_of_the_batch_and_successes_in_their_own);
    tcase_add_test(tcase, a_conflict_is_logged_in_the_name_of_each_who_waited);
    tcase_add_loop_test(tcase, storage_is_asked_in_the_name_of_the_first_of_the_batch, 0,
                        sizeof kinds / sizeof kinds[0]);
    tcase_add_loop_test(tcase, who_comes_without_an_invocation_is_served_in_nobodys_name, 0, 2);
    tcase_add_loop_test(tcase, a_pipeline_may_be_freed_when_it_becomes_idle, 0, 4);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
