/*
 * torture_clients.h - many callers at once, who write down all that they ask and are answered.
 *
 * Each asks without a pause: reserves and releases with and without a key, sends a key again (after
 * a lost answer, and just so, also to another instance and after the reservation is gone; and for
 * another request), releases with and without a reservation's id and sometimes twice, looks, and
 * has reconciliation run. After an unknown outcome it goes by a new customer's name, which keeps
 * the checker sharp. One more, the operator, changes totals with leasectl, past all faults.
 *
 * Threads: one for each client; start, stop and ask from the main thread.
 */
#ifndef CHECKER_TORTURE_CLIENTS_H
#define CHECKER_TORTURE_CLIENTS_H

#include "torture/history.h"
#include "torture/torture_world.h"

struct torture_clients;

/* All borrowed. Programs that are LEASEHOLD_BIN's. */
struct torture_clients *torture_clients_start(struct torture_world *world, struct history *history);

/* Waits until all have their last answers. */
void torture_clients_stop(struct torture_clients *clients);

/*
 * A GET of a product through each instance, tried again for a while until it is answered. False: an
 * instance did not.
 */
bool torture_clients_look(struct torture_clients *clients, int product);

void torture_clients_free(struct torture_clients *clients);

#endif
