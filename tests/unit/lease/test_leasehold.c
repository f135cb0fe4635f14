/* test_leasehold.c - the public API: what reaches storage, what replies mean, how clients end. */
#include "lease/leasehold.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "support/fakes/http_fake.h"
#include "support/processes/check_main.h"
#include "support/processes/process.h"

enum { PATIENCE_S = 20, PATIENCE_MS = 20000 };

static struct http_fake *fake;
static char connection_string[512];
static struct leasehold *client;
static struct leasehold_error err;

/* ---- a client of a scripted storage ---- */

static void start_fake(void) {
    fake = http_fake_new();
    snprintf(connection_string, sizeof connection_string,
             "AccountName=acct;AccountKey=a2V5;BlobEndpoint=%s/acct", http_fake_url(fake));
}

static void open_with(struct leasehold_options *options) {
    options->connection_string = connection_string;
    enum leasehold_result result = leasehold_open(options, &client, &err);
    ck_assert_msg(result == LEASEHOLD_OK, "%s", result == LEASEHOLD_OK ? "" : err.message);
}

static void set_up(void) {
    start_fake();
    struct leasehold_options options = leasehold_options_default();
    open_with(&options);
}

static void tear_down(void) {
    leasehold_close(client, 0);
    client = NULL;
    http_fake_free(fake);
}

static void reopen_with(struct leasehold_options *options) {
    ck_assert_int_eq(leasehold_close(client, PATIENCE_MS), 0);
    open_with(options);
}

static void answer(int status, const char *headers) {
    http_fake_push(fake, &(struct http_fake_answer){.status = status, .headers = headers});
}

static void hang(void) {
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG});
}

static enum leasehold_result try_once(struct leasehold_lease **lease) {
    return leasehold_acquire(client, &(struct leasehold_request){.name = "a", .try_once = true},
                             lease, &err);
}

static struct leasehold_lease *acquire(const char *name) {
    struct leasehold_lease *lease = NULL;
    answer(201, NULL);
    enum leasehold_result result = leasehold_acquire(
        client, &(struct leasehold_request){.name = name, .try_once = true}, &lease, &err);
    ck_assert_msg(result == LEASEHOLD_OK, "%s", result == LEASEHOLD_OK ? "" : err.message);
    return lease;
}

START_TEST(what_is_not_allowed_is_invalid_and_storage_is_not_asked) {
    struct leasehold_lease *lease = NULL;
    ck_assert_int_eq(
        leasehold_acquire(client, &(struct leasehold_request){.name = "a//b"}, &lease, &err),
        LEASEHOLD_INVALID);
    ck_assert_int_eq(err.result, LEASEHOLD_INVALID);
    ck_assert_ptr_nonnull(strstr(err.message, "a//b"));
    ck_assert_ptr_null(lease);
    ck_assert_int_eq(
        leasehold_acquire(client, &(struct leasehold_request){.name = NULL}, &lease, NULL),
        LEASEHOLD_INVALID);
    ck_assert_int_eq(leasehold_break(client, "a//b", NULL, &err), LEASEHOLD_INVALID);
    struct leasehold_options options = leasehold_options_default();
    struct leasehold *unopened = NULL;
    ck_assert_int_eq(leasehold_open(&options, &unopened, &err), LEASEHOLD_INVALID);
    ck_assert_str_eq(err.message, "connection_string is not set");
    options.connection_string = "AccountName=x;AccountKey=secret%%%";
    ck_assert_int_eq(leasehold_open(&options, &unopened, &err), LEASEHOLD_INVALID);
    ck_assert_ptr_nonnull(strstr(err.message, "AccountKey"));
    ck_assert_ptr_null(strstr(err.message, "secret"));
    options.connection_string = "UseDevelopmentStorage=true";
    options.duration_s = 14;
    ck_assert_int_eq(leasehold_open(&options, &unopened, &err), LEASEHOLD_INVALID);
    ck_assert_ptr_null(unopened);
    ck_assert_uint_eq(http_fake_count(fake), 0);
}
END_TEST

START_TEST(options_reach_storage) {
    struct leasehold_options options = leasehold_options_default();
    char container[] = "locks";
    options.container = container;
    options.blob_prefix = "jobs/";
    options.duration_s = LEASEHOLD_INFINITE;
    options.metadata = (const struct leasehold_metadata[]){{"Site", "north 1"}};
    options.metadata_count = 1;
    reopen_with(&options);
    memset(container, 'x', sizeof container - 1); /* the client has a copy */
    answer(404, "x-ms-error-code: BlobNotFound\r\n");
    answer(201, NULL);
    struct leasehold_lease *lease = acquire("a");
    ck_assert_str_eq(http_fake_request(fake, 0)->target, "/acct/locks/jobs/a?comp=lease");
    ck_assert_str_eq(http_fake_sent(fake, 0, "x-ms-lease-duration"), "-1");
    ck_assert_str_eq(http_fake_sent(fake, 0, "x-ms-proposed-lease-id"), leasehold_id(lease));
    ck_assert_str_eq(http_fake_request(fake, 1)->target, "/acct/locks/jobs/a");
    ck_assert_str_eq(http_fake_sent(fake, 1, "x-ms-meta-lease_Site"), "north 1");
    ck_assert_int_eq(leasehold_safe_for_ms(lease), INT64_MAX);
    leasehold_release(lease);
}
END_TEST

START_TEST(without_leave_to_create_it_a_missing_container_is_a_failure) {
    struct leasehold_options options = leasehold_options_default();
    options.create_container = false;
    reopen_with(&options);
    answer(404, "x-ms-error-code: ContainerNotFound\r\nx-ms-request-id: abc-123\r\n");
    struct leasehold_lease *lease = NULL;
    ck_assert_int_eq(try_once(&lease), LEASEHOLD_FAILED);
    ck_assert_int_eq(err.http_status, 404);
    ck_assert_str_eq(err.code, "ContainerNotFound");
    ck_assert_str_eq(err.request_id, "abc-123");
    ck_assert_uint_eq(http_fake_count(fake), 1);
}
END_TEST

START_TEST(a_request_says_itself_whether_and_how_long_it_waits_for_a_holder) {
    static const char held[] = "x-ms-error-code: LeaseAlreadyPresent\r\n";
    struct leasehold_lease *lease = NULL;
    struct leasehold_options options = leasehold_options_default();
    answer(409, held);
    ck_assert_int_eq(try_once(&lease),
                     LEASEHOLD_HELD_ELSEWHERE); /* although the client's options say to wait */
    ck_assert_uint_eq(http_fake_count(fake), 1);
    options.acquire_timeout_ms = 0;
    reopen_with(&options);
    answer(409, held);
    ck_assert_int_eq(
        leasehold_acquire(client, &(struct leasehold_request){.name = "a"}, &lease, &err),
        LEASEHOLD_HELD_ELSEWHERE);
    answer(409, held);
    answer(201, NULL);
    ck_assert_int_eq(
        leasehold_acquire(client,
                          &(struct leasehold_request){.name = "a", .timeout_ms = PATIENCE_MS},
                          &lease, &err),
        LEASEHOLD_OK);
    ck_assert_uint_eq(http_fake_count(fake), 4);
    leasehold_release(lease);
}
END_TEST

/* ---- results ---- */

static const struct {
    const char *headers;
    int status;
    enum leasehold_result result;
} answers[] = {
    {"x-ms-error-code: LeaseAlreadyPresent\r\n", 409, LEASEHOLD_HELD_ELSEWHERE},
    {"x-ms-error-code: AuthenticationFailed\r\n", 403, LEASEHOLD_REFUSED},
    {"x-ms-error-code: ServerBusy\r\nRetry-After: 3600\r\n", 503, LEASEHOLD_UNAVAILABLE},
    {"x-ms-error-code: InvalidHeaderValue\r\n", 400, LEASEHOLD_FAILED},
};

START_TEST(what_storage_answers_is_the_result_that_a_caller_branches_on) {
    struct leasehold_lease *lease = NULL;
    answer(answers[_i].status, answers[_i].headers);
    ck_assert_int_eq(try_once(&lease), answers[_i].result);
    ck_assert_int_eq(err.result, answers[_i].result);
    ck_assert_int_eq(err.http_status, answers[_i].status);
    ck_assert_str_ne(err.message, "");
    ck_assert_ptr_null(lease);
}
END_TEST

static const int foreign_statuses[] = {200, 201, 302, 400, 403, 404, 409, 412};
enum { FOREIGN_STATUSES = sizeof foreign_statuses / sizeof foreign_statuses[0] };

/* A reply that is not storage's neither grants a lease nor says that somebody else holds it. */
START_TEST(what_answers_in_storages_place_grants_and_refuses_nothing) {
    struct leasehold_lease *lease = NULL;
    http_fake_push(fake, &(struct http_fake_answer){
                             .is_foreign = true,
                             .status = foreign_statuses[_i],
                             .headers = "Retry-After: 3600\r\nContent-Type: text/html\r\n"});
    ck_assert_int_eq(try_once(&lease), LEASEHOLD_UNAVAILABLE);
    ck_assert_int_eq(err.http_status, 0);
    ck_assert_ptr_nonnull(strstr(err.message, http_fake_url(fake)));
    ck_assert_ptr_nonnull(strstr(err.message, "answered, but not by storage: "));
    ck_assert_ptr_null(lease);
    ck_assert_int_eq(try_once(&lease), LEASEHOLD_OK);
    leasehold_release(lease);
}
END_TEST

START_TEST(the_library_has_its_headers_version) {
    char numbers[32];
    snprintf(numbers, sizeof numbers, "%d.%d.%d", LEASEHOLD_VERSION_MAJOR, LEASEHOLD_VERSION_MINOR,
             LEASEHOLD_VERSION_PATCH);
    ck_assert_str_eq(LEASEHOLD_VERSION, numbers);
    ck_assert_str_eq(leasehold_version(), numbers);
}
END_TEST

START_TEST(every_result_has_a_text_of_its_own) {
    for (int i = LEASEHOLD_OK; i <= LEASEHOLD_FAILED; i++) {
        for (int j = LEASEHOLD_OK; j < i; j++) {
            ck_assert_str_ne(leasehold_result_text((enum leasehold_result)i),
                             leasehold_result_text((enum leasehold_result)j));
        }
    }
    ck_assert_str_eq(leasehold_result_text((enum leasehold_result)99), "unknown result");
}
END_TEST

START_TEST(breaking_says_whether_there_was_anything_to_break) {
    static const struct {
        int status;
        const char *headers;
        bool was_held;
    } outcomes[] = {
        {202, "x-ms-lease-time: 0\r\n", true},
        {409, "x-ms-error-code: LeaseNotPresentWithLeaseOperation\r\n", false},
        {404, "x-ms-error-code: BlobNotFound\r\n", false},
    };
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        bool was_held = !outcomes[i].was_held;
        answer(outcomes[i].status, outcomes[i].headers);
        ck_assert_int_eq(leasehold_break(client, "a", &was_held, &err), LEASEHOLD_OK);
        ck_assert_int_eq(was_held, outcomes[i].was_held);
        ck_assert_str_eq(http_fake_sent(fake, i, "x-ms-lease-action"), "break");
    }
    answer(404, "x-ms-error-code: ContainerNotFound\r\n");
    ck_assert_int_eq(leasehold_break(client, "a", NULL, &err), LEASEHOLD_FAILED);
}
END_TEST

/* ---- a lease in hand ---- */

struct observer {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int renewed, failed, lost;
    struct leasehold_event last;
    char name[16], id[40], reason[512];
    sigset_t blocked;                /* on the thread of the events */
    struct leasehold_lease *release; /* to be released from inside the next event */
};

static struct observer observer = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                   .changed = PTHREAD_COND_INITIALIZER};

static void observe(int *count, const struct leasehold_event *event) {
    pthread_mutex_lock(&observer.lock);
    (*count)++;
    observer.last = *event;
    pthread_sigmask(SIG_SETMASK, NULL, &observer.blocked);
    snprintf(observer.name, sizeof observer.name, "%s", event->lease_name);
    snprintf(observer.id, sizeof observer.id, "%s", event->lease_id);
    snprintf(observer.reason, sizeof observer.reason, "%s",
             event->reason != NULL ? event->reason : "");
    struct leasehold_lease *lease = observer.release;
    observer.release = NULL;
    pthread_cond_broadcast(&observer.changed);
    pthread_mutex_unlock(&observer.lock);
    leasehold_release(lease);
}

static void on_renewed(void *context, const struct leasehold_event *event) {
    observe(&((struct observer *)context)->renewed, event);
}

static void on_renewal_failed(void *context, const struct leasehold_event *event) {
    observe(&((struct observer *)context)->failed, event);
}

static void on_lost(void *context, const struct leasehold_event *event) {
    observe(&((struct observer *)context)->lost, event);
}

static void await(const int *count, int wanted) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&observer.lock);
    while (*count < wanted) {
        if (pthread_cond_timedwait(&observer.changed, &observer.lock, &until) == ETIMEDOUT) {
            ck_abort_msg("event %d did not come", wanted);
        }
    }
    pthread_mutex_unlock(&observer.lock);
}

/* Leases are renewed after 100 ms, and again 50 ms after a failure. */
static void listen_closely(void) {
    pthread_mutex_lock(&observer.lock);
    observer.renewed = observer.failed = observer.lost =
        0; /* an earlier test may have run in this process */
    pthread_mutex_unlock(&observer.lock);
    struct leasehold_options options = leasehold_options_default();
    options.duration_s = 15;
    options.renew_interval_ms = 100;
    options.renew_retry_ms = 50;
    options.listener =
        (struct leasehold_listener){on_renewed, on_renewal_failed, on_lost, &observer};
    reopen_with(&options);
}

START_TEST(the_listener_is_notified_of_renewals_with_all_details) {
    listen_closely();
    struct leasehold_lease *lease = acquire("a");
    await(&observer.renewed, 1);
    pthread_mutex_lock(&observer.lock);
    ck_assert_str_eq(observer.name, "a");
    ck_assert_str_eq(observer.id, leasehold_id(lease));
    ck_assert_int_ge(observer.last.renewal_count, 1);
    ck_assert_ptr_null(observer.last.reason);
    int64_t left_ms = observer.last.expires_ms - observer.last.time_ms;
    pthread_mutex_unlock(&observer.lock);
    ck_assert_int_gt(left_ms, 10000);
    ck_assert_int_le(left_ms, 15000);
    ck_assert_int_ge(leasehold_renewal_count(lease), 1);
    ck_assert(leasehold_is_held(lease));
    ck_assert_int_gt(leasehold_safe_for_ms(lease), 10000);
    ck_assert_int_le(leasehold_safe_for_ms(lease), 13500);
    leasehold_release(lease);
}
END_TEST

START_TEST(a_listener_in_the_request_takes_the_place_of_the_clients) {
    static struct observer own;
    own.renewed = 0;
    listen_closely();
    const struct leasehold_request request = {.name = "own",
                                              .listener = {.renewed = on_renewed, .context = &own}};
    struct leasehold_lease *lease;
    ck_assert_int_eq(leasehold_acquire(client, &request, &lease, &err), LEASEHOLD_OK);
    await(&own.renewed, 1);
    leasehold_release(lease);
    pthread_mutex_lock(&observer.lock);
    ck_assert_int_eq(observer.renewed, 0);
    pthread_mutex_unlock(&observer.lock);
}
END_TEST

START_TEST(the_listener_is_notified_of_a_failed_renewal_and_of_the_loss) {
    listen_closely();
    struct leasehold_lease *lease = acquire("a");
    answer(500, NULL);
    answer(409, "x-ms-error-code: LeaseIdMismatchWithLeaseOperation\r\n");
    await(&observer.failed, 1);
    await(&observer.lost, 1);
    pthread_mutex_lock(&observer.lock);
    ck_assert_str_eq(observer.name, "a");
    ck_assert_str_ne(observer.reason, "");
    ck_assert_int_le(observer.last.last_renewal_ms, observer.last.time_ms);
    pthread_mutex_unlock(&observer.lock);
    ck_assert(!leasehold_is_held(lease));
    ck_assert_int_eq(leasehold_safe_for_ms(lease), 0);
    ck_assert_int_eq(leasehold_wait(lease, PATIENCE_MS, &err), LEASEHOLD_LOST);
    ck_assert_int_eq(err.result, LEASEHOLD_LOST);
    leasehold_release(lease);
}
END_TEST

/* A reply that is not storage's means neither renewed nor lost nor released. */
START_TEST(what_answers_in_storages_place_renews_loses_and_takes_back_nothing) {
    static const int statuses[] = {200, 409, 404};
    enum { STATUSES = sizeof statuses / sizeof statuses[0] };
    listen_closely();
    struct leasehold_lease *lease = acquire("a");
    for (int i = 0; i < STATUSES; i++) {
        http_fake_push(fake, &(struct http_fake_answer){.is_foreign = true, .status = statuses[i]});
    }
    await(&observer.failed, STATUSES);
    await(&observer.renewed, 1);
    ck_assert_int_eq(observer.lost, 0);
    ck_assert(leasehold_is_held(lease));
    leasehold_release(lease);
    ck_assert_int_eq(leasehold_close(client, PATIENCE_MS), 0); /* nothing is renewed after close */
    client = NULL;

    size_t before = http_fake_count(fake);
    struct leasehold_options options = leasehold_options_default();
    open_with(&options);
    lease = acquire("b");
    for (int i = 0; i < STATUSES; i++) {
        http_fake_push(fake, &(struct http_fake_answer){.is_foreign = true, .status = statuses[i]});
    }
    leasehold_release(lease);
    ck_assert_int_eq(leasehold_close(client, PATIENCE_MS), 0);
    client = NULL;
    ck_assert_uint_eq(http_fake_count(fake) - before, 1 + STATUSES + 1);
}
END_TEST

START_TEST(a_lease_may_be_released_from_inside_an_event) {
    listen_closely();
    struct leasehold_lease *lease = acquire("a");
    pthread_mutex_lock(&observer.lock);
    observer.release = lease;
    pthread_mutex_unlock(&observer.lock);
    await(&observer.renewed, 1);
    ck_assert_int_eq(leasehold_close(client, PATIENCE_MS), 0);
    client = NULL;
    ck_assert_str_eq(http_fake_sent(fake, http_fake_count(fake) - 1, "x-ms-lease-action"),
                     "release");
}
END_TEST

START_TEST(waiting_with_a_lease_in_hand_ends_in_time) {
    struct leasehold_lease *lease = acquire("a");
    int64_t begun_ms = process_now_ms();
    ck_assert_int_eq(leasehold_wait(lease, 100, &err), LEASEHOLD_OK);
    ck_assert_int_ge(process_now_ms() - begun_ms, 100);
    ck_assert_int_eq(leasehold_wait(lease, -1, &err), LEASEHOLD_OK);
    leasehold_release(lease);
    leasehold_release(NULL);
}
END_TEST

START_TEST(a_step_that_needs_more_of_the_lease_than_is_left_renews_it_first) {
    struct leasehold_options options = leasehold_options_default();
    options.duration_s = 15; /* of which 13.5 s are safe */
    options.auto_renew = false;
    reopen_with(&options);
    struct leasehold_lease *lease = acquire("a");
    ck_assert_int_eq(leasehold_extend_for(lease, 5000, &err), LEASEHOLD_OK);
    ck_assert_int_eq(leasehold_renewal_count(lease), 0);
    ck_assert_int_eq(leasehold_wait(lease, 1000, &err), LEASEHOLD_OK);
    ck_assert_int_eq(leasehold_extend_for(lease, 12600, &err), LEASEHOLD_OK);
    ck_assert_int_eq(leasehold_renewal_count(lease), 1);
    ck_assert_int_eq(leasehold_extend_for(lease, -1, &err), LEASEHOLD_INVALID);
    ck_assert_int_eq(leasehold_extend_for(lease, 13500, &err), LEASEHOLD_INVALID);
    ck_assert_ptr_nonnull(strstr(err.message, "needed_ms"));
    answer(409, "x-ms-error-code: LeaseIdMismatchWithLeaseOperation\r\n");
    ck_assert_int_eq(leasehold_wait(lease, 1000, &err), LEASEHOLD_OK);
    ck_assert_int_eq(leasehold_extend_for(lease, 12600, &err), LEASEHOLD_LOST);
    leasehold_release(lease);
}
END_TEST

/* ---- closing ---- */

struct caller {
    pthread_t thread;
    struct leasehold_lease *lease; /* to wait with; NULL: acquires one */
    enum leasehold_result result;
};

static void *call(void *context) {
    struct caller *caller = context;
    struct leasehold_lease *lease = NULL;
    struct leasehold_request request = {.name = "wanted", .timeout_ms = 600000};
    caller->result = caller->lease != NULL ? leasehold_wait(caller->lease, INT64_MAX, NULL)
                                           : leasehold_acquire(client, &request, &lease, NULL);
    return NULL;
}

START_TEST(cancel_ends_those_who_wait_and_leaves_leases_held) {
    struct leasehold_lease *lease = acquire("held");
    struct caller waiter = {.lease = lease}, acquirer = {.lease = NULL};
    hang();
    ck_assert_int_eq(pthread_create(&acquirer.thread, NULL, call, &acquirer), 0);
    ck_assert_int_eq(pthread_create(&waiter.thread, NULL, call, &waiter), 0);
    http_fake_wait(fake, 2);
    leasehold_cancel(client);
    pthread_join(acquirer.thread, NULL);
    pthread_join(waiter.thread, NULL);
    ck_assert_int_eq(acquirer.result, LEASEHOLD_CANCELLED);
    ck_assert_int_eq(waiter.result, LEASEHOLD_CANCELLED);
    ck_assert(leasehold_is_held(lease));
    struct leasehold_lease *other = NULL;
    ck_assert_int_eq(try_once(&other), LEASEHOLD_CANCELLED);
    http_fake_let_go(fake);
    leasehold_release(lease);
}
END_TEST

static bool is_release(size_t index) {
    return strcmp(http_fake_sent(fake, index, "x-ms-lease-action"), "release") == 0;
}

/* Returns how many leases were released. A release whose reply is late is sent again. */
static int count_released(void) {
    int count = 0;
    for (size_t i = 0; i < http_fake_count(fake); i++) {
        bool is_first = is_release(i);
        for (size_t j = 0; is_first && j < i; j++) {
            is_first = !is_release(j) || strcmp(http_fake_sent(fake, i, "x-ms-lease-id"),
                                                http_fake_sent(fake, j, "x-ms-lease-id")) != 0;
        }
        count += is_first;
    }
    return count;
}

START_TEST(close_gives_every_lease_back_those_still_in_hand_too) {
    (void)acquire("a");
    leasehold_release(acquire("b"));
    (void)acquire("c");
    ck_assert_int_eq(leasehold_close(client, PATIENCE_MS), 0);
    client = NULL;
    ck_assert_int_eq(count_released(), 3);
}
END_TEST

START_TEST(close_says_how_many_leases_storage_has_not_taken_back) {
    (void)acquire("a");
    (void)acquire("b");
    hang(), hang();
    int64_t begun_ms = process_now_ms();
    ck_assert_int_eq(leasehold_close(client, 1000),
                     2); /* shorter than a release's timeout, so none is retried */
    ck_assert_int_ge(process_now_ms() - begun_ms, 1000);
    ck_assert_int_eq(leasehold_close(NULL, 0), 0);
    client = NULL;
    http_fake_wait(fake, 4);
    ck_assert_uint_eq(http_fake_count(fake), 4); /* both were sent at once */
    http_fake_let_go(fake);
}
END_TEST

/* ---- the calling program ---- */

START_TEST(nothing_is_printed) {
    FILE *files[2] = {tmpfile(), tmpfile()};
    int saved[2] = {dup(STDOUT_FILENO), dup(STDERR_FILENO)};
    fflush(NULL);
    dup2(fileno(files[0]), STDOUT_FILENO), dup2(fileno(files[1]), STDERR_FILENO);
    log_event(LOG_INFORMATION, "what the parts log when they are the handler's");
    log_event(LOG_CRITICAL, "likewise");
    dup2(saved[0], STDOUT_FILENO), dup2(saved[1], STDERR_FILENO);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(fseek(files[i], 0, SEEK_END), 0);
        ck_assert_int_eq(ftell(files[i]), 0);
        fclose(files[i]);
        close(saved[i]);
    }
}
END_TEST

START_TEST(the_programs_signals_stay_the_programs) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGALRM, SIGPIPE};
    sigset_t none, after;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    listen_closely();
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    struct leasehold_lease *lease = acquire("a");
    await(&observer.renewed, 1);
    pthread_mutex_lock(&observer.lock);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        ck_assert_int_eq(sigismember(&observer.blocked, signals[i]), 1);
        ck_assert_int_eq(sigismember(&after, signals[i]), 0);
    }
    pthread_mutex_unlock(&observer.lock);
    leasehold_release(lease);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("leasehold");
    TCase *tests = tcase_create("a client");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, what_is_not_allowed_is_invalid_and_storage_is_not_asked);
    tcase_add_test(tests, options_reach_storage);
    tcase_add_test(tests, without_leave_to_create_it_a_missing_container_is_a_failure);
    tcase_add_test(tests, a_request_says_itself_whether_and_how_long_it_waits_for_a_holder);
    tcase_add_loop_test(tests, what_storage_answers_is_the_result_that_a_caller_branches_on, 0,
                        sizeof answers / sizeof answers[0]);
    tcase_add_test(tests, the_library_has_its_headers_version);
    tcase_add_test(tests, every_result_has_a_text_of_its_own);
    tcase_add_loop_test(tests, what_answers_in_storages_place_grants_and_refuses_nothing, 0,
                        FOREIGN_STATUSES);
    tcase_add_test(tests, breaking_says_whether_there_was_anything_to_break);
    tcase_add_test(tests, the_listener_is_notified_of_renewals_with_all_details);
    tcase_add_test(tests, a_listener_in_the_request_takes_the_place_of_the_clients);
    tcase_add_test(tests, the_listener_is_notified_of_a_failed_renewal_and_of_the_loss);
    tcase_add_test(tests, what_answers_in_storages_place_renews_loses_and_takes_back_nothing);
    tcase_add_test(tests, a_lease_may_be_released_from_inside_an_event);
    tcase_add_test(tests, waiting_with_a_lease_in_hand_ends_in_time);
    tcase_add_test(tests, a_step_that_needs_more_of_the_lease_than_is_left_renews_it_first);
    tcase_add_test(tests, cancel_ends_those_who_wait_and_leaves_leases_held);
    tcase_add_test(tests, close_gives_every_lease_back_those_still_in_hand_too);
    tcase_add_test(tests, close_says_how_many_leases_storage_has_not_taken_back);
    tcase_add_test(tests, nothing_is_printed);
    tcase_add_test(tests, the_programs_signals_stay_the_programs);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
