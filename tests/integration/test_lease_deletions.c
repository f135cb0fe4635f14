/*
 * test_lease_deletions.c - somebody deletes the blob or container of a lease. The holder is
 * notified, and the next acquire creates it again.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "support/fakes/lease_fixture.h"
#include "support/processes/check_main.h"
#include "support/processes/lease_steps.h"

enum { HANDLERS = 6, MAX_REQUESTS = 64 };

static struct lease_handler handlers[HANDLERS];
static struct lease_observer observer;

static void set_up(void) {
    start_behind_proxy(handlers, HANDLERS);
    observer = (struct lease_observer)LEASE_OBSERVER_INIT;
}

static void tear_down(void) {
    for (int i = 0; i < HANDLERS; i++) {
        lease_handler_stop(&handlers[i]);
    }
    close_proxy();
}

static struct lease *acquire(struct lease_handler *handler) {
    return lease_handler_acquire(handler, &(struct leasehold_request){.name = NAME});
}

static void delete_blob(void) {
    lease_witness_delete_blob(&witness, NAME);
}

static void delete_container(void) {
    lease_witness_delete_container(&witness);
}

static void (*const deletions[])(void) = {delete_blob, delete_container};
enum { DELETIONS = sizeof deletions / sizeof *deletions };

/* The first handler holds the lease while its blob is deleted, and is notified. */
static struct lease *lose_to(void (*deletion)(void)) {
    struct leasehold_request request = lease_observer_request(NAME, &observer);
    struct lease *lease = lease_handler_acquire(&handlers[0], &request);
    lease_observer_await(&observer, &observer.renewed, 1);
    deletion();
    lease_observer_await(&observer, &observer.lost, 1);
    ck_assert(!lease_manager_is_held(handlers[0].manager, lease));
    pthread_mutex_lock(&observer.lock);
    ck_assert_msg(strstr(observer.reason, "404") != NULL, "%s", observer.reason);
    ck_assert_int_eq(observer.lost, 1);
    ck_assert_int_eq(observer.failed, 0);
    pthread_mutex_unlock(&observer.lock);
    return lease;
}

START_TEST(the_holder_is_told_and_the_next_acquire_creates_it_again) {
    struct lease *lost = lose_to(deletions[_i]);
    struct lease *lease = acquire(&handlers[1]);
    lease_witness_assert_metadata(&witness, NAME);
    lease_manager_release(handlers[0].manager, lost); /* has nothing to give back any more */
    ck_assert_int_eq(lease_manager_close(handlers[0].manager, clock_now_ms(clock_system()) + 10000),
                     0);
    lease_witness_assert_holder(&witness, NAME, lease_id(lease));
    lease_manager_release(handlers[1].manager, lease);
    lease_witness_await_free(&witness, NAME);
}
END_TEST

/* --- many at once --- */

struct acquirer {
    pthread_t thread;
    struct lease_handler *handler;
    char name[32];
    struct lease *lease;
    enum status status;
};

static pthread_barrier_t barrier;

static void *acquire_there(void *context) {
    struct acquirer *acquirer = context;
    pthread_barrier_wait(&barrier);
    acquirer->status =
        lease_manager_acquire(acquirer->handler->manager,
                              &(struct leasehold_request){.name = acquirer->name, .try_once = true},
                              &acquirer->lease, NULL);
    return NULL;
}

/* Every handler tries once, all at the same time. How many have the lease. */
static int acquire_at_once(struct acquirer acquirers[HANDLERS]) {
    int count = 0;
    pthread_barrier_init(&barrier, NULL, HANDLERS);
    for (int i = 0; i < HANDLERS; i++) {
        acquirers[i].handler = &handlers[i];
        ck_assert_int_eq(pthread_create(&acquirers[i].thread, NULL, acquire_there, &acquirers[i]),
                         0);
    }
    for (int i = 0; i < HANDLERS; i++) {
        pthread_join(acquirers[i].thread, NULL);
        count += acquirers[i].status == STATUS_OK;
    }
    pthread_barrier_destroy(&barrier);
    return count;
}

START_TEST(many_that_put_it_back_at_once_have_one_holder) {
    struct acquirer acquirers[HANDLERS] = {{.lease = NULL}};
    lease_manager_release(handlers[0].manager, lose_to(deletions[_i]));
    for (int i = 0; i < HANDLERS; i++) {
        snprintf(acquirers[i].name, sizeof acquirers[i].name, "%s", NAME);
    }
    ck_assert_int_eq(acquire_at_once(acquirers), 1);
    for (int i = 0; i < HANDLERS; i++) {
        if (acquirers[i].status == STATUS_OK) {
            lease_witness_assert_holder(&witness, NAME, lease_id(acquirers[i].lease));
        } else {
            ck_assert_int_eq(acquirers[i].status, STATUS_LEASE_CONFLICT);
        }
        lease_manager_release(acquirers[i].handler->manager, acquirers[i].lease);
    }
    lease_witness_assert_metadata(&witness, NAME);
}
END_TEST

START_TEST(many_that_put_back_the_container_have_a_lease_each) {
    struct acquirer acquirers[HANDLERS] = {{.lease = NULL}};
    lease_manager_release(handlers[0].manager, lose_to(delete_container));
    for (int i = 0; i < HANDLERS; i++) {
        snprintf(acquirers[i].name, sizeof acquirers[i].name, "many-%d", i);
    }
    ck_assert_int_eq(acquire_at_once(acquirers), HANDLERS);
    for (int i = 0; i < HANDLERS; i++) {
        lease_witness_assert_holder(&witness, acquirers[i].name, lease_id(acquirers[i].lease));
        lease_witness_assert_metadata(&witness, acquirers[i].name);
        lease_manager_release(acquirers[i].handler->manager, acquirers[i].lease);
    }
}
END_TEST

START_TEST(a_creation_that_arrives_when_another_holds_the_lease_already_is_contention) {
    struct acquirer late = {.handler = &handlers[0], .name = NAME};
    const struct fault_rule creation = {.method = "PUT",
                                        .path_contains = "/lease-",
                                        .lease_action = "",
                                        .times = 1,
                                        .kind = FAULT_HANG_BEFORE};
    int rule = fault_proxy_add(proxy, &creation);
    pthread_barrier_init(&barrier, NULL, 1);
    ck_assert_int_eq(pthread_create(&late.thread, NULL, acquire_there, &late), 0);
    fault_proxy_await(proxy, rule, 1);
    lease_witness_prepare(&witness, NAME);
    lease_witness_take(&witness, NAME);
    fault_proxy_let_go(proxy);
    pthread_join(late.thread, NULL);
    pthread_barrier_destroy(&barrier);
    ck_assert_int_eq(late.status, STATUS_LEASE_CONFLICT);
    ck_assert(lease_witness_holds(&witness, NAME, LEASE_WITNESS_OUTSIDER));
}
END_TEST

/* --- what Azurite does not do --- */

/* Azure takes 30 s and more for it: "Delete Container". */
START_TEST(a_container_that_is_still_being_deleted_is_waited_for) {
    const struct fault_rule creation = {.query_contains = "restype=container",
                                        .times = 3,
                                        .kind = FAULT_STATUS_BEFORE,
                                        .status = 409,
                                        .error_code = "ContainerBeingDeleted"};
    struct fault_request got[MAX_REQUESTS];
    fault_proxy_add(proxy, &creation);
    struct lease *lease = acquire(&handlers[0]);
    ck_assert_uint_eq(fault_proxy_requests(proxy, &creation, got, MAX_REQUESTS), 4);
    lease_witness_assert_holder(&witness, NAME, lease_id(lease));
    lease_manager_release(handlers[0].manager, lease);
}
END_TEST

START_TEST(a_container_that_may_not_be_created_is_a_clear_error) {
    struct lease *lease = NULL;
    handlers[0].options.create_container = false;
    ck_assert_int_eq(lease_manager_acquire(handlers[0].manager,
                                           &(struct leasehold_request){.name = NAME}, &lease, &err),
                     STATUS_CONTAINER_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.message, container));
    ck_assert_uint_eq(fault_proxy_seen(proxy), 1);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lease_deletions");
    TCase *tests = tcase_create("lease deletions");
    tcase_add_unchecked_fixture(tests, start_azurite, release_azurite);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, the_holder_is_told_and_the_next_acquire_creates_it_again, 0,
                        DELETIONS);
    tcase_add_loop_test(tests, many_that_put_it_back_at_once_have_one_holder, 0, DELETIONS);
    tcase_add_test(tests, many_that_put_back_the_container_have_a_lease_each);
    tcase_add_test(tests,
                   a_creation_that_arrives_when_another_holds_the_lease_already_is_contention);
    tcase_add_test(tests, a_container_that_is_still_being_deleted_is_waited_for);
    tcase_add_test(tests, a_container_that_may_not_be_created_is_a_clear_error);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
