/* A whole run at Trace over every way to sign in, with errors of every kind: no secret is in what the programs say or show. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/http_client.h"
#include "support/login.h"

enum { LOG_TIMEOUT_MS = 30000, SEEN_MAX_BYTES = 64 * 1024 * 1024 };
#define CANARY "CUST-canary-0d7be3a6" /* no secret, but it is to be found as one would be */

static struct certificates certificates;
static struct azurite azurite;
static struct login login;
static struct app app;
static struct secret_search secrets;
static struct strbuf seen; /* everything that others can see */

static void start_storage(void) {
    certificates_make(&certificates);
}

static void stop_storage(void) {
    certificates_remove(&certificates);
}

static void set_up(void) {
    strbuf_init(&seen, SEEN_MAX_BYTES);
    azurite_start_https(&azurite, AZURITE_IN_MEMORY, &certificates.server);
}

static void tear_down(void) {
    app_release(&app);
    login_release(&login);
    azurite_release(&azurite);
    secret_search_release(&secrets);
    strbuf_release(&seen);
}

static void prepare(int way) {
    login_prepare(&login, (enum login_way)way, false, &azurite, &certificates);
    login_add_setting(&login, "Logging:LogLevel:Default=Trace");
    login_add_setting(&login, "DistributedLeasing:AcquireTimeout=00:00:01");
}

/* --- what can be seen --- */

static int call(const char *method, const char *path, const char *body) {
    struct http_reply reply =
        http_ask((struct http_ask){.port = app.port, .method = method, .path = path, .body = body});
    int status = reply.status;
    for (size_t i = 0; i < reply.headers.count; i++) {
        strbuf_appendf(&seen, "%s: %s\n", reply.headers.items[i].name, reply.headers.items[i].value);
    }
    strbuf_append(&seen, reply.body.data, reply.body.length);
    http_reply_release(&reply);
    return status;
}

/* Reads /proc/PID/NAME whole; "" when the process has gone. The caller's. */
static char *read_process_file(pid_t pid, const char *name, size_t *length) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    FILE *file = fopen(path, "r");
    struct strbuf text;
    strbuf_init(&text, SEEN_MAX_BYTES);
    char block[4096];
    size_t got;
    while (file != NULL && (got = fread(block, 1, sizeof block, file)) > 0) {
        strbuf_append(&text, block, got);
    }
    if (file != NULL) {
        fclose(file);
    }
    *length = text.length;
    return text.length == 0 ? strdup("") : text.data;
}

static pid_t parent_of(pid_t pid) {
    size_t length;
    char *stat = read_process_file(pid, "stat", &length);
    const char *end = strrchr(stat, ')'); /* the name before it may hold anything */
    int parent = 0;
    if (end != NULL) {
        sscanf(end, ") %*c %d", &parent);
    }
    free(stat);
    return parent;
}

static bool descends_from(pid_t pid, pid_t ancestor) {
    while (pid > 1 && pid != ancestor) {
        pid = parent_of(pid);
    }
    return pid == ancestor;
}

/* The command lines of a process and of all that it has started, as ps shows them; answers how many there are. */
static int look_at_command_lines(pid_t pid) {
    int count = 0;
    DIR *processes = opendir("/proc");
    ck_assert_ptr_nonnull(processes);
    const struct dirent *entry;
    while ((entry = readdir(processes)) != NULL) {
        pid_t other = (pid_t)atoi(entry->d_name);
        if (other > 0 && descends_from(other, pid)) {
            size_t length;
            char *line = read_process_file(other, "cmdline", &length);
            strbuf_append(&seen, line, length);
            free(line);
            count++;
        }
    }
    closedir(processes);
    return count;
}

static void look_at_output(void) {
    char *output = process_output_from(&app.process, 0);
    strbuf_append_string(&seen, output);
    free(output);
}

static void assert_no_secret(void) {
    ck_assert_int_eq(strbuf_status(&seen), STATUS_OK);
    login_add_secrets(&login, &certificates, &secrets);
    ck_assert_uint_gt(secrets.count, 0);
    const char *found = secret_search_find(&secrets, seen.data, seen.length);
    if (found != NULL) {
        fprintf(stderr, "%s\n", seen.data);
    }
    ck_assert_msg(found == NULL, "%s is to be seen, signed in with: %s", found, login_name(login.way));
}

/* That nothing was found is worth something only if the search would have. */
static void assert_search_works(void) {
    struct secret_search canary = {.count = 0};
    secret_search_add(&canary, "the canary", CANARY);
    ck_assert_ptr_nonnull(secret_search_find(&canary, seen.data, seen.length));
    secret_search_release(&canary);
}

/* --- what is done --- */

static void use_functions(void) {
    static const char units[] = "{\"quantity\":2,\"customerId\":\"" CANARY "\"}";
    ck_assert_int_eq(call("POST", "/api/inventory/PROD-001/reserve", units), 200);
    ck_assert_int_eq(call("GET", "/api/inventory/PROD-001", NULL), 200);
    ck_assert_int_eq(call("POST", "/api/inventory/PROD-001/release", units), 200);
    ck_assert_int_eq(call("GET", "/api/inventory/PROD-404", NULL), 404);
    ck_assert_int_eq(call("POST", "/api/inventory/PROD-001/reserve", "{"), 400);
    ck_assert_int_eq(call("POST", "/ReconcileInventory", "{\"Data\":{\"timer\":{}},\"Metadata\":{}}"), 200);
}

static void start_handler(void) {
    login_start_handler(&login, &app);
    ck_assert(app_wait_for_log(&app, 0, "listens on", LOG_TIMEOUT_MS));
}

START_TEST(a_run_at_trace_shows_no_secret) {
    prepare(_i);
    /* First an answer that repeats the request, then tokens, of which the second is refused, then storage that is gone. */
    identity_server_answer_next(login.server, 1, &(struct identity_answer){.status = 500, .echo = true});
    identity_server_answer(login.server, &(struct identity_answer){.refresh_in_s = 1});
    start_handler();
    while (call("GET", "/api/inventory/PROD-001", NULL) == 503) { /* the first answer was an error */
    }
    use_functions();
    if (_i >= LOGIN_APP_SERVICE && _i != LOGIN_CLI) {
        identity_server_answer(login.server, &(struct identity_answer){.refresh_in_s = 1, .actual_lifetime_s = -60});
        ck_assert(app_wait_for_log(&app, 0, "AuthenticationFailed", LOG_TIMEOUT_MS) ||
                  call("GET", "/api/inventory/PROD-001", NULL) == 503);
        identity_server_answer(login.server, &(struct identity_answer){.status = 401, .echo = true});
    }
    azurite_stop(&azurite);
    ck_assert_int_eq(call("GET", "/api/inventory/PROD-001", NULL), 503);
    ck_assert_int_eq(call("POST", "/ReconcileInventory", "{\"Data\":{\"timer\":{}},\"Metadata\":{}}") / 100, 5);
    look_at_command_lines(app.process.pid);
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0);
    look_at_output();
    assert_search_works();
    assert_no_secret();
}
END_TEST

START_TEST(az_is_called_without_secrets_in_its_command_line) {
    prepare(LOGIN_CLI);
    az_stub_hang(&login.az);
    start_handler();
    int64_t deadline_ms = process_now_ms() + LOG_TIMEOUT_MS;
    while (look_at_command_lines(app.process.pid) < 3) { /* the handler, az and its sleep */
        ck_assert_int_lt(process_now_ms(), deadline_ms);
    }
    ck_assert_int_eq(app_stop(&app, SIGTERM), 0);
    look_at_output();
    ck_assert_ptr_nonnull(memmem(seen.data, seen.length, "get-access-token", 16));
    assert_no_secret();
}
END_TEST

/* Settings that are wrong are shown in the line that stops the handler: never a secret. */
static const struct {
    const char *setting, *secret;
} wrong_settings[] = {
    {"DistributedLeasing:ConnectionString=AccountName=a;AccountKey=not/base64/but/secret", "not/base64/but/secret"},
    {"DistributedLeasing:ConnectionString=AccountName=a;AccountKey=" AZURITE_KEY ";BlobEndpoint=nonsense", AZURITE_KEY},
    {"DistributedLeasing:ConnectionString=a-bare-secret-that-is-no-string", "a-bare-secret-that-is-no-string"},
    {"DistributedLeasing:ConnectionString=BlobEndpoint=https://x;SharedAccessSignature=sig=c2VjcmV0c2VjcmV0 x",
     "c2VjcmV0c2VjcmV0"},
    {"DistributedLeasing:StorageAccountUri=https://a.blob.core.windows.net/?sig=c2VjcmV0c2VjcmV0", "c2VjcmV0c2VjcmV0"},
    {"DistributedLeasing:StorageAccountUri=https://user:a-password-here@a.blob.core.windows.net", "a-password-here"},
};

START_TEST(a_wrong_setting_is_told_without_its_secret) {
    const char *const settings[] = {wrong_settings[_i].setting, NULL};
    app_start_handler(&app, &(struct app_options){.settings = settings});
    ck_assert_int_eq(process_wait(&app.process, LOG_TIMEOUT_MS), 64);
    look_at_output();
    secret_search_add(&secrets, "the setting's secret", wrong_settings[_i].secret);
    ck_assert_ptr_nonnull(strstr(seen.data, "DistributedLeasing:"));
    ck_assert_msg(secret_search_find(&secrets, seen.data, seen.length) == NULL, "%s", seen.data);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("secrets");
    TCase *tcase = tcase_create("secrets");
    tcase_add_unchecked_fixture(tcase, start_storage, stop_storage);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, a_run_at_trace_shows_no_secret, 0, LOGIN_NONE);
    tcase_add_test(tcase, az_is_called_without_secrets_in_its_command_line);
    suite_add_tcase(suite, tcase);
    TCase *settings = tcase_create("settings");
    tcase_add_loop_test(settings, a_wrong_setting_is_told_without_its_secret, 0,
                        sizeof wrong_settings / sizeof *wrong_settings);
    suite_add_tcase(suite, settings);
    return check_main(suite);
}
