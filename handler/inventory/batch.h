/*
 * batch.h - requests that are decided together and committed as one transaction. Pure: nothing here reads or waits.
 *
 * Rules   A request with a key that was used before gets the answer of that time. A request that would be refused is
 *         refused only once its key was looked up.
 *         A refusal rests on the product as it is stored. Where no commit proves that the cache is that, the product has
 *         to be read again after the request has come.
 *         An answer is final only when the batch was committed, or had nothing to commit.
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
    struct product_state *state;        /* the product, as the cache has it; decisions change it */
    int64_t lifetime_ms;                /* of new reservations */
    const struct random_source *random; /* for their ids */
    int64_t now_ms;                     /* storage's time, by which everything is decided */
    int64_t certain_ms;  /* storage's time for certain, by which rows are removed; <= now_ms */
    enum status failure; /* STATUS_OK, or why what was decided may not be committed */
};

enum batch_outcome {
    BATCH_COMMIT, /* there are changes; the decided requests are answered once they are committed */
    BATCH_ANSWER, /* nothing to commit; the decided requests can be answered */
    BATCH_VALIDATE, /* the product has to be read again first */
    BATCH_LOOK_UP,  /* keys have to be looked up first */
    BATCH_FAIL,     /* `failure` says why */
};

/*
 * Decides the requests in order, up to the first for which the transaction has no room. The product was validated, that is
 * read from storage or committed, after every request with a sequence below `validated_sequence` had come.
 */
enum batch_outcome batch_decide(struct batch *batch, uint64_t validated_sequence);

/* The product in memory was thrown away: all requests are undecided again, and need their rows anew. */
void batch_reset(struct batch *batch);

/* A commit has been made since: a request that is not decided must be decided anew, with the rows that it has. */
void batch_forget_decision(struct inventory_request *request);

/* Asks for a look-up of every key in the batch. */
void batch_look_up_keys(struct batch *batch);

/* Whether a request still lacks rows, or its record. */
bool batch_lacks_rows(const struct inventory_request *request);
bool batch_lacks_record(const struct inventory_request *request);

/* Fills in what all answers have in common, and writes the log lines of the successes. After the commit. */
void batch_complete_answers(struct batch *batch, int renewal_count);

/* ---- for operation.c ---- */

/* Whether the transaction has room for `changes` more rows, and for the record of the request's key. */
bool batch_has_room(const struct batch *batch, const struct inventory_request *request,
                    int changes);

/* Refuses a request, unless its key has to be looked up first. */
enum request_stage batch_refuse(const struct batch *batch, struct inventory_request *request);

/* Grants `units`, and adds the record of its key to the commit. `reservation_id`: what the record names; may be "". */
enum request_stage batch_grant(struct batch *batch, struct inventory_request *request,
                               int64_t units, const char *reservation_id);

#endif
