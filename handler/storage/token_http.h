/*
 * token_http.h - one question to an identity endpoint over HTTP, for the sources that ask one.
 *
 * Threads: as token_source.h says.
 * Layer: storage. May include base/.
 */
#ifndef STORAGE_TOKEN_HTTP_H
#define STORAGE_TOKEN_HTTP_H

#include "base/http_message.h"
#include "base/status.h"
#include "base/strbuf.h"
#include "storage/token_source.h"

/* GET for `form` NULL, else POST of that form. Statuses as of a fetch; any HTTP answer is STATUS_OK, and in `out` (initialized). */
enum status token_http_ask(const struct token_context *context, const char *url, const struct http_headers *headers,
                           const struct strbuf *form, int64_t timeout_ms, struct http_reply *out,
                           struct error *err) MUST_CHECK;

/*
 * The token of a 200; else err says the HTTP status and the error's code.
 * STATUS_UNAVAILABLE    408, 429, 5xx
 * STATUS_UNAUTHORIZED   any other
 * STATUS_MALFORMED, STATUS_NO_MEMORY
 */
enum status token_http_take(const struct token_context *context, const struct http_reply *reply, struct token *out,
                            struct error *err) MUST_CHECK;

/* A form that begins with grant_type, client_id and scope. A failure is remembered by `form`. */
void token_http_begin_form(struct strbuf *form, const struct token_client *client);
void token_http_add_field(struct strbuf *form, const char *name, const char *value);
void token_http_add_assertion(struct strbuf *form, const char *assertion);

/* AUTHORITY/TENANT/oauth2/v2.0/token; a failure is remembered by `url`. */
void token_http_endpoint(struct strbuf *url, const struct token_client *client);

/* Posts the form to the token endpoint and takes the token. Statuses as of a fetch. */
enum status token_http_exchange(const struct token_context *context, const struct token_client *client,
                                const struct strbuf *form, struct token *out, struct error *err) MUST_CHECK;

/*
 * Appends a small file's text to `out`, whose max_bytes is the limit.
 * STATUS_UNAVAILABLE: it cannot be read (now), is no regular file, is over the limit or empty. STATUS_NO_MEMORY.
 */
enum status token_http_read_file(const char *path, struct strbuf *out, struct error *err) MUST_CHECK;

#endif
