/*
 * Whether a lease's blob is wanted: product ids at random leave none behind. First what
 * inventory_service_wants_lease answers, over a scripted store; then which requests that becomes,
 * with blobs and tables in a fake storage.
 */
#include "inventory/inventory_service.h"

#include <stdio.h>

#include "lease/lease_names.h"
#include "lease/lease_options.h"
#include "lease/lease_store_blob.h"
#include "lease/lease_wait.h"
#include "support/fakes/pipeline_fixture.h"
#include "support/fakes/table_script.h"
#include "support/processes/check_main.h"

/* ---- what is answered ---- */

static struct inventory_service asked_service;

struct question {
    char name[LEASE_NAME_BYTES];
    bool is_asking;
    bool is_wanted_at_once;
    int answer_count;
    bool is_wanted;
};

static void on_answer(void *context, bool is_wanted) {
    struct question *question = context;
    ck_assert(!question->is_asking); /* never inside the call */
    ck_assert(event_loop_is_current(fixture.loop));
    question->answer_count++;
    question->is_wanted = is_wanted;
}

/* The name is borrowed for the call alone. */
static void ask_there(void *context) {
    struct question *question = context;
    char name[LEASE_NAME_BYTES];
    memcpy(name, question->name, sizeof name);
    asked_service.store = &fixture.store.base;
    question->is_asking = true;
    question->is_wanted_at_once =
        inventory_service_wants_lease(&asked_service, name, on_answer, question) == LEASE_WANTED;
    question->is_asking = false;
    memset(name, 'x', sizeof name - 1);
}

static void ask(struct question *question, const char *name) {
    *question = (struct question){.answer_count = 0};
    snprintf(question->name, sizeof question->name, "%s", name);
    fixture_run(ask_there, question);
}

static void assert_answered_later(const struct question *question, bool is_wanted) {
    ck_assert(!question->is_wanted_at_once);
    ck_assert_int_eq(question->answer_count, 1);
    ck_assert_int_eq(question->is_wanted, is_wanted);
}

START_TEST(a_name_that_is_no_products_is_wanted_at_once) {
    static const char *const names[] = {RECONCILIATION_LEASE_NAME, "jobs", "inventory",
                                        "Inventory-NONE", ""};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct question question;
        ask(&question, names[i]);
        ck_assert(question.is_wanted_at_once);
        ck_assert_int_eq(question.answer_count, 0);
    }
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 0);
}
END_TEST

START_TEST(a_products_lease_is_wanted_once_the_product_is_found) {
    struct question question;
    fixture_add_reservations("alice", 3, 60000);
    fixture_hold(SCRIPTED_READ);
    ask(&question, "inventory-P");
    ck_assert(!question.is_wanted_at_once);
    ck_assert_int_eq(question.answer_count, 0);
    fixture_end(SCRIPTED_READ, STATUS_OK);
    assert_answered_later(&question, true);
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 1);
    ck_assert_int_eq(fixture.store.reads_of_all, 0);
}
END_TEST

START_TEST(the_lease_of_a_product_that_does_not_exist_is_not_wanted) {
    static const char *const names[] = {"inventory-NONE", "inventory-p", "inventory-P2",
                                        "inventory-inventory-P"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct question question;
        ask(&question, names[i]);
        assert_answered_later(&question, false);
    }
}
END_TEST

START_TEST(a_lease_is_wanted_where_the_store_does_not_tell) {
    static const enum status failures[] = {STATUS_UNAVAILABLE,        STATUS_CANCELLED,
                                           STATUS_NO_MEMORY,          STATUS_CONTAINER_NOT_FOUND,
                                           STATUS_MALFORMED,          STATUS_UNAUTHORIZED,
                                           STATUS_PRECONDITION_FAILED};
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        struct question question;
        fixture_plan(SCRIPTED_READ, failures[i]);
        ask(&question, "inventory-NONE");
        assert_answered_later(&question, true);
    }
}
END_TEST

START_TEST(questions_that_are_asked_together_get_each_its_own_answer) {
    struct question first, second;
    fixture_hold(SCRIPTED_READ);
    ask(&first, "inventory-NONE");
    ask(&second, "inventory-P");
    fixture_end(SCRIPTED_READ, STATUS_OK);
    assert_answered_later(&first, false);
    ck_assert_int_eq(second.answer_count, 0);
    fixture_end(SCRIPTED_READ, STATUS_OK);
    assert_answered_later(&second, true);
}
END_TEST

/* ---- which requests it becomes ---- */

enum { TIMEOUT_MS = 10000, RANDOM_IDS = 5, LOOK_REQUESTS = 2 };

#define PRODUCT_ROWS                                                                           \
    "{\"value\":[{\"odata.etag\":\"W/"                                                         \
    "\\\"datetime'7'\\\"\",\"PartitionKey\":\"P\",\"RowKey\":\"product\","                     \
    "\"total\":\"10\",\"available\":\"10\",\"version\":\"7\",\"dueAt\":\"9999-12-31T23:59:59." \
    "999Z\","                                                                                  \
    "\"commitIds\":\"" OTHERS_ID "\",\"indexedDue\":\"0\",\"indexedKeep\":\"0\"}]}"

#define NOT_FOUND "{\"odata.error\":{\"code\":\"ResourceNotFound\"}}"

static struct {
    struct lease_store_blob lease_store;
    struct leasehold_options lease_options;
    struct lease_manager *leases;
    struct inventory_service service;
    bool is_running;
} app;

static void start_app(void) {
    static const struct inventory_options inventory_options = {.reservation_lifetime_ms = 60000,
                                                               .is_prepared_elsewhere = true};
    set_up();
    app.lease_options = lease_options_default();
    lease_store_blob_init(&app.lease_store, &connection.client, &app.lease_options);
    ck_assert_int_eq(lease_manager_new(&app.leases, &app.lease_options, &app.lease_store.base,
                                       &connection.platform, NULL),
                     STATUS_OK);
    inventory_service_init(&app.service, &connection.platform, &table.base, app.leases,
                           &inventory_options, TIMEOUT_MS);
    app.lease_store.wants = inventory_service_wants_lease;
    app.lease_store.context = &app.service;
    app.is_running = true;
}

/* Whatever is still under way has ended then. */
static void stop_app(void) {
    if (app.is_running) {
        app.is_running = false;
        inventory_service_cancel(&app.service);
        lease_manager_close(app.leases, storage_connection_deadline(&connection, TIMEOUT_MS));
        http_fake_let_go(fake);
        http_transport_stop(connection.transport);
    }
}

static void release_app(void) {
    stop_app();
    inventory_service_cleanup(&app.service);
    lease_manager_free(app.leases);
    tear_down();
}

static void push_missing_blob(void) {
    http_fake_push(fake, &(struct http_fake_answer){.status = 404, .code = "BlobNotFound"});
}

static bool is_lease_action(size_t index) {
    return strstr(http_fake_request(fake, index)->target, "comp=lease") != NULL;
}

static void assert_blobs_created(int expected) {
    int created = 0;
    for (size_t i = 0; i < http_fake_count(fake); i++) {
        created += strcmp(http_fake_request(fake, i)->method, "PUT") == 0 && !is_lease_action(i);
    }
    ck_assert_int_eq(created, expected);
}

static enum status reserve(const char *product_id) {
    struct error err;
    struct inventory_request request = {.operation = &operation_reserve,
                                        .product_id = product_id,
                                        .customer_id = "alice",
                                        .quantity = 1};
    return inventory_service_run(&app.service, &request, &err);
}

/* The lease of product P. */
static enum status acquire(void) {
    struct error err;
    struct lease *lease;
    enum status status = lease_manager_acquire(
        app.leases, &(struct leasehold_request){.name = "inventory-P"}, &lease, &err);
    if (status == STATUS_OK) {
        lease_manager_release(app.leases, lease);
    }
    return status;
}

START_TEST(ids_at_random_leave_no_blob_behind) {
    for (int i = 0; i < RANDOM_IDS; i++) {
        char id[32];
        snprintf(id, sizeof id, "random-%d", i);
        push_missing_blob();
        push_answer(404, NOT_FOUND);
        ck_assert_int_eq(reserve(id), STATUS_NOT_FOUND);
        ck_assert_uint_eq(http_fake_count(fake), ((size_t)i + 1) * LOOK_REQUESTS);
    }
    assert_blobs_created(0);
}
END_TEST

START_TEST(the_blob_of_a_product_that_exists_is_created) {
    push_missing_blob();
    push_answer(200, PRODUCT_ROWS);
    ck_assert_int_eq(acquire(), STATUS_OK);
    assert_blobs_created(1);
    ck_assert_str_eq(http_fake_request(fake, LOOK_REQUESTS)->target,
                     "/fake/leases/lease-inventory-P");
}
END_TEST

START_TEST(a_blob_is_created_where_the_table_cannot_be_read) {
    push_missing_blob();
    http_fake_push(fake, &(struct http_fake_answer){.status = 403, .code = "AuthorizationFailure"});
    ck_assert_int_eq(acquire(), STATUS_OK);
    assert_blobs_created(1);
}
END_TEST

static enum status status_in_thread;

static void *reserve_in_thread(void *product_id) {
    status_in_thread = reserve(product_id);
    return NULL;
}

/* Returns when storage has been asked for the product, and does not answer. */
static pthread_t reserve_until_asked(const char *product_id, int status, const char *body) {
    static char id[PRODUCT_ID_BYTES];
    pthread_t thread;
    snprintf(id, sizeof id, "%s", product_id);
    push_missing_blob();
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG,
                                                    .status = status,
                                                    .headers = JSON_HEADERS,
                                                    .body = body});
    ck_assert_int_eq(pthread_create(&thread, NULL, reserve_in_thread, id), 0);
    http_fake_wait(fake, LOOK_REQUESTS);
    return thread;
}

START_TEST(a_request_given_up_while_it_is_asked_leaves_no_blob_behind) {
    pthread_t thread = reserve_until_asked("random", 404, NOT_FOUND);
    inventory_service_cancel(&app.service);
    pthread_join(thread, NULL);
    ck_assert_int_eq(status_in_thread, STATUS_CANCELLED);
    http_fake_let_go(fake);
    stop_app();
    ck_assert_uint_eq(http_fake_count(fake), LOOK_REQUESTS);
}
END_TEST

/*
 * The program stops, and so the question ends, whatever storage does. The lease may be granted all
 * the same; then it is released.
 */
START_TEST(a_question_ends_when_storage_is_cancelled) {
    pthread_t thread = reserve_until_asked("P", 200, PRODUCT_ROWS);
    inventory_service_cancel(&app.service);
    pthread_join(thread, NULL);
    storage_client_cancel(&connection.client);
    http_fake_wait(fake, LOOK_REQUESTS + 1);
    stop_app();
    assert_blobs_created(1);
    ck_assert(is_lease_action(http_fake_count(fake) - 1));
    ck_assert_str_eq(http_headers_get(&http_fake_request(fake, http_fake_count(fake) - 1)->headers,
                                      "x-ms-lease-action"),
                     "release");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("wanted_leases");
    TCase *answers = tcase_create("answers");
    tcase_add_checked_fixture(answers, pipeline_fixture_set_up, pipeline_fixture_tear_down);
    tcase_add_test(answers, a_name_that_is_no_products_is_wanted_at_once);
    tcase_add_test(answers, a_products_lease_is_wanted_once_the_product_is_found);
    tcase_add_test(answers, the_lease_of_a_product_that_does_not_exist_is_not_wanted);
    tcase_add_test(answers, a_lease_is_wanted_where_the_store_does_not_tell);
    tcase_add_test(answers, questions_that_are_asked_together_get_each_its_own_answer);
    suite_add_tcase(suite, answers);
    TCase *requests = tcase_create("requests");
    tcase_add_checked_fixture(requests, start_app, release_app);
    tcase_add_test(requests, ids_at_random_leave_no_blob_behind);
    tcase_add_test(requests, the_blob_of_a_product_that_exists_is_created);
    tcase_add_test(requests, a_blob_is_created_where_the_table_cannot_be_read);
    tcase_add_test(requests, a_request_given_up_while_it_is_asked_leaves_no_blob_behind);
    tcase_add_test(requests, a_question_ends_when_storage_is_cancelled);
    suite_add_tcase(suite, requests);
    return check_main(suite);
}
