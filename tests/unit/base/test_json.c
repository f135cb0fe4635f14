#include "base/json.h"

#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "support/processes/check_main.h"

/* A copy of exactly `length` bytes, so that AddressSanitizer sees a read beyond them. */
static enum status parse_bytes(const char *text, size_t length, cJSON **out, struct error *err) {
    char *bytes = malloc(length == 0 ? 1 : length);
    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, text, length);
    enum status status = json_parse(length == 0 ? bytes + 1 : bytes, length, out, err);
    free(bytes);
    return status;
}

static cJSON *parse(const char *text) {
    cJSON *value = NULL;
    struct error err = {.message = "-"};
    enum status status = parse_bytes(text, strlen(text), &value, &err);
    ck_assert_msg(status == STATUS_OK, "%s: %s", text, err.message);
    return value;
}

/* ---- the syntax ---- */

static const char *const accepted[] = {
    "{}",
    "[]",
    " \t\r\n{ \"a\" : [ 1 , 2 ] } \n",
    "null",
    "true",
    "false",
    "\"\"",
    "0",
    "-0",
    "10",
    "1.5",
    "-0.25e-3",
    "1E+2",
    "0e0",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
    "\"\\\\u0000\"", /* a backslash and the letters u0000 */
    "\"\\uD83D\\uDE00\"",
    "\"\\ud83d\\ude00x\"",
    "\"\xC3\xA9\xE2\x9C\x93\xF0\x9F\x98\x80\x7F\"",
    "{\"a\":1,\"A\":2}", /* keys compare by case */
    "{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":1}]}",
    "{\"\":1}",
    "[[],[[]],{}]",
    "123456789012345678901234567890123456789012345678901234567890123", /* 63 digits */
};

START_TEST(json_is_accepted) {
    cJSON_Delete(parse(accepted[_i]));
}
END_TEST

#define TEXT(literal) literal, sizeof(literal) - 1

static const struct {
    const char *text;
    size_t length;
    const char *reason; /* stands in the message */
} refused[] = {
    {TEXT(""), "end of the text"},
    {TEXT("  \n"), "end of the text"},
    {TEXT("{"), "no key in quotes where one must be, at byte 1"},
    {TEXT("{\"a\""), "no ':'"},
    {TEXT("{\"a\":"), "end of the text where a value must be, at byte 5"},
    {TEXT("{\"a\":1"), "neither ',' nor '}'"},
    {TEXT("{\"a\":1,"), "no key in quotes"},
    {TEXT("{\"a\":1,}"), "no key in quotes where one must be, at byte 7"},
    {TEXT("{\"a\" 1}"), "no ':'"},
    {TEXT("{a:1}"), "no key in quotes"},
    {TEXT("{1:1}"), "no key in quotes"},
    {TEXT("{,}"), "no key in quotes"},
    {TEXT("{\"a\":1 \"b\":2}"), "neither ',' nor '}'"},
    {TEXT("["), "end of the text"},
    {TEXT("[1"), "neither ',' nor ']'"},
    {TEXT("[1,"), "end of the text"},
    {TEXT("[1,]"), "no JSON value, at byte 3"},
    {TEXT("[,1]"), "no JSON value"},
    {TEXT("[1 2]"), "neither ',' nor ']'"},
    {TEXT("[1}"), "neither ',' nor ']'"},
    {TEXT("]"), "no JSON value"},
    /* after the value */
    {TEXT("{} x"), "more after the value, at byte 3"},
    {TEXT("{}{}"), "more after the value"},
    {TEXT("{}\0"), "more after the value, at byte 2"},
    {TEXT("1 2"), "more after the value"},
    {TEXT("nullx"), "more after the value"},
    {TEXT("{},"), "more after the value"},
    /* between tokens */
    {TEXT("\0{}"), "no JSON value, at byte 0"},
    {TEXT("{\"a\":\0}"), "no JSON value"},
    {TEXT("[1,\v2]"), "no JSON value"},
    {TEXT("[\x01]"), "no JSON value"},
    {TEXT("\xEF\xBB\xBF{}"), "no JSON value"},
    {TEXT("{} // x"), "more after the value"},
    {TEXT("/* x */{}"), "no JSON value"},
    /* words */
    {TEXT("nul"), "no JSON value"},
    {TEXT("True"), "no JSON value"},
    {TEXT("NaN"), "no JSON value"},
    {TEXT("Infinity"), "no JSON value"},
    {TEXT("undefined"), "no JSON value"},
    /* numbers */
    {TEXT("01"), "leading zero, at byte 0"},
    {TEXT("-01"), "leading zero"},
    {TEXT("[00]"), "leading zero"},
    {TEXT("1."), "without a digit where one must be, at byte 2"},
    {TEXT("1.e5"), "without a digit"},
    {TEXT("-"), "without a digit"},
    {TEXT("-.5"), "without a digit"},
    {TEXT(".5"), "no JSON value"},
    {TEXT("+1"), "no JSON value"},
    {TEXT("-Infinity"), "without a digit"},
    {TEXT("1e"), "without a digit"},
    {TEXT("1e+"), "without a digit"},
    {TEXT("1e-x"), "without a digit"},
    {TEXT("1e+-2"), "without a digit"},
    {TEXT("1.2.3"), "more after the value"},
    {TEXT("0x10"), "more after the value"},
    {TEXT("[1-2]"), "neither ',' nor ']'"},
    {TEXT("1234567890123456789012345678901234567890123456789012345678901234"), "over 63"},
    /* strings */
    {TEXT("\""), "end of the text in a string"},
    {TEXT("\"a"), "end of the text in a string"},
    {TEXT("\"a\\"), "an escape that JSON does not have"},
    {TEXT("\"a\\\""), "end of the text in a string"},
    {TEXT("\"a\0b\""), "control character in a string, at byte 2"},
    {TEXT("\"a\nb\""), "control character"},
    {TEXT("\"\x1F\""), "control character"},
    {TEXT("\"\\x41\""), "an escape"},
    {TEXT("\"\\a\""), "an escape"},
    {TEXT("\"\\'\""), "an escape"},
    {TEXT("\"\\\0\""), "an escape"},
    {TEXT("\"\\u\""), "an escape"},
    {TEXT("\"\\u12\""), "an escape"},
    {TEXT("\"\\u12g4\""), "an escape"},
    {TEXT("\"\\u12@4\""), "an escape"},
    {TEXT("\"\\u+123\""), "an escape"},
    {TEXT("\"\\u123"), "an escape"},
    {TEXT("\"\\U00e9\""), "an escape"},
    {TEXT("'a'"), "no JSON value"},
    {TEXT("\"a\\u0000b\""), "\\u0000, at byte 2"},
    {TEXT("\"\\\\\\u0000\""), "\\u0000, at byte 3"},
    {TEXT("{\"a\\u0000\":1}"), "\\u0000"},
    {TEXT("\"\\uD83D\""), "surrogate"},
    {TEXT("\"\\uDE00\""), "surrogate"},
    {TEXT("\"\\uDE00\\uD83D\""), "surrogate"},
    {TEXT("\"\\uD83D\\uD83D\""), "surrogate"},
    {TEXT("\"\\uD83Dx\""), "surrogate"},
    {TEXT("\"\\uD83D\\n\""), "surrogate"},
    {TEXT("\"\\uD83D\\u0041\""), "surrogate"},
    {TEXT("\"\\uD83D\\uDE"), "surrogate"},
    {TEXT("\"\\uD83D\\uE000\""), "surrogate"},
    {TEXT("\"\xC3\""), "not UTF-8, at byte 1"},
    {TEXT("\"\xFF\""), "not UTF-8"},
    {TEXT("\"\xC0\x80\""), "not UTF-8"},
    {TEXT("\"\xED\xA0\x80\""), "not UTF-8"},
    {TEXT("\"\xE2\x9C"), "not UTF-8"},
    {TEXT("{\"\xFF\":1}"), "not UTF-8"},
    /* keys */
    {TEXT("{\"a\":1,\"a\":1}"), "\"a\" is twice"},
    {TEXT("{\"a\":1,\"b\":2,\"\\u0061\":3}"), "\"a\" is twice"},
    {TEXT("[{\"x\":{\"k\":1,\"k\":null}}]"), "\"k\" is twice"},
    {TEXT("{\"\":1,\"\":2}"), "\"\" is twice"},
};

START_TEST(what_is_not_json_is_refused_with_the_reason) {
    cJSON *value = NULL;
    struct error err = {.message = "-"};
    const char *text = refused[_i].text;
    ck_assert_msg(parse_bytes(text, refused[_i].length, &value, &err) == STATUS_MALFORMED, "%s",
                  text);
    ck_assert_ptr_null(value);
    ck_assert_int_eq(err.status, STATUS_MALFORMED);
    ck_assert_msg(strstr(err.message, refused[_i].reason) != NULL, "%s: %s", text, err.message);
}
END_TEST

START_TEST(what_follows_the_length_is_not_read) {
    cJSON *value = NULL;
    ck_assert_int_eq(parse_bytes("{}garbage", 2, &value, NULL), STATUS_OK);
    cJSON_Delete(value);
    ck_assert_int_eq(parse_bytes("12345", 3, &value, NULL), STATUS_OK);
    ck_assert_int_eq((int)value->valuedouble, 123);
    cJSON_Delete(value);
}
END_TEST

/* `depth` brackets around nothing; arrays and objects by turns. */
static void nest(struct strbuf *out, int depth) {
    strbuf_clear(out);
    for (int i = 0; i < depth; i++) {
        strbuf_append_string(out, i % 2 == 0 ? "[" : "{\"k\":");
    }
    if (depth % 2 == 0) {
        strbuf_append_char(out, '0');
    }
    for (int i = depth - 1; i >= 0; i--) {
        strbuf_append_char(out, i % 2 == 0 ? ']' : '}');
    }
}

START_TEST(nesting_is_limited) {
    struct strbuf text;
    cJSON *value = NULL;
    struct error err;
    strbuf_init(&text, 1000);
    nest(&text, JSON_MAX_DEPTH);
    cJSON_Delete(parse(text.data));
    nest(&text, JSON_MAX_DEPTH + 1);
    ck_assert_int_eq(parse_bytes(text.data, text.length, &value, &err), STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(err.message, "too deep nesting"));
    strbuf_cleanup(&text);
    static char brackets[1 << 20];
    memset(brackets, '[', sizeof brackets);
    ck_assert_int_eq(json_parse(brackets, sizeof brackets, &value, NULL), STATUS_MALFORMED);
}
END_TEST

START_TEST(depth_is_counted_and_not_the_number_of_values) {
    struct strbuf text;
    strbuf_init(&text, 1000);
    for (int i = 0; i < 100; i++) {
        strbuf_append_string(&text, i == 0 ? "[[]" : ",[]");
    }
    strbuf_append_char(&text, ']');
    cJSON_Delete(parse(text.data));
    strbuf_cleanup(&text);
}
END_TEST

/* All pairs of these would be 2 * 10^10 comparisons: libcheck's time would run out. */
START_TEST(many_keys_are_compared_quickly) {
    enum { COUNT = 200000 };
    char *text = malloc(COUNT * 12 + 32);
    ck_assert_ptr_nonnull(text);
    size_t length = (size_t)sprintf(text, "{\"k\":0");
    for (int i = 0; i < COUNT; i++) {
        length += (size_t)sprintf(text + length, ",\"%x\":0", (unsigned)i);
    }
    text[length] = '}';
    cJSON *value = NULL;
    ck_assert_int_eq(json_parse(text, length + 1, &value, NULL), STATUS_OK);
    cJSON_Delete(value);
    length += (size_t)sprintf(text + length, ",\"k\":0}");
    ck_assert_int_eq(json_parse(text, length, &value, NULL), STATUS_MALFORMED);
    free(text);
}
END_TEST

START_TEST(text_comes_through_unharmed) {
    cJSON *value = parse("{\"a\":\"\\\"\\u00e9\xE2\x9C\x93\\uD83D\\uDE00\\\\u0000\"}");
    ck_assert_str_eq(json_string(value, "a"), "\"\xC3\xA9\xE2\x9C\x93\xF0\x9F\x98\x80\\u0000");
    cJSON_Delete(value);
}
END_TEST

static int allocations_left;

static void *failing_malloc(size_t size) {
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

START_TEST(no_memory_is_told_apart_from_bad_json) {
    cJSON_Hooks hooks = {.malloc_fn = failing_malloc, .free_fn = free};
    const char *text = "{\"a\":[1,\"b\",{\"c\":null}]}";
    enum status status = STATUS_NO_MEMORY;
    int granted = 0;
    cJSON_InitHooks(&hooks);
    for (; status != STATUS_OK; granted++) {
        cJSON *value = NULL;
        allocations_left = granted;
        status = json_parse(text, strlen(text), &value, NULL);
        ck_assert(status == STATUS_OK ? value != NULL
                                      : status == STATUS_NO_MEMORY && value == NULL);
        cJSON_Delete(value);
    }
    cJSON_InitHooks(NULL);
    ck_assert_int_gt(granted, 6);
}
END_TEST

/* ---- what callers send ---- */

static enum status parse_sent(const char *text, bool any_case, cJSON **out) {
    return json_parse_sent(text, strlen(text), any_case, out, NULL);
}

START_TEST(a_nul_in_what_was_sent_is_another_control_character) {
    cJSON *value = NULL;
    ck_assert_int_eq(parse_sent("{\"a\\u0000b\":\"\\\\u0000\\u0000\\\\\\u0000c\"}", false, &value),
                     STATUS_OK);
    ck_assert_str_eq(json_string(value, "a\x01"
                                        "b"),
                     "\\u0000\x01\\\x01"
                     "c");
    cJSON_Delete(value);
    static const char text[] = "{\"a\":\"\\u0000";
    for (size_t length = 0; length < sizeof text; length++) {
        char *copy =
            malloc(length > 0 ? length : 1); /* exactly as long, for the address sanitizer */
        memcpy(copy, text, length);
        ck_assert_int_eq(json_parse_sent(copy, length, false, &value, NULL), STATUS_MALFORMED);
        free(copy);
    }
}
END_TEST

START_TEST(a_key_may_be_sent_once_in_any_case_where_that_is_asked_for) {
    static const char *const twice[] = {"{\"a\":1,\"A\":2}",
                                        "{\"x\":[{\"key\":1,\"b\":0,\"\\u004bEY\":2}]}",
                                        "{\"a\":1,\"b\":2,\"a\":3}"};
    cJSON *value = NULL;
    for (size_t i = 0; i < sizeof twice / sizeof twice[0]; i++) {
        ck_assert_msg(parse_sent(twice[i], true, &value) == STATUS_MALFORMED, "%s", twice[i]);
    }
    ck_assert_int_eq(parse_sent(twice[0], false, &value), STATUS_OK);
    cJSON_Delete(value);
    /* Letters beyond ASCII compare by case. */
    ck_assert_int_eq(parse_sent("{\"a\":1,\"B\":2,\"\xC3\xA4\":3,\"\xC3\x84\":4}", true, &value),
                     STATUS_OK);
    cJSON_Delete(value);
}
END_TEST

/* ---- configuration files ---- */

static const struct {
    const char *text;
    const char *plain; /* what cJSON prints of it; NULL: refused */
} configs[] = {
    {"\xEF\xBB\xBF{\"a\":1}", "{\"a\":1}"},
    {"// first\n{\"a\":1} // last", "{\"a\":1}"},
    {"/* first */{/**/\"a\"/*:2*/:/***/1/*/ */}/* last */", "{\"a\":1}"},
    {"{\"a\":\"http://x/*y*/\",\"b\":\"\\\"//\"}", "{\"a\":\"http://x/*y*/\",\"b\":\"\\\"//\"}"},
    {"{\"a\":\"\\\\\"//\"\n}", "{\"a\":\"\\\\\"}"},
    {"{//\r\"a\":1}", "{\"a\":1}"},
    {"{\"a\":[1,2,],}", "{\"a\":[1,2]}"},
    {"{\"a\":[1,/*x*/ // y\n ] , }", "{\"a\":[1]}"},
    {"{\"a\":\",]\"}", "{\"a\":\",]\"}"},
    {"{\"a\":[[],]}", "{\"a\":[[]]}"},
    {"", NULL},
    {"// only", NULL},
    {"\xEF\xBB\xBF", NULL},
    {"\xEF\xBB", NULL},
    {"\xEF\xBB\xBF\xEF\xBB\xBF{}", NULL},
    {"{}\xEF\xBB\xBF", NULL},
    {"{} /", NULL},
    {"{} /*", NULL},
    {"{} /*/", NULL},
    {"{} /* *", NULL},
    {"{\"a\":1 / 2}", NULL},
    {"{\"a\":tr/**/ue}", NULL},
    {"{\"a", NULL},
    {"{\"a\\", NULL},
    {"{\"a\\\"//", NULL},
    {"[,]", NULL},
    {"{,}", NULL},
    {"[1,,]", NULL},
    {"{\"a\":,}", NULL},
    {",", NULL},
    {"[1],", NULL},
    {",]", NULL},
    {"[1,/*x*/,]", NULL},
    {"{\"a\":1,\"a\":2}", "{\"a\":2}"},
    {"{\"a\":{\"b\":1},\"c\":[{\"d\":1,\"d\":null}],\"a\":{\"e\":2}}",
     "{\"c\":[{\"d\":null}],\"a\":{\"e\":2}}"},
    {"{\"a\":1,\"b\":2,\"a\":\"x\",\"A\":3,\"a\":[4],}", "{\"b\":2,\"A\":3,\"a\":[4]}"},
    {"'a'", NULL},
};

START_TEST(a_configuration_file_may_hold_what_dotnet_allows) {
    size_t length = strlen(configs[_i].text);
    char *text = malloc(length == 0 ? 1 : length); /* no NUL behind it */
    ck_assert_ptr_nonnull(text);
    memcpy(text, configs[_i].text, length);
    cJSON *value = NULL;
    enum status status = json_parse_config(text, length, &value, NULL);
    ck_assert_msg(memcmp(text, configs[_i].text, length) == 0, "the caller's text was changed");
    free(text);
    if (configs[_i].plain == NULL) {
        ck_assert_msg(status == STATUS_MALFORMED, "%s", configs[_i].text);
        ck_assert_ptr_null(value);
        return;
    }
    ck_assert_msg(status == STATUS_OK, "%s", configs[_i].text);
    char *printed = cJSON_PrintUnformatted(value);
    ck_assert_str_eq(printed, configs[_i].plain);
    free(printed);
    cJSON_Delete(value);
}
END_TEST

START_TEST(positions_in_a_configuration_file_are_those_of_the_file) {
    cJSON *value = NULL;
    struct error err;
    const char *text = "\xEF\xBB\xBF/* \xE2\x9C\x93 */ {\"a\":x}";
    ck_assert_int_eq(json_parse_config(text, strlen(text), &value, &err), STATUS_MALFORMED);
    char expected[32];
    snprintf(expected, sizeof expected, "at byte %zu", (size_t)(strchr(text, 'x') - text));
    ck_assert_ptr_nonnull(strstr(err.message, expected));
    ck_assert_int_eq(json_parse_config("{} /* x", 7, &value, &err), STATUS_MALFORMED);
    ck_assert_str_eq(err.message, "not valid JSON: a comment without end, at byte 3");
}
END_TEST

/* ---- members ---- */

START_TEST(a_string_member_is_found_by_its_exact_key) {
    cJSON *object = parse("{\"name\":\"value\",\"Name\":\"other\",\"number\":1,\"null\":null}");
    ck_assert_str_eq(json_string(object, "name"), "value");
    ck_assert_str_eq(json_string(object, "Name"), "other");
    ck_assert_ptr_null(json_string(object, "NAME"));
    ck_assert_ptr_null(json_string(object, "number"));
    ck_assert_ptr_null(json_string(object, "null"));
    ck_assert_ptr_null(json_string(object, "absent"));
    ck_assert_ptr_null(json_string(NULL, "name"));
    cJSON_Delete(object);
}
END_TEST

static const struct {
    const char *json;
    bool whole;
    int64_t value;
} numbers[] = {
    {"0", true, 0},
    {"-0", true, 0},
    {"5", true, 5},
    {"-5", true, -5},
    {"5.0", true, 5},
    {"1e3", true, 1000},
    {"2147483648", true, INT64_C(2147483648)},
    {"9007199254740991", true, INT64_C(9007199254740991)},
    {"-9007199254740991", true, INT64_C(-9007199254740991)},
    {"9007199254740992", true, INT64_C(9007199254740992)},
    {"9007199254740993", true, INT64_C(9007199254740993)}, /* as a double it would be ...992 */
    {"-9007199254740993", true, INT64_C(-9007199254740993)},
    {"9223372036854775807", true, INT64_MAX},
    {"9223372036854775808", false, 0},
    {"-9223372036854775808", true, INT64_MIN},
    {"-9223372036854775809", false, 0},
    {"9223372036854775807.000", true, INT64_MAX},
    {"922337203685477580.7e+1", true, INT64_MAX},
    {"1e18", true, INT64_C(1000000000000000000)},
    {"1e19", false, 0},
    {"1e30", false, 0},
    {"4.99999999999999999999", false, 0},
    {"9007199254740992.5", false, 0},
    {"0.00e-5", true, 0},
    {"-0.0e99999999999999999999", true, 0},
    {"1e-99999999999999999999", false, 0},
    {"1e99999999999999999999", false, 0},
    {"120e-1", true, 12},
    {"121e-1", false, 0},
    {"0.012E3", true, 12},
    {"1e999", false, 0},
    {"-1e999", false, 0},
    {"0.5", false, 0},
    {"-0.5", false, 0},
    {"5.000001", false, 0},
    {"\"0\"", true, 0},
    {"\"5\"", true, 5},
    {"\"-5\"", true, -5},
    {"\"9007199254740993\"", true, INT64_C(9007199254740993)},
    {"\"9223372036854775807\"", true, INT64_MAX},
    {"\"-9223372036854775808\"", true, INT64_MIN},
    {"\"9223372036854775808\"", false, 0},
    {"\"-9223372036854775809\"", false, 0},
    {"\"\"", false, 0},
    {"\"-\"", false, 0},
    {"\"+5\"", false, 0},
    {"\" 5\"", false, 0},
    {"\"5 \"", false, 0},
    {"\"5.0\"", false, 0},
    {"\"0x5\"", false, 0},
    {"\"--5\"", false, 0},
    {"null", false, 0},
    {"true", false, 0},
    {"[5]", false, 0},
};

START_TEST(whole_numbers_are_read_exactly_or_not_at_all) {
    char text[64];
    snprintf(text, sizeof text, "{\"n\":%s}", numbers[_i].json);
    cJSON *object = parse(text);
    int64_t value = -77;
    ck_assert_msg(json_int64(object, "n", &value) == numbers[_i].whole, "%s", text);
    ck_assert_int_eq(value, numbers[_i].whole ? numbers[_i].value : -77);
    ck_assert(!json_int64(object, "absent", &value));
    cJSON_Delete(object);
}
END_TEST

START_TEST(each_number_keeps_its_own_text) {
    cJSON *value = parse("{\"-1\":[\"\\\"7\",1.50,{\"3\":-2e0}],\"b\":\"9\",\"c\":0}");
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(value, "-1");
    ck_assert_str_eq(cJSON_GetArrayItem(array, 1)->valuestring, "1.50");
    ck_assert_str_eq(
        cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(array, 2), "3")->valuestring, "-2e0");
    ck_assert_str_eq(cJSON_GetObjectItemCaseSensitive(value, "c")->valuestring, "0");
    cJSON_Delete(value);
    value = parse("-12");
    ck_assert_str_eq(value->valuestring, "-12");
    cJSON_Delete(value);
}
END_TEST

static uint64_t next_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state ^ *state >> 29;
}

/* Numbers of every length come back, as numbers and as strings. */
START_TEST(random_whole_numbers_are_written_exactly) {
    uint64_t state = (uint64_t)_i + 1;
    for (int round = 0; round < 500; round++) {
        int64_t number = (int64_t)next_random(&state) >> (next_random(&state) % 64);
        cJSON *object = cJSON_CreateObject();
        ck_assert(json_add_int64(object, "n", number));
        char *printed = cJSON_PrintUnformatted(object);
        char expected[40], quoted[40];
        snprintf(expected, sizeof expected, "{\"n\":%lld}", (long long)number);
        ck_assert_str_eq(printed, expected);
        snprintf(quoted, sizeof quoted, "{\"n\":\"%lld\"}", (long long)number);
        int64_t value = -77;
        cJSON *again = parse(quoted);
        ck_assert(json_int64(again, "n", &value) && value == number);
        cJSON_Delete(again);
        again = parse(printed);
        value = -77;
        ck_assert(json_int64(again, "n", &value) && value == number);
        cJSON_Delete(again);
        free(printed);
        cJSON_Delete(object);
    }
}
END_TEST

START_TEST(adding_a_number_tells_when_there_is_no_memory) {
    cJSON_Hooks hooks = {.malloc_fn = failing_malloc, .free_fn = free};
    cJSON *object = cJSON_CreateObject();
    cJSON_InitHooks(&hooks);
    for (int granted = 0; granted < 3; granted++) {
        allocations_left = granted;
        ck_assert(!json_add_int64(object, "n", 1));
    }
    allocations_left = 3; /* the item, its text, its key */
    ck_assert(json_add_int64(object, "n", 1));
    cJSON_InitHooks(NULL);
    ck_assert_int_eq(cJSON_GetArraySize(object), 1);
    cJSON_Delete(object);
}
END_TEST

/* ---- mutations ---- */

/*
 * Whatever is done to a good text, what json_parse accepts is what cJSON prints and json_parse
 * accepts again.
 */
START_TEST(damaged_texts_are_refused_or_still_json) {
    static const char good[] = "{\"a\":[1,-2.5e3,\"x\\u00e9\\ud83d\\ude00\xC3\xA9\"],\"b\":{\"c\":"
                               "null,\"d\":[true,false]}} ";
    static const char damage[] = "\"\\{}[],:0-.eu \n\x01\x7F\xC3\xA9\xFFtx/*";
    uint64_t state = (uint64_t)_i + 1;
    for (int round = 0; round < 2000; round++) {
        char text[sizeof good];
        memcpy(text, good, sizeof good);
        for (uint64_t changes = next_random(&state) % 3 + 1; changes > 0; changes--) {
            text[next_random(&state) % sizeof text] =
                damage[next_random(&state) % sizeof damage]; /* its NUL too */
        }
        cJSON *value = NULL, *again = NULL;
        size_t length = next_random(&state) % sizeof text + 1;
        if (parse_bytes(text, length, &value, NULL) == STATUS_OK) {
            char *printed = cJSON_PrintUnformatted(value);
            ck_assert_int_eq(parse_bytes(printed, strlen(printed), &again, NULL), STATUS_OK);
            ck_assert(cJSON_Compare(value, again, true));
            free(printed);
            cJSON_Delete(again);
            cJSON_Delete(value);
        }
        if (json_parse_config(text, length, &value, NULL) == STATUS_OK) {
            cJSON_Delete(value);
        }
    }
}
END_TEST

static TCase *syntax_tests(void) {
    TCase *tcase = tcase_create("syntax");
    tcase_add_loop_test(tcase, json_is_accepted, 0, sizeof accepted / sizeof accepted[0]);
    tcase_add_loop_test(tcase, what_is_not_json_is_refused_with_the_reason, 0,
                        sizeof refused / sizeof refused[0]);
    tcase_add_test(tcase, what_follows_the_length_is_not_read);
    tcase_add_test(tcase, nesting_is_limited);
    tcase_add_test(tcase, depth_is_counted_and_not_the_number_of_values);
    tcase_add_test(tcase, many_keys_are_compared_quickly);
    tcase_add_test(tcase, text_comes_through_unharmed);
    tcase_add_test(tcase, no_memory_is_told_apart_from_bad_json);
    tcase_add_loop_test(tcase, damaged_texts_are_refused_or_still_json, 0, 10);
    return tcase;
}

static TCase *sent_tests(void) {
    TCase *tcase = tcase_create("sent");
    tcase_add_test(tcase, a_nul_in_what_was_sent_is_another_control_character);
    tcase_add_test(tcase, a_key_may_be_sent_once_in_any_case_where_that_is_asked_for);
    return tcase;
}

static TCase *config_tests(void) {
    TCase *tcase = tcase_create("configuration");
    tcase_add_loop_test(tcase, a_configuration_file_may_hold_what_dotnet_allows, 0,
                        sizeof configs / sizeof configs[0]);
    tcase_add_test(tcase, positions_in_a_configuration_file_are_those_of_the_file);
    return tcase;
}

static int secrets_freed;

/* Sees what is given back. */
static void free_and_look(void *memory) {
    secrets_freed += memory != NULL && strncmp(memory, "hunter2", 7) == 0;
    free(memory);
}

static int secrets_freed_by(void (*delete)(cJSON *)) {
    static const char text[] = "{\"a\":\"hunter2\",\"b\":[{\"c\":\"hunter2\"},1,null]}";
    cJSON *root = NULL;
    ck_assert_int_eq(json_parse(text, sizeof text - 1, &root, NULL), STATUS_OK);
    secrets_freed = 0;
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = malloc, .free_fn = free_and_look});
    delete (root);
    cJSON_InitHooks(NULL);
    return secrets_freed;
}

START_TEST(a_string_is_written_as_cjson_reads_it) {
    char all[256] = "";
    for (int c = 1; c < 256; c++) {
        all[c - 1] = (char)c;
    }
    const char *const texts[] = {"", "plain", "\"", "\\", "a\"b\\c\"", "\xC3\xA4 \xE2\x82\xAC",
                                 all};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct strbuf out;
        strbuf_init(&out, SIZE_MAX);
        json_append_string(&out, texts[i]);
        cJSON *read = cJSON_ParseWithLength(out.data, out.length);
        ck_assert_str_eq(cJSON_GetStringValue(read), texts[i]);
        cJSON_Delete(read);
        strbuf_cleanup(&out);
    }
}
END_TEST

START_TEST(a_string_is_written_on_one_line_whatever_is_in_it) {
    /*
     * U+2028 twice in a row, U+2029, U+2026 (begins with the same bytes), and the first bytes of
     * them at the end.
     */
    static const struct {
        const char *text, *written;
    } cases[] = {
        {"\xE2\x80\xA8\xE2\x80\xA8|\xE2\x80\xA9|\xE2\x80\xA6",
         "\"\\u2028\\u2028|\\u2029|\xE2\x80\xA6\""},
        {"|\b\f\n\r\t|\x01\x1f\x7f|/", "\"|\\b\\f\\n\\r\\t|\\u0001\\u001f\x7f|/\""},
        {"\xE2\x82\xAC|\xE2\x80", "\"\xE2\x82\xAC|\xE2\x80\""},
        {"\xE2", "\"\xE2\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf out;
        strbuf_init(&out, SIZE_MAX);
        json_append_string(&out, cases[i].text);
        ck_assert_str_eq(out.data, cases[i].written);
        strbuf_cleanup(&out);
    }
}
END_TEST

START_TEST(a_tree_with_secrets_is_wiped_before_it_is_freed) {
    ck_assert_int_eq(secrets_freed_by(cJSON_Delete), 2); /* or the look sees nothing */
    ck_assert_int_eq(secrets_freed_by(json_delete_wiped), 0);
    json_delete_wiped(NULL);
}
END_TEST

static TCase *member_tests(void) {
    TCase *tcase = tcase_create("members");
    tcase_add_test(tcase, a_string_member_is_found_by_its_exact_key);
    tcase_add_loop_test(tcase, whole_numbers_are_read_exactly_or_not_at_all, 0,
                        sizeof numbers / sizeof numbers[0]);
    tcase_add_test(tcase, each_number_keeps_its_own_text);
    tcase_add_loop_test(tcase, random_whole_numbers_are_written_exactly, 0, 4);
    tcase_add_test(tcase, adding_a_number_tells_when_there_is_no_memory);
    tcase_add_test(tcase, a_string_is_written_as_cjson_reads_it);
    tcase_add_test(tcase, a_string_is_written_on_one_line_whatever_is_in_it);
    tcase_add_test(tcase, a_tree_with_secrets_is_wiped_before_it_is_freed);
    return tcase;
}

int main(void) {
    Suite *suite = suite_create("json");
    suite_add_tcase(suite, syntax_tests());
    suite_add_tcase(suite, sent_tests());
    suite_add_tcase(suite, config_tests());
    suite_add_tcase(suite, member_tests());
    return check_main(suite);
}
