/*
 * simulated_world.h - all that one run consists of, for the files that make up a run and for nobody
 * else.
 *
 * Files    simulated_run.c       makes the world, and lets it go on until it can be judged
 *          simulated_operator.c  what others do to storage behind the app's back
 *          simulated_rules.c     what must hold at every moment
 *          simulated_retry_after.c  the same for Retry-After, storage's and the app's
 *          simulated_verdict.c   what must hold when all is over
 */
#ifndef SIMULATION_SIMULATED_WORLD_H
#define SIMULATION_SIMULATED_WORLD_H

#include "simulation/simulated_run.h"

#define SIMULATED_TABLE_NAME "inventory"
#define SIMULATED_CONTAINER "leases"

enum { SIMULATED_KEPT_PROPOSALS = 8, SIMULATED_KEPT_PAUSES = 16, SIMULATED_REQUEST_BYTES = 160 };

/* The time that storage and history go by. */
struct simulated_world_clock {
    struct clock base;
    const struct simulation *simulation;
};

/* What others have done to a product. */
struct simulated_product {
    /* Its rows are not what the app has written, so its history is not judged. */
    bool is_tampered_with;
    bool is_unreadable; /* one of its rows is nonsense */
    int64_t lost_us;    /* when its own row alone was deleted; 0: it was not */

    /*
     * Its row was made anew beside those of its reservations, by an insertion sent before the loss.
     */
    bool contradicts_its_rows;
};

/* When an instance has last queried a product, before it makes it, in world time; 0: it has not. */
struct simulated_inspection {
    int64_t row_us;  /* for its own row */
    int64_t rows_us; /* for any row */
};

/* A request that storage has asked an instance to send again no sooner than at a time. */
struct simulated_pause {
    char request[SIMULATED_REQUEST_BYTES]; /* what tells it from others; "": there is none */
    bool is_renewal;
    int process;      /* the instance's: which of its processes was asked */
    int64_t until_ms; /* on that one's clock */
};

/* The ids that an instance has asked for a product's lease with. */
struct simulated_proposals {
    char ids[SIMULATED_KEPT_PROPOSALS][UUID_TEXT_BYTES];
    int next;
    bool is_taken_away; /* an operator has ended the lease since this instance proposed an id */
};

struct simulated_world {
    const struct simulated_run_options *options;
    struct simulated_result *result;
    struct simulation simulation;
    struct simulated_world_clock clock;
    struct storage_account account;
    struct simulated_storage storage;
    struct simulated_identity identity;
    struct simulated_faults faults;
    struct simulated_network network;

    int64_t lifetime_ms; /* of reservations */
    struct simulated_app_options app_options;
    struct simulated_app
        apps[SIMULATED_MAX_APPS + 1]; /* the one behind the last is the operator's */
    int app_count;
    struct seed_product seeds[SIMULATED_MAX_PRODUCTS];
    struct simulated_product products[SIMULATED_MAX_PRODUCTS];
    int product_count;
    bool is_table_lost; /* somebody has deleted it */

    int seen_by[SIMULATED_MAX_APPS + 1]; /* the last process of each instance that has read rows */

    struct simulated_inspection inspections[SIMULATED_MAX_APPS + 1][SIMULATED_MAX_PRODUCTS];
    struct simulated_proposals proposals[SIMULATED_MAX_APPS + 1][SIMULATED_MAX_PRODUCTS];
    struct simulated_pause pauses[SIMULATED_MAX_APPS + 1][SIMULATED_KEPT_PAUSES];
    int next_pause;
    int64_t pauses_until_us; /* when the last of them is over, about */
    struct history history;
    struct simulated_callers callers;
    struct simulated_script script;
};

/* ---- simulated_run.c ---- */

/*
 * A promise is broken. The first one counts. `format` stands for the promise, too: it is the run's
 * `rule`.
 */
void simulated_world_violate(struct simulated_world *world, const char *format, ...)
    PRINTF_LIKE(2, 3);
/*
 * The same for a promise that stands in `rule`, a constant. `example`: a product's id, or what was
 * found.
 */
void simulated_world_break(struct simulated_world *world, const char *rule, const char *example);
bool simulated_world_is_violated(const struct simulated_world *world);

/* Lets time go on, unless a promise is broken. */
void simulated_world_run_until(struct simulated_world *world, int64_t until_us);

/* The index of the product that a text speaks of behind `mark`; -1: of none. */
int simulated_world_find_product(const struct simulated_world *world, const char *text,
                                 const char *mark);

/* NULL: it is not there. */
struct blob *simulated_world_lease_blob(struct simulated_world *world, int product);

struct simulated_app *simulated_world_app_of(struct simulated_world *world,
                                             const struct simulated_client *client);

/* ---- simulated_operator.c ---- */

/* Returns false if this is not a fault of an operator's. */
bool simulated_operator_strike(struct simulated_world *world, enum simulated_fault fault);

/* ---- simulated_rules.c ---- */

/*
 * For simulated_network: before a request leaves, when storage has carried one out, and before its
 * answer is seen. `context` is the world.
 */
void simulated_rules_on_sending(void *context, struct simulated_client *client,
                                const struct http_call *call);
void simulated_rules_on_carried_out(void *context, enum simulated_service service);
void simulated_rules_on_answered(void *context, struct simulated_client *client,
                                 const char *request, const struct http_reply *reply);

/* ---- simulated_retry_after.c ---- */

/* Storage has asked to be left alone for a while, or not: so an answer of it says. */
void simulated_retry_after_note(struct simulated_world *world, const struct simulated_app *app,
                                const char *request, const struct http_reply *reply);
/* It is. */
void simulated_retry_after_check_call(struct simulated_world *world,
                                      const struct simulated_app *app,
                                      const struct http_call *call);
/*
 * For simulated_callers: an answer says when to come again where it has to, and nowhere else.
 * `context` is the world.
 */
void simulated_retry_after_check_answer(void *context, const struct http_response *response);

/* ---- simulated_verdict.c ---- */

/* No fault strikes any more, and all that was asked is answered: lets time go on, and judges. */
void simulated_verdict(struct simulated_world *world);

#endif
