/*
 * lease_fixture.h - a lease manager over a store that fails on demand, with a clock that is
 * stepped.
 *
 * The transport is the real one, but only its loop is used, which is woken whenever the clock is
 * stepped. A lease lasts 30 s, is renewed after 20 s and counts as lost after 27 s.
 *
 * Vocabulary   observer    the events that a listener has received
 *              acquiring   an acquire on a thread of its own
 * Threads: set_up and tear_down from one; the rest from any.
 */
#ifndef SUPPORT_LEASE_FIXTURE_H
#define SUPPORT_LEASE_FIXTURE_H

#include <pthread.h>
#include <stdint.h>

#include "http/http_transport.h"
#include "lease/lease_renewal.h"
#include "lease/lease_wait.h"
#include "support/fakes/clock_fake.h"
#include "support/fakes/lease_store_fake.h"

#define LEASE_FIXTURE_SOMEBODY_ELSE "11111111-1111-4111-8111-111111111111"
#define LEASE_FIXTURE_START_MS INT64_C(1000000)
#define LEASE_FIXTURE_START_WALL_MS INT64_C(1700000000000)

enum { LEASE_FIXTURE_PATIENCE_S = 20, LEASE_FIXTURE_PATIENCE_MS = 20000 };

struct lease_fixture {
    struct clock_fake fake_clock;
    const struct clock *clock;        /* the fake one, or the machine's */
    struct leasehold_options options; /* may be changed before the first lease */
    struct http_transport *transport;
    struct platform platform; /* the transport's */
    struct event_loop *loop;  /* the transport's */
    struct lease_store_fake *store;
    struct lease_manager *manager;
};

extern struct lease_fixture lease_fixture;

void lease_fixture_set_up(void);
void lease_fixture_set_up_in_real_time(void);

/*
 * Answers all calls that are held back, and closes the manager. Every owner has released its lease
 * before.
 */
void lease_fixture_tear_down(void);

int64_t lease_fixture_now_ms(void);

/* Steps the clock. */
void lease_fixture_advance(int64_t ms);

/*
 * Calls `act` on the loop's thread and waits until it returns. Whatever becomes due meanwhile is
 * done afterwards.
 */
void lease_fixture_run(void (*act)(void *context), void *context);

/* Lets the loop do what is due, and whatever becomes due by that. */
void lease_fixture_settle(void);

/*
 * Blocks the loop's thread, and lets it go on. In between, a test may step the clock and act before
 * the loop notices.
 */
void lease_fixture_stop_loop(void);
void lease_fixture_resume_loop(void);

struct lease *lease_fixture_acquire(const struct leasehold_request *request);
struct lease *lease_fixture_acquire_named(const char *name);
void lease_fixture_fail_to_acquire(const struct leasehold_request *request, enum status expected);

/* An acquire on a thread of its own. */
struct lease_acquiring {
    pthread_t thread;
    struct leasehold_request request;
    struct lease *lease;
    enum status status;
};

void lease_acquiring_begin(struct lease_acquiring *acquiring, const char *name);
void lease_acquiring_end(struct lease_acquiring *acquiring, enum status expected);

struct lease_observer {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int renewed;
    int failed;
    int lost;
    struct leasehold_event last;
    char name[LEASE_NAME_BYTES];
    char id[UUID_TEXT_BYTES];
    char reason[256];
    struct lease *release; /* to be released from inside the next event */
};

#define LEASE_OBSERVER_INIT \
    { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER }

struct leasehold_request lease_observer_request(const char *name, struct lease_observer *observer);

/* Waits until *count, one of the counts in `observer`, is `wanted` at least. */
void lease_observer_await(struct lease_observer *observer, const int *count, int wanted);
void lease_observer_assert(struct lease_observer *observer, int renewed, int failed, int lost);

#endif
