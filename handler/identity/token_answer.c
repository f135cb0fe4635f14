#include "identity/token_answer.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "identity/token_date.h"

enum { AADSTS_MAX_DIGITS = 10, ERROR_NAME_MAX_LENGTH = 40 };

void token_init(struct token *token) {
    *token = (struct token){0};
    strbuf_init(&token->text, TOKEN_MAX_BYTES);
}

void token_cleanup(struct token *token) {
    strbuf_cleanup_wipe(&token->text);
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
static enum status fill(const char *text, int64_t lifetime_s, int64_t refresh_in_s,
                        const struct token_moment *at, struct token *out, struct error *err) {
    const char *fault = token_fault(text);
    if (fault != NULL) {
        return error_set(err, STATUS_MALFORMED, "the answer %s", fault);
    }
    struct token token;
    token_init(&token);
    strbuf_append_string(&token.text, text);
    if (strbuf_status(&token.text) != STATUS_OK) {
        token_cleanup(&token);
        return error_set(err, STATUS_NO_MEMORY, "no memory for a token");
    }
    int64_t lifetime_ms = lifetime_s * 1000;
    int64_t ahead_ms =
        lifetime_ms / 2 < TOKEN_REFRESH_AHEAD_MS ? lifetime_ms / 2 : TOKEN_REFRESH_AHEAD_MS;
    bool is_told = refresh_in_s > 0 && refresh_in_s < lifetime_s;
    token.expires_ms = at->now_ms + lifetime_ms;
    token.refresh_ms = is_told ? at->now_ms + refresh_in_s * 1000 : token.expires_ms - ahead_ms;
    token_cleanup(out);
    *out = token;
    return STATUS_OK;
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

/* The moment that the member `key` names, as a number or as a text. */
static bool read_date(const cJSON *root, const char *key, bool is_local, int64_t *out_s) {
    const char *text = json_string(root, key);
    return text != NULL ? token_date_read(text, is_local, out_s) : json_int64(root, key, out_s);
}

static bool is_lifetime(int64_t lifetime_s) {
    return lifetime_s > 0 && lifetime_s <= TOKEN_MAX_LIFETIME_S;
}

/* What is left from `at` until a date; 0 where that is no lifetime of a token. */
static int64_t seconds_until(int64_t date_s, const struct token_moment *at) {
    bool is_near = date_s >= 0 && date_s < INT64_MAX / 1000;
    int64_t left_s = is_near ? (date_s * 1000 - at->wall_ms) / 1000 : 0;
    return is_lifetime(left_s) ? left_s : 0;
}

/*
 * Of both the earlier end: IMDS keeps tokens, and counts expires_in from when one was issued, not from its answer. What
 * cannot be is passed over: clocks are apart, or a form is new. The token itself may be as good as any.
 */
static int64_t read_lifetime(const cJSON *root, const struct token_moment *at) {
    int64_t in_s, date_s;
    int64_t lifetime_s = json_int64(root, "expires_in", &in_s) && is_lifetime(in_s) ? in_s : 0;
    int64_t left_s = read_date(root, "expires_on", false, &date_s) ? seconds_until(date_s, at) : 0;
    if (left_s > 0 && (lifetime_s == 0 || left_s < lifetime_s)) {
        lifetime_s = left_s;
    }
    return lifetime_s > 0 ? lifetime_s : TOKEN_ASSUMED_LIFETIME_S;
}

static enum status read_object(const cJSON *root, const struct token_moment *at, struct token *out,
                               struct error *err) {
    const char *type = json_string(root, "token_type");
    int64_t refresh_in_s = 0;
    if (type != NULL && strcasecmp(type, "Bearer") != 0) {
        return error_set(err, STATUS_MALFORMED,
                         "the answer holds a token of another type than Bearer");
    }
    json_int64(root, "refresh_in", &refresh_in_s);
    return fill(json_string(root, "access_token"), read_lifetime(root, at), refresh_in_s, at, out,
                err);
}

enum status token_answer_read(const struct strbuf *body, const struct token_moment *at,
                              struct token *out, struct error *err) {
    cJSON *root = NULL;
    enum status status = parse_object(body, &root, err);
    if (status == STATUS_OK) {
        status = read_object(root, at, out, err);
        json_delete_wiped(root);
    }
    return status;
}

static enum status read_cli_object(const cJSON *root, const struct token_moment *at,
                                   struct token *out, struct error *err) {
    int64_t date_s, lifetime_s = 0;
    if (read_date(root, "expires_on", false, &date_s)) {
        lifetime_s = seconds_until(date_s, at);
    }
    if (lifetime_s == 0 && read_date(root, "expiresOn", true, &date_s)) {
        lifetime_s = seconds_until(date_s, at);
    }
    return fill(json_string(root, "accessToken"),
                lifetime_s > 0 ? lifetime_s : TOKEN_ASSUMED_LIFETIME_S, 0, at, out, err);
}

enum status token_answer_read_cli(const struct strbuf *output, const struct token_moment *at,
                                  struct token *out, struct error *err) {
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
    const char *name = json_string(root, "error"),
               *description = json_string(root, "error_description");
    const char *number = description == NULL ? NULL : strstr(description, "AADSTS");
    if (!is_error_name(name)) {
        name = "";
    }
    size_t digits = number == NULL ? 0 : strspn(number + strlen("AADSTS"), "0123456789");
    if (digits > 0 && digits <= AADSTS_MAX_DIGITS) {
        snprintf(out, TOKEN_CODE_BYTES, "%s%s%.*s", name, *name == '\0' ? "" : " ",
                 (int)(strlen("AADSTS") + digits), number);
    } else {
        snprintf(out, TOKEN_CODE_BYTES, "%s", name);
    }
    json_delete_wiped(root);
}
