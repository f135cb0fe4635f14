#include "base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/json_syntax.h"

static int compare_keys(const void *left, const void *right) {
    const cJSON *const *a = left;
    const cJSON *const *b = right;
    return strcmp((*a)->string, (*b)->string);
}

/* Sorts the keys rather than comparing all pairs: a caller's 64 KiB may hold ten thousand of them. */
static enum status check_object_keys(const cJSON *object, struct error *err) {
    size_t count = (size_t)cJSON_GetArraySize(object);
    if (count < 2) {
        return STATUS_OK;
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
    qsort(members, count, sizeof *members, compare_keys);
    enum status status = STATUS_OK;
    for (size_t i = 1; i < count && status == STATUS_OK; i++) {
        if (compare_keys(&members[i - 1], &members[i]) == 0) {
            status = error_set(err, STATUS_MALFORMED, "the key \"%.64s\" is twice in one object", members[i]->string);
        }
    }
    free(members);
    return status;
}

static enum status check_keys(const cJSON *value, struct error *err) {
    enum status status = cJSON_IsObject(value) ? check_object_keys(value, err) : STATUS_OK;
    for (const cJSON *child = value->child; child != NULL && status == STATUS_OK; child = child->next) {
        status = check_keys(child, err);
    }
    return status;
}

enum status json_parse(const char *text, size_t length, cJSON **out, struct error *err) {
    enum status status = json_syntax_check(text, length, err);
    if (status != STATUS_OK) {
        return status;
    }
    cJSON *value = cJSON_ParseWithLength(text, length);
    if (value == NULL) { /* not the text's fault: it has been checked */
        return error_set(err, STATUS_NO_MEMORY, "no memory for %zu bytes of JSON", length);
    }
    status = check_keys(value, err);
    if (status != STATUS_OK) {
        json_delete_wiped(value);
        return status;
    }
    *out = value;
    return STATUS_OK;
}

static size_t string_end(const char *text, size_t length, size_t start) {
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

/* Where the comment that starts at `start` ends: `start` if none starts there, SIZE_MAX if it does not end. */
static size_t comment_end(const char *text, size_t length, size_t start) {
    if (length - start < 2 || text[start] != '/' || (text[start + 1] != '/' && text[start + 1] != '*')) {
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
 * Overwrites with spaces what .NET takes and JSON does not, so that positions in messages stay true. (Source: .NET's
 * JsonConfigurationFileParser reads with CommentHandling = Skip and AllowTrailingCommas = true.)
 */
static enum status blank_extensions(char *text, size_t length, struct error *err) {
    char before = '\0'; /* the last byte that is neither space nor comment */
    size_t comma = 0;   /* where `before` is, if it is a comma after an element or member */
    for (size_t at = blank_byte_order_mark(text, length); at < length;) {
        size_t end = comment_end(text, length, at);
        if (end == SIZE_MAX) {
            return error_set(err, STATUS_MALFORMED, "not valid JSON: a comment without end, at byte %zu", at);
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
    char *copy = malloc(length + 1);
    if (copy == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for %zu bytes of JSON", length);
    }
    if (length > 0) {
        memcpy(copy, text, length);
    }
    enum status status = blank_extensions(copy, length, err);
    if (status == STATUS_OK) {
        status = json_parse(copy, length, out, err);
    }
    explicit_bzero(copy, length); /* settings hold connection strings */
    free(copy);
    return status;
}

/* The depth is at most JSON_MAX_DEPTH. */
static void wipe_strings(cJSON *value) {
    if (cJSON_IsString(value)) {
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

bool json_int64(const cJSON *object, const char *key, int64_t *out) {
    static const double last_exact =
        9007199254740991.0; /* 2^53 - 1; from 2^53 on, what was written may have been rounded */
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (cJSON_IsString(item)) {
        return digits_to_int64(item->valuestring, out);
    }
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= -last_exact && item->valuedouble <= last_exact)) {
        return false;
    }
    int64_t value = (int64_t)item->valuedouble;
    if ((double)value < item->valuedouble || (double)value > item->valuedouble) {
        return false;
    }
    *out = value;
    return true;
}

bool json_add_int64(cJSON *object, const char *key, int64_t value) {
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, value);
    return cJSON_AddRawToObject(object, key, digits) != NULL;
}
