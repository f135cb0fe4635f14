/*
 * Fetches in virtual time: how long a question may take, a fetch that is cancelled or cannot be
 * started at any step, and the choice among several sources.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

#include "base/thread.h"
#include "identity/token_source.h"
#include "support/fakes/virtual_storage.h"
#include "support/processes/check_main.h"
#include "support/processes/temp_folder.h"

#define GOOD "{\"access_token\":\"ey\",\"expires_in\":3600,\"token_type\":\"Bearer\"}"

enum { MAX_CALLS = 4 };

static struct platform platform;
static struct temp_folder folder;
static char token_file[128];

/* ---- the network ---- */

static struct virtual_answer script[MAX_CALLS];
static int64_t timeouts_ms[MAX_CALLS];

static void answer_call(int index, const struct http_call *call, struct virtual_answer *out) {
    ck_assert_int_lt(index, MAX_CALLS);
    timeouts_ms[index] = call->timeout_ms;
    *out = script[index];
}

static void answer_with_token(int index) {
    script[index].http_status = 200;
    strcpy(script[index].body, GOOD);
}

/* ---- the thread that reads a file ---- */

/* The thread has ended when thread_start returns, unless files hang. */
static struct {
    void *(*run)(void *context);
    void *context;
    sem_t let_go, ended;
    bool hangs;
    bool is_refused;
    int started;
} reader;

static void *read_file(void *unused) {
    (void)unused;
    if (reader.hangs) {
        sem_wait(&reader.let_go);
    }
    reader.run(reader.context);
    sem_post(&reader.ended);
    return NULL;
}

enum status thread_start(pthread_t *out, void *(*run_thread)(void *context), void *context,
                         struct error *err) {
    if (reader.is_refused) {
        return error_set(err, STATUS_NO_THREAD, "none to spare");
    }
    reader.started++;
    reader.run = run_thread;
    reader.context = context;
    ck_assert_int_eq(pthread_create(out, NULL, read_file, NULL), 0);
    if (!reader.hangs) {
        sem_wait(&reader.ended);
    }
    return STATUS_OK;
}

static void let_reader_go(void) {
    sem_post(&reader.let_go);
    sem_wait(&reader.ended);
    reader.hangs = false;
}

/* ---- a fetch, and how it ended ---- */

struct fetch {
    int ends;
    bool is_starting;
    enum status status;
    struct error err;
    char token[64];
    int64_t ended_ms;
};

static struct fetch fetch;

static void on_fetched(void *user, enum status status, struct token *token,
                       const struct error *err) {
    ck_assert_ptr_eq(user, &fetch);
    ck_assert(!fetch.is_starting);
    ck_assert_int_eq(token != NULL, status == STATUS_OK);
    ck_assert_int_eq(err->status, status);
    fetch.ends++;
    fetch.status = status;
    fetch.err = *err;
    fetch.ended_ms = virtual_loop.now_ms;
    snprintf(fetch.token, sizeof fetch.token, "%s", token != NULL ? token->text.data : "");
}

/* Returns false if it failed at once. That is recorded like any other end. */
static bool start(struct token_source *source) {
    struct error err = {.status = STATUS_OK};
    fetch = (struct fetch){.is_starting = true};
    enum status status = token_source_start(source, &platform, on_fetched, &fetch, &err);
    fetch.is_starting = false;
    if (status != STATUS_OK) {
        on_fetched(&fetch, status, NULL, &err);
    }
    return status == STATUS_OK;
}

static void run(void) {
    while (virtual_step()) {
    }
}

static enum status run_fetch(struct token_source *source) {
    start(source);
    run();
    ck_assert_int_eq(fetch.ends, 1);
    return fetch.status;
}

static int64_t fetch_ms(void) {
    return fetch.ended_ms - VIRTUAL_START_MS;
}

static void assert_said(const char *text) {
    ck_assert_msg(strstr(fetch.err.message, text) != NULL, "'%s' is not in '%s'", text,
                  fetch.err.message);
}

/* ---- the sources ---- */

static struct token_source_app_service app_service;
static struct token_source_imds imds, probed_imds;
static struct token_source_principal principal;
static struct token_source_workload workload;

static const struct {
    struct token_source *source;
    int questions;
    const char *endpoint;
} sources[] = {
    {&app_service.http.base, 1,
     "the identity endpoint of App Service, http://127.0.0.1:4141/msi/token: "},
    {&imds.http.base, 1, "IMDS at http://169.254.169.254: "},
    {&principal.http.base, 1,
     "the token endpoint https://login.example/tenant/oauth2/v2.0/token: "},
    {&workload.http.base, 1, "the token endpoint https://login.example/tenant/oauth2/v2.0/token: "},
    {&probed_imds.http.base, 2, "IMDS at http://169.254.169.254: "},
};

enum { SOURCES = sizeof sources / sizeof sources[0], STEPS = SOURCES + 1, PROBED = SOURCES - 1 };

/* _i counts the questions of all sources. */
static int source_at(int step) {
    return step < SOURCES ? step : PROBED;
}

static int question_at(int step) {
    return step < SOURCES ? 0 : 1;
}

static void set_up(void) {
    static const struct token_client client = {"https://login.example", "tenant", "client"};
    virtual_begin();
    platform = *virtual_client.platform;
    memset(script, 0, sizeof script);
    memset(&reader, 0, sizeof reader);
    sem_init(&reader.let_go, 0, 0);
    sem_init(&reader.ended, 0, 0);
    temp_folder_make(&folder);
    snprintf(token_file, sizeof token_file, "%s/token", folder.path);
    temp_folder_write(&folder, "token", "ey.federated");
    token_source_app_service_init(&app_service, "http://127.0.0.1:4141/msi/token", "header", NULL);
    token_source_imds_init(&imds, "http://169.254.169.254", NULL, false);
    token_source_imds_init(&probed_imds, "http://169.254.169.254", NULL, true);
    token_source_principal_init(&principal, &client, "secret", NULL);
    token_source_workload_init(&workload, &client, token_file);
}

static void tear_down(void) {
    virtual_end();
    sem_destroy(&reader.let_go);
    sem_destroy(&reader.ended);
    temp_folder_remove(&folder);
}

/* ---- time ---- */

START_TEST(a_question_has_fifteen_seconds) {
    script[0].hangs = true;
    ck_assert_int_eq(run_fetch(sources[_i].source), STATUS_UNAVAILABLE);
    ck_assert_int_eq(fetch_ms(), TOKEN_FETCH_MS);
    assert_said(sources[_i].endpoint);
}
END_TEST

/* A slow IMDS needs more than the second that the first probe has. */
START_TEST(the_first_probe_of_imds_has_a_second_and_the_next_have_fifteen) {
    script[0].hangs = true;
    ck_assert_int_eq(run_fetch(&probed_imds.http.base), STATUS_NOT_FOUND);
    ck_assert_int_eq(fetch_ms(), TOKEN_IMDS_PROBE_MS);
    assert_said("no answer (the next attempt waits up to 15 s): lost on the way");
    script[1].hangs = true;
    ck_assert_int_eq(run_fetch(&probed_imds.http.base), STATUS_NOT_FOUND);
    ck_assert_int_eq(fetch_ms(), TOKEN_IMDS_PROBE_MS + TOKEN_FETCH_MS);
    script[2].http_status = 400;
    answer_with_token(3);
    ck_assert_int_eq(run_fetch(&probed_imds.http.base), STATUS_OK);
    ck_assert_int_eq(timeouts_ms[2], TOKEN_FETCH_MS);
    ck_assert_int_eq(timeouts_ms[3], TOKEN_FETCH_MS);
    ck_assert_str_eq(fetch.token, "ey");
}
END_TEST

/* ---- cancelled, or not started, at each question ---- */

START_TEST(a_fetch_is_cancelled_at_any_question) {
    struct token_source *source = sources[source_at(_i)].source;
    int question = question_at(_i);
    script[0].http_status = 400; /* as IMDS answers a probe */
    script[question].hangs = true;
    ck_assert(start(source));
    while (virtual_calls <= question) {
        ck_assert(virtual_step());
    }
    ck_assert_int_eq(fetch.ends, 0);
    token_source_cancel(source);
    ck_assert_int_eq(fetch.ends, 1);
    ck_assert_int_eq(fetch.status, STATUS_CANCELLED);
    assert_said(sources[source_at(_i)].endpoint);
    token_source_cancel(source);
    run();
    ck_assert_int_eq(fetch.ends, 1);
    virtual_calls = question;
    script[question].hangs = false;
    answer_with_token(question);
    answer_with_token(question + 1);
    ck_assert_int_eq(run_fetch(source), STATUS_OK);
}
END_TEST

START_TEST(a_question_that_cannot_be_asked_ends_the_fetch) {
    struct token_source *source = sources[source_at(_i)].source;
    int question = question_at(_i);
    script[0].http_status = 400;
    script[question].refused = STATUS_NO_MEMORY;
    ck_assert_int_eq(start(source),
                     question > 0 || source == &workload.http.base); /* its file comes first */
    run();
    ck_assert_int_eq(fetch.ends, 1);
    ck_assert_int_eq(fetch.status, STATUS_NO_MEMORY);
    char expected[256];
    snprintf(expected, sizeof expected, "%sout of memory", sources[source_at(_i)].endpoint);
    ck_assert_str_eq(fetch.err.message, expected);
    virtual_calls = 0;
    script[question].refused = STATUS_OK;
    answer_with_token(question);
    answer_with_token(question + 1);
    ck_assert_int_eq(run_fetch(source), STATUS_OK);
}
END_TEST

START_TEST(what_cannot_be_sent_is_not_asked) {
    token_source_app_service_init(&app_service, "http://127.0.0.1/", "a line\nbreak", NULL);
    ck_assert(!start(&app_service.http.base));
    ck_assert_int_eq(fetch.status, STATUS_INVALID_ARGUMENT);
    assert_said("building the request: ");
    ck_assert_int_eq(virtual_calls, 0);
}
END_TEST

/* ---- a file that hangs ---- */

static void fail_late(void) {
    int64_t started_ms = virtual_loop.now_ms;
    ck_assert_int_eq(run_fetch(&workload.http.base), STATUS_UNAVAILABLE);
    ck_assert_int_eq(fetch.ended_ms - started_ms, TOKEN_FETCH_MS);
    assert_said(token_file);
    assert_said("takes too long");
}

START_TEST(a_file_that_hangs_costs_one_thread_however_often_it_is_wanted) {
    reader.hangs = true;
    fail_late();
    fail_late();
    ck_assert(start(&workload.http.base));
    let_reader_go();
    answer_with_token(0);
    run();
    ck_assert_int_eq(fetch.ends, 1);
    ck_assert_int_eq(fetch.status, STATUS_OK);
    ck_assert_int_eq(reader.started, 1);
    answer_with_token(1);
    ck_assert_int_eq(run_fetch(&workload.http.base), STATUS_OK);
    ck_assert_int_eq(reader.started, 2);
}
END_TEST

/* Its answer may be outdated by then. */
START_TEST(a_file_that_comes_while_nobody_waits_is_read_anew) {
    reader.hangs = true;
    fail_late();
    let_reader_go();
    run();
    ck_assert_int_eq(fetch.ends, 1);
    answer_with_token(0);
    ck_assert_int_eq(run_fetch(&workload.http.base), STATUS_OK);
    ck_assert_int_eq(reader.started, 2);
}
END_TEST

static void cancel_read(void) {
    token_source_cancel(&workload.http.base);
    ck_assert_int_eq(fetch.ends, 1);
    ck_assert_int_eq(fetch.status, STATUS_CANCELLED);
    assert_said(token_file);
}

/* virtual_end checks that nothing is posted later. */
static void assert_reader_is_abandoned(void) {
    let_reader_go();
    ck_assert_ptr_null(virtual_loop.first_task);
    ck_assert_uint_eq(virtual_loop.timers.count, 0);
    answer_with_token(0);
    ck_assert_int_eq(run_fetch(&workload.http.base), STATUS_OK);
    ck_assert_int_eq(reader.started, 2);
}

START_TEST(a_fetch_is_cancelled_while_its_file_hangs) {
    reader.hangs = true;
    ck_assert(start(&workload.http.base));
    cancel_read();
    assert_reader_is_abandoned();
}
END_TEST

START_TEST(a_file_that_hangs_is_given_up_when_no_fetch_waits_for_it) {
    reader.hangs = true;
    fail_late();
    token_source_cancel(&workload.http.base);
    ck_assert_int_eq(fetch.ends, 1);
    assert_reader_is_abandoned();
}
END_TEST

START_TEST(a_fetch_is_cancelled_when_its_file_has_just_been_read) {
    ck_assert(start(&workload.http.base));
    cancel_read();
    run();
    ck_assert_int_eq(fetch.ends, 1);
    ck_assert_int_eq(virtual_calls, 0);
    answer_with_token(0);
    ck_assert_int_eq(run_fetch(&workload.http.base), STATUS_OK);
}
END_TEST

START_TEST(without_a_thread_for_its_file_a_fetch_fails) {
    reader.is_refused = true;
    ck_assert(!start(&workload.http.base));
    ck_assert_int_eq(fetch.status, STATUS_NO_THREAD);
    assert_said(token_file);
    assert_said("none to spare");
    reader.is_refused = false;
    answer_with_token(0);
    ck_assert_int_eq(run_fetch(&workload.http.base), STATUS_OK);
}
END_TEST

/* ---- the choice among several ---- */

struct source_fake {
    struct token_source base;
    struct loop_task answer_task;
    bool fails_at_once;
    bool hangs;
    enum status answer;
    int asked;
};

static struct token_source_auto automatic;
static struct source_fake first, second;

static void end_fake(struct source_fake *self, enum status status) {
    struct token token;
    struct error err = {.status = STATUS_OK};
    token_init(&token);
    if (status == STATUS_OK) {
        strbuf_append_string(&token.text, self->base.name);
    } else {
        error_set(&err, status, "%s", self->base.name);
    }
    self->base.done(self->base.done_context, status, status == STATUS_OK ? &token : NULL, &err);
    token_cleanup(&token);
}

static void answer_fake(void *user) {
    struct source_fake *self = user;
    end_fake(self, self->answer);
}

static enum status start_fake(struct token_source *base, const struct platform *given,
                              struct error *err) {
    struct source_fake *self = (struct source_fake *)base;
    ck_assert_ptr_eq(given, &platform);
    self->asked++;
    if (self->fails_at_once && self->answer != STATUS_OK) {
        return error_set(err, self->answer, "%s", base->name);
    }
    if (!self->hangs) {
        self->answer_task = (struct loop_task){.run = answer_fake, .context = self};
        event_loop_post(&virtual_loop, &self->answer_task);
    }
    return STATUS_OK;
}

static void cancel_fake(struct token_source *base) {
    struct source_fake *self = (struct source_fake *)base;
    if (self->hangs) {
        end_fake(self, STATUS_CANCELLED);
    }
}

/* `how`, one bit for each: it fails at once, or later. */
static void use_auto(int how, enum status of_first, enum status of_second) {
    static const struct token_source one = {
        .name = "one", .start = start_fake, .cancel = cancel_fake};
    static const struct token_source two = {
        .name = "two", .start = start_fake, .cancel = cancel_fake};
    token_source_auto_init(&automatic);
    first = (struct source_fake){.base = one, .answer = of_first, .fails_at_once = (how & 1) != 0};
    second =
        (struct source_fake){.base = two, .answer = of_second, .fails_at_once = (how & 2) != 0};
    automatic.choices[automatic.count++] = (struct token_source_choice){"none", NULL, "not set"};
    automatic.choices[automatic.count++] = (struct token_source_choice){"first", &first.base, NULL};
    automatic.choices[automatic.count++] =
        (struct token_source_choice){"second", &second.base, NULL};
}

enum { HOWS = 4 };

START_TEST(the_first_that_serves_is_taken_and_kept) {
    use_auto(_i, STATUS_NOT_FOUND, STATUS_OK);
    ck_assert_int_eq(run_fetch(&automatic.base), STATUS_OK);
    ck_assert_str_eq(fetch.token, "two");
    ck_assert_str_eq(automatic.base.name, "two"); /* what the log calls it from now on */
    first.answer = STATUS_OK;
    ck_assert_int_eq(run_fetch(&automatic.base), STATUS_OK);
    ck_assert_str_eq(fetch.token, "two");
    ck_assert_int_eq(first.asked, 1);
    second.answer = STATUS_NOT_FOUND; /* it exists, so its trouble is no reason to try another */
    ck_assert_int_eq(run_fetch(&automatic.base), STATUS_NOT_FOUND);
    ck_assert_int_eq(first.asked, 1);
}
END_TEST

START_TEST(where_none_serves_the_list_says_why_and_all_are_asked_again) {
    use_auto(_i, STATUS_NOT_FOUND, STATUS_NOT_FOUND);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(run_fetch(&automatic.base), STATUS_NOT_FOUND);
        ck_assert_str_eq(fetch.err.message,
                         "no way to sign in; tried none: not set; first: one; second: two");
    }
    first.answer = STATUS_OK;
    ck_assert_int_eq(run_fetch(&automatic.base), STATUS_OK);
    ck_assert_str_eq(fetch.token, "one");
}
END_TEST

START_TEST(one_that_is_there_and_fails_is_not_passed_over) {
    use_auto(_i, STATUS_UNAVAILABLE, STATUS_OK);
    ck_assert_int_eq(run_fetch(&automatic.base), STATUS_UNAVAILABLE);
    ck_assert_str_eq(fetch.err.message, "one");
    first.answer = STATUS_UNAUTHORIZED;
    ck_assert_int_eq(run_fetch(&automatic.base), STATUS_UNAUTHORIZED);
    ck_assert_int_eq(second.asked, 0);
}
END_TEST

/* While the first or the second is asked, and after the second is chosen. */
START_TEST(a_choice_is_cancelled_with_whichever_is_asked) {
    use_auto(0, STATUS_NOT_FOUND, STATUS_OK);
    if (_i == 2) {
        ck_assert_int_eq(run_fetch(&automatic.base), STATUS_OK);
    }
    first.hangs = _i == 0;
    second.hangs = _i != 0;
    start(&automatic.base);
    run();
    ck_assert_int_eq(fetch.ends, 0);
    token_source_cancel(&automatic.base);
    ck_assert_int_eq(fetch.ends, 1);
    ck_assert_int_eq(fetch.status, STATUS_CANCELLED);
    ck_assert_int_eq(second.asked, _i); /* a cancelled choice is not skipped */
}
END_TEST

START_TEST(a_choice_that_was_never_asked_may_be_cancelled) {
    use_auto(0, STATUS_OK, STATUS_OK);
    token_source_cancel(&automatic.base);
    ck_assert_int_eq(run_fetch(&automatic.base), STATUS_OK);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("token_fetch");
    TCase *tcase = tcase_create("token_fetch");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, a_question_has_fifteen_seconds, 0, PROBED);
    tcase_add_test(tcase, the_first_probe_of_imds_has_a_second_and_the_next_have_fifteen);
    tcase_add_loop_test(tcase, a_fetch_is_cancelled_at_any_question, 0, STEPS);
    tcase_add_loop_test(tcase, a_question_that_cannot_be_asked_ends_the_fetch, 0, STEPS);
    tcase_add_test(tcase, what_cannot_be_sent_is_not_asked);
    tcase_add_test(tcase, a_file_that_hangs_costs_one_thread_however_often_it_is_wanted);
    tcase_add_test(tcase, a_file_that_comes_while_nobody_waits_is_read_anew);
    tcase_add_test(tcase, a_fetch_is_cancelled_while_its_file_hangs);
    tcase_add_test(tcase, a_file_that_hangs_is_given_up_when_no_fetch_waits_for_it);
    tcase_add_test(tcase, a_fetch_is_cancelled_when_its_file_has_just_been_read);
    tcase_add_test(tcase, without_a_thread_for_its_file_a_fetch_fails);
    tcase_add_loop_test(tcase, the_first_that_serves_is_taken_and_kept, 0, HOWS);
    tcase_add_loop_test(tcase, where_none_serves_the_list_says_why_and_all_are_asked_again, 0,
                        HOWS);
    tcase_add_loop_test(tcase, one_that_is_there_and_fails_is_not_passed_over, 0, HOWS);
    tcase_add_loop_test(tcase, a_choice_is_cancelled_with_whichever_is_asked, 0, 3);
    tcase_add_test(tcase, a_choice_that_was_never_asked_may_be_cancelled);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
