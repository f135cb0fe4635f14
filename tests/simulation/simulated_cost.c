#include "simulation/simulated_cost.h"

enum {
    NO_ANSWER = 1,    /* the host's empty 500 */
    CONFLICT = 2,     /* 409: another holds the lease for long, or it was lost */
    UNAVAILABLE = 4,  /* 503 */
    OTHER_ANSWER = 8, /* the product, or the world that it was asked in, is another one */
};

static const unsigned costs[SIMULATED_FAULTS] = {
    /*
     * The process is gone with all that it had in hand. Its lease stays until it runs out, and
     * others wait for it.
     */
    [SIMULATED_CRASH_BEFORE] = NO_ANSWER | CONFLICT,
    [SIMULATED_CRASH_SENT] = NO_ANSWER | CONFLICT,
    [SIMULATED_CRASH_AFTER] = NO_ANSWER | CONFLICT,

    /*
     * They last longer than a request is tried, or than a lease: a reservation may even have
     * expired meanwhile.
     */
    [SIMULATED_SUSPEND] = NO_ANSWER | CONFLICT | UNAVAILABLE,
    [SIMULATED_CUT_OFF] = CONFLICT | UNAVAILABLE,
    [SIMULATED_OUTAGE] = CONFLICT | UNAVAILABLE | OTHER_ANSWER,
    [SIMULATED_DENY_ALL] = NO_ANSWER | CONFLICT | UNAVAILABLE,
    [SIMULATED_THROTTLE_LONG] = CONFLICT | UNAVAILABLE,
    [SIMULATED_REFUSE_RENEWALS] = CONFLICT,
    [SIMULATED_DELETE_LEASES] = CONFLICT | UNAVAILABLE, /* a container takes half a minute to go */

    /* An instance that stops says so. */
    [SIMULATED_STOP] = CONFLICT | UNAVAILABLE,

    /* LeaseLost, and nothing was committed. */
    [SIMULATED_BREAK_LEASES] = CONFLICT,

    /*
     * Storage's own word, which is believed: with the account's key at once, with a token as far as
     * the answer is 403.
     */
    [SIMULATED_DENY] = CONFLICT | UNAVAILABLE,

    /* A success whose body cannot be read. It might be the same each time. */
    [SIMULATED_GARBLE_ANSWER] = UNAVAILABLE,

    /*
     * Until storage's time is known from an answer, or where it has been told wrong: nothing can be
     * signed, or expire.
     */
    [SIMULATED_WRONG_DATE] = UNAVAILABLE,
    [SIMULATED_JUMP_CLOCK] = UNAVAILABLE,

    /* The stock itself is another one. */
    [SIMULATED_DELETE_PRODUCT] = NO_ANSWER | CONFLICT | UNAVAILABLE | OTHER_ANSWER,
    [SIMULATED_REMOVE_PRODUCT] = NO_ANSWER | CONFLICT | UNAVAILABLE | OTHER_ANSWER,
    [SIMULATED_SPOIL_ROW] = NO_ANSWER | CONFLICT | UNAVAILABLE | OTHER_ANSWER,
    [SIMULATED_DELETE_TABLE] = NO_ANSWER | CONFLICT | UNAVAILABLE | OTHER_ANSWER,
};

bool simulated_cost_allows(enum simulated_fault fault, int status) {
    unsigned cost = status == 0     ? NO_ANSWER
                    : status == 409 ? CONFLICT
                    : status == 503 ? UNAVAILABLE
                                    : OTHER_ANSWER;
    return (costs[fault] & cost) != 0;
}
