/*
 * token_http.h - one question to an identity endpoint over HTTP, for the sources that ask one.
 *
 * A source begins a question, appends to its url, headers and form, sets the endpoint's name for
 * messages, and asks.
 *
 * Ownership  The url and the headers exist from begin to ask, the form until the question is
 *            answered. The headers and the form are overwritten.
 * Threads    The loop's.
 */
#ifndef IDENTITY_TOKEN_HTTP_H
#define IDENTITY_TOKEN_HTTP_H

#include <stdbool.h>

#include "base/http_message.h"
#include "base/status.h"
#include "base/strbuf.h"
#include "identity/token_source.h"

/* Begins an empty question. token_http_ask must follow. */
void token_http_begin(struct token_http_source *source, const struct platform *platform);

/*
 * Asks, by POST if there is a form, otherwise by GET. After STATUS_OK `answered` is called once,
 * later or by token_http_cancel. After any other status nothing was asked, and `err` names the
 * endpoint.
 * STATUS_NO_MEMORY, STATUS_TOO_LARGE, STATUS_INVALID_ARGUMENT (a header with a line break),
 * STATUS_CANCELLED, STATUS_INTERNAL
 */
enum status token_http_ask(struct token_http_source *source, int64_t timeout_ms,
                           token_answered answered, struct error *err) MUST_CHECK;

/*
 * The `cancel` of the sources that ask over HTTP. The question or the file read under way ends with
 * STATUS_CANCELLED. A read that has taken too long is abandoned.
 */
void token_http_cancel(struct token_source *base);

/*
 * Ends the fetch after an answer, by calling the source's `done`. An error message gets the
 * endpoint in front of it.
 */
void token_http_end(struct token_http_source *source, enum status status, struct token *token,
                    struct error *err);

/*
 * Reads an answer: a token if its HTTP status is 200, otherwise an error with the HTTP status and
 * the error's code. `names_errors` is true for an endpoint that always names its error. From such
 * an endpoint, an error without a name was made by a proxy or a gateway, and says nothing about us.
 *
 * STATUS_UNAVAILABLE    408, 429, 5xx; and an answer that is not the endpoint's own
 * STATUS_UNAUTHORIZED   any other error
 * STATUS_MALFORMED, STATUS_NO_MEMORY
 */
enum status token_http_read(const struct platform *platform, const struct http_reply *reply,
                            bool names_errors, struct token *out, struct error *err) MUST_CHECK;

/*
 * Begins a question to the token endpoint. Returns its form, which has grant_type, client_id and
 * scope.
 */
struct strbuf *token_http_begin_form(struct token_http_source *source,
                                     const struct platform *platform,
                                     const struct token_client *client);
void token_http_add_field(struct strbuf *form, const char *name, const char *value);
void token_http_add_assertion(struct strbuf *form, const char *assertion);

/* Appends AUTHORITY/TENANT/oauth2/v2.0/token. A failure is remembered by `url`. */
void token_http_endpoint(struct strbuf *url, const struct token_client *client);

/* Posts the form to the token endpoint. The answer ends the fetch. Statuses of token_http_ask. */
enum status token_http_post_form(struct token_http_source *source,
                                 const struct token_client *client, struct error *err) MUST_CHECK;

/*
 * Begins a fetch that needs a file of at most TOKEN_FILE_MAX_BYTES. After STATUS_OK `ask` is called
 * later with its text; if it cannot be read, the fetch ends with file_read.h's status. Returns a
 * status of file_read_start.
 */
enum status token_http_read_file(struct token_http_source *source, const struct platform *platform,
                                 const char *path, token_ask ask, struct error *err) MUST_CHECK;

#endif
