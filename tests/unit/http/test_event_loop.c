#include "http/event_loop.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/fakes/clock_fake.h"
#include "support/processes/check_main.h"

static struct clock_fake the_clock;
static struct event_loop *loop;
static struct error err;

/* One letter for each callback that ran, in order. It is read after `over` is posted. */
static char ran[64];
static sem_t over;

static void set_up(void) {
    clock_fake_init(&the_clock, 1000, 0);
    ck_assert_int_eq(event_loop_new(&loop, &the_clock.base, &err), STATUS_OK);
    memset(ran, 0, sizeof ran);
    sem_init(&over, 0, 0);
}

static void tear_down(void) {
    event_loop_stop(loop);
    event_loop_free(loop);
    sem_destroy(&over);
}

static void start(void) {
    ck_assert_int_eq(event_loop_start(loop, &err), STATUS_OK);
}

static void note_letter(char letter) {
    size_t length = strlen(ran);
    if (length + 1 < sizeof ran) {
        ran[length] = letter;
    }
}

static void note(void *context) {
    note_letter(*(const char *)context);
}

static void end(void *context) {
    (void)context;
    sem_post(&over);
}

/* Waits until everything that was posted before has run. */
static void wait_for_tasks(void) {
    struct loop_task last = {.run = end};
    event_loop_post(loop, &last);
    while (sem_wait(&over) != 0) {
    }
}

static struct loop_task task(const char *letter) {
    return (struct loop_task){.run = note, .context = (void *)(uintptr_t)letter};
}

static struct loop_timer timer(const char *letter) {
    return (struct loop_timer){.fired = note, .context = (void *)(uintptr_t)letter};
}

START_TEST(tasks_run_in_the_order_in_which_they_were_posted) {
    struct loop_task a = task("a"), b = task("b"), c = task("c");
    event_loop_post(loop, &a);
    event_loop_post(loop, &b);
    start();
    event_loop_post(loop, &c);
    wait_for_tasks();
    ck_assert_str_eq(ran, "abc");
}
END_TEST

static void post_again(void *context) {
    static int left;
    struct loop_task *self = context;
    strcat(ran, "x");
    if (strlen(ran) == 1) {
        left = 3;
    }
    if (--left > 0) {
        event_loop_post(loop, self);
    } else {
        end(NULL);
    }
}

START_TEST(a_task_may_post_itself) {
    struct loop_task self = {.run = post_again};
    self.context = &self;
    start();
    event_loop_post(loop, &self);
    while (sem_wait(&over) != 0) {
    }
    ck_assert_str_eq(ran, "xxx");
}
END_TEST

START_TEST(what_was_posted_before_the_end_runs) {
    struct loop_task a = task("a");
    start();
    event_loop_post(loop, &a);
    event_loop_stop(loop);
    ck_assert_str_eq(ran, "a");
}
END_TEST

START_TEST(a_timer_fires_at_its_time_and_not_a_millisecond_before) {
    struct loop_timer late = timer("l"), soon = timer("s");
    event_loop_set_timer(loop, &late, 1010);
    event_loop_set_timer(loop, &soon, 1005);
    start();
    clock_fake_advance(&the_clock, 4);
    wait_for_tasks(),
        wait_for_tasks(); /* the timers of the first round come before the tasks of the second */
    ck_assert_str_eq(ran, "");
    clock_fake_advance(&the_clock, 1);
    wait_for_tasks(), wait_for_tasks();
    ck_assert_str_eq(ran, "s");
    clock_fake_advance(&the_clock, 5);
    wait_for_tasks(), wait_for_tasks();
    ck_assert_str_eq(ran, "sl");
}
END_TEST

START_TEST(times_at_both_ends_of_the_range_are_times) {
    struct loop_timer first = timer("f"), last = timer("l");
    event_loop_set_timer(loop, &last, INT64_MAX);
    event_loop_set_timer(loop, &first, INT64_MIN);
    start();
    event_loop_stop(loop); /* `last` is queued until then */
    ck_assert_str_eq(ran, "f");
}
END_TEST

START_TEST(a_timer_that_was_stopped_does_not_fire) {
    struct loop_timer a = timer("a"), b = timer("b");
    event_loop_set_timer(loop, &a, 1000);
    event_loop_set_timer(loop, &b, 1000);
    event_loop_stop_timer(loop, &a);
    start();
    wait_for_tasks(), wait_for_tasks();
    ck_assert_str_eq(ran, "b");
}
END_TEST

static struct loop_timer again;

static void set_again(void *context) {
    (void)context;
    if (strcmp(ran, "ab") != 0) {
        event_loop_set_timer(loop, &again, INT64_MIN); /* due at once, each time */
    }
}

START_TEST(a_timer_that_is_always_due_does_not_keep_tasks_from_running) {
    again = (struct loop_timer){.fired = set_again};
    event_loop_set_timer(loop, &again, 0);
    struct loop_task a = task("a"), b = task("b");
    event_loop_post(loop, &a);
    start();
    wait_for_tasks();
    event_loop_post(loop, &b);
    event_loop_stop(loop);
    ck_assert_str_eq(ran, "ab");
}
END_TEST

static struct loop_timer next;

static void set_next(void *context) {
    (void)context;
    event_loop_set_timer(loop, &next, clock_now_ms(&the_clock.base));
}

/*
 * Storage requests start like this: the timer is due, its round is over, and nothing else happens.
 */
START_TEST(a_timer_that_is_set_by_another_and_due_does_not_let_the_loop_sleep) {
    struct loop_timer first = {.fired = set_next};
    next = (struct loop_timer){.fired = end};
    event_loop_set_timer(loop, &first, 1000);
    start();
    while (sem_wait(&over) != 0) {
    }
}
END_TEST

/* Uses the system's clock, so that the timer's descriptor wakes the loop. */
START_TEST(a_sleeping_loop_wakes_for_its_timer) {
    event_loop_free(loop);
    ck_assert_int_eq(event_loop_new(&loop, clock_system(), &err), STATUS_OK);
    struct loop_timer last = {.fired = end};
    int64_t begun_ms = clock_now_ms(clock_system());
    event_loop_set_timer(loop, &last, begun_ms + 30);
    start();
    while (sem_wait(&over) != 0) {
    }
    ck_assert_int_ge(clock_now_ms(clock_system()), begun_ms + 30);
}
END_TEST

static void on_ready(void *context, unsigned events) {
    struct loop_source *source = context;
    note_letter((events & LOOP_READABLE) != 0 ? 'r' : '?');
    event_loop_unwatch(loop, source);
    end(NULL);
}

static void await_end(void) {
    while (sem_wait(&over) != 0) {
    }
}

static struct loop_timer follower;

static void set_follower(void *context) {
    (void)context;
    event_loop_set_timer(loop, &follower, clock_now_ms(&the_clock.base));
}

/* The alarm is still set to the time of the first timer, an hour away by real time. */
START_TEST(a_timer_that_is_due_at_once_fires_after_the_clock_was_moved) {
    struct loop_timer first = {.fired = set_follower};
    follower = (struct loop_timer){.fired = end};
    event_loop_set_timer(loop, &first, 1000 + 3600000);
    start();
    wait_for_tasks();
    clock_fake_wake(&the_clock, loop);
    clock_fake_advance(&the_clock, 3600000);
    await_end();
}
END_TEST

START_TEST(a_source_is_notified_that_its_descriptor_is_ready) {
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    struct loop_source source = {.fd = ends[0], .ready = on_ready, .context = &source};
    ck_assert(event_loop_watch(loop, &source, LOOP_READABLE));
    start();
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    await_end();
    ck_assert_str_eq(ran, "r");
    close(ends[0]), close(ends[1]);
}
END_TEST

static struct loop_source pair[2];

/* The source that is called first takes the other one away. */
static void take_other_away(void *context, unsigned events) {
    (void)events;
    event_loop_unwatch(loop, context == &pair[0] ? &pair[1] : &pair[0]);
    event_loop_unwatch(loop, context);
    note_letter('r');
}

START_TEST(a_source_that_was_taken_away_in_the_same_round_is_not_notified) {
    int ends[2][2];
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pipe(ends[i]), 0);
        ck_assert_int_eq(write(ends[i][1], "x", 1), 1);
        pair[i] =
            (struct loop_source){.fd = ends[i][0], .ready = take_other_away, .context = &pair[i]};
        ck_assert(event_loop_watch(loop, &pair[i], LOOP_READABLE));
    }
    start();
    wait_for_tasks(), wait_for_tasks(); /* both are ready in the first round */
    ck_assert_str_eq(ran, "r");
    for (int i = 0; i < 2; i++) {
        close(ends[i][0]), close(ends[i][1]);
    }
}
END_TEST

static void tell_what(void *context, unsigned events) {
    (void)context;
    const char *letter = (events & LOOP_PEER_ENDED) != 0 ? "e"
                         : (events & LOOP_WRITABLE) != 0 ? "w"
                                                         : "?";
    note_letter(*letter);
    end(NULL);
}

/* Runs on the loop's thread, so that its effects follow earlier reads. */
static void end_peer(void *context) {
    shutdown(*(int *)context, SHUT_WR);
}

START_TEST(an_edge_triggered_change_is_reported_once) {
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    struct loop_source source = {.fd = ends[0], .ready = tell_what};
    struct loop_task ending = {.run = end_peer, .context = &ends[1]};
    ck_assert(
        event_loop_watch(loop, &source, LOOP_WRITABLE | LOOP_PEER_ENDED | LOOP_EDGE_TRIGGERED));
    start();
    await_end();
    wait_for_tasks(), wait_for_tasks();
    ck_assert_str_eq(ran, "w");
    event_loop_post(loop, &ending);
    await_end();
    ck_assert_str_eq(ran, "we");
    close(ends[0]), close(ends[1]);
}
END_TEST

static void note_thread(void *context) {
    *(bool *)context = event_loop_is_current(loop);
}

START_TEST(callbacks_run_on_the_loops_thread) {
    bool is_current = false;
    struct loop_task look = {.run = note_thread, .context = &is_current};
    start();
    event_loop_post(loop, &look);
    wait_for_tasks();
    ck_assert(is_current);
    ck_assert(!event_loop_is_current(loop));
}
END_TEST

enum { POSTERS = 4, POSTS = 5000 };

struct poster {
    struct loop_task tasks[POSTS];
    int *count;
};

static void count_one(void *context) {
    ++*(int *)context; /* no lock: the loop's thread alone counts */
}

static void *post_many(void *context) {
    struct poster *poster = context;
    for (int i = 0; i < POSTS; i++) {
        poster->tasks[i] = (struct loop_task){.run = count_one, .context = poster->count};
        event_loop_post(loop, &poster->tasks[i]);
    }
    return NULL;
}

START_TEST(no_post_of_any_thread_is_lost) {
    static struct poster posters[POSTERS];
    pthread_t threads[POSTERS];
    int count = 0;
    start();
    for (int i = 0; i < POSTERS; i++) {
        posters[i].count = &count;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, post_many, &posters[i]), 0);
    }
    for (int i = 0; i < POSTERS; i++) {
        pthread_join(threads[i], NULL);
    }
    wait_for_tasks();
    ck_assert_int_eq(count, POSTERS * POSTS);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("event_loop");
    TCase *tests = tcase_create("event_loop");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, tasks_run_in_the_order_in_which_they_were_posted);
    tcase_add_test(tests, a_task_may_post_itself);
    tcase_add_test(tests, what_was_posted_before_the_end_runs);
    tcase_add_test(tests, a_timer_fires_at_its_time_and_not_a_millisecond_before);
    tcase_add_test(tests, times_at_both_ends_of_the_range_are_times);
    tcase_add_test(tests, a_timer_that_was_stopped_does_not_fire);
    tcase_add_test(tests, a_timer_that_is_always_due_does_not_keep_tasks_from_running);
    tcase_add_test(tests, a_timer_that_is_set_by_another_and_due_does_not_let_the_loop_sleep);
    tcase_add_test(tests, a_sleeping_loop_wakes_for_its_timer);
    tcase_add_test(tests, a_timer_that_is_due_at_once_fires_after_the_clock_was_moved);
    tcase_add_test(tests, a_source_is_notified_that_its_descriptor_is_ready);
    tcase_add_test(tests, a_source_that_was_taken_away_in_the_same_round_is_not_notified);
    tcase_add_test(tests, an_edge_triggered_change_is_reported_once);
    tcase_add_test(tests, callbacks_run_on_the_loops_thread);
    tcase_add_test(tests, no_post_of_any_thread_is_lost);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
