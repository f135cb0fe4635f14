/*
 * lease_store_fake.h - a lease service in memory that fails, waits and hangs on demand and
 * remembers what it was asked.
 *
 * Left alone it behaves as storage does, but that leases do not run out: acquire grants a free
 * lease, and one held under the same id; renew and release succeed for the id that holds; break
 * frees. Answers are given by tasks on the loop's thread. A call that is abandoned takes effect all
 * the same when it is answered.
 *
 * Vocabulary   script   what the next calls of one kind are answered, in order; OK then takes
 *              effect as above, anything
 *                       else has none
 *              refuse   the call is not even started; there will be no answer
 *              hold     calls wait for lease_store_fake_answer
 * Rules        What should not happen to a test (a wait of more than 20 s) ends it with a message
 *              on stderr.
 */
#ifndef SUPPORT_LEASE_STORE_FAKE_H
#define SUPPORT_LEASE_STORE_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "http/event_loop.h"
#include "lease/lease_names.h"
#include "lease/lease_store.h"

struct lease_store_fake;

enum fake_call_kind { FAKE_ACQUIRE, FAKE_RENEW, FAKE_RELEASE, FAKE_BREAK, FAKE_KINDS };

struct fake_call {
    char name[LEASE_NAME_BYTES];
    char lease_id[UUID_TEXT_BYTES]; /* "" for break */
    int duration_s;                 /* acquire */
    int64_t at_ms;                  /* the clock when it was made; acquire's sent_ms too */
    int64_t limit_ms;               /* renew, release: the timeout; acquire, break: the deadline */
};

struct lease_store_fake *lease_store_fake_new(struct event_loop *loop, const struct clock *clock);

/* The loop has stopped. */
void lease_store_fake_free(struct lease_store_fake *fake);

struct lease_store *lease_store_fake_store(struct lease_store_fake *fake);

void lease_store_fake_script(struct lease_store_fake *fake, enum fake_call_kind kind,
                             enum status status);
void lease_store_fake_refuse(struct lease_store_fake *fake, enum fake_call_kind kind,
                             enum status status);
void lease_store_fake_hold(struct lease_store_fake *fake, enum fake_call_kind kind, bool hold);

/*
 * From now on a call that fails has been sent before, and that attempt has had its effect, though
 * nobody has heard of it: the failure says that it was in doubt.
 */
void lease_store_fake_leave_in_doubt(struct lease_store_fake *fake, enum fake_call_kind kind);

/* Forgets what is left of the scripts. */
void lease_store_fake_end_scripts(struct lease_store_fake *fake);

/*
 * Answers the one that has been held longest, waiting for one if there is none, and waits until
 * whoever asked has been told. On the loop's thread: tells him at once.
 */
void lease_store_fake_answer(struct lease_store_fake *fake, enum fake_call_kind kind,
                             enum status status);

/* Gives the one that has been held longest the answer of one left alone. False: none is held. */
bool lease_store_fake_let_go(struct lease_store_fake *fake, enum fake_call_kind kind);

/*
 * How many calls of that kind have come, waiting until they have, and the one numbered `index` (0,
 * ...).
 */
size_t lease_store_fake_count(struct lease_store_fake *fake, enum fake_call_kind kind);
void lease_store_fake_wait(struct lease_store_fake *fake, enum fake_call_kind kind, size_t count);
struct fake_call lease_store_fake_call(struct lease_store_fake *fake, enum fake_call_kind kind,
                                       size_t index);

/* Waits until every answer that is not held has been given. */
void lease_store_fake_drain(struct lease_store_fake *fake);

/* Somebody else takes the lease, whoever holds it, under the id given ("": it is free). */
void lease_store_fake_set_holder(struct lease_store_fake *fake, const char *name,
                                 const char *lease_id);

/* Whether anybody holds the lease. */
bool lease_store_fake_is_leased(struct lease_store_fake *fake, const char *name);

#endif
