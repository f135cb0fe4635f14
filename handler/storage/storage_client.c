#include "storage/storage_client.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/uuid.h"
#include "http/loop_call.h"
#include "identity/credential.h"

enum {
    /*
     * With less time left there is no further attempt. It would only time out, and hide the reason
     * that the last attempt has given.
     */
    MIN_REPEAT_MS = 100,
};

static const struct retry_policy policy = {STORAGE_FIRST_BACKOFF_MS, STORAGE_MAX_BACKOFF_MS};

/* ---- an operation: attempts until one is final ---- */

/*
 * Notifies the credential if storage has rejected what it added. Returns true if another attempt
 * may succeed. Azure answers an expired token with 401, Azurite with AuthenticationFailed. Any
 * other 403 means that storage has authenticated the caller, who may not do what the request asks
 * for.
 */
static bool notify_rejection(struct storage_client *client, enum status status,
                             const struct error *err, unsigned token_generation) {
    struct credential *credential = client->attempt.credential;
    if (status != STATUS_UNAUTHORIZED || err->http_status == 0 || credential->on_rejected == NULL) {
        return false;
    }
    bool is_authenticated =
        err->http_status != 401 && strcmp(err->code, "AuthenticationFailed") != 0;
    return credential->on_rejected(credential, token_generation, is_authenticated);
}

static void send_attempt(struct storage_operation *operation);

/* Ends an operation. Its owner may free it inside `done`, so nothing may use it afterwards. */
static void end_operation(struct storage_operation *operation, enum status status,
                          struct http_reply *reply, const struct error *err) {
    operation->state = STORAGE_OPERATION_IDLE;
    TAILQ_REMOVE(&operation->client->open, operation, link);
    operation->done(operation->context, status, reply, err);
}

/* Ends an operation for which too little time is left. */
static void give_up(struct storage_operation *operation, struct error *failure) {
    int attempts = operation->retry.attempts;
    error_wrap(failure, "given up after %d attempt%s", attempts, attempts == 1 ? "" : "s");
    end_operation(operation, failure->status, NULL, failure);
}

/* Makes the next attempt, unless the wait has lasted much longer than planned. */
static void repeat_attempt(struct storage_operation *operation) {
    int64_t now_ms = clock_now_ms(operation->client->platform->clock);
    if (operation->deadline_ms - now_ms < MIN_REPEAT_MS) {
        give_up(operation, &operation->last_failure);
    } else {
        send_attempt(operation);
    }
}

static void on_wait_over(void *context) {
    struct storage_operation *operation = context;
    const struct correlation *before = correlation_use(operation->correlation);
    repeat_attempt(operation);
    correlation_use(before);
}

static void wait_for_retry(struct storage_operation *operation, int64_t delay_ms) {
    struct storage_client *client = operation->client;
    operation->state = STORAGE_OPERATION_WAITING;
    operation->wait = (struct loop_timer){.fired = on_wait_over, .context = operation};
    event_loop_set_timer(client->platform->loop, &operation->wait,
                         clock_now_ms(client->platform->clock) + delay_ms);
}

/* Ends the operation after a failed attempt, or waits for the next one. May change `failure`. */
static void on_failure(struct storage_operation *operation, enum attempt_outcome outcome,
                       struct error *failure) {
    const struct platform *platform = operation->client->platform;
    struct retry_decision decision =
        retry_policy_decide(&operation->retry, outcome, failure->retry_after_ms,
                            random_fraction(platform->random), clock_now_ms(platform->clock));
    failure->may_have_happened = operation->retry.is_in_doubt;
    switch (decision.verdict) {
    case RETRY_WAIT:
        operation->last_failure = *failure;
        wait_for_retry(operation, decision.delay_ms);
        return;
    case RETRY_NO_TIME:
        give_up(operation, failure);
        return;
    case RETRY_FINAL:
        end_operation(operation, failure->status, NULL, failure);
        return;
    }
}

/* Returns how a sent attempt has ended, if not with success. */
static enum attempt_outcome outcome_of(struct storage_operation *operation, enum status status,
                                       const struct error *failure) {
    if (status == STATUS_UNAVAILABLE) {
        return ATTEMPT_UNANSWERED;
    }
    if (failure->http_status == 0) {
        return ATTEMPT_UNREADABLE;
    }
    bool may_renew =
        !operation->retry.token_was_renewed &&
        notify_rejection(operation->client, status, failure, operation->token_generation);
    return may_renew ? ATTEMPT_TOKEN_REJECTED : ATTEMPT_DECIDED;
}

static void handle_reply(struct storage_operation *operation, enum status status,
                         struct http_reply *reply, const struct error *err) {
    struct storage_client *client = operation->client;
    struct error failure = *err;
    if (status == STATUS_OK) {
        status = storage_attempt_read_reply(&client->attempt, operation->request, reply, &failure);
        if (status == STATUS_OK) {
            end_operation(operation, STATUS_OK, reply, &failure);
            return;
        }
    } else {
        char what[STORAGE_DESCRIPTION_BYTES];
        storage_attempt_describe(&client->attempt, operation->request, what);
        error_wrap(&failure, "%s: no answer", what);
        log_event(LOG_DEBUG, "%s", failure.message);
    }
    on_failure(operation, outcome_of(operation, status, &failure), &failure);
}

static void on_reply(void *context, enum status status, struct http_reply *reply,
                     const struct error *err) {
    struct storage_operation *operation = context;
    const struct correlation *before = correlation_use(operation->correlation);
    handle_reply(operation, status, reply, err);
    correlation_use(before);
}

/* Builds, signs and sends one attempt. On failure nothing was sent. */
static enum status start_attempt(struct storage_operation *operation, int64_t timeout_ms,
                                 struct error *err) {
    struct storage_client *client = operation->client;
    struct storage_attempt *attempt = &client->attempt;
    enum status status =
        storage_attempt_build(attempt, operation->request, operation->request_id, err);
    if (status == STATUS_OK) {
        struct http_call call = storage_attempt_call(attempt, operation->request, timeout_ms);
        operation->token_generation = attempt->token_generation;
        operation->exchange = (struct http_exchange){.done = on_reply, .context = operation};
        status = http_client_start(client->platform->http, &call, &operation->exchange);
        if (status != STATUS_OK) {
            error_set(err, status, "%s", status_text(status));
        }
    }
    storage_attempt_clear(attempt); /* the HTTP client has copied it */
    return status;
}

static void send_attempt(struct storage_operation *operation) {
    struct storage_client *client = operation->client;
    int64_t left_ms = operation->deadline_ms - clock_now_ms(client->platform->clock);
    struct error failure = {.status = STATUS_OK};
    operation->state = STORAGE_OPERATION_SENDING;
    enum status status =
        left_ms <= 0
            ? error_set(&failure, STATUS_UNAVAILABLE, "its deadline came before it was sent")
            : start_attempt(operation, clock_min_ms(left_ms, STORAGE_ATTEMPT_TIMEOUT_MS), &failure);
    if (status != STATUS_OK) {
        char what[STORAGE_DESCRIPTION_BYTES];
        storage_attempt_describe(&client->attempt, operation->request, what);
        error_wrap(&failure, "%s", what);
        on_failure(operation, status == STATUS_UNAVAILABLE ? ATTEMPT_NOT_SENT : ATTEMPT_DECIDED,
                   &failure);
    }
}

/*
 * Chooses x-ms-client-request-id. It is the invocation that the operation belongs to, so that
 * storage's own logs can be searched for it. Without one it is a new UUID.
 */
static enum status set_request_id(struct storage_operation *operation) {
    if (operation->correlation == NULL) {
        return uuid_v4(operation->client->platform->random, operation->request_id);
    }
    snprintf(operation->request_id, sizeof operation->request_id, "%s",
             operation->correlation->invocation_id);
    return STATUS_OK;
}

static bool is_cancelled(struct storage_client *client) {
    pthread_mutex_lock(&client->lock);
    bool cancelled = client->is_cancelled;
    pthread_mutex_unlock(&client->lock);
    return cancelled;
}

/* Returns true if storage may have carried out the request of an operation that ends now. */
static bool may_have_happened(const struct storage_operation *operation) {
    return operation->state == STORAGE_OPERATION_SENDING || operation->retry.is_in_doubt;
}

/* Ends an operation with STATUS_CANCELLED, in any state. */
static void cancel_operation(struct storage_operation *operation) {
    const struct correlation *before = correlation_use(operation->correlation);
    struct error err;
    char what[STORAGE_DESCRIPTION_BYTES] = "waiting for storage";
    if (operation->request != NULL) {
        storage_attempt_describe(&operation->client->attempt, operation->request, what);
    }
    error_set(&err, STATUS_CANCELLED, "%s: cancelled", what);
    err.may_have_happened = may_have_happened(operation);
    http_client_abandon(operation->client->platform->http, &operation->exchange);
    event_loop_stop_timer(operation->client->platform->loop, &operation->wait);
    end_operation(operation, STATUS_CANCELLED, NULL, &err);
    correlation_use(before);
}

static void first_attempt(struct storage_operation *operation) {
    struct storage_client *client = operation->client;
    enum status status = storage_request_status(operation->request);
    if (status == STATUS_OK) {
        status = set_request_id(operation);
    }
    struct error failure = {.status = STATUS_OK};
    char what[STORAGE_DESCRIPTION_BYTES];
    if (status != STATUS_OK) {
        storage_attempt_describe(&client->attempt, operation->request, what);
        error_set(&failure, status, "%s: %s", what, status_text(status));
    } else if (operation->deadline_ms <= clock_now_ms(client->platform->clock)) {
        storage_attempt_describe(&client->attempt, operation->request, what);
        error_set(&failure, STATUS_UNAVAILABLE, "%s: its deadline came before it was sent", what);
    } else {
        send_attempt(operation);
        return;
    }
    end_operation(operation, failure.status, NULL, &failure);
}

/* Makes the first attempt, in the loop's next round, so that `done` is not called inside start. */
static void on_started(void *context) {
    struct storage_operation *operation = context;
    const struct correlation *before = correlation_use(operation->correlation);
    if (operation->is_cancellable && is_cancelled(operation->client)) {
        cancel_operation(operation);
    } else {
        first_attempt(operation);
    }
    correlation_use(before);
}

static void open_operation(struct storage_operation *operation, struct storage_client *client,
                           storage_done done, void *context) {
    assert(operation->state == STORAGE_OPERATION_IDLE);
    *operation = (struct storage_operation){
        .client = client,
        .done = done,
        .context = context,
        .state = STORAGE_OPERATION_WAITING,
        .correlation = correlation_current(),
    };
    TAILQ_INSERT_TAIL(&client->open, operation, link);
}

void storage_operation_start(struct storage_operation *operation, struct storage_client *client,
                             const struct storage_request *request, int64_t deadline_ms,
                             storage_done done, void *context) {
    open_operation(operation, client, done, context);
    operation->request = request;
    operation->deadline_ms = deadline_ms;
    operation->retry = (struct retry_state){
        .policy = &policy,
        .max_attempts = request->max_attempts,
        .deadline_ms = deadline_ms - MIN_REPEAT_MS,
    };
    operation->wait = (struct loop_timer){.fired = on_started, .context = operation};
    event_loop_set_timer(client->platform->loop, &operation->wait,
                         clock_now_ms(client->platform->clock));
}

static void on_delay_over(void *context) {
    struct storage_operation *operation = context;
    const struct correlation *before = correlation_use(operation->correlation);
    const struct error none = {.status = STATUS_OK};
    if (is_cancelled(operation->client)) {
        cancel_operation(operation);
    } else {
        end_operation(operation, STATUS_OK, NULL, &none);
    }
    correlation_use(before);
}

void storage_operation_wait(struct storage_operation *operation, struct storage_client *client,
                            int64_t delay_ms, storage_done done, void *context) {
    int64_t due_ms = clock_now_ms(client->platform->clock) + (is_cancelled(client) ? 0 : delay_ms);
    open_operation(operation, client, done, context);
    operation->is_cancellable = true;
    operation->wait = (struct loop_timer){.fired = on_delay_over, .context = operation};
    event_loop_set_timer(client->platform->loop, &operation->wait, due_ms);
}

void storage_operation_abandon(struct storage_operation *operation) {
    if (operation->state == STORAGE_OPERATION_IDLE) {
        return;
    }
    http_client_abandon(operation->client->platform->http, &operation->exchange);
    event_loop_stop_timer(operation->client->platform->loop, &operation->wait);
    TAILQ_REMOVE(&operation->client->open, operation, link);
    operation->state = STORAGE_OPERATION_IDLE;
}

/* ---- callers that wait ---- */

struct waiting_send {
    struct storage_operation operation;
    struct loop_call call;
    struct storage_client *client;
    const struct storage_request *request;
    int64_t deadline_ms;
    enum status status;
    struct http_reply *out;
    struct error *err; /* not NULL */
};

static void on_sent(void *context, enum status status, struct http_reply *reply,
                    const struct error *err) {
    struct waiting_send *send = context;
    send->status = status;
    if (status == STATUS_OK) {
        *send->out = *reply;
        http_reply_init(reply);
    } else {
        *send->err = *err;
    }
    loop_call_end(&send->call);
}

static void start_waiting_send(void *context) {
    struct waiting_send *send = context;
    storage_operation_start(&send->operation, send->client, send->request, send->deadline_ms,
                            on_sent, send);
    send->operation.is_cancellable = true;
}

enum status storage_client_send(struct storage_client *client,
                                const struct storage_request *request, int64_t deadline_ms,
                                struct http_reply *out, struct error *err) {
    struct error failure = {.status = STATUS_OK};
    struct waiting_send send = {.client = client,
                                .request = request,
                                .deadline_ms = deadline_ms,
                                .out = out,
                                .err = &failure};
    loop_call_run(&send.call, client->platform->loop, start_waiting_send, &send);
    if (send.status != STATUS_OK && err != NULL) {
        *err = failure;
    }
    return send.status;
}

static struct storage_operation *first_cancellable(const struct storage_client *client) {
    struct storage_operation *operation = TAILQ_FIRST(&client->open);
    while (operation != NULL && !operation->is_cancellable) {
        operation = TAILQ_NEXT(operation, link);
    }
    return operation;
}

/*
 * Ends all cancellable operations. The owner of one may start or abandon others in `done`, so each
 * is looked up anew. Operations on leases are not cancellable, so leases are still released.
 */
static void cancel_operations(void *context) {
    struct storage_client *client = context;
    struct storage_operation *operation;
    while ((operation = first_cancellable(client)) != NULL) {
        cancel_operation(operation);
    }
}

void storage_client_cancel(struct storage_client *client) {
    pthread_mutex_lock(&client->lock);
    bool was_cancelled = client->is_cancelled;
    client->is_cancelled = true;
    pthread_mutex_unlock(&client->lock);
    if (!was_cancelled) {
        event_loop_post(client->platform->loop, &client->cancel_task);
    }
}

int64_t storage_client_delay_ms(struct storage_client *client, int attempt, int retry_after_ms,
                                int64_t deadline_ms) {
    return retry_policy_delay_ms(&policy, attempt, retry_after_ms,
                                 random_fraction(client->platform->random),
                                 clock_now_ms(client->platform->clock), deadline_ms);
}

int64_t storage_client_deadline_ms(const struct storage_client *client) {
    return clock_now_ms(client->platform->clock) + STORAGE_DEADLINE_MS;
}

/* ---- the client ---- */

void storage_client_init(struct storage_client *client, const struct platform *platform,
                         const struct storage_account *account, struct credential *credential) {
    *client = (struct storage_client){.platform = platform};
    client->cancel_task = (struct loop_task){.run = cancel_operations, .context = client};
    TAILQ_INIT(&client->open);
    storage_attempt_init(&client->attempt, account, credential, client->clocks);
    pthread_mutex_init(&client->lock, NULL);
    for (int i = 0; i < STORAGE_SERVICES; i++) {
        storage_clock_init(&client->clocks[i], platform->clock);
    }
}

void storage_client_cleanup(struct storage_client *client) {
    struct storage_operation *operation;
    while ((operation = TAILQ_FIRST(&client->open)) != NULL) {
        struct error err;
        event_loop_stop_timer(client->platform->loop, &operation->wait);
        error_set(&err, STATUS_CANCELLED, "the storage client is being closed");
        err.may_have_happened = may_have_happened(operation);
        end_operation(operation, STATUS_CANCELLED, NULL, &err);
    }
    storage_attempt_cleanup(&client->attempt);
    for (int i = 0; i < STORAGE_SERVICES; i++) {
        storage_clock_cleanup(&client->clocks[i]);
    }
    pthread_mutex_destroy(&client->lock);
}
