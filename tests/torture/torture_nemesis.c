#include "torture/torture_nemesis.h"

#include <signal.h>
#include <stdio.h>

#include "storage/blob_client.h"

enum {
    LONG_RUN_MS = 40000,
    LONG_STOP_MS = 17000, /* longer than a lease */
    SHORT_STOP_MS = 2500,
    LONG_OUTAGE_MS = 12000, /* longer than anybody asks for what became of a commit */
    SHORT_OUTAGE_MS = 2000,
    OUTAGE_RANGE_MS = 8000,
    AWAIT_TRANSACTION_MS = 5000,
    TABLE_PROXY = 1,
    BREAK_TIMEOUT_MS = 5000,
    WRONG_DATES = 4, /* in a row */
};
#define HOUR_MS INT64_C(3600000)

const char *torture_nemesis_deed_name(enum torture_deed deed) {
    static const char *const names[] = {
#define TORTURE_NAME(name, text) text,
        TORTURE_DEED_TABLE(TORTURE_NAME)
#undef TORTURE_NAME
    };
    return names[deed];
}

void torture_nemesis_init(struct torture_nemesis *nemesis, struct torture_world *world) {
    *nemesis = (struct torture_nemesis){.world = world, .random = {world->options->seed ^ 0x5eed}};
    bool is_long = world->options->duration_ms >= LONG_RUN_MS;
    nemesis->stop_for_ms = is_long ? LONG_STOP_MS : SHORT_STOP_MS;
    nemesis->outage_for_ms = is_long ? LONG_OUTAGE_MS : SHORT_OUTAGE_MS;
}

/* ---- what it does ---- */

static int begin_spell(struct torture_nemesis *nemesis, int instance, int proxy,
                       const struct fault_rule *rule, int64_t duration_ms) {
    int id = fault_proxy_add(nemesis->world->instances[instance].proxies[proxy], rule);
    int64_t until_ms = process_now_ms() + duration_ms;
    if (until_ms > nemesis->clear_ms[instance][proxy]) {
        nemesis->clear_ms[instance][proxy] = until_ms;
    }
    return id;
}

static void end_spell(struct torture_nemesis *nemesis, int instance, int proxy) {
    struct fault_proxy *of = nemesis->world->instances[instance].proxies[proxy];
    fault_proxy_clear(of);
    fault_proxy_let_go(of);
    nemesis->clear_ms[instance][proxy] = 0;
    if (proxy == TABLE_PROXY && nemesis->continue_ms[instance] == 0) {
        atomic_store(&nemesis->world->instances[instance].usable,
                     true); /* its outage is over, if there was one */
    }
}

/* Storage's own trouble, or what gateways say in its place. */
static int choose_status(struct torture_random *random) {
    static const int statuses[] = {500, 503, 503, 200, 302, 400, 404, 407, 409, 412, 451, 502};
    return statuses[torture_random_below(random, sizeof statuses / sizeof *statuses)];
}

/* Storage has acted, and the caller of a transaction does not learn it. */
static void lose_answers(struct torture_nemesis *nemesis) {
    static const enum fault_kind kinds[] = {FAULT_RESET_AFTER, FAULT_CLOSE_AFTER,
                                            FAULT_STATUS_AFTER, FAULT_TRUNCATE, FAULT_TWICE};
    struct torture_random *random = &nemesis->random;
    struct fault_rule rule = {.path_contains = "$batch",
                              .kind = kinds[torture_random_below(random, 5)],
                              .status = choose_status(random),
                              .body = "<html>not storage</html>",
                              .probability = 0.2};
    begin_spell(nemesis, torture_random_below(random, TORTURE_INSTANCES), TABLE_PROXY, &rule, 1000);
    nemesis->counts[TORTURE_SPELL]++;
}

static void cast_spell(struct torture_nemesis *nemesis) {
    struct torture_random *random = &nemesis->random;
    struct fault_rule rule = {
        .kind = (enum fault_kind)(1 + torture_random_below(random, FAULT_KINDS - 1)),
        .probability = 0.05 + 0.05 * torture_random_below(random, 8),
        .delay_ms = 20 + torture_random_below(random, 1500),
        .status = choose_status(random),
        .body = "<html>not storage</html>",
        .retry_after_s = torture_random_below(random, 2)};
    if (rule.kind == FAULT_WRONG_DATE) {
        rule.kind = FAULT_TWICE; /* two wrong ones alike would be believed: see tell_wrong_dates */
    }
    begin_spell(nemesis, torture_random_below(random, TORTURE_INSTANCES),
                torture_random_below(random, TORTURE_PROXIES), &rule,
                500 + torture_random_below(random, 2000));
    nemesis->counts[TORTURE_SPELL]++;
}

static void raise_storm(struct torture_nemesis *nemesis) {
    int proxy = torture_random_below(&nemesis->random, TORTURE_PROXIES);
    bool everywhere = torture_random_chance(&nemesis->random, 0.3);
    int from = everywhere ? 0 : torture_random_below(&nemesis->random, TORTURE_INSTANCES);
    struct fault_rule rule = {.kind = FAULT_STATUS_BEFORE, .retry_after_s = 1};
    for (int i = from; i < (everywhere ? TORTURE_INSTANCES : from + 1); i++) {
        begin_spell(nemesis, i, proxy, &rule, 800 + torture_random_below(&nemesis->random, 1200));
    }
    nemesis->counts[TORTURE_STORM]++;
}

/* One that is stopped or has no table is enough at a time: the others are to be busy. */
static bool is_any_unusable(const struct torture_nemesis *nemesis) {
    bool unusable = false;
    for (int i = 0; i < TORTURE_INSTANCES; i++) {
        unusable = unusable || !atomic_load(&nemesis->world->instances[i].usable);
    }
    return unusable;
}

static void stop_instance(struct torture_nemesis *nemesis, int instance) {
    if (is_any_unusable(nemesis)) {
        return;
    }
    atomic_store(&nemesis->world->instances[instance].usable, false);
    process_signal(&nemesis->world->instances[instance].app.process, SIGSTOP);
    nemesis->continue_ms[instance] = process_now_ms() + nemesis->stop_for_ms;
    nemesis->counts[TORTURE_STOP]++;
}

static void continue_instance(struct torture_nemesis *nemesis, int instance) {
    process_signal(&nemesis->world->instances[instance].app.process, SIGCONT);
    atomic_store(&nemesis->world->instances[instance].usable, true);
    nemesis->continue_ms[instance] = 0;
}

/* Half of the kills are for the mixed instance, if there is one: its handlers change often. */
static void kill_instance(struct torture_nemesis *nemesis, int instance) {
    int mixed = torture_world_mixed(nemesis->world);
    if (mixed >= 0 && torture_random_chance(&nemesis->random, 0.5)) {
        instance = mixed;
    }
    if (atomic_load(&nemesis->world->instances[instance].usable)) {
        torture_world_restart(nemesis->world, instance);
        nemesis->counts[TORTURE_KILL]++;
    }
}

/* One that is held at this moment, if there is any. */
static void break_lease(struct torture_nemesis *nemesis) {
    struct storage_connection *storage = &nemesis->world->operator;
    int product_count = nemesis->world->options->product_count;
    int first = torture_random_below(&nemesis->random, product_count);
    enum status status = STATUS_LEASE_LOST;
    for (int i = 0; i < product_count && status != STATUS_OK; i++) {
        char blob[64];
        const char *product = torture_world_product((first + i) % product_count);
        snprintf(blob, sizeof blob, "lease-inventory-%s", product);
        status = blob_lease_break(&storage->client, "leases", blob,
                                  storage_connection_deadline(storage, BREAK_TIMEOUT_MS), NULL);
    }
    nemesis->counts[TORTURE_BREAK] += status == STATUS_OK;
}

static void close_idle(struct torture_nemesis *nemesis, int instance) {
    for (int i = 0; i < TORTURE_PROXIES; i++) {
        nemesis->counts[TORTURE_CLOSE] +=
            fault_proxy_close_idle(nemesis->world->instances[instance].proxies[i]);
    }
}

/* From a transaction on, of which nobody learns what became of it, the instance has no table. */
static void begin_outage(struct torture_nemesis *nemesis, int instance) {
    static const enum fault_kind kinds[] = {FAULT_RESET_BEFORE, FAULT_CLOSE_BEFORE,
                                            FAULT_RESET_AFTER};
    struct torture_random *random = &nemesis->random;
    if (is_any_unusable(nemesis) || nemesis->outage_rule != 0) {
        return;
    }
    struct fault_rule first = {
        .path_contains = "$batch", .kind = kinds[torture_random_below(random, 3)], .times = 1};
    struct fault_rule rest = {.kind = torture_random_chance(random, 0.5) ? FAULT_STATUS_BEFORE
                                                                         : FAULT_CLOSE_BEFORE};
    rest.after = begin_spell(nemesis, instance, TABLE_PROXY, &first, AWAIT_TRANSACTION_MS);
    begin_spell(nemesis, instance, TABLE_PROXY, &rest, AWAIT_TRANSACTION_MS);
    nemesis->outage_instance = instance;
    nemesis->outage_rule = rest.after;
}

/* The transaction has come: few callers turn to the instance now, so that the run goes on. */
static void go_on_with_outage(struct torture_nemesis *nemesis) {
    struct torture_instance *instance = &nemesis->world->instances[nemesis->outage_instance];
    int64_t *clear_ms = &nemesis->clear_ms[nemesis->outage_instance][TABLE_PROXY];
    if (nemesis->outage_rule == 0) {
        return;
    }
    if (*clear_ms == 0) {
        nemesis->outage_rule = 0;
    } else if (fault_proxy_applied(instance->proxies[TABLE_PROXY], nemesis->outage_rule) > 0) {
        *clear_ms = process_now_ms() + nemesis->outage_for_ms +
                    torture_random_below(&nemesis->random, OUTAGE_RANGE_MS);
        atomic_store(&instance->usable, false);
        nemesis->counts[TORTURE_OUTAGE]++;
        nemesis->outage_rule = 0;
    }
}

/*
 * A few answers in a row have a Date that is hours or days off. No two wrong ones of a run that are
 * near each other are alike: the second would confirm the first.
 */
static void tell_wrong_dates(struct torture_nemesis *nemesis, int instance) {
    struct torture_random *random = &nemesis->random;
    int proxy = torture_random_below(random, TORTURE_PROXIES);
    int64_t sign = torture_random_chance(random, 0.7) ? 1 : -1;
    for (int i = 0; i < WRONG_DATES; i++) {
        int64_t hours = 1 + (nemesis->counts[TORTURE_DATE] * WRONG_DATES + i) * 7 % 48;
        struct fault_rule rule = {
            .kind = FAULT_WRONG_DATE, .times = 1, .delay_ms = sign * hours * HOUR_MS};
        begin_spell(nemesis, instance, proxy, &rule, 2000);
    }
    nemesis->counts[TORTURE_DATE]++;
}

/* Each once at first, so that a short run has them all; the likelier ones more often later. */
static enum torture_deed choose_deed(struct torture_nemesis *nemesis) {
    static const enum torture_deed deeds[] = {
        TORTURE_SPELL,  TORTURE_SPELL,  TORTURE_SPELL, TORTURE_SPELL, TORTURE_SPELL,
        TORTURE_STORM,  TORTURE_KILL,   TORTURE_STOP,  TORTURE_BREAK, TORTURE_BREAK,
        TORTURE_BREAK,  TORTURE_CLOSE,  TORTURE_DATE,  TORTURE_DATE,  TORTURE_OUTAGE,
        TORTURE_OUTAGE, TORTURE_OUTAGE, TORTURE_DELETE};
    if (nemesis->deed_count < TORTURE_DEEDS) {
        return (enum torture_deed)nemesis->deed_count;
    }
    return deeds[torture_random_below(&nemesis->random, sizeof deeds / sizeof deeds[0])];
}

static void do_something(struct torture_nemesis *nemesis) {
    int instance = torture_random_below(&nemesis->random, TORTURE_INSTANCES);
    if (nemesis->world->options->faults == TORTURE_LOST_ANSWERS) {
        if (torture_random_chance(&nemesis->random, 0.2)) {
            begin_outage(nemesis, instance);
        } else if (torture_random_chance(&nemesis->random, 0.5)) {
            tell_wrong_dates(nemesis, instance);
        } else {
            lose_answers(nemesis);
        }
        return;
    }
    switch (choose_deed(nemesis)) {
    case TORTURE_SPELL:
        if (torture_random_chance(&nemesis->random, 0.4)) {
            lose_answers(nemesis);
        } else {
            cast_spell(nemesis);
        }
        break;
    case TORTURE_STORM:
        raise_storm(nemesis);
        break;
    case TORTURE_KILL:
        kill_instance(nemesis, instance);
        break;
    case TORTURE_STOP:
        stop_instance(nemesis, instance);
        break;
    case TORTURE_BREAK:
        break_lease(nemesis);
        break;
    case TORTURE_CLOSE:
        close_idle(nemesis, instance);
        break;
    case TORTURE_OUTAGE:
        begin_outage(nemesis, instance);
        break;
    case TORTURE_DATE:
        tell_wrong_dates(nemesis, instance);
        break;
    case TORTURE_DELETE:
        torture_world_delete_leases(nemesis->world);
        nemesis->counts[TORTURE_DELETE]++;
        break;
    case TORTURE_DEEDS:
        break;
    }
    nemesis->deed_count++;
}

/* ---- when ---- */

void torture_nemesis_act(struct torture_nemesis *nemesis) {
    int64_t now_ms = process_now_ms();
    go_on_with_outage(nemesis);
    for (int i = 0; i < TORTURE_INSTANCES; i++) {
        for (int j = 0; j < TORTURE_PROXIES; j++) {
            if (nemesis->clear_ms[i][j] != 0 && now_ms >= nemesis->clear_ms[i][j]) {
                end_spell(nemesis, i, j);
            }
        }
        if (nemesis->continue_ms[i] != 0 && now_ms >= nemesis->continue_ms[i]) {
            continue_instance(nemesis, i);
        }
    }
    if (nemesis->world->options->faults != TORTURE_NO_FAULTS && now_ms >= nemesis->next_ms) {
        do_something(nemesis);
        nemesis->next_ms = process_now_ms() + 150 + torture_random_below(&nemesis->random, 600);
    }
}

void torture_nemesis_end(struct torture_nemesis *nemesis) {
    for (int i = 0; i < TORTURE_INSTANCES; i++) {
        for (int j = 0; j < TORTURE_PROXIES && nemesis->world->options->faults != TORTURE_NO_FAULTS;
             j++) {
            end_spell(nemesis, i, j);
        }
        if (nemesis->continue_ms[i] != 0) {
            continue_instance(nemesis, i);
        }
    }
}
