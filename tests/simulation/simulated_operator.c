#include <stdio.h>

#include "simulation/simulated_rows.h"
#include "simulation/simulated_world.h"

static void tell(struct simulated_world *world, const char *what, const char *of) {
    simulation_tell(&world->simulation, "operator", "%s%s", what, of);
}

/* ---- leases and tokens ---- */

/* A holder may not have noticed yet. */
static void note_leases_taken_away(struct simulated_world *world) {
    for (int i = 0; i <= world->app_count; i++) {
        for (int j = 0; j < world->product_count; j++) {
            world->proposals[i][j].is_taken_away = true;
        }
    }
}

static void break_leases(struct simulated_world *world) {
    const struct lease_state_call call = {
        .action = LEASE_BREAK, .id = "", .proposed = "", .period_s = 0};
    note_leases_taken_away(world);
    for (int i = 0; i < world->product_count; i++) {
        struct blob *blob = simulated_world_lease_blob(world, i);
        if (blob != NULL) {
            lease_state_act(&blob->lease, &call, world->simulation.now_us / SIMULATION_US);
        }
    }
    tell(world, "breaks every lease", "");
}

static void delete_leases(struct simulated_world *world) {
    struct container *container = blobs_container(&world->storage.blobs, SIMULATED_CONTAINER);
    note_leases_taken_away(world);
    tell(world, "deletes the lease container", "");
    if (container != NULL) {
        blobs_delete_container(&world->storage.blobs, container);
    }
}

static void revoke_tokens(struct simulated_world *world) {
    tell(world, "revokes every access token", "");
    simulated_identity_revoke_all(&world->identity);
}

/* ---- the table ---- */

/*
 * Does something to one product, the first to which it can be done. Callers have one that is
 * spared, so that it is judged by its history; a scenario has no such luck.
 */
static void tamper(struct simulated_world *world, const char *what,
                   bool (*change)(struct simulated_storage *storage, const char *table_name,
                                  const char *product_id),
                   struct simulated_product becomes) {
    int first = world->options->scenario == NULL ? 1 : 0;
    for (int i = first; i < world->product_count; i++) {
        if (!world->products[i].is_tampered_with &&
            change(&world->storage, SIMULATED_TABLE_NAME, world->seeds[i].id)) {
            becomes.is_tampered_with = true;
            world->products[i] = becomes;
            tell(world, what, world->seeds[i].id);
            return;
        }
    }
}

static void delete_product(struct simulated_world *world) {
    tamper(world, "deletes the row, and no other, of ", simulated_rows_delete_product,
           (struct simulated_product){.lost_us = world->simulation.now_us});
}

static void remove_product(struct simulated_world *world) {
    tamper(world, "deletes all rows of ", simulated_rows_delete_all,
           (struct simulated_product){.is_unreadable = false});
}

static void spoil_row(struct simulated_world *world) {
    tamper(world, "writes nonsense into a reservation of ", simulated_rows_spoil,
           (struct simulated_product){.is_unreadable = true});
}

static void delete_table(struct simulated_world *world) {
    struct table *table = rows_table(&world->storage.rows, SIMULATED_TABLE_NAME, NULL);
    tell(world, "deletes the table", "");
    for (int i = 0; i < world->product_count; i++) {
        world->products[i] = (struct simulated_product){.is_tampered_with = true};
    }
    world->is_table_lost = true;
    if (table != NULL) {
        rows_delete_table(&world->storage.rows, table);
    }
}

static void (*const strikes[SIMULATED_FAULTS])(struct simulated_world *world) = {
    [SIMULATED_BREAK_LEASES] = break_leases,     [SIMULATED_DELETE_LEASES] = delete_leases,
    [SIMULATED_REVOKE_TOKENS] = revoke_tokens,   [SIMULATED_DELETE_PRODUCT] = delete_product,
    [SIMULATED_REMOVE_PRODUCT] = remove_product, [SIMULATED_SPOIL_ROW] = spoil_row,
    [SIMULATED_DELETE_TABLE] = delete_table,
};

bool simulated_operator_strike(struct simulated_world *world, enum simulated_fault fault) {
    if (strikes[fault] == NULL) {
        return false;
    }
    strikes[fault](world);
    return true;
}
