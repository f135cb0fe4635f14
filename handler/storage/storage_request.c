#include "storage/storage_request.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/condition.h"
#include "base/correlation.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/utc.h"
#include "base/uuid.h"
#include "storage/retry_policy.h"

enum {
    WHAT_BYTES = 320,
    MIN_REPEAT_MS = 100, /* with less time another attempt would learn nothing, and hide what the last one has told */
};

/* From 2020-12-06 on the Table service takes Microsoft Entra tokens. Azurite 3.35 knows both. */
static const char *const versions[] = {[STORAGE_BLOB] = "2021-12-02", [STORAGE_TABLE] = "2020-12-06"};

static const struct retry_policy policy = {STORAGE_FIRST_BACKOFF_MS, STORAGE_MAX_BACKOFF_MS};

void storage_request_init(struct storage_request *request, enum storage_service service, const char *method,
                          int success_http_status) {
    request->service = service;
    request->method = method;
    request->success = (struct storage_success){.http_status = success_http_status,
                                                .service = service == STORAGE_TABLE ? "Table" : "Blob"};
    request->max_attempts = 0;
    strbuf_init(&request->path, SIZE_MAX);
    http_headers_init(&request->query);
    http_headers_init(&request->headers);
    strbuf_init(&request->body, SIZE_MAX);
}

void storage_request_release(struct storage_request *request) {
    strbuf_release(&request->path);
    http_headers_release(&request->query);
    http_headers_release(&request->headers);
    strbuf_release(&request->body);
}

enum status storage_request_status(const struct storage_request *request) {
    enum status status = strbuf_status(&request->path);
    if (status == STATUS_OK) {
        status = request->query.status;
    }
    if (status == STATUS_OK) {
        status = request->headers.status;
    }
    return status == STATUS_OK ? strbuf_status(&request->body) : status;
}

/* Named after the request that it is for, so that storage's own logs can be searched for that; else it gets an id of its own. */
static enum status name_request(char out[INVOCATION_ID_BYTES]) {
    const struct correlation *correlation = correlation_current();
    if (correlation == NULL) {
        return uuid_v4(out);
    }
    snprintf(out, INVOCATION_ID_BYTES, "%s", correlation->invocation_id);
    return STATUS_OK;
}

/* --- one attempt: built and signed, and its answer read --- */

struct attempt {
    struct strbuf url;
    struct http_headers headers;
    unsigned generation; /* see credential.h */
};

static void attempt_release(struct attempt *attempt) {
    strbuf_release_wipe(&attempt->url); /* a SAS may be in it */
    http_headers_release(&attempt->headers);
}

static const char *endpoint_of(const struct storage_client *client, enum storage_service service) {
    return service == STORAGE_TABLE ? client->account->table_endpoint : client->account->blob_endpoint;
}

static void build_url(struct strbuf *url, const char *endpoint, const struct storage_request *request) {
    strbuf_append_string(url, endpoint);
    strbuf_append_string(url, request->path.data);
    for (size_t i = 0; i < request->query.count; i++) {
        strbuf_append_char(url, i == 0 ? '?' : '&');
        strbuf_append_percent_encoded(url, request->query.items[i].name);
        strbuf_append_char(url, '=');
        strbuf_append_percent_encoded(url, request->query.items[i].value);
    }
}

static void build_headers(struct http_headers *headers, struct storage_client *client,
                          const struct storage_request *request, const char *request_id) {
    char date[UTC_TEXT_BYTES];
    utc_format_http(storage_clock_signing_ms(&client->clocks[request->service]), date);
    for (size_t i = 0; i < request->headers.count; i++) {
        http_headers_add(headers, request->headers.items[i].name, request->headers.items[i].value);
    }
    http_headers_add(headers, "x-ms-date", date);
    http_headers_add(headers, "x-ms-version", versions[request->service]);
    http_headers_add(headers, "x-ms-client-request-id", request_id);
}

/* The URL's path: what follows the endpoint's host, up to the query. The copy is the caller's to free; NULL: no memory. */
static char *path_of(const char *url) {
    const char *host = strstr(url, "://") + strlen("://");
    const char *path = strchr(host, '/');
    return strndup(path, strcspn(path, "?"));
}

static enum status sign(struct attempt *attempt, struct storage_client *client, const struct storage_request *request,
                        struct error *err) {
    char *path = path_of(attempt->url.data);
    if (!path) {
        return error_set(err, STATUS_NO_MEMORY, "no memory to sign the request");
    }
    struct credential_request signed_request = {
        .is_table = request->service == STORAGE_TABLE,
        .method = request->method,
        .path = path,
        .query = &request->query,
        .body_length = request->body.length,
        .headers = &attempt->headers,
        .url = &attempt->url,
    };
    enum status status = client->credential->authorize(client->credential, &signed_request, err);
    attempt->generation = signed_request.generation;
    free(path);
    return status;
}

/* On STATUS_OK the attempt is the caller's to release. */
static enum status attempt_init(struct attempt *attempt, struct storage_client *client,
                                const struct storage_request *request, const char *request_id, struct error *err) {
    assert(request->path.data[0] == '/');
    strbuf_init(&attempt->url, SIZE_MAX);
    http_headers_init(&attempt->headers);
    build_url(&attempt->url, endpoint_of(client, request->service), request);
    build_headers(&attempt->headers, client, request, request_id);
    enum status status = strbuf_status(&attempt->url);
    if (status == STATUS_OK) {
        status = attempt->headers.status;
    }
    if (status != STATUS_OK) {
        error_set(err, status, "building the request: %s", status_text(status));
    } else {
        status = sign(attempt, client, request, err);
    }
    if (status != STATUS_OK) {
        attempt_release(attempt);
    }
    return status;
}

static struct http_call call_of(const struct attempt *attempt, const struct storage_request *request,
                                int64_t timeout_ms) {
    return (struct http_call){
        .method = request->method,
        .url = attempt->url.data,
        .headers = &attempt->headers,
        .body = request->body.data,
        .body_length = request->body.length,
        .timeout_ms = timeout_ms,
        .max_response_bytes = STORAGE_MAX_RESPONSE_BYTES,
    };
}

/* What was sent, for reading its answer. */
struct question {
    enum storage_service service;
    struct storage_success success;
    char what[WHAT_BYTES];
};

/* Messages and logs call it "PUT https://acme.blob.core.windows.net/leases/x?comp=lease". */
static struct question question_of(const struct storage_client *client, const struct storage_request *request) {
    struct question question = {.service = request->service, .success = request->success};
    const char *comp = http_headers_get(&request->query, "comp");
    snprintf(question.what, WHAT_BYTES, "%s %.128s%.160s%s%s", request->method, endpoint_of(client, request->service),
             request->path.data, comp ? "?comp=" : "", comp ? comp : "");
    return question;
}

/* Takes in an answer; its status, with `err` filled unless that is STATUS_OK. The clock hears storage alone. */
static enum status hear(struct storage_client *client, const struct http_reply *reply, const struct question *question,
                        struct error *err) {
    struct storage_clock *clock = &client->clocks[question->service];
    log_event(LOG_DEBUG, "%s: %d in %lld ms", question->what, reply->status,
              (long long)(reply->received_ms - reply->sent_ms));
    enum status status =
        storage_error_read(reply, &question->success, question->what, storage_clock_signing_ms(clock), err);
    if (status == STATUS_OK || err->http_status != 0) {
        storage_clock_hear(clock, http_headers_get(&reply->headers, "Date"), reply->sent_ms, reply->received_ms);
    }
    return status;
}

static void hear_nothing(const char *what, struct error *err) {
    error_wrap(err, "%s: no answer", what);
    log_event(LOG_DEBUG, "%s", err->message);
}

/*
 * Storage refused the credential: is another try worth it? Azure answers an expired token with 401, Azurite with
 * AuthenticationFailed; a 403 with another code has believed it, and does not allow what was asked.
 */
static bool can_renew(struct storage_client *client, enum status status, const struct error *err, unsigned generation) {
    if (status != STATUS_UNAUTHORIZED || err->http_status == 0 || !client->credential->refused) {
        return false;
    }
    bool is_believed = err->http_status != 401 && strcmp(err->code, "AuthenticationFailed") != 0;
    return client->credential->refused(client->credential, generation, is_believed);
}

/* --- sending and waiting --- */

/* What came of one attempt: did it leave, and with which token? */
struct sent {
    bool left;
    unsigned generation;
};

/* One operation of storage_client_send. */
struct send {
    struct storage_client *client;
    const struct storage_request *request;
    int64_t deadline_ms;
    char request_id[INVOCATION_ID_BYTES];
    struct question question;
};

/* On STATUS_OK `reply` holds the answer, else it is as it was. */
static enum status send_once(const struct send *send, int64_t timeout_ms, struct sent *sent, struct http_reply *reply,
                             struct error *err) {
    struct attempt attempt;
    enum status status = attempt_init(&attempt, send->client, send->request, send->request_id, err);
    if (status != STATUS_OK) {
        error_wrap(err, "%s", send->question.what);
        return status;
    }
    struct http_call call = call_of(&attempt, send->request, timeout_ms);
    call.group = &send->client->sends;
    *sent = (struct sent){.left = true, .generation = attempt.generation};
    status = http_transport_send(send->client->transport, &call, reply, err);
    attempt_release(&attempt);
    if (status != STATUS_OK) {
        hear_nothing(send->question.what, err);
        return status;
    }
    status = hear(send->client, reply, &send->question, err);
    if (status != STATUS_OK) {
        http_reply_release(reply);
    }
    return status;
}

static double random_part(void) {
    uint32_t bits;
    if (crypto_random(&bits, sizeof bits) != STATUS_OK) {
        return 1;
    }
    return (double)bits / UINT32_MAX;
}

/* False: the client was cancelled meanwhile. */
static bool wait_ms(struct storage_client *client, int64_t delay_ms) {
    struct timespec until = condition_deadline(delay_ms);
    bool in_time = true;
    pthread_mutex_lock(&client->lock);
    while (!client->cancelled && in_time) {
        in_time = condition_wait_until(&client->cancelled_changed, &client->lock, &until);
    }
    bool cancelled = client->cancelled;
    pthread_mutex_unlock(&client->lock);
    return !cancelled;
}

enum status storage_client_back_off(struct storage_client *client, int attempt, int retry_after_ms,
                                    int64_t deadline_ms) {
    int64_t delay_ms = retry_policy_delay_ms(&policy, attempt, retry_after_ms, random_part(),
                                             clock_now_ms(client->clock), deadline_ms);
    if (delay_ms < 0) {
        return STATUS_UNAVAILABLE;
    }
    return wait_ms(client, delay_ms) ? STATUS_OK : STATUS_CANCELLED;
}

/* `err` is the last attempt's. */
static enum status give_up(int attempts, struct error *err) {
    error_wrap(err, "given up after %d attempt%s", attempts, attempts == 1 ? "" : "s");
    return err->status;
}

static enum status send_until_deadline(const struct send *send, struct http_reply *reply, struct error *err) {
    struct storage_client *client = send->client;
    bool renewed = false, in_doubt = false;
    for (int attempts = 1, spent = 0;; attempts++) {
        int64_t left_ms = send->deadline_ms - clock_now_ms(client->clock);
        if (left_ms <= 0 && attempts == 1) {
            return error_set(err, STATUS_UNAVAILABLE, "%s: its deadline came before it was sent", send->question.what);
        }
        if (left_ms < MIN_REPEAT_MS && attempts > 1) {
            return give_up(attempts - 1, err);
        }
        int64_t timeout_ms = left_ms < STORAGE_ATTEMPT_TIMEOUT_MS ? left_ms : STORAGE_ATTEMPT_TIMEOUT_MS;
        struct sent sent = {0};
        enum status status = send_once(send, timeout_ms, &sent, reply, err);
        bool renew = !renewed && can_renew(client, status, err, sent.generation);
        bool counts = sent.left && !renew; /* what was refused, or waited here for a token, is not done */
        spent += counts;
        err->was_in_doubt = in_doubt;
        in_doubt = in_doubt || (sent.left && status == STATUS_UNAVAILABLE);
        if (!renew && (status != STATUS_UNAVAILABLE || (counts && spent == send->request->max_attempts))) {
            return status;
        }
        renewed = renewed || renew;
        enum status wait =
            storage_client_back_off(client, attempts, err->retry_after_ms, send->deadline_ms - MIN_REPEAT_MS);
        if (wait == STATUS_UNAVAILABLE) {
            return give_up(attempts, err);
        }
        if (wait == STATUS_CANCELLED) {
            return error_set(err, STATUS_CANCELLED, "%s: cancelled while waiting to try again", send->question.what);
        }
    }
}

enum status storage_client_send(struct storage_client *client, const struct storage_request *request,
                                int64_t deadline_ms, struct http_reply *out, struct error *err) {
    struct send send = {
        .client = client, .request = request, .deadline_ms = deadline_ms, .question = question_of(client, request)};
    enum status status = storage_request_status(request);
    if (status == STATUS_OK) {
        status = name_request(send.request_id);
    }
    if (status != STATUS_OK) {
        return error_set(err, status, "%s: %s", send.question.what, status_text(status));
    }
    struct error failure;
    status = send_until_deadline(&send, out, &failure);
    if (status != STATUS_OK && err) {
        *err = failure;
    }
    return status;
}

/* --- submitting --- */

struct submission {
    struct storage_client *client;
    storage_done done;
    void *context;
    unsigned generation;
    struct question question;
};

static void finish_submission(void *context, enum status status, struct http_reply *reply, const struct error *err) {
    struct submission *submission = context;
    struct error failure = *err;
    if (status == STATUS_OK) {
        status = hear(submission->client, reply, &submission->question, &failure);
    } else {
        hear_nothing(submission->question.what, &failure);
    }
    can_renew(submission->client, status, &failure,
              submission->generation); /* so that the caller's next attempt fares better */
    submission->done(submission->context, status, status == STATUS_OK ? reply : NULL, &failure);
    free(submission);
}

enum status storage_client_submit(struct storage_client *client, const struct storage_request *request,
                                  int64_t timeout_ms, storage_done done, void *context) {
    char request_id[INVOCATION_ID_BYTES];
    enum status status = storage_request_status(request);
    if (status == STATUS_OK) {
        status = name_request(request_id);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct submission *submission = malloc(sizeof *submission);
    if (!submission) {
        return STATUS_NO_MEMORY;
    }
    *submission = (struct submission){
        .client = client, .done = done, .context = context, .question = question_of(client, request)};
    struct attempt attempt;
    status = attempt_init(&attempt, client, request, request_id, NULL);
    if (status == STATUS_OK) {
        struct http_call call = call_of(&attempt, request, timeout_ms);
        submission->generation = attempt.generation;
        status = http_transport_submit(client->transport, &call, finish_submission, submission);
        attempt_release(&attempt);
    }
    if (status != STATUS_OK) {
        free(submission);
    }
    return status;
}

/* --- the client --- */

void storage_client_init(struct storage_client *client, struct http_transport *transport, const struct clock *clock,
                         const struct storage_account *account, struct credential *credential) {
    *client =
        (struct storage_client){.transport = transport, .clock = clock, .account = account, .credential = credential};
    condition_init(&client->cancelled_changed);
    pthread_mutex_init(&client->lock, NULL);
    for (int i = 0; i < STORAGE_SERVICES; i++) {
        storage_clock_init(&client->clocks[i], clock);
    }
}

void storage_client_release(struct storage_client *client) {
    for (int i = 0; i < STORAGE_SERVICES; i++) {
        storage_clock_release(&client->clocks[i]);
    }
    pthread_mutex_destroy(&client->lock);
    pthread_cond_destroy(&client->cancelled_changed);
}

void storage_client_cancel(struct storage_client *client) {
    pthread_mutex_lock(&client->lock);
    client->cancelled = true;
    pthread_cond_broadcast(&client->cancelled_changed);
    pthread_mutex_unlock(&client->lock);
    http_transport_cancel(client->transport, &client->sends);
}
