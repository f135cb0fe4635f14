/* leasectl as an operator runs it, beside handlers that serve customers. */
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include "base/json.h"
#include "base/uuid.h"
#include "support/calls/blob_calls.h"
#include "support/load/load_client.h"
#include "support/processes/check_main.h"
#include "support/processes/instance_pair.h"
#include "support/processes/tool_process.h"
#include "support/proxies/fault_proxy.h"

enum {
    ADDERS = 4,
    HANDLERS = 3,
    CLIENTS = 24,
    SETS = 12,
    LAST_TOTAL = 20000 + SETS,
    LOAD_MS = 3000,
};

#define WORK(time) "Inventory:ProcessingTime=" time
#define SCREEN_ENTER "\033[?1049h\033[?25l"
#define SCREEN_CLEAR "\033[H\033[J"
#define SCREEN_LEAVE "\033[?25h\033[?1049l"
#define LEASE_CONFLICT "?comp=lease HTTP/1.1\" 409"

static struct app *const holder = &instance_pair.holder;
static struct app *const other = &instance_pair.other;
static struct app third;
static void set_up(void) {
    memset(&third, 0, sizeof third);
    tool_set_up();
}

static void tear_down(void) {
    app_cleanup(&third);
    tool_tear_down();
}

START_TEST(an_empty_account_can_be_filled) {
    tool_expect(TOOL_WORDS("leases", "list", "--json"), 0, "[]\n");
    tool_expect(TOOL_WORDS("show", "A-1"), 1, "TableNotFound");
    tool_expect(TOOL_WORDS("products", "set", "A-1", "1"), 1, "TableNotFound");
    tool_expect(TOOL_WORDS("products", "list"), 1, "TableNotFound"); /* nobody has made one */
    tool_expect(TOOL_WORDS("products", "add", "B-2", "7"), 0, "B-2");
    ck_assert_str_eq(tool_run(TOOL_WORDS("products", "add", "A-1", "100"), 0),
                     "PRODUCT TOTAL AVAILABLE RESERVED VERSION\n"
                     "A-1       100       100        0       1\n");
    ck_assert_str_eq(
        tool_run(TOOL_WORDS("products", "list", "--json"), 0),
        "[{\"productId\":\"A-1\",\"totalQuantity\":100,\"availableQuantity\":100,"
        "\"reservedQuantity\":0,"
        "\"version\":1},{\"productId\":\"B-2\",\"totalQuantity\":7,\"availableQuantity\":7,"
        "\"reservedQuantity\":0,\"version\":1}]\n");
    tool_expect(TOOL_WORDS("products", "add", "A-1", "5"), TOOL_REFUSED, "it already exists");
    tool_expect_product("A-1", 100, 100, 1);
}
END_TEST

START_TEST(handlers_sell_what_was_added_and_what_a_total_has_grown_by) {
    instance_start(holder, NULL);
    tool_expect(TOOL_WORDS("products", "add", "NEW-1", "10"), 0, "NEW-1");
    instance_expect_reserve(holder, "NEW-1", 10, 200, "\"success\":true");
    instance_expect_reserve(holder, "NEW-1", 1, 409, "Available: 0");
    ck_assert_str_eq(tool_run(TOOL_WORDS("products", "set", "NEW-1", "15"), 0),
                     "PRODUCT TOTAL AVAILABLE RESERVED VERSION\n"
                     "NEW-1      15         5       10       3\n");
    instance_expect_reserve(holder, "NEW-1", 5, 200, "\"success\":true");
    tool_expect(TOOL_WORDS("products", "set", "NEW-1", "14"), TOOL_REFUSED,
                "the total of NEW-1 cannot be 14: 15 units are reserved; it is still 15");
    tool_expect_product("NEW-1", 15, 0, 4);
    instance_assert_calm(holder);
    instance_stop(holder);
}
END_TEST

START_TEST(a_product_is_shown_as_GetInventory_shows_it) {
    instance_start(holder, NULL);
    instance_expect_reserve(holder, "PROD-001", 5, 200, "\"success\":true");
    const char *output = tool_run(TOOL_WORDS("show", "PROD-001"), 0);
    ck_assert_ptr_nonnull(strstr(output, "availableQuantity 95\n"));
    ck_assert_ptr_nonnull(strstr(output, "version           2\n"));
    ck_assert_ptr_nonnull(strstr(output, "etag              W/\"datetime'"));
    ck_assert_ptr_nonnull(strstr(output, "dueAt             20"));
    ck_assert_ptr_nonnull(strstr(output, " CUST-123 "));
    tool_expect(TOOL_WORDS("show", "NONE"), TOOL_REFUSED, "there is no product NONE");
    tool_expect(TOOL_WORDS("products", "set", "NONE", "1"), TOOL_REFUSED,
                "there is no product NONE");
    ck_assert_ptr_null(strstr(tool_run(TOOL_WORDS("leases", "list"), 0), "NONE"));
    instance_stop(holder);
}
END_TEST

START_TEST(what_has_expired_is_available_in_the_list_too) {
    instance_start(holder, (const char *const[]){"Inventory:ReservationLifetime=00:00:01", NULL});
    instance_expect_reserve(holder, "PROD-001", 60, 200, "\"success\":true");
    tool_expect_soon(TOOL_WORDS("products", "list"), "PROD-001   100       100        0       2\n");
    tool_expect_soon(TOOL_WORDS("products", "set", "PROD-001", "3"),
                     "PROD-001     3         3        0       3\n");
    instance_stop(holder);
}
END_TEST

START_TEST(settings_come_from_the_handlers_own_file) {
    instance_start(holder, NULL); /* its folder has a local.settings.json */
    const char *const argv[] = {tool_program(), "products", "list", NULL};
    process_start(&tool_process, &(struct process_options){.argv = argv, .cwd = holder->folder});
    ck_assert_ptr_nonnull(strstr(tool_finish(0), "PROD-003"));
    instance_stop(holder);
}
END_TEST

START_TEST(a_set_waits_for_the_reserve_in_progress) {
    int held = instance_hold((const char *const[]){WORK("00:00:03"), NULL}, 5);
    size_t mark = azurite_mark(&instance_pair.azurite);
    tool_start(TOOL_WORDS("products", "set", "PROD-001", "150"));
    instance_wait_for_requests(mark, LEASE_CONFLICT, 1, INSTANCE_PATIENCE_MS);
    ck_assert_int_eq(tool_process.exit_code, PROCESS_RUNNING);
    instance_expect_answer(held, 200, "\"availableQuantity\":95");
    const char *output = tool_finish(0);
    ck_assert_msg(strstr(output, "PROD-001   150       145        5       3\n") != NULL, "%s",
                  output);
    instance_stop(holder);
}
END_TEST

START_TEST(a_set_that_gets_no_turn_is_refused) {
    int held = instance_hold((const char *const[]){WORK("00:01:00"), NULL}, 5);
    tool_start_with(&tool_process, "DistributedLeasing__AcquireTimeout=00:00:01",
                    TOOL_WORDS("products", "set", "PROD-001", "150"));
    ck_assert_ptr_nonnull(strstr(tool_finish(TOOL_REFUSED), "product PROD-001 is busy"));
    close(held);
    tool_expect_product("PROD-001", 100, 100, 1);
}
END_TEST

START_TEST(a_set_that_waits_ends_on_ctrl_c) {
    int held = instance_hold((const char *const[]){WORK("00:01:00"), NULL}, 5);
    size_t mark = azurite_mark(&instance_pair.azurite);
    tool_start(TOOL_WORDS("products", "set", "PROD-001", "150"));
    instance_wait_for_requests(mark, LEASE_CONFLICT, 1, INSTANCE_PATIENCE_MS);
    process_signal(&tool_process, SIGINT);
    int64_t start_ms = process_now_ms();
    tool_finish(1);
    ck_assert_int_le(process_now_ms() - start_ms, 3000);
    close(held);
    tool_expect_product("PROD-001", 100, 100, 1);
}
END_TEST

START_TEST(a_lease_that_is_released_after_a_set_is_free_at_once) {
    instance_start(holder, NULL);
    tool_run(TOOL_WORDS("products", "set", "PROD-001", "150"), 0);
    tool_expect(TOOL_WORDS("leases", "list"), 0, "inventory-PROD-001 available -");
    tool_expect(TOOL_WORDS("leases", "break", "inventory-PROD-001"), TOOL_REFUSED,
                "nobody holds the lease inventory-PROD-001");
    ck_assert(instance_lease_is_free("PROD-001"));
    instance_stop(holder);
}
END_TEST

/* ---- at the same time ---- */

START_TEST(a_product_that_many_add_at_once_is_there_once) {
    struct process adders[ADDERS];
    int added = 0;
    for (int i = 0; i < ADDERS; i++) {
        tool_start_with(&adders[i], NULL, TOOL_WORDS("products", "add", "SAME", "10"));
    }
    for (int i = 0; i < ADDERS; i++) {
        int exit_code = process_wait(&adders[i], TOOL_TIMEOUT_MS);
        ck_assert_msg(exit_code == 0 || exit_code == TOOL_REFUSED, "%d: %s", exit_code,
                      process_output_from(&adders[i], 0));
        added += exit_code == 0;
        process_cleanup(&adders[i]);
    }
    ck_assert_int_eq(added, 1);
    tool_expect_product("SAME", 10, 10, 1);
}
END_TEST

/* One set after the other, each to one more. */
static void start_sets(const char *product_id) {
    char script[4096 + 256];
    snprintf(script, sizeof script,
             "for n in $(seq 1 %d); do '%s' products set %s $((20000 + n)) || exit 1; done", SETS,
             tool_program(), product_id);
    const char *const argv[] = {"sh", "-c", script, NULL};
    const char *const env[] = {tool_connection(), "DistributedLeasing__AcquireTimeout=00:00:30",
                               NULL};
    process_start(&tool_process, &(struct process_options){.argv = argv, .env = env, .cwd = "/"});
}

static int count_answers(const struct load_result *result, int status) {
    int count = 0;
    for (size_t i = 0; i < result->count; i++) {
        count += result->answers[i].status == status;
    }
    return count;
}

START_TEST(nothing_is_lost_while_three_handlers_reserve) {
    struct app *const handlers[HANDLERS] = {holder, other, &third};
    int ports[HANDLERS];
    for (int i = 0; i < HANDLERS; i++) {
        instance_start(handlers[i],
                       (const char *const[]){"DistributedLeasing:AcquireTimeout=00:00:30", NULL});
        ports[i] = handlers[i]->port;
    }
    tool_run(TOOL_WORDS("products", "set", "PROD-003", "20000"), 0);
    struct load load;
    struct load_result result;
    load_open(&load, ports, HANDLERS, CLIENTS, "/api/inventory/PROD-003/reserve",
              "{\"quantity\":1,\"customerId\":\"CUST-123\"}");
    process_cleanup(&tool_process);
    start_sets("PROD-003");
    load_run(&load, LOAD_MS, TOOL_TIMEOUT_MS, &result);
    tool_finish(0);
    int reserved = count_answers(&result, 200);
    ck_assert_uint_eq(result.count, (size_t)reserved);
    ck_assert_int_ge(reserved, CLIENTS);
    ck_assert_int_eq(instance_available(holder, "PROD-003"), LAST_TOTAL - reserved);
    ck_assert_int_eq(tool_shown("PROD-003", "totalQuantity"), LAST_TOTAL);
    ck_assert_int_eq(tool_shown("PROD-003", "reservedQuantity"), reserved);
    load_result_cleanup(&result);
    load_close(&load);
    for (int i = 0; i < HANDLERS; i++) {
        instance_assert_calm(handlers[i]);
        instance_stop(handlers[i]);
    }
}
END_TEST

/* ---- answers that are lost ---- */

static int lose_answer(const char *path) {
    return fault_proxy_add(tool_table_proxy, &(struct fault_rule){.method = "POST",
                                                                  .path_contains = path,
                                                                  .times = 1,
                                                                  .kind = FAULT_RESET_AFTER});
}

START_TEST(a_change_whose_answer_is_lost_happens_once) {
    tool_go_through_proxies();
    tool_run(TOOL_WORDS("products", "add", "PROD-001", "100"), 0);
    int batch = lose_answer("$batch");
    tool_expect(TOOL_WORDS("products", "set", "PROD-001", "150"), 0,
                "PROD-001   150       150        0       2\n");
    ck_assert_int_eq(fault_proxy_applied(tool_table_proxy, batch), 1);
    int insert = lose_answer("/inventory");
    tool_expect(TOOL_WORDS("products", "add", "PROD-002", "50"), 0,
                "PROD-002    50        50        0       1\n");
    ck_assert_int_eq(fault_proxy_applied(tool_table_proxy, insert), 1);
    tool_expect_product("PROD-001", 150, 150, 2);
    tool_expect_product("PROD-002", 50, 50, 1);
}
END_TEST

/* A 404 of a gateway's is no word about a product or a lease. */
START_TEST(what_a_gateway_answers_is_no_word_of_storages) {
    tool_go_through_proxies();
    tool_run(TOOL_WORDS("products", "add", "PROD-001", "100"), 0);
    const struct fault_rule gateway = {
        .kind = FAULT_STATUS_BEFORE, .status = 404, .retry_after_s = 3600};
    fault_proxy_add(tool_blob_proxy, &gateway);
    fault_proxy_add(tool_table_proxy, &gateway);
    tool_expect(TOOL_WORDS("show", "PROD-001"), 1, "answered, but not by storage: 404");
    tool_expect(TOOL_WORDS("products", "list"), 1, "answered, but not by storage: 404");
    tool_expect(TOOL_WORDS("products", "set", "PROD-001", "150"), 1,
                "answered, but not by storage: 404");
    tool_expect(TOOL_WORDS("products", "add", "PROD-002", "50"), 1,
                "answered, but not by storage: 404");
    tool_expect(TOOL_WORDS("leases", "list"), 1, "answered, but not by storage: 404");
    tool_expect(TOOL_WORDS("leases", "break", "inventory-PROD-001"), 1,
                "answered, but not by storage: 404");
    fault_proxy_clear(tool_blob_proxy);
    fault_proxy_clear(tool_table_proxy);
    tool_expect_product("PROD-001", 100, 100, 1);
}
END_TEST

/* A set whose commit storage has carried out, and whose answer does not come. */
static void start_set_without_answer(enum fault_kind kind) {
    tool_go_through_proxies();
    tool_run(TOOL_WORDS("products", "add", "PROD-001", "100"), 0);
    int rule =
        fault_proxy_add(tool_table_proxy,
                        &(struct fault_rule){
                            .path_contains = "$batch", .times = 1, .kind = kind, .delay_ms = 1500});
    tool_start(TOOL_WORDS("products", "set", "PROD-001", "150"));
    fault_proxy_await(tool_table_proxy, rule, 1);
    process_signal(&tool_process, SIGINT);
}

START_TEST(a_commit_on_its_way_is_finished_on_ctrl_c) {
    start_set_without_answer(FAULT_DELAY_ANSWER);
    ck_assert_ptr_nonnull(strstr(tool_finish(0), "PROD-001   150       150        0       2\n"));
}
END_TEST

START_TEST(a_second_signal_cuts_short_what_is_on_its_way) {
    start_set_without_answer(FAULT_HANG_AFTER);
    process_signal(&tool_process, SIGTERM);
    int64_t start_ms = process_now_ms();
    tool_finish(1);
    ck_assert_int_le(process_now_ms() - start_ms, 3000); /* one attempt would take 4 s */
}
END_TEST

/* ---- leases ---- */

START_TEST(a_broken_lease_is_lost_to_its_holder) {
    int held =
        instance_hold((const char *const[]){WORK("00:00:30"),
                                            "DistributedLeasing:AutoRenewInterval=00:00:01", NULL},
                      5);
    tool_expect(TOOL_WORDS("leases", "list"), 0, "inventory-PROD-001 leased fixed    20");
    tool_expect(TOOL_WORDS("leases", "break", "PROD-001"), TOOL_REFUSED,
                "there is no lease PROD-001");
    tool_expect(TOOL_WORDS("leases", "break", "inventory-PROD-001", "--json"), 0,
                "{\"lease\":\"inventory-PROD-001\",\"broken\":true}\n");
    instance_expect_answer(held, 409, "\"LeaseLost\"");
    tool_expect(TOOL_WORDS("leases", "list"), 0, "inventory-PROD-001 broken");
    tool_expect_product("PROD-001", 100, 100, 1);
    instance_stop(holder);
}
END_TEST

/* As another program would, or an older release. */
static void lease_blob(const char *name) {
    struct storage_connection *operator= & instance_pair.operator;
    char blob[64], id[UUID_TEXT_BYTES];
    int64_t deadline_ms = storage_connection_deadline(operator, TOOL_TIMEOUT_MS), sent_ms;
    struct error err = {0};
    snprintf(blob, sizeof blob, "lease-%s", name);
    ck_assert_int_eq(uuid_v4(random_system(), id), STATUS_OK);
    enum status status = blob_container_create(&operator->client, "leases", deadline_ms, &err);
    ck_assert(status == STATUS_OK || status == STATUS_ALREADY_EXISTS);
    ck_assert_int_eq(blob_create_empty(&operator->client, "leases", blob, NULL, deadline_ms, &err),
                     STATUS_OK);
    ck_assert_int_eq(
        blob_lease_acquire(&operator->client, "leases", blob, id, 60, deadline_ms, &sent_ms, &err),
        STATUS_OK);
}

START_TEST(a_lease_of_any_name_that_is_listed_can_be_broken) {
    static const char *const names[] = {"50% of \xC3\xA4/b+c", "inventory-A.", "a//b", "x'&<y>?z"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char row[128];
        lease_blob(names[i]);
        snprintf(row, sizeof row, "\"lease\":\"%s\",\"state\":\"leased\"", names[i]);
        tool_expect(TOOL_WORDS("leases", "list", "--json"), 0, row);
        tool_expect(TOOL_WORDS("leases", "break", names[i]), 0, "Broken");
        snprintf(row, sizeof row, "\"lease\":\"%s\",\"state\":\"broken\"", names[i]);
        tool_expect(TOOL_WORDS("leases", "list", "--json"), 0, row);
    }
}
END_TEST

/* ---- watch ---- */

static int count_in_output(const char *text) {
    char *output = process_output_from(&tool_process, 0);
    int count = 0;
    for (const char *place = output; (place = strstr(place, text)) != NULL; place++) {
        count++;
    }
    free(output);
    return count;
}

static void wait_for_output(const char *text, int count) {
    int64_t deadline_ms = process_now_ms() + TOOL_TIMEOUT_MS;
    while (count_in_output(text) < count) {
        ck_assert_msg(process_now_ms() < deadline_ms, "not %d times \"%s\":\n%s", count, text,
                      process_output_from(&tool_process, 0));
        poll(NULL, 0, 20);
    }
}

START_TEST(a_pipe_that_watches_gets_one_snapshot_after_the_other) {
    int held = instance_hold((const char *const[]){WORK("00:01:00"), NULL}, 5);
    tool_start(TOOL_WORDS("watch"));
    wait_for_output("PROD-001   100       100        0       1 leased\n", 2);
    wait_for_output("PROD-002    50        50        0       1 -\n", 2);
    process_signal(&tool_process, SIGINT);
    ck_assert_ptr_null(strchr(tool_finish(0), '\033'));
    close(held);
}
END_TEST

START_TEST(a_script_that_watches_gets_an_object_a_line) {
    static const char *const ids[] = {"A", "B", "C"};
    for (int i = 0; i < 3; i++) {
        tool_run(TOOL_WORDS("products", "add", ids[i], "1"), 0);
        tool_run(TOOL_WORDS("products", "set", ids[i], "2"), 0); /* makes its lease's blob */
    }
    tool_start(TOOL_WORDS("watch", "--json"));
    wait_for_output("\n", 2);
    process_signal(&tool_process, SIGTERM);
    char line[2048];
    snprintf(line, sizeof line, "%s", tool_finish(0));
    *strchr(line, '\n') = '\0';
    cJSON *snapshot = NULL;
    ck_assert_int_eq(json_parse(line, strlen(line), &snapshot, NULL), STATUS_OK);
    ck_assert_ptr_nonnull(json_string(snapshot, "time"));
    const cJSON *products = cJSON_GetObjectItemCaseSensitive(snapshot, "products");
    ck_assert_int_eq(cJSON_GetArraySize(products), 3);
    for (int i = 0; i < 3; i++) {
        const cJSON *product = cJSON_GetArrayItem(products, i);
        ck_assert_str_eq(json_string(product, "productId"), ids[i]);
        ck_assert_pstr_eq(json_string(product, "leaseState"), "available");
    }
    cJSON_Delete(snapshot);
}
END_TEST

START_TEST(a_watch_outlives_an_outage) {
    tool_run(TOOL_WORDS("products", "add", "PROD-001", "100"), 0);
    tool_go_through_proxies();
    int refused = fault_proxy_add(tool_table_proxy,
                                  &(struct fault_rule){.kind = FAULT_STATUS_BEFORE,
                                                       .times = 1,
                                                       .status = 403,
                                                       .error_code = "AuthorizationFailure"});
    tool_start(TOOL_WORDS("watch"));
    wait_for_output("AuthorizationFailure", 1);
    ck_assert_int_eq(fault_proxy_applied(tool_table_proxy, refused), 1);
    wait_for_output("PROD-001   100", 1);
    process_signal(&tool_process, SIGINT);
    tool_finish(0);
}
END_TEST

/* Reads what the terminal shows until it has `text`. */
static void read_terminal(int terminal, char *shown_text, size_t size, const char *text) {
    size_t length = strlen(shown_text);
    int64_t deadline_ms = process_now_ms() + TOOL_TIMEOUT_MS;
    while (strstr(shown_text, text) == NULL) {
        struct pollfd ready = {.fd = terminal, .events = POLLIN};
        ck_assert_msg(process_now_ms() < deadline_ms, "%s", shown_text);
        if (poll(&ready, 1, 100) == 0) {
            continue;
        }
        ssize_t got = read(terminal, shown_text + length, size - length - 1);
        ck_assert_msg(got > 0, "no \"%s\" in %s", text, shown_text);
        length += (size_t)got;
        shown_text[length] = '\0';
    }
}

/* A watch on a terminal of its own. */
struct screen {
    int terminal; /* what the user has */
    int side;     /* what the program has */
    pid_t pid;
    char drawn[65536];
};

static struct screen screen;

static void watch_on_terminal(unsigned short rows) {
    struct winsize size = {.ws_row = rows, .ws_col = 80};
    char connection[AZURITE_CONNECTION_STRING_BYTES + 64];
    snprintf(connection, sizeof connection, "%s", tool_connection());
    const char *path = tool_program();
    ck_assert_int_eq(openpty(&screen.terminal, &screen.side, NULL, NULL, &size), 0);
    screen.drawn[0] = '\0';
    screen.pid = fork();
    if (screen.pid == 0) {
        login_tty(
            screen.side); /* its controlling terminal: Ctrl-C comes from the line discipline */
        putenv(connection);
        execl(path, path, "watch", (char *)NULL);
        _exit(127);
    }
}

static void press_ctrl_c(void) {
    static char rest[65536];
    int status;
    rest[0] = '\0';
    ck_assert_int_eq(write(screen.terminal, "\003", 1), 1);
    read_terminal(screen.terminal, rest, sizeof rest, SCREEN_LEAVE);
    ck_assert_int_eq(waitpid(screen.pid, &status, 0), screen.pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

START_TEST(a_terminal_that_watches_is_left_as_it_was) {
    struct termios before, after;
    tool_run(TOOL_WORDS("products", "add", "PROD-001", "100"), 0);
    watch_on_terminal(24);
    ck_assert_int_eq(tcgetattr(screen.side, &before), 0);
    read_terminal(screen.terminal, screen.drawn, sizeof screen.drawn,
                  "PROD-001   100       100        0       1 -");
    ck_assert_int_eq(strncmp(screen.drawn, SCREEN_ENTER, strlen(SCREEN_ENTER)), 0);
    press_ctrl_c();
    ck_assert_int_eq(tcgetattr(screen.side, &after), 0);
    ck_assert_uint_eq(before.c_lflag, after.c_lflag);
    ck_assert_uint_eq(before.c_iflag, after.c_iflag);
    ck_assert_uint_eq(before.c_oflag, after.c_oflag);
    close(screen.side);
    close(screen.terminal);
}
END_TEST

START_TEST(a_screen_has_as_many_lines_as_fit) {
    tool_run(TOOL_WORDS("products", "add", "P-1", "1"), 0);
    tool_run(TOOL_WORDS("products", "add", "P-2", "1"), 0);
    tool_run(TOOL_WORDS("products", "add", "P-3", "1"), 0);
    watch_on_terminal(4); /* the time, the headings, a product, and where the cursor stays */
    read_terminal(screen.terminal, screen.drawn, sizeof screen.drawn, SCREEN_CLEAR "2");
    read_terminal(screen.terminal, screen.drawn, sizeof screen.drawn,
                  "\r\n" SCREEN_CLEAR); /* the next one begins */
    ck_assert_ptr_nonnull(strstr(screen.drawn, "P-1"));
    ck_assert_ptr_null(strstr(screen.drawn, "P-2"));
    press_ctrl_c();
    close(screen.side);
    close(screen.terminal);
}
END_TEST

/* ---- what is not allowed ---- */

START_TEST(a_result_without_a_place_to_go_is_a_failure) {
    static const char *const commands[] = {"exec \"$0\" leases list --json <&- >&-",
                                           "exec \"$0\" --help >&-",
                                           "exec \"$0\" leases list --json >/dev/full"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const char *const argv[] = {"/bin/sh", "-c", commands[i], tool_program(), NULL};
        const char *const env[] = {tool_connection(), NULL};
        process_cleanup(&tool_process);
        process_start(&tool_process,
                      &(struct process_options){.argv = argv, .env = env, .cwd = "/"});
        ck_assert_ptr_nonnull(strstr(tool_finish(1), "leasectl: writing the result: "));
    }
}
END_TEST

START_TEST(a_bad_command_line_or_setting_ends_it_with_64) {
    tool_expect(TOOL_WORDS("products", "set", "PROD-001", "many"), 64, "TOTAL is a whole number");
    tool_expect(TOOL_WORDS("frob"), 64, "no such command");
    process_cleanup(&tool_process);
    tool_start_with(&tool_process, "DistributedLeasing__AcquireTimeout=soon",
                    TOOL_WORDS("products", "list"));
    ck_assert_ptr_nonnull(strstr(tool_finish(64), "AcquireTimeout"));
    process_cleanup(&tool_process);
    tool_start_with(&tool_process, "Inventory__Store=Memory", TOOL_WORDS("products", "list"));
    ck_assert_ptr_nonnull(strstr(tool_finish(64), "Inventory:Store is Memory"));
    tool_expect(TOOL_WORDS("--help"), 0, "Usage: leasectl");
}
END_TEST

START_TEST(storage_that_cannot_be_reached_is_a_failure) {
    azurite_stop(&instance_pair.azurite);
    tool_expect(TOOL_WORDS("show", "PROD-001"), 1, "leasectl: ");
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
    Suite *suite = suite_create("leasectl");
    TCase *products = add_case(suite, "products");
    tcase_add_test(products, an_empty_account_can_be_filled);
    tcase_add_test(products, handlers_sell_what_was_added_and_what_a_total_has_grown_by);
    tcase_add_test(products, a_product_is_shown_as_GetInventory_shows_it);
    tcase_add_test(products, what_has_expired_is_available_in_the_list_too);
    tcase_add_test(products, settings_come_from_the_handlers_own_file);
    TCase *turns = add_case(suite, "turns");
    tcase_add_test(turns, a_set_waits_for_the_reserve_in_progress);
    tcase_add_test(turns, a_set_that_gets_no_turn_is_refused);
    tcase_add_test(turns, a_set_that_waits_ends_on_ctrl_c);
    tcase_add_test(turns, a_commit_on_its_way_is_finished_on_ctrl_c);
    tcase_add_test(turns, a_second_signal_cuts_short_what_is_on_its_way);
    tcase_add_test(turns, a_lease_that_is_released_after_a_set_is_free_at_once);
    tcase_add_test(turns, a_broken_lease_is_lost_to_its_holder);
    tcase_add_test(turns, a_lease_of_any_name_that_is_listed_can_be_broken);
    TCase *races = add_case(suite, "races");
    tcase_add_test(races, a_product_that_many_add_at_once_is_there_once);
    tcase_add_test(races, nothing_is_lost_while_three_handlers_reserve);
    tcase_add_test(races, a_change_whose_answer_is_lost_happens_once);
    tcase_add_test(races, what_a_gateway_answers_is_no_word_of_storages);
    TCase *watching = add_case(suite, "watching");
    tcase_add_test(watching, a_pipe_that_watches_gets_one_snapshot_after_the_other);
    tcase_add_test(watching, a_script_that_watches_gets_an_object_a_line);
    tcase_add_test(watching, a_watch_outlives_an_outage);
    tcase_add_test(watching, a_terminal_that_watches_is_left_as_it_was);
    tcase_add_test(watching, a_screen_has_as_many_lines_as_fit);
    TCase *refusals = add_case(suite, "refusals");
    tcase_add_test(refusals, a_result_without_a_place_to_go_is_a_failure);
    tcase_add_test(refusals, a_bad_command_line_or_setting_ends_it_with_64);
    tcase_add_test(refusals, storage_that_cannot_be_reached_is_a_failure);
    return check_main(suite);
}
