/*
 * batch_known.h - what a batch knows of its product and its requests, and what it reads to know enough.
 *
 * Vocabulary   known    the product as the turn before left it, or as it was read
 *              fresh    read under the very lease in hand: if it is not the stored one, that lease is not ours
 *              proved   read since all who are served had come: a refusal may rest on it
 *              checked  added up against all of the product's rows
 * Rules        What is known may be outdated at any time; only a commit, or reading it again, tells.
 *              A product that was never checked here, or that does not follow from the version that
 *              was, is read with all its rows first: it may have been made anew beside old
 *              reservations. After that its commits keep it right.
 * Threads: the leader's (product_lane.h).
 * Layer: inventory. May include lease/, storage/, base/.
 */
#ifndef INVENTORY_BATCH_KNOWN_H
#define INVENTORY_BATCH_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "inventory/inventory_batch.h"

struct batch {
    const struct inventory_batch_context *context;
    struct inventory_store *store;
    struct product_turn *turn;
    struct product_state *state;
    int64_t version_before; /* that was known when the turn began; 0: none */
    int64_t now_ms;         /* storage's time at which all is decided */
    int64_t certain_ms;     /* the same for taking rows away */
    bool is_proved;         /* see above */
    enum status decided;    /* STATUS_OK, or why what was decided is not whole and may not be committed */
};

static inline struct inventory_request *batch_first(const struct batch *batch) {
    return (struct inventory_request *)TAILQ_FIRST(&batch->turn->entries);
}

static inline struct inventory_request *batch_next(const struct inventory_request *request) {
    return (struct inventory_request *)TAILQ_NEXT(&request->entry, link);
}

/* That there was no record under a key is true of the product as it was then: a later one may come from that very key. */
void batch_forget_look_ups(struct batch *batch);

/* The product, and what was read for the requests. */
void batch_forget(struct batch *batch);

/*
 * What is known of the product is not what is stored; it is forgotten. `err` says how that showed.
 * STATUS_LEASE_LOST   it was fresh: somebody else has committed under our lease
 */
enum status batch_note_change(struct batch *batch, struct error *err) MUST_CHECK;

/* The product has been committed: its new version is as right as the one before. */
void batch_note_commit(struct batch *batch);

/* Does the state hold all that has expired at `now_ms`? */
bool batch_has_what_expired(const struct product_state *state, int64_t now_ms);

/* Must its key be looked up before it can be refused? */
bool batch_waits_for_look_up(const struct inventory_request *request);

/*
 * Reads the product unless it is known well enough; with the rows of the first request that needs its own.
 * STATUS_LEASE_LOST   it changes while it is read
 * and those of product_read.h.
 */
enum status batch_know_product(struct batch *batch, struct error *err) MUST_CHECK;

/*
 * Reads what is needed to decide the requests, in order of arrival, for a second at most: sets is_gathered of those that can be
 * decided, at least of the first, and `gathered` where one has failed alone. *out_changed: the product has changed meanwhile, and
 * err says how that showed. Statuses as above.
 */
enum status batch_gather(struct batch *batch, bool *out_changed, struct error *err) MUST_CHECK;

#endif
