/*
 * product_transaction.h - one commit of a product in the table: an entity group transaction, and
 * its true outcome.
 *
 * The first operation merges the product's row with If-Match. So the transaction can succeed only
 * on the version that was read, and only once however often it arrives: a success changes the ETag.
 * The merged row names this commit first among its commitIds. Whatever storage answers but success,
 * the row is read, and tells the outcome:
 *
 *     the row names this commit             HAPPENED. Later versions are somebody else's, and carry
 *                                           the name on.
 *     it does not, and has the same ETag    NOT_YET. What was sent may still arrive, so the same is
 *                                           sent again.
 *     it does not, and has another ETag     NEVER. The ETag that this commit needs is gone for
 *                                           good. UNKNOWN, if so many others have committed since
 *                                           that the name may have been pushed out of the list.
 *     the row cannot be read                UNKNOWN
 *
 * A refusal alone proves nothing. A proxy may lose the answer to the first delivery and send the
 * transaction again: then "the ETag has changed" is the first delivery's own doing. Or a gateway
 * answers in storage's place. But if the ETag is still the same, a row that is in the way, or
 * missing, stops the first delivery, too, should it arrive late.
 *
 * The list holds the last commit of each of the 16 stores (one in each process) that have committed
 * last.
 *
 *     state     event                                        then
 *     SENDING   storage says that it is done                 it has happened
 *               it was too large to be sent                  it has not happened
 *               anything else                                PROBING
 *     PROBING   HAPPENED                                     it has happened
 *               NEVER                                        it has not: the product has moved on
 *               NOT_YET, and SENDING's answer is final       it has not, as that answer says
 *               NOT_YET, and there is time                   WAITING
 *               NOT_YET, and there is none                   nobody knows
 *               UNKNOWN, but nothing was ever left open,     it has not, as both answers say
 *               and the probe was answered like SENDING
 *               UNKNOWN                                      nobody knows
 *     WAITING   the wait is over                             SENDING
 *               the client is cancelled                      nobody knows
 *
 * Threads  The loop's.
 */
#ifndef INVENTORY_PRODUCT_TRANSACTION_H
#define INVENTORY_PRODUCT_TRANSACTION_H

#include "inventory/product_state.h"
#include "storage/table_client.h"

/* A commit under way. Zeroed at first; its owner must keep it until it has ended. */
struct product_transaction {
    struct storage_client *client;
    const char *table;
    const struct product_state *state;
    const struct product *after;
    int64_t deadline_ms;
    char *out_etag;
    table_done done;
    void *context;
    enum { TRANSACTION_ENDED, TRANSACTION_SENDING, TRANSACTION_PROBING, TRANSACTION_WAITING } stage;
    struct table_call call;
    struct storage_operation wait;
    int attempts;         /* sent so far */
    bool is_open;         /* one of them may have been carried out, or may yet be */
    struct error failure; /* the last one's */
    cJSON *row;           /* what a probe has found */
};

/*
 * Sends `state`'s marked rows and records, with `after` as the product's row, until the outcome is
 * known. No attempt starts after `deadline_ms`; reading what happened may take STORAGE_DEADLINE_MS
 * longer. `out_etag` receives the ETag of `after`'s row, or "" if others have committed since.
 * `state` is not changed. It and `after` are borrowed until `done`.
 *
 * STATUS_PRECONDITION_FAILED, STATUS_ALREADY_EXISTS, STATUS_UNAVAILABLE   as of a store's commit
 * STATUS_CONTAINER_NOT_FOUND                                              the table is gone
 * any other                                                               storage refused it: nothing was written
 */
void product_transaction_start(struct product_transaction *transaction,
                               struct storage_client *client, const char *table,
                               const struct product_state *state, const struct product *after,
                               int64_t deadline_ms, char out_etag[INVENTORY_ETAG_BYTES],
                               table_done done, void *context);

#endif
