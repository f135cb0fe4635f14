#include "inventory/store_preparation.h"

#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "base/correlation.h"
#include "http/loop_call.h"
#include "support/processes/check_main.h"

enum { WAITERS = 3, MAX_RUNS = 4 };

static const struct seed_product seeds[] = {{"A", 100}, {"B", 50}};

static struct event_loop *loop;
static struct platform platform;
static struct inventory_store store;
static struct store_preparation preparation;

/* How the store's `prepare` ends, one run after the other, and when. */
static struct {
    enum status outcomes[MAX_RUNS];
    int runs;
    bool is_held; /* until let_go */
    inventory_store_done done;
    void *context;
    struct loop_task task;
} script;

static void end_prepare(void *unused) {
    struct error err = {.status = STATUS_OK};
    enum status status = script.outcomes[script.runs - 1];
    (void)unused;
    if (status != STATUS_OK) {
        error_set(&err, status, "run %d failed", script.runs);
    }
    script.done(script.context, status, &err);
}

static void prepare(struct inventory_store *asked, const struct seed_product *products,
                    size_t count, inventory_store_done done, void *context) {
    ck_assert_ptr_eq(asked, &store);
    ck_assert_ptr_eq(products, seeds);
    ck_assert_uint_eq(count, 2);
    ck_assert(event_loop_is_current(loop));
    ck_assert_ptr_null(correlation_current()); /* it outlives the request that begins it */
    ck_assert_int_lt(script.runs, MAX_RUNS);
    script.runs++;
    script.done = done;
    script.context = context;
    if (!script.is_held) {
        event_loop_post(loop, &script.task);
    }
}

static void set_up(void) {
    static const struct inventory_store_ops ops = {.prepare = prepare};
    struct error err;
    memset(&script, 0, sizeof script);
    script.task.run = end_prepare;
    ck_assert_int_eq(event_loop_new(&loop, clock_system(), &err), STATUS_OK);
    ck_assert_int_eq(event_loop_start(loop, &err), STATUS_OK);
    platform.loop = loop;
    store = (struct inventory_store){.ops = &ops, .platform = &platform};
    store_preparation_init(&preparation, &store, seeds, 2, false);
}

static void tear_down(void) {
    event_loop_stop(loop);
    event_loop_free(loop);
}

/* ---- waiting ---- */

struct waiter {
    struct preparation_waiter base;
    bool comes_again; /* when it is told the first time */
    bool is_in_call;
    int told_count;
    enum status status;
    char message[512];
    sem_t told;
};

static struct waiter waiters[WAITERS];

static void begin(struct waiter *waiter) {
    static const struct correlation request = {.invocation_id = "somebody's"};
    const struct correlation *before = correlation_use(&request);
    waiter->is_in_call = true;
    store_preparation_await(&preparation, &waiter->base);
    waiter->is_in_call = false;
    ck_assert_ptr_eq(correlation_use(before), &request);
}

static void on_told(void *context, enum status status, const struct error *err) {
    struct waiter *waiter = context;
    ck_assert(event_loop_is_current(loop));
    ck_assert(!waiter->is_in_call);
    ck_assert_int_eq(err->status, status);
    waiter->told_count++;
    waiter->status = status;
    snprintf(waiter->message, sizeof waiter->message, "%s",
             status == STATUS_OK ? "" : err->message);
    if (waiter->comes_again) {
        waiter->comes_again = false;
        begin(waiter);
    } else {
        sem_post(&waiter->told);
    }
}

struct step {
    struct loop_call call;
    void (*act)(int number);
    int number;
};

static void run_step(void *context) {
    struct step *step = context;
    step->act(step->number);
    loop_call_end(&step->call);
}

static void on_loop(void (*act)(int number), int number) {
    struct step step = {.act = act, .number = number};
    loop_call_run(&step.call, loop, run_step, &step);
}

static void come(int number) {
    struct waiter *waiter = &waiters[number];
    bool comes_again = waiter->comes_again;
    *waiter =
        (struct waiter){.base = {.done = on_told, .context = waiter}, .comes_again = comes_again};
    sem_init(&waiter->told, 0, 0);
    begin(waiter);
}

/* Ends the run that is held. */
static void let_go(int unused) {
    (void)unused;
    script.is_held = false;
    end_prepare(NULL);
}

static enum status wait_for(int number) {
    while (sem_wait(&waiters[number].told) != 0) { /* interrupted by a signal */
    }
    return waiters[number].status;
}

static enum status await(int number) {
    on_loop(come, number);
    return wait_for(number);
}

static void note(int status) {
    struct error err;
    error_set(&err, (enum status)status, "storage has said so");
    ck_assert_int_eq(store_preparation_note_status(&preparation, (enum status)status, &err),
                     status);
    bool is_loss = status == STATUS_CONTAINER_NOT_FOUND && !preparation.is_prepared_elsewhere;
    ck_assert_int_eq(strstr(err.message, "the stock has disappeared") != NULL, is_loss);
}

/* ---- tests ---- */

START_TEST(the_first_who_comes_makes_the_store_ready_once) {
    ck_assert(!store_preparation_is_ready(&preparation));
    ck_assert_int_eq(await(0), STATUS_OK);
    ck_assert(store_preparation_is_ready(&preparation));
    ck_assert_int_eq(await(1), STATUS_OK);
    ck_assert_int_eq(script.runs, 1);
}
END_TEST

START_TEST(after_a_failure_the_next_who_comes_tries_again) {
    script.outcomes[0] = STATUS_UNAVAILABLE;
    ck_assert_int_eq(await(0), STATUS_UNAVAILABLE);
    ck_assert_str_eq(waiters[0].message, "run 1 failed");
    ck_assert(!store_preparation_is_ready(&preparation));
    ck_assert_int_eq(await(0), STATUS_OK);
    ck_assert(store_preparation_is_ready(&preparation));
    ck_assert_int_eq(script.runs, 2);
}
END_TEST

/* _i: the outcome */
START_TEST(those_who_come_meanwhile_wait_for_the_same_outcome) {
    static const enum status outcomes[] = {STATUS_OK, STATUS_CANCELLED, STATUS_CONTAINER_NOT_FOUND};
    script.outcomes[0] = outcomes[_i];
    script.is_held = true;
    for (int i = 0; i < WAITERS; i++) {
        on_loop(come, i);
    }
    ck_assert(!store_preparation_is_ready(&preparation));
    on_loop(let_go, 0);
    for (int i = 0; i < WAITERS; i++) {
        ck_assert_int_eq(wait_for(i), outcomes[_i]);
        ck_assert_int_eq(waiters[i].told_count, 1);
    }
    ck_assert_int_eq(script.runs, 1);
}
END_TEST

START_TEST(who_comes_again_when_he_is_told_waits_for_the_next_run) {
    script.outcomes[0] = STATUS_UNAVAILABLE;
    waiters[0].comes_again = true;
    ck_assert_int_eq(await(0), STATUS_OK);
    ck_assert_int_eq(waiters[0].told_count, 2);
    ck_assert_int_eq(script.runs, 2);
}
END_TEST

static void assert_lost(int number) {
    ck_assert_int_eq(await(number), STATUS_CONTAINER_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(waiters[number].message, "the stock has disappeared"));
    ck_assert_ptr_nonnull(strstr(waiters[number].message, "restart every instance"));
    ck_assert(!store_preparation_is_ready(&preparation));
}

START_TEST(a_store_that_disappears_is_never_made_again) {
    ck_assert_int_eq(await(0), STATUS_OK);
    on_loop(note, STATUS_CONTAINER_NOT_FOUND);
    assert_lost(0);
    ck_assert_ptr_nonnull(strstr(waiters[0].message, "storage has said so"));
    on_loop(note, STATUS_CONTAINER_NOT_FOUND);
    assert_lost(1);
    ck_assert_int_eq(script.runs, 1);
}
END_TEST

START_TEST(a_store_that_has_disappeared_while_it_is_made_ready_is_not_made_again_either) {
    script.outcomes[0] = STATUS_CONTAINER_NOT_FOUND;
    assert_lost(0);
    assert_lost(1);
    ck_assert_int_eq(script.runs, 1);
}
END_TEST

/* Whatever becomes of the run: it began before that was known. */
START_TEST(a_loss_outlives_a_run_that_is_under_way) {
    script.outcomes[0] = _i == 0 ? STATUS_OK : STATUS_UNAVAILABLE;
    script.is_held = true;
    on_loop(come, 0);
    on_loop(note, STATUS_CONTAINER_NOT_FOUND);
    on_loop(let_go, 0);
    ck_assert_int_eq(wait_for(0), STATUS_CONTAINER_NOT_FOUND);
    assert_lost(1);
    ck_assert_int_eq(script.runs, 1);
}
END_TEST

START_TEST(other_failures_of_operations_leave_it_ready) {
    ck_assert_int_eq(await(0), STATUS_OK);
    on_loop(note, STATUS_NOT_FOUND);
    on_loop(note, STATUS_UNAVAILABLE);
    ck_assert(store_preparation_is_ready(&preparation));
    ck_assert_int_eq(await(0), STATUS_OK);
    ck_assert_int_eq(script.runs, 1);
}
END_TEST

START_TEST(a_store_that_others_make_ready_is_used_as_it_is) {
    store_preparation_init(&preparation, &store, seeds, 2, true);
    ck_assert(store_preparation_is_ready(&preparation));
    ck_assert_int_eq(await(0), STATUS_OK);
    on_loop(note, STATUS_CONTAINER_NOT_FOUND);
    ck_assert(store_preparation_is_ready(&preparation));
    ck_assert_int_eq(await(0), STATUS_OK);
    ck_assert_int_eq(script.runs, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("store_preparation");
    TCase *tests = tcase_create("store_preparation");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, the_first_who_comes_makes_the_store_ready_once);
    tcase_add_test(tests, after_a_failure_the_next_who_comes_tries_again);
    tcase_add_loop_test(tests, those_who_come_meanwhile_wait_for_the_same_outcome, 0, 3);
    tcase_add_test(tests, who_comes_again_when_he_is_told_waits_for_the_next_run);
    tcase_add_test(tests, a_store_that_disappears_is_never_made_again);
    tcase_add_test(tests,
                   a_store_that_has_disappeared_while_it_is_made_ready_is_not_made_again_either);
    tcase_add_loop_test(tests, a_loss_outlives_a_run_that_is_under_way, 0, 2);
    tcase_add_test(tests, other_failures_of_operations_leave_it_ready);
    tcase_add_test(tests, a_store_that_others_make_ready_is_used_as_it_is);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
