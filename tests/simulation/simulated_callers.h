/*
 * simulated_callers.h - those who call the app in a simulated world, and write down what they ask
 * and are answered (torture/history.h).
 *
 * Each asks, waits for its answer, pauses, and asks again: reserves and releases with and without a
 * key, sends a key again (after a lost answer, and just so; for the same and for something else),
 * looks, has reconciliation run. Unless it has no sales, it also confirms, extends, looks at one
 * reservation, adjusts the stock, and names lifetimes and versions. Some leave before they are
 * answered. After an unknown outcome a caller goes by a new customer's name, which keeps the
 * checker sharp.
 */
#ifndef SIMULATION_SIMULATED_CALLERS_H
#define SIMULATION_SIMULATED_CALLERS_H

#include "simulation/simulated_app.h"
#include "torture/history.h"

struct simulated_caller;

/* Somebody who asks, and is told when a request is over. */
struct simulated_asker {
    void (*ended)(struct simulated_asker *asker, const struct history_record *record);
};

struct simulated_callers {
    struct simulation *simulation;
    struct history *history;
    struct simulated_app *apps; /* and behind them the operator's, which no fault strikes */
    int app_count;
    int product_count;
    int units; /* of a product, about */
    int64_t most_pause_us;
    int64_t most_lifetime_s; /* that is named; 0: there are no sales */
    void (*on_answer)(void *context,
                      const struct http_response *response); /* looks at each before it is taken */
    void *context;
    int64_t budget;     /* how many more requests may be sent */
    int in_flight;      /* requests that are not answered */
    int64_t longest_ms; /* that one waited for its answer */
    struct simulated_caller *items;
    int count;
    LIST_HEAD(simulated_asks, simulated_ask) asks; /* in flight */
};

/* "P-1", ... */
void simulated_callers_product(int index, char out[HISTORY_NAME_BYTES]);

/* All begin to ask. The fields above `items` are set by the owner. */
void simulated_callers_start(struct simulated_callers *callers, int count, uint64_t seed);
void simulated_callers_cleanup(struct simulated_callers *callers);

/*
 * Sends one request past the budget. `asker` is told of its end, maybe inside this call; NULL:
 * nobody is.
 */
void simulated_callers_ask(struct simulated_callers *callers, struct simulated_asker *asker,
                           const struct history_record *asked);

/* How long the request that has been in flight the longest has waited; 0: there is none. */
int64_t simulated_callers_longest_us(const struct simulated_callers *callers);

/* The requests that this app has in hand are never answered. */
void simulated_callers_lose(struct simulated_callers *callers, struct simulated_app *app);

#endif
