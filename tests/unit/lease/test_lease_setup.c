/* What options and requests of the library's users are let through, and what becomes of them. */
#include "lease/lease_setup.h"

#include <math.h>
#include <string.h>

#include "support/processes/check_main.h"

static struct error err;

static struct leasehold_options options_for_development(void) {
    struct leasehold_options options = leasehold_options_default();
    options.connection_string = "UseDevelopmentStorage=true";
    return options;
}

static void assert_refused(const struct leasehold_options *options, const char *what) {
    struct lease_setup setup;
    ck_assert_int_eq(lease_setup_init(&setup, options, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_msg(strstr(err.message, what) != NULL, "%s: %s", what, err.message);
    lease_setup_cleanup(&setup);
}

static struct lease_setup set_up(const struct leasehold_options *options) {
    struct lease_setup setup;
    enum status status = lease_setup_init(&setup, options, &err);
    ck_assert_msg(status == STATUS_OK, "%s", status == STATUS_OK ? "" : err.message);
    return setup;
}

static void assert_accepted(const struct leasehold_options *options) {
    struct lease_setup setup = set_up(options);
    lease_setup_cleanup(&setup);
}

/*
 * Sets `member` to each value of a list and looks whether the options are refused or accepted with
 * it.
 */
#define EACH(verdict, member, type, ...)                                  \
    do {                                                                  \
        const type values[] = {__VA_ARGS__};                              \
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {   \
            struct leasehold_options options = options_for_development(); \
            options.member = values[i];                                   \
            verdict;                                                      \
        }                                                                 \
    } while (0)
#define REFUSED(member, type, ...) \
    EACH(assert_refused(&options, #member), member, type, __VA_ARGS__)
#define ACCEPTED(member, type, ...) EACH(assert_accepted(&options), member, type, __VA_ARGS__)

START_TEST(numbers_outside_their_range_are_refused_and_those_at_its_ends_are_not) {
    REFUSED(duration_s, int, 0, 14, 61, -2);
    ACCEPTED(duration_s, int, 15, 60, LEASEHOLD_INFINITE);
    REFUSED(renew_interval_ms, int64_t, 0, -2, 27000, 30000);
    ACCEPTED(renew_interval_ms, int64_t, 1, 26999, LEASEHOLD_AUTO);
    REFUSED(renew_max_retries, int, -1, 101);
    ACCEPTED(renew_max_retries, int, 0, 100);
    REFUSED(renew_retry_ms, int64_t, 0, 60001);
    ACCEPTED(renew_retry_ms, int64_t, 1, 60000);
    REFUSED(safety_threshold, double, 0, 0.49, 0.951, 1, NAN);
    ACCEPTED(safety_threshold, double, 0.5, 0.95);
    REFUSED(acquire_timeout_ms, int64_t, -1, 600001);
    ACCEPTED(acquire_timeout_ms, int64_t, 0, 600000);
    REFUSED(acquire_retry_ms, int64_t, 0, 60001);
    ACCEPTED(acquire_retry_ms, int64_t, 1, 60000);
}
END_TEST

START_TEST(names_that_azure_would_not_take_are_refused) {
    REFUSED(container, char *const, NULL, "", "ab", "Leases", "a--b", "-abc", "abc-", "a_b",
            "a123456789012345678901234567890123456789012345678901234567890123");
    ACCEPTED(container, char *const, "abc", "a-b-c", "123");
    REFUSED(blob_prefix, char *const, NULL, "a b", "a%", "\xc3\xa9", "../other/", "./", "x./",
            "a//b/", "a/./b", "/", "/a", "//");
    ACCEPTED(blob_prefix, char *const, "", "locks/a.b_c~d-", "locks/", "a.", "..");
    REFUSED(connection_string, char *const, NULL);
}
END_TEST

START_TEST(a_message_about_a_connection_string_does_not_repeat_its_key) {
    struct leasehold_options options = leasehold_options_default();
    options.connection_string = "AccountName=x;AccountKey=secret%%%";
    assert_refused(&options, "AccountKey");
    ck_assert_ptr_null(strstr(err.message, "secret"));
}
END_TEST

static void assert_metadata(size_t count, const struct leasehold_metadata *metadata,
                            bool is_allowed) {
    struct leasehold_options options = options_for_development();
    options.metadata = metadata;
    options.metadata_count = count;
    if (is_allowed) {
        assert_accepted(&options);
    } else {
        assert_refused(&options, "metadata");
    }
}

START_TEST(metadata_that_no_header_carries_is_refused) {
    assert_metadata(2, (const struct leasehold_metadata[]){{"Site", "north 1"}, {"_b2", "x"}},
                    true);
    assert_metadata(2, (const struct leasehold_metadata[]){{"Site", "a"}, {"site", "b"}}, false);
    static const struct leasehold_metadata refused[] = {
        {NULL, "a"}, {"a", NULL}, {"", "a"},   {"a-b", "a"},  {"1a", "a"},
        {"a", ""},   {"a", " b"}, {"a", "b "}, {"a", "b\nc"}, {"a", "\xc3\xa9"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_metadata(1, &refused[i], false);
    }
    char value[1025];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    char names[7][2] = {"a", "b", "c", "d", "e", "f", "g"};
    struct leasehold_metadata many[7];
    for (size_t i = 0; i < 7; i++) {
        many[i] = (struct leasehold_metadata){names[i], value};
    }
    assert_metadata(6, many, true);
    assert_metadata(7, many, false);
}
END_TEST

static double renew_fraction(int duration_s, int64_t interval_ms, double safety_threshold) {
    struct leasehold_options options = options_for_development();
    options.duration_s = duration_s;
    options.renew_interval_ms = interval_ms;
    options.safety_threshold = safety_threshold;
    struct lease_setup setup = set_up(&options);
    double fraction = setup.lease.renew_fraction;
    lease_setup_cleanup(&setup);
    return fraction;
}

START_TEST(the_renewal_interval_is_a_part_of_the_duration_and_lies_below_safety) {
    ck_assert_double_eq_tol(renew_fraction(15, 3000, 0.9), 0.2, 1e-9);
    ck_assert_double_eq_tol(renew_fraction(15, LEASEHOLD_AUTO, 0.9), 2.0 / 3.0, 1e-9);
    ck_assert_double_eq_tol(renew_fraction(15, LEASEHOLD_AUTO, 0.5), 0.375, 1e-9);
    ck_assert_double_eq_tol(renew_fraction(LEASEHOLD_INFINITE, 3000, 0.9), 2.0 / 3.0, 1e-9);
}
END_TEST

START_TEST(what_is_given_is_what_the_parts_get) {
    struct leasehold_options options = options_for_development();
    options.container = "locks";
    options.blob_prefix = "jobs/";
    options.create_container = false;
    options.duration_s = 20;
    options.auto_renew = false;
    options.renew_max_retries = 5;
    options.renew_retry_ms = 6;
    options.safety_threshold = 0.7;
    options.acquire_timeout_ms = 8;
    options.acquire_retry_ms = 9;
    struct lease_setup setup = set_up(&options);
    ck_assert_str_eq(setup.store.container, "locks");
    ck_assert_str_eq(setup.store.blob_prefix, "jobs/");
    ck_assert(!setup.store.create_container && !setup.lease.auto_renew);
    ck_assert_int_eq(setup.lease.duration_s, 20);
    ck_assert_int_eq(setup.lease.renew_max_retries, 5);
    ck_assert_int_eq(setup.lease.renew_retry_ms, 6);
    ck_assert_double_eq_tol(setup.lease.safety_threshold, 0.7, 1e-9);
    ck_assert_int_eq(setup.lease.acquire_timeout_ms, 8);
    ck_assert_int_eq(setup.lease.acquire_retry_ms, 9);
    ck_assert_str_eq(setup.account.name, "devstoreaccount1");
    lease_setup_cleanup(&setup);
}
END_TEST

START_TEST(the_defaults_are_those_of_the_settings) {
    struct leasehold_options options = options_for_development();
    struct lease_setup setup = set_up(&options);
    struct lease_options expected = lease_options_default();
    ck_assert_double_eq_tol(setup.lease.renew_fraction, expected.renew_fraction, 1e-9);
    ck_assert_int_eq(setup.lease.duration_s, expected.duration_s);
    ck_assert_int_eq(setup.lease.acquire_timeout_ms, expected.acquire_timeout_ms);
    ck_assert(setup.lease.auto_renew && setup.store.create_container);
    ck_assert_str_eq(setup.store.container, "leases");
    ck_assert_str_eq(setup.store.blob_prefix, "lease-");
    lease_setup_cleanup(&setup);
}
END_TEST

START_TEST(lease_names_that_could_change_on_their_way_are_refused) {
    static const char *const refused[] = {NULL,  "",     "/",      "a/",      "/a",   "a//b",
                                          ".",   "..",   "a/../b", "a.",      "a./b", "a b",
                                          "a:b", "a\nb", "a%2Fb",  "\xc3\xa9"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        ck_assert_int_eq(lease_setup_check_name(refused[i], &err), STATUS_INVALID_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(err.message, "name"));
    }
    ck_assert_int_eq(lease_setup_check_name("jobs/2025/a.b_c~d-E", &err), STATUS_OK);
    char name[257];
    memset(name, 'n', sizeof name);
    name[256] = '\0';
    ck_assert_int_eq(lease_setup_check_name(name, &err), STATUS_INVALID_ARGUMENT);
    name[255] = '\0';
    ck_assert_int_eq(lease_setup_check_name(name, &err), STATUS_OK);
}
END_TEST

START_TEST(a_request_outside_the_ranges_is_refused) {
    static const struct leasehold_request refused[] = {
        {.name = "a/"},
        {.name = "a", .duration_s = 14},
        {.name = "a", .duration_s = 61},
        {.name = "a", .duration_s = -2},
        {.name = "a", .timeout_ms = -1},
        {.name = "a", .timeout_ms = 600001},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        ck_assert_int_eq(lease_setup_check_request(&refused[i], &err), STATUS_INVALID_ARGUMENT);
    }
    static const struct leasehold_request accepted[] = {
        {.name = "a"},
        {.name = "a", .duration_s = 15},
        {.name = "a", .duration_s = 60, .timeout_ms = 600000},
        {.name = "a", .duration_s = LEASEHOLD_INFINITE, .try_once = true},
    };
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        ck_assert_int_eq(lease_setup_check_request(&accepted[i], &err), STATUS_OK);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lease_setup");
    TCase *tests = tcase_create("options and requests");
    tcase_add_test(tests, numbers_outside_their_range_are_refused_and_those_at_its_ends_are_not);
    tcase_add_test(tests, names_that_azure_would_not_take_are_refused);
    tcase_add_test(tests, a_message_about_a_connection_string_does_not_repeat_its_key);
    tcase_add_test(tests, metadata_that_no_header_carries_is_refused);
    tcase_add_test(tests, the_renewal_interval_is_a_part_of_the_duration_and_lies_below_safety);
    tcase_add_test(tests, what_is_given_is_what_the_parts_get);
    tcase_add_test(tests, the_defaults_are_those_of_the_settings);
    tcase_add_test(tests, lease_names_that_could_change_on_their_way_are_refused);
    tcase_add_test(tests, a_request_outside_the_ranges_is_refused);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
