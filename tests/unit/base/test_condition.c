#include "base/condition.h"

#include "support/processes/check_main.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition;
static bool told;

START_TEST(a_wait_ends_when_its_time_is_over_and_not_before) {
    static const int64_t waits_ms[] = {0, 1, 20, 1050};
    condition_init(&condition);
    struct timespec until = condition_deadline(waits_ms[_i]);
    struct timespec now;
    pthread_mutex_lock(&lock);
    while (condition_wait_until(&condition, &lock, &until)) {
    }
    pthread_mutex_unlock(&lock);
    clock_gettime(CLOCK_MONOTONIC, &now);
    ck_assert(now.tv_sec > until.tv_sec ||
              (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec));
    pthread_cond_destroy(&condition);
}
END_TEST

START_TEST(a_deadline_is_as_far_away_as_was_asked) {
    static const int64_t waits_ms[] = {0, 1, 999, 1000, 1001, 86400000};
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    struct timespec until = condition_deadline(waits_ms[_i]);
    clock_gettime(CLOCK_MONOTONIC, &after);
    ck_assert_int_ge(until.tv_nsec, 0);
    ck_assert_int_lt(until.tv_nsec, 1000000000);
    int64_t until_ns = until.tv_sec * INT64_C(1000000000) + until.tv_nsec - waits_ms[_i] * 1000000;
    ck_assert_int_ge(until_ns, before.tv_sec * INT64_C(1000000000) + before.tv_nsec);
    ck_assert_int_le(until_ns, after.tv_sec * INT64_C(1000000000) + after.tv_nsec);
}
END_TEST

static void *tell(void *unused) {
    pthread_mutex_lock(&lock);
    told = true;
    pthread_cond_signal(&condition);
    pthread_mutex_unlock(&lock);
    return unused;
}

START_TEST(a_signal_ends_a_wait_early) {
    pthread_t thread;
    condition_init(&condition);
    struct timespec until = condition_deadline(INT64_C(60) * 60 * 1000);
    pthread_mutex_lock(&lock);
    ck_assert_int_eq(pthread_create(&thread, NULL, tell, NULL), 0);
    while (!told) {
        ck_assert(condition_wait_until(&condition, &lock, &until));
    }
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&condition);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("condition");
    TCase *tcase = tcase_create("condition");
    tcase_add_loop_test(tcase, a_wait_ends_when_its_time_is_over_and_not_before, 0, 4);
    tcase_add_loop_test(tcase, a_deadline_is_as_far_away_as_was_asked, 0, 6);
    tcase_add_test(tcase, a_signal_ends_a_wait_early);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
