#include "storage/token_answer.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/json.h"

enum { AADSTS_MAX_DIGITS = 10, ERROR_NAME_MAX_LENGTH = 40 };
#define LATEST_S 253402300799LL /* the end of the year 9999 */

void token_init(struct token *token) {
    *token = (struct token){0};
    strbuf_init(&token->text, TOKEN_MAX_BYTES);
}

void token_release(struct token *token) {
    strbuf_release_wipe(&token->text);
    token_init(token);
}

/* NULL: it is one. */
static const char *token_fault(const char *text) {
    if (text == NULL || *text == '\0') {
        return "holds no token";
    }
    size_t length = strlen(text);
    if (length > TOKEN_MAX_BYTES) {
        return "holds a token that is too long";
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '!' || text[i] > '~') {
            return "holds a token with characters that no token has";
        }
    }
    return NULL;
}

/* Fills `out`, of a token that lasts `lifetime_s` seconds from `at`. */
static enum status fill(const char *text, int64_t lifetime_s, int64_t refresh_in_s, const struct token_moment *at,
                        struct token *out, struct error *err) {
    const char *fault = token_fault(text);
    if (fault != NULL) {
        return error_set(err, STATUS_MALFORMED, "the answer %s", fault);
    }
    if (lifetime_s <= 0) {
        return error_set(err, STATUS_MALFORMED, "the answer holds a token that has expired, or this clock is wrong");
    }
    if (lifetime_s > TOKEN_MAX_LIFETIME_S) {
        return error_set(err, STATUS_MALFORMED,
                         "the answer holds a token that would last longer than any, or this "
                         "clock is wrong");
    }
    struct token token;
    token_init(&token);
    strbuf_append_string(&token.text, text);
    if (strbuf_status(&token.text) != STATUS_OK) {
        token_release(&token);
        return error_set(err, STATUS_NO_MEMORY, "no memory for a token");
    }
    int64_t lifetime_ms = lifetime_s * 1000;
    int64_t ahead_ms = lifetime_ms / 2 < TOKEN_REFRESH_AHEAD_MS ? lifetime_ms / 2 : TOKEN_REFRESH_AHEAD_MS;
    bool is_told = refresh_in_s > 0 && refresh_in_s < lifetime_s;
    token.expires_ms = at->now_ms + lifetime_ms;
    token.refresh_ms = is_told ? at->now_ms + refresh_in_s * 1000 : token.expires_ms - ahead_ms;
    token_release(out);
    *out = token;
    return STATUS_OK;
}

/* How long from `at` until a date. What lies outside any calendar is no date. */
static bool seconds_until(int64_t date_s, const struct token_moment *at, int64_t *out_s) {
    if (date_s < 0 || date_s > LATEST_S) {
        return false;
    }
    *out_s = (date_s * 1000 - at->wall_ms) / 1000;
    return true;
}

/* Strings of a tree that held a token are wiped with it. */
static enum status parse_object(const struct strbuf *body, cJSON **out, struct error *err) {
    cJSON *root = NULL;
    struct error detail;
    enum status status = json_parse(body->data, body->length, &root, &detail);
    if (status == STATUS_NO_MEMORY) {
        return error_set(err, status, "no memory to read the answer");
    }
    if (status != STATUS_OK) { /* the detail might show what is in it */
        return error_set(err, STATUS_MALFORMED, "the answer is not JSON");
    }
    if (!cJSON_IsObject(root)) {
        json_delete_wiped(root);
        return error_set(err, STATUS_MALFORMED, "the answer is not a JSON object");
    }
    *out = root;
    return STATUS_OK;
}

/*
 * Of both the earlier end: IMDS keeps tokens, and counts expires_in from when one was issued, not from its answer. A date that
 * has passed then tells of clocks that are apart.
 */
static bool read_lifetime(const cJSON *root, const struct token_moment *at, int64_t *out_s) {
    int64_t in_s, date_s, left_s;
    bool has_in = json_int64(root, "expires_in", &in_s);
    bool has_date = json_int64(root, "expires_on", &date_s) && seconds_until(date_s, at, &left_s);
    bool by_date = has_date && (!has_in || (left_s > 0 && left_s < in_s));
    if (has_in || has_date) {
        *out_s = by_date ? left_s : in_s;
    }
    return has_in || has_date;
}

static enum status read_object(const cJSON *root, const struct token_moment *at, struct token *out, struct error *err) {
    const char *type = json_string(root, "token_type");
    int64_t lifetime_s, refresh_in_s = 0;
    if (type != NULL && strcasecmp(type, "Bearer") != 0) {
        return error_set(err, STATUS_MALFORMED, "the answer holds a token of another type than Bearer");
    }
    if (!read_lifetime(root, at, &lifetime_s)) {
        return error_set(err, STATUS_MALFORMED, "the answer does not say when the token expires");
    }
    json_int64(root, "refresh_in", &refresh_in_s);
    return fill(json_string(root, "access_token"), lifetime_s, refresh_in_s, at, out, err);
}

enum status token_answer_read(const struct strbuf *body, const struct token_moment *at, struct token *out,
                              struct error *err) {
    cJSON *root = NULL;
    enum status status = parse_object(body, &root, err);
    if (status == STATUS_OK) {
        status = read_object(root, at, out, err);
        json_delete_wiped(root);
    }
    return status;
}

/* "2025-01-19 14:45:30.000000" in this machine's time zone. */
static bool parse_local(const char *text, int64_t *out_s) {
    struct tm parts = {.tm_isdst = -1};
    const char *rest = text == NULL ? NULL : strptime(text, "%Y-%m-%d %H:%M:%S", &parts);
    if (rest == NULL || (*rest != '\0' && *rest != '.')) {
        return false;
    }
    time_t date = mktime(&parts);
    *out_s = (int64_t)date;
    return date != (time_t)-1;
}

static enum status read_cli_object(const cJSON *root, const struct token_moment *at, struct token *out,
                                   struct error *err) {
    int64_t date_s, lifetime_s;
    bool is_dated = json_int64(root, "expires_on", &date_s) || parse_local(json_string(root, "expiresOn"), &date_s);
    if (!is_dated || !seconds_until(date_s, at, &lifetime_s)) {
        return error_set(err, STATUS_MALFORMED, "the answer does not say when the token expires");
    }
    return fill(json_string(root, "accessToken"), lifetime_s, 0, at, out, err);
}

enum status token_answer_read_cli(const struct strbuf *output, const struct token_moment *at, struct token *out,
                                  struct error *err) {
    cJSON *root = NULL;
    enum status status = parse_object(output, &root, err);
    if (status == STATUS_OK) {
        status = read_cli_object(root, at, out, err);
        json_delete_wiped(root);
    }
    return status;
}

static bool is_error_name(const char *text) {
    return text != NULL && *text != '\0' && strlen(text) <= ERROR_NAME_MAX_LENGTH &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyz_")] == '\0';
}

void token_answer_error_code(const struct strbuf *body, char out[TOKEN_CODE_BYTES]) {
    cJSON *root = NULL;
    out[0] = '\0';
    if (parse_object(body, &root, NULL) != STATUS_OK) {
        return;
    }
    const char *name = json_string(root, "error"), *description = json_string(root, "error_description");
    const char *number = description == NULL ? NULL : strstr(description, "AADSTS");
    if (!is_error_name(name)) {
        name = "";
    }
    size_t digits = number == NULL ? 0 : strspn(number + strlen("AADSTS"), "0123456789");
    if (digits > 0 && digits <= AADSTS_MAX_DIGITS) {
        snprintf(out, TOKEN_CODE_BYTES, "%s%s%.*s", name, *name == '\0' ? "" : " ", (int)(strlen("AADSTS") + digits),
                 number);
    } else {
        snprintf(out, TOKEN_CODE_BYTES, "%s", name);
    }
    json_delete_wiped(root);
}
