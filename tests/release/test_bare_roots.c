/*
 * The package where it is going to live: unpacked into root file systems that have nothing but what
 * every Debian 11 or 12 has (tools/package/roots.sh), with storage outside of them. The handler
 * runs there as a user without rights, with /proc, and sees no environment but what a host gives
 * it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "devhost/free_port.h"
#include "http/ca_bundle.h"
#include "support/calls/http_client.h"
#include "support/processes/azurite.h"
#include "support/processes/certificates.h"
#include "support/processes/check_main.h"
#include "support/processes/process.h"

enum {
    WAIT_MS = 60000,
    TEST_TIMEOUT_S = 180,
    STOP_MS = 5000, /* what a host leaves a handler for its end */
    PATH_BYTES = 512,
    SETTING_BYTES = 1024,
    CA_PLACES = 3,
};

#define APP_FOLDER "/home/site/wwwroot" /* Azure's */

static const char *const releases[] = {"bullseye", "bookworm"};
enum { RELEASES = sizeof releases / sizeof *releases };

static struct certificates certificates;
static struct azurite azurite;
static struct process handler;
static struct process tool;
static int port;
static char ca_path[PATH_BYTES]; /* what a test has put into a root; "": nothing */

static void set_up(void) {
    certificates_make(&certificates);
}

static void tear_down(void) {
    process_cleanup(&tool);
    process_cleanup(&handler);
    azurite_cleanup(&azurite);
    certificates_remove(&certificates);
    if (ca_path[0] != '\0') {
        unlink(ca_path);
        ca_path[0] = '\0';
    }
}

/* Where something of a root is on this machine. */
static void path_in_root(const char *release, const char *path, char out[PATH_BYTES]) {
    const char *root = getenv("LEASEHOLD_ROOT");
    ck_assert_msg(root != NULL, "LEASEHOLD_ROOT is not set: run this with `make test-package`");
    int length = snprintf(out, PATH_BYTES, "%s/build/roots/%s%s", root, release, path);
    ck_assert_int_lt(length, PATH_BYTES);
}

static _Noreturn void fail_with_log(const char *what) {
    char *log = process_output_from(&handler, 0);
    ck_abort_msg("%s; the handler said:\n%s", what, log);
}

/* As root: mount and chroot are not for others. `setting`: one more, or NULL. */
static void start_handler(const char *release, const char *setting) {
    char root[PATH_BYTES], port_setting[SETTING_BYTES], connection_setting[SETTING_BYTES];
    path_in_root(release, "", root);
    port = free_port_find();
    snprintf(port_setting, sizeof port_setting, "FUNCTIONS_CUSTOMHANDLER_PORT=%d", port);
    snprintf(connection_setting, sizeof connection_setting,
             "DistributedLeasing__ConnectionString=%s", azurite.connection_string);
    /* Containers have /proc; this one is mounted for the handler alone, and gone with it. */
    const char *const argv[] = {
        "unshare",
        "--mount",
        "sh",
        "-ec",
        "mount -t proc proc \"$0/proc\"; exec chroot --userspec=65534:65534 \"$0\" \"$@\"",
        root,
        "/usr/bin/env",
        "-i",
        "-C",
        APP_FOLDER,
        port_setting,
        connection_setting,
        "Inventory__SeedProducts=PROD-001=100",
        setting != NULL ? setting : "TZ=UTC",
        "bin/handler",
        NULL};
    process_start(&handler, &(struct process_options){.argv = argv});
    if (!process_wait_for_output(&handler, 0, "Leasehold listens", WAIT_MS)) {
        fail_with_log("it does not start");
    }
}

static void assert_stops(void) {
    if (process_stop(&handler, SIGTERM, STOP_MS) != EXIT_SUCCESS) {
        fail_with_log("it does not stop as it should");
    }
}

static const struct http_ask reserve = {.path = "/api/inventory/PROD-001/reserve",
                                        .body = "{\"quantity\":5,\"customerId\":\"CUST-123\"}"};

static struct http_reply ask_to_reserve(void) {
    struct http_ask ask = reserve;
    ask.port = port;
    return http_ask(ask);
}

static void assert_product_arrives(void) {
    int64_t deadline_ms = process_now_ms() + WAIT_MS;
    while (http_ask_status((struct http_ask){.port = port, .path = "/api/inventory/PROD-001"}) !=
           200) {
        if (process_now_ms() > deadline_ms) {
            fail_with_log("its product is not there");
        }
    }
}

static void assert_reserves(void) {
    assert_product_arrives();
    struct http_reply reply = ask_to_reserve();
    if (reply.status != 200) {
        fail_with_log(reply.body.data);
    }
    cJSON *answer = http_reply_json(&reply);
    ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(answer, "success")));
    ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(answer, "acquiredLease")));
    ck_assert_int_eq(cJSON_GetObjectItem(answer, "availableQuantity")->valueint, 95);
    cJSON_Delete(answer);
    http_reply_cleanup(&reply);
}

/* Creates the folders of `path` below the root, as far as they are missing; they stay. */
static void make_folders(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
}

/* Puts the authority's certificate into a root. */
static void install_ca(const char *release, const char *place) {
    path_in_root(release, place, ca_path);
    make_folders(ca_path);
    const char *const argv[] = {"install", "-m", "644", certificates.ca, ca_path, NULL};
    process_start(&tool, &(struct process_options){.argv = argv});
    ck_assert_int_eq(process_wait(&tool, WAIT_MS), EXIT_SUCCESS);
}

/* --- the roots --- */

/* What `find` lists in a root; the caller's (free). */
static char *find_in_root(const char *release, const char *path, const char *const conditions[]) {
    char start[PATH_BYTES];
    const char *argv[16] = {"find", start, "-xdev"};
    size_t count = 3;
    path_in_root(release, path, start);
    for (; *conditions != NULL; conditions++) {
        argv[count++] = *conditions;
    }
    process_start(&tool, &(struct process_options){.argv = argv});
    ck_assert_int_eq(process_wait(&tool, WAIT_MS), EXIT_SUCCESS);
    return process_output_from(&tool, 0);
}

START_TEST(a_bare_root_has_none_of_our_libraries_and_no_certificates) {
    const char *const library[] = {
        "-regextype", "egrep", "-regex",
        ".*/(lib(curl|ssl|crypto|cjson)[^/]*[.](so|a)[^/]*|[^/]*[.](pem|crt))", NULL};
    char *found = find_in_root(releases[_i], "", library);
    ck_assert_str_eq(found, "");
    free(found);
}
END_TEST

START_TEST(nothing_but_the_handler_can_be_executed) {
    char handler_path[PATH_BYTES + 1];
    path_in_root(releases[_i], APP_FOLDER "/bin/handler", handler_path);
    strcat(handler_path, "\n");
    const char *const executable[] = {"-type", "f", "-perm", "/111", NULL};
    char *found = find_in_root(releases[_i], APP_FOLDER, executable);
    ck_assert_str_eq(found, handler_path);
    free(found);
}
END_TEST

/* --- the handler in them --- */

START_TEST(a_bare_root_reserves_over_http) {
    azurite_start(&azurite, AZURITE_IN_MEMORY);
    start_handler(releases[_i], NULL);
    assert_reserves();
    assert_stops();
}
END_TEST

/* Each release with each of the places. */
START_TEST(a_bare_root_reserves_over_https_with_the_certificates_that_it_keeps) {
    const char *release = releases[_i % RELEASES];
    azurite_start_https(&azurite, AZURITE_IN_MEMORY, &certificates.server);
    install_ca(release, ca_bundle_places[_i / RELEASES]);
    start_handler(release, NULL);
    assert_reserves();
    assert_stops();
}
END_TEST

START_TEST(a_root_without_certificates_reserves_over_https_with_those_that_ssl_cert_file_names) {
    azurite_start_https(&azurite, AZURITE_IN_MEMORY, &certificates.server);
    install_ca(releases[_i], APP_FOLDER "/our-ca.pem");
    start_handler(releases[_i], "SSL_CERT_FILE=" APP_FOLDER "/our-ca.pem");
    assert_reserves();
    assert_stops();
}
END_TEST

START_TEST(a_server_that_the_roots_certificates_do_not_vouch_for_is_refused) {
    azurite_start_https(&azurite, AZURITE_IN_MEMORY, &certificates.impostor);
    install_ca(releases[_i], ca_bundle_places[0]);
    start_handler(releases[_i], NULL);
    struct http_reply reply = ask_to_reserve();
    ck_assert_int_eq(reply.status, 503);
    http_reply_cleanup(&reply);
    assert_stops();
}
END_TEST

START_TEST(a_root_without_certificates_says_what_is_missing) {
    azurite_start_https(&azurite, AZURITE_IN_MEMORY, &certificates.server);
    start_handler(releases[_i], NULL);
    if (!process_wait_for_output(&handler, 0, "this system's CA certificates were not found",
                                 WAIT_MS)) {
        fail_with_log("it does not say that certificates are missing");
    }
    struct http_reply reply = ask_to_reserve();
    ck_assert_int_eq(reply.status, 503);
    http_reply_cleanup(&reply);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("bare_roots");
    TCase *tests = tcase_create("bare_roots");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_loop_test(tests, a_bare_root_has_none_of_our_libraries_and_no_certificates, 0,
                        RELEASES);
    tcase_add_loop_test(tests, nothing_but_the_handler_can_be_executed, 0, RELEASES);
    tcase_add_loop_test(tests, a_bare_root_reserves_over_http, 0, RELEASES);
    tcase_add_loop_test(tests, a_bare_root_reserves_over_https_with_the_certificates_that_it_keeps,
                        0, RELEASES * CA_PLACES);
    tcase_add_loop_test(
        tests, a_root_without_certificates_reserves_over_https_with_those_that_ssl_cert_file_names,
        0, RELEASES);
    tcase_add_loop_test(tests, a_server_that_the_roots_certificates_do_not_vouch_for_is_refused, 0,
                        RELEASES);
    tcase_add_loop_test(tests, a_root_without_certificates_says_what_is_missing, 0, RELEASES);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
