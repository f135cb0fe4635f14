/*
 * A whole run at Trace over every way to sign in, with errors of every kind: no secret is in what
 * the programs say or show.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/calls/http_client.h"
#include "support/fakes/http_fake.h"
#include "support/processes/check_main.h"
#include "support/processes/https_storage_steps.h"
#include "support/processes/login.h"

enum { LOG_TIMEOUT_MS = 30000, SEEN_MAX_BYTES = 64 * 1024 * 1024 };
#define CANARY "CUST-canary-0d7be3a6" /* no secret, but it is to be found as one would be */

/* One way to sign in, and everything of it that others can see. */
static struct witness {
    struct login login;
    struct app app;
    struct strbuf seen;
    pthread_t callers[2];
} witnesses[LOGIN_NONE];

static void tear_down(void) {
    for (int way = 0; way < LOGIN_NONE; way++) {
        app_cleanup(&witnesses[way].app);
        login_cleanup(&witnesses[way].login);
        strbuf_cleanup(&witnesses[way].seen);
    }
}

static void prepare(struct witness *witness, int way) {
    strbuf_init(&witness->seen, SEEN_MAX_BYTES);
    login_prepare(&witness->login, (enum login_way)way, false, &azurite, &certificates);
    login_add_setting(&witness->login, "Logging:LogLevel:Default=Trace");
}

/* --- what can be seen --- */

static int call(struct witness *witness, const char *method, const char *path, const char *body) {
    struct http_reply reply = http_ask(
        (struct http_ask){.port = witness->app.port, .method = method, .path = path, .body = body});
    int status = reply.status;
    for (size_t i = 0; i < reply.headers.count; i++) {
        strbuf_appendf(&witness->seen, "%s: %s\n", reply.headers.items[i].name,
                       reply.headers.items[i].value);
    }
    strbuf_append(&witness->seen, reply.body.data, reply.body.length);
    http_reply_cleanup(&reply);
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

/*
 * The command lines of the handler and of all that it has started, as ps shows them; answers how
 * many there are.
 */
static int look_at_command_lines(struct witness *witness) {
    int count = 0;
    DIR *processes = opendir("/proc");
    ck_assert_ptr_nonnull(processes);
    const struct dirent *entry;
    while ((entry = readdir(processes)) != NULL) {
        pid_t other = (pid_t)atoi(entry->d_name);
        if (other > 0 && descends_from(other, witness->app.process.pid)) {
            size_t length;
            char *line = read_process_file(other, "cmdline", &length);
            strbuf_append(&witness->seen, line, length);
            free(line);
            count++;
        }
    }
    closedir(processes);
    return count;
}

static void look_at_output(struct witness *witness) {
    char *output = process_output_from(&witness->app.process, 0);
    strbuf_append_string(&witness->seen, output);
    free(output);
}

static void assert_no_secret(const struct witness *witness) {
    const struct strbuf *seen = &witness->seen;
    struct secret_search secrets = {.count = 0};
    ck_assert_int_eq(strbuf_status(seen), STATUS_OK);
    login_add_secrets(&witness->login, &certificates, &secrets);
    ck_assert_uint_gt(secrets.count, 0);
    secret_search_add(&secrets, "a signed request", "SharedKey " AZURITE_ACCOUNT ":");
    secret_search_add(&secrets, "a request with a token", "Bearer eyJ");
    const char *found = secret_search_find(&secrets, seen->data, seen->length);
    ck_assert_msg(found == NULL, "%s is to be seen, signed in with %s:\n%s", found,
                  login_name(witness->login.way), seen->data);
    secret_search_cleanup(&secrets);
}

/* That nothing was found is worth something only if it would have been. */
static void assert_found(const struct witness *witness, const char *text) {
    struct secret_search search = {.count = 0};
    secret_search_add(&search, "no secret", text);
    ck_assert_ptr_nonnull(secret_search_find(&search, witness->seen.data, witness->seen.length));
    secret_search_cleanup(&search);
}

/* --- what is done --- */

#define TIMER "{\"Data\":{\"timer\":{}},\"Metadata\":{}}"

static bool asks_server(const struct witness *witness) {
    return witness->login.way >= LOGIN_APP_SERVICE && witness->login.way != LOGIN_CLI;
}

/*
 * The first answer repeats the whole request in its error; tokens follow, each to be renewed after
 * a second.
 */
static void start_handler(struct witness *witness, int way) {
    prepare(witness, way);
    identity_server_answer_next(witness->login.server, 1,
                                &(struct identity_answer){.status = 500, .echo = true});
    identity_server_answer(witness->login.server, &(struct identity_answer){.refresh_in_s = 1});
    login_start_handler(&witness->login, &witness->app);
}

static void wait_for_log(struct witness *witness, const char *text) {
    if (!app_wait_for_log(&witness->app, 0, text, LOG_TIMEOUT_MS)) {
        ck_abort_msg("%s: '%s' is not in the log:\n%s", login_name(witness->login.way), text,
                     process_output_from(&witness->app.process, 0));
    }
}

static void use_functions(struct witness *witness) {
    static const char units[] = "{\"quantity\":2,\"customerId\":\"" CANARY "\"}";
    wait_for_log(witness, "listens on");
    ck_assert_int_eq(call(witness, "POST", "/api/inventory/PROD-001/reserve", units), 200);
    ck_assert_int_eq(call(witness, "GET", "/api/inventory/PROD-001", NULL), 200);
    ck_assert_int_eq(call(witness, "POST", "/api/inventory/PROD-001/release", units), 200);
    ck_assert_int_eq(call(witness, "GET", "/api/inventory/PROD-404", NULL), 404);
    ck_assert_int_eq(call(witness, "POST", "/api/inventory/PROD-001/reserve", "{"), 400);
    ck_assert_int_eq(call(witness, "POST", "/ReconcileInventory", TIMER), 200);
}

/*
 * From the next renewal on tokens are refused by storage, and then no more are to be had, with the
 * request repeated again.
 */
static void have_tokens_refused(struct witness *witness) {
    if (!asks_server(witness)) {
        return;
    }
    size_t before = identity_server_count(witness->login.server);
    identity_server_answer_next(witness->login.server, 1,
                                &(struct identity_answer){.actual_lifetime_s = -60});
    identity_server_answer(witness->login.server,
                           &(struct identity_answer){.status = 401, .echo = true});
    ck_assert(identity_server_wait(witness->login.server, before + 1, LOG_TIMEOUT_MS));
    int64_t deadline_ms = process_now_ms() + LOG_TIMEOUT_MS;
    while (call(witness, "GET", "/api/inventory/PROD-001", NULL) == 200) {
        ck_assert_int_lt(process_now_ms(), deadline_ms);
    }
    wait_for_log(witness, ": 403 in ");
}

static void *call_reserve(void *witness) {
    http_ask_status((struct http_ask){.port = ((struct witness *)witness)->app.port,
                                      .path = "/api/inventory/PROD-002/reserve",
                                      .body = "{\"quantity\":1,\"customerId\":\"x\"}"});
    return NULL;
}

static void *call_get(void *witness) {
    ck_assert_int_eq(call(witness, "GET", "/api/inventory/PROD-001", NULL), 503);
    return NULL;
}

static void end(struct witness *witness) {
    look_at_command_lines(witness);
    int exit_code = app_stop(&witness->app, SIGTERM);
    look_at_output(witness);
    ck_assert_msg(exit_code == 0, "%s", witness->seen.data);
}

/*
 * Each way goes through: an endpoint's error, work, refused tokens, storage that is gone, an end.
 * Together, since there is much to wait for.
 */
START_TEST(a_run_at_trace_shows_no_secret) {
    for (int way = 0; way < LOGIN_NONE; way++) {
        start_handler(&witnesses[way], way);
    }
    for (int way = 0; way < LOGIN_NONE; way++) {
        use_functions(&witnesses[way]);
    }
    for (int way = 0; way < LOGIN_NONE; way++) {
        have_tokens_refused(&witnesses[way]);
    }
    process_signal(&azurite.process, SIGKILL); /* the fixture started it, and reaps it */
    for (int way = 0; way < LOGIN_NONE; way++) {
        pthread_create(&witnesses[way].callers[0], NULL, call_get, &witnesses[way]);
        pthread_create(&witnesses[way].callers[1], NULL, call_reserve, &witnesses[way]);
    }
    for (int way = 0; way < LOGIN_NONE; way++) {
        pthread_join(witnesses[way].callers[0], NULL),
            pthread_join(witnesses[way].callers[1], NULL);
        end(&witnesses[way]);
        assert_found(&witnesses[way], CANARY);
        assert_found(&witnesses[way], "Successfully reserved 2 units"); /* in the log */
        assert_no_secret(&witnesses[way]);
    }
}
END_TEST

START_TEST(az_is_called_without_secrets_in_its_command_line) {
    struct witness *witness = &witnesses[LOGIN_CLI];
    prepare(witness, LOGIN_CLI);
    az_stub_hang(&witness->login.az);
    login_start_handler(&witness->login, &witness->app);
    wait_for_log(witness, "listens on");
    int64_t deadline_ms = process_now_ms() + LOG_TIMEOUT_MS;
    while (look_at_command_lines(witness) < 3) { /* the handler, az and its sleep */
        ck_assert_int_lt(process_now_ms(), deadline_ms);
    }
    end(witness);
    assert_found(witness, "get-access-token");
    assert_no_secret(witness);
}
END_TEST

/* --- a storage that repeats what it was sent --- */

/*
 * As an error of the Blob service's and of the Table service's, and as something on the way
 * answers.
 */
static const struct http_fake_answer mirrors[] = {
    {.status = 403,
     .code = "AuthorizationFailure",
     .body = "<Error><Code>x</Code><Message>@</Message></Error>"},
    {.status = 403,
     .body = "{\"odata.error\":{\"code\":\"AuthorizationFailure\",\"message\":{\"value\":\"@\"}}}"},
    {.is_foreign = true,
     .status = 404,
     .headers = "Retry-After: 3600\r\nServer: @\r\nContent-Type: @\r\nx-ms-error-code: @\r\n",
     .body = "@"},
    {.status = 500,
     .headers = "Retry-After: 3600\r\nx-ms-request-id: @\r\nx-ms-error-code: @\r\n",
     .body = "<Error><Code>InternalError</Code><Message>Got @.</Message></Error>"},
};
enum { MIRRORS = sizeof mirrors / sizeof mirrors[0], MIRROR_ROUNDS = 100 };

/* Addresses in the settings say https, which the mirror does not speak. */
static void say_http(char *text) {
    char *found;
    while ((found = strstr(text, "https://127.0.0.1:")) != NULL) {
        memmove(found + 4, found + 5, strlen(found + 5) + 1);
    }
}

static void start_before_mirror(struct witness *witness, int way, const struct http_fake *mirror) {
    struct azurite account = {.blob_port = atoi(strrchr(http_fake_url(mirror), ':') + 1)};
    account.table_port = account.blob_port;
    azurite_write_connection_string(account.blob_port, account.table_port,
                                    account.connection_string);
    strbuf_init(&witness->seen, SEEN_MAX_BYTES);
    login_prepare(&witness->login, (enum login_way)way, false, &account, &certificates);
    login_add_setting(&witness->login, "Logging:LogLevel:Default=Trace");
    say_http(witness->login.connection_string);
    for (int i = 0; i < 2 && witness->login.connection_string[0] == '\0';
         i++) { /* the two addresses come first */
        say_http(witness->login.settings.text[i]);
    }
    login_start_handler(&witness->login, &witness->app);
}

START_TEST(a_storage_that_repeats_requests_in_its_errors_makes_no_secret_known) {
    struct witness *witness = &witnesses[_i];
    struct http_fake *mirror = http_fake_new();
    for (int i = 0; i < MIRRORS * MIRROR_ROUNDS; i++) {
        struct http_fake_answer answer = mirrors[i % MIRRORS];
        answer.echoes = true;
        http_fake_push(mirror, &answer);
    }
    start_before_mirror(witness, _i, mirror);
    wait_for_log(witness, "listens on");
    for (int i = 0; i < 2 * MIRRORS; i++) {
        ck_assert_int_ge(call(witness, "GET", "/api/inventory/PROD-001", NULL), 500);
        ck_assert_int_ge(call(witness, "POST", "/ReconcileInventory", TIMER), 500);
    }
    end(witness);
    http_fake_free(mirror);
    assert_found(witness, "403 AuthorizationFailure: ");
    assert_found(witness, "500 InternalError: Got ");
    assert_found(witness, "answered, but not by storage: 404");
    assert_no_secret(witness);
    ck_assert_ptr_nonnull(strstr(witness->seen.data, " ***")); /* where something was taken away */
}
END_TEST

/* --- memory --- */

/*
 * Searches the mapping from `start` to `end`, by pieces that overlap so that no secret lies between
 * two.
 */
static bool mapping_holds(int memory, uintptr_t start, uintptr_t end,
                          const struct secret_search *search) {
    enum { PIECE_BYTES = 1024 * 1024, OVERLAP_BYTES = 1024 };
    static char piece[PIECE_BYTES];
    for (uintptr_t at = start; at < end; at += PIECE_BYTES - OVERLAP_BYTES) {
        size_t length = end - at < PIECE_BYTES ? end - at : PIECE_BYTES;
        ssize_t got =
            pread(memory, piece, length, (off_t)at); /* fails where nothing is behind the mapping */
        if (got > 0 && secret_search_find(search, piece, (size_t)got) != NULL) {
            return true;
        }
    }
    return false;
}

/*
 * Is one of the secrets in the memory that the process may write to? The sanitizers' own is too
 * large to hold any.
 */
static bool memory_holds(pid_t pid, const struct secret_search *search) {
    const uintptr_t largest_bytes = (uintptr_t)256 * 1024 * 1024;
    char path[64];
    size_t length;
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    int memory = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_msg(memory >= 0, "%s", path);
    char *maps = read_process_file(pid, "maps", &length), *rest = maps, *line;
    while (!found && (line = strsep(&rest, "\n")) != NULL) {
        uintptr_t start, end;
        char rights[8];
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s", &start, &end, rights) == 3 &&
            strncmp(rights, "rw", 2) == 0 && end - start <= largest_bytes) {
            found = mapping_holds(memory, start, end, search);
        }
    }
    free(maps);
    close(memory);
    return found;
}

/* A token's last part, which no other token has. */
static const char *signature_of(struct witness *witness, size_t index) {
    return strrchr(identity_server_request(witness->login.server, index)->token, '.') + 1;
}

/*
 * What a core dump would show: the token of now, and maybe its predecessor in a buffer that is in
 * use.
 */
START_TEST(tokens_that_have_been_replaced_are_nowhere_in_memory) {
    enum { TOKENS = 5 };
    struct witness *witness = &witnesses[LOGIN_APP_SERVICE];
    prepare(witness, LOGIN_APP_SERVICE);
    identity_server_answer_next(witness->login.server, TOKENS - 1,
                                &(struct identity_answer){.refresh_in_s = 1});
    login_start_handler(&witness->login, &witness->app);
    wait_for_log(witness, "listens on");
    for (size_t count = 1; count <= TOKENS; count++) {
        ck_assert(identity_server_wait(witness->login.server, count, LOG_TIMEOUT_MS));
        ck_assert_int_eq(call(witness, "GET", "/api/inventory/PROD-001", NULL), 200);
    }
    wait_for_log(witness, "to be renewed in 3");
    ck_assert_int_eq(call(witness, "GET", "/api/inventory/PROD-001", NULL), 200);
    struct secret_search past = {.count = 0}, present = {.count = 0};
    for (size_t i = 0; i < TOKENS - 2; i++) {
        secret_search_add(&past, "a past token", signature_of(witness, i));
    }
    secret_search_add(&present, "the present token", signature_of(witness, TOKENS - 1));
    ck_assert(memory_holds(witness->app.process.pid, &present));
    ck_assert(!memory_holds(witness->app.process.pid, &past));
    secret_search_cleanup(&past), secret_search_cleanup(&present);
    ck_assert_int_eq(app_stop(&witness->app, SIGTERM), 0);
}
END_TEST

/* Settings that are wrong are shown in the line that stops the handler: never a secret. */
static const struct {
    const char *setting, *secret;
} wrong_settings[] = {
    {"DistributedLeasing:ConnectionString=AccountName=a;AccountKey=not/base64/but/secret",
     "not/base64/but/secret"},
    {"DistributedLeasing:ConnectionString=AccountName=a;AccountKey=" AZURITE_KEY
     ";BlobEndpoint=nonsense",
     AZURITE_KEY},
    {"DistributedLeasing:ConnectionString=a-bare-secret-that-is-no-string",
     "a-bare-secret-that-is-no-string"},
    {"DistributedLeasing:ConnectionString=BlobEndpoint=https://"
     "x;SharedAccessSignature=sig=c2VjcmV0c2VjcmV0 x",
     "c2VjcmV0c2VjcmV0"},
    {"DistributedLeasing:StorageAccountUri=https://a.blob.core.windows.net/?sig=c2VjcmV0c2VjcmV0",
     "c2VjcmV0c2VjcmV0"},
    {"DistributedLeasing:StorageAccountUri=https://user:a-password-here@a.blob.core.windows.net",
     "a-password-here"},
};

START_TEST(a_wrong_setting_is_told_without_its_secret) {
    const char *const settings[] = {wrong_settings[_i].setting, NULL};
    struct app app;
    struct secret_search secrets = {.count = 0};
    app_start_handler(&app, &(struct app_options){.settings = settings});
    ck_assert_int_eq(process_wait(&app.process, LOG_TIMEOUT_MS), 64);
    char *output = process_output_from(&app.process, 0);
    secret_search_add(&secrets, "the setting's secret", wrong_settings[_i].secret);
    ck_assert_ptr_nonnull(strstr(output, "DistributedLeasing:"));
    ck_assert_msg(secret_search_find(&secrets, output, strlen(output)) == NULL, "%s", output);
    secret_search_cleanup(&secrets);
    free(output);
    app_cleanup(&app);
}
END_TEST

static bool has_thread_sanitizer(void) {
#ifdef __SANITIZE_THREAD__
    return true;
#else
    return false;
#endif
}

int main(void) {
    Suite *suite = suite_create("secrets");
    TCase *settings = tcase_create("settings");
    tcase_add_loop_test(settings, a_wrong_setting_is_told_without_its_secret, 0,
                        sizeof wrong_settings / sizeof *wrong_settings);
    suite_add_tcase(suite, settings);
    TCase *tcase = tcase_create("secrets");
    tcase_add_unchecked_fixture(tcase, start_storage, stop_storage);
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_add_test(tcase, az_is_called_without_secrets_in_its_command_line);
    const bool readable =
        !has_thread_sanitizer(); /* else there are gigabytes of the tool's own memory to read */
    tcase_add_loop_test(tcase, tokens_that_have_been_replaced_are_nowhere_in_memory, 0, readable);
    tcase_add_test(tcase, a_run_at_trace_shows_no_secret);
    tcase_add_loop_test(tcase, a_storage_that_repeats_requests_in_its_errors_makes_no_secret_known,
                        0, LOGIN_NONE);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
