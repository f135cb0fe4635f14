#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulation/simulated_rows.h"
#include "simulation/simulated_world.h"

enum {
    QUIET_US = 180 * 1000 * 1000,     /* within so long all is well again */
    LEASE_ENDS_US = 61 * 1000 * 1000, /* a lease that nobody renews */
    RELEASED_US = 5 * 1000 * 1000,    /* one that its holder gives back */
    AGAIN_US = 2 * 1000 * 1000,
    CLOCK_BEHIND_MS = 1500,
    LONG_SLEEP_MS = 20 * 3600 * 1000,
    RECORDS_ARE_KEPT_MS = 24 * 3600 * 1000,
    RECORDS_GO_MS =
        26 * 3600 * 1000, /* then the hour has ended in which they end (expiry_index.h) */
    MOST_REPEATED = 8,
    WORK_TRIES = 4,
    LONGEST_ANSWER_MS = 12 * 1000,
    INDEX_MS =
        4 * 60 * 1000, /* after an expiry: then its row of the index is due (expiry_index.h) */
};

/* ---- everybody sees everything ---- */

/* A request to an instance, sent until it is done or refused. It lives until it is answered. */
struct question {
    struct simulated_asker asker; /* first */
    struct simulated_world *world;
    struct simulated_event again;
    struct history_record asked;
    bool is_done, is_over; /* it has succeeded; it is not asked again */
};

static void ask(void *context) {
    struct question *question = context;
    simulated_callers_ask(&question->world->callers, &question->asker, &question->asked);
}

static void on_answered(struct simulated_asker *asker, const struct history_record *record) {
    struct question *question = (struct question *)asker;
    bool is_decided = record->outcome == HISTORY_DONE || record->outcome == HISTORY_REFUSED;
    question->is_done = question->is_done || is_decided;
    if (!question->is_done && !question->is_over) {
        struct simulation *simulation = &question->world->simulation;
        simulation_schedule(simulation, &question->again, simulation->now_us + AGAIN_US);
    }
}

static bool is_any_open(const struct question *questions, int count) {
    bool is_any = false;
    for (int i = 0; i < count; i++) {
        is_any = is_any || !questions[i].is_done;
    }
    return is_any;
}

/* Lets time go on until every request is answered. */
static void let_all_be_answered(struct simulated_world *world) {
    int64_t until_us = world->simulation.now_us + QUIET_US;
    while (world->callers.in_flight > 0 && !simulated_world_is_violated(world)) {
        if (!simulation_step(&world->simulation, until_us)) {
            simulated_world_violate(
                world, "%d requests are not answered within %d s, though nothing goes wrong",
                world->callers.in_flight, QUIET_US / 1000000);
        }
    }
}

/* Asks all, over and over, until all have succeeded or the time is over. */
static void ask_all(struct simulated_world *world, struct question *questions, int count,
                    int64_t for_us) {
    int64_t until_us = world->simulation.now_us + for_us;
    for (int i = 0; i < count && !simulated_world_is_violated(world); i++) {
        questions[i].asker.ended = on_answered;
        questions[i].world = world;
        questions[i].again = (struct simulated_event){.happen = ask, .context = &questions[i]};
        ask(&questions[i]);
    }
    while (is_any_open(questions, count) && !simulated_world_is_violated(world) &&
           simulation_step(&world->simulation, until_us)) {
    }
    for (int i = 0; i < count; i++) {
        simulation_cancel(&world->simulation, &questions[i].again);
        questions[i].is_over = true;
    }
    let_all_be_answered(world);
}

/*
 * Asks every instance for every product: to show it, or to reserve a unit of it for a customer of
 * its own.
 */
static void ask_everywhere(struct simulated_world *world, enum history_kind kind) {
    struct question questions[SIMULATED_MAX_APPS * SIMULATED_MAX_PRODUCTS] = {{.is_done = false}};
    int count = world->app_count * world->product_count;
    for (int i = 0; i < count; i++) {
        struct history_record *asked = &questions[i].asked;
        *asked = (struct history_record){
            .kind = kind, .instance = 1 + i / world->product_count, .quantity = 1};
        simulated_callers_product(i % world->product_count, asked->product);
        snprintf(asked->customer, sizeof asked->customer, "late-%d", i);
    }
    int64_t work_us =
        world->app_options.inventory.processing_time_ms * SIMULATION_US; /* one at a time */
    int64_t for_us = QUIET_US + WORK_TRIES * world->app_count * work_us;
    ask_all(world, questions, count, for_us);
    for (int i = 0; i < count; i++) {
        if (!questions[i].is_done && !world->products[i % world->product_count].is_tampered_with) {
            simulated_world_violate(world,
                                    "app %d does not %s %s within %d s, though nothing goes wrong",
                                    questions[i].asked.instance, history_kind_name(kind),
                                    questions[i].asked.product, (int)(for_us / 1000000));
        }
    }
}

/* Requests that are delivered late. */
static void let_all_arrive(struct simulated_world *world) {
    while (!LIST_EMPTY(&world->network.calls) && !simulated_world_is_violated(world)) {
        simulated_world_run_until(world, world->simulation.now_us + LEASE_ENDS_US);
    }
    simulated_world_run_until(world, world->simulation.now_us + LEASE_ENDS_US);
}

static void check_lease(struct simulated_world *world, const char *of) {
    char name[64];
    snprintf(name, sizeof name, "lease-inventory-%s", of);
    if (blobs_is_leased(&world->storage.blobs, SIMULATED_CONTAINER, name)) {
        simulated_world_violate(world, "%s is still leased though nobody asks for anything", name);
    }
}

static void check_leases(struct simulated_world *world) {
    for (int i = 0; i < world->product_count; i++) {
        check_lease(world, world->seeds[i].id);
    }
    check_lease(world, "reconciliation-job");
}

/* ---- the history ---- */

static bool is_any_tampered_with(const struct simulated_world *world) {
    bool is_any = false;
    for (int i = 0; i < world->product_count; i++) {
        is_any = is_any || world->products[i].is_tampered_with;
    }
    return is_any;
}

/*
 * What was asked of products that nobody has tampered with. Reconciliation fails for the others,
 * and says so. The array is the caller's (free).
 */
static const struct history_record **take_records(const struct simulated_world *world,
                                                  size_t *out_count) {
    const struct history_record **records =
        calloc(world->history.count + 1, sizeof(struct history_record *));
    bool is_any = is_any_tampered_with(world);
    *out_count = 0;
    for (size_t i = 0; i < world->history.count; i++) {
        int product = simulated_world_find_product(world, world->history.records[i]->product, "");
        if (product < 0 ? !is_any : !world->products[product].is_tampered_with) {
            records[(*out_count)++] = world->history.records[i];
        }
    }
    return records;
}

/* What storage has of each of those products. Returns how many they are. */
static size_t take_products(struct simulated_world *world,
                            struct checker_product products[SIMULATED_MAX_PRODUCTS]) {
    size_t count = 0;
    for (int i = 0; i < world->product_count; i++) {
        struct checker_product *product = &products[count];
        if (world->products[i].is_tampered_with) {
            continue;
        }
        *product = (struct checker_product){.total = world->seeds[i].total};
        snprintf(product->id, sizeof product->id, "%.16s", world->seeds[i].id);
        product->read_from_ms = product->read_to_ms = history_now_ms(&world->history);
        if (!simulated_rows_read(&world->storage, SIMULATED_TABLE_NAME, world->seeds[i].id,
                                 product)) {
            simulated_world_violate(world, "%s cannot be read from storage", world->seeds[i].id);
        }
        count++;
    }
    return count;
}

static void check_history(struct simulated_world *world) {
    struct checker_product products[SIMULATED_MAX_PRODUCTS] = {{.total = 0}};
    struct checker_report report = {.count = 0};
    size_t record_count = 0, product_count = take_products(world, products);
    const struct history_record **records = take_records(world, &record_count);
    const struct checker_input input = {.records = records,
                                        .record_count = record_count,
                                        .products = products,
                                        .product_count = product_count,
                                        .lifetime_ms = world->lifetime_ms,
                                        .clock_behind_ms = CLOCK_BEHIND_MS};
    if (!simulated_world_is_violated(world)) {
        checker_run(&input, &report);
    }
    if (report.count > 0) {
        simulated_world_break(world, checker_rule_text(report.violations[0].rule),
                              report.violations[0].text);
    }
    checker_report_cleanup(&report);
    free(records);
    for (size_t i = 0; i < product_count; i++) {
        free(products[i].rows);
    }
}

/* ---- what has expired is swept ---- */

/*
 * Has the reservations released that have expired, by every instance in turn: the first does it
 * all.
 */
static void reconcile(struct simulated_world *world) {
    for (int i = 0; i < world->app_count; i++) {
        struct question sweep = {.asked = {.kind = HISTORY_RECONCILE, .instance = 1 + i}};
        ask_all(world, &sweep, 1, LEASE_ENDS_US);
    }
    simulated_world_run_until(world, world->simulation.now_us + RELEASED_US);
}

static void check_swept(struct simulated_world *world, bool with_records) {
    for (int i = 0; i < world->product_count; i++) {
        const char *left = world->products[i].is_tampered_with
                               ? NULL
                               : simulated_rows_left(&world->storage, SIMULATED_TABLE_NAME,
                                                     world->seeds[i].id, with_records);
        if (left != NULL) {
            simulated_world_break(world, left, world->seeds[i].id);
        }
    }
}

/*
 * Sets wall clocks right: what is deleted for good is deleted when both they and storage's say so.
 */
static void set_clocks(struct simulated_world *world) {
    for (int i = 0; i < world->app_count; i++) {
        world->apps[i].process.wall_ahead_ms = 0;
    }
}

/* No reservation lasts longer. */
static int64_t longest_lifetime_ms(const struct simulated_world *world) {
    const struct simulated_scenario *scenario = world->options->scenario;
    int64_t named_ms = world->callers.most_lifetime_s * 1000;
    for (int i = 0; scenario != NULL && i < scenario->ask_count; i++) {
        int64_t ms = (int64_t)scenario->asks[i].lifetime_s * 1000;
        named_ms = ms > named_ms ? ms : named_ms;
    }
    return named_ms > world->lifetime_ms ? named_ms : world->lifetime_ms;
}

/* When all has expired, one round of reconciliation leaves nothing. */
static void check_sweep(struct simulated_world *world, bool with_records) {
    simulated_world_run_until(world, world->simulation.now_us +
                                         (longest_lifetime_ms(world) + INDEX_MS) * SIMULATION_US);
    reconcile(world);
    check_leases(world); /* given back, and not just ended */
    check_swept(world, with_records);
}

/*
 * Sends requests with keys again, hours later, when what they have made is gone. The checker judges
 * the answers.
 */
static void repeat_keys(struct simulated_world *world) {
    struct question questions[MOST_REPEATED] = {{.is_done = false}};
    int count = 0;
    for (size_t i = world->history.count; i > 0 && count < MOST_REPEATED; i--) {
        const struct history_record *record = world->history.records[i - 1];
        int product = simulated_world_find_product(world, record->product, "");
        bool is_young = history_now_ms(&world->history) - record->answered_ms < RECORDS_ARE_KEPT_MS;
        if (record->key[0] != '\0' && record->outcome == HISTORY_DONE && is_young &&
            !world->products[product].is_tampered_with) {
            struct history_record *asked = &questions[count].asked;
            *asked = history_asked_again(record);
            asked->instance = 1 + count % world->app_count;
            count++;
        }
    }
    ask_all(world, questions, count, QUIET_US);
}

static void run_for_ms(struct simulated_world *world, int64_t ms) {
    simulated_world_run_until(world, world->simulation.now_us + ms * SIMULATION_US);
}

/*
 * Records of keys outlive what they speak of, but not by much more than a day. The instances have
 * slept by then; their next reservations last as long as all others.
 */
static void check_next_day(struct simulated_world *world) {
    run_for_ms(world, LONG_SLEEP_MS);
    reconcile(world);
    repeat_keys(world);
    run_for_ms(world, RECORDS_GO_MS - LONG_SLEEP_MS);
    ask_everywhere(world, HISTORY_RESERVE);
    check_history(world);
    check_sweep(world, true);
}

/* Nobody waits long where nothing has gone wrong. */
static void check_patience(struct simulated_world *world) {
    bool is_disturbed = world->app_options.inventory.processing_time_ms > 0;
    for (int fault = 1; fault < SIMULATED_FAULTS; fault++) {
        is_disturbed = is_disturbed || world->faults.struck[fault] > 0;
    }
    if (!is_disturbed && world->callers.longest_ms > LONGEST_ANSWER_MS) {
        simulated_world_violate(
            world, "a request has waited %lld ms for its answer, though nothing went wrong",
            (long long)world->callers.longest_ms);
    }
}

void simulated_verdict(struct simulated_world *world) {
    check_patience(world);
    ask_everywhere(world, HISTORY_GET);
    let_all_arrive(world);
    check_leases(world);
    check_history(world);
    set_clocks(world);
    if (!world->is_table_lost && !simulated_world_is_violated(world)) {
        check_sweep(world, false);
    }
    bool has_few_tokens = !world->app_options.uses_tokens; /* in a day there would be many */
    if (world->options->scenario == NULL && !world->is_table_lost && has_few_tokens) {
        check_next_day(world);
    }
}
