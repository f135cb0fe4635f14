/*
 * product_transaction.h - one commit of a product in the table: an entity group transaction, and what became of it.
 *
 * The first operation merges the product's row with If-Match, so that the transaction can succeed only on the version that was
 * read, and only once however often it arrives: a success changes the ETag. The merged row names this commit first among its
 * commitIds. Whatever storage answers but success, the row is therefore read, and tells:
 *   it names this commit                        it happened; later versions are somebody else's, and carry the name on
 *   it does not, and has the ETag that was read not yet: what was sent may still arrive. The same is sent again
 *   it does not, and has another ETag           never: the ETag that this commit needs is gone for good. But where so many
 *                                               others have committed since that its name may have been pushed out, nobody knows
 * A refusal alone proves nothing. A proxy that loses the answer to the first delivery sends the transaction again, and "the ETag
 * has changed" is then the first delivery's own doing; or a gateway answers in storage's place. If the row is still at the ETag
 * that was read, a refusal for a row that is there or is missing stops the first delivery, too, should that still be on its way.
 *
 * The list of names holds the last commit of each of the 16 stores (one in each process) that have committed last.
 *
 * Threads: any.
 * Layer: inventory. May include lease/, storage/, base/.
 */
#ifndef INVENTORY_PRODUCT_TRANSACTION_H
#define INVENTORY_PRODUCT_TRANSACTION_H

#include "inventory/product_state.h"
#include "storage/storage_request.h"

/*
 * Sends `state`'s marked rows and records with `after` as the product's row until it is known what became of them. Starts no
 * attempt after `deadline_ms`; reading what happened may take STORAGE_DEADLINE_MS longer. `etag` receives the ETag of `after`'s row,
 * or "" when that is not the stored one any more. `state` is untouched.
 *
 * STATUS_PRECONDITION_FAILED, STATUS_ALREADY_EXISTS, STATUS_UNAVAILABLE   as of a store's commit
 * STATUS_CONTAINER_NOT_FOUND                                              the table is gone
 * any other                                                               storage refused it: nothing was written
 */
enum status product_transaction_send(struct storage_client *client, const char *table,
                                     const struct product_state *state, const struct product *after,
                                     int64_t deadline_ms, char etag[INVENTORY_ETAG_BYTES],
                                     struct error *err) MUST_CHECK;

/* Reads the product's row alone. STATUS_NOT_FOUND, STATUS_MALFORMED, and table_get's. */
enum status product_transaction_read_product(struct storage_client *client, const char *table, const char *product_id,
                                             int64_t deadline_ms, struct product *out, char etag[INVENTORY_ETAG_BYTES],
                                             struct error *err) MUST_CHECK;

#endif
