/*
 * product_entity.h - all rows that the inventory's table holds, written and read. Pure.
 *
 * Each row tells its format (Edm.Int32), the newest that has written it:
 *   none   the first release. A product has total, available, version and commitId; a reservation
 *          is as below; there are no other rows
 *   none   the release after it. A product has dueAt, commitIds, indexedDue and indexedKeep in
 *          commitId's place; records and due rows are new
 *   2      this release. format is new. commitId is back, for handlers of the first release that
 *          still run beside this one
 *
 * Rules        A row of an older format is read: what it does not have is taken as not known. The
 *              next commit completes it.
 *              A row of a newer format is read as far as it is known here. Rows are merged, so that
 *              what is not known here stays, and so does the format. A row that cannot be read is
 *              left alone.
 *              Two releases run side by side during an upgrade. So each writes all that the one
 *              before reads, and means the same by it.
 *              A release that does not know a property does not keep it up. So a property that is
 *              derived from the others has to tell whether it is outdated: dueAt is good only while
 *              commitId, if there is one, is the first of commitIds.
 *
 * Rows of partition PRODUCT-ID, in key order:
 *   i-KEY-HASH         an idempotency record (product_state.h): requestHash, reservationId (Edm.String), quantity, available, version
 *                      (Edm.Int64), reservedAt, expiresAt, keepUntil (Edm.DateTime). In front of "product", so that the range that
 *                      reads a product does not meet it
 *   product            total, available, version (Edm.Int64), dueAt (Edm.DateTime; none: the last moment of 9999), commitIds
 *                      (Edm.String: the last commit of each of the 16 stores that committed last,
 *                      the newest first, separated by commas; product_transaction.h), commitId
 *                      (Edm.String: the newest of them), indexedDue, indexedKeep (Edm.Int64,
 *                      milliseconds since 1970; 0: none)
 *   r-RESERVATION-ID   customerId (Edm.String), quantity (Edm.Int64), reservedAt, expiresAt (Edm.DateTime)
 *
 * Rows of partition !due, which no product can be called (expiry_index.h says what they are for);
 * their keys say it all:
 *   TIME-r-PRODUCT-ID  reservations of that product expire in the minute that begins at TIME
 *   TIME-k-PRODUCT-ID  records of that product are kept until a moment of the hour that ends at TIME
 * The Timestamp of row `waiting` in partition !wait-PRODUCT-ID tells when an instance has last
 * waited for that product's lease. It has a partition of its own, because a product may be created
 * only in an empty one, and earlier releases count every row there.
 *
 * TIME is in milliseconds since 1970, in 15 digits: all that a reservation's id can hold, so that the keys sort by time.
 */
#ifndef INVENTORY_PRODUCT_ENTITY_H
#define INVENTORY_PRODUCT_ENTITY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "base/strbuf.h"
#include "inventory/product_state.h"

#define PRODUCT_ROW "product"
#define RESERVATION_ROW_PREFIX "r-"
#define AFTER_RESERVATION_ROWS "r." /* '.' follows '-' */
#define RECORD_ROW_PREFIX "i-"
#define AFTER_RECORD_ROWS "i."
#define WAIT_ROW "waiting"
#define DUE_PARTITION "!due" /* '!' is allowed in a PartitionKey, but in no product's id */

enum {
    PRODUCT_ENTITY_FORMAT = 2,
    DUE_TIME_DIGITS = 15,
    /* Any row's key: a due row's is the longest. */
    PRODUCT_ENTITY_KEY_BYTES = DUE_TIME_DIGITS + sizeof "-r-" - 1 + PRODUCT_ID_BYTES,
};

/* Row keys of a reservation, and of the record under a hash. */
void product_entity_row_key(const struct reservation *row, char out[PRODUCT_ENTITY_KEY_BYTES]);
void product_entity_record_key(const char *key_hash, char out[PRODUCT_ENTITY_KEY_BYTES]);

/* Appends the complete entity with its keys, one line of JSON. */
void product_entity_write_product(const struct product *product, struct strbuf *out);
void product_entity_write_reservation(const char *product_id, const struct reservation *row,
                                      struct strbuf *out);
void product_entity_write_record(const char *product_id, const struct idempotency_record *record,
                                 struct strbuf *out);

/*
 * Reads an entity that a query or point read has answered with; `etag` receives its ETag. False:
 * it cannot be read.
 */
bool product_entity_read_product(const cJSON *entity, struct product *product,
                                 char etag[INVENTORY_ETAG_BYTES]);

/* The same for a reservation, whose RowKey is known to begin with the prefix. Its customer's id is borrowed from `entity`. */
bool product_entity_read_reservation(const cJSON *entity, const char *row_key,
                                     struct reservation *row, const char **out_customer_id);

/* The same for a record, found by its hash. */
bool product_entity_read_record(const cJSON *entity, const char *key_hash,
                                struct idempotency_record *record);

enum due_kind { DUE_RESERVATION = 'r', DUE_RECORD = 'k' };

/* A due row. */
struct due_row {
    int64_t time_ms;
    enum due_kind kind;
    char product_id[PRODUCT_ID_BYTES];
};

/* The same for a due row, and for a product's row `waiting`. */
void product_entity_write_due(const struct due_row *row, struct strbuf *out);
void product_entity_write_wait(const char *product_id, struct strbuf *out);

/* The row's key; with product id "" the first that any row of that time and kind, or a later one, could have. */
void product_entity_due_key(const struct due_row *row, char out[PRODUCT_ENTITY_KEY_BYTES]);

/* The partition of a product's row `waiting`. */
void product_entity_wait_partition(const char *product_id, char out[PRODUCT_ENTITY_KEY_BYTES]);

/* Reads when storage has last written a row, by its own clock. False: the row does not say. */
bool product_entity_read_timestamp(const cJSON *entity, int64_t *out_ms);

/* Reads such a key. False: it is none; `out` untouched. */
bool product_entity_read_due_key(const char *row_key, struct due_row *out);

/*
 * Says in `err` which row cannot be read, and why as far as its format tells. Returns
 * STATUS_MALFORMED.
 */
enum status product_entity_unreadable(const cJSON *entity, struct error *err);

/* Copies a string property. False: there is none, or it does not fit; `out` untouched. */
bool product_entity_copy_text(const cJSON *entity, const char *property, char *out,
                              size_t out_bytes);

#endif
