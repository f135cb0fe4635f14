/*
 * Storage operations that are cancelled or abandoned, waits between them, and deadlines that come
 * while the program works. It runs in virtual time.
 */
#include "storage/storage_client.h"

#include "support/fakes/virtual_storage.h"
#include "support/processes/check_main.h"

enum { DELAY_MS = 700, DEADLINE_MS = 10000 };

/* An operation of a test's, and how it ended. */
struct outcome {
    struct storage_operation operation;
    struct storage_request *request; /* NULL: it waits */
    bool keeps_on;                   /* it starts again when it is cancelled for the first time */
    int ends;
    enum status status;
    bool may_have_happened;
    bool was_too_late; /* to be sent, or sent again */
    int64_t ended_ms;
};

static struct storage_request request;
static bool hangs;
static int lost_count; /* how many calls, from the first on, get no answer */
static enum status lost_as;
static enum status refused_as; /* how the first call is not even sent; STATUS_OK: it is */

static void answer_call(int index, const struct http_call *call, struct virtual_answer *out) {
    (void)call;
    out->http_status = 204;
    out->hangs = hangs;
    out->lost = index < lost_count ? lost_as : STATUS_OK;
    out->refused = index == 0 ? refused_as : STATUS_OK;
}

static void start(struct outcome *outcome);

static void on_end(void *context, enum status status, struct http_reply *reply,
                   const struct error *err) {
    struct outcome *outcome = context;
    (void)reply;
    ck_assert_int_eq(status == STATUS_OK, err->message[0] == '\0');
    outcome->ends++;
    outcome->status = status;
    outcome->may_have_happened = err->may_have_happened;
    outcome->was_too_late = strstr(err->message, "its deadline came before it was sent") != NULL;
    outcome->ended_ms = virtual_loop.now_ms;
    if (outcome->keeps_on) {
        outcome->keeps_on = false;
        start(outcome);
    }
}

static void start(struct outcome *outcome) {
    if (outcome->request == NULL) {
        storage_operation_wait(&outcome->operation, &virtual_client, DELAY_MS, on_end, outcome);
        return;
    }
    storage_operation_start(&outcome->operation, &virtual_client, outcome->request,
                            VIRTUAL_START_MS + DEADLINE_MS, on_end, outcome);
    outcome->operation.is_cancellable = true;
}

static void set_up(void) {
    hangs = false;
    lost_count = 0;
    lost_as = STATUS_UNAVAILABLE;
    refused_as = STATUS_OK;
    virtual_begin();
    storage_request_init(&request, STORAGE_TABLE, "GET", 204);
    strbuf_append_string(&request.path, "/t");
}

static void tear_down(void) {
    virtual_end();
    storage_request_cleanup(&request);
}

static void run(void) {
    while (virtual_step()) {
    }
}

static void assert_cancelled(const struct outcome *outcome, int ends) {
    ck_assert_int_eq(outcome->ends, ends);
    ck_assert_int_eq(outcome->status, STATUS_CANCELLED);
    ck_assert_int_eq(outcome->ended_ms, VIRTUAL_START_MS);
}

/* ---- _i 0: a wait, 1: a request ---- */

static struct outcome outcome_of(int i) {
    return (struct outcome){.request = i == 0 ? NULL : &request};
}

START_TEST(a_wait_ends_when_its_time_has_come) {
    struct outcome outcome = outcome_of(0);
    start(&outcome);
    run();
    ck_assert_int_eq(outcome.ends, 1);
    ck_assert_int_eq(outcome.status, STATUS_OK);
    ck_assert_int_eq(outcome.ended_ms, VIRTUAL_START_MS + DELAY_MS);
    ck_assert_int_eq(virtual_calls, 0);
}
END_TEST

START_TEST(cancelling_ends_what_is_under_way) {
    struct outcome outcome = outcome_of(_i);
    hangs = true;
    start(&outcome);
    if (outcome.request != NULL) {
        ck_assert(virtual_step()); /* it is sent */
    }
    storage_client_cancel(&virtual_client);
    ck_assert_int_eq(outcome.ends, 0); /* not inside this call */
    run();
    assert_cancelled(&outcome, 1);
    ck_assert_int_eq(virtual_calls, _i);
}
END_TEST

START_TEST(cancelling_ends_a_wait_for_the_next_attempt) {
    struct outcome outcome = outcome_of(1);
    lost_count = 1;
    start(&outcome);
    while (virtual_calls == 0 || outcome.operation.state != STORAGE_OPERATION_WAITING) {
        ck_assert(virtual_step());
    }
    ck_assert_int_eq(outcome.ends, 0);
    storage_client_cancel(&virtual_client);
    run();
    assert_cancelled(&outcome, 1);
    ck_assert_int_eq(virtual_calls, 1);
}
END_TEST

START_TEST(what_is_started_behind_a_cancellation_ends_at_once) {
    struct outcome outcome = outcome_of(_i);
    storage_client_cancel(&virtual_client);
    run();
    start(&outcome);
    ck_assert_int_eq(outcome.ends, 0);
    run();
    assert_cancelled(&outcome, 1);
    ck_assert_int_eq(virtual_calls, 0);
}
END_TEST

START_TEST(what_a_cancelled_operation_starts_is_cancelled_too) {
    struct outcome outcome = outcome_of(_i);
    outcome.keeps_on = true;
    start(&outcome);
    storage_client_cancel(&virtual_client);
    run();
    assert_cancelled(&outcome, 2);
}
END_TEST

START_TEST(what_is_not_cancellable_goes_on) {
    struct outcome before = outcome_of(1), behind = outcome_of(1);
    start(&before);
    before.operation.is_cancellable = false;
    storage_client_cancel(&virtual_client);
    run();
    start(&behind);
    behind.operation.is_cancellable = false;
    run();
    ck_assert_int_eq(before.ends + behind.ends, 2);
    ck_assert_int_eq(before.status, STATUS_OK);
    ck_assert_int_eq(behind.status, STATUS_OK);
}
END_TEST

START_TEST(an_abandoned_operation_does_not_call_done) {
    struct outcome outcome = outcome_of(_i);
    hangs = true;
    for (int steps = 0; steps < 2; steps++) {
        start(&outcome);
        if (steps > 0 && outcome.request != NULL) {
            ck_assert(virtual_step());
        }
        storage_operation_abandon(&outcome.operation);
        run();
    }
    ck_assert_int_eq(outcome.ends, 0);
}
END_TEST

/* ---- what may have happened all the same ---- */

/* One attempt whose answer is lost in each way that the network knows. */
START_TEST(a_request_whose_answer_is_lost_or_cannot_be_read_may_have_happened) {
    static const enum status ways[] = {STATUS_UNAVAILABLE, STATUS_NO_MEMORY, STATUS_TOO_LARGE,
                                       STATUS_INTERNAL, STATUS_CANCELLED};
    struct outcome outcome = outcome_of(1);
    request.max_attempts = 1;
    lost_count = 1;
    lost_as = ways[_i];
    start(&outcome);
    run();
    ck_assert_int_eq(outcome.status, ways[_i]);
    ck_assert(outcome.may_have_happened);
    ck_assert_int_eq(virtual_calls, 1);
}
END_TEST

START_TEST(a_request_that_was_not_sent_has_not_happened) {
    struct outcome outcome = outcome_of(1);
    refused_as = STATUS_NO_MEMORY;
    start(&outcome);
    run();
    ck_assert_int_eq(outcome.status, STATUS_NO_MEMORY);
    ck_assert(!outcome.may_have_happened);
}
END_TEST

/* _i 0: cancelled, 1: the client is closed; before the request is sent, and after. */
START_TEST(a_request_that_is_ended_early_may_have_happened_if_it_was_sent) {
    for (int sent = 0; sent < 2; sent++) {
        struct outcome outcome = outcome_of(1);
        hangs = true;
        start(&outcome);
        while (virtual_calls < sent) {
            ck_assert(virtual_step());
        }
        if (_i == 0) {
            storage_client_cancel(&virtual_client);
            run();
        } else if (sent == 1) {
            virtual_drop_calls();
        }
        storage_client_cleanup(&virtual_client);
        storage_request_cleanup(&request);
        assert_cancelled(&outcome, 1);
        ck_assert(outcome.may_have_happened == (sent == 1));
        set_up();
    }
}
END_TEST

/* ---- deadlines that come while the program works ---- */

/*
 * Runs a request. Its first `losses` attempts are lost, and its deadline comes before the clock is
 * read for the `look`th time. Returns false if the clock was read less often.
 */
static bool run_past_deadline(int losses, int look, struct outcome *outcome) {
    set_up();
    lost_count = losses;
    virtual_jump_at = look;
    virtual_jump_ms = DEADLINE_MS;
    *outcome = outcome_of(1);
    start(outcome);
    run();
    ck_assert_int_eq(outcome->ends, 1);
    bool was_taken = virtual_looks >= look;
    tear_down();
    return was_taken;
}

/*
 * A call with no time left fails the test inside the fake network. _i attempts are lost before. The
 * clock is read twice before the first attempt, and once for each attempt.
 */
START_TEST(nothing_is_sent_once_the_deadline_has_come_between_two_looks_at_the_clock) {
    struct outcome outcome;
    int too_late = 0;
    for (int look = 1; run_past_deadline(_i, look, &outcome); look++) {
        ck_assert_int_eq(outcome.status, virtual_calls <= _i ? STATUS_UNAVAILABLE : STATUS_OK);
        too_late += outcome.was_too_late;
        ck_assert(!outcome.was_too_late || outcome.may_have_happened == (virtual_calls > 0));
    }
    ck_assert_int_eq(outcome.status, STATUS_OK); /* the deadline has never come */
    ck_assert_int_ge(too_late, 3 + _i);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("storage_operation");
    TCase *tcase = tcase_create("virtual");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_wait_ends_when_its_time_has_come);
    tcase_add_loop_test(tcase, cancelling_ends_what_is_under_way, 0, 2);
    tcase_add_test(tcase, cancelling_ends_a_wait_for_the_next_attempt);
    tcase_add_loop_test(tcase, what_is_started_behind_a_cancellation_ends_at_once, 0, 2);
    tcase_add_loop_test(tcase, what_a_cancelled_operation_starts_is_cancelled_too, 0, 2);
    tcase_add_test(tcase, what_is_not_cancellable_goes_on);
    tcase_add_loop_test(tcase, an_abandoned_operation_does_not_call_done, 0, 2);
    tcase_add_loop_test(tcase, a_request_whose_answer_is_lost_or_cannot_be_read_may_have_happened,
                        0, 5);
    tcase_add_test(tcase, a_request_that_was_not_sent_has_not_happened);
    tcase_add_loop_test(tcase, a_request_that_is_ended_early_may_have_happened_if_it_was_sent, 0,
                        2);
    suite_add_tcase(suite, tcase);
    TCase *looks = tcase_create("one look after the other");
    tcase_add_loop_test(
        looks, nothing_is_sent_once_the_deadline_has_come_between_two_looks_at_the_clock, 0, 3);
    suite_add_tcase(suite, looks);
    return check_main(suite);
}
