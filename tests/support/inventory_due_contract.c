#include "support/inventory_due_contract.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "support/inventory_store_steps.h"

/* What find_due visited, "A B ", in order of id. */
static struct {
    char ids[64];
    int64_t finish_at_ms; /* finishes each as it is visited, too; 0: not */
    int purged;
} visits;

static enum status note_product(void *context, const char *product_id, struct error *error) {
    char *ids = context, before[64], *at = ids;
    while (*at != '\0' && strncmp(at, product_id, strcspn(at, " ")) < 0) {
        at = strchr(at, ' ') + 1;
    }
    strcpy(before, at);
    sprintf(at, "%s %s", product_id, before);
    int purged = 0;
    enum status status = visits.finish_at_ms == 0
                             ? STATUS_OK
                             : store->ops->finish_due(store, product_id, visits.finish_at_ms, &purged, error);
    visits.purged += purged;
    return status;
}

static void assert_due(int64_t at_ms, const char *expected) {
    visits.ids[0] = '\0';
    ck_assert_msg(store->ops->find_due(store, at_ms, note_product, visits.ids, &err) == STATUS_OK, "%s", err.message);
    ck_assert_str_eq(visits.ids, expected);
}

/* As reconciliation does: what has expired goes, and then what brought it by. */
static void reconcile(const char *product, int64_t at_ms) {
    ck_assert_int_eq(read_as(product, (struct inventory_query){.until_ms = at_ms}, &state), STATUS_OK);
    if (inventory_expire(&state, at_ms, 0, INVENTORY_MAX_CHANGES) > 0) {
        ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
    }
    int purged = 0;
    ck_assert_msg(store->ops->finish_due(store, product, at_ms, &purged, &err) == STATUS_OK, "%s", err.message);
    visits.purged += purged;
}

/* The first millisecond of a minute that is long enough ago for all graces, and for reservations to begin before it. */
static int64_t old_minute_ms(void) {
    int64_t at_ms = now_ms() - 2 * HOUR_MS;
    return at_ms - at_ms % MINUTE_MS;
}

START_TEST(a_product_is_due_from_the_minute_in_which_its_first_reservation_expires) {
    int64_t minute_ms = old_minute_ms();
    reserve_and_commit("A", "C1", 1, minute_ms - LIFETIME_MS); /* expires as the minute begins */
    reserve_and_commit("B", "C1", 1, minute_ms + MINUTE_MS - LIFETIME_MS);
    assert_due(minute_ms - 1, "");
    assert_due(minute_ms, "A ");
    assert_due(minute_ms + MINUTE_MS - 1, "A ");
    assert_due(minute_ms + MINUTE_MS, "A B ");
}
END_TEST

START_TEST(a_product_is_visited_once_for_all_that_is_due) {
    int64_t minute_ms = old_minute_ms();
    read_all("A");
    for (int i = 0; i < 4; i++) {
        reserve_in_memory("C1", 1, minute_ms - LIFETIME_MS + i * 45000); /* into four minutes, in one commit */
    }
    add_record("key", minute_ms);
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
    assert_due(minute_ms + HOUR_MS, "A ");
}
END_TEST

START_TEST(what_is_finished_is_not_due_any_more) {
    int64_t minute_ms = old_minute_ms(), later_ms = minute_ms + HOUR_MS;
    reserve_and_commit("A", "C1", 1, minute_ms - LIFETIME_MS);
    reserve_and_commit("A", "C2", 2, minute_ms - LIFETIME_MS + MINUTE_MS);
    reserve_and_commit("B", "C1", 1, minute_ms - LIFETIME_MS);
    assert_due(later_ms, "A B ");
    reconcile("A", later_ms);
    assert_due(later_ms, "B ");
    reconcile("B", later_ms);
    reconcile("B", later_ms); /* safe to repeat */
    assert_due(later_ms, "");
    read_all("A");
    ck_assert_int_eq(state.product.available, 100);
}
END_TEST

START_TEST(what_expires_later_stays_due_when_what_has_expired_is_finished) {
    int64_t minute_ms = old_minute_ms();
    reserve_and_commit("A", "C1", 1, minute_ms - LIFETIME_MS);
    reserve_and_commit("A", "C1", 1, minute_ms + 10 * MINUTE_MS - LIFETIME_MS);
    assert_due(minute_ms + 5 * MINUTE_MS, "A ");
    reconcile("A", minute_ms + 5 * MINUTE_MS);
    assert_due(minute_ms + 5 * MINUTE_MS, "");
    assert_due(minute_ms + 15 * MINUTE_MS, "A ");
}
END_TEST

START_TEST(a_second_reservation_of_a_minute_is_found_after_the_first_was_released) {
    int64_t minute_ms = old_minute_ms();
    reserve_and_commit("A", "C1", 1, minute_ms - LIFETIME_MS);
    ck_assert_int_eq(inventory_release(&state, "C1", NULL, 1, minute_ms - LIFETIME_MS, 0), 1);
    ck_assert_int_eq(commit(&state), STATUS_OK);
    reserve_and_commit("A", "C2", 1, minute_ms - LIFETIME_MS + 1);
    assert_due(minute_ms + MINUTE_MS, "A ");
}
END_TEST

START_TEST(minutes_that_come_back_are_found) {
    int64_t minute_ms = old_minute_ms();
    reserve_and_commit("A", "C1", 1, minute_ms + MINUTE_MS - LIFETIME_MS);
    reserve_and_commit("A", "C2", 1, minute_ms - LIFETIME_MS); /* another lifetime, say: an earlier minute */
    reserve_and_commit("A", "C3", 1, minute_ms + MINUTE_MS - LIFETIME_MS);
    assert_due(minute_ms, "A ");
    reconcile("A", minute_ms + 4 * MINUTE_MS);
    read_all("A");
    ck_assert_uint_eq(state.reservations.count, 0);
}
END_TEST

START_TEST(records_are_purged_once_their_time_is_over_and_not_before) {
    int64_t hour_ms = old_minute_ms();
    hour_ms -= hour_ms % HOUR_MS;
    read_all("A");
    add_record("past", hour_ms - 1);
    ck_assert_int_eq(commit(&state), STATUS_OK);
    add_record("edge", hour_ms);
    add_record("later", hour_ms + 1);
    ck_assert_int_eq(commit(&state), STATUS_OK);
    visits.purged = 0;
    assert_due(hour_ms, "A ");
    reconcile("A", hour_ms);
    ck_assert_int_eq(visits.purged, 2);
    assert_found("A", "past", false);
    assert_found("A", "edge", false);
    assert_found("A", "later", true);
    assert_due(hour_ms, "");
    assert_due(hour_ms + HOUR_MS, "A ");
    reconcile("A", hour_ms + HOUR_MS);
    ck_assert_int_eq(visits.purged, 3);
    assert_found("A", "later", false);
    assert_due(hour_ms + HOUR_MS, "");
}
END_TEST

START_TEST(a_key_can_be_used_again_once_its_record_is_purged) {
    int64_t at_ms = now_ms();
    read_all("A");
    add_record("key", at_ms - 2 * HOUR_MS);
    ck_assert_int_eq(commit(&state), STATUS_OK);
    assert_due(at_ms, "A ");
    reconcile("A", at_ms);
    read_all("A");
    add_record("key", at_ms + HOUR_MS);
    ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
    assert_found("A", "key", true);
}
END_TEST

START_TEST(more_records_than_a_transaction_holds_are_purged) {
    int64_t at_ms = now_ms();
    for (int i = 0; i < 250; i++) {
        if (i % 90 == 0) {
            read_all("A");
        }
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        add_record(key, at_ms - 2 * HOUR_MS);
        if (i % 90 == 89 || i == 249) {
            ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
        }
    }
    visits.purged = 0;
    assert_due(at_ms, "A ");
    reconcile("A", at_ms);
    ck_assert_int_eq(visits.purged, 250);
    assert_found("A", "k249", false);
}
END_TEST

START_TEST(products_can_be_finished_while_others_are_still_to_be_visited) {
    int64_t minute_ms = old_minute_ms();
    reserve_and_commit("A", "C1", 1, minute_ms - LIFETIME_MS);
    reserve_and_commit("B", "C1", 1, minute_ms - LIFETIME_MS);
    visits.finish_at_ms = minute_ms - 1; /* nothing is over by then, so all stays */
    assert_due(minute_ms + HOUR_MS, "A B ");
    visits.finish_at_ms = 0;
    assert_due(minute_ms + HOUR_MS, "A B ");
}
END_TEST

/* One thread that waits for the others, and then finishes its product, or (NULL) searches. */
struct worker {
    pthread_t thread;
    pthread_barrier_t *begin;
    atomic_bool *searched; /* has the search come to its end? */
    const char *product;
    int64_t at_ms;
    enum status status;
};

static enum status visit_nothing(void *context, const char *product_id, struct error *error) {
    (void)context, (void)product_id, (void)error;
    return STATUS_OK;
}

/* At an earlier time nothing is over, so that nothing is asked of storage, whose locks would put the threads in order. */
static void finish_nothing(const struct worker *worker) {
    int purged = 0;
    do {
        ck_assert_int_eq(store->ops->finish_due(store, worker->product, worker->at_ms - 2 * HOUR_MS, &purged, NULL),
                         STATUS_OK);
    } while (!atomic_load_explicit(worker->searched, memory_order_relaxed));
}

static void *work(void *context) {
    struct worker *worker = context;
    int purged = 0;
    pthread_barrier_wait(worker->begin);
    if (worker->product == NULL) {
        worker->status = store->ops->find_due(store, worker->at_ms, visit_nothing, NULL, NULL);
        atomic_store_explicit(worker->searched, true, memory_order_relaxed);
    } else {
        finish_nothing(worker);
        worker->status = store->ops->finish_due(store, worker->product, worker->at_ms, &purged, NULL);
    }
    return NULL;
}

/* While another round begins: a thread whose job's lease was lost may be late with an old one. */
START_TEST(products_are_finished_by_several_threads_at_once) {
    enum { WORKERS = 4 };
    int64_t minute_ms = old_minute_ms(), later_ms = minute_ms + HOUR_MS;
    const char *const products[WORKERS] = {"A", "B", "B", NULL};
    struct worker workers[WORKERS];
    pthread_barrier_t begin;
    atomic_bool searched = false;
    for (int i = 0; i < 2; i++) {
        reserve_and_commit(products[i], "C1", 1, minute_ms - LIFETIME_MS);
        read_all(products[i]);
        inventory_expire(&state, later_ms, 0, INVENTORY_MAX_CHANGES);
        ck_assert_int_eq(commit(&state), STATUS_OK);
    }
    visits.ids[0] = '\0';
    ck_assert_int_eq(store->ops->find_due(store, later_ms, note_product, visits.ids, &err), STATUS_OK);
    ck_assert_int_eq(pthread_barrier_init(&begin, NULL, WORKERS), 0);
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.begin = &begin, .searched = &searched, .product = products[i], .at_ms = later_ms};
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < WORKERS; i++) {
        ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
        ck_assert_int_eq(workers[i].status, STATUS_OK);
    }
    pthread_barrier_destroy(&begin);
    assert_due(later_ms, "");
}
END_TEST

static enum status refuse(void *context, const char *product_id, struct error *error) {
    (void)product_id;
    ++*(int *)context;
    return error_set(error, STATUS_LEASE_LOST, "enough");
}

START_TEST(a_search_ends_where_its_visitor_says_so) {
    int count = 0;
    int64_t minute_ms = old_minute_ms();
    reserve_and_commit("A", "C1", 1, minute_ms - LIFETIME_MS);
    reserve_and_commit("B", "C1", 1, minute_ms - LIFETIME_MS);
    ck_assert_int_eq(store->ops->find_due(store, now_ms(), refuse, &count, &err), STATUS_LEASE_LOST);
    ck_assert_int_eq(count, 1);
}
END_TEST

TCase *inventory_due_contract(struct inventory_store *(*open)(void), void (*close)(void)) {
    use_store(open, close);
    TCase *contract = tcase_create("due contract");
    tcase_set_timeout(contract, 60);
    tcase_add_checked_fixture(contract, set_up, tear_down);
    tcase_add_test(contract, a_product_is_due_from_the_minute_in_which_its_first_reservation_expires);
    tcase_add_test(contract, a_product_is_visited_once_for_all_that_is_due);
    tcase_add_test(contract, what_is_finished_is_not_due_any_more);
    tcase_add_test(contract, what_expires_later_stays_due_when_what_has_expired_is_finished);
    tcase_add_test(contract, a_second_reservation_of_a_minute_is_found_after_the_first_was_released);
    tcase_add_test(contract, minutes_that_come_back_are_found);
    tcase_add_test(contract, records_are_purged_once_their_time_is_over_and_not_before);
    tcase_add_test(contract, a_key_can_be_used_again_once_its_record_is_purged);
    tcase_add_test(contract, more_records_than_a_transaction_holds_are_purged);
    tcase_add_test(contract, products_can_be_finished_while_others_are_still_to_be_visited);
    tcase_add_test(contract, products_are_finished_by_several_threads_at_once);
    tcase_add_test(contract, a_search_ends_where_its_visitor_says_so);
    return contract;
}
