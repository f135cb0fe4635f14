/*
 * batch.h - requests that are decided together and committed as one transaction.
 *
 * The batch works on the product as the cache has it, which may be outdated (product_cache.h). It
 * decides its requests one after the other, so each sees what those before it have changed. Nothing
 * here reads or waits: the outcome of batch_decide says what the pipeline has to do next.
 *
 * Vocabulary
 *   validated  The cached product was found to be the stored one, by a read or a commit.
 *   refused    The rules do not allow the request: too few units are available, for example.
 *   repeat     A request with an Idempotency-Key that was used before.
 *   record     What is stored under a key: the answer, kept for repeats.
 *
 * Rules
 *   - A repeat gets the first request's answer. To grant a request needs no look-up of its key: the
 *     commit adds the key's record, and fails if there is one. A refusal commits no record, so its
 *     key is looked up first.
 *   - A batch with changes needs no validation: its commit succeeds only if the product is the
 *     cached one. A batch without changes has no commit. So a refusal holds only if the product was
 *     validated after the request came.
 *   - A request that expects a version (If-Match) is refused unless it would change that very
 *     version: it is stored, and no request before it in the batch changes the product. A repeat
 *     gets the first answer, whatever version it expects.
 *   - The answers hold once the batch is committed, or if there was nothing to commit.
 */
#ifndef INVENTORY_BATCH_H
#define INVENTORY_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "inventory/inventory_request.h"

struct batch {
    struct inventory_requests requests; /* in order of arrival */
    const char *product_id;
    struct product_state *state;        /* the cached product; decisions change it */
    int64_t lifetime_ms;                /* of reservations whose requests name no other */
    const struct random_source *random; /* for their ids */
    int64_t now_ms;                     /* storage's time, at which everything is decided */
    int64_t certain_ms;  /* <= now_ms; rows that had expired by then may be removed */
    enum status failure; /* STATUS_OK, or why the decisions must not be committed */
};

enum { BATCH_MAX_MINUTES = 8 };

enum batch_outcome {
    BATCH_COMMIT,   /* commit the changes, then answer the decided requests */
    BATCH_ANSWER,   /* answer the decided requests; there is nothing to commit */
    BATCH_VALIDATE, /* read the product again, then decide everything anew */
    BATCH_LOOK_UP,  /* look up keys, then decide again */
    BATCH_FAIL,     /* fail the batch, with `failure` */
};

/*
 * Decides the requests in order, up to the first that has to wait for the next batch (`decide` in
 * operation.h). Requests with a sequence below `validated_sequence` came before the last validation
 * began, so they may be refused without another read.
 */
enum batch_outcome batch_decide(struct batch *batch, uint64_t validated_sequence);

/* Makes every request undecided, and without its rows, because the cache was emptied. */
void batch_reset(struct batch *batch);

/* Prepares an undecided request for its next batch. It keeps its rows and its record. */
void batch_forget_decision(struct inventory_request *request);

/* Makes every request with a key need a look-up, unless its record was found already. */
void batch_look_up_keys(struct batch *batch);

/*
 * Return true if a request still needs a look-up of its rows, or of its key's record. One that
 * names a reservation that is in memory needs no look-up of it.
 */
bool batch_lacks_rows(const struct batch *batch, const struct inventory_request *request);
bool batch_lacks_record(const struct inventory_request *request);

/*
 * After the commit, or if there was nothing to commit: fills in what the answers have in common,
 * and logs the successes. `renewal_count` is the number of renewals of the lease during the batch.
 */
void batch_complete_answers(struct batch *batch, int renewal_count);

/* ---- for the rules in operation.c ---- */

/* Returns true if the transaction has room for `changes` more rows and the record of the key. */
bool batch_has_room(const struct batch *batch, const struct inventory_request *request,
                    int changes);

/* Returns when the reservation of a request is to expire. */
int64_t batch_expiry_ms(const struct batch *batch, const struct inventory_request *request);

/*
 * Returns true if a reservation that expires at `expires_ms` may be added or moved there. The
 * commit writes a row of the expiry index for each new minute, one after the other, and has only
 * seconds. So a batch may have BATCH_MAX_MINUTES new minutes.
 */
bool batch_can_index(const struct batch *batch, int64_t expires_ms);

/* Refuses a request, unless its key has to be looked up first. Returns the request's stage. */
enum request_stage batch_refuse(const struct batch *batch, struct inventory_request *request,
                                enum refusal refusal);

/*
 * Grants `units`, and adds the record of the request's key to the commit. The record names
 * `reservation_id`, which may be "", and the rest of the answer, which the request has by then.
 * Returns the request's stage.
 */
enum request_stage batch_grant(struct batch *batch, struct inventory_request *request,
                               int64_t units, const char *reservation_id);

#endif
