#include "identity/token_http.h"

#include <stdio.h>
#include <string.h>

#include "base/utc.h"
#include "http/platform.h"
#include "http/retry_policy.h"

enum { URL_MAX_BYTES = 4096, FORM_MAX_BYTES = 4 * TOKEN_FILE_MAX_BYTES };

/* ---- a question ---- */

void token_http_begin(struct token_http_source *source, const struct platform *platform) {
    source->platform = platform;
    strbuf_init(&source->url, URL_MAX_BYTES);
    http_headers_init(&source->headers);
    strbuf_init(&source->form, FORM_MAX_BYTES);
}

/* The form is freed here, because the network borrows it until then. */
static void on_reply(void *context, enum status status, struct http_reply *reply,
                     const struct error *err) {
    struct token_http_source *source = context;
    struct error failure = *err;
    strbuf_cleanup_wipe(&source->form);
    source->answered(source, status, reply, &failure);
}

static enum status question_status(const struct token_http_source *source) {
    enum status status = strbuf_status(&source->url);
    if (status == STATUS_OK) {
        status = strbuf_status(&source->form);
    }
    return status == STATUS_OK ? source->headers.status : status;
}

static enum status send_question(struct token_http_source *source, int64_t timeout_ms) {
    const struct strbuf *form = &source->form;
    const struct http_call call = {
        .method = form->length > 0 ? "POST" : "GET",
        .url = source->url.data,
        .headers = &source->headers,
        .body = form->length > 0 ? form->data : NULL,
        .body_length = form->length,
        .timeout_ms = timeout_ms,
        .max_response_bytes = TOKEN_ANSWER_MAX_BYTES,
    };
    source->exchange = (struct http_exchange){.done = on_reply, .context = source};
    return http_client_start(source->platform->http, &call, &source->exchange);
}

enum status token_http_ask(struct token_http_source *source, int64_t timeout_ms,
                           token_answered answered, struct error *err) {
    source->answered = answered;
    enum status status = question_status(source);
    if (status != STATUS_OK) {
        error_set(err, status, "%s: building the request: %s", source->endpoint,
                  status_text(status));
    } else {
        status = send_question(source, timeout_ms);
        if (status != STATUS_OK) {
            error_set(err, status, "%s: %s", source->endpoint, status_text(status));
        }
    }
    strbuf_cleanup(&source->url);
    http_headers_cleanup(&source->headers);
    if (status != STATUS_OK) {
        strbuf_cleanup_wipe(&source->form);
    }
    return status;
}

void token_http_cancel(struct token_source *base) {
    struct token_http_source *source = (struct token_http_source *)base;
    if (source->exchange.call == NULL) {
        file_read_cancel(&source->file); /* its `done` may free the source */
        return;
    }
    struct error err;
    error_set(&err, STATUS_CANCELLED, "given up, since the program is stopping");
    http_client_abandon(source->platform->http, &source->exchange);
    on_reply(source, STATUS_CANCELLED, NULL, &err);
}

void token_http_end(struct token_http_source *source, enum status status, struct token *token,
                    struct error *err) {
    if (status != STATUS_OK) {
        error_wrap(err, "%s", source->endpoint);
    }
    source->base.done(source->base.done_context, status, status == STATUS_OK ? token : NULL, err);
}

/* ---- an answer ---- */

/*
 * Returns a moment before the answer was made. The endpoint's clock made the expiry date, so the
 * answer's Date is the best wall time to compare that with.
 */
static struct token_moment moment_of(const struct platform *platform,
                                     const struct http_reply *reply) {
    struct token_moment at = {.now_ms = reply->sent_ms};
    const char *date = http_headers_get(&reply->headers, "Date");
    if (date == NULL || !utc_parse_http(date, &at.wall_ms)) {
        at.wall_ms =
            clock_wall_ms(platform->clock) - (clock_now_ms(platform->clock) - reply->sent_ms);
    }
    return at;
}

/* Reads an answer other than 200. */
static enum status read_error(const struct platform *platform, const struct http_reply *reply,
                              bool names_errors, struct error *err) {
    char code[TOKEN_CODE_BYTES];
    token_answer_error_code(&reply->body, code);
    bool is_transient = retry_policy_is_transient(reply->status);
    bool is_foreign = !is_transient && names_errors && *code == '\0';
    enum status status = is_transient || is_foreign ? STATUS_UNAVAILABLE : STATUS_UNAUTHORIZED;
    error_set(err, status, "it answered %d%s%s%s", reply->status, *code != '\0' ? " " : "", code,
              is_foreign ? " without naming an error, as a proxy on the way would" : "");
    if (err != NULL) {
        err->retry_after_ms = retry_policy_parse_retry_after_ms(
            http_headers_get(&reply->headers, "Retry-After"), clock_wall_ms(platform->clock));
    }
    return status;
}

enum status token_http_read(const struct platform *platform, const struct http_reply *reply,
                            bool names_errors, struct token *out, struct error *err) {
    if (reply->status != 200) {
        return read_error(platform, reply, names_errors, err);
    }
    struct token_moment at = moment_of(platform, reply);
    return token_answer_read(&reply->body, &at, out, err);
}

/* ---- the token endpoint ---- */

void token_http_add_field(struct strbuf *form, const char *name, const char *value) {
    strbuf_append_string(form, form->length == 0 ? "" : "&");
    strbuf_append_string(form, name);
    strbuf_append_char(form, '=');
    strbuf_append_percent_encoded(form, value);
}

struct strbuf *token_http_begin_form(struct token_http_source *source,
                                     const struct platform *platform,
                                     const struct token_client *client) {
    struct strbuf *form = &source->form;
    token_http_begin(source, platform);
    token_http_add_field(form, "grant_type", "client_credentials");
    token_http_add_field(form, "client_id", client->client_id);
    token_http_add_field(form, "scope", TOKEN_RESOURCE ".default");
    return form;
}

void token_http_add_assertion(struct strbuf *form, const char *assertion) {
    token_http_add_field(form, "client_assertion_type",
                         "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
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

/* The token endpoint names its errors ("Error response" on the page of the flow). */
static void on_token_reply(struct token_http_source *source, enum status status,
                           const struct http_reply *reply, struct error *err) {
    struct token token;
    token_init(&token);
    if (status == STATUS_OK) {
        status = token_http_read(source->platform, reply, true, &token, err);
    }
    token_http_end(source, status, &token, err);
    token_cleanup(&token);
}

enum status token_http_post_form(struct token_http_source *source,
                                 const struct token_client *client, struct error *err) {
    token_http_endpoint(&source->url, client);
    http_headers_add(&source->headers, "Content-Type", "application/x-www-form-urlencoded");
    http_headers_add(&source->headers, "Accept", "application/json");
    snprintf(source->endpoint, sizeof source->endpoint, "the token endpoint %s", source->url.data);
    return token_http_ask(source, TOKEN_FETCH_MS, on_token_reply, err);
}

/* ---- files ---- */

static void on_file(void *context, enum status status, struct strbuf *text,
                    const struct error *err) {
    struct token_http_source *source = context;
    struct error failure = *err;
    if (status == STATUS_OK) {
        status = source->ask(source, text, &failure);
    }
    if (status != STATUS_OK) {
        source->base.done(source->base.done_context, status, NULL, &failure);
    }
}

enum status token_http_read_file(struct token_http_source *source, const struct platform *platform,
                                 const char *path, token_ask ask, struct error *err) {
    const struct file_read_options options = {path, TOKEN_FILE_MAX_BYTES, TOKEN_FETCH_MS};
    source->platform = platform;
    source->ask = ask;
    return file_read_start(&source->file, platform, &options, on_file, source, err);
}
