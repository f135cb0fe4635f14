#include <stdio.h>

#include "storage/token_http.h"
#include "storage/token_source.h"

enum { URL_MAX_BYTES = 4096 };

static enum status ask(const struct token_source_imds *self, const struct token_context *context, bool is_probe,
                       struct http_reply *out, struct error *err) {
    struct strbuf url;
    struct http_headers headers;
    strbuf_init(&url, URL_MAX_BYTES);
    http_headers_init(&headers);
    strbuf_append_string(&url, self->host);
    strbuf_append_string(&url, "/metadata/identity/oauth2/token?api-version=2018-02-01");
    token_http_add_field(&url, "resource", TOKEN_RESOURCE);
    if (self->client_id != NULL) {
        token_http_add_field(&url, "client_id", self->client_id);
    }
    if (!is_probe) { /* IMDS answers nothing but errors to those who do not send it, and at once */
        http_headers_add(&headers, "Metadata", "true");
    }
    enum status status = strbuf_status(&url);
    if (status != STATUS_OK) {
        error_set(err, status, "building the request: %s", status_text(status));
    } else {
        status =
            token_http_ask(context, url.data, &headers, NULL, is_probe ? self->probe_ms : TOKEN_FETCH_MS, out, err);
    }
    http_headers_release(&headers);
    strbuf_release(&url);
    return status;
}

/*
 * IMDS answers 400, or 410, 429, 5xx when in trouble. These are somebody else's: another cloud's metadata (401, 404, 405), or
 * one on the way who does not let us through (Docker Desktop, a proxy: 403).
 */
static bool is_elses(int http_status) {
    return http_status == 401 || http_status == 403 || http_status == 404 || http_status == 405;
}

static enum status not_imds(const char *why, struct error *err) {
    return error_set(err, STATUS_NOT_FOUND, "what answers there is not IMDS: %s", why);
}

/*
 * Where there is no IMDS nothing answers, and others wait for their turn to sign in: so the first probe is short. A busy machine's
 * IMDS may take seconds, even to connect (github.com/Azure/azure-sdk-for-net/issues/20609): so the next ones have time.
 */
static enum status probe(struct token_source_imds *self, const struct token_context *context, struct error *err) {
    struct http_reply reply;
    struct error why = {0};
    http_reply_init(&reply);
    enum status status = ask(self, context, true, &reply, &why);
    if (status == STATUS_UNAVAILABLE) {
        status = error_set(err, STATUS_NOT_FOUND, "no answer (the next attempt waits up to %d s): %s",
                           TOKEN_FETCH_MS / 1000, why.message);
        self->probe_ms = TOKEN_FETCH_MS;
    } else if (status != STATUS_OK) {
        error_set(err, status, "%s", why.message);
    } else if (is_elses(reply.status)) {
        snprintf(why.message, sizeof why.message, "it answered %d", reply.status);
        status = not_imds(why.message, err);
    }
    http_reply_release(&reply);
    return status;
}

/* "Use managed identities on a virtual machine to acquire an access token", error handling and retry guidance. */
static enum status take(const struct token_context *context, const struct http_reply *reply, struct token *out,
                        struct error *err) {
    enum status status = token_http_take(context, reply, out, err);
    if (status != STATUS_UNAUTHORIZED) {
        return status;
    }
    if (reply->status == 404 || reply->status == 410) {
        return error_set(err, STATUS_UNAVAILABLE, "it is being updated (%d)", reply->status);
    }
    if (reply->status == 400) {
        return error_set(err, STATUS_NOT_FOUND, "it knows no such identity on this machine (400)");
    }
    return status;
}

static enum status ask_for_token(struct token_source_imds *self, const struct token_context *context, struct token *out,
                                 struct error *err) {
    struct http_reply reply;
    http_reply_init(&reply);
    enum status status = ask(self, context, false, &reply, err);
    if (status == STATUS_OK) {
        status = take(context, &reply, out, err);
    }
    http_reply_release(&reply);
    return status;
}

/* Until it has given a token it is probed, and what is no answer of IMDS's shows that it is not there. */
static enum status fetch(struct token_source *source, const struct token_context *context, struct token *out,
                         struct error *err) {
    struct token_source_imds *self = (struct token_source_imds *)source;
    struct error why = {0};
    enum status status = self->probe ? probe(self, context, &why) : STATUS_OK;
    if (status == STATUS_OK) {
        status = ask_for_token(self, context, out, &why);
        if (self->probe && status == STATUS_MALFORMED) {
            status = not_imds(why.message, &why);
        }
    }
    if (status == STATUS_OK) {
        self->probe = false;
        return STATUS_OK;
    }
    error_wrap(&why, "IMDS at %s", self->host);
    if (err != NULL) {
        *err = why;
    }
    return status;
}

void token_source_imds_init(struct token_source_imds *source, const char *host, const char *client_id,
                            bool probe_first) {
    *source = (struct token_source_imds){
        .base = {.name = "a managed identity (IMDS)", .fetch = fetch},
        .host = host,
        .client_id = client_id,
        .probe = probe_first,
        .probe_ms = TOKEN_IMDS_PROBE_MS,
    };
}
