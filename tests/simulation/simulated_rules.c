#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "inventory/product_entity.h"
#include "simulation/simulated_beliefs.h"
#include "simulation/simulated_rows.h"
#include "simulation/simulated_world.h"

/* ---- before a request leaves ---- */

static bool has_proposed(const struct simulated_proposals *proposals, const char *id) {
    for (int i = 0; i < SIMULATED_KEPT_PROPOSALS; i++) {
        if (strcasecmp(proposals->ids[i], id) == 0) {
            return true;
        }
    }
    return false;
}

static void note_proposal(struct simulated_proposals *proposals, const char *id) {
    proposals->is_taken_away = false;
    if (!has_proposed(proposals, id)) { /* sent again it is the same lease */
        snprintf(proposals->ids[proposals->next], UUID_TEXT_BYTES, "%s", id);
        proposals->next = (proposals->next + 1) % SIMULATED_KEPT_PROPOSALS;
    }
}

/*
 * A commit may be sent only while storage has the sender as the lease's holder, or if an operator
 * has ended the lease.
 */
static void check_lease(struct simulated_world *world, const struct simulated_app *app,
                        int product) {
    const struct simulated_proposals *proposals = &world->proposals[app->number - 1][product];
    struct blob *blob = simulated_world_lease_blob(world, product);
    int64_t now_ms = world->simulation.now_us / SIMULATION_US;
    bool is_held = blob != NULL && lease_state_at(&blob->lease, now_ms) == LEASE_LEASED &&
                   has_proposed(proposals, blob->lease.id);
    if (!is_held && !proposals->is_taken_away) {
        simulated_world_violate(world, "%s commits to %s without its lease", app->process.name,
                                world->seeds[product].id);
    }
}

struct believer {
    struct simulated_world *world;
    const struct simulated_app *app;
};

/*
 * Nobody believes to hold a lease for longer than storage keeps it, if it is not renewed and no
 * operator ends it. Storage is asked for the end alone: what it has granted it keeps until then.
 */
static void check_belief(void *context, const struct simulated_belief *belief) {
    static const char rule[] = "nobody believes to hold a lease for longer than storage keeps it";
    const struct believer *believer = context;
    struct simulated_world *world = believer->world;
    int product = simulated_world_find_product(world, belief->lease_name, "inventory-");
    if (product < 0 || world->proposals[believer->app->number - 1][product].is_taken_away) {
        return;
    }
    struct blob *blob = simulated_world_lease_blob(world, product);
    bool is_theirs =
        blob != NULL && strcasecmp(blob->lease.id, belief->lease_id) == 0 &&
        lease_state_at(&blob->lease, world->simulation.now_us / SIMULATION_US) == LEASE_LEASED;
    int64_t until_us = simulated_process_when_us(&believer->app->process, belief->until_ms);
    if (!is_theirs || until_us > blob->lease.ends_ms * SIMULATION_US) {
        simulated_world_break(world, rule, belief->lease_name);
    }
}

static void check_beliefs(struct simulated_world *world, const struct simulated_app *app) {
    struct believer believer = {world, app};
    simulated_beliefs_each(app->leases, check_belief, &believer);
}

static void check_commit(struct simulated_world *world, const struct simulated_app *app,
                         const struct http_call *call) {
    const char *path =
        strstr(call->url, "/$batch"); /* purging records is a batch, too, and needs no lease */
    bool is_commit = path != NULL && strstr(call->body, "RowKey='" PRODUCT_ROW "'") != NULL;
    int product =
        is_commit ? simulated_world_find_product(world, call->body, "PartitionKey='") : -1;
    if (product >= 0) {
        check_lease(world, app, product);
    }
}

/*
 * Nobody makes a product anew beside the rows of its reservations. Whoever makes one has queried
 * its rows before. If the product has lost its row since, the creation is allowed: a query and an
 * insertion are two requests.
 */
static void check_creation(struct simulated_world *world, const struct simulated_app *app,
                           const struct http_call *call) {
    static const char rule[] = "no product is made anew beside the rows of its reservations";
    bool is_insertion = strcmp(call->method, "POST") == 0 &&
                        strstr(call->url, "/" SIMULATED_TABLE_NAME) != NULL &&
                        strstr(call->body, "\"RowKey\":\"" PRODUCT_ROW "\"") != NULL;
    int product =
        is_insertion ? simulated_world_find_product(world, call->body, "\"PartitionKey\":\"") : -1;
    if (product < 0 || world->products[product].lost_us == 0) {
        return;
    }
    const struct simulated_inspection *inspection = &world->inspections[app->number - 1][product];
    bool has_looked = inspection->rows_us >= inspection->row_us;
    if (!has_looked || inspection->rows_us > world->products[product].lost_us) {
        simulated_world_break(world, rule, world->seeds[product].id);
    }
}

/*
 * A table that this process has seen and that is gone is lost: made again it would hold every seed
 * in full.
 */
static void check_table(struct simulated_world *world, const struct simulated_app *app,
                        const struct http_call *call) {
    bool is_creation = strcmp(call->method, "POST") == 0 && strstr(call->url, "/Tables") != NULL;
    if (is_creation && world->seen_by[app->number - 1] == app->started) {
        simulated_world_break(world, "a process that has seen the table does not make it again",
                              app->process.name);
    }
}

static void note_inspection(struct simulated_world *world, const struct simulated_app *app,
                            const struct http_call *call) {
    int row = simulated_world_find_product(world, call->url, "(PartitionKey='");
    int rows = simulated_world_find_product(world, call->url, "?%24filter=PartitionKey%20eq%20%27");
    if (row >= 0) {
        world->inspections[app->number - 1][row].row_us = world->simulation.now_us;
    } else if (rows >= 0) {
        world->inspections[app->number - 1][rows].rows_us = world->simulation.now_us;
    }
}

void simulated_rules_on_sending(void *context, struct simulated_client *client,
                                const struct http_call *call) {
    struct simulated_world *world = context;
    struct simulated_app *app = simulated_world_app_of(world, client);
    const char *id = http_headers_get(call->headers, "x-ms-proposed-lease-id");
    int leased =
        id == NULL ? -1 : simulated_world_find_product(world, call->url, "/lease-inventory-");
    if (leased >= 0) {
        note_proposal(&world->proposals[app->number - 1][leased], id);
    }
    note_inspection(world, app, call);
    check_commit(world, app, call);
    check_creation(world, app, call);
    check_table(world, app, call);
    check_beliefs(world, app);
    simulated_retry_after_check_call(world, app, call);
}

/* ---- after a request was carried out ---- */

static bool writes_product(const struct simulated_outcome *outcome) {
    for (size_t i = 0; i < outcome->change_count; i++) {
        if (strcmp(outcome->changes[i].row_key, PRODUCT_ROW) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * A product that has lost its row may get it back from an insertion that was sent before, and
 * arrives late: no condition of storage's prevents that. If the row then contradicts the rows of
 * the reservations, nobody may commit to it any more.
 */
static void check_product(struct simulated_world *world, int index,
                          const struct simulated_outcome *outcome) {
    const char *id = world->seeds[index].id;
    struct simulated_product *product = &world->products[index];
    const char *wrong =
        product->is_unreadable
            ? NULL
            : simulated_rows_check(&world->storage, SIMULATED_TABLE_NAME, id, world->is_table_lost);
    if (product->contradicts_its_rows) {
        wrong = writes_product(outcome) ? "a product that contradicts its rows is not sold" : NULL;
    } else if (product->lost_us != 0 && writes_product(outcome)) {
        product->lost_us = 0;
        product->contradicts_its_rows = wrong != NULL;
        wrong = NULL;
    }
    if (wrong != NULL) {
        simulated_world_break(world, wrong, id);
    }
}

void simulated_rules_on_carried_out(void *context, enum simulated_service service) {
    struct simulated_world *world = context;
    const struct simulated_outcome *outcome = &world->storage.outcome;
    if (service != SIMULATED_TABLE_SERVICE || outcome->change_count == 0 ||
        outcome->http_status >= 300) {
        return;
    }
    const char *changed = outcome->changes[0].partition_key; /* all of a transaction have one */
    int index = simulated_world_find_product(world, changed, "");
    if (index < 0) { /* the expiry index's, or who waits for a lease */
        return;
    }
    check_product(world, index, outcome);
    for (size_t i = 0; i < outcome->change_count; i++) {
        const char *key = outcome->changes[i].row_key;
        if (!simulated_rows_is_record_complete(&world->storage, SIMULATED_TABLE_NAME, changed,
                                               key)) {
            simulated_world_break(world, "the record of a key is not complete", changed);
        }
    }
}

/* ---- before an answer is seen ---- */

void simulated_rules_on_answered(void *context, struct simulated_client *client,
                                 const char *request, const struct http_reply *reply) {
    struct simulated_world *world = context;
    const struct simulated_app *app = simulated_world_app_of(world, client);
    simulated_retry_after_note(world, app, request, reply);
    bool is_of_rows =
        strncmp(request, "GET ", 4) == 0 && strstr(request, "/" SIMULATED_TABLE_NAME "(") != NULL;
    bool is_from_storage = http_headers_get(&reply->headers, "x-ms-request-id") != NULL;
    bool is_damaged = reply->body.length == 0 || reply->body.data[0] != '{';
    if (is_of_rows && reply->status == 200 && is_from_storage && !is_damaged) {
        world->seen_by[app->number - 1] = app->started;
    }
}
