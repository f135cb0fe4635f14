/*
 * test_lease_wanted.c - for which leases a blob is created.
 */
#include "inventory/lease_wanted.h"

#include "http/loop_call.h"
#include "inventory/inventory_service.h"
#include "support/check_main.h"
#include "support/function_app.h"

static struct function_app app;
static struct lease_wanted wanted;

static void set_up(void) {
    function_app_start(&app, 0);
    ck_assert_int_eq(inventory_service_prepare(&app.service, NULL), STATUS_OK);
    lease_wanted_init(&wanted, &app.store.base, http_transport_client(app.transport)->loop);
}

static void tear_down(void) {
    lease_wanted_release(&wanted);
    function_app_stop(&app);
}

struct question {
    struct loop_call call;
    const char *name;
    bool is_wanted;
};

static void on_answer(void *context, bool is_wanted) {
    struct question *question = context;
    question->is_wanted = is_wanted;
    loop_call_end(&question->call);
}

static void ask(void *context) {
    struct question *question = context;
    lease_wanted_ask(&wanted, question->name, on_answer, question);
}

static bool is_wanted(const char *name) {
    struct question question = {.name = name};
    loop_call_run(&question.call, wanted.loop, ask, &question);
    return question.is_wanted;
}

START_TEST(a_lease_is_wanted_for_the_job_and_for_what_the_store_does_not_deny) {
    ck_assert(is_wanted("inventory-PROD-001"));
    ck_assert(is_wanted(RECONCILIATION_LEASE_NAME));
    ck_assert(is_wanted("somebody-else's"));
    ck_assert(!is_wanted("inventory-NONE"));
    app.store.next[STORE_READ] = STATUS_UNAVAILABLE;
    ck_assert(is_wanted("inventory-NONE"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lease_wanted");
    TCase *tests = tcase_create("questions");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_lease_is_wanted_for_the_job_and_for_what_the_store_does_not_deny);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
