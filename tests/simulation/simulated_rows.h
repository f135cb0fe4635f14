/*
 * simulated_rows.h - what simulated storage holds of a product: read, checked, and spoiled.
 */
#ifndef SIMULATION_SIMULATED_ROWS_H
#define SIMULATION_SIMULATED_ROWS_H

#include "simulation/storage/simulated_storage.h"
#include "torture/checker.h"

/* ---- at every moment ---- */

/*
 * Whether a product's rows, as they are now, keep every promise: no quantity is below zero,
 * available and reserved are the total, and a row of the expiry index stands for each reservation's
 * last minute. Returns NULL, or what is wrong. A product that is not there keeps them. In a table
 * that was deleted and made anew, an instance may have written the index row of a commit before.
 */
const char *simulated_rows_check(struct simulated_storage *storage, const char *table,
                                 const char *product_id, bool is_table_new);

/*
 * Whether the row has all that the record of a key must have. One that is no record, or not there,
 * has.
 */
bool simulated_rows_is_record_complete(struct simulated_storage *storage, const char *table,
                                       const char *product_id, const char *row_key);

/* ---- when all is over ---- */

/*
 * What is left of a product whose reservations, and with `with_records` whose keys, have all
 * expired; NULL: nothing.
 */
const char *simulated_rows_left(struct simulated_storage *storage, const char *table,
                                const char *product_id, bool with_records);

/*
 * All of it for the checker. `rows` is the caller's (free). Returns false if something is missing
 * or cannot be read.
 */
bool simulated_rows_read(struct simulated_storage *storage, const char *table,
                         const char *product_id, struct checker_product *out);

/* ---- past all who use it. Each returns whether it has changed anything ---- */

/* Deletes the product's own row, if it has reservations. */
bool simulated_rows_delete_product(struct simulated_storage *storage, const char *table,
                                   const char *product_id);

/* Deletes the product and all its rows. */
bool simulated_rows_delete_all(struct simulated_storage *storage, const char *table,
                               const char *product_id);

/* Writes nonsense into one of its reservations. */
bool simulated_rows_spoil(struct simulated_storage *storage, const char *table,
                          const char *product_id);

#endif
