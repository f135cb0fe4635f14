#include "support/fakes/pipeline_states.h"

#include <check.h>

enum { COMMIT_MS = 100, MINUTE_MS = 60000, NEAR_LOSS_MS = 23000 };

void pipeline_warm_up(void) {
    struct caller caller = caller_reserves(1);
    caller_submit(&caller);
    fixture_advance(fixture.queues.shared.processing_time_ms);
    fixture_advance(LINGER_MS);
    caller_assert_granted(&caller);
    ck_assert_int_eq(fixture_state(), PIPELINE_IDLE);
}

void pipeline_meet_others(void) {
    struct caller caller = caller_reserves(1);
    fixture_set_holder(PIPELINE_FIXTURE_OTHER);
    caller_submit(&caller);
    caller_assert_waits(&caller);
    fixture_set_holder("");
    fixture_creep(60);
    caller_assert_granted(&caller);
    fixture_advance(YIELD_MS);
    ck_assert_int_eq(fixture_state(), PIPELINE_IDLE);
}

static void drive_to_yielding(struct caller *caller) {
    struct caller before = caller_reserves(1);
    pipeline_meet_others();
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(&before);
    fixture_advance(TENURE_MS);
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    fixture_let_go(SCRIPTED_COMMIT);
    caller_assert_granted(&before);
    ck_assert_int_eq(fixture_state(), PIPELINE_IDLE);
    caller_submit(caller);
}

/* The commit takes so long that callers have a window in which to come back. */
static void drive_to_collecting(struct caller *caller) {
    fixture_hold(SCRIPTED_COMMIT);
    caller_submit(caller);
    fixture_advance(COMMIT_MS);
    fixture_end(SCRIPTED_COMMIT, STATUS_OK);
    fixture_let_go(SCRIPTED_COMMIT);
}

static void drive_to_extending(struct caller *caller) {
    fixture_hold(SCRIPTED_READ);
    lease_store_fake_hold(fixture.lease_service, FAKE_RENEW, true);
    caller_submit(caller);
    fixture_advance(NEAR_LOSS_MS);
    fixture_end(SCRIPTED_READ,
                STATUS_OK); /* what it read is good for 10 s only, so it is read again */
    if (fixture_held(SCRIPTED_READ) > 0) {
        fixture_end(SCRIPTED_READ, STATUS_OK);
    }
    fixture_let_go(SCRIPTED_READ);
}

/* A key that would be refused is looked up. */
static void drive_to_looking_up(struct caller *caller) {
    *caller = caller_reserves_with_key(PIPELINE_FIXTURE_UNITS + 1, "key");
    fixture_hold(SCRIPTED_FIND_RECORD);
    caller_submit(caller);
    fixture_let_go(SCRIPTED_FIND_RECORD);
}

static void drive_to_indexing(struct caller *caller) {
    pipeline_warm_up();
    fixture_advance(MINUTE_MS);
    fixture_hold(SCRIPTED_INDEX);
    caller_submit(caller);
    fixture_let_go(SCRIPTED_INDEX);
}

static void drive_to_held(struct caller *caller, enum scripted_kind kind) {
    fixture_hold(kind);
    caller_submit(caller);
    fixture_let_go(kind);
}

void pipeline_drive_to(enum pipeline_state state, struct caller *caller) {
    *caller = caller_reserves(1);
    switch (state) {
    case PIPELINE_IDLE:
        break;
    case PIPELINE_YIELDING:
        drive_to_yielding(caller);
        break;
    case PIPELINE_ACQUIRING:
        fixture_hold_acquire(true);
        caller_submit(caller);
        break;
    case PIPELINE_COLLECTING:
        drive_to_collecting(caller);
        break;
    case PIPELINE_DECIDING:
    case PIPELINE_READING:
        drive_to_held(caller, SCRIPTED_READ);
        break;
    case PIPELINE_WORKING:
        fixture.queues.shared.processing_time_ms = STATE_WORK_MS;
        caller_submit(caller);
        break;
    case PIPELINE_LOOKING_UP:
        drive_to_looking_up(caller);
        break;
    case PIPELINE_INDEXING:
        drive_to_indexing(caller);
        break;
    case PIPELINE_EXTENDING:
        drive_to_extending(caller);
        break;
    case PIPELINE_COMMITTING:
        drive_to_held(caller, SCRIPTED_COMMIT);
        break;
    case PIPELINE_LINGERING:
        caller_submit(caller);
        break;
    }
    ck_assert_int_eq(fixture_state(), state == PIPELINE_DECIDING ? PIPELINE_READING : state);
}

void pipeline_end_state(enum pipeline_state state) {
    switch (state) {
    case PIPELINE_DECIDING:
    case PIPELINE_READING:
        fixture_end(SCRIPTED_READ, STATUS_OK);
        break;
    case PIPELINE_WORKING:
        fixture_advance(STATE_WORK_MS);
        break;
    case PIPELINE_LOOKING_UP:
        fixture_end(SCRIPTED_FIND_RECORD, STATUS_OK);
        break;
    case PIPELINE_INDEXING:
        fixture_end(SCRIPTED_INDEX, STATUS_OK);
        break;
    case PIPELINE_EXTENDING:
        lease_store_fake_hold(fixture.lease_service, FAKE_RENEW, false);
        lease_store_fake_answer(fixture.lease_service, FAKE_RENEW, STATUS_OK);
        fixture_settle();
        break;
    case PIPELINE_COMMITTING:
        fixture_end(SCRIPTED_COMMIT, STATUS_OK);
        break;
    case PIPELINE_IDLE:
    case PIPELINE_YIELDING:
    case PIPELINE_ACQUIRING:
    case PIPELINE_COLLECTING:
    case PIPELINE_LINGERING:
        break;
    }
}
