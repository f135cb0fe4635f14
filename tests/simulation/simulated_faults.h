/*
 * simulated_faults.h - what goes wrong in a simulated world, and when.
 *
 * Each fault strikes a step of the world: a call that is sent to storage (simulated_network.h). It
 * is drawn from the seed, or stands in a plan. What was drawn is written down as a plan, so that a
 * run can be repeated with fewer faults.
 *
 * To add a fault: a line in the table, and what it does, where its stage is carried out in
 * simulated_network.c, simulated_app.c or simulated_operator.c.
 */
#ifndef SIMULATION_SIMULATED_FAULTS_H
#define SIMULATION_SIMULATED_FAULTS_H

#include "simulation/simulated_random.h"
#include "simulation/simulation.h"

/* clang-format off */
#define SIMULATED_FAULT_TABLE(X) \
    X(NONE,           "nothing") \
    X(LOSE_REQUEST,   "the request is lost") \
    X(LOSE_ANSWER,    "the answer is lost") \
    X(DELAY_REQUEST,  "the request is late") \
    X(DELAY_ANSWER,   "the answer is late") \
    X(DELIVER_TWICE,  "the request is delivered twice, at once") \
    X(DELIVER_LATE,   "the request is delivered again, much later") \
    X(ANSWER_SECOND,  "the request is delivered twice, and the second answer comes back") \
    X(GATEWAY,        "a gateway answers in storage's place") \
    X(GATEWAY_AFTER,  "a gateway answers after storage has acted") \
    X(CUT_ANSWER,     "the answer is cut short") \
    X(GARBLE_ANSWER,  "the answer's body is garbled") \
    X(THROTTLE,       "storage is busy: 503 or 429") \
    X(THROTTLE_LONG,  "storage is busy, and asks to be left alone for long") \
    X(TIME_OUT,       "storage takes too long: 500 OperationTimedOut, without acting") \
    X(FAIL_AFTER,     "storage acts, and answers 500") \
    X(WRONG_DATE,     "the answer's Date is wrong") \
    X(NO_DATE,        "the answer has no Date") \
    X(DENY,           "storage denies access: 401 or 403") \
    X(CRASH_BEFORE,   "the sender crashes before the request leaves") \
    X(CRASH_SENT,     "the sender crashes when the request has left") \
    X(CRASH_AFTER,    "the sender crashes when storage has acted") \
    X(SUSPEND,        "the sender is suspended when the request has left") \
    X(JUMP_CLOCK,     "the sender's wall clock jumps") \
    X(CUT_OFF,        "the sender is cut off from storage for a while, when the request has left") \
    X(OUTAGE,         "the service that it is sent to cannot be reached for a while") \
    X(DENY_ALL,       "storage denies everybody access for a while") \
    X(BREAK_LEASES,   "an operator breaks every lease, when storage has acted") \
    X(STOP,           "the sender is told to stop, and started anew") \
    X(REFUSE_RENEWALS, "storage is too busy to renew leases for a while: 503 or 429") \
    X(REVOKE_TOKENS,  "every access token is revoked") \
    X(DELETE_LEASES,  "an operator deletes the lease container") \
    X(DELETE_PRODUCT, "somebody deletes a product's row under its reservations") \
    X(REMOVE_PRODUCT, "somebody deletes a product with all its rows") \
    X(SPOIL_ROW,      "somebody writes nonsense into the row of a reservation") \
    X(DELETE_TABLE,   "somebody deletes the table")
/* clang-format on */

enum simulated_fault {
#define SIMULATED_FAULT_ENUM(name, text) SIMULATED_##name,
    SIMULATED_FAULT_TABLE(SIMULATED_FAULT_ENUM) SIMULATED_FAULTS
#undef SIMULATED_FAULT_ENUM
};

/* "LOSE_REQUEST"; "the request is lost" */
const char *simulated_fault_name(enum simulated_fault fault);
const char *simulated_fault_text(enum simulated_fault fault);

struct simulated_strike {
    int64_t step; /* 1, 2, ... */
    enum simulated_fault fault;
};

struct simulated_faults {
    /* One of the two: drawn with these rates, or from the plan. */
    bool is_planned;
    double rates[SIMULATED_FAULTS];
    double rate_of_all; /* their sum */
    struct simulated_random random;

    struct simulated_strike *strikes; /* the plan; or what was drawn */
    size_t count, capacity;
    size_t next;  /* of a plan: the first that has not struck; they are in the order of steps */
    bool is_over; /* no more faults from now on */
    int64_t struck[SIMULATED_FAULTS];
};

/*
 * Draws rates: some seeds have one kind, some all, some none. Few lose the table, after which
 * little is left to judge.
 */
void simulated_faults_draw(struct simulated_faults *faults, uint64_t seed);
/* Adds to a plan, in the order of steps. */
void simulated_faults_add(struct simulated_faults *faults, int64_t step,
                          enum simulated_fault fault);
void simulated_faults_cleanup(struct simulated_faults *faults);

/* What strikes this step. Steps come in order. */
enum simulated_fault simulated_faults_at(struct simulated_faults *faults, int64_t step);

#endif
