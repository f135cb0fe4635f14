/*
 * product_entity.h - the rows of the inventory's table: how they are written and read. Pure.
 *
 * Vocabulary
 *   entity   a row in the Table service's JSON
 *   format   a number in each row, which says what properties the row has. If several versions of
 *            this program write a row, it is that of the newest one
 *
 * Formats. A row without a format was written by one of the first two releases.
 *   none   the first release. A product has total, available, version and commitId. A reservation
 *          is as below. There are no other rows.
 *   none   the second release. A product has dueAt, commitIds, indexedDue and indexedKeep instead
 *          of commitId. Records and expiry rows are new.
 *   2      this release. It adds `format`. It also writes commitId again, for handlers of the first
 *          release that still run beside it.
 *
 * Rules for releases that run side by side during an upgrade
 *   A row of an older format is read. Properties that it lacks count as unknown, and the next
 *   commit adds them.
 *   A row of a newer format is read as far as its properties are known here. Rows are merged when
 *   they are written, so unknown properties stay, and so does the newer format.
 *   A row that cannot be read is left alone.
 *   Each release writes all properties that the release before it reads, with the same meaning.
 *   A release does not update a property that it does not know. So a property that is derived from
 *   others needs a sign that it is up to date. For dueAt the sign is commitId: dueAt is valid only
 *   if the row has no commitId, or if commitId is the first of commitIds.
 *   Releases that do not extend reservations judge by expiresAt too, so they remove none early.
 *   But they look for a customer's later rows by their keys. So they may answer a release without a
 *   reservation's id with a 404, though the customer has an extended one.
 *
 * Rows of partition PRODUCT-ID, in the order of their keys
 *   i-KEY-HASH         an idempotency record (product_state.h). Its key sorts before "product", so
 *                      that the key range that reads a product does not include it.
 *       requestHash, reservationId         Edm.String
 *       quantity, available, version       Edm.Int64
 *       customerId                         Edm.String, and
 *       total, remaining                   Edm.Int64: only in the records of confirm, extend and
 *                                          adjust, where they are not "" or 0. Older releases have
 *                                          none of these operations, and look at no record of them
 *       reservedAt, expiresAt, keepUntil   Edm.DateTime
 *   product            the product
 *       total, available, version          Edm.Int64
 *       dueAt                              Edm.DateTime: no reservation expires earlier. The last
 *                                          moment of 9999 if there is no reservation
 *       commitIds                          Edm.String: the ids of the last commits of the 16
 *                                          handlers that committed last, the newest first,
 *                                          separated by commas (product_transaction.h)
 *       commitId                           Edm.String: the first of commitIds
 *       indexedDue, indexedKeep            Edm.Int64: the times of the last expiry rows that were
 *                                          written for it, in milliseconds since 1970. 0: none was
 *   r-RESERVATION-ID   a reservation. Its id begins with its first expiry. expiresAt decides: an
 *                      extended reservation expires later than its id says, and never earlier
 *       customerId                         Edm.String
 *       quantity                           Edm.Int64
 *       reservedAt, expiresAt              Edm.DateTime
 *
 * Rows of partition !due: the expiry index (expiry_index.h). No product can have this id. These
 * rows have no properties but `format`.
 *   TIME-r-PRODUCT-ID  Reservations of the product expire in the minute that begins at TIME.
 *   TIME-k-PRODUCT-ID  Records of the product expire in the hour that ends at TIME.
 * TIME is in milliseconds since 1970, in 15 digits, so that the keys sort by time. It has room for
 * every time that a reservation's id can hold.
 *
 * Row `waiting` of partition !wait-PRODUCT-ID
 *   Its Timestamp is the last time at which a handler waited for the product's lease. It has a
 *   partition of its own, because a product is created only if its partition has no row at all.
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
#define EXPIRY_PARTITION "!due" /* '!' is allowed in a PartitionKey, but not in a product's id */

enum {
    PRODUCT_ENTITY_FORMAT = 2,
    EXPIRY_TIME_DIGITS = 15,
    /* Enough for any row's key. An expiry row's is the longest. */
    PRODUCT_ENTITY_KEY_BYTES = EXPIRY_TIME_DIGITS + sizeof "-r-" - 1 + PRODUCT_ID_BYTES,
};

enum expiry_kind { EXPIRY_OF_RESERVATIONS = 'r', EXPIRY_OF_RECORDS = 'k' };

/* A row of the expiry index. */
struct expiry_row {
    int64_t time_ms;
    enum expiry_kind kind;
    char product_id[PRODUCT_ID_BYTES];
};

/* ---- keys ---- */

void product_entity_reservation_key(const struct reservation *row,
                                    char out[PRODUCT_ENTITY_KEY_BYTES]);
void product_entity_record_key(const char *key_hash, char out[PRODUCT_ENTITY_KEY_BYTES]);

/* With product id "", the key sorts before all rows of that time and kind. */
void product_entity_expiry_key(const struct expiry_row *row, char out[PRODUCT_ENTITY_KEY_BYTES]);

/* Returns false, and leaves `out` untouched, if the key is not an expiry row's. */
bool product_entity_read_expiry_key(const char *row_key, struct expiry_row *out);

/* Writes the name of the partition that holds the product's row `waiting`. */
void product_entity_wait_partition(const char *product_id, char out[PRODUCT_ENTITY_KEY_BYTES]);

/* ---- writing: each appends a complete entity with its keys, as one line of JSON ---- */

void product_entity_write_product(const struct product *product, struct strbuf *out);
void product_entity_write_reservation(const char *product_id, const struct reservation *row,
                                      struct strbuf *out);
void product_entity_write_record(const char *product_id, const struct idempotency_record *record,
                                 struct strbuf *out);
void product_entity_write_expiry(const struct expiry_row *row, struct strbuf *out);
void product_entity_write_wait(const char *product_id, struct strbuf *out);

/* ---- reading: each returns false if the entity cannot be read ---- */

/* Reads the row `product`. `etag` receives its ETag. */
bool product_entity_read_product(const cJSON *entity, struct product *product,
                                 char etag[INVENTORY_ETAG_BYTES]);

/*
 * Reads a reservation. `row_key` is its RowKey, which begins with RESERVATION_ROW_PREFIX. The
 * customer's id is borrowed from `entity`.
 */
bool product_entity_read_reservation(const cJSON *entity, const char *row_key,
                                     struct reservation *row, const char **out_customer_id);

/* Reads the record that was found under `key_hash`. On failure `record` is untouched. */
bool product_entity_read_record(const cJSON *entity, const char *key_hash,
                                struct idempotency_record *record);

/* Reads the time at which storage last wrote the row, by storage's clock. */
bool product_entity_read_timestamp(const cJSON *entity, int64_t *out_ms);

/*
 * Copies a string property. Returns false, and leaves `out` untouched, if it is missing or does not
 * fit.
 */
bool product_entity_copy_text(const cJSON *entity, const char *property, char *out,
                              size_t out_bytes);

/*
 * Describes in `err` the row that cannot be read, and the reason as far as its format tells it.
 * Returns STATUS_MALFORMED.
 */
enum status product_entity_unreadable(const cJSON *entity, struct error *err);

#endif
