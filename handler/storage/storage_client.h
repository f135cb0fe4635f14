/*
 * storage_client.h - sends requests to Azure Storage, and tries again while that may help.
 *
 * Vocabulary   attempt    one HTTP call (storage_attempt.h)
 *              operation  one request on its way through its attempts
 *              deadline   a time on the client's clock. No attempt starts or lasts past it
 * Rules        Each request names its one success. storage_error.h gives every other answer its
 *              status. No answer, or an answer that is not storage's, is STATUS_UNAVAILABLE.
 *              A request is retried after STATUS_UNAVAILABLE, and once after a 401 or 403 if the
 *              credential can get another token (token_cache.h). If `authorize` returns
 *              STATUS_UNAVAILABLE because there is no token yet, nothing is sent; the request backs
 *              off and retries, without counting against max_attempts.
 * Threads      storage_client_cancel may be called from any thread, storage_client_send from any
 *              but the loop's. A client's init and cleanup belong to its owner, while the loop does
 *              not use the client yet or has stopped. Everything else belongs to the loop's thread.
 */
#ifndef STORAGE_STORAGE_CLIENT_H
#define STORAGE_STORAGE_CLIENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/correlation.h"
#include "base/status.h"
#include "http/event_loop.h"
#include "http/http_client.h"
#include "http/platform.h"
#include "http/retry_policy.h"
#include "storage/storage_attempt.h"
#include "storage/storage_clock.h"
#include "storage/storage_request.h"

enum {
    STORAGE_DEADLINE_MS = 10000,       /* default for all attempts of one operation together */
    STORAGE_ATTEMPT_TIMEOUT_MS = 4000, /* of one attempt */
    STORAGE_FIRST_BACKOFF_MS = 100,    /* between attempts; see retry_policy.h */
    STORAGE_MAX_BACKOFF_MS = 2000,
};

struct storage_operation;
TAILQ_HEAD(storage_operations, storage_operation);

struct storage_client {
    const struct platform *platform;
    struct storage_clock clocks[STORAGE_SERVICES]; /* the services run on different machines */

    /* Of the loop's thread. */
    struct storage_operations open; /* the operations under way */
    struct storage_attempt attempt; /* where attempts are built */

    struct loop_task cancel_task;
    pthread_mutex_t lock; /* guards what follows */
    bool is_cancelled;
};

/* Everything is borrowed for as long as the client is used. */
void storage_client_init(struct storage_client *client, const struct platform *platform,
                         const struct storage_account *account, struct credential *credential);

/*
 * Call it after the loop has stopped. All operations that are still open end with STATUS_CANCELLED.
 */
void storage_client_cleanup(struct storage_client *client);

/*
 * How a request ended. `reply` is NULL unless STATUS_OK, and always NULL after
 * storage_operation_wait. It is borrowed. To keep it, copy the struct and initialize the original
 * anew. Its sent_ms is that of the successful attempt.
 *
 * STATUS_UNAVAILABLE   the deadline came; `err` says why the last attempt failed
 * STATUS_CANCELLED     the network or the storage client is being freed
 * STATUS_TOO_LARGE     the answer was over STORAGE_MAX_RESPONSE_BYTES, or its headers over 64 KiB
 * STATUS_NO_MEMORY     for the request, or for the answer
 * and the statuses of storage_error.h and of the credential
 *
 * After any of these, err->may_have_happened tells whether storage may have carried out the
 * request. The status alone does not: memory may run out before it is sent, or after.
 */
typedef void (*storage_done)(void *context, enum status status, struct http_reply *reply,
                             const struct error *err);

/*
 * One request on its way through its attempts, on the loop's thread. Zeroed at first.
 *
 *     state     left by
 *     IDLE      start, to WAITING: the first attempt is made in the loop's next round
 *     WAITING   the time of the next attempt, to SENDING; or to IDLE, if the deadline has come, the
 *               request could not be built, or the operation only waits
 *     SENDING   the answer: to IDLE if it is final, otherwise to WAITING
 *     any       cancel and abandon, to IDLE
 *
 * At its end it is IDLE again. `done` is called last, so the owner may free it or start it again
 * there.
 */
struct storage_operation {
    TAILQ_ENTRY(storage_operation) link; /* in the client's open operations */
    struct storage_client *client;
    const struct storage_request *request; /* borrowed until the end; NULL: it only waits */
    int64_t deadline_ms;
    storage_done done;
    void *context;
    enum { STORAGE_OPERATION_IDLE, STORAGE_OPERATION_SENDING, STORAGE_OPERATION_WAITING } state;
    struct http_exchange exchange;
    struct loop_timer wait;
    struct retry_state retry;
    bool is_cancellable;       /* its owner sets it after start */
    unsigned token_generation; /* of the attempt under way; see credential.h */

    /* Of whoever started it; NULL: none. It must exist until the operation has ended. */
    const struct correlation *correlation;

    char request_id[INVOCATION_ID_BYTES]; /* x-ms-client-request-id of every attempt */
    struct error last_failure;
};

/*
 * Sends a request, and tries again while that may help, until `deadline_ms` on the client's clock.
 * `done` is called once, never inside this call, unless the operation is abandoned.
 */
void storage_operation_start(struct storage_operation *operation, struct storage_client *client,
                             const struct storage_request *request, int64_t deadline_ms,
                             storage_done done, void *context);

/*
 * Starts an operation that sends nothing. It is for callers that wait between two requests. It ends
 * with STATUS_OK and no reply after `delay_ms`. It ends with STATUS_CANCELLED when the client is
 * cancelled or cleaned up.
 */
void storage_operation_wait(struct storage_operation *operation, struct storage_client *client,
                            int64_t delay_ms, storage_done done, void *context);

/*
 * Ends an operation, if it is under way, without calling `done`. Storage may still carry out what
 * was sent.
 */
void storage_operation_abandon(struct storage_operation *operation);

/*
 * Returns how long to wait after failed attempt number `attempt` (1, 2, ...) before the next one.
 * Returns -1 if the wait would reach `deadline_ms`. `retry_after_ms` is what storage asked for; 0:
 * nothing. It is for callers that read storage between two attempts.
 */
int64_t storage_client_delay_ms(struct storage_client *client, int attempt, int retry_after_ms,
                                int64_t deadline_ms);

/*
 * Returns the deadline of an operation that starts now and has the default time,
 * STORAGE_DEADLINE_MS.
 */
int64_t storage_client_deadline_ms(const struct storage_client *client);

/* ---- for callers that wait, on any thread but the loop's ---- */

/*
 * Sends a request and waits for its end. On STATUS_OK `out`, which must be initialized, holds the
 * answer. The statuses are those of storage_done; STATUS_CANCELLED also follows
 * storage_client_cancel.
 */
enum status storage_client_send(struct storage_client *client,
                                const struct storage_request *request, int64_t deadline_ms,
                                struct http_reply *out, struct error *err) MUST_CHECK;

/*
 * Ends all cancellable operations and storage_client_send calls with STATUS_CANCELLED. Those that
 * are started later end in the same way.
 */
void storage_client_cancel(struct storage_client *client);

#endif
