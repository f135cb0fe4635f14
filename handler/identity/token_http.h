/*
 * token_http.h - one question to an identity endpoint over HTTP, for the sources that ask one.
 *
 * A source begins a question, appends to its url, headers and form, writes its endpoint's name, and
 * asks.
 *
 * Ownership  The url, the headers and the form exist from begin to ask, the form until it is
 *            answered. The headers and the form are wiped.
 * Threads    As token_source.h says.
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
 * Asks: GET, or POST where there is a form. On STATUS_OK `answered` is called once, later, or by
 * token_http_cancel. Else it was not asked, and `err` names the endpoint.
 * STATUS_NO_MEMORY, STATUS_TOO_LARGE, STATUS_INVALID_ARGUMENT (a header with a line break),
 * STATUS_CANCELLED, STATUS_INTERNAL
 */
enum status token_http_ask(struct token_http_source *source, int64_t timeout_ms,
                           token_answered answered, struct error *err) MUST_CHECK;

/*
 * `cancel` of the sources that ask over HTTP: the question or the read under way ends with
 * STATUS_CANCELLED, and a read that took too long is abandoned.
 */
void token_http_cancel(struct token_source *base);

/*
 * Ends the fetch as token_done has it, after an answer. What an error says gets the endpoint in
 * front of it.
 */
void token_http_end(struct token_http_source *source, enum status status, struct token *token,
                    struct error *err);

/*
 * The token of a 200; else err says the HTTP status and the error's code. `names_errors`: this
 * endpoint always names its error, so an answer without one is a proxy's or a gateway's, and says
 * nothing of us.
 * STATUS_UNAVAILABLE    408, 429, 5xx; and what is not the endpoint's own
 * STATUS_UNAUTHORIZED   any other
 * STATUS_MALFORMED, STATUS_NO_MEMORY
 */
enum status token_http_take(const struct platform *platform, const struct http_reply *reply,
                            bool names_errors, struct token *out, struct error *err) MUST_CHECK;

/*
 * Begins a question to the token endpoint. The form, which is returned, has grant_type, client_id
 * and scope.
 */
struct strbuf *token_http_begin_form(struct token_http_source *source,
                                     const struct platform *platform,
                                     const struct token_client *client);
void token_http_add_field(struct strbuf *form, const char *name, const char *value);
void token_http_add_assertion(struct strbuf *form, const char *assertion);

/* AUTHORITY/TENANT/oauth2/v2.0/token; a failure is remembered by `url`. */
void token_http_endpoint(struct strbuf *url, const struct token_client *client);

/* Posts the form to the token endpoint. The answer ends the fetch. Statuses of token_http_ask. */
enum status token_http_post_form(struct token_http_source *source,
                                 const struct token_client *client, struct error *err) MUST_CHECK;

/*
 * Begins a fetch that needs a file of at most TOKEN_FILE_MAX_BYTES: on STATUS_OK `ask` is called
 * with its text, later, or the fetch ends as file_read.h says. Statuses of file_read_start.
 */
enum status token_http_read_file(struct token_http_source *source, const struct platform *platform,
                                 const char *path, token_ask ask, struct error *err) MUST_CHECK;

#endif
