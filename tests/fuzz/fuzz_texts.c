/*
 * Text: UTF-8, texts of others made clean, JSON, JSON as configuration files have it, base64,
 * percent-encoding.
 */
#include <math.h>
#include <string.h>

#include "base/clean_text.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/json_syntax.h"
#include "base/utf8.h"
#include "fuzz/input.h"

#define UNRESERVED "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

/* Encodes one code point by the table of RFC 3629. */
static size_t encode(uint32_t code_point, char out[4]) {
    static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t length = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    out[0] = (char)(marks[length] | code_point);
    return length;
}

static void check_utf8(const char *bytes, size_t length) {
    size_t at = 0;
    while (at < length) {
        uint32_t code_point;
        char again[4];
        size_t taken = utf8_decode(bytes + at, length - at, &code_point);
        if (taken == 0) {
            break;
        }
        REQUIRE(code_point <= 0x10ffff && (code_point < 0xd800 || code_point > 0xdfff));
        REQUIRE(encode(code_point, again) == taken && memcmp(again, bytes + at, taken) == 0);
        at += taken;
    }
    REQUIRE(utf8_is_valid(bytes, length) == (at == length));
}

/* Changes `text`. */
static void check_line(char *text) {
    bool was_valid = utf8_is_valid(text, strlen(text));
    utf8_make_line(text);
    REQUIRE(strpbrk(text, "\r\n\t\x7f") == NULL);
    REQUIRE(!was_valid || utf8_is_valid(text, strlen(text)));
}

/* The cleaned text has nothing of a signature, wherever that stands in the text. */
static void check_clean(const char *bytes, size_t length, size_t at) {
    static const char signature[] = "5Fp3jxYd2+0sSgT3/X4Zb1cQnLq9v7wVxkRmUeHiA8o=",
                      part[] = "5Fp3jxYd2+0sSgT3";
    char cleaned[128];
    struct strbuf text;
    strbuf_init(&text, SIZE_MAX);
    at = at < length ? at : length;
    strbuf_append(&text, bytes, at);
    strbuf_append_string(&text, signature);
    strbuf_append(&text, bytes + at, length - at);
    clean_text_copy(text.data, text.length, cleaned, sizeof cleaned);
    REQUIRE(strlen(cleaned) < sizeof cleaned && strpbrk(cleaned, "\r\n\t\x7f") == NULL);
    REQUIRE(strstr(cleaned, part) == NULL || memmem(bytes, length, part, strlen(part)) != NULL);
    clean_text_copy(bytes, length, cleaned, sizeof cleaned);
    REQUIRE(strlen(cleaned) < sizeof cleaned && strpbrk(cleaned, "\r\n\t\x7f") == NULL);
    strbuf_cleanup(&text);
}

/* A number that is too large for a double (1e999) becomes infinity, which cJSON writes as null. */
static bool has_infinity(const cJSON *value) {
    bool found = cJSON_IsNumber(value) && isinf(value->valuedouble);
    for (const cJSON *child = value->child; child != NULL && !found; child = child->next) {
        found = has_infinity(child);
    }
    return found;
}

/* The value is the same when it is printed and read again, also as a configuration file. */
static void check_value(const cJSON *value, const char *bytes, size_t length) {
    cJSON *again = NULL;
    char *text = cJSON_PrintUnformatted(value);
    REQUIRE(text != NULL && json_parse(text, strlen(text), &again, NULL) == STATUS_OK);
    REQUIRE(cJSON_Compare(value, again, true) || has_infinity(value));
    cJSON_Delete(again);
    again = NULL;
    REQUIRE(json_parse_config(bytes, length, &again, NULL) == STATUS_OK);
    REQUIRE(cJSON_Compare(value, again, true) || has_infinity(value));
    cJSON_Delete(again);
    cJSON_free(text);
    REQUIRE(utf8_is_valid(bytes, length));
    /* The only control characters are white space. */
    for (size_t i = 0; i < length; i++) {
        REQUIRE((unsigned char)bytes[i] >= ' ' || bytes[i] == '\t' || bytes[i] == '\n' ||
                bytes[i] == '\r');
    }
}

static void check_json(const char *bytes, size_t length) {
    cJSON *value = NULL;
    struct error err = {0};
    bool is_syntax = json_syntax_check(bytes, length, &err) == STATUS_OK;
    REQUIRE(is_syntax || (err.status == STATUS_MALFORMED && err.message[0] != '\0'));
    if (json_parse(bytes, length, &value, &err) == STATUS_OK) {
        REQUIRE(is_syntax);
        check_value(value, bytes, length);
        cJSON_Delete(value);
    } else { /* beyond the syntax, only repeated keys are refused */
        REQUIRE(value == NULL && err.status == STATUS_MALFORMED);
        REQUIRE(!is_syntax || strstr(err.message, "twice") != NULL);
    }
}

static void check_config(const char *bytes, size_t length) {
    cJSON *value = NULL;
    if (json_parse_config(bytes, length, &value, NULL) == STATUS_OK) {
        char *text = cJSON_PrintUnformatted(value);
        REQUIRE(text != NULL && input_is_json(text, strlen(text)));
        cJSON_free(text);
    }
    cJSON_Delete(value);
}

static void check_encodings(const char *bytes, size_t length, const char *text) {
    struct strbuf out, again;
    strbuf_init(&out, SIZE_MAX);
    strbuf_init(&again, SIZE_MAX);
    if (crypto_base64_decode(text, &out) == STATUS_OK) {
        crypto_base64_encode(out.data, out.length, &again);
        REQUIRE(strcmp(again.data, text) == 0);
    } else {
        REQUIRE(out.length == 0);
    }
    strbuf_clear(&out);
    strbuf_clear(&again);
    crypto_base64_encode(bytes, length, &out);
    REQUIRE(crypto_base64_decode(out.data, &again) == STATUS_OK);
    REQUIRE(again.length == length && (length == 0 || memcmp(again.data, bytes, length) == 0));
    strbuf_clear(&out);
    strbuf_append_percent_encoded(&out, text);
    REQUIRE(strspn(out.data, UNRESERVED "%") == out.length);
    strbuf_cleanup(&again);
    strbuf_cleanup(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = input_of(data, size), same = input;
    size_t length;
    char *bytes = input_take_bytes(&input, &length), *text = input_take_text(&same);
    check_utf8(bytes, length);
    check_json(bytes, length);
    check_config(bytes, length);
    check_encodings(bytes, length, text);
    check_line(text);
    check_clean(bytes, length, length > 0 ? (unsigned char)bytes[0] : 0);
    free(text);
    free(bytes);
    return 0;
}
