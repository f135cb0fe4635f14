#include "simulation/simulated_run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "lease/lease_options.h"
#include "simulation/simulated_cost.h"
#include "simulation/simulated_transitions.h"
#include "simulation/simulated_world.h"

enum {
    MOST_CALLERS = 24,
    LEAST_UNITS = 5,
    MOST_UNITS = 80, /* with more, most of the time would go into long answers */
    LEAST_LIFETIME_MS = 5 * 1000,
    MOST_LIFETIME_MS = 120 * 1000,
    SCENARIO_LIFETIME_MS = 60 * 1000,
    MOST_NAMED_LIFETIME_MS = 24 * 3600 * 1000,
    QUIET_US = 180 * 1000 * 1000, /* after the faults are over all is answered within so long */
    LEAST_TOKEN_US = 30 * 1000 * 1000,
    MOST_TOKEN_US = 2000 * 1000 * 1000,
    LEAST_WORK_MS = 100,
    MOST_WORK_MS = 60 * 1000,
    MOST_CLOSE_MS =
        6 * 1000, /* to the end of its lease: more than a commit is given (pipeline_batch.c) */
    SMALL_PAGE_ROWS = 3,
    LONGEST_ANSWER_US =
        900 * 1000 * 1000, /* suspensions, and storage that cannot be reached, included */
    STEPS_BETWEEN_LOOKS = 1000,
    PREPARATION_US = 2 * 1000 * 1000,
    SCENARIO_US = 1800 * 1000 * 1000, /* half an hour */
    SCENARIO_REST_US = 30 * 1000 * 1000,
};

static const char account_text[] =
    "AccountName=acme;AccountKey="
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=https://acme.blob.core.windows.net;TableEndpoint=https://"
    "acme.table.core.windows.net";

static int64_t world_now_ms(const struct clock *clock) {
    return ((const struct simulated_world_clock *)clock)->simulation->now_us / SIMULATION_US;
}

static int64_t world_wall_ms(const struct clock *clock) {
    return SIMULATION_WALL_MS + world_now_ms(clock);
}

/* ---- what the other files of a run need ---- */

bool simulated_world_is_violated(const struct simulated_world *world) {
    return world->result->violation[0] != '\0';
}

void simulated_world_violate(struct simulated_world *world, const char *format, ...) {
    if (simulated_world_is_violated(world)) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(world->result->violation, sizeof world->result->violation, format, arguments);
    va_end(arguments);
    if (world->result->rule == NULL) {
        world->result->rule = format;
    }
    simulation_tell(&world->simulation, "checker", "VIOLATION: %s", world->result->violation);
}

void simulated_world_break(struct simulated_world *world, const char *rule, const char *example) {
    if (!simulated_world_is_violated(world)) {
        world->result->rule = rule;
        simulated_world_violate(world, "%s: %s", rule, example);
    }
}

void simulated_world_run_until(struct simulated_world *world, int64_t until_us) {
    while (!simulated_world_is_violated(world) && simulation_step(&world->simulation, until_us)) {
    }
    if (!simulated_world_is_violated(world) && until_us > world->simulation.now_us) {
        world->simulation.now_us = until_us;
    }
}

int simulated_world_find_product(const struct simulated_world *world, const char *text,
                                 const char *mark) {
    const char *at = text == NULL ? NULL : strstr(text, mark);
    for (int i = 0; at != NULL && i < world->product_count; i++) {
        size_t length = strlen(world->seeds[i].id);
        const char *end = at + strlen(mark) + length; /* strchr finds the end of the text, too */
        if (strncmp(at + strlen(mark), world->seeds[i].id, length) == 0 &&
            strchr("?%'\"", *end) != NULL) {
            return i;
        }
    }
    return -1;
}

struct blob *simulated_world_lease_blob(struct simulated_world *world, int product) {
    char name[64];
    snprintf(name, sizeof name, "lease-inventory-%s", world->seeds[product].id);
    return blobs_find(&world->storage.blobs, SIMULATED_CONTAINER, name);
}

struct simulated_app *simulated_world_app_of(struct simulated_world *world,
                                             const struct simulated_client *client) {
    int i = 0;
    while (&world->apps[i].client != client) {
        i++;
    }
    return &world->apps[i];
}

/* ---- beginning ---- */

static void on_strike(void *context, struct simulated_client *client, enum simulated_fault fault) {
    struct simulated_world *world = context;
    if (!simulated_operator_strike(world, fault)) {
        simulated_app_strike(simulated_world_app_of(world, client), fault);
    }
}

static void on_app_ended(void *context, struct simulated_app *app) {
    struct simulated_world *world = context;
    simulated_callers_lose(&world->callers, app);
}

static void make_storage(struct simulated_world *world) {
    struct error err;
    world->clock = (struct simulated_world_clock){.base = {world_now_ms, world_wall_ms},
                                                  .simulation = &world->simulation};
    if (storage_account_parse(account_text, &world->account, &err) != STATUS_OK ||
        simulated_storage_init(&world->storage, &world->clock.base, &world->account) != STATUS_OK) {
        abort();
    }
    world->storage.accepts_token = simulated_identity_accepts;
    world->storage.token_context = &world->identity;
    simulated_network_init(&world->network, &world->simulation, &world->storage, &world->identity,
                           &world->faults, world->options->seed);
    world->network.on_sending = simulated_rules_on_sending;
    world->network.on_carried_out = simulated_rules_on_carried_out;
    world->network.on_answered = simulated_rules_on_answered;
    world->network.on_strike = on_strike;
    world->network.context = world;
}

/*
 * How soon leases are renewed, how often that is tried, and when one counts as lost. Half of all
 * work ends when its lease is about to run out. Numbers of their own: those of all else stay as
 * they were.
 */
static void choose_renewals(struct leasehold_options *options, int64_t *work_ms, uint64_t seed) {
    struct simulated_random random = simulated_random_new(seed, 'l');
    if (simulated_random_chance(&random, 0.4)) {
        options->safety_threshold = (double)simulated_random_spread(&random, 50, 95) / 100;
        double part =
            options->safety_threshold * (double)simulated_random_spread(&random, 10, 98) / 100;
        options->renew_interval_ms = (int64_t)(part * options->duration_s * 1000);
        options->renew_max_retries = (int)simulated_random_below(&random, 5);
        options->auto_renew = *work_ms > 0 || simulated_random_chance(&random, 0.8);
    }
    if (*work_ms > 0 && simulated_random_chance(&random, 0.5)) {
        int64_t safe_ms = (int64_t)(options->safety_threshold * options->duration_s * 1000);
        *work_ms = safe_ms - simulated_random_below(&random, MOST_CLOSE_MS);
    }
}

/*
 * Scenarios have the shortest lease: what waits for one that nobody holds any more has fewer steps
 * then.
 */
static struct leasehold_options choose_leases(const struct simulated_scenario *scenario,
                                              struct simulated_random *random) {
    struct leasehold_options options = lease_options_default();
    int64_t duration_s =
        simulated_random_spread(random, LEASE_MIN_DURATION_S, LEASE_MAX_DURATION_S);
    bool is_impatient = simulated_random_chance(random, 0.2);
    options.container = SIMULATED_CONTAINER;
    options.duration_s = scenario == NULL ? (int)duration_s : LEASE_MIN_DURATION_S;
    if (scenario == NULL && is_impatient) {
        options.acquire_timeout_ms = simulated_random_below(random, options.acquire_timeout_ms);
    }
    return options;
}

/* How the app is set up in this run: from the seed, or as the scenario says. */
static void choose_settings(struct simulated_world *world, struct simulated_random *random) {
    const struct simulated_scenario *scenario = world->options->scenario;
    bool has_work = simulated_random_chance(random, 0.1),
         has_small_pages = simulated_random_chance(random, 0.2);
    bool uses_tokens = simulated_random_chance(random, 0.4);
    int64_t work_ms = has_work ? simulated_random_spread(random, LEAST_WORK_MS, MOST_WORK_MS) : 0;
    world->lifetime_ms = simulated_random_spread(random, LEAST_LIFETIME_MS, MOST_LIFETIME_MS);
    if (scenario != NULL) {
        world->lifetime_ms = SCENARIO_LIFETIME_MS;
        has_small_pages = scenario->has_small_pages;
        uses_tokens = scenario->uses_tokens;
        work_ms = scenario->work_ms;
    }
    world->storage.page_rows = has_small_pages ? SMALL_PAGE_ROWS : world->storage.page_rows;
    world->identity = (struct simulated_identity){
        .simulation = &world->simulation,
        .lifetime_us = simulated_random_spread(random, LEAST_TOKEN_US, MOST_TOKEN_US)};
    struct leasehold_options lease = choose_leases(scenario, random);
    if (scenario == NULL) {
        choose_renewals(&lease, &work_ms, world->options->seed);
    }
    world->app_options = (struct simulated_app_options){
        .account = &world->account,
        .lease = lease,
        .inventory = {.reservation_lifetime_ms = world->lifetime_ms,
                      .max_reservation_lifetime_ms = MOST_NAMED_LIFETIME_MS,
                      .processing_time_ms = work_ms,
                      .seeds = world->seeds,
                      .seed_count = (size_t)world->product_count},
        .table_name = SIMULATED_TABLE_NAME,
        .uses_tokens = uses_tokens};
}

static void choose_products(struct simulated_world *world, struct simulated_random *random) {
    const struct simulated_scenario *scenario = world->options->scenario;
    world->product_count = 1 + (int)simulated_random_below(random, SIMULATED_MAX_PRODUCTS);
    if (scenario != NULL) {
        world->product_count = SCENARIO_PRODUCTS;
    }
    for (int i = 0; i < world->product_count; i++) {
        char id[HISTORY_NAME_BYTES];
        simulated_callers_product(i, id);
        snprintf(world->seeds[i].id, sizeof world->seeds[i].id, "%.16s", id);
        world->seeds[i].total = scenario == NULL
                                    ? simulated_random_spread(random, LEAST_UNITS, MOST_UNITS)
                                : scenario->units > 0 ? scenario->units
                                                      : SCENARIO_UNITS;
    }
}

static void make_apps(struct simulated_world *world, struct simulated_random *random) {
    const struct simulated_scenario *scenario = world->options->scenario;
    int drawn = 1 + (int)simulated_random_below(random, SIMULATED_MAX_APPS);
    world->app_count = scenario != NULL                ? scenario->app_count
                       : world->options->app_count > 0 ? world->options->app_count
                                                       : drawn;
    for (int i = 0; i <= world->app_count; i++) {
        simulated_app_init(&world->apps[i], &world->network, &world->app_options, i + 1,
                           i == world->app_count, world->options->seed + (uint64_t)(i + 1) * 1000);
        world->apps[i].ended = on_app_ended;
        world->apps[i].context = world;
    }
}

static void make_callers(struct simulated_world *world, struct simulated_random *random) {
    history_init(&world->history, &world->clock.base);
    int drawn = 1 + (int)simulated_random_below(random, MOST_CALLERS);
    world->callers = (struct simulated_callers){
        .simulation = &world->simulation,
        .history = &world->history,
        .apps = world->apps,
        .app_count = world->app_count,
        .product_count = world->product_count,
        .units = MOST_UNITS / 4,
        .most_lifetime_s = world->options->has_no_sales ? 0 : 2 * world->lifetime_ms / 1000,
        .most_pause_us = simulated_random_spread(random, 1000, 2000 * 1000),
        .on_answer = simulated_retry_after_check_answer,
        .context = world,
        .budget = world->options->operations};
    int count = world->options->caller_count > 0 ? world->options->caller_count : drawn;
    simulated_callers_start(&world->callers, world->options->scenario != NULL ? 0 : count,
                            world->options->seed);
}

/* ---- the run ---- */

static void on_script_strike(void *context, const struct simulated_scenario_ask *ask) {
    struct simulated_world *world = context;
    if (ask->strikes == SIMULATED_REFUSE_RENEWALS) {
        world->network.renewals_refused_until_us =
            world->simulation.now_us + (int64_t)ask->lasts_ms * SIMULATION_US;
    } else if (!simulated_operator_strike(world, ask->strikes)) {
        abort(); /* no operator does this */
    }
}

/* All that is ready when a scenario begins. */
static void prepare_scenario(struct simulated_world *world) {
    world->faults.is_over = true;
    simulated_world_run_until(world, PREPARATION_US);
    world->faults.is_over = false;
    world->network.step = 0;
    simulated_script_start(&world->script, &world->callers, world->options->scenario,
                           on_script_strike, world);
}

static int count_strikes(const struct simulated_scenario *scenario) {
    int count = 0;
    for (int i = 0; i < scenario->ask_count; i++) {
        count += scenario->asks[i].strikes != SIMULATED_NONE;
    }
    return count;
}

/*
 * Without faults a scenario has to go as it says. One passing fault is absorbed, but for what it
 * may cost; what comes after that may be other answers, too. Together with what the scenario itself
 * does to storage it would not be one.
 */
static void check_script(struct simulated_world *world) {
    const struct simulated_faults *faults = &world->faults;
    size_t most_faults = count_strikes(world->options->scenario) > 0 ? 0 : 1;
    for (int i = 0; i < world->options->scenario->ask_count && faults->count <= most_faults; i++) {
        const struct simulated_script_ask *ask = &world->script.asks[i];
        int wanted = simulated_script_wanted(ask->ask);
        if (wanted == ask->status || wanted == SCENARIO_ANY_STATUS) {
            continue;
        }
        if (faults->count == 1 && simulated_cost_allows(faults->strikes[0].fault, ask->status)) {
            return;
        }
        simulated_world_violate(world, "request %d of the scenario is answered %d, not %d", i + 1,
                                ask->status, wanted);
    }
}

static void play_scenario(struct simulated_world *world) {
    prepare_scenario(world);
    while (world->script.left > 0 && !simulated_world_is_violated(world)) {
        if (!simulation_step(&world->simulation, PREPARATION_US + SCENARIO_US)) {
            simulated_world_violate(world, "%d requests of the scenario are not over after %d s",
                                    world->script.left, SCENARIO_US / 1000000);
        }
    }
    check_script(world);
    /* Leases are released, and what has crashed is up again. */
    simulated_world_run_until(world, world->simulation.now_us + SCENARIO_REST_US);
    world->faults.is_over = true;
}

static bool is_quiet(const struct simulated_world *world) {
    return world->callers.budget <= 0 && world->callers.in_flight == 0;
}

/*
 * Callers ask until their budget is spent. Then no more faults strike, and what is in flight is
 * answered.
 */
static void serve_callers(struct simulated_world *world) {
    int64_t over_us = INT64_MAX;
    for (int64_t steps = 1; !is_quiet(world) && !simulated_world_is_violated(world); steps++) {
        if (steps % STEPS_BETWEEN_LOOKS == 0 &&
            simulated_callers_longest_us(&world->callers) > LONGEST_ANSWER_US) {
            simulated_world_violate(world, "a request is not answered after %d s",
                                    LONGEST_ANSWER_US / 1000000);
        }
        if (over_us == INT64_MAX && world->callers.budget <= 0) {
            world->faults.is_over = true;
            over_us = world->simulation.now_us + QUIET_US;
        }
        if (!simulation_step(&world->simulation, over_us)) {
            simulated_world_violate(world, "%d requests are not answered %d s after the last fault",
                                    world->callers.in_flight, QUIET_US / 1000000);
        }
    }
    world->faults.is_over = true;
}

static void take_result(struct simulated_world *world) {
    struct simulated_result *out = world->result;
    out->hash = world->simulation.hash;
    out->operations = (int64_t)world->history.count;
    out->requests = world->network.carried_out;
    out->virtual_us = world->simulation.now_us;
    out->app_count = world->app_count;
    out->caller_count = world->callers.count;
    memcpy(out->struck, world->faults.struck, sizeof out->struck);
    out->strikes = world->faults.is_planned ? NULL : world->faults.strikes;
    out->strike_count = world->faults.is_planned ? 0 : world->faults.count;
    world->faults.strikes = NULL; /* it is the caller's, or the plan's */
}

static void clean_up(struct simulated_world *world) {
    for (int i = 0; i <= world->app_count; i++) {
        simulated_app_cleanup(&world->apps[i]);
    }
    simulated_script_cancel(&world->script);
    simulated_callers_cleanup(&world->callers);
    simulated_network_cleanup(&world->network);
    simulated_storage_cleanup(&world->storage);
    history_cleanup(&world->history);
    simulated_faults_cleanup(&world->faults);
}

void simulated_run(const struct simulated_run_options *options, struct simulated_result *out) {
    struct simulated_world *world = calloc(1, sizeof *world);
    if (options->begins != NULL) {
        options->begins(options);
    }
    cJSON_InitHooks(
        &(cJSON_Hooks){malloc, free}); /* what cJSON allocates is the simulated process's, too */
    *out = (struct simulated_result){.operations = 0};
    *world = (struct simulated_world){
        .options = options, .result = out, .simulation = {.prints = options->prints}};
    struct simulated_random random = simulated_random_new(options->seed, 'w');
    simulated_faults_draw(&world->faults, options->seed);
    if (options->plan != NULL) {
        world->faults = *options->plan;
    }
    simulated_transitions_begin();
    make_storage(world);
    choose_products(world, &random);
    choose_settings(world, &random);
    make_apps(world, &random);
    make_callers(world, &random);
    if (options->scenario != NULL) {
        play_scenario(world);
    } else {
        serve_callers(world);
    }
    out->steps = world->network.step;
    simulated_verdict(world);
    const char *unknown = simulated_transitions_unknown();
    if (unknown != NULL) {
        simulated_world_violate(world, "%s is in no table of transitions", unknown);
    }
    take_result(world);
    clean_up(world);
    free(world);
}
