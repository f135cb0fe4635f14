/*
 * pipeline_fixture.h - the pipelines of products over a scripted store and a fake lease service,
 * with a clock that is stepped.
 *
 * The product P has 1,000 units. A lease lasts 30 s, is renewed after 20 s and counts as lost after
 * 27 s. AcquireTimeout is 5 s. Everything runs on the loop's thread. A step of a test (submit, end,
 * advance, ...) returns when nothing goes on by itself any more; then the test may look at
 * everything.
 *
 * Vocabulary   caller   a request, and how it was served
 * Rules        A request that is served twice, or inside the call that submits it, ends the test.
 * Threads: the test's own, but for `then` of a caller, which is called on the loop's.
 */
#ifndef SUPPORT_PIPELINE_FIXTURE_H
#define SUPPORT_PIPELINE_FIXTURE_H

#include "inventory/operation.h"
#include "inventory/product_queues.h"
#include "lease/lease_manager.h"
#include "support/fakes/clock_fake.h"
#include "support/fakes/lease_store_fake.h"
#include "support/fakes/scripted_store.h"

#define PIPELINE_FIXTURE_OTHER "11111111-1111-4111-8111-111111111111"
#define PIPELINE_FIXTURE_LEASE "inventory-P"

enum {
    PIPELINE_FIXTURE_UNITS = 1000,
    PIPELINE_FIXTURE_TIMEOUT_MS = 5000,
    PIPELINE_FIXTURE_LIFETIME_MS = 30 * 60 * 1000,
    PIPELINE_FIXTURE_STEP_MS = 10,
};

struct pipeline_fixture {
    struct clock_fake clock;
    struct event_loop *loop;
    struct platform platform;               /* of both, without a network */
    struct leasehold_options lease_options; /* may be changed before the first lease */
    struct lease_store_fake *lease_service;
    struct lease_manager *leases;
    struct scripted_store store;
    struct product_queues queues; /* its `shared` may be changed before the first request */
    bool is_closed;
    bool is_submitting;
    int served_count;
    int resubmissions; /* how many more caller_submit_again does */
};

extern struct pipeline_fixture fixture;

void pipeline_fixture_set_up(void);

/*
 * Lets everything that is held go on, closes the queues, and sees every pipeline become idle and
 * every lease released.
 */
void pipeline_fixture_tear_down(void);

/* The pipeline of P. NULL: there is none. */
struct product_pipeline *fixture_pipeline(void);
enum pipeline_state fixture_state(void);

/* Calls `act` on the loop's thread, then lets everything that goes on by itself come to rest. */
void fixture_run(void (*act)(void *context), void *context);
void fixture_settle(void);

/* Steps the clock by `ms`: at once, in steps of PIPELINE_FIXTURE_STEP_MS, or of one millisecond. */
void fixture_advance(int64_t ms);
void fixture_advance_in_steps(int64_t ms);
void fixture_creep(int64_t ms);

void fixture_hold(enum scripted_kind kind);
void fixture_let_go(
    enum scripted_kind kind); /* those that start from now on; not those that are held */
void fixture_end(enum scripted_kind kind, enum status status);
void fixture_end_unheard(enum scripted_kind kind, enum status status);
void fixture_end_commit_after(int64_t ms); /* the one that is held, when so much time has gone by */
void fixture_plan(enum scripted_kind kind, enum status status);
int fixture_count(enum scripted_kind kind);
int fixture_held(enum scripted_kind kind);

/*
 * The lease service: whether acquires wait, the answer to the one that waits, how many were asked
 * for, whose the lease is.
 */
void fixture_hold_acquire(bool hold);
void fixture_answer_acquire(enum status status);
int fixture_acquires(void);
void fixture_set_holder(const char *lease_id);
bool fixture_is_leased(void);

/* Another instance reserves so many units behind our back, whoever has the lease. */
void fixture_others_reserve(int64_t quantity);

/*
 * Somebody reserves one unit `count` times; these reservations have expired already, or expire in
 * `in_ms`.
 */
void fixture_add_reservations(const char *customer, int count, int64_t in_ms);

/* What is stored of P. */
void fixture_assert_stored(int64_t available, int64_t version, size_t rows);

void fixture_close(void);

/* ---- callers ---- */

struct caller {
    struct inventory_request request; /* first */
    struct correlation correlation;
    int served; /* how often */
    int place;  /* among all that were served, from 1 */
    void (*then)(struct caller *caller);
};

struct caller caller_reserves(int64_t quantity);
struct caller caller_releases(const char *customer, int64_t quantity);
struct caller caller_expires(void);
struct caller caller_sets_total(int64_t total);

/* It is repeated with the same key; `quantity` is a part of what it asks for. */
struct caller caller_reserves_with_key(int64_t quantity, const char *key);

/* In the name of this invocation. */
void caller_set_invocation(struct caller *caller, const char *invocation_id);

/* The caller is not copied from then on. */
void caller_submit(struct caller *caller);
void caller_submit_all(struct caller *callers, int count); /* with nothing happening in between */
void caller_submit_there(struct caller *caller);           /* for `then`: on the loop's thread */

/* For `then`: submits the caller again inside its own answer, while fixture.resubmissions last. */
void caller_submit_again(struct caller *caller);

void caller_assert_waits(const struct caller *caller);
void caller_assert_served(const struct caller *caller, enum status status);

/* It got what it asked for. */
void caller_assert_granted(const struct caller *caller);

/* It was refused, with so much available. */
void caller_assert_refused(const struct caller *caller, int64_t available);

#endif
