/*
 * test_inventory_batch.c - what happens to requests that are served together, what is read for them, and what repeats get.
 *
 * Two services stand for two instances that share the store and the lease service.
 */
#include "inventory/inventory_batch.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "inventory/inventory_service.h"
#include "inventory/inventory_store_wait.h"
#include "inventory/reconcile.h"
#include "support/check_main.h"
#include "support/function_app.h"
#include "support/process.h"

enum { TIMEOUT_MS = 60000, LIFETIME_MS = 30 * 60 * 1000, MANY = 120, EXPIRED = 2000 };
static const int64_t DAY_MS = 24 * 60 * 60 * 1000;

static struct function_app app;
static struct inventory_service other;
static struct inventory_store_ops ops; /* the app's, counted */
static int64_t until_ms;
static const struct inventory_store_ops *uncounted;
static int reads, commits, look_ups, turns;

/* The app's clock; what a test adds is the time that storage has taken. */
static _Atomic int64_t passed_ms;

static int64_t now_ms(const struct clock *clock) {
    (void)clock;
    return clock_now_ms(clock_system()) + passed_ms;
}

static int64_t wall_ms(const struct clock *clock) {
    (void)clock;
    return clock_wall_ms(clock_system());
}

static const struct clock slow_clock = {.now_ms = now_ms, .wall_ms = wall_ms};

static void count_read(struct inventory_store *store, const char *product_id, const struct inventory_query *query,
                       struct product_state *out, inventory_store_done done, void *context) {
    reads++;
    uncounted->read(store, product_id, query, out, done, context);
}

static int queries_of_all;

static void count_all(struct inventory_store *store, const char *product_id, const struct inventory_query *query,
                      struct product_state *out, inventory_store_done done, void *context) {
    queries_of_all += query->all;
    uncounted->read(store, product_id, query, out, done, context);
}

static void count_commit(struct inventory_store *store, struct product_state *state, int64_t deadline_ms,
                         inventory_store_done done, void *context) {
    commits++;
    uncounted->commit(store, state, deadline_ms, done, context);
}

static void count_look_up(struct inventory_store *store, const char *product_id, const char *key_hash,
                          struct idempotency_record *out, inventory_store_done done, void *context) {
    look_ups++;
    uncounted->find_record(store, product_id, key_hash, out, done, context);
}

/* This one goes through, and the next does not. */
static void commit_once(struct inventory_store *store, struct product_state *state, int64_t deadline_ms,
                        inventory_store_done done, void *context) {
    uncounted->commit(store, state, deadline_ms, done, context);
    app.store.next[STORE_COMMIT] = STATUS_UNAVAILABLE;
}

static void count_turn(void *context, struct product_turn *turn) {
    turns++;
    inventory_batch_serve(context, turn);
}

static void set_up(void) {
    function_app_start(&app, TIMEOUT_MS);
    uncounted = app.store.base.ops;
    ops = *uncounted;
    ops.read = count_read;
    ops.commit = count_commit;
    ops.find_record = count_look_up;
    app.store.base.ops = &ops;
    app.service.lanes.serve = count_turn;
    reads = commits = look_ups = turns = 0;
    passed_ms = 0;
    ck_assert_int_eq(
        inventory_service_init(&other, &app.store.base, app.leases, clock_system(), &app.options, TIMEOUT_MS),
        STATUS_OK);
}

static void tear_down(void) {
    inventory_service_release(&other);
    function_app_stop(&app);
}

/* A request on a thread of its own. */
struct caller {
    pthread_t thread;
    struct inventory_service *service;
    struct inventory_change change;
    bool releases;
    enum status status;
    struct error err;
    struct reserve_result reserved;
    struct release_result released;
};

static struct caller reserves(const char *customer, int64_t quantity, const char *key) {
    return (struct caller){
        .service = &app.service,
        .change = {.product_id = "PROD-001", .customer_id = customer, .quantity = quantity, .idempotency_key = key}};
}

static struct caller releases(const char *customer, int64_t quantity, const char *reservation_id) {
    struct caller caller = reserves(customer, quantity, NULL);
    caller.change.reservation_id = reservation_id;
    caller.releases = true;
    return caller;
}

static void *call(void *context) {
    struct caller *caller = context;
    caller->status =
        caller->releases
            ? inventory_service_release_units(caller->service, &caller->change, &caller->released, &caller->err)
            : inventory_service_reserve(caller->service, &caller->change, &caller->reserved, &caller->err);
    return NULL;
}

static void call_now(struct caller *caller) {
    call(caller);
    ck_assert_msg(caller->status == STATUS_OK, "%s", caller->status == STATUS_OK ? "" : caller->err.message);
}

static void reserve_now(const char *customer, int64_t quantity) {
    struct caller caller = reserves(customer, quantity, NULL);
    call_now(&caller);
    ck_assert(caller.reserved.reserved);
}

static void wait_until_queued(int count) {
    int64_t deadline_ms = process_now_ms() + TIMEOUT_MS;
    int queued;
    do {
        ck_assert_int_lt(process_now_ms(), deadline_ms);
        sched_yield();
        pthread_mutex_lock(&app.service.lanes.lock);
        queued = app.service.lanes.queued_count;
        pthread_mutex_unlock(&app.service.lanes.lock);
    } while (queued != count);
}

/* Until the lease is back, which happens behind its caller's back. */
static void wait_for_release(void) {
    for (size_t n = 0; lease_store_fake_is_leased(app.lease_service, "inventory-PROD-001"); n++) {
        lease_store_fake_wait(app.lease_service, FAKE_RELEASE, n);
        lease_store_fake_drain(app.lease_service);
    }
}

/* All in one batch, in this order. */
static void call_together(struct caller *callers, int count) {
    wait_for_release();
    lease_store_fake_hold(app.lease_service, FAKE_ACQUIRE, true);
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
        wait_until_queued(i + 1);
    }
    lease_store_fake_answer(app.lease_service, FAKE_ACQUIRE, STATUS_OK);
    lease_store_fake_hold(app.lease_service, FAKE_ACQUIRE, false);
    for (int i = 0; i < count; i++) {
        pthread_join(callers[i].thread, NULL);
        ck_assert_msg(callers[i].status == STATUS_OK || callers[i].status == STATUS_KEY_REUSED, "%s",
                      callers[i].err.message);
    }
}

static void assert_product(int64_t available, int64_t version, size_t rows) {
    struct product_state state;
    int64_t now_ms = 0;
    struct error err = {0};
    product_state_init(&state);
    ck_assert_msg(inventory_service_get(&app.service, "PROD-001", &state, &now_ms, &err) == STATUS_OK, "%s",
                  err.message);
    ck_assert_int_eq(inventory_available(&state, now_ms), available);
    ck_assert_int_eq(state.product.version, version);
    ck_assert_uint_eq(state.reservations.count, rows);
    product_state_cleanup(&state);
}

/* --- together --- */

START_TEST(what_is_served_together_is_one_commit_and_each_has_its_own_answer) {
    struct caller callers[5];
    for (int i = 0; i < 5; i++) {
        callers[i] = reserves("C", 10, NULL);
    }
    call_together(callers, 5);
    ck_assert_int_eq(commits, 1);
    ck_assert_int_eq(reads, 1);
    for (int i = 0; i < 5; i++) {
        ck_assert(callers[i].reserved.reserved);
        ck_assert_int_eq(callers[i].reserved.available, 90 - 10 * i);
        ck_assert_int_eq(callers[i].reserved.version, 2);
        ck_assert_str_ne(callers[i].reserved.reservation.id, callers[(i + 1) % 5].reserved.reservation.id);
    }
    assert_product(50, 2, 5);
}
END_TEST

START_TEST(more_than_a_transaction_holds_goes_into_the_next) {
    static struct caller callers[MANY];
    for (int i = 0; i < MANY; i++) {
        callers[i] = reserves("C", 1, NULL);
    }
    call_together(callers, MANY);
    ck_assert_int_eq(commits, 2);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(callers[i].reserved.reserved, i < 100);
        ck_assert_int_eq(callers[i].reserved.version, i < INVENTORY_MAX_CHANGES ? 2 : 3);
    }
    assert_product(0, 3, 100);
}
END_TEST

START_TEST(each_is_decided_after_those_who_came_before_it) {
    reserve_now("OLD", 95);
    struct caller callers[] = {reserves("A", 6, NULL), releases("OLD", 90, NULL), reserves("B", 95, NULL),
                               reserves("C", 1, NULL)};
    call_together(callers, 4);
    ck_assert(!callers[0].reserved.reserved);
    ck_assert_int_eq(callers[0].reserved.available, 5);
    ck_assert_int_eq(callers[1].released.released, 90);
    ck_assert_int_eq(callers[1].released.available, 95);
    ck_assert(callers[2].reserved.reserved);
    ck_assert_int_eq(callers[2].reserved.available, 0);
    ck_assert(!callers[3].reserved.reserved);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(i == 1 ? callers[i].released.version : callers[i].reserved.version, 3);
    }
    ck_assert_int_eq(commits, 2);
}
END_TEST

START_TEST(releases_of_several_customers_read_their_own_rows) {
    reserve_now("A", 10);
    reserve_now("B", 20);
    struct caller callers[] = {releases("B", 20, NULL), releases("A", 4, NULL), releases("NOBODY", 1, NULL)};
    call_together(callers, 3);
    ck_assert_int_eq(callers[0].released.released, 20);
    ck_assert_int_eq(callers[1].released.released, 4);
    ck_assert_int_eq(callers[2].released.released, 0);
    assert_product(94, 4, 1);
}
END_TEST

START_TEST(a_release_that_has_to_wait_for_the_next_turn_keeps_the_rows_that_it_read) {
    for (int i = 0; i < 100; i++) {
        reserve_now(i < 60 ? "A" : "B", 1);
    }
    struct caller callers[] = {releases("A", 60, NULL), releases("B", 40, NULL), reserves("C", 1, NULL)};
    call_together(callers, 3);
    ck_assert_int_eq(callers[0].released.released, 60);
    ck_assert_int_eq(callers[1].released.released, 40);
    ck_assert(callers[2].reserved.reserved);
    assert_product(99, 103, 1);
}
END_TEST

/* _i 1: with a key, whose record is one of the transaction's operations. */
START_TEST(a_release_covers_as_many_reservations_as_a_transaction_holds_and_says_so) {
    for (int i = 0; i < 100; i++) {
        reserve_now("A", 1);
    }
    struct caller first = releases("A", 100, NULL), rest = releases("A", 100, NULL);
    first.change.idempotency_key = _i == 1 ? "key-1" : NULL;
    call_now(&first);
    ck_assert_int_eq(first.released.released, 99 - _i);
    ck_assert_int_eq(first.released.available, 99 - _i);
    call_now(&rest);
    ck_assert_int_eq(rest.released.released, 1 + _i);
}
END_TEST

START_TEST(a_failure_of_the_commit_is_everybodys) {
    struct caller callers[] = {reserves("A", 1, NULL), reserves("B", 1000, NULL)};
    app.store.next[STORE_COMMIT] = STATUS_UNAVAILABLE;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(callers[i].thread, NULL);
    }
    ck_assert_int_eq(callers[0].status, STATUS_UNAVAILABLE);
    assert_product(100, 1, 0);
    reserve_now("A", 1); /* and nothing stays behind */
    assert_product(99, 2, 1);
}
END_TEST

/* --- what is known --- */

START_TEST(a_known_product_is_not_read_again) {
    reserve_now("A", 1);
    reserve_now("A", 1);
    ck_assert_int_eq(reads, 1);
    ck_assert_int_eq(commits, 2);
}
END_TEST

static void reserve_elsewhere(const char *customer, int64_t quantity) {
    struct caller caller = reserves(customer, quantity, NULL);
    caller.service = &other;
    call_now(&caller);
    ck_assert(caller.reserved.reserved);
}

START_TEST(a_known_product_that_another_instance_has_changed_is_read_again) {
    reserve_now("A", 1);
    reserve_elsewhere("B", 2);
    struct caller caller = reserves("A", 3, NULL);
    call_now(&caller);
    ck_assert(caller.reserved.reserved);
    ck_assert_int_eq(caller.reserved.available, 94);
    ck_assert_int_eq(caller.reserved.version, 4);
    ck_assert_int_eq(reads, 3);
}
END_TEST

/* Until a lease has begun with the product as this instance had left it. */
START_TEST(after_others_were_met_the_next_lease_begins_with_a_read_and_no_commit_in_vain) {
    static const struct {
        bool others;
        int reads, commits; /* of all, others' included, up to here */
    } steps[] = {{true, 3, 4}, {true, 5, 7}, {false, 6, 8}, {false, 6, 9}, {true, 8, 12}};
    reserve_now("A", 1);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (steps[i].others) {
            reserve_elsewhere("B", 2);
        }
        reserve_now("A", 1);
        ck_assert_msg(reads == steps[i].reads && commits == steps[i].commits, "step %zu: %d reads, %d commits", i,
                      reads, commits);
    }
}
END_TEST

static bool met_others;

static void serve_and_note(void *context, struct product_turn *turn) {
    inventory_batch_serve(context, turn);
    met_others = turn->met_others;
}

/* _i 0: the commit finds out, 1: the proof of a refusal does, 2: there was nobody. */
START_TEST(that_another_instance_was_met_is_told) {
    reserve_now("A", 1);
    if (_i < 2) {
        reserve_elsewhere("B", 2);
    }
    app.service.lanes.serve = serve_and_note;
    struct caller caller = reserves("A", _i == 1 ? 1000 : 1, NULL);
    call_now(&caller);
    ck_assert_int_eq(met_others, _i < 2);
}
END_TEST

START_TEST(a_refusal_does_not_rest_on_what_was_known_long_ago) {
    reserve_elsewhere("B", 95);
    struct caller caller = reserves("A", 6, NULL);
    call_now(&caller);
    ck_assert(!caller.reserved.reserved);
    struct caller release = releases("B", 95, NULL);
    release.service = &other;
    call_now(&release);
    call_now(&caller);
    ck_assert(caller.reserved.reserved);
    ck_assert_int_eq(caller.reserved.available, 94);
}
END_TEST

static struct caller late;

static struct {
    struct inventory_store *store;
    struct product_state state;
    inventory_store_done done; /* of the commit that they follow */
    void *context;
} theirs;

static void on_theirs_committed(void *unused, enum status status, const struct error *err) {
    (void)unused;
    ck_assert_int_eq(status, STATUS_OK);
    product_state_cleanup(&theirs.state);
    theirs.done(theirs.context, STATUS_OK, err);
}

static void on_theirs_read(void *unused, enum status status, const struct error *err) {
    (void)unused, (void)err;
    ck_assert_int_eq(status, STATUS_OK);
    int64_t store_ms = uncounted->now_ms(theirs.store);
    ck_assert_int_eq(inventory_release(&theirs.state, "A", NULL, 100, store_ms, 0), 100);
    uncounted->commit(theirs.store, &theirs.state, INT64_MAX, on_theirs_committed, NULL);
}

static void on_ours_committed(void *unused, enum status status, const struct error *err) {
    (void)unused, (void)err;
    ck_assert_int_eq(status, STATUS_OK);
    product_state_init(&theirs.state);
    uncounted->read(theirs.store, "PROD-001", &(struct inventory_query){.all = true}, &theirs.state, on_theirs_read,
                    NULL);
}

/* Behind this commit another instance sells back all, our lease having been broken; and somebody waits for the next turn. */
static void commit_and_lose(struct inventory_store *store, struct product_state *state, int64_t deadline_ms,
                            inventory_store_done done, void *context) {
    ops.commit = count_commit;
    ck_assert_int_eq(pthread_create(&late.thread, NULL, call, &late), 0);
    wait_until_queued(1);
    theirs.store = store;
    theirs.done = done;
    theirs.context = context;
    uncounted->commit(store, state, deadline_ms, on_ours_committed, NULL);
}

START_TEST(a_refusal_does_not_rest_on_what_was_read_under_a_lease_that_may_have_been_broken_since) {
    late = reserves("B", 1, NULL);
    ops.commit = commit_and_lose;
    reserve_now("A", 100);
    pthread_join(late.thread, NULL);
    ck_assert_int_eq(late.status, STATUS_OK);
    ck_assert(late.reserved.reserved);
    ck_assert_uint_eq(lease_store_fake_count(app.lease_service, FAKE_ACQUIRE), 1); /* the lease was handed on */
    assert_product(99, 4, 1);
}
END_TEST

START_TEST(a_release_does_not_rest_on_what_was_known_long_ago) {
    reserve_now("A", 10);
    reserve_elsewhere("A", 5);
    struct caller release = releases("A", 15, NULL);
    call_now(&release);
    ck_assert_int_eq(release.released.released, 15);
    assert_product(100, 4, 0);
}
END_TEST

START_TEST(what_expires_of_a_known_product_is_read_when_it_is_due) {
    reserve_elsewhere("B", 100);
    struct caller caller = reserves("A", 1, NULL);
    call_now(&caller);
    ck_assert(!caller.reserved.reserved);
    clock_fake_advance(&app.store_clock, LIFETIME_MS - 1);
    call_now(&caller);
    ck_assert(!caller.reserved.reserved);
    clock_fake_advance(&app.store_clock, 1);
    call_now(&caller);
    ck_assert(caller.reserved.reserved);
    ck_assert_int_eq(caller.reserved.available, 99);
    assert_product(99, 3, 1);
}
END_TEST

/* --- keys --- */

static void assert_same_answer(const struct caller *first, const struct caller *again) {
    ck_assert(again->reserved.reserved && again->reserved.acquired_lease);
    ck_assert_str_eq(again->reserved.reservation.id, first->reserved.reservation.id);
    ck_assert_int_eq(again->reserved.reservation.expires_ms, first->reserved.reservation.expires_ms);
    ck_assert_int_eq(again->reserved.available, first->reserved.available);
    ck_assert_int_eq(again->reserved.version, first->reserved.version);
}

START_TEST(the_same_key_gets_the_same_answer_and_changes_nothing_from_any_instance) {
    struct caller first = reserves("A", 5, "key-1"), again = reserves("A", 5, "key-1");
    call_now(&first);
    if (_i == 1) {
        again.service = &other;
    }
    call_now(&again);
    assert_same_answer(&first, &again);
    assert_product(95, 2, 1);
}
END_TEST

START_TEST(the_same_key_gets_the_same_answer_after_release_and_expiry_and_when_all_is_sold) {
    struct caller first = reserves("A", 100, "key-1"), again = reserves("A", 100, "key-1");
    call_now(&first);
    call_now(&again);
    assert_same_answer(&first, &again);
    struct caller release = releases("A", 100, first.reserved.reservation.id);
    call_now(&release);
    call_now(&again);
    assert_same_answer(&first, &again);
    assert_product(100, 3, 0);
    clock_fake_advance(&app.store_clock, DAY_MS);
    again.service = &other;
    call_now(&again);
    assert_same_answer(&first, &again);
    assert_product(100, 3, 0);
}
END_TEST

START_TEST(a_key_used_for_another_request_is_refused) {
    struct caller first = reserves("A", 5, "key-1"), other_quantity = reserves("A", 6, "key-1"),
                  other_customer = reserves("B", 5, "key-1");
    call_now(&first);
    call(&other_quantity);
    ck_assert_int_eq(other_quantity.status, STATUS_KEY_REUSED);
    call(&other_customer);
    ck_assert_int_eq(other_customer.status, STATUS_KEY_REUSED);
    struct caller release = releases("A", 5, NULL);
    release.change.idempotency_key = "key-1";
    call(&release);
    ck_assert_int_eq(release.status, STATUS_KEY_REUSED);
    assert_product(95, 2, 1);
}
END_TEST

START_TEST(a_key_belongs_to_its_product) {
    struct caller first = reserves("A", 5, "key-1"), elsewhere = reserves("A", 5, "key-1");
    elsewhere.change.product_id = "PROD-002";
    call_now(&first);
    call_now(&elsewhere);
    ck_assert_str_ne(first.reserved.reservation.id, elsewhere.reserved.reservation.id);
}
END_TEST

START_TEST(one_key_at_the_same_time_makes_one_reservation) {
    struct caller callers[] = {reserves("A", 5, "key-1"), reserves("A", 5, "key-1"), reserves("A", 6, "key-1"),
                               reserves("B", 5, "key-2")};
    call_together(callers, 4);
    ck_assert(callers[0].reserved.reserved);
    assert_same_answer(&callers[0], &callers[1]);
    ck_assert_int_eq(callers[2].status, STATUS_KEY_REUSED);
    ck_assert(callers[3].reserved.reserved);
    assert_product(90, 2, 2);
}
END_TEST

/* The second use of "key" does not fit into the transaction of the first. _i 1: that sells all there is. */
START_TEST(a_key_used_twice_in_a_batch_is_a_repeat_in_the_next_turn_too) {
    enum { FIRST = 1, FULL = 50, AGAIN = 51, COUNT = 52 };
    static struct caller callers[COUNT];
    static char keys[COUNT][16];
    int64_t quantity = 1 + _i;
    struct caller elsewhere = reserves("A", quantity, "used elsewhere"); /* so that all are looked up */
    elsewhere.service = &other;
    call_now(&elsewhere);
    callers[0] = reserves("A", quantity, "used elsewhere");
    for (int i = FIRST; i < COUNT; i++) {
        snprintf(keys[i], sizeof keys[i], "key-%d", i);
        callers[i] = reserves("A", quantity, keys[i == AGAIN ? FIRST : i]);
    }
    call_together(callers, COUNT);
    ck_assert_int_eq(callers[FULL].reserved.reserved, _i == 0);
    assert_same_answer(&callers[FIRST], &callers[AGAIN]);
}
END_TEST

START_TEST(a_key_that_another_instance_has_used_does_not_harm_those_it_is_served_with) {
    struct caller first = reserves("A", 5, "key-1");
    first.service = &other;
    call_now(&first);
    struct caller callers[] = {reserves("B", 1, "key-2"), reserves("A", 5, "key-1"), reserves("C", 1, NULL)};
    call_together(callers, 3);
    assert_same_answer(&first, &callers[1]);
    ck_assert(callers[0].reserved.reserved);
    ck_assert(callers[2].reserved.reserved);
    assert_product(93, 3, 3);
}
END_TEST

START_TEST(a_key_whose_request_was_refused_may_succeed_later) {
    reserve_now("OLD", 100);
    struct caller caller = reserves("A", 5, "key-1");
    call_now(&caller);
    ck_assert(!caller.reserved.reserved);
    struct caller release = releases("OLD", 100, NULL);
    call_now(&release);
    call_now(&caller);
    ck_assert(caller.reserved.reserved);
}
END_TEST

START_TEST(keys_that_are_refused_together_are_looked_up_together_and_once) {
    reserve_now("OLD", 99);
    reads = turns = 0;
    struct caller callers[] = {reserves("A", 5, "key-1"), reserves("A", 5, "key-2"),
                               releases("A", 1, "01947f22-1e50-8359-890a-cfd76342913c"), reserves("A", 1, "key-3")};
    call_together(callers, 4);
    ck_assert(!callers[0].reserved.reserved && !callers[1].reserved.reserved);
    ck_assert_int_eq(callers[2].released.released, 0);
    ck_assert(callers[3].reserved.reserved);
    ck_assert_int_eq(look_ups, 3); /* not the last one's, which nothing stands in the way of */
    ck_assert_int_eq(turns, 1);
}
END_TEST

static void look_up_slowly(struct inventory_store *store, const char *product_id, const char *key_hash,
                           struct idempotency_record *out, inventory_store_done done, void *context) {
    passed_ms += 600;
    count_look_up(store, product_id, key_hash, out, done, context);
}

START_TEST(who_is_served_together_does_not_wait_for_all_that_the_others_need) {
    enum { COUNT = 5 };
    static char keys[COUNT][16];
    struct caller callers[COUNT];
    reserve_now("OLD", 100);
    turns = 0;
    app.service.batch.clock = &slow_clock;
    ops.find_record = look_up_slowly;
    for (int i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof keys[i], "key-%d", i);
        callers[i] = reserves("A", 5, keys[i]);
    }
    call_together(callers, COUNT);
    for (int i = 0; i < COUNT; i++) {
        ck_assert(!callers[i].reserved.reserved);
    }
    ck_assert_int_eq(look_ups, COUNT);
    ck_assert_int_eq(turns, 3); /* with two of them, and two, and one */
}
END_TEST

START_TEST(a_release_of_one_reservation_sent_again_frees_nothing_more) {
    struct caller first = reserves("A", 10, NULL);
    call_now(&first);
    reserve_now("A", 10);
    for (int i = 0; i < 3; i++) { /* a part of it, three times the same */
        struct caller part = releases("A", 4, first.reserved.reservation.id);
        call_now(&part);
        ck_assert_int_eq(part.released.released, 4);
        ck_assert_int_eq(part.released.available, 84);
    }
    assert_product(84, 4, 2);
    struct caller keyed = releases("A", 4, first.reserved.reservation.id);
    keyed.change.idempotency_key = "once more";
    call_now(&keyed);
    ck_assert_int_eq(keyed.released.available, 88);
    struct caller rest = releases("A", 10, first.reserved.reservation.id);
    call_now(&rest);
    ck_assert_int_eq(rest.released.released, 2);
    call_now(&rest);
    ck_assert_int_eq(rest.released.released, 2);
    assert_product(90, 6, 1);
}
END_TEST

START_TEST(a_release_of_somebody_elses_reservation_finds_none_though_the_owner_has_sent_the_same) {
    struct caller reserve = reserves("A", 5, NULL);
    call_now(&reserve);
    struct caller own = releases("A", 5, reserve.reserved.reservation.id),
                  strangers = releases("B", 5, reserve.reserved.reservation.id);
    call_now(&own);
    call_now(&strangers);
    ck_assert_int_eq(strangers.released.released, 0);
}
END_TEST

START_TEST(keys_are_kept_for_a_day_and_then_purged) {
    struct caller first = reserves("A", 5, "key-1"), again = reserves("A", 5, "key-1");
    call_now(&first);
    struct reconcile_result reconciled;
    struct error err = {0};
    clock_fake_advance(&app.store_clock, DAY_MS);
    ck_assert_msg(reconcile_run(&app.service, &reconciled, &err) == STATUS_OK, "%s", err.message);
    call_now(&again);
    ck_assert_str_eq(again.reserved.reservation.id, first.reserved.reservation.id);
    clock_fake_advance(&app.store_clock, DAY_MS);
    while (lease_store_fake_is_leased(app.lease_service, RECONCILIATION_LEASE_NAME)) {
        sched_yield();
    }
    ck_assert_msg(reconcile_run(&app.service, &reconciled, &err) == STATUS_OK, "%s", err.message);
    call_now(&again);
    ck_assert_str_ne(again.reserved.reservation.id, first.reserved.reservation.id);
}
END_TEST

/* --- expiring, reading --- */

START_TEST(expiring_takes_as_many_transactions_as_it_needs_and_counts_what_it_took) {
    for (int i = 0; i < 100; i++) {
        reserve_now("A", 1);
    }
    clock_fake_advance(&app.store_clock, LIFETIME_MS);
    int count = 0, before = commits;
    ck_assert_int_eq(inventory_service_expire(&app.service, "PROD-001", &count, &until_ms, NULL), STATUS_OK);
    ck_assert_int_eq(count, 100);
    ck_assert_int_eq(commits - before, 2);
    assert_product(100, 103, 0);
    ck_assert_int_eq(inventory_service_expire(&app.service, "PROD-001", &count, &until_ms, NULL), STATUS_OK);
    ck_assert_int_eq(count, 0);
    ck_assert_int_eq(commits - before, 2);
}
END_TEST

/* Something has said that it is earlier, and nothing has settled yet what is true. */
static int64_t doubt_ms;

static int64_t doubtful_ms(struct inventory_store *store) {
    return uncounted->now_ms(store) - doubt_ms;
}

START_TEST(while_the_time_is_in_doubt_nothing_is_taken_away_that_is_over_by_the_later_one_alone) {
    struct caller keyed = reserves("A", 5, "key-1");
    struct reconcile_result reconciled;
    int count = 0;
    call_now(&keyed);
    clock_fake_advance(&app.store_clock, 2 * DAY_MS);
    doubt_ms = 2 * DAY_MS;
    ops.certain_ms = doubtful_ms;
    ck_assert_int_eq(inventory_service_expire(&app.service, "PROD-001", &count, &until_ms, NULL), STATUS_OK);
    ck_assert_int_eq(count, 0);
    ck_assert_int_eq(until_ms, uncounted->now_ms(&app.store.base) - doubt_ms);
    ck_assert_int_eq(reconcile_run(&app.service, &reconciled, NULL), STATUS_OK);
    ck_assert_int_eq(reconciled.reservations_released, 0);
    assert_product(100, 2, 1); /* it counts as released, as ever */
    call_now(&keyed);
    ck_assert_int_eq(keyed.reserved.version, 2); /* the record is there */
    wait_for_release();
    while (lease_store_fake_is_leased(app.lease_service, RECONCILIATION_LEASE_NAME)) {
        sched_yield();
    }
    doubt_ms = 0;
    ck_assert_int_eq(reconcile_run(&app.service, &reconciled, NULL), STATUS_OK);
    ck_assert_int_eq(reconciled.reservations_released, 1);
    assert_product(100, 3, 0);
    call_now(&keyed);
    ck_assert_int_eq(keyed.reserved.version, 4); /* it is gone: carried out anew */
}
END_TEST

/* `first` on a thread of its own, and behind it, in the same batch, one that wants a single unit. */
static struct reserve_result reserve_behind(void *(*first)(void *), void *context) {
    pthread_t thread;
    struct caller behind = reserves("B", 1, NULL);
    lease_store_fake_hold(app.lease_service, FAKE_ACQUIRE, true);
    ck_assert_int_eq(pthread_create(&thread, NULL, first, context), 0);
    wait_until_queued(1);
    ck_assert_int_eq(pthread_create(&behind.thread, NULL, call, &behind), 0);
    wait_until_queued(2);
    lease_store_fake_answer(app.lease_service, FAKE_ACQUIRE, STATUS_OK);
    lease_store_fake_hold(app.lease_service, FAKE_ACQUIRE, false);
    pthread_join(behind.thread, NULL);
    pthread_join(thread, NULL);
    ck_assert_msg(behind.status == STATUS_OK, "%s", behind.err.message);
    ck_assert(behind.reserved.reserved);
    return behind.reserved;
}

/* All units stand in rows that have expired, one in each. The version then. */
static int64_t let_many_expire(void) {
    struct total_result total;
    struct product_state state;
    const struct reservation *row = NULL;
    bool reserved = false;
    product_state_init(&state);
    ck_assert_int_eq(inventory_service_set_total(&app.service, "PROD-001", EXPIRED, &total, NULL), STATUS_OK);
    ck_assert_int_eq(
        inventory_store_read_and_wait(&app.store.base, "PROD-001", &(struct inventory_query){0}, &state, NULL),
        STATUS_OK);
    while (state.product.available > 0) {
        ck_assert_int_eq(
            inventory_reserve(&state, "A", 1, uncounted->now_ms(&app.store.base), LIFETIME_MS, &reserved, &row),
            STATUS_OK);
        if (state.change_count == INVENTORY_MAX_CHANGES || state.product.available == 0) {
            ck_assert_int_eq(inventory_store_commit_and_wait(&app.store.base, &state, INT64_MAX, NULL), STATUS_OK);
        }
    }
    int64_t version = state.product.version;
    product_state_cleanup(&state);
    clock_fake_advance(&app.store_clock, LIFETIME_MS);
    wait_for_release();
    return version;
}

static void *expire(void *count) {
    int64_t cleared_until_ms = 0;
    ck_assert_int_eq(inventory_service_expire(&app.service, "PROD-001", count, &cleared_until_ms, NULL), STATUS_OK);
    return NULL;
}

START_TEST(who_comes_behind_the_expiry_of_many_reservations_is_served_with_the_second_commit) {
    int64_t version = let_many_expire();
    int count = 0;
    ck_assert_int_le(reserve_behind(expire, &count).version, version + 2);
    ck_assert_int_eq(count, EXPIRED);
    assert_product(EXPIRED - 1, version + (EXPIRED + 1 + INVENTORY_MAX_CHANGES) / INVENTORY_MAX_CHANGES, 1);
}
END_TEST

/* Neither has room beside the other. */
START_TEST(two_that_expire_many_reservations_take_turns_and_each_counts_its_own) {
    let_many_expire();
    pthread_t threads[2];
    int counts[2] = {0, 0};
    lease_store_fake_hold(app.lease_service, FAKE_ACQUIRE, true);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, expire, &counts[i]), 0);
        wait_until_queued(i + 1);
    }
    lease_store_fake_answer(app.lease_service, FAKE_ACQUIRE, STATUS_OK);
    lease_store_fake_hold(app.lease_service, FAKE_ACQUIRE, false);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_gt(counts[i], EXPIRED / 3);
    }
    ck_assert_int_eq(counts[0] + counts[1], EXPIRED);
}
END_TEST

START_TEST(what_was_taken_away_is_counted_although_a_later_commit_fails) {
    let_many_expire();
    int count = 0;
    ops.commit = commit_once;
    ck_assert_int_eq(inventory_service_expire(&app.service, "PROD-001", &count, &until_ms, NULL), STATUS_UNAVAILABLE);
    ck_assert_int_eq(count, INVENTORY_MAX_CHANGES);
}
END_TEST

/* _i 1: with a key, which is looked up before. */
START_TEST(who_comes_behind_a_reserve_that_cannot_be_met_does_not_wait_until_all_that_has_expired_is_taken_away) {
    int64_t version = let_many_expire();
    struct caller unmeetable = reserves("A", EXPIRED + 1, _i == 1 ? "key-1" : NULL);
    ck_assert_int_le(reserve_behind(call, &unmeetable).version, version + 2);
    ck_assert_int_eq(unmeetable.status, STATUS_OK);
    ck_assert(unmeetable.reserved.acquired_lease && !unmeetable.reserved.reserved);
    ck_assert_int_eq(unmeetable.reserved.available, EXPIRED);
}
END_TEST

static void *set_too_small_a_total(void *total) {
    ck_assert_int_eq(inventory_service_set_total(&app.service, "PROD-001", 1, total, NULL), STATUS_OK);
    return NULL;
}

START_TEST(who_comes_behind_a_total_that_is_refused_does_not_wait_until_all_that_has_expired_is_taken_away) {
    int64_t version = let_many_expire();
    struct total_result total = {.set = true};
    reserve_now("A", 2); /* takes one commit's worth of rows along */
    wait_for_release();
    ck_assert_int_le(reserve_behind(set_too_small_a_total, &total).version, version + 1 + 2);
    ck_assert(total.acquired_lease && !total.set);
    ck_assert_int_eq(total.total, EXPIRED);
    ck_assert_int_eq(total.available, EXPIRED - 2);
}
END_TEST

/* Arrival decides who gets the units, however many rows they stand in. */
START_TEST(a_reserve_that_can_be_met_is_met_before_those_who_came_later) {
    let_many_expire();
    struct caller first = reserves("A", EXPIRED, NULL), behind = reserves("B", 1, NULL);
    struct caller callers[] = {first, behind};
    call_together(callers, 2);
    ck_assert(callers[0].reserved.reserved);
    ck_assert(!callers[1].reserved.reserved);
    ck_assert_int_eq(callers[1].reserved.available, 0);
}
END_TEST

static int restless;

static void read_restless(struct inventory_store *store, const char *product_id, const struct inventory_query *query,
                          struct product_state *out, inventory_store_done done, void *context) {
    if (restless > 0 && query->all) {
        restless--;
        function_app_fail(store, STATUS_PRECONDITION_FAILED, "it changed too often", done, context);
        return;
    }
    uncounted->read(store, product_id, query, out, done, context);
}

START_TEST(a_product_that_does_not_stand_still_is_read_with_its_lease) {
    reserve_now("A", 3);
    ops.read = read_restless;
    restless = 1;
    size_t acquired = lease_store_fake_count(app.lease_service, FAKE_ACQUIRE);
    assert_product(97, 2, 1);
    ck_assert_uint_eq(lease_store_fake_count(app.lease_service, FAKE_ACQUIRE), acquired + 1);
}
END_TEST

static void *get_restless(void *status) {
    struct product_state state;
    int64_t now_ms = 0;
    product_state_init(&state);
    *(enum status *)status = inventory_service_get(&app.service, "PROD-001", &state, &now_ms, NULL);
    product_state_cleanup(&state);
    return NULL;
}

START_TEST(a_picture_that_cannot_be_taken_is_no_failure_of_those_it_is_served_with) {
    pthread_t reader;
    enum status status = STATUS_OK;
    struct caller caller = reserves("A", 2, NULL);
    reserve_now("A", 1); /* so that it need not be read with all rows for the caller */
    wait_for_release();
    ops.read = read_restless;
    restless = 2;
    lease_store_fake_hold(app.lease_service, FAKE_ACQUIRE, true);
    ck_assert_int_eq(pthread_create(&reader, NULL, get_restless, &status), 0);
    wait_until_queued(1);
    ck_assert_int_eq(pthread_create(&caller.thread, NULL, call, &caller), 0);
    wait_until_queued(2);
    lease_store_fake_answer(app.lease_service, FAKE_ACQUIRE, STATUS_OK);
    lease_store_fake_hold(app.lease_service, FAKE_ACQUIRE, false);
    pthread_join(reader, NULL);
    pthread_join(caller.thread, NULL);
    ck_assert_int_eq(status, STATUS_UNAVAILABLE);
    ck_assert_msg(caller.status == STATUS_OK, "%s", caller.err.message);
    assert_product(97, 3, 2);
}
END_TEST

static void find_malformed(struct inventory_store *store, const char *product_id, const char *key_hash,
                           struct idempotency_record *out, inventory_store_done done, void *context) {
    (void)product_id, (void)key_hash, (void)out;
    function_app_fail(store, STATUS_MALFORMED, "it is not as this program writes it", done, context);
}

/* The first, poisoned one, and the other in one batch. */
static void call_poisoned(struct caller *poisoned, struct caller *good) {
    lease_store_fake_hold(app.lease_service, FAKE_ACQUIRE, true);
    ck_assert_int_eq(pthread_create(&poisoned->thread, NULL, call, poisoned), 0);
    wait_until_queued(1);
    ck_assert_int_eq(pthread_create(&good->thread, NULL, call, good), 0);
    wait_until_queued(2);
    lease_store_fake_answer(app.lease_service, FAKE_ACQUIRE, STATUS_OK);
    lease_store_fake_hold(app.lease_service, FAKE_ACQUIRE, false);
    pthread_join(poisoned->thread, NULL);
    pthread_join(good->thread, NULL);
    ck_assert_int_eq(poisoned->status, STATUS_MALFORMED);
    ck_assert_msg(good->status == STATUS_OK, "%s", good->err.message);
    ck_assert(good->reserved.reserved);
}

START_TEST(a_record_that_cannot_be_read_is_no_failure_of_those_it_is_served_with) {
    reserve_now("OLD", 95);
    ops.find_record = find_malformed;
    struct caller poisoned = reserves("A", 6, "key-1"), good = reserves("B", 5, NULL);
    call_poisoned(&poisoned, &good);
}
END_TEST

static void read_malformed(struct inventory_store *store, const char *product_id, const struct inventory_query *query,
                           struct product_state *out, inventory_store_done done, void *context) {
    if (query->customer_id != NULL) {
        function_app_fail(store, STATUS_MALFORMED, "row r-1 is not as this program writes it", done, context);
        return;
    }
    uncounted->read(store, product_id, query, out, done, context);
}

/* _i 1: of a product that is known, so that the customer's rows are read by themselves. */
START_TEST(rows_that_cannot_be_read_are_no_failure_of_those_they_are_served_with) {
    if (_i == 1) {
        reserve_now("OLD", 1);
    }
    ops.read = read_malformed;
    struct caller poisoned = releases("A", 6, NULL), good = reserves("B", 5, NULL);
    call_poisoned(&poisoned, &good);
}
END_TEST

/* ---- a product that contradicts its rows ---- */

/* The product's row, as somebody has written it; the reservations stay. */
static void write_product(int64_t available, int64_t version, const char *last_commit) {
    struct product *product = &app.store.memory.products[0]->state.product;
    ck_assert_str_eq(product->id, "PROD-001");
    product->available = available;
    product->version = version;
    product->due_ms = INT64_MAX;
    snprintf(product->commit_ids, sizeof product->commit_ids, "%s", last_commit);
}

#define NEW_COMMIT "00000000-0000-4000-8000-000000000009"

static void assert_refused(struct caller *caller) {
    call(caller);
    ck_assert_int_eq(caller->status, STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(caller->err.message, "contradict"));
}

/*
 * _i 0: the handler has not met the product before; 1: it knows the product as it was. The old rows
 * are active or have expired.
 */
START_TEST(a_product_that_was_made_anew_beside_old_rows_is_not_sold) {
    struct inventory_service *seller = _i % 2 == 0 ? &other : &app.service;
    reserve_now("OLD", 20);
    reserve_now("OLD", 1);
    write_product(100, 1, NEW_COMMIT);
    if (_i >= 2) {
        clock_fake_advance(&app.store_clock, LIFETIME_MS);
    }
    struct caller reserving = reserves("A", 1, NULL), releasing = releases("OLD", 1, NULL);
    reserving.service = releasing.service = seller;
    assert_refused(&reserving);
    assert_refused(&reserving);
    assert_refused(&releasing);
    ck_assert_int_eq(app.store.memory.products[0]->state.product.version, 1);
    write_product(79, 1, NEW_COMMIT); /* the operator has corrected it */
    call_now(&reserving);
    ck_assert(reserving.reserved.reserved);
    ck_assert_int_eq(reserving.reserved.available, _i >= 2 ? 99 : 78);
}
END_TEST

/* Its version has grown past the known one meanwhile, by somebody who does not check. */
START_TEST(a_product_that_was_made_anew_and_sold_by_others_is_not_sold) {
    reserve_now("OLD", 20);
    write_product(99, 4, NEW_COMMIT "," NEW_COMMIT "," NEW_COMMIT "," NEW_COMMIT);
    strcpy(app.store.memory.products[0]->state.product.commit_ids + UUID_TEXT_BYTES, "");
    struct caller caller = reserves("A", 1, NULL);
    caller.service = &other;
    assert_refused(&caller);
}
END_TEST

START_TEST(a_product_is_read_with_all_rows_once_and_then_followed) {
    queries_of_all = 0;
    ops.read = count_all;
    reserve_now("A", 1);
    ck_assert_int_eq(queries_of_all, 1);
    for (int i = 0; i < 3; i++) {
        struct caller elsewhere = reserves("B", 1, NULL);
        elsewhere.service = &other;
        call_now(&elsewhere);
        reserve_now("A", 1);
    }
    ck_assert_int_eq(queries_of_all, 2); /* each of the two instances its own */
}
END_TEST

int main(void) {
    Suite *suite = suite_create("inventory_batch");
    TCase *batch = tcase_create("batch");
    tcase_add_checked_fixture(batch, set_up, tear_down);
    tcase_add_test(batch, what_is_served_together_is_one_commit_and_each_has_its_own_answer);
    tcase_add_loop_test(batch, a_product_that_was_made_anew_beside_old_rows_is_not_sold, 0, 4);
    tcase_add_test(batch, a_product_that_was_made_anew_and_sold_by_others_is_not_sold);
    tcase_add_test(batch, a_product_is_read_with_all_rows_once_and_then_followed);
    tcase_add_test(batch, more_than_a_transaction_holds_goes_into_the_next);
    tcase_add_test(batch, each_is_decided_after_those_who_came_before_it);
    tcase_add_test(batch, releases_of_several_customers_read_their_own_rows);
    tcase_add_test(batch, a_release_that_has_to_wait_for_the_next_turn_keeps_the_rows_that_it_read);
    tcase_add_loop_test(batch, a_release_covers_as_many_reservations_as_a_transaction_holds_and_says_so, 0, 2);
    tcase_add_test(batch, a_failure_of_the_commit_is_everybodys);
    tcase_add_test(batch, a_known_product_is_not_read_again);
    tcase_add_test(batch, a_known_product_that_another_instance_has_changed_is_read_again);
    tcase_add_test(batch, after_others_were_met_the_next_lease_begins_with_a_read_and_no_commit_in_vain);
    tcase_add_loop_test(batch, that_another_instance_was_met_is_told, 0, 3);
    tcase_add_test(batch, a_refusal_does_not_rest_on_what_was_known_long_ago);
    tcase_add_test(batch, a_refusal_does_not_rest_on_what_was_read_under_a_lease_that_may_have_been_broken_since);
    tcase_add_test(batch, a_release_does_not_rest_on_what_was_known_long_ago);
    tcase_add_test(batch, what_expires_of_a_known_product_is_read_when_it_is_due);
    tcase_add_loop_test(batch, the_same_key_gets_the_same_answer_and_changes_nothing_from_any_instance, 0, 2);
    tcase_add_test(batch, the_same_key_gets_the_same_answer_after_release_and_expiry_and_when_all_is_sold);
    tcase_add_test(batch, a_key_used_for_another_request_is_refused);
    tcase_add_test(batch, a_key_belongs_to_its_product);
    tcase_add_test(batch, one_key_at_the_same_time_makes_one_reservation);
    tcase_add_loop_test(batch, a_key_used_twice_in_a_batch_is_a_repeat_in_the_next_turn_too, 0, 2);
    tcase_add_test(batch, a_key_that_another_instance_has_used_does_not_harm_those_it_is_served_with);
    tcase_add_test(batch, a_key_whose_request_was_refused_may_succeed_later);
    tcase_add_test(batch, keys_that_are_refused_together_are_looked_up_together_and_once);
    tcase_add_test(batch, who_is_served_together_does_not_wait_for_all_that_the_others_need);
    tcase_add_test(batch, a_release_of_one_reservation_sent_again_frees_nothing_more);
    tcase_add_test(batch, a_release_of_somebody_elses_reservation_finds_none_though_the_owner_has_sent_the_same);
    tcase_add_test(batch, keys_are_kept_for_a_day_and_then_purged);
    tcase_add_test(batch, expiring_takes_as_many_transactions_as_it_needs_and_counts_what_it_took);
    tcase_add_test(batch, while_the_time_is_in_doubt_nothing_is_taken_away_that_is_over_by_the_later_one_alone);
    tcase_add_test(batch, who_comes_behind_the_expiry_of_many_reservations_is_served_with_the_second_commit);
    tcase_add_test(batch, two_that_expire_many_reservations_take_turns_and_each_counts_its_own);
    tcase_add_test(batch, what_was_taken_away_is_counted_although_a_later_commit_fails);
    tcase_add_loop_test(
        batch, who_comes_behind_a_reserve_that_cannot_be_met_does_not_wait_until_all_that_has_expired_is_taken_away, 0,
        2);
    tcase_add_test(batch,
                   who_comes_behind_a_total_that_is_refused_does_not_wait_until_all_that_has_expired_is_taken_away);
    tcase_add_test(batch, a_reserve_that_can_be_met_is_met_before_those_who_came_later);
    tcase_add_test(batch, a_product_that_does_not_stand_still_is_read_with_its_lease);
    tcase_add_test(batch, a_picture_that_cannot_be_taken_is_no_failure_of_those_it_is_served_with);
    tcase_add_test(batch, a_record_that_cannot_be_read_is_no_failure_of_those_it_is_served_with);
    tcase_add_loop_test(batch, rows_that_cannot_be_read_are_no_failure_of_those_they_are_served_with, 0, 2);
    suite_add_tcase(suite, batch);
    return check_main(suite);
}
