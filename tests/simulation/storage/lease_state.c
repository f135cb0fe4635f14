#include "simulation/storage/lease_state.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NOT_PRESENT "LeaseNotPresentWithLeaseOperation"
#define MISMATCH "LeaseIdMismatchWithLeaseOperation"
#define PRESENT "LeaseAlreadyPresent"
#define BREAKING_ACQUIRED "LeaseIsBreakingAndCannotBeAcquired"
#define BREAKING_CHANGED "LeaseIsBreakingAndCannotBeChanged"
#define BROKEN_RENEWED "LeaseIsBrokenAndCannotBeRenewed"

/* Why (409) an action is refused by state: for whoever names the lease's id, and for others. */
static const char *const refusals[LEASE_ACTIONS][2][LEASE_STATES] = {
    /* available, leased, expired, breaking, broken */
    [LEASE_ACQUIRE] = {{NULL, NULL, NULL, BREAKING_ACQUIRED, NULL},
                       {NULL, PRESENT, NULL, PRESENT, NULL}},
    [LEASE_RENEW] = {{MISMATCH, NULL, NULL, BROKEN_RENEWED, BROKEN_RENEWED},
                     {MISMATCH, MISMATCH, MISMATCH, MISMATCH, MISMATCH}},
    [LEASE_CHANGE] = {{NOT_PRESENT, NULL, NOT_PRESENT, BREAKING_CHANGED, NOT_PRESENT},
                      {NOT_PRESENT, MISMATCH, NOT_PRESENT, MISMATCH, NOT_PRESENT}},
    [LEASE_RELEASE] = {{MISMATCH, NULL, NULL, NULL, NULL},
                       {MISMATCH, MISMATCH, MISMATCH, MISMATCH, MISMATCH}},
    [LEASE_BREAK] = {{NOT_PRESENT, NULL, NULL, NULL, NULL}, {NOT_PRESENT, NULL, NULL, NULL, NULL}},
};

enum lease_state lease_state_at(struct lease_state_of *lease, int64_t now_ms) {
    if (lease->state == LEASE_LEASED && now_ms >= lease->ends_ms) {
        lease->state = LEASE_EXPIRED;
    } else if (lease->state == LEASE_BREAKING && now_ms >= lease->ends_ms) {
        lease->state = LEASE_BROKEN;
    }
    return lease->state;
}

static int64_t end_of(int duration_s, int64_t now_ms) {
    return duration_s == LEASE_STATE_INFINITE_S ? INT64_MAX : now_ms + INT64_C(1000) * duration_s;
}

static void lease_for(struct lease_state_of *lease, const char *id, int duration_s,
                      int64_t now_ms) {
    snprintf(lease->id, sizeof lease->id, "%s", id);
    lease->state = LEASE_LEASED;
    lease->duration_s = duration_s;
    lease->ends_ms = end_of(duration_s, now_ms);
}

/*
 * Breaking goes on until the period is over or the lease would have ended, whichever is first. With
 * no period a lease that never ends is broken at once.
 */
static void break_lease(struct lease_state_of *lease, int period_s, int64_t now_ms) {
    if (lease->state == LEASE_EXPIRED || lease->state == LEASE_BROKEN) {
        lease->state = LEASE_BROKEN;
        return;
    }
    int64_t ends_ms =
        period_s == LEASE_STATE_NO_PERIOD ? lease->ends_ms : now_ms + INT64_C(1000) * period_s;
    if (ends_ms == INT64_MAX) {
        ends_ms = now_ms;
    }
    lease->ends_ms = ends_ms < lease->ends_ms ? ends_ms : lease->ends_ms;
    lease->state = LEASE_BREAKING;
    lease_state_at(lease, now_ms);
}

static void carry_out(struct lease_state_of *lease, const struct lease_state_call *call,
                      int64_t now_ms) {
    switch (call->action) {
    case LEASE_ACQUIRE:
        lease_for(lease, call->id, call->duration_s, now_ms);
        break;
    case LEASE_RENEW:
        lease->state = LEASE_LEASED;
        lease->ends_ms = end_of(lease->duration_s, now_ms);
        break;
    case LEASE_CHANGE:
        snprintf(lease->id, sizeof lease->id, "%s", call->proposed);
        break;
    case LEASE_RELEASE:
        *lease = (struct lease_state_of){.state = LEASE_AVAILABLE};
        break;
    case LEASE_BREAK:
    case LEASE_ACTIONS:
        break_lease(lease, call->period_s, now_ms);
        break;
    }
}

struct simulated_refusal lease_state_act(struct lease_state_of *lease,
                                         const struct lease_state_call *call, int64_t now_ms) {
    enum lease_state state = lease_state_at(lease, now_ms);
    bool is_own = strcasecmp(call->id, lease->id) == 0;
    /* A change that has been made already is made again ("Change, (B) to (A)"). */
    bool is_done = call->action == LEASE_CHANGE && state == LEASE_LEASED &&
                   strcasecmp(call->proposed, lease->id) == 0;
    const char *code = refusals[call->action][is_own || is_done ? 0 : 1][state];
    if (code != NULL) {
        return (struct simulated_refusal){409, code};
    }
    carry_out(lease, call, now_ms);
    return SIMULATED_ACCEPTED;
}

int lease_state_break_s(const struct lease_state_of *lease, int64_t now_ms) {
    return lease->state == LEASE_BREAKING ? (int)((lease->ends_ms - now_ms + 999) / 1000) : 0;
}

static bool is_locked(enum lease_state state) {
    return state == LEASE_LEASED || state == LEASE_BREAKING;
}

struct simulated_refusal lease_state_check_read(struct lease_state_of *lease, const char *id,
                                                int64_t now_ms) {
    if (id[0] == '\0') {
        return SIMULATED_ACCEPTED;
    }
    if (!is_locked(lease_state_at(lease, now_ms))) {
        return (struct simulated_refusal){412, "LeaseNotPresentWithBlobOperation"};
    }
    return strcasecmp(id, lease->id) == 0
               ? SIMULATED_ACCEPTED
               : (struct simulated_refusal){412, "LeaseIdMismatchWithBlobOperation"};
}

struct simulated_refusal lease_state_check_write(struct lease_state_of *lease, const char *id,
                                                 int64_t now_ms) {
    if (id[0] == '\0' && is_locked(lease_state_at(lease, now_ms))) {
        return (struct simulated_refusal){412, "LeaseIdMissing"};
    }
    return lease_state_check_read(lease, id, now_ms);
}

void lease_state_note_write(struct lease_state_of *lease, int64_t now_ms) {
    if (!is_locked(lease_state_at(lease, now_ms))) {
        *lease = (struct lease_state_of){.state = LEASE_AVAILABLE};
    }
}

const char *lease_state_name(enum lease_state state) {
    static const char *const names[] = {"available", "leased", "expired", "breaking", "broken"};
    return names[state];
}
