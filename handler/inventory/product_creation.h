/*
 * product_creation.h - creates one product in the table, unless it exists; and the table, if this
 * handler has never seen it.
 *
 * A product is created only in an empty partition. Beside the reservations of an earlier product of
 * that id it would sell their units again. No transaction can check that a partition is empty, so
 * it is queried first. Rows that are written between the query and the insert are found by the
 * check of product_read.h, when the product is first used.
 *
 * A table that disappears has lost its stock. It is not created again, because the stock would come
 * back as if unsold.
 *
 *     state               event                                    then
 *     LOOKING             the product's row exists                 STATUS_ALREADY_EXISTS
 *                         it does not                              CHECKING_PARTITION
 *                         there is no table, and this handler      CREATING_TABLE
 *                         has never seen it
 *     CREATING_TABLE      the table exists, whoever created it     CHECKING_PARTITION
 *     CHECKING_PARTITION  the partition is empty                   INSERTING
 *                         the product's row exists by now          STATUS_ALREADY_EXISTS
 *                         another row exists                       STATUS_PRECONDITION_FAILED
 *     INSERTING           the row is inserted                      STATUS_OK
 *                         it existed already; an earlier attempt   STATUS_ALREADY_EXISTS
 *                         of this insert may have written it
 *
 * Any other failure ends the creation with its status. Each step has STORAGE_DEADLINE_MS.
 *
 * Threads  The loop's.
 */
#ifndef INVENTORY_PRODUCT_CREATION_H
#define INVENTORY_PRODUCT_CREATION_H

#include "base/strbuf.h"
#include "base/uuid.h"
#include "inventory/inventory_store_table.h"
#include "storage/table_client.h"

/* A creation under way. Zeroed at first. Its owner must keep it until it has ended. */
struct product_creation {
    struct inventory_store_table *store;
    const struct seed_product *product;
    table_done done;
    void *context;
    struct table_call call;
    cJSON *row;
    struct strbuf filter;

    /* Results, valid whatever the status. */
    /* The product's row exists, whoever created it. */
    bool product_exists;
    /* The partition has rows, but not the product's own. */
    bool has_other_rows;
    /* State INSERTING was reached. The insert's commit id is then in `commit_id`. */
    bool was_inserting;
    char commit_id[UUID_TEXT_BYTES];
};

/*
 * Creates `product`, with all its units available. `product` is borrowed until `done`, which is
 * called once, on the loop's thread, as the last act. It is never called inside this call.
 * STATUS_ALREADY_EXISTS       see the table above; the row's content was not read
 * STATUS_PRECONDITION_FAILED  other rows of the product exist; nothing was changed, and `err` says
 *                             what to do
 * STATUS_CONTAINER_NOT_FOUND  this handler has seen the table before, and it is gone
 * STATUS_UNAVAILABLE, STATUS_CANCELLED  the product may or may not have been created
 */
void product_creation_start(struct product_creation *creation, struct inventory_store_table *store,
                            const struct seed_product *product, table_done done, void *context);

#endif
