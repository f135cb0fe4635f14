#include "base/random.h"

#include <string.h>

#include "base/uuid.h"
#include "support/processes/check_main.h"

static enum status fill_zeros(const struct random_source *self, void *out, size_t length) {
    (void)self;
    memset(out, 0, length);
    return STATUS_OK;
}

static enum status fill_ones(const struct random_source *self, void *out, size_t length) {
    (void)self;
    memset(out, 0xFF, length);
    return STATUS_OK;
}

static enum status fill_nothing(const struct random_source *self, void *out, size_t length) {
    (void)self, (void)out, (void)length;
    return STATUS_INTERNAL;
}

static const struct random_source zeros = {fill_zeros}, ones = {fill_ones},
                                  nothing = {fill_nothing};

START_TEST(the_system_gives_other_bytes_each_time) {
    unsigned char first[16], second[16];
    ck_assert_int_eq(random_fill(random_system(), first, sizeof first), STATUS_OK);
    ck_assert_int_eq(random_fill(random_system(), second, sizeof second), STATUS_OK);
    ck_assert_mem_ne(first, second, sizeof first);
}
END_TEST

START_TEST(a_fraction_is_from_0_to_1) {
    ck_assert(random_fraction(&zeros) == 0);
    ck_assert(random_fraction(&ones) == 1);
}
END_TEST

START_TEST(without_random_bytes_a_fraction_is_1) {
    ck_assert(random_fraction(&nothing) == 1);
}
END_TEST

START_TEST(jitter_is_up_to_half_of_a_wait) {
    ck_assert_int_eq(random_jitter_ms(100, 0), 0);
    ck_assert_int_eq(random_jitter_ms(100, 0.5), 25);
    ck_assert_int_eq(random_jitter_ms(100, 1), 50);
    ck_assert_int_eq(random_jitter_ms(0, 1), 0);
}
END_TEST

START_TEST(an_id_is_made_of_the_bytes_that_the_source_gives) {
    char id[UUID_TEXT_BYTES];
    ck_assert_int_eq(uuid_v4(&zeros, id), STATUS_OK);
    ck_assert_str_eq(id, "00000000-0000-4000-8000-000000000000");
    ck_assert_int_eq(uuid_v8_from_time(&ones, 0x0194B0A12345, id), STATUS_OK);
    ck_assert_str_eq(id, "0194b0a1-2345-8fff-bfff-ffffffffffff");
}
END_TEST

START_TEST(without_random_bytes_there_is_no_id) {
    char id[UUID_TEXT_BYTES] = "as it was";
    ck_assert_int_eq(uuid_v4(&nothing, id), STATUS_INTERNAL);
    ck_assert_int_eq(uuid_v8_from_time(&nothing, 1, id), STATUS_INTERNAL);
    ck_assert_str_eq(id, "as it was");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("random");
    TCase *tcase = tcase_create("sources");
    tcase_add_test(tcase, the_system_gives_other_bytes_each_time);
    tcase_add_test(tcase, a_fraction_is_from_0_to_1);
    tcase_add_test(tcase, without_random_bytes_a_fraction_is_1);
    tcase_add_test(tcase, jitter_is_up_to_half_of_a_wait);
    tcase_add_test(tcase, an_id_is_made_of_the_bytes_that_the_source_gives);
    tcase_add_test(tcase, without_random_bytes_there_is_no_id);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
