#include "inventory/product_lane.h"

#include <stdio.h>

#include "support/check_main.h"
#include "support/clock_fake.h"
#include "support/function_app.h"
#include "support/process.h"

enum { LONG_MS = 60000, SHORT_MS = 30, THREADS = 8, ROUNDS = 200 };

static struct function_app app; /* for its leases */
static struct product_lanes lanes;
static struct error err;

static void open_lanes(const struct clock *clock, int64_t acquire_timeout_ms) {
    ck_assert_int_eq(product_lanes_init(&lanes, app.leases, clock, acquire_timeout_ms), STATUS_OK);
}

static void set_up(void) {
    function_app_start(&app, LONG_MS);
}

static void tear_down(void) {
    product_lanes_release(&lanes);
    function_app_stop(&app);
}

/* Stands still at the time that the leases' clock shows: deadlines pass between the two. */
static void stop_clock(struct clock_fake *clock) {
    clock_fake_init(clock, clock_now_ms(clock_system()), clock_wall_ms(clock_system()));
}

static size_t acquired(void) {
    return lease_store_fake_count(app.lease_service, FAKE_ACQUIRE);
}

/* A request on a thread of its own. */
struct visitor {
    pthread_t thread;
    enum status status;
    int place; /* the how-manieth turn it had, from 1 */
};

static int turns_given;

static void *visit(void *context) {
    struct visitor *visitor = context;
    struct product_turn turn;
    visitor->status = product_lane_enter(&lanes, "P", 0, &turn, NULL);
    if (visitor->status == STATUS_OK) {
        visitor->place = ++turns_given; /* no lock but the turn: ThreadSanitizer sees whether that is enough */
        product_lane_leave(&lanes, &turn);
    }
    return NULL;
}

static int waiting(void) {
    pthread_mutex_lock(&lanes.lock);
    int count = lanes.waiting;
    pthread_mutex_unlock(&lanes.lock);
    return count;
}

static void wait_until_waiting(int count) {
    int64_t deadline_ms = process_now_ms() + LONG_MS;
    while (waiting() != count) {
        ck_assert_int_lt(process_now_ms(), deadline_ms);
        sched_yield();
    }
}

static void start(struct visitor *visitor) {
    *visitor = (struct visitor){0};
    ck_assert_int_eq(pthread_create(&visitor->thread, NULL, visit, visitor), 0);
}

static enum status finish(struct visitor *visitor) {
    ck_assert_int_eq(pthread_join(visitor->thread, NULL), 0);
    return visitor->status;
}

START_TEST(turns_come_in_order_of_arrival_under_one_lease) {
    open_lanes(clock_system(), LONG_MS);
    struct clock_fake clock; /* stands still, so that the lease is never handed on for too long */
    stop_clock(&clock);
    lanes.clock = &clock.base;
    struct product_turn turn;
    struct visitor visitors[5];
    turns_given = 0;
    ck_assert_int_eq(product_lane_enter(&lanes, "P", 0, &turn, &err), STATUS_OK);
    for (int i = 0; i < 5; i++) {
        start(&visitors[i]);
        wait_until_waiting(i + 1);
    }
    product_lane_leave(&lanes, &turn);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(finish(&visitors[i]), STATUS_OK);
        ck_assert_int_eq(visitors[i].place, i + 1);
    }
    ck_assert_uint_eq(acquired(), 1);
    ck_assert_ptr_null(lanes.first);
}
END_TEST

START_TEST(a_lease_is_handed_on_for_a_second_and_no_longer) {
    struct clock_fake clock;
    stop_clock(&clock);
    open_lanes(&clock.base, LONG_MS);
    struct product_turn turn;
    struct visitor visitor;
    ck_assert_int_eq(product_lane_enter(&lanes, "P", 0, &turn, &err), STATUS_OK);
    start(&visitor);
    wait_until_waiting(1);
    clock_fake_advance(&clock, PRODUCT_LANE_TURN_MS - 1 + _i);
    int64_t left_ms = clock_now_ms(clock_system());
    product_lane_leave(&lanes, &turn);
    ck_assert_int_eq(finish(&visitor), STATUS_OK);
    if (_i == 1) { /* others have had time to come in between */
        int64_t again_ms = lease_store_fake_call(app.lease_service, FAKE_ACQUIRE, 1).at_ms;
        ck_assert_int_ge(again_ms - left_ms, PRODUCT_LANE_PAUSE_MS);
    }
    ck_assert_uint_eq(acquired(), _i == 0 ? 1 : 2);
}
END_TEST

START_TEST(products_do_not_wait_for_each_other) {
    open_lanes(clock_system(), LONG_MS);
    struct product_turn first, second;
    ck_assert_int_eq(product_lane_enter(&lanes, "P", 0, &first, &err), STATUS_OK);
    ck_assert_int_eq(product_lane_enter(&lanes, "p", 0, &second, &err), STATUS_OK);
    product_lane_leave(&lanes, &first);
    product_lane_leave(&lanes, &second);
}
END_TEST

START_TEST(a_turn_that_does_not_come_in_time_is_a_conflict) {
    open_lanes(clock_system(), SHORT_MS);
    struct product_turn turn, none;
    ck_assert_int_eq(product_lane_enter(&lanes, "P", 0, &turn, &err), STATUS_OK);
    ck_assert_int_eq(product_lane_enter(&lanes, "P", 0, &none, &err), STATUS_LEASE_CONFLICT);
    product_lane_leave(&lanes, &turn);
    ck_assert_int_eq(product_lane_enter(&lanes, "P", 0, &turn, &err), STATUS_OK);
    product_lane_leave(&lanes, &turn);
}
END_TEST

START_TEST(who_gave_up_waiting_does_not_stand_in_the_way) {
    open_lanes(clock_system(), LONG_MS);
    struct product_turn turn;
    struct visitor first, impatient, last;
    ck_assert_int_eq(product_lane_enter(&lanes, "P", 0, &turn, &err), STATUS_OK);
    if (_i == 1) {
        start(&first);
        wait_until_waiting(1);
    }
    lanes.acquire_timeout_ms = SHORT_MS;
    start(&impatient);
    ck_assert_int_eq(finish(&impatient), STATUS_LEASE_CONFLICT);
    lanes.acquire_timeout_ms = LONG_MS;
    start(&last);
    wait_until_waiting(1 + _i);
    product_lane_leave(&lanes, &turn);
    if (_i == 1) {
        ck_assert_int_eq(finish(&first), STATUS_OK);
    }
    ck_assert_int_eq(finish(&last), STATUS_OK);
}
END_TEST

START_TEST(a_lease_that_cannot_be_had_passes_the_turn_on) {
    open_lanes(clock_system(), LONG_MS);
    lease_store_fake_hold(app.lease_service, FAKE_ACQUIRE, true);
    struct visitor first, second;
    start(&first);
    lease_store_fake_wait(app.lease_service, FAKE_ACQUIRE, 1);
    start(&second);
    wait_until_waiting(1);
    lease_store_fake_answer(app.lease_service, FAKE_ACQUIRE, STATUS_UNAUTHORIZED);
    lease_store_fake_answer(app.lease_service, FAKE_ACQUIRE, STATUS_OK);
    ck_assert_int_eq(finish(&first), STATUS_UNAUTHORIZED);
    ck_assert_int_eq(finish(&second), STATUS_OK);
    lease_store_fake_hold(app.lease_service, FAKE_ACQUIRE, false);
}
END_TEST

START_TEST(closing_sends_everybody_away_who_waits) {
    open_lanes(clock_system(), LONG_MS);
    struct product_turn turn;
    struct visitor visitors[3];
    ck_assert_int_eq(product_lane_enter(&lanes, "P", 0, &turn, &err), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        start(&visitors[i]);
    }
    wait_until_waiting(3);
    product_lanes_close(&lanes);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(finish(&visitors[i]), STATUS_CANCELLED);
    }
    struct product_turn none;
    ck_assert_int_eq(product_lane_enter(&lanes, "Q", 0, &none, &err), STATUS_CANCELLED);
    product_lane_leave(&lanes, &turn);
}
END_TEST

static pthread_barrier_t barrier;

static void *visit_often(void *context) {
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < ROUNDS; i++) {
        visit(context);
        ck_assert_int_eq(((struct visitor *)context)->status, STATUS_OK);
    }
    return NULL;
}

START_TEST(no_two_have_a_turn_at_once) {
    open_lanes(clock_system(), LONG_MS);
    struct visitor visitors[THREADS];
    turns_given = 0;
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&visitors[i].thread, NULL, visit_often, &visitors[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(visitors[i].thread, NULL), 0);
    }
    pthread_barrier_destroy(&barrier);
    ck_assert_int_eq(turns_given, THREADS * ROUNDS);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("product_lane");
    TCase *lane = tcase_create("lane");
    tcase_add_checked_fixture(lane, set_up, tear_down);
    tcase_add_test(lane, turns_come_in_order_of_arrival_under_one_lease);
    tcase_add_loop_test(lane, a_lease_is_handed_on_for_a_second_and_no_longer, 0, 2);
    tcase_add_test(lane, products_do_not_wait_for_each_other);
    tcase_add_test(lane, a_turn_that_does_not_come_in_time_is_a_conflict);
    tcase_add_loop_test(lane, who_gave_up_waiting_does_not_stand_in_the_way, 0, 2);
    tcase_add_test(lane, a_lease_that_cannot_be_had_passes_the_turn_on);
    tcase_add_test(lane, closing_sends_everybody_away_who_waits);
    tcase_add_test(lane, no_two_have_a_turn_at_once);
    suite_add_tcase(suite, lane);
    return check_main(suite);
}
