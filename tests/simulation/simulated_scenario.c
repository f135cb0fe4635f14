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
#define CONFIRM(...) \
    { .kind = HISTORY_CONFIRM, __VA_ARGS__ }
#define EXTEND(...) \
    { .kind = HISTORY_EXTEND, __VA_ARGS__ }
#define FIND(...) \
    { .kind = HISTORY_FIND, __VA_ARGS__ }
#define ADJUST(...) \
    { .kind = HISTORY_ADJUST, __VA_ARGS__ }
#define GET(...) \
    { .kind = HISTORY_GET, __VA_ARGS__ }
#define RECONCILE(...) \
    { .kind = HISTORY_RECONCILE, __VA_ARGS__ }
#define STRIKE(...) \
    { .strikes = SIMULATED_##__VA_ARGS__ }
#define ASKS(...)                                                                                \
    .asks = {__VA_ARGS__}, .ask_count = sizeof((struct simulated_scenario_ask[]){__VA_ARGS__}) / \
                                        sizeof(struct simulated_scenario_ask)

const struct simulated_scenario simulated_scenarios[] = {
    {.name = "a reserve on a quiet product", .app_count = 1, ASKS(RESERVE())},
    {.name = "a reserve with a key", .app_count = 1, ASKS(RESERVE(.key = "k"))},
    {.name = "the same key again at another instance",
     .app_count = 2,
     ASKS(RESERVE(.key = "k"), RESERVE(.key = "k", .app = 2, .after = 1))},
    {.name = "the same key at two instances at once",
     .app_count = 2,
     ASKS(RESERVE(.key = "k"), RESERVE(.key = "k", .app = 2))},
    {.name = "a key again for something else",
     .app_count = 1,
     ASKS(RESERVE(.key = "k"), RESERVE(.key = "k", .quantity = 3, .after = 1, .status = 422))},
    {.name = "two reserves, one after the other",
     .app_count = 1,
     ASKS(RESERVE(), RESERVE(.customer = "b", .after = 1))},
    {.name = "a batch of three",
     .app_count = 1,
     ASKS(RESERVE(), RESERVE(.customer = "b"), RESERVE(.customer = "c"))},
    {.name = "more than there is",
     .app_count = 1,
     ASKS(RESERVE(.quantity = 7), RESERVE(.quantity = 7, .customer = "b", .status = 409))},
    {.name = "the last units at two instances",
     .app_count = 2,
     ASKS(RESERVE(.quantity = 7, .status = SCENARIO_ANY_STATUS),
          RESERVE(.quantity = 7, .customer = "b", .app = 2, .status = SCENARIO_ANY_STATUS))},
    {.name = "two instances that race",
     .app_count = 2,
     ASKS(RESERVE(), RESERVE(.customer = "b", .app = 2))},
    {.name = "three instances that race",
     .app_count = 3,
     ASKS(RESERVE(), RESERVE(.customer = "b", .app = 2), RESERVE(.customer = "c", .app = 3))},
    {.name = "a release of a reservation",
     .app_count = 1,
     ASKS(RESERVE(.key = "k"), RELEASE(.reservation_of = 1, .after = 1))},
    {.name = "a partial release",
     .app_count = 1,
     ASKS(RESERVE(.key = "k", .quantity = 5), RELEASE(.reservation_of = 1, .after = 1))},
    {.name = "a release with a key",
     .app_count = 1,
     ASKS(RESERVE(.key = "k"), RELEASE(.key = "l", .reservation_of = 1, .after = 1))},
    {.name = "a release of any",
     .app_count = 1,
     ASKS(RESERVE(.key = "k"), RESERVE(.key = "l", .after = 1),
          RELEASE(.quantity = 3, .key = "m", .after = 2))},
    {.name = "a release at another instance",
     .app_count = 2,
     ASKS(RESERVE(.key = "k"), RELEASE(.reservation_of = 1, .app = 2, .after = 1))},
    {.name = "a release twice",
     .app_count = 1,
     ASKS(RESERVE(.key = "k"), RELEASE(.reservation_of = 1, .after = 1),
          RELEASE(.reservation_of = 1, .after = 2))},
    {.name = "a release that finds nothing", .app_count = 1, ASKS(RELEASE(.status = 404))},
    {.name = "a look", .app_count = 1, ASKS(GET())},
    {.name = "a look during a reserve", .app_count = 1, ASKS(RESERVE(), GET(.at_ms = 5))},
    {.name = "a look at another instance after a reserve",
     .app_count = 2,
     ASKS(RESERVE(.key = "k"), GET(.app = 2, .after = 1))},
    {.name = "two products", .app_count = 1, ASKS(RESERVE(), RESERVE(.product = 2))},
    {.name = "reconciliation of nothing", .app_count = 1, ASKS(RECONCILE())},
    {.name = "reconciliation of one product",
     .app_count = 1,
     ASKS(RESERVE(.key = "k"), RECONCILE(.at_ms = 250000))},
    {.name = "reconciliation of two products",
     .app_count = 1,
     ASKS(RESERVE(.key = "k"), RESERVE(.product = 2, .key = "l"), RECONCILE(.at_ms = 250000))},
    {.name = "reconciliation at two instances",
     .app_count = 2,
     ASKS(RESERVE(.key = "k"), RECONCILE(.at_ms = 250000), RECONCILE(.app = 2, .at_ms = 250000))},
    {.name = "a reserve during reconciliation",
     .app_count = 2,
     ASKS(RESERVE(.key = "k"), RECONCILE(.at_ms = 250000),
          RESERVE(.customer = "b", .app = 2, .at_ms = 250005))},
    {.name = "a reserve after an expiry",
     .app_count = 1,
     ASKS(RESERVE(.quantity = 9, .key = "k"),
          RESERVE(.quantity = 9, .customer = "b", .after = 1, .at_ms = 61000))},
    {.name = "a reserve after a long pause",
     .app_count = 1,
     ASKS(RESERVE(), RESERVE(.customer = "b", .at_ms = 40000))},
    {.name = "a reserve and its release, over and over",
     .app_count = 1,
     ASKS(RESERVE(.key = "k"), RELEASE(.reservation_of = 1, .after = 1),
          RESERVE(.key = "l", .after = 2), RELEASE(.reservation_of = 3, .after = 3))},
    {.name = "a reserve with an access token",
     .app_count = 1,
     ASKS(RESERVE()),
     .uses_tokens = true},
    {.name = "a batch of two, with access tokens, at two instances",
     .app_count = 2,
     ASKS(RESERVE(), RESERVE(.customer = "b"), RESERVE(.customer = "c", .app = 2)),
     .uses_tokens = true},
    {.name = "a reserve with work", .app_count = 1, ASKS(RESERVE()), .work_ms = 3000},
    {.name = "work that is longer than a lease", .app_count = 1, ASKS(RESERVE()), .work_ms = 45000},
    {.name = "a batch of three with work, and a renewal that is refused",
     .app_count = 1,
     ASKS(RESERVE(), RESERVE(.customer = "b"), RESERVE(.customer = "c"),
          STRIKE(REFUSE_RENEWALS, .at_ms = 9500, .lasts_ms = 1000)),
     .work_ms = 45000},
    {.name = "work that ends while its lease cannot be renewed",
     .app_count = 1,
     ASKS(RESERVE(.status = 409), STRIKE(REFUSE_RENEWALS, .at_ms = 9000, .lasts_ms = 6000)),
     .work_ms = 10500},
    {.name = "an access token that is revoked",
     .app_count = 1,
     ASKS(RESERVE(), STRIKE(REVOKE_TOKENS, .after = 1), RESERVE(.customer = "b", .after = 2)),
     .uses_tokens = true},
    {.name = "a table that is gone stays gone for those who have seen it",
     .app_count = 2,
     ASKS(RESERVE(.status = SCENARIO_ANY_STATUS),
          RESERVE(.customer = "b", .app = 2, .after = 1, .status = SCENARIO_ANY_STATUS),
          STRIKE(DELETE_TABLE, .after = 2), RESERVE(.customer = "c", .after = 3, .status = 503),
          RESERVE(.customer = "d", .app = 2, .after = 3, .at_ms = 60000, .status = 503))},
    {.name = "a release of more reservations than a transaction has room for",
     .app_count = 1,
     ASKS(RESERVE(.quantity = 1, .times = 120), RELEASE(.quantity = 120, .after = 1),
          RELEASE(.quantity = 120, .after = 2), RELEASE(.after = 3, .status = 404)),
     .units = 120},
    {.name = "a look at more rows than fit a page",
     .app_count = 1,
     ASKS(RESERVE(), RESERVE(.customer = "b"), RESERVE(.customer = "c"), RESERVE(.customer = "d"),
          GET(.at_ms = 1000)),
     .has_small_pages = true},
    {.name = "a release of any from more rows than fit a page",
     .app_count = 2,
     ASKS(RESERVE(.key = "k"), RESERVE(.key = "l", .after = 1), RESERVE(.key = "m", .after = 2),
          RESERVE(.key = "n", .after = 3),
          RELEASE(.quantity = 7, .key = "o", .app = 2, .after = 4)),
     .has_small_pages = true},
    {.name = "a confirm",
     .app_count = 1,
     ASKS(RESERVE(.key = "k"), CONFIRM(.quantity = SCENARIO_ALL, .reservation_of = 1, .after = 1),
          GET(.after = 2))},
    {.name = "a confirm in parts",
     .app_count = 1,
     ASKS(RESERVE(.quantity = 5, .key = "k"), CONFIRM(.reservation_of = 1, .after = 1),
          CONFIRM(.quantity = SCENARIO_ALL, .reservation_of = 1, .after = 2),
          CONFIRM(.quantity = 1, .reservation_of = 1, .after = 3, .status = 404))},
    {.name = "a confirm twice, at two instances",
     .app_count = 2,
     ASKS(RESERVE(.quantity = 5, .key = "k"), CONFIRM(.reservation_of = 1, .after = 1),
          CONFIRM(.reservation_of = 1, .app = 2, .after = 2), GET(.after = 3))},
    {.name = "a confirm with a key at two instances at once",
     .app_count = 2,
     ASKS(RESERVE(.quantity = 5, .key = "k"), CONFIRM(.key = "l", .reservation_of = 1, .after = 1),
          CONFIRM(.key = "l", .reservation_of = 1, .app = 2, .after = 1))},
    {.name = "a confirm, a release and a reserve at once",
     .app_count = 2,
     ASKS(RESERVE(.quantity = 5, .key = "k"), CONFIRM(.reservation_of = 1, .after = 1),
          RELEASE(.reservation_of = 1, .after = 1), RESERVE(.customer = "b", .after = 1),
          RESERVE(.customer = "c", .app = 2, .after = 1))},
    {.name = "a confirm of more than is reserved",
     .app_count = 1,
     ASKS(RESERVE(.key = "k"),
          CONFIRM(.quantity = 3, .reservation_of = 1, .after = 1, .status = 400))},
    {.name = "a confirm after an expiry, before and after reconciliation",
     .app_count = 2,
     ASKS(RESERVE(.key = "k"),
          CONFIRM(.reservation_of = 1, .after = 1, .at_ms = 61000, .status = 409),
          RECONCILE(.app = 2, .after = 2, .at_ms = 250000),
          CONFIRM(.reservation_of = 1, .after = 3, .status = 409))},
    {.name = "an extend",
     .app_count = 1,
     ASKS(RESERVE(.key = "k"), EXTEND(.reservation_of = 1, .after = 1, .at_ms = 30000),
          FIND(.reservation_of = 1, .after = 2))},
    {.name = "an extend to no later than before",
     .app_count = 1,
     ASKS(RESERVE(.key = "k"), EXTEND(.lifetime_s = 5, .reservation_of = 1, .after = 1),
          FIND(.reservation_of = 1, .after = 2))},
    {.name = "an extend twice with its key, at two instances",
     .app_count = 2,
     ASKS(RESERVE(.key = "k"),
          EXTEND(.key = "l", .lifetime_s = 90, .reservation_of = 1, .after = 1),
          EXTEND(.key = "l", .lifetime_s = 90, .reservation_of = 1, .app = 2, .after = 2))},
    {.name = "an extended reservation outlives reconciliation at another instance",
     .app_count = 2,
     ASKS(RESERVE(.key = "k"),
          EXTEND(.key = "l", .lifetime_s = 900, .reservation_of = 1, .after = 1),
          RECONCILE(.app = 2, .after = 2, .at_ms = 350000),
          CONFIRM(.quantity = SCENARIO_ALL, .reservation_of = 1, .app = 2, .after = 3))},
    {.name = "the units of an extended reservation are not there for others",
     .app_count = 2,
     ASKS(RESERVE(.quantity = 9, .key = "k"),
          EXTEND(.key = "l", .lifetime_s = 300, .reservation_of = 1, .after = 1),
          RESERVE(.quantity = 9, .customer = "b", .app = 2, .after = 2, .at_ms = 61000,
                  .status = 409))},
    {.name = "an extend after an expiry",
     .app_count = 1,
     ASKS(RESERVE(.key = "k"),
          EXTEND(.reservation_of = 1, .after = 1, .at_ms = 61000, .status = 409))},
    {.name = "a look at one reservation, and after its expiry",
     .app_count = 2,
     ASKS(RESERVE(.key = "k"), FIND(.reservation_of = 1, .app = 2, .after = 1),
          FIND(.reservation_of = 1, .after = 1, .at_ms = 61000, .status = 404))},
    {.name = "a reserve for a lifetime of its own",
     .app_count = 1,
     ASKS(RESERVE(.key = "k", .lifetime_s = 300, .quantity = 9),
          RESERVE(.customer = "b", .after = 1, .at_ms = 61000, .status = 409))},
    {.name = "an adjust",
     .app_count = 1,
     ASKS(ADJUST(.quantity = 5, .key = "k"), RESERVE(.quantity = 12, .after = 1))},
    {.name = "an adjust twice with its key, at two instances",
     .app_count = 2,
     ASKS(ADJUST(.quantity = -5, .key = "k"), ADJUST(.quantity = -5, .key = "k", .app = 2),
          GET(.after = 2))},
    {.name = "an adjust by more than is available",
     .app_count = 1,
     ASKS(RESERVE(.quantity = 7), ADJUST(.quantity = -4, .key = "k", .after = 1, .status = 409))},
    {.name = "an adjust that takes the units of expired reservations",
     .app_count = 1,
     ASKS(RESERVE(.quantity = 9, .key = "k"),
          ADJUST(.quantity = -9, .key = "l", .after = 1, .at_ms = 61000))},
    {.name = "a change of the version that it names, and of the one before",
     .app_count = 2,
     ASKS(GET(), RESERVE(.key = "k", .version_of = 1, .after = 1),
          CONFIRM(.reservation_of = 2, .version_of = 1, .after = 2, .status = 412),
          CONFIRM(.quantity = 1, .reservation_of = 2, .version_of = 2, .app = 2, .after = 3),
          EXTEND(.reservation_of = 2, .version_of = HISTORY_ANY_VERSION, .after = 4),
          ADJUST(.key = "l", .version_of = 2, .app = 2, .after = 5, .status = 412))},
    {.name = "two changes of one version at two instances",
     .app_count = 2,
     ASKS(GET(), RESERVE(.key = "k", .version_of = 1, .after = 1, .status = SCENARIO_ANY_STATUS),
          RESERVE(.key = "l", .customer = "b", .version_of = 1, .app = 2, .after = 1,
                  .status = SCENARIO_ANY_STATUS))},
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
            schedule(&script->asks[i], (int64_t)script->asks[i].ask->at_ms * SIMULATION_US);
        }
    }
}

static int or_default(int value, int by_default) {
    return value == 0 ? by_default : value;
}

int simulated_script_wanted(const struct simulated_scenario_ask *ask) {
    return or_default(ask->status, 200);
}

static void on_ended(struct simulated_asker *asker, const struct history_record *record) {
    struct simulated_script_ask *ask = (struct simulated_script_ask *)asker;
    int times = or_default(ask->ask->times, 1);
    bool is_as_planned = ask->left == times || ask->status == simulated_script_wanted(ask->ask);
    ask->status = is_as_planned ? record->status : ask->status;
    bool may_repeat = ask->ask->key != NULL || ask->ask->kind == HISTORY_CONFIRM;
    if (record->outcome == HISTORY_UNKNOWN && may_repeat && ++ask->tries < MOST_TRIES) {
        schedule(ask, AGAIN_US);
        return;
    }
    memcpy(ask->reservation_id, record->reservation_id, sizeof ask->reservation_id);
    ask->version = record->version;
    if (--ask->left == 0) {
        end(ask);
    }
}

static void let_strike(struct simulated_script_ask *ask) {
    ask->script->strike(ask->script->context, ask->ask);
    ask->status = simulated_script_wanted(ask->ask);
    end(ask);
}

static int64_t quantity_of(const struct simulated_scenario_ask *ask) {
    bool has_none = ask->kind == HISTORY_EXTEND || ask->kind == HISTORY_FIND ||
                    (ask->kind == HISTORY_CONFIRM && ask->quantity == SCENARIO_ALL);
    return has_none ? 0 : or_default(ask->quantity, 2);
}

static void on_due(void *context) {
    struct simulated_script_ask *ask = context;
    struct simulated_script *script = ask->script;
    const struct simulated_scenario_ask *what = ask->ask;
    if (what->strikes != SIMULATED_NONE) {
        let_strike(ask);
        return;
    }
    int app = or_default(what->app, 1);
    struct history_record asked = {.kind = what->kind,
                                   .client = 1,
                                   .instance = app,
                                   .quantity = quantity_of(what),
                                   .lifetime_s = what->lifetime_s};
    if (script->callers->apps[app - 1].state == SIMULATED_APP_ENDED) {
        schedule(ask, DOWN_US);
        return;
    }
    if (what->kind != HISTORY_RECONCILE) {
        simulated_callers_product(or_default(what->product, 1) - 1, asked.product);
    }
    snprintf(asked.customer, sizeof asked.customer, "%s",
             what->customer == NULL ? "a" : what->customer);
    snprintf(asked.key, sizeof asked.key, "%s", what->key == NULL ? "" : what->key);
    if (what->reservation_of > 0) {
        const char *id = script->asks[what->reservation_of - 1].reservation_id;
        if (id[0] == '\0') { /* there is none */
            end(ask);
            return;
        }
        memcpy(asked.wanted_reservation, id, sizeof asked.wanted_reservation);
    }
    asked.expected_version =
        what->version_of > 0 ? script->asks[what->version_of - 1].version : what->version_of;
    ask->left = or_default(what->times, 1);
    for (int i = ask->left; i > 0; i--) {
        simulated_callers_ask(script->callers, &ask->asker, &asked);
    }
}

void simulated_script_start(struct simulated_script *script, struct simulated_callers *callers,
                            const struct simulated_scenario *scenario,
                            simulated_script_strike strike, void *context) {
    *script = (struct simulated_script){.callers = callers,
                                        .strike = strike,
                                        .context = context,
                                        .scenario = scenario,
                                        .left = scenario->ask_count};
    for (int i = 0; i < scenario->ask_count; i++) {
        struct simulated_script_ask *ask = &script->asks[i];
        *ask = (struct simulated_script_ask){
            .asker = {.ended = on_ended}, .script = script, .ask = &scenario->asks[i]};
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
