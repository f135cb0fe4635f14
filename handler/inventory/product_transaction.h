/*
 * product_transaction.h - sends one commit of a product to the table, and finds out its outcome.
 *
 * Vocabulary
 *   transaction   an entity group transaction of Table storage: all of its operations, or none
 *   commit id     the name of a commit. The product's row lists the ids of the last commits, the
 *                 newest first: one for each of the 16 handlers that have committed last. leasectl
 *                 counts as a handler.
 *   probe         reading the product's row to find out whether a commit has happened
 *   in doubt      a commit is in doubt if an attempt may have been carried out, or may still be
 *
 * Rules
 *   The first operation merges the product's row with If-Match. So the transaction succeeds only on
 *   the version that was read. It also succeeds only once, however often it arrives, because a
 *   success changes the ETag.
 *   The merged row names this commit first among its commit ids.
 *   Only success is taken as it is answered. After any other answer the row is probed, because the
 *   answer alone proves nothing. A proxy may lose the first answer and send the transaction again:
 *   then "the ETag has changed" is the result of the first delivery. Or a gateway answers in
 *   storage's place.
 *
 *     state     event                                   then
 *     SENDING   success                                 ended: committed
 *               too large to be sent                    ended: not committed
 *               any other answer                        PROBING
 *     PROBING   the commit has happened                 ended: committed
 *               it never can, or it was rejected        ended: not committed
 *               it has not happened, and there is time  WAITING
 *               the outcome is unknown, or time is up   ended: unknown
 *     WAITING   the wait is over                        SENDING
 *               the client is cancelled                 ended: unknown
 *
 * product_transaction.c has the two tables behind PROBING: what a probe says, and what follows.
 *
 * Threads  The loop's.
 */
#ifndef INVENTORY_PRODUCT_TRANSACTION_H
#define INVENTORY_PRODUCT_TRANSACTION_H

#include "inventory/product_state.h"
#include "storage/table_client.h"

/* What to commit. All is borrowed until `done`, and must not change. */
struct commit_order {
    /* As read, with the marks and records to be written. */
    const struct product_state *state;
    /* The product's row after the commit. */
    const struct product *after;
    /* On the clock (base/clock.h now_ms). No attempt starts later. */
    int64_t deadline_ms;
    /* Receives the new row's ETag, or "" if others have committed since. INVENTORY_ETAG_BYTES. */
    char *out_etag;
};

/* A commit under way. Zeroed at first. Its owner must keep it until it has ended. */
struct product_transaction {
    struct storage_client *client;
    const char *table;
    struct commit_order order;
    table_done done;
    void *context;
    enum { TRANSACTION_ENDED, TRANSACTION_SENDING, TRANSACTION_PROBING, TRANSACTION_WAITING } stage;
    struct table_call call;
    struct storage_operation wait;
    int attempts; /* sent so far */
    bool is_in_doubt;
    struct error answer; /* to the last attempt, if it was not success */
    cJSON *row;          /* the product's, as probed */
};

/*
 * Carries out an order until its outcome is known. The last probe may take STORAGE_DEADLINE_MS
 * longer than the deadline. `table` is borrowed until `done`.
 * STATUS_PRECONDITION_FAILED, STATUS_ALREADY_EXISTS, STATUS_UNAVAILABLE  as of a store's commit
 * STATUS_CONTAINER_NOT_FOUND                                             the table is gone
 * any other                                         storage rejected it: nothing was written
 */
void product_transaction_start(struct product_transaction *transaction,
                               struct storage_client *client, const char *table,
                               const struct commit_order *order, table_done done, void *context);

#endif
