/*
 * query.h - what the simulated Table service answers to a GET: one entity, or a page of a query.
 *
 * Rules        A page has as many entities as the account allows (1,000 at Azure), or $top. If
 *              there are more, the answer says where the next page begins ("Query timeout and
 *              pagination").
 */
#ifndef SIMULATION_STORAGE_QUERY_H
#define SIMULATION_STORAGE_QUERY_H

#include "simulation/storage/rows.h"
#include "simulation/storage/simulated_answer.h"
#include "simulation/storage/simulated_request.h"

enum { QUERY_PAGE_ROWS = 1000 };

/* Query Entities without keys. */
void query_serve(struct table *table, size_t page_rows, const struct simulated_request *request,
                 struct simulated_answer *answer);

/* Query Entities with both keys. */
void query_serve_row(const struct table *table, const char *partition_key, const char *row_key,
                     const struct simulated_request *request, struct simulated_answer *answer);

/* Appends the entity as it is answered. `select`: names with commas between them; "": all. */
void query_append_row(const struct row *row, const char *select, struct strbuf *out);

#endif
