/*
 * tables.h - the simulated Table service: tables, entities, queries, entity group transactions.
 */
#ifndef SIMULATION_STORAGE_TABLES_H
#define SIMULATION_STORAGE_TABLES_H

#include "simulation/storage/simulated_storage.h"

/* Answers a request whose path, behind the account's own, is `path`. */
void tables_serve(struct simulated_storage *storage, struct text path,
                  const struct simulated_request *request);

#endif
