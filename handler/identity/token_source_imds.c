#include <stdio.h>

#include "identity/token_http.h"
#include "identity/token_source.h"

/*
 * Asks for a token. A probe lacks the header Metadata. IMDS answers it at once, and always with an
 * error.
 */
static enum status ask_imds(struct token_source_imds *self, const struct platform *platform,
                            bool is_probe, token_answered answered, struct error *err) {
    struct token_http_source *http = &self->http;
    snprintf(http->endpoint, sizeof http->endpoint, "IMDS at %s", self->host);
    token_http_begin(http, platform);
    strbuf_append_string(&http->url, self->host);
    strbuf_append_string(&http->url, "/metadata/identity/oauth2/token?api-version=2018-02-01");
    token_http_add_field(&http->url, "resource", TOKEN_RESOURCE);
    if (self->client_id != NULL) {
        token_http_add_field(&http->url, "client_id", self->client_id);
    }
    if (!is_probe) {
        http_headers_add(&http->headers, "Metadata", "true");
    }
    return token_http_ask(http, is_probe ? self->probe_ms : TOKEN_FETCH_MS, answered, err);
}

/*
 * Whether the answer to a probe shows that it is not IMDS. IMDS answers 400, and in trouble 410,
 * 429 or
 * 5xx. Another cloud's metadata service answers 401, 404 or 405. Docker Desktop, or a proxy that
 * lets nothing through, answers 403.
 */
static bool is_not_imds(int http_status) {
    return http_status == 401 || http_status == 403 || http_status == 404 || http_status == 405;
}

static enum status set_not_imds(const char *why, struct error *err) {
    return error_set(err, STATUS_NOT_FOUND, "what answers there is not IMDS: %s", why);
}

/*
 * Reads IMDS's answer. Source: "Use managed identities on a virtual machine to acquire an access
 * token", error handling and retry guidance.
 */
static enum status read_imds_answer(const struct platform *platform, const struct http_reply *reply,
                                    struct token *out, struct error *err) {
    enum status status = token_http_read(platform, reply, false, out, err);
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

/* Until there was a token, an answer that IMDS does not give shows that it is not there. */
static void on_imds_answer(struct token_http_source *http, enum status status,
                           const struct http_reply *reply, struct error *err) {
    struct token_source_imds *self = (struct token_source_imds *)http;
    struct token token;
    token_init(&token);
    if (status == STATUS_OK) {
        status = read_imds_answer(http->platform, reply, &token, err);
        if (self->probe && status == STATUS_MALFORMED) {
            status = set_not_imds(err->message, err);
        }
    }
    if (status == STATUS_OK) {
        self->probe = false;
    }
    token_http_end(http, status, &token, err);
    token_cleanup(&token);
}

/*
 * Reads the answer to a probe; STATUS_NOT_FOUND: there is no IMDS.
 *
 * The first probe has a short timeout: without IMDS nothing answers, and the other ways to sign in
 * wait meanwhile. The next probes have more time, because on a busy machine IMDS may take seconds
 * even to connect (github.com/Azure/azure-sdk-for-net/issues/20609).
 */
static enum status read_probe(struct token_source_imds *self, enum status status,
                              const struct http_reply *reply, struct error *err) {
    if (status == STATUS_UNAVAILABLE) {
        self->probe_ms = TOKEN_FETCH_MS;
        return error_set(err, STATUS_NOT_FOUND, "no answer (the next attempt waits up to %d s): %s",
                         TOKEN_FETCH_MS / 1000, err->message);
    }
    if (status == STATUS_OK && is_not_imds(reply->status)) {
        char why[32];
        snprintf(why, sizeof why, "it answered %d", reply->status);
        return set_not_imds(why, err);
    }
    return status;
}

static void on_probed(struct token_http_source *http, enum status status,
                      const struct http_reply *reply, struct error *err) {
    struct token_source_imds *self = (struct token_source_imds *)http;
    status = read_probe(self, status, reply, err);
    if (status != STATUS_OK) {
        token_http_end(http, status, NULL, err);
        return;
    }
    status = ask_imds(self, http->platform, false, on_imds_answer, err);
    if (status != STATUS_OK) {
        http->base.done(http->base.done_context, status, NULL, err);
    }
}

static enum status imds_start(struct token_source *source, const struct platform *platform,
                              struct error *err) {
    struct token_source_imds *self = (struct token_source_imds *)source;
    return ask_imds(self, platform, self->probe, self->probe ? on_probed : on_imds_answer, err);
}

void token_source_imds_init(struct token_source_imds *source, const char *host,
                            const char *client_id, bool probe_first) {
    *source = (struct token_source_imds){
        .http.base = {.name = "a managed identity (IMDS)",
                      .start = imds_start,
                      .cancel = token_http_cancel},
        .host = host,
        .client_id = client_id,
        .probe = probe_first,
        .probe_ms = TOKEN_IMDS_PROBE_MS,
    };
}
