/*
 * simulated_rows.h - reads what simulated storage holds of a product, and checks that it adds up.
 */
#ifndef SIMULATION_SIMULATED_ROWS_H
#define SIMULATION_SIMULATED_ROWS_H

#include "checker/checker.h"
#include "simulation/storage/simulated_storage.h"

/*
 * Whether a product's rows, as they are now, keep every promise: no quantity is below zero, available
 * and reserved are the total, and something in the expiry index stands for whatever can expire.
 * Returns NULL, or what is wrong. A product that is not there keeps them.
 */
const char *simulated_rows_check(struct simulated_storage *storage, const char *table, const char *product_id);

/* All of it for the checker. `rows` is the caller's (free). Returns false if something is missing or cannot be read. */
bool simulated_rows_read(struct simulated_storage *storage, const char *table, const char *product_id,
                         struct checker_product *out);

#endif
