/*
 * Starting, stopping, storage that comes and goes, long work under short leases, and what an
 * operation costs.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/calls/http_client.h"
#include "support/processes/app_steps.h"
#include "support/processes/check_main.h"

enum { STOP_MS = 5000 };
#define RESERVE "/api/inventory/PROD-001/reserve"
#define FIVE_UNITS "{\"quantity\":5,\"customerId\":\"CUST-123\"}"

static void set_up(void) {
    azurite_start(&azurite, AZURITE_ON_DISK);
}

/* A request on a thread of its own. */
struct background {
    pthread_t thread;
    struct http_ask ask;
    struct http_reply reply;
};

static void *run_background(void *context) {
    struct background *background = context;
    background->reply = http_ask(background->ask);
    return NULL;
}

static void start_background(struct background *background, const char *path, const char *body) {
    *background = (struct background){.ask = {.port = app.port, .path = path, .body = body}};
    ck_assert_int_eq(pthread_create(&background->thread, NULL, run_background, background), 0);
}

static void finish_background(struct background *background) {
    ck_assert_int_eq(pthread_join(background->thread, NULL), 0);
}

static void start_handler(const char *const *settings) {
    app_start_handler(&app, &(struct app_options){.connection_string = azurite.connection_string,
                                                  .settings = settings});
    wait_for_log(0, "listens on");
}

static const int stop_signals[] = {SIGTERM, SIGINT};

START_TEST(a_stop_in_mid_operation_leaves_no_lease_held) {
    start_handler((const char *const[]){"Inventory:ProcessingTime=00:01:00", NULL});
    struct background first, second, other;
    start_background(&first, RESERVE, FIVE_UNITS);
    wait_for_log(0, "Acquired lease");
    start_background(&second, RESERVE, FIVE_UNITS); /* waits behind the first */
    start_background(&other, "/api/inventory/PROD-002/release", FIVE_UNITS);
    wait_for_log(0, "for product PROD-002");
    int64_t start_ms = process_now_ms();
    ck_assert_int_eq(app_stop(&app, stop_signals[_i]), 0);
    ck_assert_int_le(process_now_ms() - start_ms, STOP_MS);
    finish_background(&first), finish_background(&second), finish_background(&other);
    ck_assert_int_eq(first.reply.status, 503);
    ck_assert_int_eq(second.reply.status, 503);
    ck_assert_int_eq(other.reply.status, 503);
    ck_assert_ptr_nonnull(http_headers_get(&first.reply.headers, "Retry-After"));
    assert_lease_is_free("inventory-PROD-001");
    assert_lease_is_free("inventory-PROD-002");

    app_cleanup(&app);
    start_handler(NULL);
    struct http_reply reply =
        http_ask((struct http_ask){.port = app.port, .path = "/api/inventory/PROD-001"});
    ck_assert_ptr_nonnull(strstr(reply.body.data, "\"availableQuantity\":100"));
    http_reply_cleanup(&reply);
    http_reply_cleanup(&first.reply), http_reply_cleanup(&second.reply),
        http_reply_cleanup(&other.reply);
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0);
}
END_TEST

static bool are_all_available(void) {
    struct http_reply reply =
        http_ask((struct http_ask){.port = app.port, .path = "/api/inventory/PROD-001"});
    bool are_all = strstr(reply.body.data, "\"availableQuantity\":100") != NULL;
    http_reply_cleanup(&reply);
    return are_all;
}

/* A round that waits for a product that others are at. */
START_TEST(a_stop_in_the_middle_of_reconciliation_leaves_no_lease_held) {
    start_handler((const char *const[]){"Inventory:ReservationLifetime=00:00:01", NULL});
    ck_assert_int_eq(
        http_ask_status((struct http_ask){.port = app.port, .path = RESERVE, .body = FIVE_UNITS}),
        200);
    while (!are_all_available()) { /* until the reservation has expired */
    }
    take_lease_from_app("inventory-PROD-001");
    struct background round;
    start_background(&round, "/ReconcileInventory", "{\"Data\":{\"timer\":{}},\"Metadata\":{}}");
    wait_for_log(0, "for reconciliation");
    int64_t start_ms = process_now_ms();
    ck_assert_int_eq(app_stop(&app, stop_signals[_i]), 0);
    ck_assert_int_le(process_now_ms() - start_ms, STOP_MS);
    finish_background(&round);
    ck_assert_int_eq(round.reply.status, 503);
    http_reply_cleanup(&round.reply);
    assert_lease_is_free("inventory-reconciliation-job");
}
END_TEST

START_TEST(a_turn_in_hand_is_finished_before_the_end_and_no_other_begun) {
    start_handler((const char *const[]){"Inventory:ProcessingTime=00:00:01",
                                        "Logging:LogLevel:Default=Debug", NULL});
    struct background request, other;
    start_background(&request, RESERVE, FIVE_UNITS);
    wait_for_log(0, "Acquired lease");
    start_background(&other, RESERVE, FIVE_UNITS);
    wait_for_log(0, "Waiting behind others");
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0);
    finish_background(&request);
    ck_assert_msg(request.reply.status == 200, "%d %s", request.reply.status,
                  request.reply.body.data);
    finish_background(&other);
    ck_assert_int_eq(other.reply.status, 503);
    http_reply_cleanup(&request.reply), http_reply_cleanup(&other.reply);
    assert_lease_is_free("inventory-PROD-001");
}
END_TEST

START_TEST(work_that_outlasts_its_lease_is_renewed_and_commits) {
    start_handler((const char *const[]){"Inventory:ProcessingTime=00:00:20",
                                        "DistributedLeasing:DefaultLeaseDuration=00:00:15", NULL});
    struct http_reply reply =
        http_ask((struct http_ask){.port = app.port, .path = RESERVE, .body = FIVE_UNITS});
    ck_assert_msg(reply.status == 200, "%d %s", reply.status, reply.body.data);
    http_reply_cleanup(&reply);
    char *log = process_output_from(&app.process, 0);
    ck_assert_msg(strstr(log, " renewed. New expiration: 20") != NULL, "%s", log);
    const char *count = strstr(log, "Renewal count: ");
    ck_assert_msg(count != NULL && atoi(count + strlen("Renewal count: ")) >= 1, "%s", log);
    free(log);
    reply = http_ask((struct http_ask){.port = app.port, .path = "/api/inventory/PROD-001"});
    ck_assert_ptr_nonnull(strstr(reply.body.data, "\"availableQuantity\":95"));
    http_reply_cleanup(&reply);
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0);
}
END_TEST

START_TEST(storage_may_come_after_the_handler_and_go_and_come_again) {
    azurite_stop(&azurite);
    start_handler(NULL);
    ck_assert_int_eq(http_ask_status((struct http_ask){.port = app.port, .path = "/"}), 200);
    struct http_reply reply =
        http_ask((struct http_ask){.port = app.port, .path = RESERVE, .body = FIVE_UNITS});
    ck_assert_msg(reply.status == 503, "%d %s", reply.status, reply.body.data);
    ck_assert_ptr_nonnull(strstr(reply.body.data, "\"StorageUnavailable\""));
    ck_assert_ptr_nonnull(http_headers_get(&reply.headers, "Retry-After"));
    http_reply_cleanup(&reply);

    azurite_restart(&azurite);
    reply = http_ask((struct http_ask){.port = app.port, .path = RESERVE, .body = FIVE_UNITS});
    ck_assert_msg(reply.status == 200, "%d %s", reply.status, reply.body.data);
    http_reply_cleanup(&reply);
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0);
}
END_TEST

START_TEST(without_storage_a_stop_is_prompt_too) {
    start_handler((const char *const[]){"Logging:LogLevel:Default=Debug", NULL});
    struct http_ask get = {.port = app.port, .path = "/api/inventory/PROD-001"};
    ck_assert_int_eq(http_ask_status(get), 200);
    azurite_stop(&azurite);
    struct background request;
    start_background(&request, RESERVE, FIVE_UNITS);
    wait_for_log(0, "lease-inventory-PROD-001"); /* it has been tried */
    int64_t start_ms = process_now_ms();
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0);
    ck_assert_int_le(process_now_ms() - start_ms, STOP_MS);
    finish_background(&request);
    ck_assert_int_eq(request.reply.status, 503);
    http_reply_cleanup(&request.reply);
}
END_TEST

static int64_t minute_at(int64_t time_ms) {
    return time_ms / 60000;
}

/*
 * The first reserve of a minute costs a fifth request, which writes the minute's expiry row. The
 * app takes its time from storage's answers, which have whole seconds. So it may be a second
 * behind.
 */
START_TEST(an_undisturbed_reserve_costs_four_requests_and_a_get_one) {
    int64_t minute = minute_at(clock_wall_ms(clock_system()) - 1000);
    start_handler(NULL);
    struct http_ask reserve = {.port = app.port, .path = RESERVE, .body = FIVE_UNITS};
    ck_assert_int_eq(http_ask_status(reserve), 200); /* makes container, blob, table and product */
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0);
    app_cleanup(&app);

    start_handler(NULL);
    struct http_ask get = {.port = app.port, .path = "/api/inventory/PROD-001"};
    ck_assert_int_eq(
        http_ask_status((struct http_ask){.port = app.port, .path = "/api/inventory/PROD-002"}),
        200); /* it is ready */
    size_t mark = azurite_mark(&azurite);
    get.port = app.port;
    ck_assert_int_eq(http_ask_status(get), 200);
    ck_assert_int_eq(azurite_request_count(&azurite, mark), 1);

    mark = azurite_mark(&azurite);
    reserve.port = app.port;
    ck_assert_int_eq(http_ask_status(reserve), 200);
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0); /* the lease has been released by now */
    char *requests = azurite_requests_since(&azurite, mark);
    int allowed = minute_at(clock_wall_ms(clock_system())) == minute ? 4 : 5;
    ck_assert_msg(azurite_request_count(&azurite, mark) <= allowed, "%s", requests);
    free(requests);
}
END_TEST

START_TEST(who_asks_for_products_that_do_not_exist_leaves_nothing_behind_in_storage) {
    start_handler(NULL);
    struct http_ask ask = {.port = app.port, .path = RESERVE, .body = FIVE_UNITS};
    ck_assert_int_eq(http_ask_status(ask), 200); /* makes container and table */
    size_t mark = azurite_mark(&azurite);
    ask.path = "/api/inventory/NO-SUCH/reserve";
    ck_assert_int_eq(http_ask_status(ask), 404);
    ask.path = "/api/inventory/NO-SUCH/release";
    ck_assert_int_eq(http_ask_status(ask), 404);
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0);
    char *requests = azurite_requests_since(&azurite, mark);
    ck_assert_ptr_nonnull(strstr(requests, "lease-inventory-NO-SUCH?comp=lease"));
    ck_assert_msg(strstr(requests, "lease-inventory-NO-SUCH HTTP") == NULL, "a blob was made: %s",
                  requests);
    free(requests);
}
END_TEST

START_TEST(swapped_endpoints_are_named) {
    char swapped[AZURITE_CONNECTION_STRING_BYTES];
    azurite_write_connection_string(azurite.table_port, azurite.blob_port, swapped);
    app_start_handler(&app, &(struct app_options){.connection_string = swapped});
    wait_for_log(0, "the addresses of blobs and tables may be swapped");
    struct http_reply reply =
        http_ask((struct http_ask){.port = app.port, .path = RESERVE, .body = FIVE_UNITS});
    ck_assert_msg(reply.status == 503, "%d %s", reply.status, reply.body.data);
    http_reply_cleanup(&reply);
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0);
    char *log = process_output_from(&app.process, 0), address[64];
    snprintf(address, sizeof address, "http://127.0.0.1:%d/" AZURITE_ACCOUNT, azurite.blob_port);
    ck_assert_msg(strstr(log, address) != NULL, "%s", log);
    free(log);
}
END_TEST

/* setting, what the line must say beside its name */
static const char *const bad_settings[][2] = {
    {"DistributedLeasing:ConnectionString=AccountName=x;AccountKey=%%%", "connection string"},
    {"DistributedLeasing:DefaultLeaseDuration=00:00:05", "00:00:05"},
    {"DistributedLeasing:AutoRenewInterval=00:00:29", "00:00:29"},
    {"Inventory:SeedProducts=PROD-001", "PROD-001"},
    {"Logging:LogLevel:Default=Loud", "Loud"},
    {"Logging__LogLevel__Default=Warn", "a value that is not shown here"},
    {"DistributedLeasing__ConnectionString=@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/"
     "secrets/s)",
     "is a Key Vault reference that was not resolved"},
    {"DistributedLeasing__ConnectionString=\"AccountName=x;AccountKey=%%%\"", "stands in quotes"},
    {"DistributedLeasing__ConnectionString=https://x.blob.core.windows.net/?sv=1&sig=%%%",
     "it is a SAS URL"},
    {"DistributedLeasing__ConnectionString=BlobEndpoint=https://"
     "x.blob.core.windows.net;SharedAccessSignature=sig=%%%+",
     "has a raw '+' in its sig"},
    {"DistributedLeasing__Endpoint=https://x.blob.core.windows.net/leases",
     "a container follows in it"},
};

START_TEST(a_bad_setting_ends_it_with_64_and_one_line) {
    const char *const settings[] = {bad_settings[_i][0], NULL};
    bool own_connection = strstr(bad_settings[_i][0], "ConnectionString") != NULL;
    app_start_handler(&app,
                      &(struct app_options){
                          .connection_string = own_connection ? NULL : "UseDevelopmentStorage=true",
                          .settings = settings});
    ck_assert_int_eq(process_wait(&app.process, LOG_TIMEOUT_MS), 64);
    char *log = process_output_from(&app.process, 0);
    char name[128];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(bad_settings[_i][0], "="),
             bad_settings[_i][0]);
    ck_assert_msg(strstr(log, name) != NULL && strstr(log, bad_settings[_i][1]) != NULL, "%s", log);
    ck_assert_msg(strchr(log, '\n') == log + strlen(log) - 1, "more than one line: %s", log);
    ck_assert_ptr_null(strstr(log, "%%%"));
    ck_assert_ptr_null(strcasestr(log, "warn")); /* the host would show it as a Warning */
    free(log);
}
END_TEST

START_TEST(what_is_not_used_does_not_stop_it) {
    static const char *const env[] = {"AZURE_CLIENT_SECRET=a\nb", "SSL_CERT_FILE=/nowhere",
                                      "AZURE_TENANT_ID=@Microsoft.KeyVault(SecretUri=https://v/s)",
                                      NULL};
    app_start_handler(
        &app, &(struct app_options){.connection_string = "UseDevelopmentStorage=true", .env = env});
    wait_for_log(0, "listens on");
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0);
}
END_TEST

START_TEST(without_a_connection_string_it_says_what_is_missing) {
    app_start_handler(&app, &(struct app_options){0});
    ck_assert_int_eq(process_wait(&app.process, LOG_TIMEOUT_MS), 64);
    char *log = process_output_from(&app.process, 0);
    ck_assert_msg(strstr(log, "DistributedLeasing:ConnectionString") != NULL, "%s", log);
    free(log);
}
END_TEST

/* As nobody, whom limits hold for, where the tests are root's. */
START_TEST(without_threads_it_says_how_many_it_needs) {
    char handler[4096];
    snprintf(handler, sizeof handler, "%s/handler", getenv("LEASEHOLD_BIN"));
    const char *const limited[] = {
        "setpriv", "--reuid=65534", "--clear-groups", "prlimit", "--nproc=1", handler, NULL};
    const char *const *argv = geteuid() == 0 ? limited : limited + 3;
    const char *const env[] = {"DistributedLeasing__ConnectionString=UseDevelopmentStorage=true",
                               NULL};
    process_start(&app.process, &(struct process_options){.argv = argv, .env = env, .cwd = "/"});
    ck_assert_int_eq(process_wait(&app.process, LOG_TIMEOUT_MS), 1);
    char *log = process_output_from(&app.process, 0);
    ck_assert_msg(
        strstr(log, "cannot start: no thread can be started (Resource temporarily unavailable)") !=
                NULL &&
            strstr(log, "ulimit -u") != NULL && strstr(log, "needs up to 300 threads") != NULL,
        "%s", log);
    free(log);
}
END_TEST

static void release_app(void) {
    app_cleanup(&app);
}

int main(void) {
    Suite *suite = suite_create("lifecycle");
    TCase *lifecycle = tcase_create("with storage");
    tcase_set_timeout(lifecycle, 120);
    tcase_add_checked_fixture(lifecycle, set_up, tear_down);
    tcase_add_loop_test(lifecycle, a_stop_in_mid_operation_leaves_no_lease_held, 0, 2);
    tcase_add_loop_test(lifecycle, a_stop_in_the_middle_of_reconciliation_leaves_no_lease_held, 0,
                        2);
    tcase_add_test(lifecycle, a_turn_in_hand_is_finished_before_the_end_and_no_other_begun);
    tcase_add_test(lifecycle, work_that_outlasts_its_lease_is_renewed_and_commits);
    tcase_add_test(lifecycle, storage_may_come_after_the_handler_and_go_and_come_again);
    tcase_add_test(lifecycle, without_storage_a_stop_is_prompt_too);
    tcase_add_test(lifecycle, an_undisturbed_reserve_costs_four_requests_and_a_get_one);
    tcase_add_test(lifecycle,
                   who_asks_for_products_that_do_not_exist_leaves_nothing_behind_in_storage);
    tcase_add_test(lifecycle, swapped_endpoints_are_named);
    suite_add_tcase(suite, lifecycle);
    TCase *settings = tcase_create("bad settings");
    tcase_set_timeout(settings, 120);
    tcase_add_checked_fixture(settings, NULL, release_app);
    tcase_add_loop_test(settings, a_bad_setting_ends_it_with_64_and_one_line, 0,
                        sizeof bad_settings / sizeof *bad_settings);
    tcase_add_test(settings, what_is_not_used_does_not_stop_it);
    tcase_add_test(settings, without_a_connection_string_it_says_what_is_missing);
    tcase_add_test(settings, without_threads_it_says_how_many_it_needs);
    suite_add_tcase(suite, settings);
    return check_main(suite);
}
