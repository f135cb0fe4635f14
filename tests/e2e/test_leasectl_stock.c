/* leasectl's commands that change stock by a difference, from a file, or by a reservation. */
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/uuid.h"
#include "support/calls/table_editor.h"
#include "support/processes/check_main.h"
#include "support/processes/instance_pair.h"
#include "support/processes/temp_folder.h"
#include "support/processes/tool_process.h"

enum { ADJUSTERS = 4, PATH_BYTES = 128 };

static struct app *const holder = &instance_pair.holder;
static struct temp_folder folder;
static char path[PATH_BYTES]; /* of the file to import */

static void set_up(void) {
    temp_folder_make(&folder);
    snprintf(path, sizeof path, "%s/stock.csv", folder.path);
    tool_set_up();
}

static void tear_down(void) {
    tool_tear_down();
    temp_folder_remove(&folder);
}

/* ---- adjust ---- */

START_TEST(a_total_changes_by_a_difference) {
    tool_run(TOOL_WORDS("products", "add", "A", "100"), 0);
    ck_assert_str_eq(tool_run(TOOL_WORDS("products", "adjust", "A", "+50"), 0),
                     "PRODUCT TOTAL AVAILABLE RESERVED VERSION\n"
                     "A         150       150        0       2\n");
    ck_assert_str_eq(tool_run(TOOL_WORDS("--json", "products", "adjust", "A", "-30"), 0),
                     "{\"productId\":\"A\",\"totalQuantity\":120,\"availableQuantity\":120,"
                     "\"reservedQuantity\":0,\"version\":3}\n");
    tool_expect(TOOL_WORDS("products", "adjust", "A", "-121"), TOOL_REFUSED,
                "the total of A cannot change by -121: 120 units are available; it is still 120");
    tool_expect(TOOL_WORDS("products", "adjust", "NONE", "+1"), TOOL_REFUSED,
                "there is no product NONE");
    tool_expect(TOOL_WORDS("products", "adjust", "A", "5"), 64, "a difference is +N or -N");
    tool_expect_product("A", 120, 120, 3);
}
END_TEST

START_TEST(reserved_units_stay_when_a_total_falls) {
    instance_start(holder, NULL);
    instance_expect_reserve(holder, "PROD-001", 60, 200, "\"success\":true");
    tool_expect(TOOL_WORDS("products", "adjust", "PROD-001", "-41"), TOOL_REFUSED,
                "cannot change by -41: 40 units are available; it is still 100");
    tool_expect(TOOL_WORDS("products", "adjust", "PROD-001", "-40"), 0,
                "PROD-001    60         0       60       3\n");
    instance_expect_reserve(holder, "PROD-001", 1, 409, "Available: 0");
    instance_stop(holder);
}
END_TEST

START_TEST(differences_at_once_add_up) {
    struct process adjusters[ADJUSTERS];
    tool_run(TOOL_WORDS("products", "add", "A", "100"), 0);
    for (int i = 0; i < ADJUSTERS; i++) {
        tool_start_with(&adjusters[i], "DistributedLeasing__AcquireTimeout=00:00:30",
                        TOOL_WORDS("products", "adjust", "A", i % 2 == 0 ? "+10" : "-1"));
    }
    for (int i = 0; i < ADJUSTERS; i++) {
        ck_assert_int_eq(process_wait(&adjusters[i], TOOL_TIMEOUT_MS), 0);
        process_cleanup(&adjusters[i]);
    }
    tool_expect_product("A", 118, 118, 1 + ADJUSTERS);
}
END_TEST

START_TEST(an_adjustment_whose_answer_is_lost_happens_once) {
    tool_go_through_proxies();
    tool_run(TOOL_WORDS("products", "add", "A", "100"), 0);
    int lost = fault_proxy_add(
        tool_table_proxy,
        &(struct fault_rule){.path_contains = "$batch", .times = 1, .kind = FAULT_RESET_AFTER});
    tool_expect(TOOL_WORDS("products", "adjust", "A", "+5"), 0,
                "A         105       105        0       2\n");
    ck_assert_int_eq(fault_proxy_applied(tool_table_proxy, lost), 1);
    tool_expect_product("A", 105, 105, 2);
}
END_TEST

/* ---- set --if-version ---- */

START_TEST(a_total_is_set_only_in_the_version_that_is_named) {
    tool_run(TOOL_WORDS("products", "add", "A", "100"), 0);
    tool_expect(TOOL_WORDS("products", "set", "A", "150", "--if-version", "1"), 0,
                "A         150       150        0       2\n");
    tool_expect(TOOL_WORDS("products", "set", "A", "200", "--if-version", "1"), TOOL_REFUSED,
                "product A was not changed: its version is 2, not 1");
    tool_expect(TOOL_WORDS("products", "set", "A", "200", "--if-version", "3"), TOOL_REFUSED,
                "product A was not changed: its version is 2, not 3");
    tool_expect(TOOL_WORDS("products", "set", "A", "200", "--if-version", "0"), 64,
                "--if-version is");
    tool_expect_product("A", 150, 150, 2);
}
END_TEST

/* ---- import ---- */

static void expect_import(const char *file, int exit_code, const char *output) {
    temp_folder_write(&folder, "stock.csv", file);
    ck_assert_str_eq(tool_run(TOOL_WORDS("products", "import", path), exit_code), output);
}

START_TEST(an_import_creates_what_is_absent) {
    tool_run(TOOL_WORDS("products", "add", "B", "7"), 0);
    expect_import("product,total\nA,100\nB,50\nC,0\n", 0,
                  "CREATED EXISTING REFUSED\n"
                  "      2        1       0\n");
    tool_expect_product("A", 100, 100, 1);
    tool_expect_product("B", 7, 7, 1);
    tool_expect_product("C", 0, 0, 1);
    ck_assert_str_eq(tool_run(TOOL_WORDS("products", "import", path, "--json"), 0),
                     "{\"created\":0,\"existing\":3,\"refused\":0}\n");
}
END_TEST

START_TEST(each_refused_line_is_named_and_the_others_are_done) {
    char lines[1024];
    snprintf(lines, sizeof lines,
             "leasectl: line 2: TOTAL is a whole number from 0 to 1000000000: \"-5\"\n"
             "leasectl: line 4: line 1 has product A already\n"
             "CREATED EXISTING REFUSED\n"
             "      2        0       2\n"
             "leasectl: %s: 2 of its lines were refused\n",
             path);
    expect_import("A,1\nB,-5\nC,3\nA,1\n", TOOL_REFUSED, lines);
    tool_expect_product("A", 1, 1, 1);
    tool_expect_product("C", 3, 3, 1);
    tool_expect(TOOL_WORDS("show", "B"), TOOL_REFUSED, "there is no product B");
}
END_TEST

/* Units of the reservation that is left would be sold twice. */
START_TEST(a_line_that_storage_refuses_is_named) {
    instance_start(holder, NULL);
    instance_expect_reserve(holder, "PROD-002", 20, 200, "\"success\":true");
    instance_stop(holder);
    table_editor_delete("PROD-002", "product");
    temp_folder_write(&folder, "stock.csv", "A,1\nPROD-002,50\nB,2\n");
    tool_expect(TOOL_WORDS("products", "import", path), TOOL_REFUSED, "leasectl: line 2: ");
    tool_expect(TOOL_WORDS("products", "import", path), TOOL_REFUSED, "      0        2       1\n");
    tool_expect_product("B", 2, 2, 1);
}
END_TEST

START_TEST(a_file_without_a_product_is_refused) {
    char line[256];
    snprintf(line, sizeof line, "leasectl: %s names no product\n", path);
    expect_import("", TOOL_REFUSED, line);
    expect_import("product,total\n\n", TOOL_REFUSED, line);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_changes_nothing) {
    tool_expect(TOOL_WORDS("products", "import", path), 64, "No such file or directory");
    tool_expect(TOOL_WORDS("products", "import", folder.path), 64, "Is a directory");
    tool_expect(TOOL_WORDS("products", "import", ""), 64, "No such file or directory");
    temp_folder_write_bytes(&folder, "stock.csv", "A,1\nPK\0\3", 8);
    tool_expect(TOOL_WORDS("products", "import", path), 64, "line 2 has a zero byte");
    tool_expect(TOOL_WORDS("products", "list"), 1, "TableNotFound");
}
END_TEST

START_TEST(a_repeated_import_undoes_no_sale) {
    static const char file[] = "NEW-1,10\nNEW-2,20\n";
    expect_import(file, 0, "CREATED EXISTING REFUSED\n      2        0       0\n");
    instance_start(holder, NULL);
    instance_expect_reserve(holder, "NEW-1", 4, 200, "\"success\":true");
    tool_run(TOOL_WORDS("products", "adjust", "NEW-1", "-5"), 0);
    expect_import(file, 0, "CREATED EXISTING REFUSED\n      0        2       0\n");
    tool_expect_product("NEW-1", 5, 1, 3);
    instance_stop(holder);
}
END_TEST

/* The line that is under way is finished, and a repeat goes on behind it. */
START_TEST(an_interrupted_import_is_resumed) {
    tool_go_through_proxies();
    temp_folder_write(&folder, "stock.csv", "A,1\nB,2\n\nC,3\nD,4\n");
    int slow = fault_proxy_add(tool_table_proxy, &(struct fault_rule){.method = "POST",
                                                                      .path_contains = "/inventory",
                                                                      .skip = 1,
                                                                      .times = 1,
                                                                      .kind = FAULT_DELAY_ANSWER,
                                                                      .delay_ms = 1500});
    tool_start(TOOL_WORDS("products", "import", path));
    fault_proxy_await(tool_table_proxy, slow, 1);
    process_signal(&tool_process, SIGINT);
    ck_assert_str_eq(tool_finish(1), "leasectl: interrupted before line 4. The lines before it are "
                                     "done. To go on, run the import again\n");
    tool_expect_product("B", 2, 2, 1);
    tool_expect(TOOL_WORDS("show", "C"), TOOL_REFUSED, "there is no product C");
    ck_assert_str_eq(tool_run(TOOL_WORDS("products", "import", path), 0),
                     "CREATED EXISTING REFUSED\n      2        2       0\n");
}
END_TEST

START_TEST(a_failure_of_storage_ends_an_import_and_names_its_line) {
    tool_go_through_proxies();
    temp_folder_write(&folder, "stock.csv", "A,1\nB,2\nC,3\n");
    fault_proxy_add(tool_table_proxy, &(struct fault_rule){.method = "POST",
                                                           .path_contains = "/inventory",
                                                           .skip = 1,
                                                           .times = 1,
                                                           .kind = FAULT_STATUS_BEFORE,
                                                           .status = 403,
                                                           .error_code = "AuthorizationFailure"});
    const char *output = tool_run(TOOL_WORDS("products", "import", path), 1);
    ck_assert_ptr_nonnull(strstr(output, "leasectl: line 2: adding product B: "));
    ck_assert_ptr_nonnull(strstr(output, "run the import again"));
    fault_proxy_clear(tool_table_proxy);
    tool_expect(TOOL_WORDS("products", "import", path), 0, "      2        1       0\n");
}
END_TEST

START_TEST(a_product_whose_answer_is_lost_is_created_once) {
    tool_go_through_proxies();
    temp_folder_write(&folder, "stock.csv", "A,1\nB,2\n");
    int lost = fault_proxy_add(tool_table_proxy, &(struct fault_rule){.method = "POST",
                                                                      .path_contains = "/inventory",
                                                                      .times = 1,
                                                                      .kind = FAULT_RESET_AFTER});
    tool_expect(TOOL_WORDS("products", "import", path), 0, "      2        0       0\n");
    ck_assert_int_eq(fault_proxy_applied(tool_table_proxy, lost), 1);
    tool_expect_product("A", 1, 1, 1);
}
END_TEST

/* stderr is a terminal; stdout is none. */
START_TEST(a_terminal_shows_how_far_an_import_is) {
    int terminal, side;
    char shown[4096], name[64] = "";
    ck_assert_int_eq(openpty(&terminal, &side, NULL, NULL, NULL), 0);
    ck_assert_int_eq(ttyname_r(side, name, sizeof name), 0);
    temp_folder_write(&folder, "stock.csv", "A,1\nB,2\n");
    const char *const argv[] = {
        "/bin/sh", "-c", "exec \"$0\" products import \"$1\" 2>\"$2\"", tool_program(), path,
        name,      NULL};
    const char *const env[] = {tool_connection(), NULL};
    process_start(&tool_process, &(struct process_options){.argv = argv, .env = env, .cwd = "/"});
    ck_assert_str_eq(tool_finish(0), "CREATED EXISTING REFUSED\n      2        0       0\n");
    struct pollfd ready = {.fd = terminal, .events = POLLIN};
    ck_assert_int_eq(poll(&ready, 1, 0), 1);
    ssize_t length = read(terminal, shown, sizeof shown - 1);
    ck_assert_int_gt(length, 0);
    shown[length] = '\0';
    ck_assert_ptr_nonnull(strstr(shown, "\r\033[K1 of 2 products"));
    ck_assert_str_eq(shown + length - 4, "\r\033[K");
    close(side);
    close(terminal);
}
END_TEST

/* ---- reservations ---- */

/* Copies the id of the product's only reservation. */
static void find_reservation(const char *product_id, char out[UUID_TEXT_BYTES]) {
    cJSON *rows = NULL;
    const char *output = tool_run(TOOL_WORDS("reservations", "list", product_id, "--json"), 0);
    ck_assert_int_eq(json_parse(output, strlen(output), &rows, NULL), STATUS_OK);
    ck_assert_int_eq(cJSON_GetArraySize(rows), 1);
    snprintf(out, UUID_TEXT_BYTES, "%s", json_string(rows->child, "reservationId"));
    cJSON_Delete(rows);
}

/* Starts the handler, reserves units, and returns the reservation's id, which is static. */
static const char *reserve(int quantity) {
    static char id[UUID_TEXT_BYTES];
    instance_start(holder, NULL);
    instance_expect_reserve(holder, "PROD-001", quantity, 200, "\"success\":true");
    find_reservation("PROD-001", id);
    return id;
}

START_TEST(active_reservations_are_listed) {
    ck_assert_str_ne(reserve(5), "");
    instance_expect_reserve(holder, "PROD-001", 6, 200, "\"success\":true");
    const char *output = tool_run(TOOL_WORDS("reservations", "list", "PROD-001"), 0);
    ck_assert_ptr_nonnull(strstr(output, "RESERVATION "));
    ck_assert_ptr_nonnull(strstr(output, " CUST-123        5 20"));
    ck_assert_ptr_nonnull(strstr(output, " CUST-123        6 20"));
    ck_assert_str_eq(tool_run(TOOL_WORDS("reservations", "list", "PROD-002"), 0),
                     "RESERVATION CUSTOMER QUANTITY RESERVED AT EXPIRES AT\n");
    ck_assert_str_eq(tool_run(TOOL_WORDS("reservations", "list", "PROD-002", "--json"), 0), "[]\n");
    tool_expect(TOOL_WORDS("reservations", "list", "NONE"), TOOL_REFUSED,
                "there is no product NONE");
    instance_stop(holder);
}
END_TEST

START_TEST(reservations_of_one_customer_are_listed) {
    ck_assert_str_ne(reserve(5), "");
    tool_expect(TOOL_WORDS("reservations", "list", "PROD-001", "--customer", "CUST-123"), 0,
                " CUST-123        5 20");
    ck_assert_str_eq(
        tool_run(TOOL_WORDS("reservations", "list", "PROD-001", "--customer", "CUST-12", "--json"),
                 0),
        "[]\n");
    instance_stop(holder);
}
END_TEST

/* A snapshot of one customer has the rows that expire soon, whoever has them. */
START_TEST(others_whose_reservations_expire_soon_are_left_out) {
    instance_start(holder, (const char *const[]){"Inventory:ReservationLifetime=00:00:08", NULL});
    instance_expect_reserve(holder, "PROD-001", 5, 200, "\"success\":true");
    ck_assert_str_eq(
        tool_run(TOOL_WORDS("reservations", "list", "PROD-001", "--customer", "OTHER", "--json"),
                 0),
        "[]\n");
    instance_stop(holder);
}
END_TEST

START_TEST(what_has_expired_is_not_listed_and_cannot_be_confirmed_or_released) {
    char id[UUID_TEXT_BYTES];
    instance_start(holder, (const char *const[]){"Inventory:ReservationLifetime=00:00:10", NULL});
    instance_expect_reserve(holder, "PROD-001", 5, 200, "\"success\":true");
    find_reservation("PROD-001", id);
    instance_stop(holder);
    tool_expect_soon(TOOL_WORDS("reservations", "list", "PROD-001", "--json"), "[]\n");
    tool_expect(TOOL_WORDS("reservations", "confirm", "PROD-001", id), TOOL_REFUSED,
                "has expired, or was released or confirmed before");
    tool_expect(TOOL_WORDS("reservations", "release", "PROD-001", id), TOOL_REFUSED,
                "has expired, or was released or confirmed before");
    tool_expect_product("PROD-001", 100, 100, 2);
}
END_TEST

START_TEST(a_reservation_is_confirmed_in_parts) {
    char row[256];
    const char *id = reserve(5);
    snprintf(row, sizeof row, "PROD-001 %s         2         3    98        95       3\n", id);
    tool_expect(TOOL_WORDS("reservations", "confirm", "PROD-001", id, "--quantity", "2"), 0, row);
    tool_expect(TOOL_WORDS("reservations", "confirm", "PROD-001", id, "--quantity", "4"),
                TOOL_REFUSED, "holds 3 units, fewer than 4");
    snprintf(row, sizeof row,
             "{\"productId\":\"PROD-001\",\"reservationId\":\"%s\",\"confirmedQuantity\":3,"
             "\"remainingQuantity\":0,\"totalQuantity\":95,\"availableQuantity\":95,\"version\":4}"
             "\n",
             id);
    ck_assert_str_eq(tool_run(TOOL_WORDS("reservations", "confirm", "PROD-001", id, "--json"), 0),
                     row);
    tool_expect_product("PROD-001", 95, 95, 4);
    instance_stop(holder);
}
END_TEST

START_TEST(a_reservation_is_released_in_parts) {
    char row[256];
    const char *id = reserve(5);
    snprintf(row, sizeof row, "PROD-001 %s        2        97       3\n", id);
    tool_expect(TOOL_WORDS("reservations", "release", "PROD-001", id, "--quantity", "2"), 0, row);
    snprintf(row, sizeof row,
             "{\"productId\":\"PROD-001\",\"reservationId\":\"%s\",\"releasedQuantity\":3,"
             "\"availableQuantity\":100,\"version\":4}\n",
             id);
    ck_assert_str_eq(tool_run(TOOL_WORDS("reservations", "release", "PROD-001", id, "--json"), 0),
                     row);
    tool_expect(TOOL_WORDS("reservations", "release", "PROD-001", id), TOOL_REFUSED,
                "has no active reservation");
    tool_expect_product("PROD-001", 100, 100, 4);
    instance_stop(holder);
}
END_TEST

START_TEST(a_repeat_says_that_nothing_has_changed) {
    static const char *const words[] = {"confirm", "release"};
    static const int64_t totals[] = {98, 100};
    const char *id = reserve(5);
    const char *const *repeated =
        TOOL_WORDS("reservations", words[_i], "PROD-001", id, "--quantity", "2");
    ck_assert_ptr_null(strstr(tool_run(repeated, 0), "leasectl: "));
    tool_expect(repeated, 0, "leasectl: the same was done before; nothing has changed now");
    ck_assert_int_eq(tool_shown("PROD-001", "totalQuantity"), totals[_i]);
    ck_assert_int_eq(tool_shown("PROD-001", "reservedQuantity"), 3);
    instance_stop(holder);
}
END_TEST

START_TEST(a_reservation_that_is_not_there_is_refused) {
    static const char *const words[] = {"confirm", "release"};
    static const char later[] = "ffffffff-9d04-8f44-a00c-2324db31ffd9";
    const char *id = reserve(5);
    tool_expect(TOOL_WORDS("reservations", words[_i], "PROD-001", later), TOOL_REFUSED,
                "product PROD-001 has no active reservation");
    tool_expect(TOOL_WORDS("reservations", words[_i], "PROD-002", id), TOOL_REFUSED,
                "product PROD-002 has no active reservation");
    tool_expect(TOOL_WORDS("reservations", words[_i], "NONE", id), TOOL_REFUSED,
                "there is no product NONE");
    tool_expect(TOOL_WORDS("reservations", words[_i], "PROD-001", "5"), 64,
                "a RESERVATION is a UUID");
    tool_expect_product("PROD-001", 100, 95, 2);
    instance_stop(holder);
}
END_TEST

START_TEST(a_reservation_of_a_busy_product_is_left_alone) {
    static const char *const words[] = {"confirm", "release"};
    char id[UUID_TEXT_BYTES];
    snprintf(id, sizeof id, "%s", reserve(5));
    instance_stop(holder);
    app_cleanup(holder);
    int held = instance_hold((const char *const[]){"Inventory:ProcessingTime=00:01:00", NULL}, 1);
    for (int i = 0; i < 2; i++) {
        process_cleanup(&tool_process);
        tool_start_with(&tool_process, "DistributedLeasing__AcquireTimeout=00:00:01",
                        TOOL_WORDS("reservations", words[i], "PROD-001", id));
        ck_assert_ptr_nonnull(strstr(tool_finish(TOOL_REFUSED), "product PROD-001 is busy"));
    }
    close(held);
    tool_expect_product("PROD-001", 100, 95, 2);
}
END_TEST

/* A case of its own for each, so that one can be run alone (CK_RUN_CASE). */
static TCase *add_case(Suite *suite, const char *name) {
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    suite_add_tcase(suite, tcase);
    return tcase;
}

int main(void) {
    Suite *suite = suite_create("leasectl_stock");
    TCase *totals = add_case(suite, "totals");
    tcase_add_test(totals, a_total_changes_by_a_difference);
    tcase_add_test(totals, reserved_units_stay_when_a_total_falls);
    tcase_add_test(totals, differences_at_once_add_up);
    tcase_add_test(totals, an_adjustment_whose_answer_is_lost_happens_once);
    tcase_add_test(totals, a_total_is_set_only_in_the_version_that_is_named);
    TCase *imports = add_case(suite, "imports");
    tcase_add_test(imports, an_import_creates_what_is_absent);
    tcase_add_test(imports, each_refused_line_is_named_and_the_others_are_done);
    tcase_add_test(imports, a_line_that_storage_refuses_is_named);
    tcase_add_test(imports, a_file_without_a_product_is_refused);
    tcase_add_test(imports, a_file_that_cannot_be_read_changes_nothing);
    tcase_add_test(imports, a_repeated_import_undoes_no_sale);
    tcase_add_test(imports, an_interrupted_import_is_resumed);
    tcase_add_test(imports, a_failure_of_storage_ends_an_import_and_names_its_line);
    tcase_add_test(imports, a_product_whose_answer_is_lost_is_created_once);
    tcase_add_test(imports, a_terminal_shows_how_far_an_import_is);
    TCase *reservations = add_case(suite, "reservations");
    tcase_add_test(reservations, active_reservations_are_listed);
    tcase_add_test(reservations, reservations_of_one_customer_are_listed);
    tcase_add_test(reservations, others_whose_reservations_expire_soon_are_left_out);
    tcase_add_test(reservations,
                   what_has_expired_is_not_listed_and_cannot_be_confirmed_or_released);
    tcase_add_test(reservations, a_reservation_is_confirmed_in_parts);
    tcase_add_test(reservations, a_reservation_is_released_in_parts);
    tcase_add_loop_test(reservations, a_repeat_says_that_nothing_has_changed, 0, 2);
    tcase_add_loop_test(reservations, a_reservation_that_is_not_there_is_refused, 0, 2);
    tcase_add_test(reservations, a_reservation_of_a_busy_product_is_left_alone);
    return check_main(suite);
}
