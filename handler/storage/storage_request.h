/*
 * storage_request.h - one request to the Blob or Table service: built, signed, sent, tried again.
 *
 * Vocabulary   attempt    one HTTP call; each is dated and signed anew
 *              deadline   a time on the client's clock; no attempt starts or lasts past it
 * Rules        Each request names its one success. Every other answer gets its status from storage_error.h; no answer, and an
 *              answer that is not storage's, is STATUS_UNAVAILABLE.
 *              Only STATUS_UNAVAILABLE is tried again, and only by storage_client_send; after a refusal (401, 403)
 *              it tries once more where the credential has another to show (token_cache.h). A credential that has no token yet
 *              is waited for in the same way; a submit is not sent without one.
 *              The Date of each answer of storage's goes to the clock of its service, and x-ms-date comes from there: an own
 *              clock that is wrong by more than the 15 minutes that storage tolerates costs each service one refused request.
 *              Messages and logs show method, address and comp: never a header or the other parameters, where secrets may be.
 * Threads: a request belongs to one thread; a client may be used from any.
 * Layer: storage. May include base/.
 */
#ifndef STORAGE_STORAGE_REQUEST_H
#define STORAGE_STORAGE_REQUEST_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/http_message.h"
#include "base/status.h"
#include "base/strbuf.h"
#include "storage/credential.h"
#include "storage/http_transport.h"
#include "storage/storage_account.h"
#include "storage/storage_clock.h"
#include "storage/storage_error.h"

enum storage_service { STORAGE_BLOB, STORAGE_TABLE, STORAGE_SERVICES };

enum {
    STORAGE_DEADLINE_MS = 10000,       /* over all attempts of one operation, unless its caller says otherwise */
    STORAGE_ATTEMPT_TIMEOUT_MS = 4000, /* of one attempt */
    STORAGE_FIRST_BACKOFF_MS = 100,    /* between attempts; see retry_policy.h */
    STORAGE_MAX_BACKOFF_MS = 2000,
    STORAGE_MAX_RESPONSE_BYTES = 16 * 1024 * 1024,
};

/* What to ask. `service`, `method` and the success are given to init; whoever builds it appends to the rest. */
struct storage_request {
    enum storage_service service;
    const char *method;          /* static */
    struct strbuf path;          /* "/container/blob", percent-encoded, without the account's own path */
    struct http_headers query;   /* names and values, not encoded */
    struct http_headers headers; /* all but x-ms-date, x-ms-version, x-ms-client-request-id and Authorization */
    struct strbuf body;
    struct storage_success success;
    int max_attempts; /* of storage_client_send that may reach storage's data; 0 at first: as many as the deadline allows */
};

void storage_request_init(struct storage_request *request, enum storage_service service, const char *method,
                          int success_http_status);
void storage_request_release(struct storage_request *request);

/* STATUS_OK if every append to its parts has succeeded, else the first failure. */
enum status storage_request_status(const struct storage_request *request) MUST_CHECK;

struct storage_client {
    struct http_transport *transport;
    const struct clock *clock;
    const struct storage_account *account;
    struct credential *credential;
    struct storage_clock clocks[STORAGE_SERVICES]; /* each service's own: they are other machines */
    struct http_call_group sends;                  /* the blocking sends under way */
    pthread_mutex_t lock;                          /* guards `cancelled` */
    pthread_cond_t cancelled_changed;
    bool cancelled;
};

/* All borrowed while requests are sent. */
void storage_client_init(struct storage_client *client, struct http_transport *transport, const struct clock *clock,
                         const struct storage_account *account, struct credential *credential);

/* When no request is open any more, submitted ones included: after http_transport_free at the latest. */
void storage_client_release(struct storage_client *client);

/* From now on blocking sends answer STATUS_CANCELLED at once, those under way too. Submits are not touched: leases are still given back. */
void storage_client_cancel(struct storage_client *client);

/*
 * Sends and waits, trying again while that may help, until `deadline_ms` on the client's clock. On STATUS_OK `out` (initialized) holds the
 * answer; its sent_ms is the successful attempt's.
 *
 * STATUS_UNAVAILABLE   the deadline came; err says why the last attempt failed
 * STATUS_CANCELLED     storage_client_cancel
 * STATUS_TOO_LARGE     the answer was over STORAGE_MAX_RESPONSE_BYTES
 * STATUS_NO_MEMORY, and those of storage_error.h and of the credential
 */
enum status storage_client_send(struct storage_client *client, const struct storage_request *request,
                                int64_t deadline_ms, struct http_reply *out, struct error *err) MUST_CHECK;

/*
 * Waits as long as is due after failed attempt number `attempt` (1, 2, ...) before the next; `retry_after_ms`: what storage asked
 * for (0: nothing). For those who must look at storage between two attempts; storage_client_send does it by itself.
 *
 * STATUS_UNAVAILABLE   the wait would reach `deadline_ms`; nothing was waited for
 * STATUS_CANCELLED     storage_client_cancel
 */
enum status storage_client_back_off(struct storage_client *client, int attempt, int retry_after_ms,
                                    int64_t deadline_ms) MUST_CHECK;

/*
 * One attempt, answered on the I/O thread. `reply` is NULL unless STATUS_OK. The request is the caller's again on return.
 * Statuses, in `done`: as of send, STATUS_CANCELLED when the transport is freed. Returned, with `done` not called:
 *
 * STATUS_CANCELLED   the transport is being freed
 * STATUS_NO_MEMORY, STATUS_INTERNAL, and those of the credential
 */
typedef void (*storage_done)(void *context, enum status status, const struct http_reply *reply,
                             const struct error *err);
enum status storage_client_submit(struct storage_client *client, const struct storage_request *request,
                                  int64_t timeout_ms, storage_done done, void *context) MUST_CHECK;

#endif
