#include "counts.h"

#include <stdio.h>
#include <string.h>

/* The product's row is written only by the holder of its lease. */
static int64_t count_unleased(struct simulated_storage *storage) {
    const struct simulated_outcome *outcome = &storage->outcome;
    int64_t count = 0;
    for (size_t i = 0; i < outcome->change_count; i++) {
        const struct row_change *change = &outcome->changes[i];
        if (strcmp(change->row_key, "product") == 0) {
            char blob[ENTITY_KEY_BYTES + 32];
            snprintf(blob, sizeof blob, "lease-inventory-%s", change->partition_key);
            count += !blobs_is_leased(&storage->blobs, "leases", blob);
        }
    }
    return count;
}

static void add_transaction(struct counts *counts, struct simulated_storage *storage) {
    bool is_refused = storage->outcome.code[0] != '\0';
    counts->transactions++;
    counts->transaction_operations += (int64_t)storage->outcome.change_count;
    counts->refused_transactions += is_refused;
    counts->unleased_commits += is_refused ? 0 : count_unleased(storage);
}

void counts_add(struct counts *counts, struct simulated_storage *storage) {
    switch (storage->outcome.kind) {
    case SIMULATED_UNKNOWN:
        counts->unknown_requests++;
        break;
    case SIMULATED_UNSIGNED:
        counts->unsigned_requests++;
        break;
    case SIMULATED_CONTAINER:
    case SIMULATED_BLOB:
        counts->blob_requests++;
        break;
    case SIMULATED_LEASE_ACQUIRE:
        counts->lease_acquires++;
        counts->lease_conflicts += storage->outcome.http_status == 409;
        break;
    case SIMULATED_LEASE_RENEW:
        counts->lease_renewals++;
        break;
    case SIMULATED_LEASE_RELEASE:
        counts->lease_releases++;
        break;
    case SIMULATED_LEASE_CHANGE:
    case SIMULATED_LEASE_BREAK:
        counts->lease_others++;
        break;
    case SIMULATED_ENTITY_READ:
        counts->table_reads++;
        break;
    case SIMULATED_QUERY:
        counts->table_queries++;
        break;
    case SIMULATED_TABLE:
    case SIMULATED_ENTITY_WRITE:
        counts->table_writes++;
        break;
    case SIMULATED_TRANSACTION:
        add_transaction(counts, storage);
        break;
    }
}

void counts_write(const struct counts *counts, struct strbuf *out) {
    char separator = '{';
#define WRITE(name)                                                                  \
    strbuf_appendf(out, "%c\"" #name "\":%lld", separator, (long long)counts->name); \
    separator = ',';
    COUNTS(WRITE)
#undef WRITE
    strbuf_append_char(out, '}');
}
