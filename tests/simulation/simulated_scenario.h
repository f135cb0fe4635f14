/*
 * simulated_scenario.h - a few requests in a set order, small enough to be tried with every fault
 * at every step.
 *
 * A scenario begins with a world in which all is ready: the table, the products, the leases'
 * container, and instances that have been started. Its steps are counted from there.
 *
 * To add one: an entry in `simulated_scenarios` (simulated_scenario.c).
 */
#ifndef SIMULATION_SIMULATED_SCENARIO_H
#define SIMULATION_SIMULATED_SCENARIO_H

#include "simulation/simulated_callers.h"

enum {
    SCENARIO_MAX_ASKS = 8,
    SCENARIO_PRODUCTS = 2,
    SCENARIO_UNITS = 10,
    SCENARIO_ANY_STATUS = -1,
    SCENARIO_ALL = -1, /* units of the reservation */
};

/* One request, or what somebody does to storage. What is zero has the value in brackets. */
struct simulated_scenario_ask {
    enum history_kind kind;
    enum simulated_fault strikes; /* an operator's fault, in place of a request (none) */
    int lasts_ms;                 /* REFUSE_RENEWALS */
    int after;            /* begins when ask number `after` (1, ...) is over (with the scenario), */
    int at_ms;            /* or so long afterwards (0) */
    int times;            /* so many at once, each for itself (1) */
    int app;              /* (1) */
    int product;          /* 1 or 2 (1) */
    int quantity;         /* (2) */
    const char *customer; /* ("a") */
    const char *key;      /* with one it is asked again where its outcome is unknown (none) */
    int lifetime_s;       /* that it names (none) */
    int reservation_of;   /* the reservation that ask number so and so made (a release: of any) */
    int version_of; /* If-Match: as ask number so and so was answered, HISTORY_ANY_VERSION (none) */
    int status;     /* that it is answered with when nothing goes wrong (200) */
};

struct simulated_scenario {
    const char *name;
    int app_count, ask_count;
    struct simulated_scenario_ask asks[SCENARIO_MAX_ASKS];
    bool uses_tokens;     /* to sign in with, in place of the account's key */
    bool has_small_pages; /* storage answers a query with few rows at a time */
    int work_ms;          /* Inventory:ProcessingTime */
    int units;            /* of each product (SCENARIO_UNITS) */
};

extern const struct simulated_scenario simulated_scenarios[];
extern const int simulated_scenario_count;

struct simulated_script_ask {
    struct simulated_asker asker; /* first */
    struct simulated_script *script;
    struct simulated_event due;
    const struct simulated_scenario_ask *ask;
    int tries;
    int left;   /* that are not answered */
    int status; /* of the last answer, or of the first that is not as planned; 0: none */
    bool is_over;
    int64_t version; /* of the last answer */
    char reservation_id[HISTORY_NAME_BYTES];
};

/* Somebody does something to storage. */
typedef void (*simulated_script_strike)(void *context, const struct simulated_scenario_ask *ask);

/* A scenario that is played. */
struct simulated_script {
    struct simulated_callers *callers;
    simulated_script_strike strike;
    void *context;
    const struct simulated_scenario *scenario;
    struct simulated_script_ask asks[SCENARIO_MAX_ASKS];
    int left; /* asks that are not over */
};

void simulated_script_start(struct simulated_script *script, struct simulated_callers *callers,
                            const struct simulated_scenario *scenario,
                            simulated_script_strike strike, void *context);

/*
 * The status that a request is to be answered with when nothing goes wrong, or SCENARIO_ANY_STATUS.
 */
int simulated_script_wanted(const struct simulated_scenario_ask *ask);
void simulated_script_cancel(struct simulated_script *script);

#endif
