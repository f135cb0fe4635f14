#include "http/ca_bundle.h"

#include <stdio.h>

#include "support/processes/check_main.h"
#include "support/processes/temp_folder.h"

enum { PLACES = 3, PATH_BYTES = 128 };

static struct temp_folder folder;
static char paths[PLACES][PATH_BYTES];
static const char *places[PLACES + 1];

static void set_up(void) {
    temp_folder_make(&folder);
    for (int i = 0; i < PLACES; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%d.pem", folder.path, i);
        places[i] = paths[i];
    }
}

static void tear_down(void) {
    temp_folder_remove(&folder);
}

START_TEST(the_first_place_that_can_be_read_is_taken) {
    temp_folder_write(&folder, "2.pem", "");
    ck_assert_str_eq(ca_bundle_find(places), paths[2]);
    temp_folder_write(&folder, "1.pem", "");
    ck_assert_str_eq(ca_bundle_find(places), paths[1]);
}
END_TEST

START_TEST(a_system_without_certificates_has_no_place) {
    ck_assert_ptr_null(ca_bundle_find(places));
}
END_TEST

START_TEST(debians_place_comes_before_azure_linuxs_and_alpines) {
    ck_assert_str_eq(ca_bundle_places[0], "/etc/ssl/certs/ca-certificates.crt");
    ck_assert_str_eq(ca_bundle_places[1], "/etc/pki/tls/certs/ca-bundle.crt");
    ck_assert_str_eq(ca_bundle_places[2], "/etc/ssl/cert.pem");
    ck_assert_ptr_null(ca_bundle_places[3]);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ca_bundle");
    TCase *tests = tcase_create("ca_bundle");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, the_first_place_that_can_be_read_is_taken);
    tcase_add_test(tests, a_system_without_certificates_has_no_place);
    tcase_add_test(tests, debians_place_comes_before_azure_linuxs_and_alpines);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
