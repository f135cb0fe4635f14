/*
 * simulated_storage.h - an Azure Storage account in memory: the Blob and the Table service, from
 * the bytes of a request to the bytes of its answer.
 *
 * It serves what this program sends, and what the programs beside it in bench/ do, as Azure's
 * documentation has it; tests/integration/test_storage_fidelity.c holds it to Azurite and lists
 * where the two differ. Everything else is refused with 400 or 501.
 *
 * Rules        Everything follows from the requests and the clock: ETags, request ids and lease ids
 *              are counted, and there is no thread, no socket and nothing global. So the same
 *              requests at the same times get the same bytes.
 *              An answer is complete when simulated_storage_answer returns; delays, losses and
 *              everything else on the way are the caller's.
 * Units        Times are the clock's: leases, and what is being deleted, end on now_ms; Date,
 *              Timestamp and Last-Modified, and what a signature's age is judged by, are wall_ms.
 * Errors       No memory ends the program.
 * Ownership    Clock and account are borrowed for the storage's life, a request until it is
 *              answered.
 * Threads      One at a time.
 */
#ifndef SIMULATION_STORAGE_SIMULATED_STORAGE_H
#define SIMULATION_STORAGE_SIMULATED_STORAGE_H

#include "identity/storage_account.h"
#include "simulation/storage/blobs.h"
#include "simulation/storage/query.h"
#include "simulation/storage/signature.h"
#include "simulation/storage/transaction.h"

enum simulated_service { SIMULATED_BLOB_SERVICE, SIMULATED_TABLE_SERVICE, SIMULATED_SERVICES };

struct simulated_storage {
    const struct clock *clock;
    const struct storage_account *account;
    struct blobs blobs;
    struct rows rows;

    /* A query's page. Azure may answer with fewer than QUERY_PAGE_ROWS, so a test may lower it. */
    size_t page_rows;

    /* Whether an access token is good at this moment; NULL: none is. */
    bool (*accepts_token)(void *context, struct text token);
    void *token_context;

    /* Of the last request. */
    struct simulated_outcome outcome;

    /* The storage's own. */
    const char *account_path
        [SIMULATED_SERVICES]; /* what an endpoint has behind its host: "/account" or "" */
    bool checks_signatures;
    struct signature_check signature;
    struct transaction transaction;
    struct simulated_answer answer;
    uint64_t request_count;
};

/*
 * An empty account. Signatures are checked against its key; without one, any that names the account
 * is good. STATUS_INTERNAL: OpenSSL refused the key.
 */
enum status simulated_storage_init(struct simulated_storage *storage, const struct clock *clock,
                                   const struct storage_account *account) MUST_CHECK;
void simulated_storage_cleanup(struct simulated_storage *storage);

/*
 * Carries out one whole request to a service and appends the answer to `out`. What is not a whole
 * request is answered with 400.
 */
void simulated_storage_answer(struct simulated_storage *storage, enum simulated_service service,
                              const char *bytes, size_t length, struct strbuf *out);

/* The same for a request that has been read already. */
void simulated_storage_serve(struct simulated_storage *storage, enum simulated_service service,
                             const struct simulated_request *request, struct strbuf *out);

#endif
