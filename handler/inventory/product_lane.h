/*
 * product_lane.h - taking turns at a product: first among the threads of this handler, then, by lease, among instances.
 *
 * Vocabulary   lane   the queue of this handler's requests for one product; it exists while somebody is in it
 *              turn   the time during which one request may change the product: the lane's front, with the lease in hand
 * Rules        Turns are given in order of arrival. A turn's lease is handed to the next in the lane, for at most
 *              PRODUCT_LANE_TURN_MS in all; then it is given back, and this handler asks for it again only after
 *              PRODUCT_LANE_PAUSE_MS, so that other instances get their chance.
 *              Waiting in the lane counts towards AcquireTimeout, as waiting for the lease does.
 * Threads: any; enter blocks.
 * Layer: inventory. May include lease/, storage/, base/.
 */
#ifndef INVENTORY_PRODUCT_LANE_H
#define INVENTORY_PRODUCT_LANE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/status.h"
#include "inventory/inventory.h"
#include "lease/lease_manager.h"

/* The pause is longer than anybody's wait between two tries for a lease (lease_manager.c), so that they find it free. */
enum { PRODUCT_LANE_TURN_MS = 1000, PRODUCT_LANE_PAUSE_MS = 250 };

struct product_lane;

struct product_lanes {
    pthread_mutex_t lock;
    struct product_lane *first; /* those with somebody in them: at most as many as there are requests */
    struct lease_manager *leases;
    const struct clock *clock;
    int64_t acquire_timeout_ms;
    int waiting; /* requests behind the first of their lane */
    pthread_cond_t closed_changed;
    bool closed;
};

struct product_turn {
    struct product_lane *lane;
    struct lease *lease; /* in hand */
    int renewals_before; /* of that lease, before this turn */
};

/* Borrows both, which must outlive it. STATUS_INTERNAL. */
enum status product_lanes_init(struct product_lanes *lanes, struct lease_manager *leases, const struct clock *clock,
                               int64_t acquire_timeout_ms) MUST_CHECK;
void product_lanes_release(struct product_lanes *lanes);

/*
 * Waits for the turn. `lease_duration_s` is that of a lease acquired for it (0: the default).
 * STATUS_LEASE_CONFLICT  the turn did not come within AcquireTimeout
 * STATUS_CANCELLED       product_lanes_close
 * and lease_manager_acquire's.
 */
enum status product_lane_enter(struct product_lanes *lanes, const char *product_id, int lease_duration_s,
                               struct product_turn *out, struct error *err) MUST_CHECK;

/* Ends the turn. */
void product_lane_leave(struct product_lanes *lanes, struct product_turn *turn);

/* Stopping: everybody who waits, now or later, is sent away with STATUS_CANCELLED. */
void product_lanes_close(struct product_lanes *lanes);

#endif
