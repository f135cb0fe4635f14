/*
 * product_creation.h - creates one product in the table, unless it is there; the table, too, if
 * need be.
 *
 * A product is created only in a partition without rows. Beside reservations of an earlier life it
 * would sell their units again. No transaction can check that a partition is empty, so it is
 * queried first. Rows that come between the query and the insert are found by product_read.h's
 * check, when the product is first used.
 *
 * The table is created only by a process that has never seen it. When it disappears, its stock is
 * lost, and must not come back as if unsold.
 *
 *     state               event                                  then
 *     LOOKING             the product's row is there             STATUS_ALREADY_EXISTS
 *                         it is not                              CHECKING_PARTITION
 *                         there is no table, and never was       CREATING_TABLE
 *     CREATING_TABLE      it is there now, whoever created it    CHECKING_PARTITION
 *     CHECKING_PARTITION  no row is there                        INSERTING
 *                         the product's is there by now          STATUS_ALREADY_EXISTS
 *                         another row is there                   STATUS_PRECONDITION_FAILED
 *     INSERTING           it is inserted                         STATUS_OK
 *                         somebody, perhaps this very insert,    STATUS_ALREADY_EXISTS
 *                         was there before
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

/* A creation under way. Zeroed at first; its owner must keep it until it has ended. */
struct product_creation {
    struct inventory_store_table *store;
    const struct seed_product *product;
    table_done done;
    void *context;
    struct table_call call;
    cJSON *row;
    struct strbuf filter;
    /* For the owner, also when it has ended. */
    bool is_there;                   /* the product's row is there, whoever created it */
    bool has_other_rows;             /* its partition has rows, but not the product's own */
    bool was_inserting;              /* it came as far as INSERTING */
    char commit_id[UUID_TEXT_BYTES]; /* the name of its commit; set when was_inserting */
};

/*
 * Creates `product`, with all its units available. `done` is called once, on the loop's thread, as
 * the last act, and never inside this call. `product` is borrowed until then.
 * STATUS_ALREADY_EXISTS       see above; nothing is known of the row but that it is there
 * STATUS_PRECONDITION_FAILED  other rows of it are there; nothing was changed, and `err` says what
 *                             to do
 * STATUS_CONTAINER_NOT_FOUND  the table was there once, and is gone
 * STATUS_UNAVAILABLE, STATUS_CANCELLED: the product was created or not
 */
void product_creation_start(struct product_creation *creation, struct inventory_store_table *store,
                            const struct seed_product *product, table_done done, void *context);

#endif
