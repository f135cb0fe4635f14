#include "storage/token_cache.h"

#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/condition.h"
#include "support/check_main.h"
#include "support/clock_fake.h"

enum { WAIT_MS = 30000, HOUR_MS = 3600 * 1000, REFRESH_MS = HOUR_MS - TOKEN_REFRESH_AHEAD_MS, CROWD = 16 };

#define URL "https://a.blob.core.windows.net/c/b"

/* The fake clock, with a count of the looks that the cache's thread takes at it. */
struct counting_clock {
    struct clock base;
    struct clock_fake fake;
    pthread_t test;
    atomic_int looks;
};

/* A source that answers what the test says, when the test says. */
struct source_fake {
    struct token_source base;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int begun;
    bool held; /* fetches wait, for `held` to end or for the context's stop */
    enum status answer;
    int64_t lifetime_ms;
    int retry_after_ms;
};

static struct counting_clock the_clock;
static struct source_fake source;
static struct http_transport *transport;
static struct token_cache cache;
static struct http_headers headers;
static struct strbuf url;
static struct error err;
static unsigned generation;

/* --- the fakes --- */

static int64_t now_ms(const struct clock *clock) {
    (void)clock;
    int64_t now = clock_now_ms(&the_clock.fake.base);
    if (!pthread_equal(pthread_self(), the_clock.test)) {
        atomic_fetch_add(&the_clock.looks, 1);
    }
    return now;
}

static int64_t wall_ms(const struct clock *clock) {
    (void)clock;
    return clock_wall_ms(&the_clock.fake.base);
}

static bool stop_was_asked(const struct token_context *context, int wait_ms) {
    struct pollfd fd = {.fd = context->stop_fd, .events = POLLIN};
    return poll(&fd, 1, wait_ms) == 1;
}

static enum status fetch(struct token_source *base, const struct token_context *context, struct token *out,
                         struct error *failure) {
    struct source_fake *self = (struct source_fake *)base;
    pthread_mutex_lock(&self->lock);
    self->begun++;
    int number = self->begun;
    pthread_cond_broadcast(&self->changed);
    bool stopped = false;
    while (self->held && !stopped) {
        pthread_mutex_unlock(&self->lock);
        stopped = stop_was_asked(context, 1);
        pthread_mutex_lock(&self->lock);
    }
    enum status status = stopped ? STATUS_CANCELLED : self->answer;
    if (status == STATUS_OK) {
        int64_t now = clock_now_ms(context->clock);
        strbuf_appendf(&out->text, "token-%d", number);
        out->expires_ms = now + self->lifetime_ms;
        out->refresh_ms = out->expires_ms - TOKEN_REFRESH_AHEAD_MS;
    } else {
        error_set(failure, status, "the fake says no");
        failure->retry_after_ms = self->retry_after_ms;
    }
    pthread_mutex_unlock(&self->lock);
    return status;
}

static void set_source(bool held, enum status answer) {
    pthread_mutex_lock(&source.lock);
    source.held = held;
    source.answer = answer;
    pthread_mutex_unlock(&source.lock);
}

static int begun(void) {
    pthread_mutex_lock(&source.lock);
    int count = source.begun;
    pthread_mutex_unlock(&source.lock);
    return count;
}

static void wait_begun(int count) {
    struct timespec until = condition_deadline(WAIT_MS);
    pthread_mutex_lock(&source.lock);
    while (source.begun < count) {
        ck_assert_msg(condition_wait_until(&source.changed, &source.lock, &until), "fetch %d never came", count);
    }
    ck_assert_int_eq(source.begun, count);
    pthread_mutex_unlock(&source.lock);
}

/* --- steps --- */

static enum status authorize_url(const char *to) {
    http_headers_release(&headers);
    http_headers_init(&headers);
    strbuf_clear(&url);
    strbuf_append_string(&url, to);
    struct credential_request request = {.headers = &headers, .url = &url};
    memset(&err, 0, sizeof err);
    enum status status = cache.base.authorize(&cache.base, &request, &err);
    generation = request.generation;
    return status;
}

static enum status authorize(void) {
    return authorize_url(URL);
}

static void assert_signed_with(const char *authorization) {
    ck_assert_msg(authorize() == STATUS_OK, "%s", err.message);
    ck_assert_str_eq(http_headers_get(&headers, "Authorization"), authorization);
}

/* Until the thread has settled fetch number `count`, whatever came of it. */
static void wait_settled(int count) {
    int64_t deadline_ms = clock_now_ms(clock_system()) + WAIT_MS;
    wait_begun(count);
    for (;;) {
        pthread_mutex_lock(&cache.lock);
        bool settled = (int)cache.generation + cache.failures >= count;
        pthread_mutex_unlock(&cache.lock);
        if (settled) {
            return;
        }
        ck_assert_msg(clock_now_ms(clock_system()) < deadline_ms, "fetch %d is never settled", count);
        sched_yield();
    }
}

static int64_t next_wait_ms(void) {
    pthread_mutex_lock(&cache.lock);
    int64_t wait_ms = cache.next_ms - clock_now_ms(&the_clock.fake.base);
    pthread_mutex_unlock(&cache.lock);
    return wait_ms;
}

/* Makes the thread look at the clock once more; fails if it is busy fetching. */
static void nudge(void) {
    int64_t deadline_ms = clock_now_ms(clock_system()) + WAIT_MS / 10;
    pthread_mutex_lock(&cache.lock);
    int before = atomic_load(&the_clock.looks);
    pthread_cond_signal(&cache.changed);
    pthread_mutex_unlock(&cache.lock);
    while (atomic_load(&the_clock.looks) == before) {
        ck_assert_msg(clock_now_ms(clock_system()) < deadline_ms, "the thread is fetching");
        sched_yield();
    }
}

static void assert_nothing_is_fetched(void) {
    nudge();
    nudge(); /* had the first look made it fetch, it would not look again */
}

static void start(enum status answer, bool held) {
    set_source(held, answer);
    ck_assert_int_eq(token_cache_start(&cache, &source.base, transport, &the_clock.base, &err), STATUS_OK);
}

static void start_with_token(void) {
    start(STATUS_OK, false);
    wait_settled(1);
}

static void advance(int64_t ms) {
    clock_fake_advance(&the_clock.fake, ms);
}

static void set_up(void) {
    the_clock.base = (struct clock){.now_ms = now_ms, .wall_ms = wall_ms};
    the_clock.test = pthread_self();
    clock_fake_init(&the_clock.fake, 1000, 1737288000000LL);
    source = (struct source_fake){.base = {.name = "a fake", .fetch = fetch}, .lifetime_ms = HOUR_MS};
    pthread_mutex_init(&source.lock, NULL);
    condition_init(&source.changed);
    http_headers_init(&headers);
    strbuf_init(&url, 4096);
    ck_assert_int_eq(http_transport_new(&transport, clock_system(), &err), STATUS_OK);
}

static void tear_down(void) {
    token_cache_stop(&cache);
    token_cache_release(&cache);
    http_transport_free(transport);
    strbuf_release(&url);
    http_headers_release(&headers);
    pthread_cond_destroy(&source.changed);
    pthread_mutex_destroy(&source.lock);
}

/* --- the first token --- */

START_TEST(the_first_token_is_fetched_at_once_and_signs) {
    start_with_token();
    assert_signed_with("Bearer token-1");
    ck_assert_uint_eq(generation, 1);
}
END_TEST

START_TEST(before_the_first_token_a_request_is_told_to_try_again) {
    start(STATUS_OK, true);
    wait_begun(1);
    ck_assert_int_eq(authorize(), STATUS_UNAVAILABLE);
    ck_assert_str_eq(err.message, "no token to sign in with yet");
    ck_assert_ptr_null(http_headers_get(&headers, "Authorization"));
}
END_TEST

static void *ask(void *user) {
    (void)user;
    struct http_headers own;
    struct strbuf own_url;
    http_headers_init(&own);
    strbuf_init(&own_url, 4096);
    strbuf_append_string(&own_url, URL);
    struct credential_request request = {.headers = &own, .url = &own_url};
    enum status status = cache.base.authorize(&cache.base, &request, NULL);
    http_headers_release(&own);
    strbuf_release(&own_url);
    return status == STATUS_UNAVAILABLE ? &cache : NULL;
}

START_TEST(however_many_ask_one_fetch_is_under_way) {
    pthread_t crowd[CROWD];
    start(STATUS_OK, true);
    wait_begun(1);
    for (int i = 0; i < CROWD; i++) {
        ck_assert_int_eq(pthread_create(&crowd[i], NULL, ask, NULL), 0);
    }
    for (int i = 0; i < CROWD; i++) {
        void *waited = NULL;
        pthread_join(crowd[i], &waited);
        ck_assert_ptr_nonnull(waited);
    }
    set_source(false, STATUS_OK);
    wait_settled(1);
    assert_signed_with("Bearer token-1");
    set_source(true, STATUS_OK);
    assert_nothing_is_fetched();
    ck_assert_int_eq(begun(), 1);
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

START_TEST(without_a_token_a_request_is_told_why) {
    start(failures[_i].fetched, false);
    wait_settled(1);
    ck_assert_int_eq(authorize(), failures[_i].told);
    ck_assert_str_eq(err.message, "no token to sign in with: the fake says no");
}
END_TEST

START_TEST(a_token_is_not_sent_over_http_to_another_machine) {
    start_with_token();
    ck_assert_int_eq(authorize_url("http://a.blob.core.windows.net/c/b"), STATUS_INTERNAL);
    ck_assert_ptr_null(http_headers_get(&headers, "Authorization"));
    ck_assert_int_eq(authorize_url("http://127.0.0.1:10000/c/b"), STATUS_OK);
}
END_TEST

/* --- renewal --- */

START_TEST(a_token_is_renewed_when_its_time_comes_and_not_before) {
    start_with_token();
    set_source(true, STATUS_OK);
    advance(REFRESH_MS - 1);
    assert_signed_with("Bearer token-1");
    assert_nothing_is_fetched();
    advance(1);
    assert_signed_with("Bearer token-1"); /* which tells the thread */
    wait_begun(2);
    assert_signed_with("Bearer token-1");
    set_source(false, STATUS_OK);
    wait_settled(2);
    assert_signed_with("Bearer token-2");
    ck_assert_uint_eq(generation, 2);
}
END_TEST

START_TEST(a_token_signs_up_to_its_last_millisecond) {
    start_with_token();
    set_source(true, STATUS_OK);
    advance(HOUR_MS - 1);
    assert_signed_with("Bearer token-1");
    advance(1);
    ck_assert_int_eq(authorize(), STATUS_UNAVAILABLE);
    wait_begun(2);
    set_source(false, STATUS_OK);
    wait_settled(2);
    assert_signed_with("Bearer token-2");
}
END_TEST

START_TEST(a_token_that_expires_as_it_comes_is_not_asked_for_in_a_loop) {
    source.lifetime_ms = 0;
    start(STATUS_OK, false);
    wait_settled(1);
    set_source(true, STATUS_OK);
    ck_assert_int_eq(authorize(), STATUS_UNAVAILABLE);
    assert_nothing_is_fetched();
    advance(999);
    assert_nothing_is_fetched();
    advance(1);
    ck_assert_int_eq(authorize(), STATUS_UNAVAILABLE);
    wait_begun(2);
}
END_TEST

/* --- an endpoint that fails --- */

START_TEST(a_failing_endpoint_does_not_hurt_while_the_token_is_good) {
    start_with_token();
    set_source(false, STATUS_UNAVAILABLE);
    advance(REFRESH_MS);
    assert_signed_with("Bearer token-1");
    wait_settled(2);
    assert_signed_with("Bearer token-1");
    advance(TOKEN_REFRESH_AHEAD_MS - 1);
    assert_signed_with("Bearer token-1");
    wait_settled(3);
    advance(1);
    ck_assert_int_eq(authorize(), STATUS_UNAVAILABLE);
    ck_assert_str_eq(err.message, "no token to sign in with: the fake says no");
    set_source(false, STATUS_OK);
    advance(TOKEN_MAX_BACKOFF_MS);
    authorize();
    wait_begun(4);
    while (authorize() != STATUS_OK) {
        sched_yield();
    }
    assert_signed_with("Bearer token-4");
}
END_TEST

START_TEST(the_wait_after_a_failure_doubles_up_to_half_a_minute) {
    static const int most_s[] = {2, 4, 8, 16, 30, 30};
    start(STATUS_UNAVAILABLE, false);
    for (int i = 0; i < 6; i++) {
        wait_settled(i + 1);
        int64_t wait_ms = next_wait_ms();
        ck_assert_int_ge(wait_ms, most_s[i] * 500);
        ck_assert_int_le(wait_ms, most_s[i] * 1000);
        set_source(true, STATUS_UNAVAILABLE);
        advance(wait_ms - 1);
        assert_nothing_is_fetched();
        set_source(false, STATUS_UNAVAILABLE);
        advance(1);
        authorize();
    }
}
END_TEST

START_TEST(an_endpoint_that_asks_for_patience_gets_it_for_a_minute_at_most) {
    source.retry_after_ms = 45000;
    start(STATUS_UNAVAILABLE, false);
    wait_settled(1);
    ck_assert_int_eq(next_wait_ms(), 45000);
    source.retry_after_ms = 3600 * 1000;
    advance(45000);
    authorize();
    wait_settled(2);
    ck_assert_int_eq(next_wait_ms(), TOKEN_MAX_WAIT_MS);
}
END_TEST

/* --- refusals --- */

static bool refused(unsigned number) {
    return cache.base.refused(&cache.base, number, false);
}

static bool refused_but_believed(unsigned number) {
    return cache.base.refused(&cache.base, number, true);
}

START_TEST(a_refused_token_is_fetched_anew_once_however_many_were_refused) {
    start_with_token();
    set_source(true, STATUS_OK);
    for (int i = 0; i < CROWD; i++) {
        ck_assert(refused(1));
    }
    ck_assert_int_eq(authorize(), STATUS_UNAVAILABLE);
    wait_begun(2);
    set_source(false, STATUS_OK);
    wait_settled(2);
    set_source(true, STATUS_OK);
    ck_assert(refused(1)); /* the last of those that carried the old token */
    assert_signed_with("Bearer token-2");
    assert_nothing_is_fetched();
}
END_TEST

START_TEST(a_new_token_that_is_refused_as_well_is_kept_for_ten_seconds) {
    start_with_token();
    ck_assert(refused(1));
    wait_settled(2);
    set_source(true, STATUS_OK);
    ck_assert(!refused(2));
    advance(TOKEN_REFUSAL_MS - 1);
    ck_assert(!refused(2));
    assert_signed_with("Bearer token-2");
    assert_nothing_is_fetched();
    advance(1);
    ck_assert(refused(2));
    wait_begun(3);
}
END_TEST

START_TEST(a_believed_token_serves_on_while_the_next_is_fetched) {
    start_with_token();
    set_source(true, STATUS_OK);
    advance(1000);                       /* the least between two fetches */
    ck_assert(!refused_but_believed(1)); /* that one request is told so at once */
    wait_begun(2);
    assert_signed_with("Bearer token-1");
    set_source(false, STATUS_OK);
    wait_settled(2);
    assert_signed_with("Bearer token-2");
    ck_assert(refused_but_believed(1)); /* asked with the old one: the new one may do */
}
END_TEST

START_TEST(believed_tokens_are_fetched_anew_every_ten_seconds_at_most) {
    start_with_token();
    advance(1000);
    ck_assert(!refused_but_believed(1));
    wait_settled(2);
    set_source(true, STATUS_OK);
    advance(TOKEN_REFUSAL_MS - 1);
    ck_assert(!refused_but_believed(2));
    assert_nothing_is_fetched();
    ck_assert(refused(2)); /* that it is not believed is another matter */
    wait_begun(3);
}
END_TEST

START_TEST(a_refusal_does_not_make_a_failing_endpoint_asked_more_often) {
    start_with_token();
    set_source(false, STATUS_UNAVAILABLE);
    advance(REFRESH_MS);
    authorize();
    wait_settled(2);
    set_source(true, STATUS_UNAVAILABLE);
    ck_assert(refused(1));
    ck_assert_int_eq(authorize(), STATUS_UNAVAILABLE);
    assert_nothing_is_fetched();
}
END_TEST

/* --- stopping --- */

START_TEST(stopping_does_not_wait_for_a_fetch_that_hangs_and_the_token_stays_good) {
    start_with_token();
    set_source(true, STATUS_OK);
    advance(REFRESH_MS);
    authorize();
    wait_begun(2);
    int64_t before_ms = clock_now_ms(clock_system());
    token_cache_stop(&cache);
    token_cache_stop(&cache);
    ck_assert_int_lt(clock_now_ms(clock_system()) - before_ms, 1000);
    assert_signed_with("Bearer token-1");
    ck_assert(cache.group.cancelled);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("token_cache");
    TCase *tcase = tcase_create("token_cache");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, the_first_token_is_fetched_at_once_and_signs);
    tcase_add_test(tcase, before_the_first_token_a_request_is_told_to_try_again);
    tcase_add_test(tcase, however_many_ask_one_fetch_is_under_way);
    tcase_add_loop_test(tcase, without_a_token_a_request_is_told_why, 0, (int)(sizeof failures / sizeof failures[0]));
    tcase_add_test(tcase, a_token_is_not_sent_over_http_to_another_machine);
    tcase_add_test(tcase, a_token_is_renewed_when_its_time_comes_and_not_before);
    tcase_add_test(tcase, a_token_signs_up_to_its_last_millisecond);
    tcase_add_test(tcase, a_token_that_expires_as_it_comes_is_not_asked_for_in_a_loop);
    tcase_add_test(tcase, a_failing_endpoint_does_not_hurt_while_the_token_is_good);
    tcase_add_test(tcase, the_wait_after_a_failure_doubles_up_to_half_a_minute);
    tcase_add_test(tcase, an_endpoint_that_asks_for_patience_gets_it_for_a_minute_at_most);
    tcase_add_test(tcase, a_refused_token_is_fetched_anew_once_however_many_were_refused);
    tcase_add_test(tcase, a_new_token_that_is_refused_as_well_is_kept_for_ten_seconds);
    tcase_add_test(tcase, a_refusal_does_not_make_a_failing_endpoint_asked_more_often);
    tcase_add_test(tcase, a_believed_token_serves_on_while_the_next_is_fetched);
    tcase_add_test(tcase, believed_tokens_are_fetched_anew_every_ten_seconds_at_most);
    tcase_add_test(tcase, stopping_does_not_wait_for_a_fetch_that_hangs_and_the_token_stays_good);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
