/*
 * When a token is fetched, to the millisecond, and what requests carry meanwhile. It runs in
 * virtual time, with a source whose answers the test sets.
 */
#include "identity/token_cache.h"

#include "identity/token_source.h"
#include "support/fakes/virtual_storage.h"
#include "support/processes/check_main.h"

enum {
    HOUR_MS = 3600 * 1000,
    REFRESH_MS = HOUR_MS - TOKEN_REFRESH_AHEAD_MS,
    CROWD = 16,
    MIN_INTERVAL_MS = 1000
};

#define URL "https://a.blob.core.windows.net/c/b"

/* A source that answers what the test says, when the test says. */
struct source_fake {
    struct token_source base;
    struct loop_task answer_task;
    int begun;
    int cancelled;
    bool is_under_way;
    bool held;          /* its fetches do not end by themselves */
    bool fails_at_once; /* inside start */
    bool ends_late;     /* not inside cancel */
    enum status answer;
    int64_t lifetime_ms;
    int retry_after_ms;
};

static struct source_fake source;
static struct token_cache cache;
static struct http_headers headers;
static struct strbuf url;
static struct error err;
static unsigned generation;
static int stops;

static void answer_call(int index, const struct http_call *call, struct virtual_answer *out) {
    (void)index, (void)call, (void)out;
    ck_abort_msg("nothing is asked over the network here");
}

/* ---- the fake ---- */

static enum status say_no(struct error *failure, enum status status) {
    error_set(failure, status, "the fake says no");
    failure->retry_after_ms = source.retry_after_ms;
    return status;
}

static void end_fetch(enum status status) {
    struct token token;
    struct error failure = {.status = STATUS_OK};
    token_init(&token);
    ck_assert(source.is_under_way);
    source.is_under_way = false;
    if (status == STATUS_OK) {
        strbuf_appendf(&token.text, "token-%d", source.begun);
        token.expires_ms = virtual_loop.now_ms + source.lifetime_ms;
        token.refresh_ms = token.expires_ms - TOKEN_REFRESH_AHEAD_MS;
    } else {
        say_no(&failure, status);
    }
    source.base.done(source.base.done_context, status, status == STATUS_OK ? &token : NULL,
                     &failure);
    token_cleanup(&token);
}

static void answer_now(void *unused) {
    (void)unused;
    end_fetch(source.answer);
}

static enum status start_fetch(struct token_source *base, const struct platform *platform,
                               struct error *failure) {
    ck_assert_ptr_eq(base, &source.base);
    ck_assert_ptr_eq(platform->loop, &virtual_loop);
    ck_assert_msg(!source.is_under_way, "a second fetch at the same time");
    source.begun++;
    if (source.fails_at_once) {
        return say_no(failure, source.answer);
    }
    source.is_under_way = true;
    if (!source.held) {
        source.answer_task = (struct loop_task){.run = answer_now};
        event_loop_post(&virtual_loop, &source.answer_task);
    }
    return STATUS_OK;
}

static void cancel_fetch(struct token_source *base) {
    (void)base;
    source.cancelled++;
    if (source.is_under_way && !source.ends_late) {
        end_fetch(STATUS_CANCELLED);
    }
}

static void set_source(bool held, enum status answer) {
    source.held = held;
    source.answer = answer;
}

/* ---- steps ---- */

/* Runs everything that is due until then. */
static void run_until(int64_t until_ms) {
    for (;;) {
        const struct timer_entry *first = timer_heap_first(&virtual_loop.timers);
        if (virtual_loop.first_task == NULL && (first == NULL || first->due_ms > until_ms)) {
            break;
        }
        virtual_step();
    }
    virtual_loop.now_ms = until_ms;
}

static void advance(int64_t ms) {
    run_until(virtual_loop.now_ms + ms);
}

static enum status authorize_url(const char *to) {
    http_headers_clear(&headers);
    strbuf_clear(&url);
    strbuf_append_string(&url, to);
    struct credential_request request = {.headers = &headers, .url = &url};
    memset(&err, 0, sizeof err);
    int begun = source.begun;
    enum status status = cache.base.authorize(&cache.base, &request, &err);
    ck_assert_int_eq(source.begun, begun); /* that is the timer's */
    generation = request.token_generation;
    return status;
}

static enum status authorize_request(void) {
    return authorize_url(URL);
}

static void assert_signed_with(const char *authorization) {
    ck_assert_msg(authorize_request() == STATUS_OK, "%s", err.message);
    ck_assert_str_eq(http_headers_get(&headers, "Authorization"), authorization);
}

static int64_t next_wait_ms(void) {
    ck_assert(cache.timer.entry.is_set);
    return cache.timer.entry.due_ms - virtual_loop.now_ms;
}

static void start(enum status answer, bool held) {
    set_source(held, answer);
    token_cache_start(&cache);
    ck_assert_int_eq(source.begun, 0);
    advance(0);
    ck_assert_int_eq(source.begun, 1);
}

static void start_with_token(void) {
    start(STATUS_OK, false);
    ck_assert_uint_eq(cache.generation, 1);
}

static void on_stopped(void *context) {
    ck_assert_ptr_eq(context, &stops);
    stops++;
}

static void stop(void) {
    token_cache_stop(&cache, on_stopped, &stops);
}

static void set_up(void) {
    virtual_begin();
    stops = 0;
    source = (struct source_fake){
        .base = {.name = "a fake", .start = start_fetch, .cancel = cancel_fetch},
        .lifetime_ms = HOUR_MS};
    http_headers_init(&headers);
    strbuf_init(&url, 4096);
    token_cache_init(&cache, &source.base, virtual_client.platform);
}

static void tear_down(void) {
    int before = stops;
    stop();
    ck_assert_int_eq(stops, before + 1);
    virtual_end();
    token_cache_cleanup(&cache);
    strbuf_cleanup(&url);
    http_headers_cleanup(&headers);
}

/* ---- the first token ---- */

START_TEST(the_first_token_is_fetched_at_once_and_signs) {
    start_with_token();
    ck_assert_int_eq(virtual_loop.now_ms, VIRTUAL_START_MS);
    assert_signed_with("Bearer token-1");
    ck_assert_uint_eq(generation, 1);
}
END_TEST

START_TEST(before_the_first_token_a_request_is_told_to_try_again) {
    ck_assert_int_eq(authorize_request(), STATUS_UNAVAILABLE);
    start(STATUS_OK, true);
    ck_assert_int_eq(authorize_request(), STATUS_UNAVAILABLE);
    ck_assert_str_eq(err.message, "no token to sign in with yet");
    ck_assert_ptr_null(http_headers_get(&headers, "Authorization"));
    end_fetch(STATUS_OK);
}
END_TEST

START_TEST(however_many_ask_one_fetch_is_under_way) {
    start(STATUS_OK, true);
    for (int i = 0; i < CROWD; i++) {
        ck_assert_int_eq(authorize_request(), STATUS_UNAVAILABLE);
        advance(1000);
    }
    ck_assert_int_eq(source.begun, 1);
    end_fetch(STATUS_OK);
    assert_signed_with("Bearer token-1");
    advance(MIN_INTERVAL_MS);
    ck_assert_int_eq(source.begun, 1);
}
END_TEST

static const struct {
    enum status fetched;
    enum status told;
} failures[] = {
    {STATUS_NOT_FOUND, STATUS_UNAUTHORIZED},  {STATUS_UNAUTHORIZED, STATUS_UNAUTHORIZED},
    {STATUS_UNAVAILABLE, STATUS_UNAVAILABLE}, {STATUS_MALFORMED, STATUS_UNAVAILABLE},
    {STATUS_TOO_LARGE, STATUS_UNAVAILABLE},   {STATUS_NO_MEMORY, STATUS_UNAVAILABLE},
};

enum { FAILURES = sizeof failures / sizeof failures[0] };

/* A fetch that fails later, and one that cannot be started. */
START_TEST(without_a_token_a_request_is_told_why) {
    source.fails_at_once = _i >= FAILURES;
    start(failures[_i % FAILURES].fetched, false);
    ck_assert_int_eq(authorize_request(), failures[_i % FAILURES].told);
    ck_assert_str_eq(err.message, "no token to sign in with: the fake says no");
    source.fails_at_once = false;
    source.answer = STATUS_OK;
    advance(next_wait_ms());
    assert_signed_with("Bearer token-2");
}
END_TEST

START_TEST(a_token_is_not_sent_over_http_to_another_machine) {
    start_with_token();
    ck_assert_int_eq(authorize_url("http://a.blob.core.windows.net/c/b"), STATUS_INTERNAL);
    ck_assert_ptr_null(http_headers_get(&headers, "Authorization"));
    ck_assert_int_eq(authorize_url("http://127.0.0.1:10000/c/b"), STATUS_OK);
}
END_TEST

/* ---- renewal ---- */

START_TEST(a_token_is_renewed_when_its_time_comes_and_not_before) {
    start_with_token();
    set_source(true, STATUS_OK);
    advance(REFRESH_MS - 1);
    ck_assert_int_eq(source.begun, 1);
    advance(1); /* nobody has to ask for it */
    ck_assert_int_eq(source.begun, 2);
    assert_signed_with("Bearer token-1");
    end_fetch(STATUS_OK);
    assert_signed_with("Bearer token-2");
    ck_assert_uint_eq(generation, 2);
    advance(REFRESH_MS - 1);
    ck_assert_int_eq(source.begun, 2);
    advance(1);
    ck_assert_int_eq(source.begun, 3);
}
END_TEST

START_TEST(a_token_signs_up_to_its_last_millisecond) {
    start_with_token();
    set_source(true, STATUS_OK);
    advance(HOUR_MS - 1);
    assert_signed_with("Bearer token-1");
    advance(1);
    ck_assert_int_eq(authorize_request(), STATUS_UNAVAILABLE);
    end_fetch(STATUS_OK);
    assert_signed_with("Bearer token-2");
}
END_TEST

START_TEST(a_token_that_expires_as_it_comes_is_not_asked_for_in_a_loop) {
    source.lifetime_ms = 0;
    start(STATUS_OK, false);
    ck_assert_int_eq(authorize_request(), STATUS_UNAVAILABLE);
    advance(MIN_INTERVAL_MS - 1);
    ck_assert_int_eq(source.begun, 1);
    advance(1);
    ck_assert_int_eq(source.begun, 2);
}
END_TEST

/* Nothing runs while the machine is suspended, but the clock goes on. */
START_TEST(what_fell_due_while_the_machine_was_suspended_is_fetched_at_once) {
    start_with_token();
    virtual_loop.now_ms += 3 * HOUR_MS;
    ck_assert_int_eq(authorize_request(), STATUS_UNAVAILABLE);
    advance(0);
    assert_signed_with("Bearer token-2");
    ck_assert_int_eq(next_wait_ms(), REFRESH_MS);
}
END_TEST

/* ---- an endpoint that fails ---- */

START_TEST(a_failing_endpoint_does_not_hurt_while_the_token_is_good) {
    start_with_token();
    set_source(false, STATUS_UNAVAILABLE);
    advance(REFRESH_MS);
    ck_assert_int_eq(source.begun, 2);
    assert_signed_with("Bearer token-1");
    advance(TOKEN_REFRESH_AHEAD_MS - 1);
    ck_assert_int_ge(source.begun, 2 + 10); /* at least every 30 s */
    assert_signed_with("Bearer token-1");
    advance(1);
    ck_assert_int_eq(authorize_request(), STATUS_UNAVAILABLE);
    ck_assert_str_eq(err.message, "no token to sign in with: the fake says no");
    source.answer = STATUS_OK;
    advance(TOKEN_MAX_BACKOFF_MS);
    ck_assert_uint_eq(cache.generation, 2);
    ck_assert_int_eq(authorize_request(), STATUS_OK);
}
END_TEST

START_TEST(the_wait_after_a_failure_doubles_up_to_half_a_minute) {
    static const int most_s[] = {2, 4, 8, 16, 30, 30};
    source.fails_at_once = _i == 1;
    start(STATUS_UNAVAILABLE, false);
    for (int i = 0; i < 6; i++) {
        int64_t wait_ms = next_wait_ms();
        ck_assert_int_ge(wait_ms, most_s[i] * 500);
        ck_assert_int_le(wait_ms, most_s[i] * 1000);
        advance(wait_ms - 1);
        ck_assert_int_eq(source.begun, i + 1);
        advance(1);
        ck_assert_int_eq(source.begun, i + 2);
    }
}
END_TEST

START_TEST(an_endpoint_that_asks_for_patience_gets_it_for_a_minute_at_most) {
    source.retry_after_ms = 45000;
    start(STATUS_UNAVAILABLE, false);
    ck_assert_int_eq(next_wait_ms(), 45000);
    source.retry_after_ms = 3600 * 1000;
    advance(45000);
    ck_assert_int_eq(next_wait_ms(), TOKEN_MAX_WAIT_MS);
}
END_TEST

/* ---- rejections ---- */

static bool reject_token(unsigned number) {
    return cache.base.on_rejected(&cache.base, number, false);
}

static bool forbid_token(unsigned number) {
    return cache.base.on_rejected(&cache.base, number, true);
}

START_TEST(a_rejected_token_is_replaced_once_however_many_requests_were_rejected) {
    start_with_token();
    set_source(true, STATUS_OK);
    for (int i = 0; i < CROWD; i++) {
        ck_assert(reject_token(1));
    }
    ck_assert_int_eq(authorize_request(), STATUS_UNAVAILABLE);
    ck_assert_int_eq(source.begun, 1); /* not inside the call */
    advance(0);
    ck_assert_int_eq(source.begun, 2);
    end_fetch(STATUS_OK);
    ck_assert(reject_token(1)); /* the last of those that carried the old token */
    assert_signed_with("Bearer token-2");
    advance(MIN_INTERVAL_MS);
    ck_assert_int_eq(source.begun, 2);
}
END_TEST

START_TEST(a_token_that_is_rejected_while_the_next_is_fetched_costs_no_other_fetch) {
    start_with_token();
    set_source(true, STATUS_OK);
    advance(REFRESH_MS);
    ck_assert(reject_token(1));
    ck_assert_int_eq(authorize_request(), STATUS_UNAVAILABLE);
    advance(0);
    end_fetch(STATUS_OK);
    assert_signed_with("Bearer token-2");
    advance(MIN_INTERVAL_MS);
    ck_assert_int_eq(source.begun, 2);
}
END_TEST

START_TEST(a_new_token_that_is_rejected_as_well_is_kept_for_ten_seconds) {
    start_with_token();
    ck_assert(reject_token(1));
    advance(0);
    ck_assert(!reject_token(2));
    advance(TOKEN_REJECTION_MS - 1);
    ck_assert(!reject_token(2));
    assert_signed_with("Bearer token-2");
    ck_assert_int_eq(source.begun, 2);
    advance(1);
    ck_assert(reject_token(2));
    advance(0);
    ck_assert_int_eq(source.begun, 3);
}
END_TEST

START_TEST(a_forbidden_token_is_used_while_the_next_is_fetched) {
    start_with_token();
    set_source(true, STATUS_OK);
    ck_assert(!forbid_token(1)); /* that request fails at once */
    advance(MIN_INTERVAL_MS - 1);
    ck_assert_int_eq(source.begun, 1);
    advance(1);
    ck_assert_int_eq(source.begun, 2);
    assert_signed_with("Bearer token-1");
    end_fetch(STATUS_OK);
    assert_signed_with("Bearer token-2");
    ck_assert(forbid_token(1)); /* sent with the old token: the new one may help */
}
END_TEST

START_TEST(forbidden_tokens_are_replaced_every_ten_seconds_at_most) {
    start_with_token();
    advance(MIN_INTERVAL_MS);
    ck_assert(!forbid_token(1));
    advance(0);
    ck_assert_int_eq(source.begun, 2);
    advance(TOKEN_REJECTION_MS - 1);
    ck_assert(!forbid_token(2));
    advance(0);
    ck_assert_int_eq(source.begun, 2);
    ck_assert(reject_token(2)); /* a 401 is handled apart from a 403 */
    advance(0);
    ck_assert_int_eq(source.begun, 3);
}
END_TEST

START_TEST(a_rejection_does_not_make_a_failing_endpoint_asked_more_often) {
    start_with_token();
    set_source(false, STATUS_UNAVAILABLE);
    advance(REFRESH_MS);
    int64_t wait_ms = next_wait_ms();
    ck_assert(reject_token(1));
    ck_assert_int_eq(authorize_request(), STATUS_UNAVAILABLE);
    advance(wait_ms - 1);
    ck_assert_int_eq(source.begun, 2);
    advance(1);
    ck_assert_int_eq(source.begun, 3);
}
END_TEST

/* ---- stopping ---- */

static void assert_nothing_is_fetched(int begun) {
    ck_assert_uint_eq(virtual_loop.timers.count, 0);
    advance(24 * HOUR_MS);
    ck_assert_int_eq(source.begun, begun);
}

START_TEST(stopping_cancels_a_fetch_and_the_token_stays_good) {
    start_with_token();
    set_source(true, STATUS_OK);
    advance(REFRESH_MS);
    stop();
    ck_assert_int_eq(stops, 1);
    ck_assert_int_eq(source.cancelled, 1);
    assert_signed_with("Bearer token-1");
    assert_nothing_is_fetched(2);
}
END_TEST

START_TEST(stopping_waits_for_a_fetch_that_takes_a_moment_to_end) {
    source.ends_late = true;
    start(STATUS_OK, true);
    stop();
    advance(50);
    ck_assert_int_eq(stops, 0);
    end_fetch(_i == 0 ? STATUS_CANCELLED : STATUS_UNAVAILABLE);
    ck_assert_int_eq(stops, 1);
    assert_nothing_is_fetched(1);
}
END_TEST

START_TEST(after_a_stop_nothing_is_fetched_for_any_reason) {
    start_with_token();
    stop();
    ck_assert_int_eq(source.cancelled, 1); /* an earlier fetch may have left a file that hangs */
    ck_assert(!forbid_token(1));
    ck_assert(reject_token(1));
    assert_nothing_is_fetched(1);
    stop();
    ck_assert_int_eq(stops, 2);
}
END_TEST

/* As if the transport were stopped first. */
START_TEST(without_a_network_nothing_is_fetched_again) {
    start(STATUS_CANCELLED, false);
    assert_nothing_is_fetched(1);
    ck_assert_int_eq(cache.failures, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("token_cache");
    TCase *tcase = tcase_create("token_cache");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, the_first_token_is_fetched_at_once_and_signs);
    tcase_add_test(tcase, before_the_first_token_a_request_is_told_to_try_again);
    tcase_add_test(tcase, however_many_ask_one_fetch_is_under_way);
    tcase_add_loop_test(tcase, without_a_token_a_request_is_told_why, 0, 2 * FAILURES);
    tcase_add_test(tcase, a_token_is_not_sent_over_http_to_another_machine);
    tcase_add_test(tcase, a_token_is_renewed_when_its_time_comes_and_not_before);
    tcase_add_test(tcase, a_token_signs_up_to_its_last_millisecond);
    tcase_add_test(tcase, a_token_that_expires_as_it_comes_is_not_asked_for_in_a_loop);
    tcase_add_test(tcase, what_fell_due_while_the_machine_was_suspended_is_fetched_at_once);
    tcase_add_test(tcase, a_failing_endpoint_does_not_hurt_while_the_token_is_good);
    tcase_add_loop_test(tcase, the_wait_after_a_failure_doubles_up_to_half_a_minute, 0, 2);
    tcase_add_test(tcase, an_endpoint_that_asks_for_patience_gets_it_for_a_minute_at_most);
    tcase_add_test(tcase, a_rejected_token_is_replaced_once_however_many_requests_were_rejected);
    tcase_add_test(tcase, a_token_that_is_rejected_while_the_next_is_fetched_costs_no_other_fetch);
    tcase_add_test(tcase, a_new_token_that_is_rejected_as_well_is_kept_for_ten_seconds);
    tcase_add_test(tcase, a_forbidden_token_is_used_while_the_next_is_fetched);
    tcase_add_test(tcase, forbidden_tokens_are_replaced_every_ten_seconds_at_most);
    tcase_add_test(tcase, a_rejection_does_not_make_a_failing_endpoint_asked_more_often);
    tcase_add_test(tcase, stopping_cancels_a_fetch_and_the_token_stays_good);
    tcase_add_loop_test(tcase, stopping_waits_for_a_fetch_that_takes_a_moment_to_end, 0, 2);
    tcase_add_test(tcase, after_a_stop_nothing_is_fetched_for_any_reason);
    tcase_add_test(tcase, without_a_network_nothing_is_fetched_again);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
