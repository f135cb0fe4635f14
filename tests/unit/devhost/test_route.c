/* route: the parameters of a path, as a function gets them. */
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

START_TEST(a_path_that_does_not_fit_has_no_parameters) {
    ck_assert(!route_matches(RESERVE, "/api/inventory/a/b/reserve", &values));
    ck_assert(!route_matches(RESERVE, "/api/inventory/a%2Freserve", &values));
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

int main(void) {
    Suite *suite = suite_create("route");
    TCase *tcase = tcase_create("route");
    tcase_add_test(tcase, a_path_that_does_not_fit_has_no_parameters);
    tcase_add_test(tcase, parameters_are_percent_decoded_but_for_the_slash);
    tcase_add_test(tcase, an_encoded_nul_fits_nothing);
    tcase_add_test(tcase, an_overlong_parameter_fits_nothing);
    tcase_add_test(tcase, several_parameters_come_in_order);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
