#include "simulation/simulated_run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cjson/cJSON.h>

#include "simulation/simulated_rows.h"

enum {
    MOST_CALLERS = 24,
    LIFETIME_MS = 60 * 1000,
    CLOCK_BEHIND_MS = 1500,
    QUIET_US = 180 * 1000 * 1000, /* after the faults are over all is well again within so long */
    LEASE_ENDS_US = 61 * 1000 * 1000,
    LEAST_TOKEN_US = 30 * 1000 * 1000,
    MOST_TOKEN_US = 2000 * 1000 * 1000,
    PREPARATION_US = 2 * 1000 * 1000,
    SCENARIO_US = 1800 * 1000 * 1000, /* half an hour */
};
#define TABLE_NAME "inventory"
#define CONTAINER "leases"

static const char account_text[] =
    "AccountName=acme;AccountKey="
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=https://acme.blob.core.windows.net;TableEndpoint=https://acme.table.core.windows.net";

/* The time that storage and history go by. */
struct world_clock {
    struct clock base;
    const struct simulation *simulation;
};

/* The id that an instance has asked for a product's lease with last. */
struct lease_proposal {
    char id[UUID_TEXT_BYTES];
    bool is_taken_away; /* an operator has broken or deleted the lease since */
};

struct run {
    const struct simulated_run_options *options;
    struct simulated_result *result;
    struct simulation simulation;
    struct world_clock clock;
    struct storage_account account;
    struct simulated_storage storage;
    struct simulated_identity identity;
    struct simulated_faults faults;
    struct simulated_network network;
    struct simulated_app_options app_options;
    struct seed_product seeds[SIMULATED_MAX_PRODUCTS];
    int product_count;
    struct simulated_app apps[SIMULATED_MAX_APPS + 1]; /* the one behind the last is the operator's */
    int app_count;
    struct lease_proposal proposals[SIMULATED_MAX_APPS + 1][SIMULATED_MAX_PRODUCTS];
    struct history history;
    struct simulated_callers callers;
    struct simulated_script script;
};

static int64_t world_now_ms(const struct clock *clock) {
    return ((const struct world_clock *)clock)->simulation->now_us / SIMULATION_US;
}

static int64_t world_wall_ms(const struct clock *clock) {
    return SIMULATION_WALL_MS + world_now_ms(clock);
}

static struct simulated_app *app_of(struct run *run, const struct simulated_client *client) {
    int i = 0;
    while (&run->apps[i].client != client) {
        i++;
    }
    return &run->apps[i];
}

static void PRINTF_LIKE(2, 3) violate(struct run *run, const char *format, ...) {
    if (run->result->violation[0] != '\0') {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(run->result->violation, sizeof run->result->violation, format, arguments);
    va_end(arguments);
    simulation_tell(&run->simulation, "checker", "VIOLATION: %s", run->result->violation);
}

/* ---- what happens meanwhile ---- */

static struct blob *lease_blob(struct run *run, int product) {
    char name[64];
    snprintf(name, sizeof name, "lease-inventory-%s", run->seeds[product].id);
    return blobs_find(&run->storage.blobs, CONTAINER, name);
}

/* The index of the product that a text speaks of behind `mark`; -1: of none. */
static int find_product(const struct run *run, const char *text, const char *mark) {
    const char *at = text == NULL ? NULL : strstr(text, mark);
    for (int i = 0; at != NULL && i < run->product_count; i++) {
        size_t length = strlen(run->seeds[i].id);
        if (strncmp(at + strlen(mark), run->seeds[i].id, length) == 0 &&
            strchr("?'\"", at[strlen(mark) + length]) != NULL) {
            return i;
        }
    }
    return -1;
}

/*
 * A commit is sent under the lease alone: storage has the sender as its holder, or had it until an operator took the
 * lease away.
 */
static void check_lease(struct run *run, const struct simulated_app *app, int product) {
    const struct lease_proposal *proposal = &run->proposals[app->number - 1][product];
    struct blob *blob = lease_blob(run, product);
    bool is_held = blob != NULL &&
                   lease_state_at(&blob->lease, run->simulation.now_us / SIMULATION_US) == LEASE_LEASED &&
                   strcasecmp(blob->lease.id, proposal->id) == 0;
    if (!is_held && !proposal->is_taken_away) {
        violate(run, "%s commits to %s without its lease", app->process.name, run->seeds[product].id);
    }
}

static void on_sending(void *context, struct simulated_client *client, const struct http_call *call) {
    struct run *run = context;
    struct simulated_app *app = app_of(run, client);
    const char *id = http_headers_get(call->headers, "x-ms-proposed-lease-id");
    int leased = id == NULL ? -1 : find_product(run, call->url, "/lease-inventory-");
    if (leased >= 0) {
        struct lease_proposal *proposal = &run->proposals[app->number - 1][leased];
        *proposal = (struct lease_proposal){.is_taken_away = false};
        snprintf(proposal->id, sizeof proposal->id, "%s", id);
    }
    const char *path = strstr(call->url, "/$batch");
    int committed = path == NULL ? -1 : find_product(run, call->body, "PartitionKey='");
    if (committed >= 0) {
        check_lease(run, app, committed);
    }
}

/* By an operator: whoever had one may not know it yet. */
static void note_leases_taken_away(struct run *run) {
    for (int i = 0; i <= run->app_count; i++) {
        for (int j = 0; j < run->product_count; j++) {
            run->proposals[i][j].is_taken_away = true;
        }
    }
}

/* After every request that was carried out, its product is looked at. */
static void watch(void *context, enum simulated_service service) {
    struct run *run = context;
    const struct simulated_outcome *outcome = &run->storage.outcome;
    if (service != SIMULATED_TABLE_SERVICE || outcome->change_count == 0 || outcome->http_status >= 300) {
        return;
    }
    const char *product = outcome->changes[0].partition_key;
    const char *wrong = product[0] == '!' ? NULL : simulated_rows_check(&run->storage, TABLE_NAME, product);
    if (wrong != NULL) {
        violate(run, "%s: %s", product, wrong);
    }
}

static void break_leases(struct run *run) {
    note_leases_taken_away(run);
    for (int i = 0; i < run->product_count; i++) {
        struct blob *blob = lease_blob(run, i);
        if (blob != NULL) {
            lease_state_act(&blob->lease,
                            &(struct lease_state_call){.action = LEASE_BREAK, .id = "", .proposed = "", .period_s = 0},
                            run->simulation.now_us / SIMULATION_US);
        }
    }
    simulation_tell(&run->simulation, "operator", "breaks every lease");
}

static void strike(void *context, struct simulated_client *client, enum simulated_fault fault) {
    struct run *run = context;
    if (fault == SIMULATED_BREAK_LEASES) {
        break_leases(run);
        return;
    }
    if (fault == SIMULATED_DELETE_LEASES) {
        struct container *container = blobs_container(&run->storage.blobs, CONTAINER);
        simulation_tell(&run->simulation, "operator", "deletes the lease container");
        note_leases_taken_away(run);
        if (container != NULL) {
            blobs_delete_container(&run->storage.blobs, container);
        }
        return;
    }
    if (fault == SIMULATED_REVOKE_TOKENS) {
        simulation_tell(&run->simulation, "operator", "revokes every access token");
        simulated_identity_revoke_all(&run->identity);
        return;
    }
    simulated_app_strike(app_of(run, client), fault);
}

static void app_ended(void *context, struct simulated_app *app) {
    struct run *run = context;
    simulated_callers_lose(&run->callers, app);
}

/* ---- beginning ---- */

static void make_storage(struct run *run) {
    struct error err;
    run->clock = (struct world_clock){.base = {world_now_ms, world_wall_ms}, .simulation = &run->simulation};
    if (storage_account_parse(account_text, &run->account, &err) != STATUS_OK ||
        simulated_storage_init(&run->storage, &run->clock.base, &run->account) != STATUS_OK) {
        abort();
    }
    run->storage.accepts_token = simulated_identity_accepts;
    run->storage.token_context = &run->identity;
    simulated_network_init(&run->network, &run->simulation, &run->storage, &run->identity, &run->faults,
                           run->options->seed);
    run->network.sending = on_sending;
    run->network.watch = watch;
    run->network.strike = strike;
    run->network.context = run;
}

static void make_apps(struct run *run, struct simulated_random *random) {
    const struct simulated_scenario *scenario = run->options->scenario;
    run->product_count = 1 + (int)simulated_random_below(random, SIMULATED_MAX_PRODUCTS);
    if (scenario != NULL) {
        run->product_count = SCENARIO_PRODUCTS;
    }
    for (int i = 0; i < run->product_count; i++) {
        char id[HISTORY_NAME_BYTES];
        simulated_callers_product(i, id);
        snprintf(run->seeds[i].id, sizeof run->seeds[i].id, "%.16s", id);
        run->seeds[i].total = scenario != NULL ? SCENARIO_UNITS : simulated_random_spread(random, 5, 200);
    }
    run->app_options =
        (struct simulated_app_options){.account = &run->account,
                                       .lease = lease_options_default(),
                                       .lease_store = {.create_container = true},
                                       .inventory = {.reservation_lifetime_ms = LIFETIME_MS,
                                                     .seeds = run->seeds,
                                                     .seed_count = (size_t)run->product_count},
                                       .table_name = TABLE_NAME,
                                       .uses_tokens = scenario == NULL && simulated_random_chance(random, 0.4)};
    run->identity = (struct simulated_identity){
        .simulation = &run->simulation, .lifetime_us = simulated_random_spread(random, LEAST_TOKEN_US, MOST_TOKEN_US)};
    snprintf(run->app_options.lease_store.container, LEASE_CONTAINER_NAME_BYTES, CONTAINER);
    snprintf(run->app_options.lease_store.blob_prefix, LEASE_BLOB_PREFIX_BYTES, "lease-");
    http_headers_init(&run->app_options.lease_store.metadata);
    int drawn = 1 + (int)simulated_random_below(random, SIMULATED_MAX_APPS);
    run->app_count = scenario != NULL              ? scenario->app_count
                     : run->options->app_count > 0 ? run->options->app_count
                                                   : drawn;
    for (int i = 0; i <= run->app_count; i++) {
        simulated_app_init(&run->apps[i], &run->network, &run->app_options, i + 1, i == run->app_count,
                           run->options->seed + (uint64_t)(i + 1) * 1000);
        run->apps[i].ended = app_ended;
        run->apps[i].context = run;
    }
}

static void make_callers(struct run *run, struct simulated_random *random) {
    history_init(&run->history, &run->clock.base);
    int drawn = 1 + (int)simulated_random_below(random, MOST_CALLERS);
    run->callers = (struct simulated_callers){.simulation = &run->simulation,
                                              .history = &run->history,
                                              .apps = run->apps,
                                              .app_count = run->app_count,
                                              .product_count = run->product_count,
                                              .units = 50,
                                              .most_pause_us = simulated_random_spread(random, 1000, 2000 * 1000),
                                              .budget = run->options->operations};
    int count = run->options->caller_count > 0 ? run->options->caller_count : drawn;
    simulated_callers_start(&run->callers, run->options->scenario != NULL ? 0 : count, run->options->seed);
}

/* ---- the end ---- */

static void run_until(struct run *run, int64_t until_us) {
    while (simulation_step(&run->simulation, until_us) && run->result->violation[0] == '\0') {
    }
    run->simulation.now_us = run->simulation.now_us > until_us ? run->simulation.now_us : until_us;
}

static bool is_quiet(const struct run *run) {
    return run->callers.budget <= 0 && run->callers.in_flight == 0;
}

/* All that is ready when a scenario begins. */
static void prepare_scenario(struct run *run) {
    run->faults.is_over = true;
    run_until(run, PREPARATION_US);
    run->faults.is_over = false;
    run->network.step = 0;
    simulated_script_start(&run->script, &run->callers, run->options->scenario);
}

static void play_scenario(struct run *run) {
    prepare_scenario(run);
    while (run->script.left > 0 && run->result->violation[0] == '\0') {
        if (!simulation_step(&run->simulation, PREPARATION_US + SCENARIO_US)) {
            violate(run, "%d requests of the scenario are not over after %d s", run->script.left,
                    SCENARIO_US / 1000000);
        }
    }
    run_until(run,
              run->simulation.now_us + LEASE_ENDS_US / 2); /* leases are released, and what has crashed is up again */
    run->faults.is_over = true;
}

/* Callers ask until their budget is spent. Then no more faults strike, and what is in flight is answered. */
static void serve_callers(struct run *run) {
    int64_t over_us = INT64_MAX;
    while (!is_quiet(run) && run->result->violation[0] == '\0') {
        if (over_us == INT64_MAX && run->callers.budget <= 0) {
            run->faults.is_over = true;
            over_us = run->simulation.now_us + QUIET_US;
        }
        if (!simulation_step(&run->simulation, over_us)) {
            violate(run, "%d requests are not answered %d s after the last fault", run->callers.in_flight,
                    QUIET_US / 1000000);
        }
    }
    run->faults.is_over = true;
}

/* Everybody sees every product once more. */
static void look_at_all(struct run *run) {
    for (int i = 0; i < run->app_count * run->product_count; i++) {
        struct history_record asked = {.kind = HISTORY_GET, .instance = 1 + i / run->product_count};
        simulated_callers_product(i % run->product_count, asked.product);
        simulated_callers_ask(&run->callers, NULL, &asked);
    }
    run_until(run, run->simulation.now_us + QUIET_US);
    if (run->callers.in_flight > 0) {
        violate(run, "%d looks are not answered after %d s without faults", run->callers.in_flight, QUIET_US / 1000000);
    }
    while (!LIST_EMPTY(&run->network.calls)) { /* requests that were delivered late */
        run_until(run, run->simulation.now_us + LEASE_ENDS_US);
    }
    run_until(run, run->simulation.now_us + LEASE_ENDS_US);
}

static void check_leases(struct run *run) {
    for (int i = 0; i < run->product_count; i++) {
        char name[64];
        snprintf(name, sizeof name, "lease-inventory-%s", run->seeds[i].id);
        if (blobs_is_leased(&run->storage.blobs, CONTAINER, name)) {
            violate(run, "%s is still leased after %d s without requests", name, LEASE_ENDS_US / 1000000);
        }
    }
}

static void judge(struct run *run) {
    struct checker_product products[SIMULATED_MAX_PRODUCTS] = {{.total = 0}};
    for (int i = 0; i < run->product_count; i++) {
        products[i].total = run->seeds[i].total;
        snprintf(products[i].id, sizeof products[i].id, "%.16s", run->seeds[i].id);
        products[i].read_from_ms = products[i].read_to_ms = history_now_ms(&run->history);
        if (!simulated_rows_read(&run->storage, TABLE_NAME, run->seeds[i].id, &products[i])) {
            violate(run, "%s cannot be read from storage", run->seeds[i].id);
        }
    }
    struct checker_report report = {.count = 0};
    const struct checker_input input = {.records = (const struct history_record *const *)run->history.records,
                                        .record_count = run->history.count,
                                        .products = products,
                                        .product_count = (size_t)run->product_count,
                                        .lifetime_ms = LIFETIME_MS,
                                        .clock_behind_ms = CLOCK_BEHIND_MS};
    if (run->result->violation[0] == '\0') {
        checker_run(&input, &report);
        if (report.count > 0) {
            violate(run, "%s: %s", checker_rule_text(report.violations[0].rule), report.violations[0].text);
        }
        checker_report_release(&report);
    }
    for (int i = 0; i < run->product_count; i++) {
        free(products[i].rows);
    }
}

static void clean_up(struct run *run) {
    for (int i = 0; i <= run->app_count; i++) {
        simulated_app_cleanup(&run->apps[i]);
    }
    simulated_script_cancel(&run->script);
    simulated_callers_cleanup(&run->callers);
    simulated_network_cleanup(&run->network);
    simulated_storage_cleanup(&run->storage);
    history_release(&run->history);
    http_headers_release(&run->app_options.lease_store.metadata);
    simulated_faults_cleanup(&run->faults);
}

static void take_result(struct run *run) {
    struct simulated_result *out = run->result;
    out->hash = run->simulation.hash;
    out->operations = (int64_t)run->history.count;
    out->requests = run->network.carried_out;
    out->virtual_us = run->simulation.now_us;
    out->app_count = run->app_count;
    out->caller_count = run->callers.count;
    memcpy(out->struck, run->faults.struck, sizeof out->struck);
    out->strikes = run->faults.is_planned ? NULL : run->faults.strikes;
    out->strike_count = run->faults.is_planned ? 0 : run->faults.count;
    run->faults.strikes = NULL; /* it is the caller's, or the plan's */
}

void simulated_run(const struct simulated_run_options *options, struct simulated_result *out) {
    struct run *run = calloc(1, sizeof *run);
    cJSON_InitHooks(&(cJSON_Hooks){malloc, free}); /* what cJSON allocates is the simulated process's, too */
    *out = (struct simulated_result){.operations = 0};
    *run = (struct run){.options = options, .result = out, .simulation = {.prints = options->prints}};
    struct simulated_random random = simulated_random_new(options->seed, 'w');
    simulated_faults_draw(&run->faults, options->seed);
    if (options->plan != NULL) {
        run->faults = *options->plan;
    }
    make_storage(run);
    make_apps(run, &random);
    make_callers(run, &random);
    if (options->scenario != NULL) {
        play_scenario(run);
    } else {
        serve_callers(run);
    }
    out->steps = run->network.step;
    look_at_all(run);
    check_leases(run);
    judge(run);
    take_result(run);
    clean_up(run);
    free(run);
}
