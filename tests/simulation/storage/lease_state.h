/*
 * lease_state.h - one blob's lease: the five states, and what each action does in each of them.
 * Pure: no clock, no blob.
 *
 * Source: "Lease Blob" (tables "Outcomes of use attempts on blobs by lease state" and "Outcomes of
 * lease operations on blobs by lease state"); the codes are those of "Blob Storage error codes".
 * Ids compare in any case. Times are milliseconds of one clock that does not jump.
 */
#ifndef SIMULATION_STORAGE_LEASE_STATE_H
#define SIMULATION_STORAGE_LEASE_STATE_H

#include <stdint.h>

#include "base/uuid.h"
#include "simulation/storage/simulated_answer.h"

enum lease_state {
    LEASE_AVAILABLE,
    LEASE_LEASED,
    LEASE_EXPIRED,
    LEASE_BREAKING,
    LEASE_BROKEN,
    LEASE_STATES
};

enum lease_action {
    LEASE_ACQUIRE,
    LEASE_RENEW,
    LEASE_CHANGE,
    LEASE_RELEASE,
    LEASE_BREAK,
    LEASE_ACTIONS
};

enum { LEASE_STATE_INFINITE_S = -1, LEASE_STATE_NO_PERIOD = -1 };

/* Zeroed: available. */
struct lease_state_of {
    enum lease_state state;
    char id[UUID_TEXT_BYTES]; /* "" while it is available */
    int duration_s;           /* what a renewal renews it for */
    int64_t ends_ms;          /* while it is leased or breaking; INT64_MAX: never */
};

/* Each is checked by the caller: ids are UUIDs, a duration is 15 to 60 or infinite. */
struct lease_state_call {
    enum lease_action action;
    const char *id;       /* x-ms-lease-id; of an acquire the id that the lease is to have */
    const char *proposed; /* of a change */
    int duration_s;       /* of an acquire */
    int period_s;         /* of a break: 0 to 60, or LEASE_STATE_NO_PERIOD */
};

/* What has ended by `now_ms` has ended: the state as it is then. */
enum lease_state lease_state_at(struct lease_state_of *lease, int64_t now_ms);

/* Carries out an action, or refuses it, and then nothing changes. */
struct simulated_refusal lease_state_act(struct lease_state_of *lease,
                                         const struct lease_state_call *call, int64_t now_ms);

/* Seconds, rounded up, until a lease that was broken is free. */
int lease_state_break_s(const struct lease_state_of *lease, int64_t now_ms);

/* Whether the blob may be written or read under `id` ("": none). */
struct simulated_refusal lease_state_check_write(struct lease_state_of *lease, const char *id,
                                                 int64_t now_ms);
struct simulated_refusal lease_state_check_read(struct lease_state_of *lease, const char *id,
                                                int64_t now_ms);

/* The blob has been written: a lease that had ended is forgotten. */
void lease_state_note_write(struct lease_state_of *lease, int64_t now_ms);

/* "available", ... */
const char *lease_state_name(enum lease_state state);

#endif
