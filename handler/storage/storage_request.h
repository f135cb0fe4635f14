/*
 * storage_request.h - one request to the Blob or Table service: built, signed, sent, tried again.
 *
 * Vocabulary   attempt    one HTTP call; each is dated and signed anew
 *              deadline   a time on the client's clock; no attempt starts or lasts past it
 * Rules        Each request names its one success. Every other answer gets its status from storage_error.h; no answer, and an
 *              answer that is not storage's, is STATUS_UNAVAILABLE.
 *              Only STATUS_UNAVAILABLE is tried again. After a refusal (401, 403) a request is
 *              tried once more where the credential has another to show (token_cache.h). A
 *              credential that has no token yet is waited for in the same way.
 *              The Date of each answer of storage's goes to the clock of its service, and x-ms-date comes from there: an own
 *              clock that is wrong by more than the 15 minutes that storage tolerates costs each service one refused request.
 *              Messages and logs show method, address and comp: never a header or the other parameters, where secrets may be.
 * Threads: storage_client_cancel may be called from any thread, storage_client_send from any but
 * the loop's. A client's init and release belong to its owner, while the loop does not know of it
 * or has stopped. A request belongs to whoever builds it, and is only read until it has ended. All
 * else belongs to the loop's thread.
 */
#ifndef STORAGE_STORAGE_REQUEST_H
#define STORAGE_STORAGE_REQUEST_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/correlation.h"
#include "base/http_message.h"
#include "base/status.h"
#include "base/strbuf.h"
#include "base/utc.h"
#include "http/http_client.h"
#include "http/platform.h"
#include "http/retry_policy.h"
#include "identity/credential.h"
#include "identity/storage_account.h"
#include "storage/storage_clock.h"
#include "storage/storage_error.h"

enum storage_service { STORAGE_BLOB, STORAGE_TABLE, STORAGE_SERVICES };

enum {
    STORAGE_DEADLINE_MS =
        10000, /* over all attempts of one operation, unless its caller says otherwise */
    STORAGE_ATTEMPT_TIMEOUT_MS = 4000, /* of one attempt */
    STORAGE_FIRST_BACKOFF_MS = 100,    /* between attempts; see retry_policy.h */
    STORAGE_MAX_BACKOFF_MS = 2000,
    STORAGE_MAX_RESPONSE_BYTES = 16 * 1024 * 1024,
};

/* What to ask. `service`, `method` and the success are given to init; whoever builds it appends to the rest. */
struct storage_request {
    enum storage_service service;
    const char *method; /* static */
    struct strbuf path; /* "/container/blob", percent-encoded, without the account's own path */
    struct http_headers query; /* names and values, not encoded */
    struct http_headers
        headers; /* all but x-ms-date, x-ms-version, x-ms-client-request-id and Authorization */
    struct strbuf body;
    struct storage_success success;
    int max_attempts; /* that may reach storage's data; 0 at first: as many as the deadline allows */
};

void storage_request_init(struct storage_request *request, enum storage_service service,
                          const char *method, int success_http_status);
void storage_request_cleanup(struct storage_request *request);

/* STATUS_OK if every append to its parts has succeeded, else the first failure. */
enum status storage_request_status(const struct storage_request *request) MUST_CHECK;

/* One attempt as it is built and signed. */
struct storage_attempt {
    struct strbuf url;
    size_t path_start, path_length; /* in the URL */
    struct http_headers headers;
    unsigned generation; /* see credential.h */
};

/* x-ms-date, written once a second. */
struct storage_date {
    int64_t second;
    char text[UTC_TEXT_BYTES]; /* "": not written yet */
};

struct storage_operation;
TAILQ_HEAD(storage_operations, storage_operation);

struct storage_client {
    const struct platform *platform;
    const struct storage_account *account;
    struct credential *credential;
    struct storage_clock clocks[STORAGE_SERVICES]; /* each service's own: they are other machines */

    /* Of the loop's thread. */
    struct storage_operations open; /* under way */
    struct storage_attempt attempt; /* where each is built, one after the other */
    struct storage_date dates[STORAGE_SERVICES];

    struct loop_task cancel;
    pthread_mutex_t lock; /* guards what follows */
    bool cancelled;
};

/* All borrowed while requests are sent. */
void storage_client_init(struct storage_client *client, const struct platform *platform,
                         const struct storage_account *account, struct credential *credential);

/* After the loop has stopped. What is still waiting for its next attempt ends with STATUS_CANCELLED. */
void storage_client_cleanup(struct storage_client *client);

/*
 * How a request ended. `reply` is NULL unless STATUS_OK; it is borrowed, and whoever wants to keep it takes it away and
 * leaves an initialized one in its place. Its sent_ms is the successful attempt's.
 *
 * STATUS_UNAVAILABLE   the deadline came; err says why the last attempt failed
 * STATUS_CANCELLED     the network or the storage client is being freed
 * STATUS_TOO_LARGE     the answer was over STORAGE_MAX_RESPONSE_BYTES
 * STATUS_NO_MEMORY, and those of storage_error.h and of the credential
 */
typedef void (*storage_done)(void *context, enum status status, struct http_reply *reply,
                             const struct error *err);

/*
 * One request on its way through its attempts, on the loop's thread. Zeroed at first.
 *
 *     state     left by
 *     IDLE      start: an attempt is sent, or none can be
 *     SENDING   the answer: it is final, or another attempt is due after a wait
 *     WAITING   the time of the next attempt; meanwhile nothing is under way
 *
 * Ending brings it back to IDLE, and `done` is called last, so the owner may free it or start it again there.
 */
struct storage_operation {
    TAILQ_ENTRY(storage_operation) link; /* in the client's open operations */
    struct storage_client *client;
    const struct storage_request *request; /* borrowed until it has ended */
    int64_t deadline_ms;
    storage_done done;
    void *context;
    enum { STORAGE_OPERATION_IDLE, STORAGE_OPERATION_SENDING, STORAGE_OPERATION_WAITING } state;
    struct http_exchange exchange;
    struct loop_timer wait;
    struct retry_state retry;
    bool is_cancellable;       /* its owner sets it after start */
    unsigned token_generation; /* of the attempt under way; see credential.h */
    const struct correlation
        *correlation; /* of whoever started it; must stay until it has ended. NULL: none */
    char request_id[INVOCATION_ID_BYTES]; /* x-ms-client-request-id of every attempt */
    struct error last_failure;
};

/*
 * Sends the request, trying again while that may help, until `deadline_ms` on the client's clock. `done` is called
 * once, never inside this call, unless the operation is abandoned. On the loop's thread.
 */
void storage_operation_start(struct storage_operation *operation, struct storage_client *client,
                             const struct storage_request *request, int64_t deadline_ms,
                             storage_done done, void *context);

/*
 * An operation that sends nothing. It ends with STATUS_OK and no reply when `delay_ms` are over, or
 * with STATUS_CANCELLED when the client is cancelled or released. For those who wait between two
 * requests.
 */
void storage_operation_wait(struct storage_operation *operation, struct storage_client *client,
                            int64_t delay_ms, storage_done done, void *context);

/* Ends an operation without calling `done`, if it is under way. What was sent may still be carried out. */
void storage_operation_abandon(struct storage_operation *operation);

/*
 * Returns how long to wait after failed attempt number `attempt` (1, 2, ...) before the next, or -1
 * if the wait would reach `deadline_ms`. `retry_after_ms` is what storage asked for (0: nothing).
 * For those who must look at storage between two attempts.
 */
int64_t storage_client_delay_ms(struct storage_client *client, int attempt, int retry_after_ms,
                                int64_t deadline_ms);

/* ---- for callers that wait, on any thread but the loop's ---- */

/*
 * Starts an operation and waits for its end. On STATUS_OK `out` (initialized) holds the answer. Statuses of
 * storage_done; STATUS_CANCELLED also after storage_client_cancel.
 */
enum status storage_client_send(struct storage_client *client,
                                const struct storage_request *request, int64_t deadline_ms,
                                struct http_reply *out, struct error *err) MUST_CHECK;

/*
 * Cancellable operations and storage_client_send end with STATUS_CANCELLED: those under way at
 * once, and all that are started from now on.
 */
void storage_client_cancel(struct storage_client *client);

#endif
