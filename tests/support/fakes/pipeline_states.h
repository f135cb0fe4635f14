/*
 * pipeline_states.h - brings the pipeline of a fixture into any of its states, and out of it.
 */
#ifndef SUPPORT_PIPELINE_STATES_H
#define SUPPORT_PIPELINE_STATES_H

#include "support/fakes/pipeline_fixture.h"

enum { STATE_WORK_MS = 5000 };

/* Makes the product known: somebody reserves one unit, and the lease is released again. */
void pipeline_warm_up(void);

/*
 * The handler has met others: it yields the lease after TENURE_MS. The product is known, and the
 * lease released.
 */
void pipeline_meet_others(void);

/*
 * Brings it into a state with one request: in the batch, in the queue, or, from COLLECTING on,
 * already served. `caller` is set, and not served yet unless so. In IDLE there is none. DECIDING,
 * in which nothing is under way, ends up in READING.
 */
void pipeline_drive_to(enum pipeline_state state, struct caller *caller);

/* Lets what the state waits for end well, and all that follows. */
void pipeline_end_state(enum pipeline_state state);

#endif
