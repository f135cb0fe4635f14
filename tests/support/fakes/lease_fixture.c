#include "support/fakes/lease_fixture.h"

#include <check.h>
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>

#include "http/event_loop.h"
#include "http/loop_call.h"
#include "lease/lease_options.h"

enum { SETTLE_ROUNDS = 10 };

struct lease_fixture lease_fixture;

/* A task that keeps the loop's thread busy. */
static struct {
    struct loop_task task;
    sem_t begun, resumed;
} stop;

int64_t lease_fixture_now_ms(void) {
    return clock_now_ms(lease_fixture.clock);
}

static void start(const struct clock *clock) {
    lease_fixture.clock = clock;
    lease_fixture.options = lease_options_default();
    ck_assert_int_eq(http_transport_new(&lease_fixture.transport, clock, NULL), STATUS_OK);
    lease_fixture.platform = http_transport_platform(lease_fixture.transport, random_system());
    lease_fixture.loop = lease_fixture.platform.loop;
    lease_fixture.store = lease_store_fake_new(lease_fixture.loop, clock);
    ck_assert_int_eq(lease_manager_new(&lease_fixture.manager, &lease_fixture.options,
                                       lease_store_fake_store(lease_fixture.store),
                                       &lease_fixture.platform, NULL),
                     STATUS_OK);
}

void lease_fixture_set_up(void) {
    clock_fake_init(&lease_fixture.fake_clock, LEASE_FIXTURE_START_MS, LEASE_FIXTURE_START_WALL_MS);
    start(&lease_fixture.fake_clock.base);
    clock_fake_wake(&lease_fixture.fake_clock, lease_fixture.loop);
}

void lease_fixture_set_up_in_real_time(void) {
    start(clock_system());
}

/* Every owner has released its lease by now. Calls that a test has left open are answered. */
void lease_fixture_tear_down(void) {
    for (int kind = 0; kind < FAKE_KINDS; kind++) {
        lease_store_fake_hold(lease_fixture.store, (enum fake_call_kind)kind, false);
    }
    if (lease_fixture.clock == &lease_fixture.fake_clock.base) {
        clock_fake_advance(&lease_fixture.fake_clock, 60000);
    }
    ck_assert_int_eq(lease_manager_close(lease_fixture.manager,
                                         lease_fixture_now_ms() + LEASE_FIXTURE_PATIENCE_MS),
                     0);
    lease_store_fake_drain(lease_fixture.store);
    http_transport_stop(lease_fixture.transport);
    lease_manager_free(lease_fixture.manager);
    http_transport_free(lease_fixture.transport);
    lease_store_fake_free(lease_fixture.store);
}

void lease_fixture_advance(int64_t ms) {
    clock_fake_advance(&lease_fixture.fake_clock, ms);
}

struct fixture_run {
    struct loop_call call;
    void (*act)(void *context);
    void *context;
};

static void run_there(void *context) {
    struct fixture_run *run = context;
    run->act(run->context);
    loop_call_end(&run->call);
}

void lease_fixture_run(void (*act)(void *context), void *context) {
    struct fixture_run run = {.act = act, .context = context};
    loop_call_run(&run.call, lease_fixture.loop, run_there, &run);
}

static void do_nothing(void *context) {
    (void)context;
}

/* Each call takes at least one round of the loop. */
void lease_fixture_settle(void) {
    for (int i = 0; i < SETTLE_ROUNDS; i++) {
        lease_fixture_run(do_nothing, NULL);
    }
}

static void wait_until_resumed(void *context) {
    (void)context;
    sem_post(&stop.begun);
    while (sem_wait(&stop.resumed) != 0) { /* interrupted by a signal */
    }
}

void lease_fixture_stop_loop(void) {
    sem_init(&stop.begun, 0, 0);
    sem_init(&stop.resumed, 0, 0);
    stop.task = (struct loop_task){.run = wait_until_resumed};
    event_loop_post(lease_fixture.loop, &stop.task);
    while (sem_wait(&stop.begun) != 0) { /* interrupted by a signal */
    }
}

void lease_fixture_resume_loop(void) {
    sem_post(&stop.resumed);
}

static void observe(struct lease_observer *observer, int *count,
                    const struct leasehold_event *event) {
    pthread_mutex_lock(&observer->lock);
    (*count)++;
    observer->last = *event;
    snprintf(observer->name, sizeof observer->name, "%s", event->lease_name);
    snprintf(observer->id, sizeof observer->id, "%s", event->lease_id);
    snprintf(observer->reason, sizeof observer->reason, "%s",
             event->reason != NULL ? event->reason : "");
    struct lease *lease = observer->release;
    observer->release = NULL;
    pthread_cond_broadcast(&observer->changed);
    pthread_mutex_unlock(&observer->lock);
    if (lease != NULL) {
        (void)lease_manager_is_held(lease_fixture.manager, lease);
        lease_manager_release(lease_fixture.manager, lease);
    }
}

static void on_renewed(void *context, const struct leasehold_event *event) {
    struct lease_observer *observer = context;
    observe(observer, &observer->renewed, event);
}

static void on_renewal_failed(void *context, const struct leasehold_event *event) {
    struct lease_observer *observer = context;
    observe(observer, &observer->failed, event);
}

static void on_lost(void *context, const struct leasehold_event *event) {
    struct lease_observer *observer = context;
    observe(observer, &observer->lost, event);
}

struct leasehold_request lease_observer_request(const char *name, struct lease_observer *observer) {
    return (struct leasehold_request){
        .name = name, .listener = {on_renewed, on_renewal_failed, on_lost, observer}};
}

void lease_observer_await(struct lease_observer *observer, const int *count, int wanted) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LEASE_FIXTURE_PATIENCE_S;
    pthread_mutex_lock(&observer->lock);
    while (*count < wanted) {
        if (pthread_cond_timedwait(&observer->changed, &observer->lock, &until) == ETIMEDOUT) {
            ck_abort_msg("event %d did not come", wanted);
        }
    }
    pthread_mutex_unlock(&observer->lock);
}

void lease_observer_assert(struct lease_observer *observer, int renewed, int failed, int lost) {
    pthread_mutex_lock(&observer->lock);
    ck_assert_int_eq(observer->renewed, renewed);
    ck_assert_int_eq(observer->failed, failed);
    ck_assert_int_eq(observer->lost, lost);
    pthread_mutex_unlock(&observer->lock);
}

struct lease *lease_fixture_acquire(const struct leasehold_request *request) {
    struct lease *lease = NULL;
    struct error err;
    enum status status = lease_manager_acquire(lease_fixture.manager, request, &lease, &err);
    ck_assert_msg(status == STATUS_OK, "%s", status == STATUS_OK ? "" : err.message);
    return lease;
}

struct lease *lease_fixture_acquire_named(const char *name) {
    return lease_fixture_acquire(&(struct leasehold_request){.name = name});
}

void lease_fixture_fail_to_acquire(const struct leasehold_request *request, enum status expected) {
    struct lease *lease = NULL;
    struct error err;
    ck_assert_int_eq(lease_manager_acquire(lease_fixture.manager, request, &lease, &err), expected);
    ck_assert_int_eq(err.status, expected);
    ck_assert_ptr_null(lease);
}

static void *acquire_there(void *context) {
    struct lease_acquiring *acquiring = context;
    acquiring->status =
        lease_manager_acquire(lease_fixture.manager, &acquiring->request, &acquiring->lease, NULL);
    return NULL;
}

void lease_acquiring_begin(struct lease_acquiring *acquiring, const char *name) {
    *acquiring = (struct lease_acquiring){.request = {.name = name}};
    ck_assert_int_eq(pthread_create(&acquiring->thread, NULL, acquire_there, acquiring), 0);
}

void lease_acquiring_end(struct lease_acquiring *acquiring, enum status expected) {
    pthread_join(acquiring->thread, NULL);
    ck_assert_int_eq(acquiring->status, expected);
}
