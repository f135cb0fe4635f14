#include "simulation/simulated_scenario.h"

#include <stdio.h>
#include <string.h>

enum {
    MOST_TRIES = 6,
    AGAIN_US = 1500 * 1000,
    DOWN_US = 1000 * 1000, /* between two looks whether an instance is up */
};

#define RESERVE(...) \
    { .kind = HISTORY_RESERVE, __VA_ARGS__ }
#define RELEASE(...) \
    { .kind = HISTORY_RELEASE, __VA_ARGS__ }
#define GET(...) \
    { .kind = HISTORY_GET, __VA_ARGS__ }
#define RECONCILE(...) \
    { .kind = HISTORY_RECONCILE, __VA_ARGS__ }

const struct simulated_scenario simulated_scenarios[] = {
    {"a reserve on a quiet product", 1, 1, {RESERVE()}},
    {"a reserve with a key", 1, 1, {RESERVE(.key = "k")}},
    {"the same key again at another instance", 2, 2, {RESERVE(.key = "k"), RESERVE(.key = "k", .app = 2, .after = 1)}},
    {"the same key at two instances at once", 2, 2, {RESERVE(.key = "k"), RESERVE(.key = "k", .app = 2)}},
    {"a key again for something else", 1, 2, {RESERVE(.key = "k"), RESERVE(.key = "k", .quantity = 3, .after = 1)}},
    {"two reserves, one after the other", 1, 2, {RESERVE(), RESERVE(.customer = "b", .after = 1)}},
    {"a batch of three", 1, 3, {RESERVE(), RESERVE(.customer = "b"), RESERVE(.customer = "c")}},
    {"more than there is", 1, 2, {RESERVE(.quantity = 7), RESERVE(.quantity = 7, .customer = "b")}},
    {"the last units at two instances",
     2,
     2,
     {RESERVE(.quantity = 7), RESERVE(.quantity = 7, .customer = "b", .app = 2)}},
    {"two instances that race", 2, 2, {RESERVE(), RESERVE(.customer = "b", .app = 2)}},
    {"three instances that race",
     3,
     3,
     {RESERVE(), RESERVE(.customer = "b", .app = 2), RESERVE(.customer = "c", .app = 3)}},
    {"a release of a reservation", 1, 2, {RESERVE(.key = "k"), RELEASE(.reservation_of = 1, .after = 1)}},
    {"a partial release", 1, 2, {RESERVE(.key = "k", .quantity = 5), RELEASE(.reservation_of = 1, .after = 1)}},
    {"a release with a key", 1, 2, {RESERVE(.key = "k"), RELEASE(.key = "l", .reservation_of = 1, .after = 1)}},
    {"a release of any",
     1,
     3,
     {RESERVE(.key = "k"), RESERVE(.key = "l", .after = 1), RELEASE(.quantity = 3, .key = "m", .after = 2)}},
    {"a release at another instance", 2, 2, {RESERVE(.key = "k"), RELEASE(.reservation_of = 1, .app = 2, .after = 1)}},
    {"a release twice",
     1,
     3,
     {RESERVE(.key = "k"), RELEASE(.reservation_of = 1, .after = 1), RELEASE(.reservation_of = 1, .after = 2)}},
    {"a release that finds nothing", 1, 1, {RELEASE()}},
    {"a look", 1, 1, {GET()}},
    {"a look during a reserve", 1, 2, {RESERVE(), GET(.at_ms = 5)}},
    {"a look at another instance after a reserve", 2, 2, {RESERVE(.key = "k"), GET(.app = 2, .after = 1)}},
    {"two products", 1, 2, {RESERVE(), RESERVE(.product = 2)}},
    {"reconciliation of nothing", 1, 1, {RECONCILE()}},
    {"reconciliation of one product", 1, 2, {RESERVE(.key = "k"), RECONCILE(.at_ms = 250000)}},
    {"reconciliation of two products",
     1,
     3,
     {RESERVE(.key = "k"), RESERVE(.product = 2, .key = "l"), RECONCILE(.at_ms = 250000)}},
    {"reconciliation at two instances",
     2,
     3,
     {RESERVE(.key = "k"), RECONCILE(.at_ms = 250000), RECONCILE(.app = 2, .at_ms = 250000)}},
    {"a reserve during reconciliation",
     2,
     3,
     {RESERVE(.key = "k"), RECONCILE(.at_ms = 250000), RESERVE(.customer = "b", .app = 2, .at_ms = 250005)}},
    {"a reserve after an expiry",
     1,
     2,
     {RESERVE(.quantity = 9, .key = "k"), RESERVE(.quantity = 9, .customer = "b", .at_ms = 61000)}},
    {"a reserve after a long pause", 1, 2, {RESERVE(), RESERVE(.customer = "b", .at_ms = 40000)}},
    {"a reserve and its release, over and over",
     1,
     4,
     {RESERVE(.key = "k"), RELEASE(.reservation_of = 1, .after = 1), RESERVE(.key = "l", .after = 2),
      RELEASE(.reservation_of = 3, .after = 3)}},
};
const int simulated_scenario_count = sizeof simulated_scenarios / sizeof simulated_scenarios[0];

static void schedule(struct simulated_script_ask *ask, int64_t wait_us) {
    struct simulation *simulation = ask->script->callers->simulation;
    simulation_schedule(simulation, &ask->due, simulation->now_us + wait_us);
}

/* Those that wait for this one are next. */
static void end(struct simulated_script_ask *ask) {
    struct simulated_script *script = ask->script;
    ask->is_over = true;
    script->left--;
    for (int i = 0; i < script->scenario->ask_count; i++) {
        if (script->asks[i].ask->after == (int)(ask - script->asks) + 1) {
            schedule(&script->asks[i], 0);
        }
    }
}

static void on_ended(struct simulated_asker *asker, const struct history_record *record) {
    struct simulated_script_ask *ask = (struct simulated_script_ask *)asker;
    if (record->outcome == HISTORY_UNKNOWN && ask->ask->key != NULL && ++ask->tries < MOST_TRIES) {
        schedule(ask, AGAIN_US);
        return;
    }
    memcpy(ask->reservation_id, record->reservation_id, sizeof ask->reservation_id);
    end(ask);
}

static int or_default(int value, int by_default) {
    return value == 0 ? by_default : value;
}

static void on_due(void *context) {
    struct simulated_script_ask *ask = context;
    struct simulated_script *script = ask->script;
    const struct simulated_scenario_ask *what = ask->ask;
    int app = or_default(what->app, 1);
    struct history_record asked = {
        .kind = what->kind, .client = 1, .instance = app, .quantity = or_default(what->quantity, 2)};
    if (script->callers->apps[app - 1].state == SIMULATED_APP_ENDED) {
        schedule(ask, DOWN_US);
        return;
    }
    if (what->kind != HISTORY_RECONCILE) {
        simulated_callers_product(or_default(what->product, 1) - 1, asked.product);
    }
    snprintf(asked.customer, sizeof asked.customer, "%s", what->customer == NULL ? "a" : what->customer);
    snprintf(asked.key, sizeof asked.key, "%s", what->key == NULL ? "" : what->key);
    if (what->reservation_of > 0) {
        const char *id = script->asks[what->reservation_of - 1].reservation_id;
        if (id[0] == '\0') { /* there is none */
            end(ask);
            return;
        }
        memcpy(asked.wanted_reservation, id, sizeof asked.wanted_reservation);
    }
    simulated_callers_ask(script->callers, &ask->asker, &asked);
}

void simulated_script_start(struct simulated_script *script, struct simulated_callers *callers,
                            const struct simulated_scenario *scenario) {
    *script = (struct simulated_script){.callers = callers, .scenario = scenario, .left = scenario->ask_count};
    for (int i = 0; i < scenario->ask_count; i++) {
        struct simulated_script_ask *ask = &script->asks[i];
        *ask = (struct simulated_script_ask){.asker = {.ended = on_ended}, .script = script, .ask = &scenario->asks[i]};
        ask->due = (struct simulated_event){.happen = on_due, .context = ask};
        if (ask->ask->after == 0) {
            schedule(ask, (int64_t)ask->ask->at_ms * SIMULATION_US);
        }
    }
}

void simulated_script_cancel(struct simulated_script *script) {
    for (int i = 0; i < SCENARIO_MAX_ASKS; i++) {
        if (script->asks[i].script != NULL) {
            simulation_cancel(script->callers->simulation, &script->asks[i].due);
        }
    }
}
