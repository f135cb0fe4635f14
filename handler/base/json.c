#include "base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/json_syntax.h"

enum { FEW_KEYS = 32 };

typedef int compare_members(const void *left, const void *right);

static int compare_by_case(const void *left, const void *right) {
    const cJSON *const *a = left;
    const cJSON *const *b = right;
    return strcmp((*a)->string, (*b)->string);
}

static int compare_in_any_case(const void *left, const void *right) {
    const cJSON *const *a = left;
    const cJSON *const *b = right;
    return strcasecmp((*a)->string, (*b)->string);
}

static enum status refuse_repeated_key(const cJSON *member, struct error *err) {
    return error_set(err, STATUS_MALFORMED, "the key \"%.64s\" is twice in one object",
                     member->string);
}

/*
 * Compares all pairs. Equal names, also in any case, differ at most in bit 0x20 of their first
 * bytes, which rules out most pairs.
 */
static enum status check_few_keys(const cJSON *object, compare_members *compare,
                                  struct error *err) {
    for (const cJSON *left = object->child; left != NULL; left = left->next) {
        for (const cJSON *right = left->next; right != NULL; right = right->next) {
            if (((left->string[0] ^ right->string[0]) & ~0x20) == 0 &&
                compare(&left, &right) == 0) {
                return refuse_repeated_key(right, err);
            }
        }
    }
    return STATUS_OK;
}

/*
 * Many keys are sorted first: a body of 64 KiB may hold ten thousand, too many to compare all
 * pairs.
 */
static enum status check_object_keys(const cJSON *object, compare_members *compare,
                                     struct error *err) {
    size_t count = (size_t)cJSON_GetArraySize(object);
    if (count <= FEW_KEYS) {
        return check_few_keys(object, compare, err);
    }
    const cJSON **members = malloc(count * sizeof *members);
    if (members == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory to compare keys");
    }
    size_t filled = 0;
    const cJSON *member;
    cJSON_ArrayForEach(member, object) {
        members[filled++] = member;
    }
    qsort(members, count, sizeof *members, compare);
    enum status status = STATUS_OK;
    for (size_t i = 1; i < count && status == STATUS_OK; i++) {
        if (compare(&members[i - 1], &members[i]) == 0) {
            status = refuse_repeated_key(members[i], err);
        }
    }
    free(members);
    return status;
}

static enum status check_keys(const cJSON *value, compare_members *compare, struct error *err) {
    enum status status = cJSON_IsObject(value) ? check_object_keys(value, compare, err) : STATUS_OK;
    for (const cJSON *child = value->child; child != NULL && status == STATUS_OK;
         child = child->next) {
        status = check_keys(child, compare, err);
    }
    return status;
}

struct placed_member {
    cJSON *member;
    size_t index;
};

static int compare_placed(const void *left, const void *right) {
    const struct placed_member *a = left, *b = right;
    int by_name = strcmp(a->member->string, b->member->string);
    return by_name != 0 ? by_name : (a->index > b->index) - (a->index < b->index);
}

/* Of the members with one name it keeps only the last. Returns false if there is no memory. */
static bool keep_last_of_object(cJSON *object) {
    size_t count = (size_t)cJSON_GetArraySize(object), filled = 0;
    struct placed_member *members = count < 2 ? NULL : malloc(count * sizeof *members);
    if (members == NULL) {
        return count < 2;
    }
    cJSON *member;
    cJSON_ArrayForEach(member, object) {
        members[filled] = (struct placed_member){member, filled};
        filled++;
    }
    qsort(members, count, sizeof *members, compare_placed);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(members[i - 1].member->string, members[i].member->string) == 0) {
            json_delete_wiped(cJSON_DetachItemViaPointer(object, members[i - 1].member));
        }
    }
    free(members);
    return true;
}

static bool keep_last_members(cJSON *value) {
    bool kept = !cJSON_IsObject(value) || keep_last_of_object(value);
    for (cJSON *child = value->child; child != NULL && kept; child = child->next) {
        kept = keep_last_members(child);
    }
    return kept;
}

/* Returns the index after the string that begins with the quote at `start`. */
static size_t string_end(const char *text, size_t length, size_t start) {
    const char *quote = memchr(text + start + 1, '"', length - start - 1);
    if (quote == NULL || quote[-1] != '\\') { /* the usual case: the quote is not escaped */
        return quote == NULL ? length : (size_t)(quote - text) + 1;
    }
    for (size_t at = start + 1; at < length; at++) {
        if (text[at] == '"') {
            return at + 1;
        }
        if (text[at] == '\\') {
            at++;
        }
    }
    return length;
}

static bool begins_number(char c) {
    return c == '-' || (c >= '0' && c <= '9');
}

/*
 * Copies the text of the first number at or after `*at` in valid JSON, and moves `*at` past it.
 * cJSON frees the copy. Returns NULL if there is no memory.
 */
static char *copy_next_number(const char *text, size_t length, size_t *at) {
    size_t start = *at;
    while (!begins_number(text[start])) {
        start = text[start] == '"' ? string_end(text, length, start) : start + 1;
    }
    size_t end = start;
    while (end < length && strchr("+-.0123456789Ee", text[end]) != NULL) {
        end++;
    }
    *at = end;
    char *copy = cJSON_malloc(end - start + 1);
    if (copy != NULL) {
        memcpy(copy, text + start, end - start);
        copy[end - start] = '\0';
    }
    return copy;
}

/* Gives each number of the tree its text. Tree and text have the numbers in the same order. */
static bool keep_number_texts(cJSON *value, const char *text, size_t length, size_t *at) {
    if (cJSON_IsNumber(value)) {
        value->valuestring = copy_next_number(text, length, at);
        return value->valuestring != NULL;
    }
    bool kept = true;
    for (cJSON *child = value->child; child != NULL && kept; child = child->next) {
        kept = keep_number_texts(child, text, length, at);
    }
    return kept;
}

/* With `compare` NULL a repeated key is allowed, and the last one counts. */
static enum status parse_strict(const char *text, size_t length, compare_members *compare,
                                cJSON **out, struct error *err) {
    enum status status = json_syntax_check(text, length, err);
    if (status != STATUS_OK) {
        return status;
    }
    cJSON *value = cJSON_ParseWithLength(text, length);
    size_t at = 0;
    /* The syntax has been checked, so that only memory can be missing. */
    if (value == NULL || !keep_number_texts(value, text, length, &at)) {
        json_delete_wiped(value);
        return error_set(err, STATUS_NO_MEMORY, "no memory for %zu bytes of JSON", length);
    }
    if (compare != NULL) {
        status = check_keys(value, compare, err);
    } else if (!keep_last_members(value)) {
        status = error_set(err, STATUS_NO_MEMORY, "no memory to compare keys");
    }
    if (status != STATUS_OK) {
        json_delete_wiped(value);
        return status;
    }
    *out = value;
    return STATUS_OK;
}

enum status json_parse(const char *text, size_t length, cJSON **out, struct error *err) {
    return parse_strict(text, length, compare_by_case, out, err);
}

/* The length stays the same, so that positions in messages are right. */
static void replace_nul_escapes(char *text, size_t length) {
    static const char nul_escape[] = "\\u0000";
    char *end = text + length;
    for (char *at = text; (at = memchr(at, '\\', (size_t)(end - at))) != NULL && end - at > 6;
         at += 2) {
        if (memcmp(at, nul_escape, sizeof nul_escape - 1) == 0) {
            at[5] = '1';
        }
    }
}

/* Returns a copy that may be changed, or NULL if there is no memory. */
static char *copy_text(const char *text, size_t length, struct error *err) {
    char *copy = calloc(1, length + 1);
    if (copy == NULL) {
        error_set(err, STATUS_NO_MEMORY, "no memory for %zu bytes of JSON", length);
    } else if (length > 0) {
        memcpy(copy, text, length);
    }
    return copy;
}

enum status json_parse_sent(const char *text, size_t length, bool any_case, cJSON **out,
                            struct error *err) {
    char *copy = copy_text(text, length, err);
    if (copy == NULL) {
        return STATUS_NO_MEMORY;
    }
    replace_nul_escapes(copy, length);
    enum status status =
        parse_strict(copy, length, any_case ? compare_in_any_case : compare_by_case, out, err);
    free(copy);
    return status;
}

/*
 * Returns the end of the comment that starts at `start`. It is `start` if there is no comment, and
 * SIZE_MAX if the comment does not end.
 */
static size_t comment_end(const char *text, size_t length, size_t start) {
    if (length - start < 2 || text[start] != '/' ||
        (text[start + 1] != '/' && text[start + 1] != '*')) {
        return start;
    }
    if (text[start + 1] == '*') {
        const char *end = memmem(text + start + 2, length - start - 2, "*/", 2);
        return end == NULL ? SIZE_MAX : (size_t)(end - text) + 2;
    }
    size_t at = start;
    while (at < length && text[at] != '\n' && text[at] != '\r') {
        at++;
    }
    return at;
}

static size_t blank_byte_order_mark(char *text, size_t length) {
    if (length < 3 || memcmp(text, "\xEF\xBB\xBF", 3) != 0) {
        return 0;
    }
    memset(text, ' ', 3);
    return 3;
}

/*
 * Overwrites what .NET accepts and JSON does not with spaces, so that positions in messages are
 * right. (Source: .NET's JsonConfigurationFileParser reads with CommentHandling = Skip and
 * AllowTrailingCommas = true.)
 *
 * `before` is the last byte that is neither space nor comment. If that is a comma after an element
 * or member, `comma` is its index; otherwise 0.
 */
static enum status blank_extensions(char *text, size_t length, struct error *err) {
    char before = '\0';
    size_t comma = 0;
    for (size_t at = blank_byte_order_mark(text, length); at < length;) {
        size_t end = comment_end(text, length, at);
        if (end == SIZE_MAX) {
            return error_set(err, STATUS_MALFORMED,
                             "not valid JSON: a comment without end, at byte %zu", at);
        }
        if (end > at) {
            memset(text + at, ' ', end - at);
            at = end;
            continue;
        }
        char c = text[at];
        if ((c == ']' || c == '}') && comma > 0) {
            text[comma] = ' ';
        }
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
            comma = c == ',' && before != '[' && before != '{' ? at : 0;
            before = c;
        }
        at = c == '"' ? string_end(text, length, at) : at + 1;
    }
    return STATUS_OK;
}

enum status json_parse_config(const char *text, size_t length, cJSON **out, struct error *err) {
    char *copy = copy_text(text, length, err);
    if (copy == NULL) {
        return STATUS_NO_MEMORY;
    }
    enum status status = blank_extensions(copy, length, err);
    if (status == STATUS_OK) {
        status = parse_strict(copy, length, NULL, out, err);
    }
    crypto_wipe(copy, length); /* settings hold connection strings */
    free(copy);
    return status;
}

/* The recursion is at most JSON_MAX_DEPTH deep. */
static void wipe_strings(cJSON *value) {
    if (value->valuestring != NULL) { /* strings and numbers have one */
        crypto_wipe(value->valuestring, strlen(value->valuestring));
    }
    for (cJSON *child = value->child; child != NULL; child = child->next) {
        wipe_strings(child);
    }
}

void json_delete_wiped(cJSON *root) {
    if (root == NULL) {
        return;
    }
    wipe_strings(root);
    cJSON_Delete(root);
}

const char *json_string(const cJSON *object, const char *key) {
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static bool digits_to_int64(const char *text, int64_t *out) {
    const char *digits = text[0] == '-' ? text + 1 : text;
    if (digits[0] == '\0' || digits[strspn(digits, "0123456789")] != '\0') {
        return false;
    }
    errno = 0;
    int64_t value = strtoll(text, NULL, 10);
    if (errno != 0) {
        return false;
    }
    *out = value;
    return true;
}

/* A number as text: `digits` without the point, times ten to the power of `exponent`. */
struct decimal {
    char digits[JSON_MAX_NUMBER_LENGTH]; /* json_syntax.c refuses longer numbers */
    size_t length;
    long exponent;
    bool negative;
};

static struct decimal read_decimal(const char *number) {
    struct decimal decimal = {.negative = number[0] == '-'};
    bool behind_point = false;
    const char *at = number + decimal.negative;
    for (; *at != '\0' && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            behind_point = true;
        } else if (decimal.length > 0 || *at != '0') { /* leading zeros are left out */
            decimal.digits[decimal.length++] = *at;
        }
        decimal.exponent -= behind_point && *at != '.';
    }
    /* strtol returns LONG_MIN or LONG_MAX for an exponent beyond them. */
    long exponent = *at == '\0' ? 0 : strtol(at + 1, NULL, 10);
    bool is_huge = exponent > 1000 || exponent < -1000;
    decimal.exponent += is_huge ? (exponent > 0 ? 1000 : -1000) : exponent;
    for (; decimal.length > 0 && decimal.digits[decimal.length - 1] == '0'; decimal.length--) {
        decimal.exponent++;
    }
    return decimal;
}

bool json_whole_number(const cJSON *item, int64_t *out) {
    if (!cJSON_IsNumber(item) || item->valuestring == NULL) {
        return false;
    }
    struct decimal decimal = read_decimal(item->valuestring);
    if (decimal.length == 0) {
        *out = 0;
        return true;
    }
    /* An int64_t has 19 digits at most. */
    if (decimal.exponent < 0 || (long)decimal.length + decimal.exponent > 19) {
        return false;
    }
    char text[24] = "-"; /* strtoll checks the range of int64_t */
    size_t sign = decimal.negative;
    memcpy(text + sign, decimal.digits, decimal.length);
    memset(text + sign + decimal.length, '0', (size_t)decimal.exponent);
    return digits_to_int64(text, out);
}

bool json_int64(const cJSON *object, const char *key, int64_t *out) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) ? digits_to_int64(item->valuestring, out)
                                : json_whole_number(item, out);
}

/* Returns the letter of the short escape, as the n of \n, or '\0' if there is none. */
static char short_escape(char c) {
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    if (c == '\0' || strchr(from, c) == NULL) {
        return '\0';
    }
    return to[strchr(from, c) - from];
}

/* Returns how many bytes at the start of `text` need one escape; 0: none. */
static size_t escaped_length(const char *text) {
    if ((unsigned char)text[0] < ' ' || text[0] == '"' || text[0] == '\\') {
        return 1;
    }
    return text[0] == '\xE2' && text[1] == '\x80' && (text[2] == '\xA8' || text[2] == '\xA9') ? 3
                                                                                              : 0;
}

static void append_escape(struct strbuf *out, const char *text, size_t length) {
    char letter = short_escape(text[0]);
    strbuf_append_char(out, '\\');
    if (letter != '\0') {
        strbuf_append_char(out, letter);
    } else {
        strbuf_appendf(out, "u%04x",
                       length == 3 ? 0x2028U + (text[2] == '\xA9') : (unsigned char)text[0]);
    }
}

void json_append_string(struct strbuf *out, const char *text) {
    strbuf_append_char(out, '"');
    while (*text != '\0') {
        size_t plain = 0, escaped = 0;
        while (text[plain] != '\0' && (escaped = escaped_length(text + plain)) == 0) {
            plain++;
        }
        strbuf_append(out, text, plain);
        text += plain;
        if (escaped > 0) {
            append_escape(out, text, escaped);
            text += escaped;
        }
    }
    strbuf_append_char(out, '"');
}

bool json_add_int64(cJSON *object, const char *key, int64_t value) {
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, value);
    return cJSON_AddRawToObject(object, key, digits) != NULL;
}
