#include "simulation/simulated_callers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/http_inbound.h"
#include "torture/history_request.h"

enum {
    MOST_PRODUCTS = 8,
    KEPT = 16, /* reservations, and requests with a key, that a caller remembers */
    MAX_ANSWER_BYTES = 16 * 1024 * 1024,
};

/* What a caller has reserved, and may release. */
struct kept {
    struct history_record asked; /* its product "": nothing is kept here */
    char reservation_id[UUID_TEXT_BYTES];
};

struct simulated_caller {
    struct simulated_asker asker; /* first */
    struct simulated_callers *all;
    struct simulated_random random;
    struct simulated_random sales_random; /* of its own: what else a seed does stays as it was */
    struct simulated_event wake;
    int number; /* 1, 2, ... */
    int customer_number, key_number;
    int64_t versions[MOST_PRODUCTS]; /* of each product, as it was last answered; 0: never */
    struct kept kept[KEPT];
    int kept_next;
    struct history_record
        keyed[KEPT]; /* as they were asked; their product "": nothing is kept here */
    int keyed_next;
    struct history_record
        again; /* what is asked next, since its outcome is unknown; its product "": nothing */
};

/* A request in flight. */
struct simulated_ask {
    LIST_ENTRY(simulated_ask) link;
    struct http_inbound inbound; /* what the app is given */
    struct simulated_callers *all;
    struct simulated_asker *asker; /* NULL: nobody, or it has left */
    struct simulated_app *app;
    struct history_record *record;
    struct simulated_event arrival; /* at the app, which may be suspended */
    int64_t sent_us;
    struct history_request request;
    struct inventory_request set_total; /* an operator's, in place of a function's */
};

void simulated_callers_product(int index, char out[HISTORY_NAME_BYTES]) {
    snprintf(out, HISTORY_NAME_BYTES, "P-%d", index + 1);
}

static int product_index(const char *product) {
    return atoi(product + 2) - 1;
}

/* ---- one request ---- */

static void free_ask(struct simulated_ask *ask) {
    simulation_cancel(ask->all->simulation, &ask->arrival);
    LIST_REMOVE(ask, link);
    ask->all->in_flight--;
    history_request_cleanup(&ask->request);
    free(ask);
}

static void tell(struct simulated_asker *asker, const struct history_record *record) {
    if (asker != NULL) {
        asker->ended(asker, record);
    }
}

/* It is called while the app runs; what it reads the answer with is the test's own memory. */
static void answered(struct http_inbound *inbound) {
    struct simulated_ask *ask =
        (struct simulated_ask *)((char *)inbound - offsetof(struct simulated_ask, inbound));
    struct simulated_callers *all = ask->all;
    struct simulated_memory *before = simulated_memory_use(NULL);
    struct http_reply reply = {.status = inbound->response.status,
                               .headers = inbound->response.headers,
                               .body = inbound->response.body};
    all->on_answer(all->context, &inbound->response);
    history_end(all->history, ask->record, &reply);
    http_response_cleanup(&inbound->response);
    int64_t waited_ms = (all->simulation->now_us - ask->sent_us) / SIMULATION_US;
    all->longest_ms = waited_ms > all->longest_ms ? waited_ms : all->longest_ms;
    simulation_tell(all->simulation, "caller", "%zu: %d %s (%s), version %lld, available %lld",
                    ask->record->number, ask->record->status,
                    history_outcome_name(ask->record->outcome), ask->record->code,
                    (long long)ask->record->version, (long long)ask->record->available);
    tell(ask->asker, ask->record);
    free_ask(ask);
    simulated_memory_use(before);
}

/*
 * As leasectl prints it. A lease that was lost or not had has changed nothing; after anything else
 * nobody knows.
 */
static void total_is_set(struct inventory_request *request) {
    struct simulated_ask *ask = request->context;
    struct simulated_memory *before = simulated_memory_use(NULL);
    char printed[160];
    snprintf(printed, sizeof printed,
             "{\"totalQuantity\":%lld,\"availableQuantity\":%lld,\"version\":%lld}",
             (long long)request->total, (long long)request->available, (long long)request->version);
    bool is_refused =
        request->status == STATUS_LEASE_LOST || request->status == STATUS_LEASE_CONFLICT ||
        request->status == STATUS_CANCELLED || (request->status == STATUS_OK && !request->is_set);
    if (request->status == STATUS_OK || is_refused) {
        history_end_set_total(ask->all->history, ask->record, is_refused ? NULL : printed);
    }
    simulation_tell(ask->all->simulation, "operator", "%zu: total of %s: %s, %s",
                    ask->record->number, ask->record->product, status_text(request->status),
                    printed);
    tell(ask->asker, ask->record);
    free_ask(ask);
    simulated_memory_use(before);
}

void simulated_callers_lose(struct simulated_callers *callers, struct simulated_app *app) {
    struct simulated_ask *ask, *next;
    for (ask = LIST_FIRST(&callers->asks); ask != NULL; ask = next) {
        next = LIST_NEXT(ask, link);
        if (ask->app == app) {
            tell(ask->asker, ask->record); /* the answer's memory has gone with the process */
            free_ask(ask);
        }
    }
}

static void write_ask(struct simulated_ask *ask, const struct history_record *asked) {
    struct history_request *request = &ask->request;
    history_request_init(request, asked);
    ask->inbound = (struct http_inbound){.request = {.method = request->method,
                                                     .path = request->path,
                                                     .query = "",
                                                     .headers = &request->headers,
                                                     .body = request->body,
                                                     .body_length = strlen(request->body)},
                                         .answered = answered};
    http_response_init(&ask->inbound.response, MAX_ANSWER_BYTES);
}

static void arrive(void *context) {
    struct simulated_ask *ask = context;
    int64_t awake_us = simulated_process_awake_us(&ask->app->process, ask->all->simulation->now_us);
    if (awake_us > ask->all->simulation->now_us) { /* it was suspended meanwhile */
        simulation_schedule(ask->all->simulation, &ask->arrival, awake_us);
    } else if (ask->record->kind == HISTORY_SET_TOTAL) {
        simulated_app_submit(ask->app, &ask->set_total);
    } else {
        simulated_app_request(ask->app, &ask->inbound);
    }
}

/* `leaves`: it does not wait for its answer. */
static void send(struct simulated_callers *all, struct simulated_asker *asker, bool leaves,
                 const struct history_record *asked) {
    struct simulated_app *app = &all->apps[asked->instance - 1];
    struct history_record *record = history_begin(all->history, asked);
    simulation_tell(all->simulation, "caller",
                    "%zu: asks app %d to %s %lld of %s for %s%s%s %s, lifetime %lld, If-Match %lld",
                    record->number, asked->instance, history_kind_name(asked->kind),
                    (long long)asked->quantity, asked->product, asked->customer,
                    asked->key[0] == '\0' ? "" : ", key ", asked->key, asked->wanted_reservation,
                    (long long)asked->lifetime_s, (long long)asked->expected_version);
    if (app->state == SIMULATED_APP_ENDED) {
        tell(asker, record);
        return;
    }
    struct simulated_ask *ask = calloc(1, sizeof *ask);
    *ask = (struct simulated_ask){.all = all,
                                  .asker = leaves ? NULL : asker,
                                  .app = app,
                                  .record = record,
                                  .sent_us = all->simulation->now_us};
    write_ask(ask, asked);
    LIST_INSERT_HEAD(&all->asks, ask, link);
    all->in_flight++;
    if (leaves) {
        tell(asker, record);
    }
    if (asked->kind == HISTORY_SET_TOTAL) {
        ask->set_total = (struct inventory_request){.operation = &operation_set_total,
                                                    .product_id = record->product,
                                                    .quantity = record->quantity,
                                                    .done = total_is_set,
                                                    .context = ask};
    }
    ask->arrival = (struct simulated_event){.happen = arrive, .context = ask};
    simulation_schedule(all->simulation, &ask->arrival, all->simulation->now_us);
}

int64_t simulated_callers_longest_us(const struct simulated_callers *callers) {
    int64_t oldest_us = callers->simulation->now_us;
    const struct simulated_ask *ask;
    LIST_FOREACH(ask, &callers->asks, link) {
        oldest_us = ask->sent_us < oldest_us ? ask->sent_us : oldest_us;
    }
    return callers->simulation->now_us - oldest_us;
}

void simulated_callers_ask(struct simulated_callers *callers, struct simulated_asker *asker,
                           const struct history_record *asked) {
    send(callers, asker, false, asked);
}

/* ---- what a caller does ---- */

static int choose_app(struct simulated_caller *caller) {
    int count = caller->all->app_count, app = (int)simulated_random_below(&caller->random, count);
    for (int i = 0; i < count && caller->all->apps[app].state != SIMULATED_APP_RUNNING; i++) {
        app = (app + 1) % count;
    }
    return app + 1;
}

static struct history_record begin(struct simulated_caller *caller, enum history_kind kind) {
    struct history_record asked = {
        .kind = kind, .client = caller->number, .instance = choose_app(caller)};
    if (kind != HISTORY_RECONCILE) {
        simulated_callers_product(
            (int)simulated_random_below(&caller->random, caller->all->product_count),
            asked.product);
    }
    return asked;
}

/* What was asked before, to be asked anew: without its answer. */
static struct history_record ask_again(struct simulated_caller *caller,
                                       const struct history_record *record) {
    struct history_record asked = history_asked_again(record);
    asked.instance = choose_app(caller);
    return asked;
}

static void add_key(struct simulated_caller *caller, struct history_record *asked) {
    if (simulated_random_chance(&caller->random, 0.4)) {
        snprintf(asked->key, sizeof asked->key, "k%d-%d", caller->number, ++caller->key_number);
    }
}

static struct history_record reserve(struct simulated_caller *caller) {
    struct history_record asked = begin(caller, HISTORY_RESERVE);
    int most = simulated_random_chance(&caller->random, 0.05) ? caller->all->units + 1 : 4;
    asked.quantity = 1 + simulated_random_below(&caller->random, most);
    if (simulated_random_chance(&caller->random, 0.1)) {
        caller->customer_number++;
    }
    snprintf(asked.customer, sizeof asked.customer, "c%d-%d", caller->number,
             caller->customer_number);
    add_key(caller, &asked);
    return asked;
}

static struct history_record release(struct simulated_caller *caller, struct kept *kept) {
    struct history_record asked = ask_again(caller, &kept->asked);
    asked.kind = HISTORY_RELEASE;
    asked.key[0] = '\0';
    asked.lifetime_s = asked.expected_version = 0;
    asked.quantity = 1 + simulated_random_below(&caller->random, kept->asked.quantity + 1);
    if (simulated_random_chance(&caller->random, 0.5)) {
        memcpy(asked.wanted_reservation, kept->reservation_id, sizeof kept->reservation_id);
    }
    add_key(caller, &asked);
    if (simulated_random_chance(&caller->random, 0.5)) {
        kept->asked.product[0] = '\0';
    }
    return asked;
}

/* A key again: for the same, or for something else. */
static struct history_record repeat(struct simulated_caller *caller,
                                    const struct history_record *keyed) {
    struct history_record again = ask_again(caller, keyed);
    bool is_of_stock = keyed->kind == HISTORY_RESERVE || keyed->kind == HISTORY_RELEASE;
    if (simulated_random_chance(&caller->random, 0.1) && is_of_stock) {
        again.kind = keyed->kind == HISTORY_RESERVE ? HISTORY_RELEASE : HISTORY_RESERVE;
        again.wanted_reservation[0] = '\0';
        again.lifetime_s = 0;
    } else if (simulated_random_chance(&caller->random, 0.1)) {
        history_ask_for_more(&again);
    }
    return again;
}

/* ---- sales ---- */

static struct history_record ask_about(struct simulated_caller *caller, struct kept *kept,
                                       enum history_kind kind) {
    struct history_record asked = ask_again(caller, &kept->asked);
    asked.kind = kind;
    asked.key[0] = '\0';
    asked.quantity = asked.lifetime_s = asked.expected_version = 0;
    memcpy(asked.wanted_reservation, kept->reservation_id, sizeof kept->reservation_id);
    if (kept->asked.quantity % 2 == 0 || kind == HISTORY_FIND) { /* each time, or never */
        asked.customer[0] = '\0';
    }
    return asked;
}

static void add_sales_key(struct simulated_caller *caller, struct history_record *asked,
                          double probability) {
    if (simulated_random_chance(&caller->sales_random, probability)) {
        snprintf(asked->key, sizeof asked->key, "s%d-%d", caller->number, ++caller->key_number);
    }
}

/* All of a reservation, a part, or more than it has. */
static struct history_record confirm(struct simulated_caller *caller, struct kept *kept) {
    struct history_record asked = ask_about(caller, kept, HISTORY_CONFIRM);
    if (simulated_random_chance(&caller->sales_random, 0.6)) {
        asked.quantity =
            1 + simulated_random_below(&caller->sales_random, kept->asked.quantity + 1);
    }
    add_sales_key(caller, &asked, 0.3);
    if (simulated_random_chance(&caller->sales_random, 0.5)) {
        kept->asked.product[0] = '\0';
    }
    return asked;
}

static int64_t choose_lifetime_s(struct simulated_caller *caller) {
    return 1 + simulated_random_below(&caller->sales_random, caller->all->most_lifetime_s);
}

static struct history_record extend(struct simulated_caller *caller, struct kept *kept) {
    struct history_record asked = ask_about(caller, kept, HISTORY_EXTEND);
    if (simulated_random_chance(&caller->sales_random, 0.6)) {
        asked.lifetime_s = choose_lifetime_s(caller);
    }
    add_sales_key(caller, &asked, 0.3);
    return asked;
}

/* Stock comes in, or is lost. With a key, so that it is sent again until it is answered. */
static struct history_record adjust(struct simulated_caller *caller) {
    struct history_record asked = begin(caller, HISTORY_ADJUST);
    asked.quantity = simulated_random_below(&caller->sales_random, 10) - 4;
    asked.quantity += asked.quantity == 0;
    add_sales_key(caller, &asked, 1);
    return asked;
}

/* Returns false if it is none's turn, or there is nothing to sell. */
static bool choose_sale(struct simulated_caller *caller, struct history_record *out) {
    int64_t dice = simulated_random_below(&caller->sales_random, 100);
    struct kept *kept = &caller->kept[simulated_random_below(&caller->sales_random, KEPT)];
    bool is_empty = kept->asked.product[0] == '\0';
    if (caller->again.product[0] != '\0' || dice >= 38 || (is_empty && dice < 34)) {
        return false;
    }
    *out = dice < 16   ? confirm(caller, kept)
           : dice < 28 ? extend(caller, kept)
           : dice < 34 ? ask_about(caller, kept, HISTORY_FIND)
                       : adjust(caller);
    return true;
}

/* Names a lifetime, or a version: the present one if nobody else is quicker, one before it, any. */
static void add_conditions(struct simulated_caller *caller, struct history_record *asked) {
    if (asked->kind == HISTORY_RESERVE && asked->key[0] == '\0' &&
        simulated_random_chance(&caller->sales_random, 0.3)) {
        asked->lifetime_s = choose_lifetime_s(caller);
    }
    if (history_is_change(asked->kind) && simulated_random_chance(&caller->sales_random, 0.12)) {
        int64_t version = caller->versions[product_index(asked->product)];
        int64_t dice = simulated_random_below(&caller->sales_random, 10);
        asked->expected_version = dice == 0 || version == 0  ? HISTORY_ANY_VERSION
                                  : dice == 1 && version > 1 ? version - 1
                                                             : version;
    }
}

/* ---- what is asked next ---- */

static struct history_record choose(struct simulated_caller *caller) {
    struct kept *kept = &caller->kept[simulated_random_below(&caller->random, KEPT)];
    const struct history_record *keyed =
        &caller->keyed[simulated_random_below(&caller->random, KEPT)];
    int64_t dice = simulated_random_below(&caller->random, 1000);
    if (caller->again.product[0] != '\0') {
        struct history_record again = ask_again(caller, &caller->again);
        caller->again.product[0] = '\0';
        return again;
    }
    if (dice < 300 && kept->asked.product[0] != '\0') {
        return release(caller, kept);
    }
    if (dice < 380 && keyed->product[0] != '\0') {
        return repeat(caller, keyed);
    }
    if (dice >= 950 &&
        caller->number == 1) { /* the operator: one, so that no two totals are of one version */
        struct history_record asked = begin(caller, HISTORY_SET_TOTAL);
        asked.instance = caller->all->app_count + 1;
        asked.quantity = 1 + simulated_random_below(&caller->random, 2 * caller->all->units);
        return asked;
    }
    return dice < 700 ? reserve(caller)
                      : begin(caller, dice < 990 ? HISTORY_GET : HISTORY_RECONCILE);
}

static bool is_up(const struct simulated_callers *all) {
    bool is_up = false;
    for (int i = 0; i < all->app_count; i++) {
        is_up = is_up || all->apps[i].state == SIMULATED_APP_RUNNING;
    }
    return is_up;
}

static void pause(struct simulated_caller *caller) {
    simulation_schedule(
        caller->all->simulation, &caller->wake,
        caller->all->simulation->now_us +
            simulated_random_spread(&caller->random, 100, caller->all->most_pause_us));
}

static void wake(void *context) {
    struct simulated_caller *caller = context;
    if (caller->all->budget > 0 && !is_up(caller->all)) { /* there is nobody to ask */
        pause(caller);
    } else if (caller->all->budget > 0) {
        caller->all->budget--;
        struct history_record asked;
        if (caller->all->most_lifetime_s == 0) {
            asked = choose(caller);
        } else {
            asked = choose_sale(caller, &asked) ? asked : choose(caller);
            add_conditions(caller, &asked);
        }
        send(caller->all, &caller->asker, simulated_random_chance(&caller->random, 0.005), &asked);
    }
}

static void keep(struct simulated_caller *caller, const struct history_record *record) {
    if (record->kind == HISTORY_RESERVE && record->outcome == HISTORY_DONE) {
        struct kept *kept = &caller->kept[caller->kept_next];
        caller->kept_next = (caller->kept_next + 1) % KEPT;
        kept->asked = *record;
        memcpy(kept->reservation_id, record->reservation_id, sizeof kept->reservation_id);
    }
    bool has_key = record->key[0] != '\0' || record->kind == HISTORY_CONFIRM;
    if (has_key && record->outcome == HISTORY_DONE) {
        caller->keyed[caller->keyed_next] = *record;
        caller->keyed_next = (caller->keyed_next + 1) % KEPT;
    }
}

/* A request is over, answered or not. */
static void go_on(struct simulated_asker *asker, const struct history_record *record) {
    struct simulated_caller *caller = (struct simulated_caller *)asker;
    keep(caller, record);
    if (record->outcome == HISTORY_UNKNOWN) {
        caller->customer_number++;
        if (record->key[0] != '\0' || record->kind == HISTORY_CONFIRM) {
            caller->again = *record;
        }
    }
    if (record->version > 0) {
        caller->versions[product_index(record->product)] = record->version;
    }
    pause(caller);
}

void simulated_callers_start(struct simulated_callers *callers, int count, uint64_t seed) {
    callers->count = count;
    callers->items = calloc((size_t)count, sizeof *callers->items);
    LIST_INIT(&callers->asks);
    for (int i = 0; i < count; i++) {
        struct simulated_caller *caller = &callers->items[i];
        caller->asker.ended = go_on;
        caller->all = callers;
        caller->number = i + 1;
        caller->random = simulated_random_new(seed, UINT64_C(1000) + (uint64_t)i);
        caller->sales_random = simulated_random_new(seed, UINT64_C(2000) + (uint64_t)i);
        caller->wake = (struct simulated_event){.happen = wake, .context = caller};
        simulation_schedule(callers->simulation, &caller->wake,
                            simulated_random_below(&caller->random, 1000000));
    }
}

void simulated_callers_cleanup(struct simulated_callers *callers) {
    for (int i = 0; i < callers->count; i++) {
        simulation_cancel(callers->simulation, &callers->items[i].wake);
    }
    struct simulated_ask *ask, *next;
    for (ask = LIST_FIRST(&callers->asks); ask != NULL; ask = next) {
        next = LIST_NEXT(ask, link);
        free_ask(ask);
    }
    free(callers->items);
}
