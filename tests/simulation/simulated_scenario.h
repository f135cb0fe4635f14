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
    SCENARIO_ANY_STATUS = -1
};

/* One request. What is zero has the value in brackets. */
struct simulated_scenario_ask {
    enum history_kind kind;
    int at_ms;            /* since the scenario began (0), */
    int after;            /* or since ask number `after` (1, ...) was over */
    int app;              /* (1) */
    int product;          /* 1 or 2 (1) */
    int quantity;         /* (2) */
    const char *customer; /* ("a") */
    const char *key;      /* with one it is asked again where its outcome is unknown (none) */
    int reservation_of; /* a release: of the reservation that ask number so and so made (of any) */
    int status;         /* that it is answered with when nothing goes wrong (200) */
};

struct simulated_scenario {
    const char *name;
    int app_count, ask_count;
    struct simulated_scenario_ask asks[SCENARIO_MAX_ASKS];
    bool uses_tokens;     /* to sign in with, in place of the account's key */
    bool has_small_pages; /* storage answers a query with few rows at a time */
    int work_ms;          /* Inventory:ProcessingTime */
};

extern const struct simulated_scenario simulated_scenarios[];
extern const int simulated_scenario_count;

struct simulated_script_ask {
    struct simulated_asker asker; /* first */
    struct simulated_script *script;
    struct simulated_event due;
    const struct simulated_scenario_ask *ask;
    int tries;
    int status; /* of the last answer; 0: none */
    bool is_over;
    char reservation_id[HISTORY_NAME_BYTES];
};

/* A scenario that is played. */
struct simulated_script {
    struct simulated_callers *callers;
    const struct simulated_scenario *scenario;
    struct simulated_script_ask asks[SCENARIO_MAX_ASKS];
    int left; /* asks that are not over */
};

void simulated_script_start(struct simulated_script *script, struct simulated_callers *callers,
                            const struct simulated_scenario *scenario);
void simulated_script_cancel(struct simulated_script *script);

#endif
