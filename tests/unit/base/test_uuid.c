#include "base/uuid.h"

#include <string.h>

#include "support/processes/check_main.h"

static const int64_t LAST_TIME = (INT64_C(1) << 48) - 1;

static void check_form(const char *text, char version) {
    ck_assert_uint_eq(strlen(text), UUID_TEXT_BYTES - 1);
    ck_assert(uuid_is_valid(text));
    ck_assert_int_eq(text[14], version);
    ck_assert_ptr_nonnull(strchr("89ab", text[19]));
    ck_assert_uint_eq(strspn(text, "0123456789abcdef-"), UUID_TEXT_BYTES - 1);
}

/* In many ids, every hexadecimal digit occurs in every random place. */
static void check_randomness(enum status (*make)(char *), size_t first_random) {
    unsigned seen[UUID_TEXT_BYTES] = {0};
    for (int i = 0; i < 1000; i++) {
        char text[UUID_TEXT_BYTES];
        ck_assert_int_eq(make(text), STATUS_OK);
        for (size_t place = 0; place < UUID_TEXT_BYTES - 1; place++) {
            const char *digits = "0123456789abcdef-";
            seen[place] |= 1u << (strchr(digits, text[place]) - digits);
        }
    }
    for (size_t place = first_random; place < UUID_TEXT_BYTES - 1; place++) {
        unsigned expected = 0xFFFF;
        if (place == 8 || place == 13 || place == 18 || place == 23) {
            expected = 1u << 16;
        } else if (place == 14) {
            expected = seen[place]; /* the version */
        } else if (place == 19) {
            expected = 0x0F00; /* the variant: 8, 9, a or b */
        }
        ck_assert_uint_eq(seen[place], expected);
    }
}

static enum status make_v4(char *out) {
    return uuid_v4(random_system(), out);
}

static enum status make_v8(char *out) {
    return uuid_v8_from_time(random_system(), 1, out);
}

START_TEST(a_version_4_uuid_is_random_all_over) {
    char text[UUID_TEXT_BYTES];
    ck_assert_int_eq(uuid_v4(random_system(), text), STATUS_OK);
    check_form(text, '4');
    check_randomness(make_v4, 0);
}
END_TEST

START_TEST(a_version_8_uuid_starts_with_its_time) {
    char text[UUID_TEXT_BYTES];
    ck_assert_int_eq(uuid_v8_from_time(random_system(), 0x0194B0A12345, text), STATUS_OK);
    check_form(text, '8');
    ck_assert_int_eq(strncmp(text, "0194b0a1-2345-8", 15), 0);
    check_randomness(make_v8, 14);
}
END_TEST

START_TEST(the_prefix_is_that_of_every_id_of_its_time) {
    const int64_t times[] = {0, 1, 0x0194B0A12345, LAST_TIME};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char text[UUID_TEXT_BYTES], prefix[UUID_TIME_PREFIX_BYTES];
        uuid_time_prefix(times[i], prefix);
        ck_assert_uint_eq(strlen(prefix), UUID_TIME_PREFIX_BYTES - 1);
        ck_assert_int_eq(uuid_v8_from_time(random_system(), times[i], text), STATUS_OK);
        ck_assert_int_eq(strncmp(text, prefix, strlen(prefix)), 0);
    }
}
END_TEST

START_TEST(ids_sort_as_text_by_their_time) {
    char last[UUID_TEXT_BYTES] = "";
    for (int64_t time_ms = 1; time_ms < LAST_TIME / 3; time_ms = time_ms * 3 / 2 + 1) {
        char text[UUID_TEXT_BYTES];
        ck_assert_int_eq(uuid_v8_from_time(random_system(), time_ms, text), STATUS_OK);
        ck_assert_int_lt(strcmp(last, text), 0);
        memcpy(last, text, sizeof last);
    }
}
END_TEST

static const struct {
    const char *text;
    bool valid;
} texts[] = {
    {"0194b0a1-2345-8abc-9def-0123456789ab", true},
    {"0194B0A1-2345-8ABC-9DEF-0123456789AB", true},
    {"00000000-0000-0000-0000-000000000000", true},
    {"", false},
    {"0194b0a1-2345-8abc-9def-0123456789a", false},
    {"0194b0a1-2345-8abc-9def-0123456789abc", false},
    {"0194b0a1-2345-8abc-9def-0123456789ag", false},
    {"0194b0a1-2345-8abc-9def-0123456789a ", false},
    {"0194b0a112345-8abc-9def-0123456789ab", false},
    {"0194b0a-12345-8abc-9def-0123456789ab", false},
    {"{0194b0a1-2345-8abc-9def-0123456789a}", false},
    {"0194b0a123458abc9def0123456789ab", false},
    {"0194b0a1-2345-8abc-9def-01234567-9ab", false},
};

START_TEST(a_uuid_is_hexadecimal_digits_and_four_dashes) {
    ck_assert_msg(uuid_is_valid(texts[_i].text) == texts[_i].valid, "%s", texts[_i].text);
}
END_TEST

START_TEST(the_time_of_a_version_8_uuid_can_be_read) {
    static const int64_t times[] = {0, 1, 0x0194B0A12345, (INT64_C(1) << 48) - 1};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char text[UUID_TEXT_BYTES];
        int64_t time_ms = -1;
        ck_assert_int_eq(uuid_v8_from_time(random_system(), times[i], text), STATUS_OK);
        ck_assert(uuid_v8_time(text, &time_ms));
        ck_assert_int_eq(time_ms, times[i]);
    }
}
END_TEST

START_TEST(no_other_text_has_a_time) {
    static const char *const others[] = {"", "0194b0a1-2345-4abc-9def-0123456789ab",
                                         "0194b0a1-2345-8abc-9def-0123456789a",
                                         "0194b0a1-2345-8abc-9def-0123456789ag"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        int64_t time_ms = -1;
        ck_assert(!uuid_v8_time(others[i], &time_ms));
        ck_assert_int_eq(time_ms, -1);
    }
}
END_TEST

START_TEST(a_copy_is_in_lower_case) {
    char copy[UUID_TEXT_BYTES];
    uuid_copy_lower_case("0194B0A1-2345-4aBC-9DEF-0123456789AB", copy);
    ck_assert_str_eq(copy, "0194b0a1-2345-4abc-9def-0123456789ab");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("uuid");
    TCase *tcase = tcase_create("uuid");
    tcase_add_test(tcase, a_version_4_uuid_is_random_all_over);
    tcase_add_test(tcase, a_version_8_uuid_starts_with_its_time);
    tcase_add_test(tcase, the_prefix_is_that_of_every_id_of_its_time);
    tcase_add_test(tcase, the_time_of_a_version_8_uuid_can_be_read);
    tcase_add_test(tcase, no_other_text_has_a_time);
    tcase_add_test(tcase, ids_sort_as_text_by_their_time);
    tcase_add_loop_test(tcase, a_uuid_is_hexadecimal_digits_and_four_dashes, 0,
                        sizeof texts / sizeof texts[0]);
    tcase_add_test(tcase, a_copy_is_in_lower_case);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
