/*
 * token_answer.h - what identity endpoints and az answer, checked before anything of it is believed.
 *
 * Rules        A token is 1 to TOKEN_MAX_BYTES printable ASCII characters without spaces: nothing that could end a header line.
 *              A lifetime of 1 to TOKEN_MAX_LIFETIME_S seconds is believed (Azure's last 24 h at most; "Configurable token
 *              lifetimes"). A token is never refused for its dates: where none can be read or believed, it counts as good for
 *              TOKEN_ASSUMED_LIFETIME_S, and if it ends before, storage's 401 has another one fetched (token_cache.h).
 *              Its times are on clock.h's now, which does not jump.
 * Threads: none of its own.
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
};

struct token {
    struct strbuf text; /* empty: none */
    int64_t refresh_ms; /* from then on a new one is wanted */
    int64_t expires_ms;
};

void token_init(struct token *token);
void token_cleanup(struct token *token); /* wipes it; it is as after init */

/* When a moment was, on both clocks: expiry given as a date is reckoned from it. */
struct token_moment {
    int64_t now_ms;
    int64_t wall_ms;
};

/*
 * Reads {"access_token", "expires_in" and/or "expires_on", "refresh_in"}. The lifetime begins `at`, before the answer was made;
 * of two ends the earlier counts ("How to use managed identities ... to acquire an access token": expires_in is counted from the
 * time of issue, and tokens are cached). The forms of "expires_on": token_date.h.
 * It is refreshed after refresh_in where that is given, else 5 minutes before its end, or half-way if that is later.
 *
 * STATUS_MALFORMED   not that, or a token that cannot be; `out` untouched
 * STATUS_NO_MEMORY
 */
enum status token_answer_read(const struct strbuf *body, const struct token_moment *at,
                              struct token *out, struct error *err) MUST_CHECK;

/* The same for az: {"accessToken", "expires_on" or "expiresOn" (local time, where it names no offset)}. */
enum status token_answer_read_cli(const struct strbuf *output, const struct token_moment *at,
                                  struct token *out, struct error *err) MUST_CHECK;

enum { TOKEN_CODE_BYTES = 80 };

/*
 * What may be shown of an error answer {"error", "error_description"}: the error's name if it is of a-z and _ alone, and an AADSTS
 * number. "" where there is neither. The rest might repeat what was sent.
 */
void token_answer_error_code(const struct strbuf *body, char out[TOKEN_CODE_BYTES]);

#endif
