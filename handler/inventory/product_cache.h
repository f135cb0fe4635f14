/*
 * product_cache.h - what this handler knows of a product between requests, and how far that can be trusted. Pure.
 *
 * Vocabulary  fresh      read under the lease that is in hand now. If it is not what is stored, that lease is not ours.
 *             checked    added up against all of the product's rows
 *             validated  known to have been what is stored at a certain moment, by a read or a commit
 * Rules       What is known may be outdated at any time. Only a commit, or another read, tells.
 *             A product that was never checked here, or that does not follow from the version that was, is read with all
 *             its rows first: it may have been made anew beside old reservations. After that its commits keep it right.
 * Threads: the loop's.
 */
#ifndef INVENTORY_PRODUCT_CACHE_H
#define INVENTORY_PRODUCT_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "inventory/inventory_request.h"
#include "inventory/inventory_store.h"

/*
 * What was validated so long ago is read again. The read also tells storage's time: until it is heard again, what is
 * known of that gets worse by half a millisecond a second (storage_clock.h), and reservations would end early by as much.
 */
enum { PRODUCT_VALID_FOR_MS = 10 * 60 * 1000 };

struct product_cache {
    struct product_state state; /* without an ETag: nothing is known */
    int64_t validated_ms;       /* when it was validated last, in storage's time */
    struct product_checkpoint checked;
    bool is_read_under_lease;
    bool
        others_commit; /* others have changed the product between our last two leases, so a read comes first */
    int64_t version_before; /* the last that was known; 0: none */
    uint64_t
        validated_sequence; /* every request with a lower sequence had come when the product was validated last */
};

void product_cache_init(struct product_cache *cache);
void product_cache_cleanup(struct product_cache *cache);

/* What was known is not what is stored, or may not be: nothing is known any more. */
void product_cache_forget(struct product_cache *cache);

/* Another lease is in hand now, or none. */
void product_cache_note_lease_change(struct product_cache *cache);

/* Whether a batch may be decided on it, at storage's time `now_ms`. */
bool product_cache_is_usable(const struct product_cache *cache, int64_t now_ms);

/* What to read: the product, what expires soon, and the rows that `with_rows_of` needs (NULL: nobody's). */
struct inventory_query product_cache_query(const struct product_cache *cache, int64_t now_ms,
                                           const struct inventory_request *with_rows_of);

/* The rows that one request needs beside those in the cache. */
struct inventory_query product_cache_rows_query(const struct product_cache *cache,
                                                const struct inventory_request *request);

/*
 * `state` was read, with the rows of `query`. False: it has to be read again with all rows, so that it can be checked.
 * *out_others: the product was changed by others since this handler knew it last.
 */
bool product_cache_note_read(struct product_cache *cache, const struct inventory_query *query,
                             int64_t now_ms, bool *out_others);

/* The product cannot be read: whatever was checked has to be checked again. */
void product_cache_note_malformed(struct product_cache *cache);

/* The state was committed, and is what is stored. */
void product_cache_note_commit(struct product_cache *cache, int64_t now_ms);

#endif
