/* Handlers whose wall clock is wrong or is set while they work: it decides nothing. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utc.h"
#include "support/fakes/http_fake.h"
#include "support/fakes/wall_clock.h"
#include "support/processes/check_main.h"
#include "support/processes/instance_pair.h"

enum {
    HOUR_MS = 60 * 60 * 1000,
    LEASE_MS = 15000,
    TAKE_OVER_MS = LEASE_MS + 1000,
    SAFETY_MS = LEASE_MS / 2, /* with the threshold below */
    RENEWAL_MS = 1000,
    SECOND_MS = 1000, /* what a time that is told in seconds may be off by */
    LATENESS_MS = 700,
    LIFETIME_MS = 3000, /* of a reservation, below */
    AGREEMENT_MS =
        1500, /* between instances: a second that storage's Date leaves open, and a request */
    AHEAD_MS = 10 * 60 * 1000,
    REFUSALS = 6,
    TOTAL = 100,
};

#define SHORT_LEASE "DistributedLeasing:DefaultLeaseDuration=00:00:15"
#define EAGER_RENEWAL "DistributedLeasing:AutoRenewInterval=00:00:01"
#define LOW_THRESHOLD "DistributedLeasing:AutoRenewSafetyThreshold=0.5"
#define BRIEF_RESERVATIONS "Inventory:ReservationLifetime=00:00:03"
#define PATIENCE "DistributedLeasing:AcquireTimeout=00:00:40"
#define WORK(time) "Inventory:ProcessingTime=" time
#define RESERVED "\"success\":true"

static struct app *const holder = &instance_pair.holder;
static struct app *const other = &instance_pair.other;
static struct wall_clock holder_clock, other_clock;

static void set_up(void) {
    instance_set_up();
    wall_clock_open(&holder_clock);
    wall_clock_open(&other_clock);
}

static void tear_down(void) {
    instance_tear_down();
    wall_clock_close(&holder_clock);
    wall_clock_close(&other_clock);
}

static int64_t real_ms(void) {
    return clock_wall_ms(clock_system());
}

static void assert_about(int64_t actual_ms, int64_t expected_ms, const char *what) {
    ck_assert_msg(llabs(actual_ms - expected_ms) <= SECOND_MS + LATENESS_MS, "%s is off by %lld ms",
                  what, (long long)(actual_ms - expected_ms));
}

/* What the handler's own answers say the time to be. */
static void assert_clock_is_wrong(const struct app *app, const struct wall_clock *clock) {
    struct raw_response response = {.status = 0};
    int call = raw_http_connect(app->port);
    raw_http_send(call, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    raw_http_read(call, &response, false);
    char date[64];
    int64_t date_ms = 0;
    ck_assert(utc_parse_http(raw_response_header(&response, "Date", date, sizeof date), &date_ms));
    assert_about(date_ms, wall_clock_ms(clock), "the Date header");
    raw_response_cleanup(&response);
    close(call);
}

/*
 * The next renewal comes an interval after `last_ms`, and says an expiry in the handler's own time.
 * Answers when it came.
 */
static int64_t expect_renewal(size_t *log_end, int64_t last_ms) {
    static const char expiration[] = "renewed. New expiration: ";
    size_t from = *log_end;
    *log_end = instance_wait_for_log(holder, from, expiration, INSTANCE_PATIENCE_MS);
    int64_t now_ms = process_now_ms();
    ck_assert_msg(llabs(now_ms - last_ms - RENEWAL_MS) <= LATENESS_MS, "a renewal after %lld ms",
                  (long long)(now_ms - last_ms));
    char *log = process_output_from(&holder->process, from);
    char time[UTC_TEXT_BYTES];
    int64_t expiry_ms = 0;
    snprintf(time, sizeof time, "%.20s", strstr(log, expiration) + strlen(expiration));
    free(log);
    ck_assert_msg(utc_parse_iso8601(time, &expiry_ms), "%s is no time", time);
    assert_about(expiry_ms, wall_clock_ms(&holder_clock) + LEASE_MS, "the new expiration");
    return now_ms;
}

START_TEST(renewals_keep_their_interval_while_the_wall_clock_jumps_by_hours) {
    static const int64_t jumps_ms[] = {3 * HOUR_MS, -3 * HOUR_MS, 5 * HOUR_MS,
                                       0,           -9 * HOUR_MS, 20 * HOUR_MS};
    int call = instance_hold((const char *const[]){SHORT_LEASE, EAGER_RENEWAL, WORK("00:00:10"),
                                                   holder_clock.preload,
                                                   holder_clock.offset_variable, NULL},
                             1);
    size_t log_end = instance_wait_for_log(holder, 0, "renewed", INSTANCE_PATIENCE_MS);
    int64_t last_ms = process_now_ms();
    for (size_t i = 0; i < sizeof jumps_ms / sizeof *jumps_ms; i++) {
        wall_clock_set(&holder_clock, jumps_ms[i]);
        assert_clock_is_wrong(holder, &holder_clock);
        last_ms = expect_renewal(&log_end, last_ms);
    }
    instance_expect_answer(call, 200, RESERVED);
    ck_assert_int_eq(instance_available(holder, "PROD-001"), TOTAL - 1);
    ck_assert_int_eq(instance_count_in_log(holder, 0, "lost"), 0);
    instance_assert_calm(holder);
    instance_stop(holder);
}
END_TEST

START_TEST(a_lease_is_kept_no_longer_because_its_holder_lives_in_the_past) {
    instance_start(other, (const char *const[]){SHORT_LEASE, PATIENCE, other_clock.preload,
                                                other_clock.offset_variable, NULL});
    int held =
        instance_hold((const char *const[]){SHORT_LEASE, WORK("00:01:00"), holder_clock.preload,
                                            holder_clock.offset_variable, NULL},
                      1);
    int waiting = instance_wait_behind(1);
    wall_clock_set(&holder_clock, -3 * HOUR_MS);
    wall_clock_set(&other_clock, -3 * HOUR_MS); /* it waits no longer than before, either */
    app_stop(holder, SIGKILL);
    int64_t killed_ms = process_now_ms();
    close(held);
    instance_wait_for_log(other, 0, "Acquired lease", TAKE_OVER_MS + INSTANCE_PATIENCE_MS);
    ck_assert_int_le(process_now_ms() - killed_ms, TAKE_OVER_MS);
    assert_clock_is_wrong(other, &other_clock);
    instance_expect_answer(waiting, 200, RESERVED);
    instance_assert_calm(other);
    instance_stop(other);
}
END_TEST

START_TEST(a_lease_that_cannot_be_renewed_is_lost_on_time_whatever_the_wall_clock_says) {
    int call = instance_hold((const char *const[]){SHORT_LEASE, EAGER_RENEWAL, LOW_THRESHOLD,
                                                   WORK("00:00:15"), holder_clock.preload,
                                                   holder_clock.offset_variable, NULL},
                             1);
    instance_wait_for_log(holder, 0, "renewed", INSTANCE_PATIENCE_MS);
    process_signal(&instance_pair.azurite.process, SIGSTOP); /* renewals hang */
    int64_t before_ms = process_now_ms();
    wall_clock_set(&holder_clock, -3 * HOUR_MS);
    assert_clock_is_wrong(holder, &holder_clock);
    instance_expect_answer(call, 409, "\"code\":\"LeaseLost\"");
    int64_t took_ms = process_now_ms() - before_ms;
    process_signal(&instance_pair.azurite.process, SIGCONT);
    ck_assert_int_le(took_ms, SAFETY_MS + LATENESS_MS);
    ck_assert_int_ge(took_ms,
                     SAFETY_MS - RENEWAL_MS - LATENESS_MS); /* since the last good renewal */
    ck_assert_int_eq(instance_available(holder, "PROD-001"), TOTAL);
    instance_stop(holder);
}
END_TEST

/*
 * Polls until the reservation has expired for one of the two, and then until it has for the other.
 */
static void watch_expiry(int64_t reserved_ms) {
    int64_t first_ms = 0;
    for (int expired = 0; expired < 2; poll(NULL, 0, 20)) {
        expired = (instance_available(holder, "PROD-001") == TOTAL) +
                  (instance_available(other, "PROD-001") == TOTAL);
        int64_t now_ms = process_now_ms();
        first_ms = expired > 0 && first_ms == 0 ? now_ms : first_ms;
        ck_assert_msg(expired != 1 || now_ms - first_ms <= AGREEMENT_MS,
                      "they have not agreed for %lld ms", (long long)(now_ms - first_ms));
        ck_assert_msg(expired == 2 || now_ms - reserved_ms <= LIFETIME_MS + 2 * SECOND_MS,
                      "still there after %lld ms", (long long)(now_ms - reserved_ms));
    }
    ck_assert_msg(first_ms - reserved_ms >= LIFETIME_MS - SECOND_MS, "gone after %lld ms",
                  (long long)(first_ms - reserved_ms));
}

START_TEST(instance_twenty_minutes_apart_agree_on_what_has_expired) {
    wall_clock_set(&holder_clock, AHEAD_MS);
    wall_clock_set(&other_clock, -AHEAD_MS);
    instance_start(holder, (const char *const[]){BRIEF_RESERVATIONS, holder_clock.preload,
                                                 holder_clock.offset_variable, NULL});
    instance_start(other, (const char *const[]){BRIEF_RESERVATIONS, other_clock.preload,
                                                other_clock.offset_variable, NULL});
    assert_clock_is_wrong(holder, &holder_clock);
    assert_clock_is_wrong(other, &other_clock);
    struct app *const makers[] = {holder, other};
    for (int i = 0; i < 2; i++) {
        instance_expect_reserve(makers[i], "PROD-001", 5, 200, RESERVED);
        int64_t reserved_ms = process_now_ms();
        ck_assert_int_eq(instance_available(holder, "PROD-001"), TOTAL - 5);
        ck_assert_int_eq(instance_available(other, "PROD-001"), TOTAL - 5);
        watch_expiry(reserved_ms);
    }
    instance_stop(holder);
    instance_stop(other);
}
END_TEST

/*
 * Azurite does not look at a request's date; Azure refuses one that is off by more than 15 minutes.
 */
static void assert_dated(const struct http_fake_request *request, int64_t expected_ms) {
    const char *date = http_headers_get(&request->headers, "x-ms-date");
    int64_t date_ms = 0;
    ck_assert_msg(date != NULL && utc_parse_http(date, &date_ms), "x-ms-date: %s",
                  date == NULL ? "none" : date);
    ck_assert_msg(llabs(date_ms - expected_ms) <= 20 * SECOND_MS, "x-ms-date is off by %lld ms",
                  (long long)(date_ms - expected_ms));
}

START_TEST(requests_are_dated_by_storages_clock_once_it_has_been_heard) {
    struct http_fake *storage = http_fake_new();
    char date[UTC_TEXT_BYTES], headers[64], connection[256];
    utc_format_http(real_ms(), date);
    snprintf(headers, sizeof headers, "Date: %s\r\n", date);
    for (int i = 0; i < REFUSALS; i++) {
        http_fake_push(storage, &(struct http_fake_answer){
                                    .status = 503, .code = "ServerBusy", .headers = headers});
    }
    snprintf(connection, sizeof connection,
             "AccountName=" AZURITE_ACCOUNT ";AccountKey=" AZURITE_KEY
             ";BlobEndpoint=%s/" AZURITE_ACCOUNT ";TableEndpoint=%s/" AZURITE_ACCOUNT,
             http_fake_url(storage), http_fake_url(storage));
    wall_clock_set(&holder_clock, 3 * HOUR_MS);
    const char *const settings[] = {holder_clock.preload, holder_clock.offset_variable, NULL};
    app_start_handler(holder,
                      &(struct app_options){.connection_string = connection, .settings = settings});
    http_fake_wait(storage, 2);
    wall_clock_set(&holder_clock, -3 * HOUR_MS);
    http_fake_wait(storage, REFUSALS);
    app_stop(holder, SIGKILL);
    assert_dated(http_fake_request(storage, 0), real_ms() + 3 * HOUR_MS); /* it knew no better */
    for (size_t i = 1; i < REFUSALS; i++) {
        assert_dated(http_fake_request(storage, i), real_ms());
    }
    http_fake_free(storage);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("wall clock");
    TCase *jumps = tcase_create("set while leases are held, and wrong from the start");
    tcase_set_timeout(jumps, 120);
    tcase_add_checked_fixture(jumps, set_up, tear_down);
    tcase_add_test(jumps, renewals_keep_their_interval_while_the_wall_clock_jumps_by_hours);
    tcase_add_test(jumps, a_lease_is_kept_no_longer_because_its_holder_lives_in_the_past);
    tcase_add_test(jumps,
                   a_lease_that_cannot_be_renewed_is_lost_on_time_whatever_the_wall_clock_says);
    tcase_add_test(jumps, instance_twenty_minutes_apart_agree_on_what_has_expired);
    tcase_add_test(jumps, requests_are_dated_by_storages_clock_once_it_has_been_heard);
    suite_add_tcase(suite, jumps);
    return check_main(suite);
}
