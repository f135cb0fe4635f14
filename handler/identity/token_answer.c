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

/* Returns what is wrong with a token, or NULL. */
static const char *token_mistake(const char *text) {
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

/* Fills `out` with a token that lasts `lifetime_s` from `at`. `refresh_in_s` is 0 if not given. */
static enum status fill_token(const char *text, int64_t lifetime_s, int64_t refresh_in_s,
                              const struct token_moment *at, struct token *out, struct error *err) {
    const char *mistake = token_mistake(text);
    if (mistake != NULL) {
        return error_set(err, STATUS_MALFORMED, "the answer %s", mistake);
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
    bool is_given = refresh_in_s > 0 && refresh_in_s < lifetime_s;
    token.expires_ms = at->now_ms + lifetime_ms;
    token.refresh_ms = is_given ? at->now_ms + refresh_in_s * 1000 : token.expires_ms - ahead_ms;
    token_cleanup(out);
    *out = token;
    return STATUS_OK;
}

/* Parses an answer that may hold a token. The caller must free it with json_delete_wiped. */
static enum status parse_object(const struct strbuf *body, cJSON **out, struct error *err) {
    cJSON *root = NULL;
    struct error detail;
    enum status status = json_parse(body->data, body->length, &root, &detail);
    if (status == STATUS_NO_MEMORY) {
        return error_set(err, status, "no memory to read the answer");
    }
    if (status != STATUS_OK) { /* `detail` is not shown, as it may quote the answer */
        return error_set(err, STATUS_MALFORMED, "the answer is not JSON");
    }
    if (!cJSON_IsObject(root)) {
        json_delete_wiped(root);
        return error_set(err, STATUS_MALFORMED, "the answer is not a JSON object");
    }
    *out = root;
    return STATUS_OK;
}

/* Reads the date in the member `key`, a number or a text. */
static bool read_date(const cJSON *root, const char *key, bool is_local, int64_t *out_s) {
    const char *text = json_string(root, key);
    return text != NULL ? token_date_read(text, is_local, out_s) : json_int64(root, key, out_s);
}

static bool is_lifetime(int64_t lifetime_s) {
    return lifetime_s > 0 && lifetime_s <= TOKEN_MAX_LIFETIME_S;
}

/* Returns the seconds from `at` until a date, or 0 if a token cannot last that long. */
static int64_t seconds_until(int64_t date_s, const struct token_moment *at) {
    bool is_near = date_s >= 0 && date_s < INT64_MAX / 1000;
    int64_t left_s = is_near ? (date_s * 1000 - at->wall_ms) / 1000 : 0;
    return is_lifetime(left_s) ? left_s : 0;
}

/*
 * Returns the shorter of the two lifetimes that an answer gives. IMDS caches tokens, and counts
 * expires_in from the time of issue, not from its answer. Impossible values are ignored. They come
 * from clocks that differ, or from an unknown form of date, and the token itself may be good.
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
    return fill_token(json_string(root, "access_token"), read_lifetime(root, at), refresh_in_s, at,
                      out, err);
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
    return fill_token(json_string(root, "accessToken"),
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
