/*
 * tables.h - the fake storage's Table service: tables, entities, queries, entity group transactions.
 *
 * Rules        Every entity is kept, with an ETag that changes with each write. If-Match is held to. A transaction is of one partition, of
 *              100 operations at most, and all or nothing.
 *              A transaction that changes a row "product" while nobody has the lease "inventory-{partition}" is served and counted: the
 *              contender that sent it is not measured.
 *              PUT /$seed/FIRST/COUNT makes products P00000000, ... of the entity in the body, and their lease blobs.
 */
#ifndef BENCH_STORAGE_TABLES_H
#define BENCH_STORAGE_TABLES_H

#include "http.h"

void tables_serve(const struct http_request *request, struct http_answer *answer);

#endif
