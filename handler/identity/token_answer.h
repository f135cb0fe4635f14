/*
 * token_answer.h - reads the answers of identity endpoints and az, and trusts nothing unchecked.
 *
 * Rules        A token is 1 to TOKEN_MAX_BYTES printable ASCII characters without spaces. So it
 *              cannot end a header line.
 *              A lifetime must be 1 to TOKEN_MAX_LIFETIME_S seconds (Azure's last 24 h at most;
 *              "Configurable token lifetimes"). A token is never rejected for its dates. If no
 *              usable date is found, the token counts as valid for TOKEN_ASSUMED_LIFETIME_S. If it
 *              ends earlier, storage answers 401, and token_cache.h fetches another.
 *              Times of a token are on the clock's now_ms, which does not jump.
 */
#ifndef IDENTITY_TOKEN_ANSWER_H
#define IDENTITY_TOKEN_ANSWER_H

#include <stdint.h>

#include "base/status.h"
#include "base/strbuf.h"

enum {
    TOKEN_MAX_BYTES = 16 * 1024,
    TOKEN_ANSWER_MAX_BYTES = 64 * 1024,
    TOKEN_MAX_LIFETIME_S = 7 * 24 * 3600,
    TOKEN_ASSUMED_LIFETIME_S = 5 * 60,
    TOKEN_REFRESH_AHEAD_MS = 5 * 60 * 1000,
    TOKEN_CODE_BYTES = 80,
};

struct token {
    struct strbuf text; /* empty: no token */
    int64_t refresh_ms; /* from then on a new token is wanted */
    int64_t expires_ms;
};

void token_init(struct token *token);

/* Overwrites the token. Afterwards it is as after init. */
void token_cleanup(struct token *token);

/* One moment on both clocks. It converts an expiry date to the clock that does not jump. */
struct token_moment {
    int64_t now_ms;
    int64_t wall_ms;
};

/*
 * Reads {"access_token", "expires_in" and/or "expires_on", "refresh_in"}. token_date.h lists the
 * forms of "expires_on". `at` is a moment before the answer was made, and the lifetime counts from
 * it. If there are two ends, the earlier one counts: tokens are cached, and expires_in counts from
 * the time of issue ("How to use managed identities ... to acquire an access token").
 *
 * The refresh time is refresh_in, if given. Otherwise it is 5 minutes before the end, or half of
 * the lifetime if that is later.
 *
 * STATUS_MALFORMED   not such an object, or no valid token; `out` is untouched
 * STATUS_NO_MEMORY
 */
enum status token_answer_read(const struct strbuf *body, const struct token_moment *at,
                              struct token *out, struct error *err) MUST_CHECK;

/*
 * The same for the output of az: {"accessToken", "expires_on" or "expiresOn"}. expiresOn is local
 * time unless it has an offset.
 */
enum status token_answer_read_cli(const struct strbuf *output, const struct token_moment *at,
                                  struct token *out, struct error *err) MUST_CHECK;

/*
 * Writes what messages may show of an error answer {"error", "error_description"}: the error's
 * name, if it has only a-z and _, and an AADSTS number. "" if there is neither. The rest of such an
 * answer might repeat secrets that were sent.
 */
void token_answer_error_code(const struct strbuf *body, char out[TOKEN_CODE_BYTES]);

#endif
