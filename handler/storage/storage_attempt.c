#include "storage/storage_attempt.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "identity/credential.h"
#include "identity/storage_account.h"

/* The Table service accepts Microsoft Entra tokens since 2020-12-06. Azurite 3.35 knows both. */
static const char *const versions[] = {
    [STORAGE_BLOB] = "2021-12-02", [STORAGE_TABLE] = "2020-12-06"};

static_assert(sizeof versions / sizeof versions[0] == STORAGE_SERVICES, "one version a service");

void storage_attempt_init(struct storage_attempt *attempt, const struct storage_account *account,
                          struct credential *credential, struct storage_clock *clocks) {
    *attempt =
        (struct storage_attempt){.account = account, .credential = credential, .clocks = clocks};
    strbuf_init(&attempt->url, SIZE_MAX);
    http_headers_init(&attempt->headers);
}

/* Overwrites the URL and the headers, because they may hold a SAS or a token. */
void storage_attempt_clear(struct storage_attempt *attempt) {
    strbuf_clear_wipe(&attempt->url);
    http_headers_clear(&attempt->headers);
}

void storage_attempt_cleanup(struct storage_attempt *attempt) {
    storage_attempt_clear(attempt);
    strbuf_cleanup(&attempt->url);
    http_headers_cleanup(&attempt->headers);
}

static const char *endpoint_of(const struct storage_account *account,
                               enum storage_service service) {
    return service == STORAGE_TABLE ? account->table_endpoint : account->blob_endpoint;
}

void storage_attempt_describe(const struct storage_attempt *attempt,
                              const struct storage_request *request,
                              char out[STORAGE_DESCRIPTION_BYTES]) {
    const char *comp = http_headers_get(&request->query, "comp");
    snprintf(out, STORAGE_DESCRIPTION_BYTES, "%s %.128s%.160s%s%s", request->method,
             endpoint_of(attempt->account, request->service), request->path.data,
             comp != NULL ? "?comp=" : "", comp != NULL ? comp : "");
}

/* The signed path begins after the endpoint's host: it includes the account's own path. */
static void build_url(struct storage_attempt *attempt, const char *endpoint,
                      const struct storage_request *request) {
    struct strbuf *url = &attempt->url;
    const char *host = strstr(endpoint, "://") + strlen("://");
    attempt->path_start = (size_t)(host - endpoint) + strcspn(host, "/");
    strbuf_append_string(url, endpoint);
    strbuf_append(url, request->path.data, request->path.length);
    attempt->path_length = url->length - attempt->path_start;
    for (size_t i = 0; i < request->query.count; i++) {
        strbuf_append_char(url, i == 0 ? '?' : '&');
        strbuf_append_percent_encoded(url, request->query.items[i].name);
        strbuf_append_char(url, '=');
        strbuf_append_percent_encoded(url, request->query.items[i].value);
    }
}

/* Returns the x-ms-date of now. */
static const char *date_of(struct storage_attempt *attempt, enum storage_service service) {
    struct storage_date *date = &attempt->dates[service];
    int64_t now_ms = storage_clock_signing_ms(&attempt->clocks[service]);
    if (date->text[0] == '\0' || date->second != now_ms / 1000) {
        date->second = now_ms / 1000;
        utc_format_http(now_ms, date->text);
    }
    return date->text;
}

static void build_headers(struct storage_attempt *attempt, const struct storage_request *request,
                          const char *request_id) {
    struct http_headers *headers = &attempt->headers;
    for (size_t i = 0; i < request->headers.count; i++) {
        http_headers_add(headers, request->headers.items[i].name, request->headers.items[i].value);
    }
    http_headers_add(headers, "x-ms-date", date_of(attempt, request->service));
    http_headers_add(headers, "x-ms-version", versions[request->service]);
    http_headers_add(headers, "x-ms-client-request-id", request_id);
}

static enum status sign_attempt(struct storage_attempt *attempt,
                                const struct storage_request *request, struct error *err) {
    struct credential_request signed_request = {
        .is_table = request->service == STORAGE_TABLE,
        .method = request->method,
        .path = attempt->url.data + attempt->path_start,
        .path_length = attempt->path_length,
        .query = &request->query,
        .body_length = request->body.length,
        .headers = &attempt->headers,
        .url = &attempt->url,
    };
    enum status status = attempt->credential->authorize(attempt->credential, &signed_request, err);
    attempt->token_generation = signed_request.token_generation;
    return status;
}

enum status storage_attempt_build(struct storage_attempt *attempt,
                                  const struct storage_request *request, const char *request_id,
                                  struct error *err) {
    assert(request->path.data[0] == '/');
    build_url(attempt, endpoint_of(attempt->account, request->service), request);
    build_headers(attempt, request, request_id);
    enum status status = strbuf_status(&attempt->url);
    if (status == STATUS_OK) {
        status = attempt->headers.status;
    }
    if (status != STATUS_OK) {
        return error_set(err, status, "building the request: %s", status_text(status));
    }
    return sign_attempt(attempt, request, err);
}

struct http_call storage_attempt_call(const struct storage_attempt *attempt,
                                      const struct storage_request *request, int64_t timeout_ms) {
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

/*
 * The description of the request is only made when it is needed, because most answers are
 * successes.
 */
enum status storage_attempt_read_reply(struct storage_attempt *attempt,
                                       const struct storage_request *request,
                                       const struct http_reply *reply, struct error *err) {
    struct storage_clock *clock = &attempt->clocks[request->service];
    enum status status = STATUS_OK;
    bool is_success = storage_error_is_success(reply, &request->success);
    if (!is_success || log_is_on(LOG_DEBUG)) {
        char what[STORAGE_DESCRIPTION_BYTES];
        storage_attempt_describe(attempt, request, what);
        log_event(LOG_DEBUG, "%s: %d in %lld ms", what, reply->status,
                  (long long)(reply->received_ms - reply->sent_ms));
        status = storage_error_read(reply, &request->success, what, storage_clock_signing_ms(clock),
                                    err);
    }
    if (status == STATUS_OK || err->http_status != 0) {
        storage_clock_observe(clock, http_headers_get(&reply->headers, "Date"), reply->sent_ms,
                              reply->received_ms);
    }
    return status;
}
