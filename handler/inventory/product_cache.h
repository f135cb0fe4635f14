/*
 * product_cache.h - the product as this handler last read or committed it, and whether it may be
 * used. Pure: nothing here reads.
 *
 * A batch is decided on the cached product. If another handler has changed the product since, the
 * commit finds another ETag and fails; then the product is read again. So an outdated cache costs
 * time, but never sells stock twice. (An answer without a commit: see batch.h.)
 *
 * Vocabulary
 *   read under lease   The cached product was read under the present lease. If it then differs
 *                      from the stored one, another handler has written during our lease, and the
 *                      batch fails. A commit does not set this. So after a commit without a read, a
 *                      change by others costs one more read, and no batch fails.
 *   validated          The cached product was found to be the stored one, by a read or a commit.
 *   checked            The product's numbers were added up against all of its rows (inventory.h).
 *
 * Checks  A product's row may have been deleted and made anew while its old reservations stayed. So
 *         the first read takes all rows and checks them. A later read takes few rows. It is trusted
 *         if the product's commit ids show that it has come from the checked version by commits
 *         alone. If not, all rows are read again.
 *
 * Threads  The loop's.
 */
#ifndef INVENTORY_PRODUCT_CACHE_H
#define INVENTORY_PRODUCT_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "inventory/inventory_request.h"
#include "inventory/inventory_store.h"

/*
 * After this long without validation the product is read again. The read also brings storage's
 * time. Without an answer of storage's the estimate of that time falls behind by half a millisecond
 * a second (storage_clock.h). A reservation made by it would end that much too early.
 */
enum { PRODUCT_VALID_FOR_MS = 10 * 60 * 1000 };

/*
 * After a batch so many rows stay in memory, besides those that expire soon: the ones that expire
 * last, which are the newest as a rule. A request that names one of them needs no look-up. The
 * products in use share the number. The idle ones share another as large (product_queues.h). At 128
 * bytes a row each is 8 MiB.
 */
enum { PRODUCT_CACHE_RECENT_ROWS = 64 * 1024 };

struct product_cache {
    struct product_state state;        /* without an ETag: the cache is empty */
    struct product_checkpoint checked; /* the last checked version, or one that came from it */
    int64_t validated_ms;              /* the last validation, in storage's time */
    int64_t last_version;              /* of the product that was forgotten last; 0: none */
    bool is_read_under_lease;

    /* The last read, or a commit or look-up after it, found another handler's commit. */
    bool others_committed;

    /* Every request with a lower sequence had come before the last validation began. */
    uint64_t validated_sequence;
};

void product_cache_init(struct product_cache *cache);
void product_cache_cleanup(struct product_cache *cache);

/* Empties the cache: the stored product is another one, or may be. */
void product_cache_forget(struct product_cache *cache);

/* The pipeline has got another lease, or has released its lease. */
void product_cache_note_lease_change(struct product_cache *cache);

/* Returns true if a batch may be decided on the cached product, at storage's time `now_ms`. */
bool product_cache_is_usable(const struct product_cache *cache, int64_t now_ms);

/*
 * Returns what to read: the product, the rows that expire soon, and those that `with_rows_of` needs
 * (NULL: nobody's). Before the first check it is all rows.
 */
struct inventory_query product_cache_query(const struct product_cache *cache, int64_t now_ms,
                                           const struct inventory_request *with_rows_of);

/* Returns the query for the rows that a request needs and the cache lacks. */
struct inventory_query product_cache_rows_query(const struct product_cache *cache,
                                                const struct inventory_request *request);

/*
 * The cache's `state` was read with `query`. Returns false if it has to be read again with all
 * rows, so that it is checked. *out_others: others have changed the product since this handler last
 * had it.
 */
bool product_cache_note_read(struct product_cache *cache, const struct inventory_query *query,
                             int64_t now_ms, bool *out_others);

/* The stored product cannot be read. The next read takes all rows and checks them. */
void product_cache_note_malformed(struct product_cache *cache);

/* The cache's `state` was committed: it is the stored product. */
void product_cache_note_commit(struct product_cache *cache, int64_t now_ms);

#endif
