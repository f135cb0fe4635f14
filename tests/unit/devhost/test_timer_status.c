/* timer_status: what is kept of a timer, and whether a run was missed. */
#include "devhost/timer_status.h"

#include "support/processes/check_main.h"
#include "support/processes/temp_folder.h"

#define MINUTE INT64_C(60000)

static const struct schedule hourly = {.interval_ms = 60 * MINUTE, .is_monitored = true};
static struct timer_status status;

START_TEST(what_is_stored_is_loaded) {
    struct temp_folder folder;
    const struct timer_status stored = {TIMER_STATUS_NEVER, 123456789012345, 7};
    temp_folder_make(&folder);
    ck_assert(!timer_status_load(&status, folder.path, "Clean"));
    ck_assert(timer_status_store(&stored, folder.path, "Clean"));
    ck_assert(timer_status_load(&status, folder.path, "Clean"));
    ck_assert_int_eq(status.last_ms, stored.last_ms);
    ck_assert_int_eq(status.next_ms, stored.next_ms);
    ck_assert_int_eq(status.updated_ms, stored.updated_ms);
    ck_assert(!timer_status_load(&status, folder.path, "Other"));
    temp_folder_write(&folder, "Clean.timer", "1 2");
    ck_assert(!timer_status_load(&status, folder.path, "Clean"));
    ck_assert(!timer_status_store(&stored, "/proc/nothing", "Clean"));
    temp_folder_remove(&folder);
}
END_TEST

START_TEST(a_timer_that_nothing_is_known_of_starts_anew) {
    ck_assert(!timer_status_begin(&status, NULL, &hourly, 1000));
    ck_assert_int_eq(status.last_ms, TIMER_STATUS_NEVER);
    ck_assert_int_eq(status.next_ms, 1000 + 60 * MINUTE);
}
END_TEST

START_TEST(a_time_that_has_passed_was_missed) {
    const struct timer_status ran = {1000, 1000 + 60 * MINUTE, 1000};
    ck_assert(!timer_status_begin(&status, &ran, &hourly, ran.next_ms));
    ck_assert(timer_status_begin(&status, &ran, &hourly, ran.next_ms + 1));
    ck_assert_int_eq(status.next_ms, ran.next_ms);
    const struct timer_status never_ran = {TIMER_STATUS_NEVER, 1000 + 60 * MINUTE, 1000};
    ck_assert(timer_status_begin(&status, &never_ran, &hourly, never_ran.next_ms + 1));
}
END_TEST

START_TEST(what_another_schedule_has_left_is_no_missed_run) {
    const struct timer_status other = {1000, 1000 + 30 * MINUTE, 1000};
    ck_assert(!timer_status_begin(&status, &other, &hourly, 1000 + 40 * MINUTE));
    ck_assert_int_eq(status.next_ms,
                     1000 + 60 * MINUTE); /* by the new schedule, from the last run */
    ck_assert_int_eq(status.last_ms, TIMER_STATUS_NEVER);
    ck_assert(!timer_status_begin(&status, &other, &hourly, 1000 + 70 * MINUTE));
    ck_assert_int_eq(status.next_ms, 1000 + 130 * MINUTE); /* that has passed as well: from now */
}
END_TEST

int main(void) {
    Suite *suite = suite_create("timer_status");
    TCase *tcase = tcase_create("timer_status");
    tcase_add_test(tcase, what_is_stored_is_loaded);
    tcase_add_test(tcase, a_timer_that_nothing_is_known_of_starts_anew);
    tcase_add_test(tcase, a_time_that_has_passed_was_missed);
    tcase_add_test(tcase, what_another_schedule_has_left_is_no_missed_run);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
