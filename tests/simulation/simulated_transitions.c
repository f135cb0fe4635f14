#include "simulation/simulated_transitions.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#include "inventory/pipeline_steps.h"
#include "lease/lease_renewal.h"

enum { MOST_STATES = 16, TEXT_BYTES = 128 };
#define BIT(state) (1U << (state))

/* A state, and the states that can follow. */
struct state {
    const char *name;
    unsigned next;
};

struct machine {
    const char *name;
    const struct state *states;
    int count;
};

/* Where a pipeline goes on when its batch is over, or has failed. */
enum {
    ON_WITH_LEASE = BIT(PIPELINE_COLLECTING),
    ON_WITHOUT_LEASE = BIT(PIPELINE_ACQUIRING) | BIT(PIPELINE_IDLE),
    ON_AFTER_YIELD = BIT(PIPELINE_YIELDING),
    ON = ON_WITH_LEASE | ON_WITHOUT_LEASE | ON_AFTER_YIELD,
};

static const struct state pipeline_states[] = {
    [PIPELINE_IDLE] = {"IDLE", BIT(PIPELINE_ACQUIRING) | BIT(PIPELINE_YIELDING)},
    [PIPELINE_YIELDING] = {"YIELDING", BIT(PIPELINE_ACQUIRING) | BIT(PIPELINE_IDLE)},
    [PIPELINE_ACQUIRING] = {"ACQUIRING", BIT(PIPELINE_DECIDING) | ON_WITHOUT_LEASE},
    [PIPELINE_COLLECTING] = {"COLLECTING", BIT(PIPELINE_DECIDING) | BIT(PIPELINE_LINGERING) |
                                               BIT(PIPELINE_ACQUIRING)},
    [PIPELINE_DECIDING] = {"DECIDING", BIT(PIPELINE_READING) | BIT(PIPELINE_WORKING) |
                                           BIT(PIPELINE_LOOKING_UP) | BIT(PIPELINE_INDEXING) | ON},
    [PIPELINE_READING] = {"READING", BIT(PIPELINE_DECIDING) | BIT(PIPELINE_READING) | ON},
    [PIPELINE_WORKING] = {"WORKING", BIT(PIPELINE_DECIDING) | ON_WITH_LEASE | ON_WITHOUT_LEASE},
    [PIPELINE_LOOKING_UP] = {"LOOKING_UP", BIT(PIPELINE_DECIDING) | ON},
    [PIPELINE_INDEXING] = {"INDEXING", BIT(PIPELINE_EXTENDING)},
    [PIPELINE_EXTENDING] = {"EXTENDING", BIT(PIPELINE_COMMITTING) | ON},
    [PIPELINE_COMMITTING] = {"COMMITTING", BIT(PIPELINE_DECIDING) | ON},
    [PIPELINE_LINGERING] = {"LINGERING", BIT(PIPELINE_COLLECTING) | BIT(PIPELINE_IDLE)},
};

static const struct state lease_states[] = {
    [LEASE_HELD] = {"HELD", BIT(LEASE_RENEWING) | BIT(LEASE_LOST) | BIT(LEASE_RELEASING) |
                                BIT(LEASE_ENDED)},
    [LEASE_RENEWING] = {"RENEWING", BIT(LEASE_HELD) | BIT(LEASE_LOST) | BIT(LEASE_RELEASING) |
                                        BIT(LEASE_ENDED)},
    [LEASE_LOST] = {"LOST", BIT(LEASE_RELEASING) | BIT(LEASE_ENDED)},
    [LEASE_RELEASING] = {"RELEASING", BIT(LEASE_ENDED)},
    [LEASE_ENDED] = {"ENDED", 0},
};

enum { PIPELINE, LEASE, MACHINES };
static const struct machine machines[MACHINES] = {
    [PIPELINE] = {"pipeline", pipeline_states, sizeof pipeline_states / sizeof pipeline_states[0]},
    [LEASE] = {"lease", lease_states, sizeof lease_states / sizeof lease_states[0]},
};

static int64_t counts[MACHINES][MOST_STATES][MOST_STATES];
static char unknown[TEXT_BYTES]; /* the first of the present run; "": none */

static bool is_known(int machine, int from, int to) {
    return (machines[machine].states[from].next >> to & 1) != 0;
}

static void count(int machine, int from, int to) {
    const struct machine *m = &machines[machine];
    counts[machine][from][to]++;
    if (!is_known(machine, from, to) && unknown[0] == '\0') {
        snprintf(unknown, sizeof unknown, "the %s's step from %s to %s", m->name,
                 m->states[from].name, m->states[to].name);
    }
}

/* ---- counting, in the place of what changes a state ---- */

/* The linker's names. */
void real_pipeline_enter(struct product_pipeline *pipeline,
                         enum pipeline_state state) __asm__("__real_pipeline_enter");
void wrap_pipeline_enter(struct product_pipeline *pipeline,
                         enum pipeline_state state) __asm__("__wrap_pipeline_enter");
void real_release(struct lease_renewal *renewal, struct lease *lease,
                  int64_t now_ms) __asm__("__real_lease_renewal_release");
void wrap_release(struct lease_renewal *renewal, struct lease *lease,
                  int64_t now_ms) __asm__("__wrap_lease_renewal_release");
struct lease_action real_due(struct lease_renewal *renewal,
                             int64_t now_ms) __asm__("__real_lease_renewal_due");
struct lease_action wrap_due(struct lease_renewal *renewal,
                             int64_t now_ms) __asm__("__wrap_lease_renewal_due");
enum lease_outcome
real_on_renew_reply(struct lease_renewal *renewal, struct lease *lease, enum status status,
                    int retry_after_ms,
                    int64_t now_ms) __asm__("__real_lease_renewal_on_renew_reply");
enum lease_outcome
wrap_on_renew_reply(struct lease_renewal *renewal, struct lease *lease, enum status status,
                    int retry_after_ms,
                    int64_t now_ms) __asm__("__wrap_lease_renewal_on_renew_reply");
bool real_on_release_reply(struct lease_renewal *renewal, struct lease *lease, enum status status,
                           int retry_after_ms,
                           int64_t now_ms) __asm__("__real_lease_renewal_on_release_reply");
bool wrap_on_release_reply(struct lease_renewal *renewal, struct lease *lease, enum status status,
                           int retry_after_ms,
                           int64_t now_ms) __asm__("__wrap_lease_renewal_on_release_reply");

void wrap_pipeline_enter(struct product_pipeline *pipeline, enum pipeline_state state) {
    count(PIPELINE, (int)pipeline->state, (int)state);
    real_pipeline_enter(pipeline, state);
}

static void note_lease(enum lease_state before, const struct lease *lease) {
    if (lease->state != before) {
        count(LEASE, (int)before, (int)lease->state);
    }
}

void wrap_release(struct lease_renewal *renewal, struct lease *lease, int64_t now_ms) {
    enum lease_state before = lease->state;
    real_release(renewal, lease, now_ms);
    note_lease(before, lease);
}

struct lease_action wrap_due(struct lease_renewal *renewal, int64_t now_ms) {
    struct lease_action action = real_due(renewal, now_ms);
    if (action.kind == LEASE_ACTION_RENEW) {
        note_lease(LEASE_HELD, action.lease);
    } else if (action.kind ==
               LEASE_ACTION_NOTIFY_LOSS) { /* the notice is in flight; a second one is a renewal */
        note_lease(action.lease->in_flight > 1 ? LEASE_RENEWING : LEASE_HELD, action.lease);
    }
    return action;
}

enum lease_outcome wrap_on_renew_reply(struct lease_renewal *renewal, struct lease *lease,
                                       enum status status, int retry_after_ms, int64_t now_ms) {
    enum lease_state before = lease->state;
    enum lease_outcome outcome =
        real_on_renew_reply(renewal, lease, status, retry_after_ms, now_ms);
    note_lease(before, lease);
    return outcome;
}

bool wrap_on_release_reply(struct lease_renewal *renewal, struct lease *lease, enum status status,
                           int retry_after_ms, int64_t now_ms) {
    enum lease_state before = lease->state;
    bool is_going_on = real_on_release_reply(renewal, lease, status, retry_after_ms, now_ms);
    note_lease(before, lease);
    return is_going_on;
}

/* ---- what was counted ---- */

void simulated_transitions_begin(void) {
    unknown[0] = '\0';
}

const char *simulated_transitions_unknown(void) {
    return unknown[0] == '\0' ? NULL : unknown;
}

static void print_state(int machine, int from) {
    const struct machine *m = &machines[machine];
    printf("simulate: %-8s %-11s", m->name, m->states[from].name);
    for (int to = 0; to < m->count; to++) {
        if (is_known(machine, from, to)) {
            printf("  %s %" PRId64, m->states[to].name, counts[machine][from][to]);
        }
    }
    printf("\n");
}

/* Returns how many steps from there were never taken. */
static int find_gaps(int machine, int from, bool lists_gaps) {
    const struct machine *m = &machines[machine];
    int gaps = 0;
    for (int to = 0; to < m->count; to++) {
        if (is_known(machine, from, to) && counts[machine][from][to] == 0) {
            gaps++;
            if (lists_gaps) {
                printf("simulate: GAP: the %s's step from %s to %s was never taken\n", m->name,
                       m->states[from].name, m->states[to].name);
            }
        }
    }
    return gaps;
}

int simulated_transitions_print(bool lists_gaps) {
    int gaps = 0;
    printf("simulate: how often each step was taken\n");
    for (int machine = 0; machine < MACHINES; machine++) {
        for (int from = 0; from < machines[machine].count; from++) {
            if (machines[machine].states[from].next != 0) {
                print_state(machine, from);
            }
        }
    }
    for (int machine = 0; machine < MACHINES; machine++) {
        for (int from = 0; from < machines[machine].count; from++) {
            gaps += find_gaps(machine, from, lists_gaps);
        }
    }
    return gaps;
}
