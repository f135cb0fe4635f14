/* Tokens that end or are revoked while callers call. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/processes/login_steps.h"

enum { CLIENTS = 8 };
#define TWO_UNITS "{\"quantity\":2,\"customerId\":\"CUST-123\"}"

static void assert_unavailable(void) {
    struct http_reply reply = http_ask((struct http_ask){.port = app.port, .path = PRODUCT});
    char *output = process_output_from(&app.process, 0);
    assert_is_unavailable(&reply, output);
    free(output);
    http_reply_cleanup(&reply);
}

static void wait_for_requests(size_t count) {
    if (!identity_server_wait(login.server, count, LOG_TIMEOUT_MS)) {
        ck_abort_msg("%zu requests instead of %zu\n%s", identity_server_count(login.server), count,
                     process_output_from(&app.process, 0));
    }
}

/* --- callers --- */

struct callers {
    pthread_t threads[CLIENTS];
    atomic_bool stop;
    atomic_int answers, failures;
    char first_failure
        [512]; /* what was asked and answered; of the thread that counted the first one */
};

static void note_failure(struct callers *callers, const char *path,
                         const struct http_reply *reply) {
    if (atomic_fetch_add(&callers->failures, 1) == 0) {
        snprintf(callers->first_failure, sizeof callers->first_failure, "%s: %d %.400s", path,
                 reply->status, reply->body.data);
    }
}

static void *call_in_turn(void *context) {
    struct callers *callers = context;
    for (int i = 0; !atomic_load(&callers->stop); i++) {
        static const char *const paths[] = {PRODUCT "/reserve", PRODUCT, PRODUCT "/release"};
        const char *body = i % 3 == 1 ? NULL : TWO_UNITS;
        struct http_reply reply =
            http_ask((struct http_ask){.port = app.port, .path = paths[i % 3], .body = body});
        /* With several callers for one customer, somebody finds all released. */
        if (reply.status == 200 || (i % 3 == 2 && reply.status == 404)) {
            atomic_fetch_add(&callers->answers, 1);
        } else {
            note_failure(callers, paths[i % 3], &reply);
        }
        http_reply_cleanup(&reply);
    }
    return NULL;
}

static void start_callers(struct callers *callers) {
    atomic_init(&callers->stop, false), atomic_init(&callers->answers, 0),
        atomic_init(&callers->failures, 0);
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert_int_eq(pthread_create(&callers->threads[i], NULL, call_in_turn, callers), 0);
    }
}

static void stop_callers(struct callers *callers) {
    atomic_store(&callers->stop, true);
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(callers->threads[i], NULL);
    }
}

static void assert_none_failed(const struct callers *callers) {
    if (callers->failures > 0) {
        fprintf(stderr, "%s\n",
                process_output_from(&app.process, 0)); /* too long for check's messages */
        ck_abort_msg("%d of %d failed, the first with %s", callers->failures,
                     callers->failures + callers->answers, callers->first_failure);
    }
}

/* --- tokens that end --- */

START_TEST(tokens_that_live_for_seconds_are_renewed_and_nobody_gets_an_error) {
    enum { LIFETIME_S = 4, TOKENS = 5 };
    prepare(LOGIN_SECRET);
    identity_server_answer(login.server, &(struct identity_answer){.lifetime_s = LIFETIME_S});
    start_handler();
    struct callers callers;
    int64_t start_ms = process_now_ms();
    start_callers(&callers);
    wait_for_requests(TOKENS);
    int64_t took_ms = process_now_ms() - start_ms;
    stop_callers(&callers);
    size_t count = identity_server_count(login.server);
    assert_none_failed(&callers);
    stop_handler();
    ck_assert_int_gt(callers.answers, CLIENTS * 3);
    ck_assert_int_ge(took_ms, LIFETIME_S * 1000); /* the first token has ended meanwhile */
    ck_assert_uint_le(count,
                      TOKENS + 1); /* one for each half of a lifetime, not one for each caller */
}
END_TEST

START_TEST(those_who_wait_for_the_first_token_share_it) {
    prepare(LOGIN_APP_SERVICE);
    identity_server_answer(login.server, &(struct identity_answer){.hang = true});
    start_handler();
    struct callers callers;
    start_callers(&callers);
    wait_for_requests(1);
    identity_server_answer(login.server, &(struct identity_answer){.delay_ms = 0});
    identity_server_let_go(login.server);
    while (callers.answers < CLIENTS * 3 && callers.failures == 0) {
        sched_yield();
    }
    stop_callers(&callers);
    assert_none_failed(&callers);
    ck_assert_uint_eq(identity_server_count(login.server), 1);
    stop_handler();
}
END_TEST

/* How many requests Azurite answered 403 since `mark`. */
static int refusals_since(size_t mark) {
    char *requests = azurite_requests_since(&azurite, mark);
    int count = 0;
    for (const char *at = requests; (at = strstr(at, "\" 403")) != NULL; at++) {
        count++;
    }
    free(requests);
    return count;
}

START_TEST(a_token_that_storage_refuses_is_replaced_once_and_the_request_repeated) {
    prepare(LOGIN_IMDS);
    identity_server_answer_next(login.server, 1,
                                &(struct identity_answer){.actual_lifetime_s = -60});
    size_t mark = azurite_mark(&azurite);
    start_handler();
    assert_status(200, PRODUCT, NULL);
    assert_status(200, PRODUCT "/reserve", TWO_UNITS);
    assert_status(200, PRODUCT "/release", TWO_UNITS);
    stop_handler();
    ck_assert_uint_eq(identity_server_count(login.server), 2);
    int refusals = refusals_since(mark);
    ck_assert_msg(refusals > 0 && refusals <= 3, "%d",
                  refusals); /* the preparation's and the first caller's */
}
END_TEST

START_TEST(a_token_that_is_revoked_in_mid_traffic_is_replaced_unnoticed) {
    prepare(LOGIN_CERTIFICATE);
    identity_server_answer_next(login.server, 1, &(struct identity_answer){.actual_lifetime_s = 3});
    size_t mark = azurite_mark(&azurite);
    start_handler();
    struct callers callers;
    start_callers(&callers);
    wait_for_requests(2);
    int answers = callers.answers;
    while (callers.answers < answers + 3 * CLIENTS && callers.failures == 0) {
        sched_yield();
    }
    stop_callers(&callers);
    assert_none_failed(&callers);
    ck_assert_uint_eq(identity_server_count(login.server), 2);
    ck_assert_int_gt(refusals_since(mark), 0);
    stop_handler();
}
END_TEST

START_TEST(tokens_that_are_all_refused_are_not_asked_for_without_end) {
    prepare(LOGIN_SECRET);
    login_add_setting(&login, "DistributedLeasing:AcquireTimeout=00:00:01");
    identity_server_answer(login.server, &(struct identity_answer){.actual_lifetime_s = -60});
    start_handler();
    for (int i = 0; i < 20; i++) {
        assert_unavailable();
    }
    wait_for_log(0, "AuthenticationFailed");
    ck_assert_uint_le(identity_server_count(login.server), 4);
    stop_handler();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("credentials_expiry");
    TCase *tcase = tcase_create("expiry");
    tcase_add_unchecked_fixture(tcase, start_storage, stop_storage);
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_add_test(tcase, tokens_that_live_for_seconds_are_renewed_and_nobody_gets_an_error);
    tcase_add_test(tcase, those_who_wait_for_the_first_token_share_it);
    tcase_add_test(tcase, a_token_that_storage_refuses_is_replaced_once_and_the_request_repeated);
    tcase_add_test(tcase, a_token_that_is_revoked_in_mid_traffic_is_replaced_unnoticed);
    tcase_add_test(tcase, tokens_that_are_all_refused_are_not_asked_for_without_end);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
