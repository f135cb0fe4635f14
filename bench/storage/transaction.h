/*
 * transaction.h - an entity group transaction: read from its multipart body, checked as a whole, then made.
 */
#ifndef BENCH_STORAGE_TRANSACTION_H
#define BENCH_STORAGE_TRANSACTION_H

#include "http.h"

void transaction_serve(const struct http_request *request, struct http_answer *answer);

#endif
