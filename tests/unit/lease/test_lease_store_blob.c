/*
 * test_lease_store_blob.c - which requests are sent for leases and what their replies mean, against
 * a scripted server.
 */
#include "lease/lease_options.h"
#include "lease/lease_store_blob.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/correlation.h"
#include "base/log.h"
#include "base/utc.h"
#include "http/loop_call.h"
#include "support/fakes/fake_storage_steps.h"
#include "support/processes/check_main.h"

static const char id[] = "11111111-2222-4333-8444-555555555555";

static struct leasehold_options options;
static struct lease_store_blob store;
static int64_t sent_ms;

static void set_up(void) {
    open_fake();
    options = lease_options_default();
    lease_store_blob_init(&store, &storage.client, &options);
    sent_ms = -1;
}

static void answer(int status, const char *code) {
    char header[128];
    snprintf(header, sizeof header, "x-ms-error-code: %s\r\n", code);
    http_fake_push(
        fake, &(struct http_fake_answer){.status = status, .headers = code[0] ? header : NULL});
}

/* ---- calls that the test waits for ---- */

enum kind { ACQUIRE, RENEW, RELEASE, BREAK };

static struct waited {
    struct loop_call loop_call;
    struct lease_store_call call;
    enum kind kind;
    const char *name, *lease_id;
    int end_count;
    enum status status;
} waited;

static void on_end(void *context, enum status status, const struct error *error) {
    struct waited *own = context;
    own->end_count++;
    own->status = status;
    if (status != STATUS_OK) {
        err = *error;
    } else if (own->kind == ACQUIRE) {
        sent_ms = own->call.sent_ms;
    }
    ck_assert_ptr_null(own->call.own);
    ck_assert_ptr_null(correlation_current());
    loop_call_end(&own->loop_call);
}

static void start(struct waited *own) {
    const struct lease_store_ops *ops = store.base.ops;
    struct lease_store_call *call = &own->call;
    own->call = (struct lease_store_call){.done = on_end, .context = own};
    own->end_count = 0;
    enum status status =
        own->kind == ACQUIRE
            ? ops->acquire(&store.base, call, own->name, own->lease_id, 30, deadline())
        : own->kind == RENEW ? ops->renew(&store.base, call, own->name, own->lease_id, TIMEOUT_MS)
        : own->kind == RELEASE
            ? ops->release(&store.base, call, own->name, own->lease_id, TIMEOUT_MS)
            : ops->break_lease(&store.base, call, own->name, deadline());
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_int_eq(own->end_count, 0); /* never inside start */
    ck_assert_ptr_nonnull(call->own);
}

/* The caller, and its correlation, may be gone before the call ends. */
static void begin(void *context) {
    const struct correlation *before = correlation_current();
    struct correlation *passing = NULL;
    if (before != NULL) {
        passing = malloc(sizeof *passing);
        ck_assert_ptr_nonnull(passing);
        *passing = *before;
    }
    correlation_use(passing);
    start(context);
    correlation_use(before);
    free(passing);
}

static enum status run(enum kind kind, const char *name, const char *lease_id) {
    waited.kind = kind;
    waited.name = name;
    waited.lease_id = lease_id;
    loop_call_run(&waited.loop_call, storage.client.platform->loop, begin, &waited);
    ck_assert_int_eq(waited.end_count, 1);
    return waited.status;
}

static enum status acquire(const char *name) {
    return run(ACQUIRE, name, id);
}

static void assert_target(size_t index, const char *target) {
    ck_assert_uint_gt(http_fake_count(fake), index);
    ck_assert_str_eq(http_fake_request(fake, index)->target, target);
}

static void assert_is_acquire(size_t index) {
    assert_target(index, "/acct/leases/lease-a?comp=lease");
    ck_assert_str_eq(http_fake_sent(fake, index, "x-ms-lease-action"), "acquire");
    ck_assert_str_eq(http_fake_sent(fake, index, "x-ms-proposed-lease-id"), id);
    ck_assert_str_eq(http_fake_sent(fake, index, "x-ms-lease-duration"), "30");
}

START_TEST(an_acquire_that_finds_everything_in_place_is_one_request) {
    answer(201, "");
    ck_assert_int_eq(acquire("a"), STATUS_OK);
    ck_assert_uint_eq(http_fake_count(fake), 1);
    assert_is_acquire(0);
}
END_TEST

START_TEST(a_missing_blob_is_created_and_the_acquire_repeated) {
    answer(404, "BlobNotFound");
    answer(201, "");
    answer(201, "");
    ck_assert_int_eq(acquire("a"), STATUS_OK);
    ck_assert_uint_eq(http_fake_count(fake), 3);
    assert_target(1, "/acct/leases/lease-a");
    ck_assert_str_eq(http_fake_sent(fake, 1, "If-None-Match"), "*");
    assert_is_acquire(2);
}
END_TEST

START_TEST(a_missing_container_is_created_with_the_blob_and_the_acquire_repeated) {
    answer(404, "ContainerNotFound");
    answer(201, "");
    answer(201, "");
    answer(201, "");
    ck_assert_int_eq(acquire("a"), STATUS_OK);
    ck_assert_uint_eq(http_fake_count(fake), 4);
    assert_target(1, "/acct/leases?restype=container");
    assert_target(2, "/acct/leases/lease-a");
    assert_is_acquire(3);
}
END_TEST

static struct loop_task answer_task;
static lease_store_blob_wanted_done refused_done;

static void refuse(void *context) {
    refused_done(context, false);
}

/* Wants every name at once except "a", which it rejects in the loop's next round. */
static enum lease_wanted is_not_wanted(void *context, const char *name,
                                       lease_store_blob_wanted_done done, void *done_context) {
    ck_assert_ptr_eq(context, &store);
    if (strcmp(name, "a") != 0) {
        return LEASE_WANTED;
    }
    refused_done = done;
    answer_task = (struct loop_task){.run = refuse, .context = done_context};
    event_loop_post(storage.client.platform->loop, &answer_task);
    return LEASE_WANTED_PENDING;
}

/* With _i 1 the container is missing too. */
START_TEST(a_missing_blob_that_is_not_wanted_is_not_created) {
    store.wants = is_not_wanted;
    store.context = &store;
    answer(404, _i == 0 ? "BlobNotFound" : "ContainerNotFound");
    ck_assert_int_eq(acquire("a"), STATUS_NOT_FOUND);
    ck_assert_uint_eq(http_fake_count(fake), 1);
    answer(404, "BlobNotFound");
    answer(201, "");
    answer(201, "");
    ck_assert_int_eq(acquire("b"), STATUS_OK);
}
END_TEST

START_TEST(a_new_blob_says_whose_it_is_and_since_when_and_what_the_settings_add) {
    int64_t created_ms;
    options.metadata =
        (const struct leasehold_metadata[]){{"Owner", "warehouse 7"}, {"Site", "north"}};
    options.metadata_count = 2;
    answer(404, "BlobNotFound");
    answer(201, "");
    answer(201, "");
    ck_assert_int_eq(acquire("inventory-PROD-001"), STATUS_OK);
    assert_target(1, "/acct/leases/lease-inventory-PROD-001");
    ck_assert_str_eq(http_fake_sent(fake, 1, "x-ms-meta-leaseName"), "inventory-PROD-001");
    ck_assert(utc_parse_iso8601(http_fake_sent(fake, 1, "x-ms-meta-createdAt"), &created_ms));
    ck_assert_str_eq(http_fake_sent(fake, 1, "x-ms-meta-lease_Owner"), "warehouse 7");
    ck_assert_str_eq(http_fake_sent(fake, 1, "x-ms-meta-lease_Site"), "north");
}
END_TEST

START_TEST(somebody_else_may_be_first_to_create) {
    answer(404, "ContainerNotFound");
    answer(409, "ContainerAlreadyExists");
    answer(412, "LeaseIdMissing");
    answer(409, "LeaseAlreadyPresent");
    ck_assert_int_eq(acquire("a"), STATUS_LEASE_CONFLICT);
    ck_assert_uint_eq(http_fake_count(fake), 4);
    ck_assert_int_eq(sent_ms, -1);
}
END_TEST

START_TEST(a_container_deleted_before_its_blob_was_there_is_created_again) {
    answer(404, "ContainerNotFound");
    answer(201, "");
    answer(404, "ContainerNotFound"); /* the blob */
    answer(404, "ContainerNotFound");
    answer(201, "");
    answer(201, "");
    answer(201, "");
    ck_assert_int_eq(acquire("a"), STATUS_OK);
    ck_assert_uint_eq(http_fake_count(fake), 7);
}
END_TEST

START_TEST(an_acquire_ends_after_a_few_rounds_if_the_blob_never_stays) {
    for (int i = 0; i < 20; i++) {
        answer(404, "BlobNotFound");
        answer(201, "");
    }
    ck_assert_int_eq(acquire("a"), STATUS_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.message, "lease-a"));
    ck_assert_uint_le(http_fake_count(fake), 10);
}
END_TEST

START_TEST(a_missing_container_that_may_not_be_created_is_named) {
    options.create_container = false;
    options.container = "elsewhere";
    answer(404, "ContainerNotFound");
    ck_assert_int_eq(acquire("a"), STATUS_CONTAINER_NOT_FOUND);
    ck_assert_uint_eq(http_fake_count(fake), 1);
    ck_assert_ptr_nonnull(strstr(err.message, "container elsewhere "));
    ck_assert_ptr_nonnull(strstr(err.message, "CreateContainerIfNotExists"));
    ck_assert_str_eq(err.code, "ContainerNotFound");
}
END_TEST

START_TEST(a_container_that_cannot_be_created_is_named) {
    answer(404, "ContainerNotFound");
    answer(403, "AuthorizationFailure");
    ck_assert_int_eq(acquire("a"), STATUS_UNAUTHORIZED);
    ck_assert_uint_eq(http_fake_count(fake), 2);
    ck_assert_ptr_nonnull(strstr(err.message, "creating the container leases"));
}
END_TEST

START_TEST(a_blob_that_cannot_be_created_is_named) {
    answer(404, "BlobNotFound");
    answer(403, "AuthorizationFailure");
    ck_assert_int_eq(acquire("a"), STATUS_UNAUTHORIZED);
    ck_assert_uint_eq(http_fake_count(fake), 2);
    ck_assert_ptr_nonnull(strstr(err.message, "creating the blob lease-a"));
}
END_TEST

/* The manager releases a lease that an acquire may have got before it was rejected. */
START_TEST(a_refused_acquire_tells_whether_an_attempt_before_had_no_answer) {
    bool had_no_answer = _i == 1;
    if (had_no_answer) {
        http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CLOSE});
    }
    answer(403, "AuthorizationFailure");
    ck_assert_int_eq(acquire("a"), STATUS_UNAUTHORIZED);
    ck_assert_uint_eq(http_fake_count(fake), 1 + had_no_answer);
    ck_assert(err.may_have_happened == had_no_answer);
}
END_TEST

/* The lease was granted, but the reply is too long to be read. */
START_TEST(an_acquire_whose_reply_cannot_be_read_may_be_granted) {
    static char headers[70 * 1024];
    int length = snprintf(headers, sizeof headers, "X-Long: ");
    memset(headers + length, 'x', 66 * 1024);
    snprintf(headers + length + 66 * 1024, sizeof headers - 67 * 1024, "\r\n");
    http_fake_push(fake, &(struct http_fake_answer){.status = 201, .headers = headers});
    ck_assert_int_eq(acquire("a"), STATUS_TOO_LARGE);
    ck_assert(err.may_have_happened);
    ck_assert_uint_eq(http_fake_count(fake), 1);
}
END_TEST

/* _i 0: the blob's creation had no answer. 1: so had an acquire before it, which may yet arrive. */
START_TEST(what_cannot_be_created_leaves_only_an_acquire_in_doubt) {
    if (_i == 1) {
        http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CLOSE});
    }
    answer(404, "BlobNotFound");
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CLOSE});
    answer(403, "AuthorizationFailure");
    ck_assert_int_eq(acquire("a"), STATUS_UNAUTHORIZED);
    ck_assert(err.may_have_happened == (_i == 1));
}
END_TEST

START_TEST(metadata_that_no_header_can_hold_is_refused) {
    char name[2000];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    options.metadata = &(const struct leasehold_metadata){name, "v"};
    options.metadata_count = 1;
    answer(404, "BlobNotFound");
    ck_assert_int_eq(acquire("a"), STATUS_TOO_LARGE);
    ck_assert_uint_eq(http_fake_count(fake), 1);
}
END_TEST

static void *acquire_there(void *context) {
    *(enum status *)context = acquire("a");
    return NULL;
}

START_TEST(the_lease_is_reckoned_from_before_the_request_that_was_granted_not_from_earlier_ones) {
    const struct clock *clock = clock_system();
    pthread_t thread;
    enum status status;
    answer(404, "BlobNotFound");
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG, .status = 201});
    answer(201, "");
    ck_assert_int_eq(pthread_create(&thread, NULL, acquire_there, &status), 0);
    http_fake_wait(fake, 2);
    int64_t created_ms = clock_now_ms(clock);
    while (clock_now_ms(clock) <= created_ms) {
        sched_yield();
    }
    http_fake_let_go(fake);
    pthread_join(thread, NULL);
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_int_gt(sent_ms, created_ms);
    ck_assert_int_le(sent_ms, clock_now_ms(clock));
}
END_TEST

/* ---- renew, release, break ---- */

static void assert_lease_action(size_t index, const char *action) {
    assert_target(index, "/acct/leases/lease-a?comp=lease");
    ck_assert_str_eq(http_fake_sent(fake, index, "x-ms-lease-action"), action);
    ck_assert_str_eq(http_fake_sent(fake, index, "x-ms-lease-id"), id);
}

START_TEST(renewals_and_releases_are_one_request_each_and_answered_once) {
    answer(200, "");
    answer(503, "ServerBusy");
    answer(409, "LeaseIdMismatchWithLeaseOperation");
    answer(200, "");
    answer(404, "BlobNotFound");
    ck_assert_int_eq(run(RENEW, "a", id), STATUS_OK);
    ck_assert_int_eq(run(RENEW, "a", id), STATUS_UNAVAILABLE);
    ck_assert_int_eq(run(RENEW, "a", id), STATUS_LEASE_LOST);
    ck_assert_int_eq(run(RELEASE, "a", id), STATUS_OK);
    ck_assert_int_eq(run(RELEASE, "a", id), STATUS_NOT_FOUND);
    ck_assert_uint_eq(http_fake_count(fake), 5);
    assert_lease_action(0, "renew");
    assert_lease_action(2, "renew");
    assert_lease_action(3, "release");
}
END_TEST

/* _i: RENEW or RELEASE */
START_TEST(to_a_holder_a_conflict_of_any_code_means_that_the_lease_is_lost) {
    answer(409, "SomethingNew");
    answer(412, "SomethingNew");
    answer(400, "SomethingNew");
    ck_assert_int_eq(run((enum kind)_i, "a", id), STATUS_LEASE_LOST);
    ck_assert_int_eq(run((enum kind)_i, "a", id), STATUS_LEASE_LOST);
    ck_assert_int_ne(run((enum kind)_i, "a", id), STATUS_LEASE_LOST);
}
END_TEST

START_TEST(what_cannot_be_sent_is_answered_with_why) {
    ck_assert_int_eq(run(RENEW, "a", "line\r\nbreak"), STATUS_INVALID_ARGUMENT);
    ck_assert_uint_eq(http_fake_count(fake), 0);
}
END_TEST

START_TEST(breaking_ends_the_lease_at_once) {
    answer(202, "");
    answer(409, "LeaseNotPresentWithLeaseOperation");
    ck_assert_int_eq(run(BREAK, "a", NULL), STATUS_OK);
    ck_assert_int_eq(run(BREAK, "a", NULL), STATUS_LEASE_LOST);
    assert_target(0, "/acct/leases/lease-a?comp=lease");
    ck_assert_str_eq(http_fake_sent(fake, 0, "x-ms-lease-action"), "break");
    ck_assert_str_eq(http_fake_sent(fake, 0, "x-ms-lease-break-period"), "0");
}
END_TEST

/* ---- correlation ---- */

START_TEST(an_acquire_is_made_in_the_name_of_whoever_started_it_in_every_step) {
    struct correlation correlation = {.invocation_id = "call-1"};
    log_configure(LOG_DEBUG,
                  "test"); /* each reply is logged as a line that ends with the correlation */
    const struct correlation *before = correlation_use(&correlation);
    answer(404, "BlobNotFound");
    answer(201, "");
    answer(201, "");
    ck_assert_int_eq(acquire("a"), STATUS_OK);
    correlation_use(before);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_str_eq(http_fake_sent(fake, i, "x-ms-client-request-id"), "call-1");
    }
}
END_TEST

/* ---- abandoned ---- */

static lease_store_blob_wanted_done asked_done;
static void *asked_context;
static sem_t asked;

static enum lease_wanted ask_later(void *context, const char *name,
                                   lease_store_blob_wanted_done done, void *done_context) {
    (void)context, (void)name;
    asked_done = done;
    asked_context = done_context;
    sem_post(&asked);
    return LEASE_WANTED_PENDING;
}

static void start_only(void *context) {
    start(context);
    loop_call_end(&((struct waited *)context)->loop_call);
}

static void abandon(void *context) {
    struct waited *own = context;
    store.base.ops->abandon(&store.base, &own->call);
    ck_assert_ptr_null(own->call.own);
    store.base.ops->abandon(&store.base, &own->call); /* no call is under way */
    loop_call_end(&own->loop_call);
}

static void answer_question(void *context) {
    asked_done(asked_context, true);
    loop_call_end(&((struct waited *)context)->loop_call);
}

static void on_loop(void (*act)(void *context)) {
    loop_call_run(&waited.loop_call, storage.client.platform->loop, act, &waited);
}

static void start_waited(enum kind kind) {
    waited.kind = kind;
    waited.name = "a";
    waited.lease_id = id;
    on_loop(start_only);
}

static void hang(void) {
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG, .status = 201});
}

/* Another call has ended, so the abandoned one would have been answered by now. */
static void assert_not_answered(void) {
    http_fake_let_go(fake);
    ck_assert_int_eq(waited.end_count, 0);
    answer(200, "");
    ck_assert_int_eq(run(RENEW, "b", id), STATUS_OK);
}

/* _i: the kind */
START_TEST(a_call_that_is_abandoned_is_not_answered) {
    hang();
    start_waited((enum kind)_i);
    http_fake_wait(fake, 1);
    on_loop(abandon);
    assert_not_answered();
}
END_TEST

static void start_and_abandon(void *context) {
    start(context);
    abandon(context);
}

START_TEST(a_call_may_be_abandoned_before_it_is_sent) {
    waited.kind = ACQUIRE;
    waited.name = "a";
    waited.lease_id = id;
    on_loop(start_and_abandon);
    assert_not_answered();
    ck_assert_uint_eq(http_fake_count(fake), 1);
}
END_TEST

/* _i 0: while the container is created; 1: while the blob is created; 2: in the second try */
START_TEST(an_acquire_may_be_abandoned_in_every_step) {
    answer(404, "ContainerNotFound");
    for (int i = 0; i < _i; i++) {
        answer(201, "");
    }
    hang();
    start_waited(ACQUIRE);
    http_fake_wait(fake, (size_t)_i + 2);
    on_loop(abandon);
    assert_not_answered();
    ck_assert_uint_eq(http_fake_count(fake), (size_t)_i + 3);
}
END_TEST

START_TEST(an_acquire_may_be_abandoned_while_it_asks_whether_its_blob_is_wanted) {
    sem_init(&asked, 0, 0);
    store.wants = ask_later;
    answer(404, "BlobNotFound");
    start_waited(ACQUIRE);
    while (sem_wait(&asked) != 0) { /* interrupted by a signal */
    }
    on_loop(abandon);
    on_loop(answer_question);
    assert_not_answered();
    ck_assert_uint_eq(http_fake_count(fake), 2);
    sem_destroy(&asked);
}
END_TEST

START_TEST(an_answer_to_whether_a_blob_is_wanted_may_come_later) {
    sem_init(&asked, 0, 0);
    store.wants = ask_later;
    answer(404, "BlobNotFound");
    answer(201, "");
    hang();
    start_waited(ACQUIRE);
    while (sem_wait(&asked) != 0) { /* interrupted by a signal */
    }
    on_loop(answer_question);
    http_fake_wait(fake, 3);
    on_loop(abandon);
    http_fake_let_go(fake);
    sem_destroy(&asked);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lease_store_blob");
    TCase *tests = tcase_create("requests");
    tcase_add_checked_fixture(tests, set_up, close_fake);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, an_acquire_that_finds_everything_in_place_is_one_request);
    tcase_add_test(tests, a_missing_blob_is_created_and_the_acquire_repeated);
    tcase_add_test(tests, a_missing_container_is_created_with_the_blob_and_the_acquire_repeated);
    tcase_add_loop_test(tests, a_missing_blob_that_is_not_wanted_is_not_created, 0, 2);
    tcase_add_test(tests, a_new_blob_says_whose_it_is_and_since_when_and_what_the_settings_add);
    tcase_add_test(tests, somebody_else_may_be_first_to_create);
    tcase_add_test(tests, a_container_deleted_before_its_blob_was_there_is_created_again);
    tcase_add_test(tests, an_acquire_ends_after_a_few_rounds_if_the_blob_never_stays);
    tcase_add_test(tests, a_missing_container_that_may_not_be_created_is_named);
    tcase_add_test(tests, a_container_that_cannot_be_created_is_named);
    tcase_add_test(tests, a_blob_that_cannot_be_created_is_named);
    tcase_add_loop_test(tests, a_refused_acquire_tells_whether_an_attempt_before_had_no_answer, 0,
                        2);
    tcase_add_test(tests, an_acquire_whose_reply_cannot_be_read_may_be_granted);
    tcase_add_loop_test(tests, what_cannot_be_created_leaves_only_an_acquire_in_doubt, 0, 2);
    tcase_add_test(tests, metadata_that_no_header_can_hold_is_refused);
    tcase_add_test(
        tests,
        the_lease_is_reckoned_from_before_the_request_that_was_granted_not_from_earlier_ones);
    tcase_add_test(tests, renewals_and_releases_are_one_request_each_and_answered_once);
    tcase_add_loop_test(tests, to_a_holder_a_conflict_of_any_code_means_that_the_lease_is_lost,
                        RENEW, RELEASE + 1);
    tcase_add_test(tests, what_cannot_be_sent_is_answered_with_why);
    tcase_add_test(tests, breaking_ends_the_lease_at_once);
    tcase_add_test(tests, an_acquire_is_made_in_the_name_of_whoever_started_it_in_every_step);
    tcase_add_loop_test(tests, a_call_that_is_abandoned_is_not_answered, ACQUIRE, BREAK + 1);
    tcase_add_test(tests, a_call_may_be_abandoned_before_it_is_sent);
    tcase_add_loop_test(tests, an_acquire_may_be_abandoned_in_every_step, 0, 3);
    tcase_add_test(tests, an_acquire_may_be_abandoned_while_it_asks_whether_its_blob_is_wanted);
    tcase_add_test(tests, an_answer_to_whether_a_blob_is_wanted_may_come_later);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
