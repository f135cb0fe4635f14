#include "base/strbuf.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "support/processes/check_main.h"

static void check_invariants(const struct strbuf *buf) {
    ck_assert_ptr_nonnull(buf->data);
    ck_assert_int_eq(buf->data[buf->length], '\0');
    ck_assert_uint_le(buf->length, buf->max_bytes);
    ck_assert(buf->capacity == 0 ? buf->length == 0 : buf->length < buf->capacity);
    ck_assert_uint_le(buf->capacity, buf->max_bytes + 1);
}

START_TEST(an_empty_strbuf_is_an_empty_string) {
    struct strbuf buf;
    strbuf_init(&buf, 10);
    strbuf_append(&buf, NULL, 0);
    strbuf_appendf(&buf, "%s", "");
    check_invariants(&buf);
    ck_assert_str_eq(buf.data, "");
    ck_assert_uint_eq(buf.capacity, 0);
    ck_assert_int_eq(strbuf_status(&buf), STATUS_OK);
    strbuf_cleanup(&buf);
    strbuf_cleanup_wipe(&buf);
}
END_TEST

START_TEST(pieces_of_every_kind_join) {
    struct strbuf buf;
    strbuf_init(&buf, 1000);
    strbuf_append(&buf, "a\0b", 3);
    strbuf_append_string(&buf, "cd");
    strbuf_append_char(&buf, 'e');
    strbuf_appendf(&buf, "%d-%s", 42, "f");
    ck_assert_uint_eq(buf.length, 10);
    ck_assert_mem_eq(buf.data, "a\0bcde42-f", 11);
    strbuf_cleanup(&buf);
    ck_assert_str_eq(buf.data, "");
    strbuf_append_string(&buf, "again");
    ck_assert_str_eq(buf.data, "again");
    strbuf_cleanup(&buf);
}
END_TEST

START_TEST(the_ceiling_is_reached_and_not_passed) {
    struct strbuf buf;
    strbuf_init(&buf, 5);
    strbuf_append_string(&buf, "12345");
    ck_assert_int_eq(strbuf_status(&buf), STATUS_OK);
    check_invariants(&buf);
    strbuf_append_char(&buf, '6');
    ck_assert_int_eq(strbuf_status(&buf), STATUS_TOO_LARGE);
    ck_assert_str_eq(buf.data, "12345");
    strbuf_cleanup(&buf);
}
END_TEST

START_TEST(nothing_is_appended_after_a_failure_until_it_is_cleared) {
    struct strbuf buf;
    strbuf_init(&buf, 4);
    strbuf_append_string(&buf, "ab");
    strbuf_appendf(&buf, "%s", "cde");
    strbuf_append_char(&buf, 'x');
    strbuf_appendf(&buf, "%d", 1);
    strbuf_append_percent_encoded(&buf, "y");
    ck_assert_str_eq(buf.data, "ab");
    ck_assert_int_eq(strbuf_status(&buf), STATUS_TOO_LARGE);
    size_t capacity = buf.capacity;
    strbuf_clear(&buf);
    ck_assert_str_eq(buf.data, "");
    ck_assert_uint_eq(buf.capacity, capacity);
    strbuf_append_string(&buf, "cdef");
    ck_assert_int_eq(strbuf_status(&buf), STATUS_OK);
    ck_assert_str_eq(buf.data, "cdef");
    strbuf_cleanup(&buf);
    strbuf_append_string(&buf, "ceiling");
    ck_assert_int_eq(strbuf_status(&buf), STATUS_TOO_LARGE); /* release keeps it */
}
END_TEST

START_TEST(sizes_near_the_largest_do_not_overflow) {
    struct strbuf buf;
    strbuf_init(&buf, SIZE_MAX);
    strbuf_append_string(&buf, "abc");
    strbuf_append(&buf, "never read", SIZE_MAX);
    ck_assert_int_eq(strbuf_status(&buf), STATUS_TOO_LARGE);
    strbuf_clear(&buf);
    strbuf_append_string(&buf, "abc");
    strbuf_append(&buf, "never read", SIZE_MAX - 3);
    ck_assert_int_eq(strbuf_status(&buf), STATUS_TOO_LARGE);
    ck_assert_str_eq(buf.data, "abc");
    strbuf_cleanup(&buf);
}
END_TEST

START_TEST(a_string_that_grows_byte_by_byte_is_copied_seldom) {
    struct strbuf buf;
    size_t growths = 0, capacity = 0;
    strbuf_init(&buf, 1 << 20);
    for (int i = 0; i < 1 << 20; i++) {
        strbuf_append_char(&buf, 'x');
        growths += buf.capacity != capacity;
        capacity = buf.capacity;
    }
    ck_assert_int_eq(strbuf_status(&buf), STATUS_OK);
    ck_assert_uint_le(growths, 16);
    check_invariants(&buf);
    strbuf_cleanup_wipe(&buf);
}
END_TEST

START_TEST(what_had_no_room_leaves_nothing_behind) {
    struct strbuf buf;
    strbuf_init(&buf, 100);
    strbuf_append_string(&buf, "sixty bytes, so that some room is left in what was allocated");
    size_t length = buf.length;
    strbuf_appendf(&buf, "%s", "a secret that is longer than the room that there is left at all");
    ck_assert_int_eq(strbuf_status(&buf), STATUS_TOO_LARGE);
    ck_assert_uint_eq(buf.length, length);
    ck_assert_uint_gt(buf.capacity, length + 1);
    for (size_t i = length; i < buf.capacity; i++) {
        ck_assert_int_eq(buf.data[i], 0);
    }
    strbuf_cleanup(&buf);
}
END_TEST

START_TEST(a_cleared_text_is_wiped_where_that_is_asked_for) {
    struct strbuf buf;
    strbuf_init(&buf, 100);
    strbuf_clear_wipe(&buf);
    strbuf_append_string(&buf, "secret");
    const char *data = buf.data;
    strbuf_clear_wipe(&buf);
    ck_assert_uint_eq(buf.length, 0);
    ck_assert_mem_eq(data, "\0\0\0\0\0\0", 6);
    strbuf_append_string(&buf, "next");
    ck_assert_ptr_eq(buf.data, data);
    strbuf_cleanup(&buf);
}
END_TEST

/* As a reply's body is given its ceiling anew for each call. */
START_TEST(a_ceiling_that_was_lowered_counts_whatever_room_there_is) {
    struct strbuf buf;
    strbuf_init(&buf, 1000);
    strbuf_append_string(&buf, "much more than what is allowed later");
    strbuf_clear(&buf);
    buf.max_bytes = 4;
    strbuf_append_string(&buf, "1234");
    ck_assert_int_eq(strbuf_status(&buf), STATUS_OK);
    strbuf_append_char(&buf, '5');
    ck_assert_int_eq(strbuf_status(&buf), STATUS_TOO_LARGE);
    strbuf_clear(&buf);
    strbuf_appendf(&buf, "%s", "1234");
    ck_assert_str_eq(buf.data, "1234");
    strbuf_clear(&buf);
    strbuf_appendf(&buf, "%s", "12345");
    ck_assert_int_eq(strbuf_status(&buf), STATUS_TOO_LARGE);
    ck_assert_str_eq(buf.data, "");
    strbuf_cleanup(&buf);
}
END_TEST

START_TEST(a_whole_number_is_written_in_decimal_digits) {
    static const int64_t values[] = {0, 7, -1, 10, 1000000, 9007199254740993, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct strbuf buf;
        char printed[24];
        strbuf_init(&buf, 100);
        snprintf(printed, sizeof printed, "%lld", (long long)values[i]);
        strbuf_append_int64(&buf, values[i]);
        ck_assert_str_eq(buf.data, printed);
        strbuf_cleanup(&buf);
    }
}
END_TEST

START_TEST(a_text_is_none_where_an_append_has_failed) {
    struct strbuf buf;
    strbuf_init(&buf, 3);
    ck_assert_str_eq(strbuf_text(&buf), "");
    strbuf_append_string(&buf, "abc");
    ck_assert_str_eq(strbuf_text(&buf), "abc");
    strbuf_append_char(&buf, 'd');
    ck_assert_ptr_null(strbuf_text(&buf));
    strbuf_cleanup(&buf);
}
END_TEST

START_TEST(percent_encoding_leaves_only_the_unreserved) {
    struct strbuf buf;
    strbuf_init(&buf, 1000);
    strbuf_append_percent_encoded(&buf, "AZaz09-._~ /?#[]@!$&'()*+,;=%\x01\x7F\xC3\xA9\xFF");
    ck_assert_str_eq(
        buf.data,
        "AZaz09-._~%20%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D%25%01%7F%C3%A9%FF");
    strbuf_cleanup(&buf);
}
END_TEST

/* A generator of our own, so that a failure can be repeated. */
static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

enum { MODEL_BYTES = 700 };

static void append_randomly(struct strbuf *buf, char *model, size_t *model_length,
                            uint32_t *state) {
    char piece[100];
    size_t length = next_random(state) % sizeof piece;
    for (size_t i = 0; i < length; i++) {
        piece[i] = (char)('a' + next_random(state) % 26);
    }
    uint32_t way = next_random(state) % 4;
    if (way == 0) {
        strbuf_append(buf, piece, length);
    } else if (way == 1) {
        strbuf_appendf(buf, "%.*s", (int)length, piece);
    } else {
        piece[length == 0 ? 0 : length - 1] = '\0';
        length = strlen(piece);
        if (way == 2) {
            strbuf_append_string(buf, piece);
        } else {
            strbuf_append_percent_encoded(buf, piece);
        }
    }
    if (strbuf_status(buf) == STATUS_OK) {
        memcpy(model + *model_length, piece, length);
        *model_length += length;
    }
}

START_TEST(random_appends_agree_with_an_array) {
    uint32_t state = (uint32_t)_i * 7919 + 1;
    struct strbuf buf;
    char model[MODEL_BYTES + 100];
    size_t model_length = 0;
    strbuf_init(&buf, next_random(&state) % MODEL_BYTES);
    for (int step = 0; step < 60; step++) {
        append_randomly(&buf, model, &model_length, &state);
        check_invariants(&buf);
        if (strbuf_status(&buf) != STATUS_OK) {
            /*
             * percent encoding goes byte by byte, so some of a piece may have come in before the
             * ceiling
             */
            ck_assert_uint_ge(buf.length, model_length);
            ck_assert_mem_eq(buf.data, model, model_length);
            strbuf_clear(&buf);
            model_length = 0;
        }
        ck_assert_uint_eq(buf.length, model_length);
        ck_assert(memcmp(buf.data, model, model_length) == 0);
    }
    strbuf_cleanup(&buf);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("strbuf");
    TCase *tcase = tcase_create("strbuf");
    tcase_add_test(tcase, an_empty_strbuf_is_an_empty_string);
    tcase_add_test(tcase, pieces_of_every_kind_join);
    tcase_add_test(tcase, the_ceiling_is_reached_and_not_passed);
    tcase_add_test(tcase, nothing_is_appended_after_a_failure_until_it_is_cleared);
    tcase_add_test(tcase, sizes_near_the_largest_do_not_overflow);
    tcase_add_test(tcase, a_string_that_grows_byte_by_byte_is_copied_seldom);
    tcase_add_test(tcase, what_had_no_room_leaves_nothing_behind);
    tcase_add_test(tcase, a_cleared_text_is_wiped_where_that_is_asked_for);
    tcase_add_test(tcase, a_ceiling_that_was_lowered_counts_whatever_room_there_is);
    tcase_add_test(tcase, a_whole_number_is_written_in_decimal_digits);
    tcase_add_test(tcase, a_text_is_none_where_an_append_has_failed);
    tcase_add_test(tcase, percent_encoding_leaves_only_the_unreserved);
    tcase_add_loop_test(tcase, random_appends_agree_with_an_array, 0, 50);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
