#include "storage/token_http.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/utc.h"
#include "storage/retry_policy.h"

enum { URL_MAX_BYTES = 4096 };

enum status token_http_ask(const struct token_context *context, const char *url, const struct http_headers *headers,
                           const struct strbuf *form, int64_t timeout_ms, struct http_reply *out, struct error *err) {
    struct http_call call = {
        .method = form != NULL ? "POST" : "GET",
        .url = url,
        .headers = headers,
        .body = form != NULL ? form->data : NULL,
        .body_length = form != NULL ? form->length : 0,
        .timeout_ms = timeout_ms,
        .max_response_bytes = TOKEN_ANSWER_MAX_BYTES,
        .group = context->group,
    };
    if (headers->status != STATUS_OK) {
        return error_set(err, headers->status, "building the request: %s", status_text(headers->status));
    }
    return http_transport_send(context->transport, &call, out, err);
}

/* The moment before the question left. The answer's own clock made the expiry, so its Date is the best wall time there is. */
static struct token_moment moment_of(const struct token_context *context, const struct http_reply *reply) {
    struct token_moment at = {.now_ms = reply->sent_ms};
    const char *date = http_headers_get(&reply->headers, "Date");
    if (date == NULL || !utc_parse_http(date, &at.wall_ms)) {
        at.wall_ms = clock_wall_ms(context->clock) - (clock_now_ms(context->clock) - reply->sent_ms);
    }
    return at;
}

enum status token_http_take(const struct token_context *context, const struct http_reply *reply, struct token *out,
                            struct error *err) {
    if (reply->status == 200) {
        struct token_moment at = moment_of(context, reply);
        return token_answer_read(&reply->body, &at, out, err);
    }
    char code[TOKEN_CODE_BYTES];
    token_answer_error_code(&reply->body, code);
    enum status status = retry_policy_is_transient(reply->status) ? STATUS_UNAVAILABLE : STATUS_UNAUTHORIZED;
    error_set(err, status, "it answered %d%s%s", reply->status, *code != '\0' ? " " : "", code);
    if (err != NULL) {
        err->retry_after_ms = retry_policy_parse_retry_after_ms(http_headers_get(&reply->headers, "Retry-After"),
                                                                clock_wall_ms(context->clock));
    }
    return status;
}

void token_http_add_field(struct strbuf *form, const char *name, const char *value) {
    strbuf_append_string(form, form->length == 0 ? "" : "&");
    strbuf_append_string(form, name);
    strbuf_append_char(form, '=');
    strbuf_append_percent_encoded(form, value);
}

void token_http_begin_form(struct strbuf *form, const struct token_client *client) {
    token_http_add_field(form, "grant_type", "client_credentials");
    token_http_add_field(form, "client_id", client->client_id);
    token_http_add_field(form, "scope", TOKEN_RESOURCE ".default");
}

void token_http_add_assertion(struct strbuf *form, const char *assertion) {
    token_http_add_field(form, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    token_http_add_field(form, "client_assertion", assertion);
}

void token_http_endpoint(struct strbuf *url, const struct token_client *client) {
    size_t length = strlen(client->authority);
    while (length > 0 && client->authority[length - 1] == '/') {
        length--;
    }
    strbuf_append(url, client->authority, length);
    strbuf_append_char(url, '/');
    strbuf_append_percent_encoded(url, client->tenant_id);
    strbuf_append_string(url, "/oauth2/v2.0/token");
}

enum status token_http_exchange(const struct token_context *context, const struct token_client *client,
                                const struct strbuf *form, struct token *out, struct error *err) {
    struct strbuf url;
    struct http_headers headers;
    struct http_reply reply;
    strbuf_init(&url, URL_MAX_BYTES);
    http_headers_init(&headers);
    http_reply_init(&reply);
    token_http_endpoint(&url, client);
    http_headers_add(&headers, "Content-Type", "application/x-www-form-urlencoded");
    http_headers_add(&headers, "Accept", "application/json");
    enum status status = strbuf_status(form);
    if (status == STATUS_OK) {
        status = strbuf_status(&url);
    }
    if (status != STATUS_OK) {
        error_set(err, status, "building the request: %s", status_text(status));
    } else {
        status = token_http_ask(context, url.data, &headers, form, TOKEN_FETCH_MS, &reply, err);
    }
    if (status == STATUS_OK) {
        status = token_http_take(context, &reply, out, err);
    }
    if (status != STATUS_OK) {
        error_wrap(err, "the token endpoint %s", url.data);
    }
    http_reply_release(&reply);
    http_headers_release(&headers);
    strbuf_release(&url);
    return status;
}

static enum status read_all(int file, struct strbuf *out, struct error *err) {
    char block[4096];
    ssize_t count;
    while ((count = read(file, block, sizeof block)) != 0 && strbuf_status(out) == STATUS_OK) {
        if (count > 0) {
            strbuf_append(out, block, (size_t)count);
        } else if (errno != EINTR) {
            return error_set(err, STATUS_UNAVAILABLE, "cannot be read: %s", strerror(errno));
        }
    }
    crypto_wipe(block, sizeof block);
    if (strbuf_status(out) == STATUS_NO_MEMORY) {
        return error_set(err, STATUS_NO_MEMORY, "no memory to read it");
    }
    if (strbuf_status(out) != STATUS_OK || out->length == 0) {
        return error_set(err, STATUS_UNAVAILABLE, out->length == 0 ? "is empty" : "is too long");
    }
    return STATUS_OK;
}

enum status token_http_read_file(const char *path, struct strbuf *out, struct error *err) {
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* not to wait for the other end of a FIFO */
    struct stat kind;
    enum status status;
    if (file < 0) {
        status = error_set(err, STATUS_UNAVAILABLE, "cannot be opened: %s", strerror(errno));
    } else if (fstat(file, &kind) != 0 || !S_ISREG(kind.st_mode)) {
        status = error_set(err, STATUS_UNAVAILABLE, "is not a file");
    } else {
        status = read_all(file, out, err);
    }
    if (file >= 0) {
        close(file);
    }
    if (status != STATUS_OK) {
        error_wrap(err, "%s", path);
    }
    return status;
}
