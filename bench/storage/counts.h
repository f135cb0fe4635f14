/*
 * counts.h - what the fake storage was asked, counted. GET /$counts answers it as JSON.
 */
#ifndef BENCH_STORAGE_COUNTS_H
#define BENCH_STORAGE_COUNTS_H

#include <stdint.h>

#include "base/strbuf.h"
#include "simulation/storage/simulated_storage.h"

/* X(name). unleased_commits: transactions that change a product whose lease nobody has. */
#define COUNTS(X)             \
    X(lease_acquires)         \
    X(lease_conflicts)        \
    X(lease_renewals)         \
    X(lease_releases)         \
    X(lease_others)           \
    X(blob_requests)          \
    X(table_reads)            \
    X(table_queries)          \
    X(table_writes)           \
    X(transactions)           \
    X(transaction_operations) \
    X(refused_transactions)   \
    X(unleased_commits)       \
    X(unsigned_requests)      \
    X(unknown_requests)

struct counts {
#define FIELD(name) int64_t name;
    COUNTS(FIELD)
#undef FIELD
};

/* Counts the request that the storage has just carried out. */
void counts_add(struct counts *counts, struct simulated_storage *storage);

void counts_write(const struct counts *counts, struct strbuf *out);

#endif
