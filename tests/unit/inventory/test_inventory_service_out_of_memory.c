/*
 * test_inventory_service_out_of_memory.c - allocations that fail around the pipeline: while a
 * caller without the lease is told what is available, and while a product is searched for.
 */
#include "inventory/inventory_service.h"

#include <string.h>

#include "support/fakes/function_app.h"
#include "support/fakes/memory_limit.h"
#include "support/fakes/pipeline_fixture.h"
#include "support/processes/check_main.h"

/* ---- without the lease ---- */

static struct function_app app;

static void set_up_app(void) {
    function_app_start(&app, 0);
    lease_store_fake_set_holder(app.lease_service, "inventory-PROD-001", "somebody");
}

static void tear_down_app(void) {
    function_app_stop(&app);
}

static enum status reserve(struct inventory_request *request, struct error *err) {
    *request = (struct inventory_request){.operation = &operation_reserve,
                                          .product_id = "PROD-001",
                                          .customer_id = "alice",
                                          .quantity = 1};
    return inventory_service_run(&app.service, request, err);
}

START_TEST(without_memory_to_tell_what_is_available_a_caller_is_told_so) {
    struct inventory_request request;
    struct error err;
    int failed = 1, looks_failed = 0;
    ck_assert_int_eq(reserve(&request, &err),
                     STATUS_LEASE_CONFLICT); /* from now on each one allocates the same */
    for (int first = 1; failed > 0; first++) {
        memory_limit_begin(first, 1);
        enum status status = reserve(&request, &err);
        failed = memory_limit_end();
        looks_failed +=
            status == STATUS_NO_MEMORY && strstr(err.message, "to read what is available") != NULL;
        ck_assert_int_eq(status, failed > 0 ? STATUS_NO_MEMORY : STATUS_LEASE_CONFLICT);
    }
    ck_assert_int_eq(looks_failed, 1);
    ck_assert_int_eq(request.available, 100);
}
END_TEST

/* ---- searching for a product ---- */

static int answer_count;

static void on_answer(void *context, bool is_wanted) {
    (void)context;
    ck_assert(is_wanted);
    answer_count++;
}

static void ask(void *is_wanted_at_once) {
    struct inventory_service service = {.store = &fixture.store.base};
    answer_count = 0;
    *(bool *)is_wanted_at_once =
        inventory_service_wants_lease(&service, "inventory-NONE", on_answer, NULL) == LEASE_WANTED;
}

START_TEST(a_lease_is_wanted_where_there_is_no_memory_to_search_for_its_product) {
    bool is_wanted_at_once;
    memory_limit_begin(1, 1);
    fixture_run(ask, &is_wanted_at_once);
    ck_assert_int_eq(memory_limit_end(), 1);
    ck_assert(is_wanted_at_once);
    ck_assert_int_eq(answer_count, 0);
    ck_assert_int_eq(fixture_count(SCRIPTED_READ), 0);
}
END_TEST

START_TEST(a_lease_is_wanted_where_the_store_has_no_memory_to_search_in) {
    bool is_wanted_at_once;
    memory_limit_begin(2, 1);
    fixture_run(ask, &is_wanted_at_once);
    ck_assert_int_eq(memory_limit_end(), 1);
    ck_assert(!is_wanted_at_once);
    ck_assert_int_eq(answer_count, 1);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("inventory_service_out_of_memory");
    TCase *looks = tcase_create("looks");
    tcase_add_checked_fixture(looks, set_up_app, tear_down_app);
    tcase_add_test(looks, without_memory_to_tell_what_is_available_a_caller_is_told_so);
    suite_add_tcase(suite, looks);
    TCase *searches = tcase_create("searches");
    tcase_add_checked_fixture(searches, pipeline_fixture_set_up, pipeline_fixture_tear_down);
    tcase_add_test(searches, a_lease_is_wanted_where_there_is_no_memory_to_search_for_its_product);
    tcase_add_test(searches, a_lease_is_wanted_where_the_store_has_no_memory_to_search_in);
    suite_add_tcase(suite, searches);
    return check_main(suite);
}
