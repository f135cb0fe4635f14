/* route_template: which paths fit a template, and what its parameters are. */
#include "base/route_template.h"

#include <string.h>

#include "support/processes/check_main.h"

#define RESERVE "api/inventory/{productId}/reserve"

static struct route_match match;

static void assert_value(const char *path, const char *expected) {
    ck_assert_msg(route_template_matches(RESERVE, path, &match), "%s does not fit", path);
    ck_assert_uint_eq(match.count, 1);
    ck_assert_uint_eq(match.lengths[0], strlen(expected));
    ck_assert_mem_eq(match.values[0], expected, match.lengths[0]);
}

/* ---- paths ---- */

START_TEST(a_parameter_takes_one_segment) {
    assert_value("/api/inventory/PROD-001/reserve", "PROD-001");
    ck_assert(!route_template_matches(RESERVE, "/api/inventory/a/b/reserve", &match));
    ck_assert(!route_template_matches(RESERVE, "/api/inventory//reserve", &match));
    ck_assert(!route_template_matches(RESERVE, "/api/inventory/reserve", &match));
    ck_assert(!route_template_matches("x/{id}", "/x/", &match));
}
END_TEST

START_TEST(a_value_stays_as_it_is_in_the_path) {
    assert_value("/api/inventory/a%20b%2Fc%/reserve", "a%20b%2Fc%");
}
END_TEST

START_TEST(literals_compare_decoded_and_without_case) {
    assert_value("/API/Inventory/pRod/RESERVE", "pRod");
    assert_value("/%61pi/inventory/x/reserv%65", "x");
    assert_value("/%41PI/inventory/x/reserv%45", "x");
    static const char *const paths[] = {
        "/api%/inventory/x/reserve",  "/api/inventory/x/reserve%",   "/api/inventory/x/reserv%6",
        "/api%2Finventory/x/reserve", "/api/inventory/x/reserve%00", "/api/inventory%20/x/reserve"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ck_assert_msg(!route_template_matches(RESERVE, paths[i], &match), "%s fits", paths[i]);
    }
}
END_TEST

START_TEST(one_slash_at_the_end_is_tolerated) {
    assert_value("/api/inventory/x/reserve/", "x");
    ck_assert(!route_template_matches(RESERVE, "/api/inventory/x/reserve//", &match));
    ck_assert(!route_template_matches(RESERVE, "//api/inventory/x/reserve", &match));
}
END_TEST

START_TEST(a_path_must_fit_from_end_to_end) {
    static const char *const paths[] = {"/",
                                        "",
                                        "*",
                                        "/api",
                                        "/api/inventory/x",
                                        "/api/inventory/x/",
                                        "/api/inventory/x/reserve/more",
                                        "/api/inventory/x/reserved",
                                        "/api/inventory/x/reserv",
                                        "api/inventory/x/reserve",
                                        "/x/api/inventory/x/reserve"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ck_assert_msg(!route_template_matches(RESERVE, paths[i], &match), "%s fits", paths[i]);
    }
}
END_TEST

START_TEST(several_parameters_come_in_order) {
    static const char template[] = "inventory/{productId}/reservations/{reservation-2}/confirm";
    char name[ROUTE_NAME_BYTES];
    ck_assert(route_template_matches(template, "/inventory/P/reservations/R2/confirm", &match));
    ck_assert_uint_eq(match.count, 2);
    ck_assert_mem_eq(match.values[0], "P/", 2);
    ck_assert_uint_eq(match.lengths[0], 1);
    ck_assert_mem_eq(match.values[1], "R2/", 3);
    ck_assert_uint_eq(match.lengths[1], 2);
    ck_assert(route_template_param(template, 0, name));
    ck_assert_str_eq(name, "productId");
    ck_assert(route_template_param(template, 1, name));
    ck_assert_str_eq(name, "reservation-2");
    ck_assert(!route_template_param(template, 2, name));
    ck_assert(!route_template_param("inventory", 0, name));
}
END_TEST

/* ---- prefixes ---- */

START_TEST(a_prefix_is_skipped_segment_by_segment) {
    ck_assert_str_eq(route_template_skip("", "/api/x"), "/api/x");
    ck_assert_str_eq(route_template_skip("api", "/API/x"), "/x");
    ck_assert_str_eq(route_template_skip("api", "/api"), "");
    ck_assert_str_eq(route_template_skip("v1/api", "/v%31/api/x/y"), "/x/y");
    static const char *const paths[] = {"",        "/",       "*",     "api/x",
                                        "//api/x", "/apis/x", "/ap/x", "/v1"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ck_assert_msg(route_template_skip("api", paths[i]) == NULL, "%s has it", paths[i]);
    }
    ck_assert_ptr_null(route_template_skip("v1/api", "/v1"));
}
END_TEST

/* ---- templates ---- */

START_TEST(templates_with_more_than_names_are_refused) {
    static const char *const templates[] = {
        "a/{id:int}", "a/{id?}", "a/{*rest}", "a/x{id}",
        "a/{id}x",    "a/{}",    "a//b",      "",
        "a/",         "{",       "a}",        "{1}/{2}/{3}/{4}/{5}/{6}/{7}/{8}/{9}"};
    struct error err;
    for (size_t i = 0; i < sizeof templates / sizeof templates[0]; i++) {
        ck_assert_msg(route_template_check(templates[i], &err) == STATUS_INVALID_ARGUMENT,
                      "%s was taken", templates[i]);
    }
    ck_assert_int_eq(route_template_check(RESERVE, &err), STATUS_OK);
    ck_assert_int_eq(route_template_check("{1}/{2}/{3}/{4}/{5}/{6}/{7}/{8}", &err), STATUS_OK);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("route_template");
    TCase *tcase = tcase_create("route_template");
    tcase_add_test(tcase, a_parameter_takes_one_segment);
    tcase_add_test(tcase, a_value_stays_as_it_is_in_the_path);
    tcase_add_test(tcase, literals_compare_decoded_and_without_case);
    tcase_add_test(tcase, one_slash_at_the_end_is_tolerated);
    tcase_add_test(tcase, a_path_must_fit_from_end_to_end);
    tcase_add_test(tcase, several_parameters_come_in_order);
    tcase_add_test(tcase, a_prefix_is_skipped_segment_by_segment);
    tcase_add_test(tcase, templates_with_more_than_names_are_refused);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
