/*
 * torture_world.h - what a torture run is made of: storage, instances of the handler behind fault
 * proxies, products.
 *
 * Vocabulary   usable    an instance that is not known to be ended or stopped: clients turn to
 *              others mostly
 *              mixed     the instance that starts with the old handler (options); each restart
 *                        exchanges it for the new one, or back. The seed chooses the instance, as
 *                        they differ in their clocks
 * Rules        One Azurite. Each instance has a blob and a table proxy of its own where there are
 *              faults; without faults it talks to Azurite itself. The units of a product are few
 *              and a reservation lasts TORTURE_LIFETIME_MS, so that reservations are refused, and
 *              run out, all the time. In one product more reservations than a page of the table
 *              holds stay from beginning to end (HISTORY_RESIDENT). What cannot happen to a working
 *              app ends the run.
 * Threads: instances are started, ended and stopped from the main thread; `port` and `usable` may
 * be read from any.
 */
#ifndef CHECKER_TORTURE_WORLD_H
#define CHECKER_TORTURE_WORLD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "support/fakes/wall_clock.h"
#include "support/processes/app.h"
#include "support/processes/azurite.h"
#include "support/processes/storage_connection.h"
#include "support/processes/temp_folder.h"
#include "support/proxies/fault_proxy.h"
#include "torture/checker.h"

enum {
    TORTURE_INSTANCES = 3,
    TORTURE_MIN_PRODUCTS = 2,
    TORTURE_MAX_PRODUCTS = 5,
    TORTURE_CROWDED = 1,      /* the product with the residents */
    TORTURE_RESIDENTS = 1089, /* eleven transactions; of one unit each */
    TORTURE_PROXIES = 2,
    TORTURE_LIFETIME_MS = 4000
};

enum torture_faults { TORTURE_NO_FAULTS, TORTURE_LOST_ANSWERS, TORTURE_ALL_FAULTS };

struct torture_options {
    int64_t duration_ms;
    int client_count;
    int product_count;
    uint64_t seed;
    enum torture_faults faults;
    const char *old_handler; /* the path of a handler to run beside the new one; NULL: none */
};

struct torture_instance {
    struct app app;
    struct fault_proxy *proxies[TORTURE_PROXIES]; /* blob, table; NULL without faults */
    struct wall_clock clock;                      /* all faults: one ahead, one behind */
    bool has_clock;
    atomic_bool is_old; /* it runs options->old_handler; set before its port */
    char connection_string[AZURITE_CONNECTION_STRING_BYTES];
    atomic_int port;
    atomic_bool usable;
};

struct torture_world {
    const struct torture_options *options;
    struct azurite azurite;
    struct storage_connection operator; /* to storage, past all faults */
    struct temp_folder folder; /* the logs of the instances, of those that were ended too */
    struct torture_instance instances[TORTURE_INSTANCES];
    int mixed_starts[2]; /* of the mixed instance: with the new handler, with the old one */
};

/* The same for each run with the same seed, as far as other threads leave it. */
struct torture_random {
    uint64_t state;
};
/* 0 to `limit` - 1, and true once in 1 / `probability` times. */
int torture_random_below(struct torture_random *random, int limit);
bool torture_random_chance(struct torture_random *random, double probability);

const char *torture_world_product(int index);

/*
 * How many units of a product there are for callers, as it is seeded. The residents' come on top.
 */
int torture_world_room(int index);
int torture_world_residents(int index);

/* Starts all and waits until each instance has answered for each product. */
void torture_world_open(struct torture_world *world, const struct torture_options *options);
void torture_world_close(struct torture_world *world);

/* Waits until each instance has answered for each product. */
void torture_world_await_products(struct torture_world *world);

/* The index of the mixed instance; -1: there is none, because there is no old handler. */
int torture_world_mixed(const struct torture_world *world);

/* Ends an instance with SIGKILL and starts it anew; the mixed one with the other handler. */
void torture_world_restart(struct torture_world *world, int index);

/*
 * An operator deletes the lease container, with all leases in it; the table; or a product's own
 * row.
 */
void torture_world_delete_leases(struct torture_world *world);
void torture_world_delete_table(struct torture_world *world);
void torture_world_delete_product_row(struct torture_world *world, int index);
bool torture_world_has_product_row(struct torture_world *world, int index);

/*
 * Writes what the instances have logged since they were last started to the files of those before.
 */
void torture_world_keep_logs(struct torture_world *world);

/* Reads what is stored of a product. Its rows are the caller's (free). */
void torture_world_read_product(struct torture_world *world, const struct history *history,
                                int index, struct checker_product *out);

#endif
