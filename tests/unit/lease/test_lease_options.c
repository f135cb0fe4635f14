/* test_lease_options.c - which options and requests are allowed, and which times follow. */
#include "lease/lease_options.h"

#include <math.h>
#include <string.h>

#include "support/processes/check_main.h"

static struct error err;

static void assert_refused(const struct leasehold_options *options, const char *what) {
    ck_assert_int_eq(lease_options_check(options, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_msg(strstr(err.message, what) != NULL, "%s: %s", what, err.message);
}

static void assert_accepted(const struct leasehold_options *options) {
    enum status status = lease_options_check(options, &err);
    ck_assert_msg(status == STATUS_OK, "%s", status == STATUS_OK ? "" : err.message);
}

/* Sets `member` to each value of a list and checks whether the options are refused or accepted. */
#define EACH(verdict, member, type, ...)                                \
    do {                                                                \
        const type values[] = {__VA_ARGS__};                            \
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) { \
            struct leasehold_options options = lease_options_default(); \
            options.member = values[i];                                 \
            verdict;                                                    \
        }                                                               \
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
}
END_TEST

static void assert_metadata(size_t count, const struct leasehold_metadata *metadata,
                            bool is_allowed) {
    struct leasehold_options options = lease_options_default();
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
        assert_metadata(2, (const struct leasehold_metadata[]){refused[i], {"good", "x"}}, false);
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

static int64_t renew_after_ms(int duration_s, int64_t interval_ms, double safety_threshold) {
    struct leasehold_options options = lease_options_default();
    options.duration_s = duration_s;
    options.renew_interval_ms = interval_ms;
    options.safety_threshold = safety_threshold;
    assert_accepted(&options);
    return lease_options_renew_after_ms(&options, 60);
}

START_TEST(other_durations_are_renewed_in_proportion_and_before_the_safe_deadline) {
    ck_assert_int_eq(renew_after_ms(60, 3000, 0.9), 3000);
    ck_assert_int_eq(renew_after_ms(15, 3000, 0.9), 12000);
    ck_assert_int_eq(renew_after_ms(15, LEASEHOLD_AUTO, 0.9), 40000);
    ck_assert_int_eq(renew_after_ms(15, LEASEHOLD_AUTO, 0.5), 22500);
    ck_assert_int_eq(renew_after_ms(LEASEHOLD_INFINITE, 3000, 0.9), 40000);
}
END_TEST

START_TEST(only_a_lease_with_an_end_has_a_safe_deadline) {
    struct leasehold_options options = lease_options_default();
    ck_assert_int_eq(lease_options_safe_for_ms(&options, 30), 27000);
    ck_assert_int_eq(lease_options_safe_for_ms(&options, LEASEHOLD_INFINITE), INT64_MAX);
    ck_assert_int_eq(lease_options_max_renew_interval_ms(&options), 26999);
    options.duration_s = LEASEHOLD_INFINITE;
    ck_assert_int_eq(lease_options_max_renew_interval_ms(&options), INT64_MAX);
}
END_TEST

START_TEST(a_copy_has_all_but_the_connection_string_in_memory_of_its_own) {
    struct leasehold_options options = lease_options_default();
    char container[] = "locks", prefix[] = "", name[] = "Site", value[] = "north";
    const struct leasehold_metadata metadata[] = {{name, value}, {"b", "c"}};
    options.connection_string = "UseDevelopmentStorage=true";
    options.container = container;
    options.blob_prefix = prefix;
    options.metadata = metadata;
    options.metadata_count = 2;
    options.acquire_retry_ms = 9;
    struct leasehold_options copy;
    ck_assert_int_eq(lease_options_copy(&options, &copy, &err), STATUS_OK);
    container[0] = prefix[0] = name[0] = value[0] = 'x';
    ck_assert_ptr_null(copy.connection_string);
    ck_assert_str_eq(copy.container, "locks");
    ck_assert_str_eq(copy.blob_prefix, "");
    ck_assert_uint_eq(copy.metadata_count, 2);
    ck_assert_str_eq(copy.metadata[0].name, "Site");
    ck_assert_str_eq(copy.metadata[0].value, "north");
    ck_assert_str_eq(copy.metadata[1].value, "c");
    ck_assert_int_eq(copy.acquire_retry_ms, 9);
    lease_options_cleanup(&copy);
    lease_options_cleanup(&copy);
}
END_TEST

START_TEST(lease_names_that_could_change_on_their_way_are_refused) {
    static const char *const refused[] = {NULL,  "",     "/",      "a/",      "/a",   "a//b",
                                          ".",   "..",   "a/../b", "a.",      "a./b", "a b",
                                          "a:b", "a\nb", "a%2Fb",  "\xc3\xa9"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        ck_assert_int_eq(lease_request_check_name(refused[i], &err), STATUS_INVALID_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(err.message, "name"));
    }
    ck_assert_int_eq(lease_request_check_name("jobs/2025/a.b_c~d-E", &err), STATUS_OK);
    char name[257];
    memset(name, 'n', sizeof name);
    name[256] = '\0';
    ck_assert_int_eq(lease_request_check_name(name, &err), STATUS_INVALID_ARGUMENT);
    name[255] = '\0';
    ck_assert_int_eq(lease_request_check_name(name, &err), STATUS_OK);
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
        ck_assert_int_eq(lease_request_check(&refused[i], &err), STATUS_INVALID_ARGUMENT);
    }
    static const struct leasehold_request accepted[] = {
        {.name = "a"},
        {.name = "a", .duration_s = 15},
        {.name = "a", .duration_s = 60, .timeout_ms = 600000},
        {.name = "a", .duration_s = LEASEHOLD_INFINITE, .try_once = true},
    };
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        ck_assert_int_eq(lease_request_check(&accepted[i], &err), STATUS_OK);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lease_options");
    TCase *tests = tcase_create("options and requests");
    tcase_add_test(tests, numbers_outside_their_range_are_refused_and_those_at_its_ends_are_not);
    tcase_add_test(tests, names_that_azure_would_not_take_are_refused);
    tcase_add_test(tests, metadata_that_no_header_carries_is_refused);
    tcase_add_test(tests, other_durations_are_renewed_in_proportion_and_before_the_safe_deadline);
    tcase_add_test(tests, only_a_lease_with_an_end_has_a_safe_deadline);
    tcase_add_test(tests, a_copy_has_all_but_the_connection_string_in_memory_of_its_own);
    tcase_add_test(tests, lease_names_that_could_change_on_their_way_are_refused);
    tcase_add_test(tests, a_request_outside_the_ranges_is_refused);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
