/* route: which paths fit a template, and what its parameters are. */
#include "devhost/route.h"

#include <stdio.h>
#include <string.h>

#include "support/processes/check_main.h"

#define RESERVE "api/inventory/{productId}/reserve"

static struct route_values values;

static void assert_value(const char *path, const char *expected) {
    ck_assert_msg(route_matches(RESERVE, path, &values), "%s does not fit", path);
    ck_assert_uint_eq(values.count, 1);
    ck_assert_str_eq(values.items[0].name, "productId");
    ck_assert_str_eq(values.items[0].value, expected);
}

START_TEST(a_parameter_takes_one_segment) {
    assert_value("/api/inventory/PROD-001/reserve", "PROD-001");
    ck_assert(!route_matches(RESERVE, "/api/inventory/a/b/reserve", &values));
    ck_assert(!route_matches(RESERVE, "/api/inventory//reserve", &values));
    ck_assert(!route_matches(RESERVE, "/api/inventory/reserve", &values));
}
END_TEST

START_TEST(literals_compare_without_case_and_keep_the_parameter_s_case) {
    assert_value("/API/Inventory/pRod/RESERVE", "pRod");
    assert_value("/%61pi/inventory/x/reserv%65", "x");
}
END_TEST

START_TEST(one_slash_at_the_end_is_tolerated) {
    assert_value("/api/inventory/x/reserve/", "x");
    ck_assert(!route_matches(RESERVE, "/api/inventory/x/reserve//", &values));
    ck_assert(!route_matches(RESERVE, "//api/inventory/x/reserve", &values));
}
END_TEST

START_TEST(a_path_must_fit_from_end_to_end) {
    static const char *const paths[] = {"/",
                                        "",
                                        "/api",
                                        "/api/inventory/x",
                                        "/api/inventory/x/",
                                        "/api/inventory/x/reserve/more",
                                        "/api/inventory/x/reserved",
                                        "/api/inventory/x/reserv",
                                        "/x/api/inventory/x/reserve"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ck_assert_msg(!route_matches(RESERVE, paths[i], &values), "%s fits", paths[i]);
    }
}
END_TEST

START_TEST(parameters_are_percent_decoded_but_for_the_slash) {
    assert_value("/api/inventory/a%20b%C3%a9%25/reserve", "a b\xc3\xa9%");
    assert_value("/api/inventory/a%2Fb%2fc/reserve", "a%2Fb%2fc");
    assert_value("/api/inventory/100%/reserve", "100%");
    assert_value("/api/inventory/%zz%4/reserve", "%zz%4");
    assert_value("/api/inventory/a+b/reserve", "a+b");
    assert_value("/api/inventory/x%41/reserve", "xA");
}
END_TEST

START_TEST(an_encoded_nul_fits_nothing) {
    ck_assert(!route_matches(RESERVE, "/api/inventory/a%00b/reserve", &values));
}
END_TEST

START_TEST(an_overlong_parameter_fits_nothing) {
    char value[ROUTE_VALUE_BYTES + 1] = "";
    char path[sizeof value + 64];
    for (size_t length = ROUTE_VALUE_BYTES - 1; length <= ROUTE_VALUE_BYTES; length++) {
        memset(value, 'x', length);
        snprintf(path, sizeof path, "/api/inventory/%s/reserve", value);
        ck_assert_int_eq(route_matches(RESERVE, path, &values), length < ROUTE_VALUE_BYTES);
    }
}
END_TEST

START_TEST(several_parameters_come_in_order) {
    ck_assert(route_matches("{a}/x/{b-2}", "/1/x/2", &values));
    ck_assert_uint_eq(values.count, 2);
    ck_assert_str_eq(values.items[0].name, "a");
    ck_assert_str_eq(values.items[0].value, "1");
    ck_assert_str_eq(values.items[1].name, "b-2");
    ck_assert_str_eq(values.items[1].value, "2");
}
END_TEST

START_TEST(templates_with_more_than_names_are_refused) {
    static const char *const templates[] = {
        "a/{id:int}", "a/{id?}", "a/{*rest}", "a/x{id}",
        "a/{id}x",    "a/{}",    "a//b",      "",
        "a/",         "{",       "a}",        "{1}/{2}/{3}/{4}/{5}/{6}/{7}/{8}/{9}"};
    struct error err;
    for (size_t i = 0; i < sizeof templates / sizeof templates[0]; i++) {
        ck_assert_msg(route_check(templates[i], &err) == STATUS_INVALID_ARGUMENT, "%s was taken",
                      templates[i]);
    }
    ck_assert_int_eq(route_check(RESERVE, &err), STATUS_OK);
    ck_assert_int_eq(route_check("{1}/{2}/{3}/{4}/{5}/{6}/{7}/{8}", &err), STATUS_OK);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("route");
    TCase *tcase = tcase_create("route");
    tcase_add_test(tcase, a_parameter_takes_one_segment);
    tcase_add_test(tcase, literals_compare_without_case_and_keep_the_parameter_s_case);
    tcase_add_test(tcase, one_slash_at_the_end_is_tolerated);
    tcase_add_test(tcase, a_path_must_fit_from_end_to_end);
    tcase_add_test(tcase, parameters_are_percent_decoded_but_for_the_slash);
    tcase_add_test(tcase, an_encoded_nul_fits_nothing);
    tcase_add_test(tcase, an_overlong_parameter_fits_nothing);
    tcase_add_test(tcase, several_parameters_come_in_order);
    tcase_add_test(tcase, templates_with_more_than_names_are_refused);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
