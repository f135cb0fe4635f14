/*
 * ReconcileInventory over the memory store and a fake lease service, fired as the host fires a
 * timer.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/timespan.h"
#include "support/fakes/function_steps.h"
#include "support/processes/check_main.h"

enum { LIFETIME_MS = 30 * 60 * 1000 };

static const char timer[] =
    "{\"Data\":{\"timer\":{\"Schedule\":{\"AdjustForDST\":true},\"ScheduleStatus\":null,"
    "\"IsPastDue\":false}},\"Metadata\":{\"sys\":{\"MethodName\":\"ReconcileInventory\"}}}";

static void fire(void) {
    http_response_cleanup(&answer);
    answer = function_app_request(&app, "POST", "/ReconcileInventory", timer);
}

static void reserve(const char *product) {
    http_response_cleanup(&answer);
    answer =
        function_app_call(&app, CALL_PROXIED,
                          &(struct function_call){.product = product,
                                                  .action = "reserve",
                                                  .body = "{\"quantity\":5,\"customerId\":\"C\"}"});
    ck_assert_int_eq(answer.status, 200);
}

/*
 * The member of the answer's ReturnValue that is called so, printed; its text lasts until the next
 * call.
 */
static const char *returned(const char *member) {
    static char text[128];
    cJSON *root = NULL;
    ck_assert_int_eq(json_parse(answer.body.data, answer.body.length, &root, NULL), STATUS_OK);
    char *printed = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(root, "ReturnValue"), member));
    snprintf(text, sizeof text, "%s", printed == NULL ? "absent" : printed);
    cJSON_free(printed);
    cJSON_Delete(root);
    return text;
}

START_TEST(expired_reservations_are_taken_away) {
    reserve("PROD-001");
    reserve("PROD-001");
    reserve("PROD-002");
    clock_fake_advance(&app.store_clock, LIFETIME_MS);
    fire();
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(returned("wasProcessed"), "true");
    ck_assert_str_eq(returned("productsReconciled"), "2");
    ck_assert_str_eq(returned("expiredReservationsReleased"), "3");
    int64_t duration_ms = -1;
    char duration[TIMESPAN_TEXT_BYTES + 2];
    snprintf(duration, sizeof duration, "%s", returned("duration") + 1);
    duration[strcspn(duration, "\"")] = '\0';
    ck_assert_uint_eq(strlen(duration), strlen("00:00:00.0000000"));
    ck_assert(timespan_parse(duration, &duration_ms));
    struct fake_call job = {.name = ""};
    for (size_t i = 0; strcmp(job.name, "inventory-reconciliation-job") != 0; i++) {
        job = lease_store_fake_call(app.lease_service, FAKE_ACQUIRE, i);
    }
    char lease_id[UUID_TEXT_BYTES + 2];
    snprintf(lease_id, sizeof lease_id, "\"%s\"", job.lease_id);
    ck_assert_str_eq(returned("leaseId"), lease_id);
}
END_TEST

START_TEST(the_answer_is_what_the_host_expects_of_a_timer) {
    fire();
    static const char start[] =
        "{\"Outputs\":{},\"Logs\":[\"Reconciled 0 products, released 0 expired reservations\"],"
        "\"ReturnValue\":{\"wasProcessed\":true,\"productsReconciled\":0,"
        "\"expiredReservationsReleased\":0,\"duration\":\"00:00:0";
    ck_assert_int_eq(answer.status, 200);
    ck_assert_msg(strncmp(answer.body.data, start, sizeof start - 1) == 0, "%s", answer.body.data);
    ck_assert_ptr_null(http_headers_get(&answer.headers, "ETag"));
}
END_TEST

START_TEST(another_instance_that_is_at_it_is_no_failure) {
    lease_store_fake_set_holder(app.lease_service, "inventory-reconciliation-job",
                                "6c8e5a31-0000-4000-8000-000000000000");
    fire();
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(
        answer.body.data,
        "{\"Outputs\":{},\"Logs\":[\"Another instance is reconciling\"],\"ReturnValue\":{"
        "\"wasProcessed\":false,\"productsReconciled\":0,\"expiredReservationsReleased\":0,"
        "\"duration\":\"00:00:00.0000000\",\"leaseId\":null}}");
}
END_TEST

START_TEST(a_failure_fails_the_invocation_with_its_reason) {
    static const struct {
        enum store_operation_kind operation;
        enum status status;
        int http_status;
        const char *code;
    } rows[] = {{STORE_PREPARE, STATUS_UNAVAILABLE, 503, "StorageUnavailable"},
                {STORE_FIND_DUE, STATUS_UNAVAILABLE, 503, "StorageUnavailable"},
                {STORE_FIND_DUE, STATUS_LEASE_LOST, 409, "LeaseLost"},
                {STORE_FIND_DUE, STATUS_MALFORMED, 500, "InternalError"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        /* Its lease is tried for once: the last round's must have been released. */
        lease_store_fake_wait(app.lease_service, FAKE_RELEASE,
                              lease_store_fake_count(app.lease_service, FAKE_ACQUIRE));
        lease_store_fake_drain(app.lease_service);
        app.store.next[rows[i].operation] = rows[i].status;
        fire();
        ck_assert_int_eq(answer.status, rows[i].http_status);
        ck_assert_ptr_nonnull(strstr(answer.body.data, rows[i].code));
        ck_assert_ptr_nonnull(strstr(
            answer.body.data, "Reconciling: the store was told to fail with a secret detail"));
        ck_assert_ptr_null(strstr(answer.body.data, "Outputs"));
        char reason[128]; /* all of it that reaches the host's log */
        snprintf(reason, sizeof reason,
                 "%s: Reconciling: the store was told to fail with a secret detail", rows[i].code);
        ck_assert_msg(strncmp(answer.reason, reason, strlen(reason)) == 0, "%s", answer.reason);
    }
}
END_TEST

static struct inventory_store_ops ops;
static const struct inventory_store_ops *unchanged;

static struct {
    struct inventory_store *store;
    int64_t now_ms;
    struct product_ids *out;
    inventory_store_done done;
    void *context;
    struct loop_task look;
} search;

/* In each round of the loop, until the job's lease is lost. */
static void search_once_lost(void *context) {
    (void)context;
    if (lease_store_fake_count(app.lease_service, FAKE_RENEW) == 0) {
        event_loop_post(search.store->platform->loop, &search.look);
        return;
    }
    unchanged->find_expired(search.store, search.now_ms, search.out, search.done, search.context);
}

/* The job's lease is found to be lost while the products are looked for. */
static void find_due_and_lose(struct inventory_store *store, int64_t now_ms,
                              struct product_ids *out, inventory_store_done done, void *context) {
    search.store = store;
    search.now_ms = now_ms;
    search.out = out;
    search.done = done;
    search.context = context;
    search.look = (struct loop_task){.run = search_once_lost};
    event_loop_post(store->platform->loop, &search.look);
}

START_TEST(a_job_whose_lease_is_lost_ends_and_says_so) {
    reserve("PROD-001");
    clock_fake_advance(&app.store_clock, LIFETIME_MS);
    unchanged = app.store.base.ops;
    ops = *unchanged;
    ops.find_expired = find_due_and_lose;
    app.store.base.ops = &ops;
    app.lease_options.renew_interval_ms = 30;
    lease_store_fake_script(app.lease_service, FAKE_RENEW, STATUS_LEASE_LOST);
    fire();
    ck_assert_int_eq(answer.status, 409);
    ck_assert_str_eq(answer.body.data, "{\"error\":{\"code\":\"LeaseLost\",\"message\":"
                                       "\"Reconciling: the job's lease was lost before "
                                       "product PROD-001 (LEASE_LOST)\"}}");
}
END_TEST

START_TEST(a_product_whose_lease_is_lost_is_left_for_the_next_round) {
    reserve("PROD-001");
    clock_fake_advance(&app.store_clock, LIFETIME_MS);
    app.store.next[STORE_COMMIT] = STATUS_LEASE_LOST;
    fire();
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(returned("wasProcessed"), "true");
    ck_assert_str_eq(returned("productsReconciled"), "0");
}
END_TEST

START_TEST(the_answer_is_whole_or_a_500_whichever_allocation_fails) {
    assert_whole_or_500("POST", "/ReconcileInventory", timer, "leaseId", 200);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("reconcile_inventory");
    TCase *answers = tcase_create("answers");
    tcase_add_checked_fixture(answers, set_up, tear_down);
    tcase_add_test(answers, expired_reservations_are_taken_away);
    tcase_add_test(answers, the_answer_is_what_the_host_expects_of_a_timer);
    tcase_add_test(answers, another_instance_that_is_at_it_is_no_failure);
    tcase_add_test(answers, a_failure_fails_the_invocation_with_its_reason);
    tcase_add_test(answers, a_job_whose_lease_is_lost_ends_and_says_so);
    tcase_add_test(answers, a_product_whose_lease_is_lost_is_left_for_the_next_round);
    tcase_add_test(answers, the_answer_is_whole_or_a_500_whichever_allocation_fails);
    suite_add_tcase(suite, answers);
    return check_main(suite);
}
