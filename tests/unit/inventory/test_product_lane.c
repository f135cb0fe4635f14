/*
 * test_product_lane.c - who is served with whom, under which lease, and in which order.
 *
 * serve notes each turn; it waits at a gate while that is shut, so that others queue up behind it.
 */
#include "inventory/product_lane.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "support/check_main.h"
#include "support/clock_fake.h"
#include "support/function_app.h"
#include "support/process.h"

enum { LONG_MS = 60000, SHORT_MS = 30, THREADS = 8, ROUNDS = 200, MAX_TURNS = 4096, MAX_LIMIT = 1000, TRIES = 4 };

/* A request on a thread of its own. */
struct visitor {
    struct lane_entry entry; /* first */
    pthread_t thread;
    const char *product;
    bool has_more; /* its first turn does not end it: it steps back */
    enum status status;
    int turn;  /* in which turn it was served, from 1 */
    int place; /* the how-manieth of all that were served, from 1 */
};

static struct function_app app; /* for its leases */
static struct product_lanes lanes;

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static bool gate_is_shut;
static int tickets;    /* turns that may pass though it is shut */
static int at_gate;    /* turns that have come to it, open or shut */
static int turn_count; /* what follows has no lock but the turn: ThreadSanitizer sees whether that is enough */
static int served_count;
static int limit; /* how many a turn serves */
static bool was_fresh[MAX_TURNS], meets_others;
static char lease_ids[MAX_TURNS][UUID_TEXT_BYTES];

static void pass_gate(void) {
    pthread_mutex_lock(&gate_lock);
    at_gate++;
    pthread_cond_broadcast(&gate_changed);
    while (gate_is_shut && tickets == 0) {
        pthread_cond_wait(&gate_changed, &gate_lock);
    }
    tickets -= gate_is_shut;
    pthread_mutex_unlock(&gate_lock);
}

static void serve(void *context, struct product_turn *turn) {
    (void)context;
    pass_gate();
    if (strcmp(turn->product_id, "P") != 0) { /* the notes are those of one lane: others run beside it */
        TAILQ_FIRST(&turn->entries)->served = true;
        return;
    }
    was_fresh[turn_count] = turn->is_fresh;
    snprintf(lease_ids[turn_count], UUID_TEXT_BYTES, "%s", lease_id(turn->lease));
    turn_count++;
    int served = 0;
    struct lane_entry *entry;
    TAILQ_FOREACH(entry, &turn->entries, link) {
        struct visitor *visitor = (struct visitor *)entry;
        entry->steps_back = visitor->has_more;
        visitor->has_more = false;
        if (!entry->steps_back && served++ < limit) {
            entry->served = true;
            visitor->turn = turn_count;
            visitor->place = ++served_count;
        }
    }
    turn->is_fresh = true;
    turn->met_others = meets_others;
}

static void set_gate(bool shut) {
    pthread_mutex_lock(&gate_lock);
    gate_is_shut = shut;
    pthread_cond_broadcast(&gate_changed);
    pthread_mutex_unlock(&gate_lock);
}

static void let_one_pass(void) {
    pthread_mutex_lock(&gate_lock);
    tickets++;
    pthread_cond_broadcast(&gate_changed);
    pthread_mutex_unlock(&gate_lock);
}

static void wait_at_gate(int count) {
    pthread_mutex_lock(&gate_lock);
    while (at_gate < count) {
        pthread_cond_wait(&gate_changed, &gate_lock);
    }
    pthread_mutex_unlock(&gate_lock);
}

static void open_lanes(const struct clock *clock, int64_t acquire_timeout_ms) {
    ck_assert_int_eq(product_lanes_init(&lanes, app.leases, clock, acquire_timeout_ms, serve, NULL), STATUS_OK);
}

static void set_up(void) {
    function_app_start(&app, LONG_MS);
    gate_is_shut = meets_others = false;
    at_gate = tickets = turn_count = served_count = 0;
    limit = MAX_LIMIT;
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

static void *visit(void *context) {
    struct visitor *visitor = context;
    visitor->entry = (struct lane_entry){.served = false};
    visitor->status = product_lane_run(&lanes, visitor->product, 0, &visitor->entry, NULL);
    return NULL;
}

static void wait_until_queued(int count) {
    int64_t deadline_ms = process_now_ms() + LONG_MS;
    int queued;
    do {
        ck_assert_int_lt(process_now_ms(), deadline_ms);
        sched_yield();
        pthread_mutex_lock(&lanes.lock);
        queued = lanes.queued_count;
        pthread_mutex_unlock(&lanes.lock);
    } while (queued != count);
}

static void start_at(struct visitor *visitor, const char *product) {
    *visitor = (struct visitor){.product = product};
    ck_assert_int_eq(pthread_create(&visitor->thread, NULL, visit, visitor), 0);
}

static void start(struct visitor *visitor) {
    start_at(visitor, "P");
}

static enum status finish(struct visitor *visitor) {
    ck_assert_int_eq(pthread_join(visitor->thread, NULL), 0);
    return visitor->status;
}

/* One is being served, at the gate; `count` more queue up behind it in order. */
static void queue_behind(struct visitor *first, struct visitor *others, int count) {
    set_gate(true);
    start(first);
    wait_at_gate(1);
    for (int i = 0; i < count; i++) {
        start(&others[i]);
        wait_until_queued(i + 1);
    }
}

START_TEST(those_who_wait_together_are_served_together_in_order_of_arrival_under_one_lease) {
    struct clock_fake clock; /* stands still, so that the lease is never handed on for too long */
    stop_clock(&clock);
    open_lanes(&clock.base, LONG_MS);
    struct visitor first, others[5];
    queue_behind(&first, others, 5);
    set_gate(false);
    ck_assert_int_eq(finish(&first), STATUS_OK);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(finish(&others[i]), STATUS_OK);
        ck_assert_int_eq(others[i].turn, 2);
        ck_assert_int_eq(others[i].place, i + 2);
    }
    ck_assert_uint_eq(acquired(), 1);
    ck_assert(!was_fresh[0] && was_fresh[1]);
}
END_TEST

START_TEST(who_does_not_fit_into_a_batch_stands_at_the_front_of_the_next) {
    struct clock_fake clock;
    stop_clock(&clock);
    open_lanes(&clock.base, LONG_MS);
    struct visitor first, others[5];
    limit = 2;
    queue_behind(&first, others, 5);
    set_gate(false);
    ck_assert_int_eq(finish(&first), STATUS_OK);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(finish(&others[i]), STATUS_OK);
        ck_assert_int_eq(others[i].turn, 2 + i / 2);
        ck_assert_int_eq(others[i].place, i + 2);
    }
}
END_TEST

/* The first has its first turn with one behind it, and steps back; meanwhile another has come. */
START_TEST(who_steps_back_stands_behind_all_who_have_come_meanwhile_under_the_same_lease) {
    struct clock_fake clock;
    stop_clock(&clock);
    open_lanes(&clock.base, LONG_MS);
    struct visitor first, others[3];
    limit = 1;
    queue_behind(&first, others, 3);
    others[0].has_more = true; /* it is in the queue: nobody looks yet */
    let_one_pass();
    ck_assert_int_eq(finish(&first), STATUS_OK);
    wait_at_gate(2);
    struct visitor last;
    start(&last);
    wait_until_queued(1);
    set_gate(false);
    static const int places[] = {5, 2, 3};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(finish(&others[i]), STATUS_OK);
        ck_assert_int_eq(others[i].place, places[i]);
    }
    ck_assert_int_eq(finish(&last), STATUS_OK);
    ck_assert_int_eq(last.place, 4);
    ck_assert_uint_eq(acquired(), 1);
}
END_TEST

/* The run is over with the first turn, so the other has to ask for the lease: meanwhile the time of who stepped back runs out. */
START_TEST(who_has_stepped_back_waits_no_longer_than_anybody) {
    struct clock_fake clock;
    stop_clock(&clock);
    open_lanes(&clock.base, SHORT_MS);
    struct visitor first, other;
    queue_behind(&first, NULL, 0);
    first.has_more = true;
    lanes.acquire_timeout_ms = LONG_MS;
    start(&other);
    wait_until_queued(1);
    lease_store_fake_hold(app.lease_service, FAKE_ACQUIRE, true);
    clock_fake_advance(&clock, PRODUCT_LANE_TURN_MS);
    let_one_pass();
    ck_assert_int_eq(finish(&first), STATUS_LEASE_CONFLICT);
    lease_store_fake_answer(app.lease_service, FAKE_ACQUIRE, STATUS_OK);
    lease_store_fake_hold(app.lease_service, FAKE_ACQUIRE, false);
    set_gate(false);
    ck_assert_int_eq(finish(&other), STATUS_OK);
    ck_assert_int_eq(turn_count, 2);
}
END_TEST

START_TEST(answers_come_before_the_lease_is_given_back) {
    open_lanes(clock_system(), LONG_MS);
    struct visitor visitor;
    lease_store_fake_hold(app.lease_service, FAKE_RELEASE, true);
    start(&visitor);
    ck_assert_int_eq(finish(&visitor), STATUS_OK);
    ck_assert(lease_store_fake_is_leased(app.lease_service, "inventory-P"));
    lease_store_fake_wait(app.lease_service, FAKE_RELEASE, 1);
    lease_store_fake_hold(app.lease_service, FAKE_RELEASE, false);
    lease_store_fake_answer(app.lease_service, FAKE_RELEASE, STATUS_OK);
}
END_TEST

/* _i 0: a millisecond before the turn is over, 1: at its end. */
START_TEST(a_lease_is_handed_on_for_a_second_and_no_longer) {
    struct clock_fake clock;
    stop_clock(&clock);
    open_lanes(&clock.base, LONG_MS);
    struct visitor first, next;
    queue_behind(&first, &next, 1);
    clock_fake_advance(&clock, PRODUCT_LANE_TURN_MS - 1 + _i);
    set_gate(false);
    ck_assert_int_eq(finish(&first), STATUS_OK);
    ck_assert_int_eq(finish(&next), STATUS_OK);
    ck_assert_int_eq(strcmp(lease_ids[0], lease_ids[1]) == 0, _i == 0);
    ck_assert_int_eq(was_fresh[1], _i == 0);
    ck_assert_uint_eq(acquired(), _i == 0 ? 1 : 2);
}
END_TEST

START_TEST(a_leader_that_is_not_served_yet_gives_the_lease_back_when_its_turn_is_over) {
    struct clock_fake clock;
    stop_clock(&clock);
    open_lanes(&clock.base, LONG_MS);
    struct visitor visitor;
    limit = 0;
    queue_behind(&visitor, NULL, 0);
    clock_fake_advance(&clock, PRODUCT_LANE_TURN_MS - 1 + _i);
    let_one_pass();
    wait_at_gate(2);
    limit = MAX_LIMIT;
    set_gate(false);
    ck_assert_int_eq(finish(&visitor), STATUS_OK);
    ck_assert_int_eq(visitor.turn, 2);
    ck_assert_uint_eq(acquired(), _i == 0 ? 1 : 2);
}
END_TEST

/* How long after the first lease was asked for the second was, the first turn having ended by time. */
static int64_t gap_between_leases_ms(void) {
    struct clock_fake clock;
    stop_clock(&clock);
    open_lanes(&clock.base, LONG_MS);
    struct visitor first, next;
    at_gate = 0;
    queue_behind(&first, &next, 1);
    clock_fake_advance(&clock, PRODUCT_LANE_TURN_MS);
    int64_t opened_ms = clock_now_ms(clock_system());
    set_gate(false);
    ck_assert_int_eq(finish(&first), STATUS_OK);
    ck_assert_int_eq(finish(&next), STATUS_OK);
    return lease_store_fake_call(app.lease_service, FAKE_ACQUIRE, acquired() - 1).at_ms - opened_ms;
}

START_TEST(where_others_were_met_they_get_a_pause_to_come_in) {
    meets_others = true;
    ck_assert_int_ge(gap_between_leases_ms(), PRODUCT_LANE_PAUSE_MS);
}
END_TEST

/* A machine under load makes a gap of its own now and then, but not each time. */
START_TEST(where_nobody_else_was_met_there_is_no_pause) {
    int64_t gap_ms = gap_between_leases_ms();
    for (int i = 0; i < TRIES && gap_ms >= PRODUCT_LANE_PAUSE_MS; i++) {
        product_lanes_release(&lanes);
        gap_ms = gap_between_leases_ms();
    }
    ck_assert_int_lt(gap_ms, PRODUCT_LANE_PAUSE_MS);
}
END_TEST

START_TEST(others_that_nobody_has_met_get_a_pause_each_few_turns) {
    struct clock_fake clock;
    stop_clock(&clock);
    open_lanes(&clock.base, LONG_MS);
    struct visitor visitors[PRODUCT_LANE_PROBE_TURNS + 1];
    int64_t begun_ms = clock_now_ms(clock_system());
    limit = 1;
    queue_behind(&visitors[0], &visitors[1], PRODUCT_LANE_PROBE_TURNS);
    for (int i = 0; i <= PRODUCT_LANE_PROBE_TURNS; i++) {
        wait_at_gate(i + 1);
        clock_fake_advance(&clock, PRODUCT_LANE_TURN_MS);
        let_one_pass();
        ck_assert_int_eq(finish(&visitors[i]), STATUS_OK);
    }
    ck_assert_uint_eq(acquired(), PRODUCT_LANE_PROBE_TURNS + 1);
    ck_assert_int_ge(clock_now_ms(clock_system()) - begun_ms, PRODUCT_LANE_PAUSE_MS);
}
END_TEST

/* Callers come one after the other, each `break_ms` after the last: how long the slowest of them took, until a run must be over. */
static int64_t slowest_visit_ms(struct clock_fake *clock, int64_t break_ms) {
    struct visitor visitor = {.product = "P"};
    int64_t slowest_ms = 0;
    for (int64_t passed_ms = 0; passed_ms < PRODUCT_LANE_TURN_MS + PRODUCT_LANE_PAUSE_MS; passed_ms += break_ms) {
        int64_t begun_ms = clock_now_ms(clock_system());
        visit(&visitor);
        ck_assert_int_eq(visitor.status, STATUS_OK);
        int64_t took_ms = clock_now_ms(clock_system()) - begun_ms;
        slowest_ms = took_ms > slowest_ms ? took_ms : slowest_ms;
        clock_fake_advance(clock, break_ms);
    }
    return slowest_ms;
}

START_TEST(a_run_goes_on_over_moments_in_which_nobody_asks) {
    struct clock_fake clock;
    stop_clock(&clock);
    open_lanes(&clock.base, LONG_MS);
    meets_others = true;
    ck_assert_int_ge(slowest_visit_ms(&clock, PRODUCT_LANE_PAUSE_MS - 1), PRODUCT_LANE_PAUSE_MS);
}
END_TEST

START_TEST(a_run_ends_with_a_break_that_is_long_enough_for_others_to_come_in) {
    struct clock_fake clock;
    stop_clock(&clock);
    open_lanes(&clock.base, LONG_MS);
    meets_others = true;
    int64_t slowest_ms = PRODUCT_LANE_PAUSE_MS;
    for (int i = 0; i < TRIES && slowest_ms >= PRODUCT_LANE_PAUSE_MS; i++) {
        slowest_ms = slowest_visit_ms(&clock, PRODUCT_LANE_PAUSE_MS);
    }
    ck_assert_int_lt(slowest_ms, PRODUCT_LANE_PAUSE_MS);
}
END_TEST

START_TEST(products_do_not_wait_for_each_other) {
    open_lanes(clock_system(), LONG_MS);
    struct visitor first, second;
    set_gate(true);
    start_at(&first, "P");
    start_at(&second, "p");
    wait_at_gate(2);
    set_gate(false);
    ck_assert_int_eq(finish(&first), STATUS_OK);
    ck_assert_int_eq(finish(&second), STATUS_OK);
}
END_TEST

START_TEST(a_turn_that_does_not_come_in_time_is_a_conflict) {
    open_lanes(clock_system(), SHORT_MS);
    struct visitor first, impatient;
    queue_behind(&first, &impatient, 0);
    start(&impatient);
    ck_assert_int_eq(finish(&impatient), STATUS_LEASE_CONFLICT);
    set_gate(false);
    ck_assert_int_eq(finish(&first), STATUS_OK);
    ck_assert_int_eq(turn_count, 1);
}
END_TEST

START_TEST(who_gave_up_waiting_does_not_stand_in_the_way) {
    open_lanes(clock_system(), LONG_MS);
    struct visitor first, next, impatient, last;
    queue_behind(&first, &next, _i);
    lanes.acquire_timeout_ms = SHORT_MS;
    start(&impatient);
    ck_assert_int_eq(finish(&impatient), STATUS_LEASE_CONFLICT);
    lanes.acquire_timeout_ms = LONG_MS;
    start(&last);
    wait_until_queued(1 + _i);
    set_gate(false);
    ck_assert_int_eq(finish(&first), STATUS_OK);
    if (_i == 1) {
        ck_assert_int_eq(finish(&next), STATUS_OK);
    }
    ck_assert_int_eq(finish(&last), STATUS_OK);
}
END_TEST

/* The first asks for the lease, the second waits behind it. */
static void ask_and_wait(struct visitor *first, struct visitor *second) {
    open_lanes(clock_system(), LONG_MS);
    lease_store_fake_hold(app.lease_service, FAKE_ACQUIRE, true);
    start(first);
    lease_store_fake_wait(app.lease_service, FAKE_ACQUIRE, 1);
    start(second);
    wait_until_queued(2);
}

START_TEST(storage_that_fails_fails_all_who_wait_for_the_lease) {
    struct visitor first, second;
    ask_and_wait(&first, &second);
    lease_store_fake_answer(app.lease_service, FAKE_ACQUIRE, STATUS_UNAUTHORIZED);
    ck_assert_int_eq(finish(&first), STATUS_UNAUTHORIZED);
    ck_assert_int_eq(finish(&second), STATUS_UNAUTHORIZED);
    ck_assert_uint_eq(acquired(), 1);
    ck_assert_int_eq(turn_count, 0);
    lease_store_fake_hold(app.lease_service, FAKE_ACQUIRE, false);
}
END_TEST

START_TEST(a_leader_whose_time_is_over_leaves_the_lead_to_the_next) {
    open_lanes(clock_system(), SHORT_MS);
    lease_store_fake_set_holder(app.lease_service, "inventory-P", "somebody");
    struct visitor first, second;
    start(&first);
    lease_store_fake_wait(app.lease_service, FAKE_ACQUIRE, 1);
    pthread_mutex_lock(&lanes.lock);
    lanes.acquire_timeout_ms = LONG_MS;
    pthread_mutex_unlock(&lanes.lock);
    start(&second);
    ck_assert_int_eq(finish(&first), STATUS_LEASE_CONFLICT);
    lease_store_fake_set_holder(app.lease_service, "inventory-P", "");
    ck_assert_int_eq(finish(&second), STATUS_OK);
}
END_TEST

/* For a lease that somebody else has, with these settings. */
static void ask_in_vain(int64_t retry_ms, int64_t timeout_ms) {
    app.lease_options.acquire_retry_ms = retry_ms;
    open_lanes(clock_system(), timeout_ms);
    lease_store_fake_set_holder(app.lease_service, "inventory-P", "somebody");
    struct visitor visitor;
    start(&visitor);
    ck_assert_int_eq(finish(&visitor), STATUS_LEASE_CONFLICT);
}

/* How long after the first try that one was made. */
static int64_t asked_after_ms(size_t index) {
    return lease_store_fake_call(app.lease_service, FAKE_ACQUIRE, index).at_ms -
           lease_store_fake_call(app.lease_service, FAKE_ACQUIRE, 0).at_ms;
}

START_TEST(who_has_waited_for_long_asks_more_often) {
    enum { PATIENT_MS = PRODUCT_LANE_TURN_MS + PRODUCT_LANE_PAUSE_MS, TIMEOUT_MS = 3000, WAIT_MS = 50 };
    ask_in_vain(WAIT_MS, TIMEOUT_MS);
    int64_t shortest_ms = TIMEOUT_MS, longest_ms = 0;
    for (size_t i = 1; i + 1 < acquired(); i++) {
        bool is_late = asked_after_ms(i - 1) >= PATIENT_MS;
        int64_t gap_ms = asked_after_ms(i) - asked_after_ms(i - 1);
        ck_assert_int_ge(gap_ms, WAIT_MS);
        shortest_ms = is_late ? clock_min_ms(gap_ms, shortest_ms) : shortest_ms;
        longest_ms = is_late ? longest_ms : clock_max_ms(gap_ms, longest_ms);
    }
    ck_assert_int_ge(longest_ms, 200);
    ck_assert_int_lt(shortest_ms, 2 * WAIT_MS);
}
END_TEST

START_TEST(nobody_asks_sooner_than_after_the_interval_however_long_it_is) {
    enum { TIMEOUT_MS = 2500, WAIT_MS = 1000 };
    ask_in_vain(WAIT_MS, TIMEOUT_MS);
    ck_assert_uint_eq(acquired(), 4); /* the last wait is cut */
    for (size_t i = 1; i + 1 < acquired(); i++) {
        ck_assert_int_ge(asked_after_ms(i) - asked_after_ms(i - 1), WAIT_MS);
    }
    ck_assert_int_gt(asked_after_ms(3), TIMEOUT_MS - WAIT_MS / 4);
}
END_TEST

START_TEST(closing_sends_everybody_away_who_waits_and_lets_a_batch_end) {
    open_lanes(clock_system(), LONG_MS);
    struct visitor first, others[3], late;
    queue_behind(&first, others, 3);
    product_lanes_close(&lanes);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(finish(&others[i]), STATUS_CANCELLED);
    }
    start_at(&late, "Q");
    ck_assert_int_eq(finish(&late), STATUS_CANCELLED);
    set_gate(false);
    ck_assert_int_eq(finish(&first), STATUS_OK);
}
END_TEST

START_TEST(what_is_known_of_a_product_is_kept_between_turns_for_the_last_so_many) {
    open_lanes(clock_system(), LONG_MS);
    struct visitor visitor = {.product = "P"};
    char name[32];
    for (int i = 0; i <= PRODUCT_LANE_MAX_IDLE; i++) {
        visit(&visitor);
        ck_assert_int_eq(lanes.idle_count, i < PRODUCT_LANE_MAX_IDLE ? i + 1 : PRODUCT_LANE_MAX_IDLE);
        snprintf(name, sizeof name, "Q%d", i);
        visitor.product = name;
    }
    visitor.product = "Q0"; /* known: no new lane */
    visit(&visitor);
    ck_assert_int_eq(visitor.status, STATUS_OK);
    ck_assert_int_eq(lanes.idle_count, PRODUCT_LANE_MAX_IDLE);
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

START_TEST(no_two_have_a_turn_at_once_and_all_are_served) {
    open_lanes(clock_system(), LONG_MS);
    struct visitor visitors[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        visitors[i] = (struct visitor){.product = "P"};
        ck_assert_int_eq(pthread_create(&visitors[i].thread, NULL, visit_often, &visitors[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(visitors[i].thread, NULL), 0);
    }
    pthread_barrier_destroy(&barrier);
    ck_assert_int_eq(served_count, THREADS * ROUNDS);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("product_lane");
    TCase *lane = tcase_create("lane");
    tcase_add_checked_fixture(lane, set_up, tear_down);
    tcase_add_test(lane, those_who_wait_together_are_served_together_in_order_of_arrival_under_one_lease);
    tcase_add_test(lane, who_does_not_fit_into_a_batch_stands_at_the_front_of_the_next);
    tcase_add_test(lane, who_steps_back_stands_behind_all_who_have_come_meanwhile_under_the_same_lease);
    tcase_add_test(lane, who_has_stepped_back_waits_no_longer_than_anybody);
    tcase_add_test(lane, answers_come_before_the_lease_is_given_back);
    tcase_add_loop_test(lane, a_lease_is_handed_on_for_a_second_and_no_longer, 0, 2);
    tcase_add_loop_test(lane, a_leader_that_is_not_served_yet_gives_the_lease_back_when_its_turn_is_over, 0, 2);
    tcase_add_test(lane, where_others_were_met_they_get_a_pause_to_come_in);
    tcase_add_test(lane, where_nobody_else_was_met_there_is_no_pause);
    tcase_add_test(lane, others_that_nobody_has_met_get_a_pause_each_few_turns);
    tcase_add_test(lane, a_run_goes_on_over_moments_in_which_nobody_asks);
    tcase_add_test(lane, a_run_ends_with_a_break_that_is_long_enough_for_others_to_come_in);
    tcase_add_test(lane, products_do_not_wait_for_each_other);
    tcase_add_test(lane, a_turn_that_does_not_come_in_time_is_a_conflict);
    tcase_add_loop_test(lane, who_gave_up_waiting_does_not_stand_in_the_way, 0, 2);
    tcase_add_test(lane, storage_that_fails_fails_all_who_wait_for_the_lease);
    tcase_add_test(lane, a_leader_whose_time_is_over_leaves_the_lead_to_the_next);
    tcase_add_test(lane, who_has_waited_for_long_asks_more_often);
    tcase_add_test(lane, nobody_asks_sooner_than_after_the_interval_however_long_it_is);
    tcase_add_test(lane, closing_sends_everybody_away_who_waits_and_lets_a_batch_end);
    tcase_add_test(lane, what_is_known_of_a_product_is_kept_between_turns_for_the_last_so_many);
    tcase_add_test(lane, no_two_have_a_turn_at_once_and_all_are_served);
    suite_add_tcase(suite, lane);
    return check_main(suite);
}
