/*
 * product_lane.h - taking turns at a product: those who wait together are served together.
 *
 * Vocabulary   lane    the queue of this handler's requests for one product
 *              leader  the request at its front, whose thread works for all: it acquires the lease and serves the batch
 *              batch   the requests that were in the lane when the lease was there: one transaction, in order of arrival
 *              step back   to the end of the queue, with a part of the work done: nobody waits for all of it
 *              turn    one batch, with the lease in hand
 *              run     turns one after the other, also when nobody is in the lane for a moment between two of them
 *              known   the product as the last turn left it, kept between turns: a commit on it needs no read before
 * Rules        A batch's requests are answered before the lease is given back or handed to the next leader with what has
 *              queued up meanwhile. A run lasts for at most PRODUCT_LANE_TURN_MS; then the lease is given back, so that
 *              other instances get their chance. Where others have been seen lately (serve says so), this handler asks
 *              again only after PRODUCT_LANE_PAUSE_MS; otherwise only each PRODUCT_LANE_PROBE_TURNS-th time.
 *              Who has waited for long asks for the lease more often, if never sooner than AcquireRetryInterval.
 *              Waiting in the lane counts towards AcquireTimeout, as waiting for the lease does.
 *              Storage that fails while the lease is asked for fails all who wait, at once.
 * Memory       Lanes in which nobody is are kept for what they know, at most PRODUCT_LANE_MAX_IDLE of them.
 * Threads: any; run blocks. serve runs on the leader's thread, for one batch of a product at a time.
 * Layer: inventory. May include lease/, storage/, base/.
 */
#ifndef INVENTORY_PRODUCT_LANE_H
#define INVENTORY_PRODUCT_LANE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/status.h"
#include "inventory/product_state.h"
#include "lease/lease_wait.h"

/*
 * The pause is longer than anybody's wait between two tries for a lease (lease_manager_acquire.c), so that they find it free: unless
 * AcquireRetryInterval is longer.
 */
enum {
    PRODUCT_LANE_TURN_MS = 1000,
    PRODUCT_LANE_PAUSE_MS = 250,
    PRODUCT_LANE_PROBE_TURNS = 4,
    PRODUCT_LANE_MAX_IDLE = 1024,
};

/* A product's lease is called that and its id. */
#define PRODUCT_LEASE_PREFIX "inventory-"

enum lane_stage { LANE_WAITING, LANE_LEADING, LANE_TAKEN, LANE_ENDED };

/* A request's place in the lane: on its caller's stack, zeroed; the lane's own but for what serve sets. */
struct lane_entry {
    TAILQ_ENTRY(lane_entry) link;
    pthread_cond_t changed;
    enum lane_stage stage;
    bool served;          /* by serve: it has been answered. One that is not stays at the front for the next batch, */
    bool steps_back;      /* unless serve says that it has more to do than one turn: those behind it go first */
    enum status status;   /* what kept it from being served */
    struct error failure; /* the same for people */
};

TAILQ_HEAD(lane_entries, lane_entry);

struct product_turn {
    const char *product_id;
    struct lease *lease; /* in hand */
    int renewals_before; /* of that lease, before this turn */
    struct lane_entries entries;
    struct product_state *known; /* serve's to use and to keep up; without an etag: nothing is known */
    /*
     * serve's to keep up: the last version that was checked against all its rows, or that has come
     * from such a one by commits alone
     */
    struct product_mark *checked;
    bool is_fresh; /* serve's: `known` was read under this very lease */
    bool
        expects_others; /* `known` is to be read again under this lease: others change the product between our leases */
    bool met_others;    /* set by serve: another instance has changed the product since we last looked */
};

/* Serves entries from the front of the turn, at least one, marking each. What the others wait for is up to it. */
typedef void (*product_lane_serve)(void *context, struct product_turn *turn);

struct product_lanes {
    pthread_mutex_t lock;
    void *lanes;                               /* a tree of struct product_lane (tsearch), by product id */
    TAILQ_HEAD(idle_lanes, product_lane) idle; /* nobody is in them; the longest idle first */
    int idle_count;
    struct lease_manager *leases;
    const struct clock *clock;
    int64_t acquire_timeout_ms;
    product_lane_serve serve;
    void *context;
    int queued_count; /* requests that stand in a queue, those that lead included */
    bool closed;
    pthread_cond_t closed_changed;
};

/* Borrows both, which must outlive it. STATUS_INTERNAL. */
enum status product_lanes_init(struct product_lanes *lanes, struct lease_manager *leases, const struct clock *clock,
                               int64_t acquire_timeout_ms, product_lane_serve serve, void *context) MUST_CHECK;

/* Nobody is in a lane any more. */
void product_lanes_release(struct product_lanes *lanes);

/*
 * Queues up and waits until served, leading where it is this request's turn to. `lease_duration_s` is that of a lease
 * acquired under its lead (0: the default).
 * STATUS_OK              serve has answered it
 * STATUS_LEASE_CONFLICT  the turn did not come within AcquireTimeout
 * STATUS_CANCELLED       product_lanes_close
 * and lease_manager_acquire's.
 */
enum status product_lane_run(struct product_lanes *lanes, const char *product_id, int lease_duration_s,
                             struct lane_entry *entry, struct error *err) MUST_CHECK;

/* Stopping: everybody who waits, now or later, is sent away with STATUS_CANCELLED. A batch under way is finished. */
void product_lanes_close(struct product_lanes *lanes);

#endif
