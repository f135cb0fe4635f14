/*
 * storage_attempt.h - one HTTP call of a request to Azure Storage: built, dated, signed, and its
 * answer understood.
 *
 * Rules     Each attempt is dated and signed anew. The Date of each answer of storage's goes to the
 *           clock of its service, and x-ms-date comes from there. Storage tolerates 15 minutes. If
 *           our clock is further off, each service rejects one request, and from then on the dates
 *           are right.
 *           Messages and logs show method, address and comp. They never show headers or other
 *           parameters, which may hold secrets.
 * Threads   One at a time. storage_client.h uses one on the loop's thread for all its attempts.
 */
#ifndef STORAGE_STORAGE_ATTEMPT_H
#define STORAGE_STORAGE_ATTEMPT_H

#include <stddef.h>
#include <stdint.h>

#include "base/http_message.h"
#include "base/status.h"
#include "base/strbuf.h"
#include "base/utc.h"
#include "http/http_client.h"
#include "storage/storage_clock.h"
#include "storage/storage_request.h"

struct credential;
struct storage_account;

enum {
    STORAGE_DESCRIPTION_BYTES = 320,
    STORAGE_MAX_RESPONSE_BYTES = 16 * 1024 * 1024,
};

/* The text of x-ms-date, formatted once a second. */
struct storage_date {
    int64_t second;
    char text[UTC_TEXT_BYTES]; /* "": not formatted yet */
};

/* The place where attempts are built, one after the other. */
struct storage_attempt {
    /* ---- of all attempts. Borrowed but for the dates ---- */
    const struct storage_account *account;
    struct credential *credential;
    struct storage_clock *clocks; /* one for each service */
    struct storage_date dates[STORAGE_SERVICES];

    /* ---- of this attempt ---- */
    struct strbuf url;
    size_t path_start, path_length; /* the path's place in the URL */
    struct http_headers headers;
    unsigned token_generation; /* see credential.h */
};

/* All arguments are borrowed for as long as it is used. `clocks` has STORAGE_SERVICES of them. */
void storage_attempt_init(struct storage_attempt *attempt, const struct storage_account *account,
                          struct credential *credential, struct storage_clock *clocks);
void storage_attempt_cleanup(struct storage_attempt *attempt);

/*
 * Builds and signs the next attempt. `request_id` becomes x-ms-client-request-id. Call
 * storage_attempt_clear afterwards, whatever this returns.
 * STATUS_NO_MEMORY, STATUS_TOO_LARGE, and the statuses of the credential's `authorize`
 */
enum status storage_attempt_build(struct storage_attempt *attempt,
                                  const struct storage_request *request, const char *request_id,
                                  struct error *err) MUST_CHECK;

/* Returns the HTTP call of the built attempt. It borrows from both arguments. */
struct http_call storage_attempt_call(const struct storage_attempt *attempt,
                                      const struct storage_request *request, int64_t timeout_ms);

/* Forgets the built attempt. */
void storage_attempt_clear(struct storage_attempt *attempt);

/*
 * Returns the status of an answer (storage_error.h), and fills `err` unless that is STATUS_OK. An
 * answer of storage's also sets the clock of its service.
 */
enum status storage_attempt_read_reply(struct storage_attempt *attempt,
                                       const struct storage_request *request,
                                       const struct http_reply *reply,
                                       struct error *err) MUST_CHECK;

/* Writes what messages show: "PUT https://acme.blob.core.windows.net/leases/x?comp=lease". */
void storage_attempt_describe(const struct storage_attempt *attempt,
                              const struct storage_request *request,
                              char out[STORAGE_DESCRIPTION_BYTES]);

#endif
