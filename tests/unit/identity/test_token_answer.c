#include "identity/token_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/processes/check_main.h"

#define NOON_MS 1737288000000LL /* 2025-01-19T12:00:00Z */
#define NOON "1737288000"
#define IN_AN_HOUR "1737291600"

static const struct token_moment at = {.now_ms = 5000, .wall_ms = NOON_MS};
static struct token token;
static struct error err;

static void set_up(void) {
    token_init(&token);
    memset(&err, 0, sizeof err);
}

static void tear_down(void) {
    token_cleanup(&token);
}

static struct strbuf text_of(const char *text) {
    struct strbuf buf;
    strbuf_init(&buf, SIZE_MAX);
    strbuf_append_string(&buf, text);
    return buf;
}

static enum status read_text(const char *text) {
    struct strbuf body = text_of(text);
    enum status status = token_answer_read(&body, &at, &token, &err);
    strbuf_cleanup(&body);
    return status;
}

static enum status read_cli(const char *text) {
    struct strbuf body = text_of(text);
    enum status status = token_answer_read_cli(&body, &at, &token, &err);
    strbuf_cleanup(&body);
    return status;
}

#define TOKEN "\"access_token\":\"ey.J0\""

static const struct {
    const char *text;
    int64_t expires_s; /* after `at` */
    int64_t refresh_s;
} good[] = {
    {"{" TOKEN ",\"expires_in\":3600,\"token_type\":\"Bearer\"}", 3600, 3300},
    {"{" TOKEN ",\"expires_in\":\"3600\",\"token_type\":\"bearer\",\"ext_expires_in\":0}", 3600,
     3300},
    {"{" TOKEN ",\"expires_on\":\"" IN_AN_HOUR "\",\"not_before\":\"" NOON "\"}", 3600, 3300},
    {"{" TOKEN ",\"expires_on\":" IN_AN_HOUR "}", 3600, 3300},
    {"{" TOKEN ",\"expires_in\":60,\"expires_on\":\"" IN_AN_HOUR "\"}", 60, 30},
    {"{" TOKEN ",\"expires_in\":86400,\"expires_on\":\"" IN_AN_HOUR "\"}", 3600,
     3300}, /* issued 23 hours ago */
    {"{" TOKEN ",\"expires_in\":3600,\"expires_on\":\"" NOON "\"}", 3600,
     3300}, /* a clock is wrong */
    {"{" TOKEN ",\"expires_in\":3600,\"expires_on\":\"later\"}", 3600, 3300},
    {"{" TOKEN ",\"expires_in\":601}", 601, 301},
    {"{" TOKEN ",\"expires_in\":600}", 600, 300},
    {"{" TOKEN ",\"expires_in\":598}", 598, 299},
    {"{" TOKEN ",\"expires_in\":86400,\"refresh_in\":43200}", 86400, 43200},
    {"{" TOKEN ",\"expires_in\":86400,\"refresh_in\":\"43200\"}", 86400, 43200},
    {"{" TOKEN ",\"expires_in\":3600,\"refresh_in\":3599}", 3600, 3599},
    {"{" TOKEN ",\"expires_in\":3600,\"refresh_in\":3600}", 3600,
     3300}, /* that would be too late */
    {"{" TOKEN ",\"expires_in\":3600,\"refresh_in\":0}", 3600, 3300},
    {"{" TOKEN ",\"expires_in\":3600,\"refresh_in\":-5}", 3600, 3300},
    {"{" TOKEN ",\"expires_in\":604800}", 604800, 604500},
};

START_TEST(a_token_lasts_as_long_as_its_answer_says) {
    ck_assert_msg(read_text(good[_i].text) == STATUS_OK, "%s: %s", good[_i].text, err.message);
    ck_assert_str_eq(token.text.data, "ey.J0");
    ck_assert_int_eq(token.expires_ms, at.now_ms + good[_i].expires_s * 1000);
    ck_assert_int_eq(token.refresh_ms, at.now_ms + good[_i].refresh_s * 1000);
}
END_TEST

START_TEST(a_token_of_one_second_is_renewed_half_way) {
    ck_assert_int_eq(read_text("{" TOKEN ",\"expires_in\":1}"), STATUS_OK);
    ck_assert_int_eq(token.expires_ms, 6000);
    ck_assert_int_eq(token.refresh_ms, 5500);
}
END_TEST

#define HOUR_BY_DATE(date) "{" TOKEN ",\"expires_on\":\"" date "\"}"

/* Forms of one moment, an hour after `at`. test_token_date.c tests all forms. */
static const char *const dated[] = {
    HOUR_BY_DATE(IN_AN_HOUR),
    HOUR_BY_DATE("2025-01-19T13:00:00+00:00"),
    HOUR_BY_DATE("2025-01-19T13:00:00.1234567Z"),
    HOUR_BY_DATE("2025-01-19 13:00:00"),
    HOUR_BY_DATE("01/19/2025 13:00:00 +00:00"),
    HOUR_BY_DATE("1/19/2025 1:00:00 PM +00:00"),
    HOUR_BY_DATE("Sun, 19 Jan 2025 13:00:00 GMT"),
    "{" TOKEN ",\"expires_in\":\"soon\",\"expires_on\":\"2025-01-19T15:00:00+02:00\"}",
    "{" TOKEN ",\"expires_in\":-1,\"expires_on\":" IN_AN_HOUR "}",
    "{" TOKEN ",\"expires_in\":86400,\"expires_on\":\"1/19/2025 1:00:00 PM +00:00\"}",
};

START_TEST(a_date_of_expiry_is_read_in_every_known_form) {
    setenv("TZ", "EET-2", 1); /* only az writes local times */
    tzset();
    ck_assert_msg(read_text(dated[_i]) == STATUS_OK, "%s: %s", dated[_i], err.message);
    ck_assert_int_eq(token.expires_ms, at.now_ms + 3600 * 1000);
}
END_TEST

/* Without a usable lifetime. */
static const char *const undated[] = {
    "{" TOKEN "}",
    "{" TOKEN ",\"expires_in\":null,\"expires_on\":null}",
    "{" TOKEN ",\"expires_in\":\"soon\"}",
    "{" TOKEN ",\"expires_in\":1.5}",
    "{" TOKEN ",\"expires_in\":1e300}",
    "{" TOKEN ",\"expires_in\":[3600]}",
    "{" TOKEN ",\"expires_in\":0}",
    "{" TOKEN ",\"expires_in\":-9223372036854775808}",
    "{" TOKEN ",\"expires_in\":\"-9223372036854775808\"}",
    "{" TOKEN ",\"expires_in\":604801}",
    "{" TOKEN ",\"expires_in\":\"9223372036854775807\"}",
    "{" TOKEN ",\"expires_on\":\"9223372036854775807\"}",
    "{" TOKEN ",\"expires_on\":9007199254740991}",
    "{" TOKEN ",\"expires_on\":-1}",
    "{" TOKEN ",\"expires_on\":\"" NOON "\"}",          /* over, says a clock */
    "{" TOKEN ",\"expires_on\":\"" IN_AN_HOUR "000\"}", /* milliseconds */
    "{" TOKEN ",\"expires_on\":\"next week\"}",
    "{" TOKEN ",\"expires_on\":\"\"}",
    "{" TOKEN ",\"expires_on\":\"2035-01-19T13:00:00Z\"}",
    "{" TOKEN ",\"expires_on\":{}}",
};

START_TEST(a_token_without_a_date_that_can_be_believed_is_taken_for_a_short_time) {
    ck_assert_msg(read_text(undated[_i]) == STATUS_OK, "%s: %s", undated[_i], err.message);
    ck_assert_str_eq(token.text.data, "ey.J0");
    ck_assert_int_eq(token.expires_ms, at.now_ms + TOKEN_ASSUMED_LIFETIME_S * 1000);
    ck_assert_int_eq(token.refresh_ms, at.now_ms + TOKEN_ASSUMED_LIFETIME_S * 500);
}
END_TEST

#define SECRET "hunter2"

static const struct {
    const char *text;
    const char *says;
} bad[] = {
    {"", "not JSON"},
    {"<html>" SECRET "</html>", "not JSON"},
    {"{" TOKEN ",\"expires_in\":3600", "not JSON"},
    {"{\"access_token\":\"" SECRET "\",\"access_token\":\"" SECRET "\",\"expires_in\":1}",
     "not JSON"},
    {"[\"" SECRET "\"]", "not a JSON object"},
    {"\"" SECRET "\"", "not a JSON object"},
    {"{\"expires_in\":3600}", "no token"},
    {"{\"access_token\":\"\",\"expires_in\":3600}", "no token"},
    {"{\"access_token\":7,\"expires_in\":3600}", "no token"},
    {"{\"access_token\":\"" SECRET " x\",\"expires_in\":3600}", "no token has"},
    {"{\"access_token\":\"" SECRET "\\r\\nX-Evil: 1\",\"expires_in\":3600}", "no token has"},
    {"{\"access_token\":\"" SECRET "\xc3\xbc\",\"expires_in\":3600}", "no token has"},
    {"{\"access_token\":\"" SECRET "\\u007f\",\"expires_in\":3600}", "no token has"},
    {"{" TOKEN ",\"expires_in\":3600,\"token_type\":\"pop\"}", "another type"},
};

START_TEST(an_answer_that_cannot_be_is_refused_without_repeating_it) {
    strbuf_append_string(&token.text, "before");
    ck_assert_msg(read_text(bad[_i].text) == STATUS_MALFORMED, "%s", bad[_i].text);
    ck_assert_msg(strstr(err.message, bad[_i].says) != NULL, "%s: %s", bad[_i].text, err.message);
    ck_assert_ptr_null(strstr(err.message, SECRET));
    ck_assert_str_eq(token.text.data, "before");
}
END_TEST

START_TEST(a_token_has_at_most_16_kib) {
    struct strbuf body;
    strbuf_init(&body, SIZE_MAX);
    for (int extra = 0; extra <= 1; extra++) {
        strbuf_clear(&body);
        strbuf_append_string(&body, "{\"expires_in\":60,\"access_token\":\"");
        for (int i = 0; i < TOKEN_MAX_BYTES + extra; i++) {
            strbuf_append_char(&body, 'x');
        }
        strbuf_append_string(&body, "\"}");
        ck_assert_int_eq(token_answer_read(&body, &at, &token, &err),
                         extra ? STATUS_MALFORMED : STATUS_OK);
    }
    ck_assert_uint_eq(token.text.length, TOKEN_MAX_BYTES);
    strbuf_cleanup(&body);
}
END_TEST

START_TEST(a_new_token_takes_the_place_of_the_old) {
    ck_assert_int_eq(read_text("{\"access_token\":\"first\",\"expires_in\":60}"), STATUS_OK);
    ck_assert_int_eq(read_text("{\"access_token\":\"second\",\"expires_in\":60}"), STATUS_OK);
    ck_assert_str_eq(token.text.data, "second");
}
END_TEST

/* ---- az ---- */

START_TEST(az_tells_the_expiry_in_seconds) {
    ck_assert_int_eq(read_cli("{\"accessToken\":\"ey\",\"expiresOn\":\"1999-01-01 "
                              "00:00:00.000000\",\"expires_on\":" IN_AN_HOUR
                              ",\"tenant\":\"t\",\"tokenType\":\"Bearer\"}"),
                     STATUS_OK);
    ck_assert_str_eq(token.text.data, "ey");
    ck_assert_int_eq(token.expires_ms, at.now_ms + 3600 * 1000);
}
END_TEST

START_TEST(an_older_az_tells_it_in_local_time) {
    setenv("TZ", "EET-2", 1); /* two hours east of Greenwich */
    tzset();
    ck_assert_int_eq(
        read_cli("{\"accessToken\":\"ey\",\"expiresOn\":\"2025-01-19 15:00:00.123456\"}"),
        STATUS_OK);
    ck_assert_int_eq(token.expires_ms, at.now_ms + 3600 * 1000);
    ck_assert_int_eq(read_cli("{\"accessToken\":\"ey\",\"expiresOn\":\"2025-01-19 14:00:01\"}"),
                     STATUS_OK);
    ck_assert_int_eq(token.expires_ms, at.now_ms + 1000);
}
END_TEST

static const struct {
    const char *text;
    int64_t lifetime_s;
} cli_dates[] = {
    {"\"expires_on\":\"" IN_AN_HOUR "\"", 3600},
    {"\"expires_on\":\"2025-01-19T13:00:00Z\"", 3600},
    {"\"expiresOn\":\"2025-01-19T13:00:00Z\"", 3600},
    {"\"expiresOn\":\"2025-01-19T15:00:00.000000+02:00\"", 3600},
    {"\"expiresOn\":\"2025-01-19T15:00:00\"", 3600},
    {"\"expiresOn\":" IN_AN_HOUR, 3600},
    {"\"expires_on\":\"soon\",\"expiresOn\":\"2025-01-19 15:00:00\"", 3600},
    {"\"expires_on\":0,\"expiresOn\":\"2025-01-19 15:00:00\"", 3600},
    {"\"tenant\":\"t\"", TOKEN_ASSUMED_LIFETIME_S},
    {"\"expiresOn\":\"2025-01-19\"", TOKEN_ASSUMED_LIFETIME_S},
    {"\"expiresOn\":\"2000-01-19 15:00:00\"", TOKEN_ASSUMED_LIFETIME_S},
};

START_TEST(az_may_tell_the_expiry_in_any_form_or_not_at_all) {
    char text[200];
    setenv("TZ", "EET-2", 1);
    tzset();
    snprintf(text, sizeof text, "{\"accessToken\":\"ey\",%s}", cli_dates[_i].text);
    ck_assert_msg(read_cli(text) == STATUS_OK, "%s: %s", text, err.message);
    ck_assert_int_eq(token.expires_ms, at.now_ms + cli_dates[_i].lifetime_s * 1000);
}
END_TEST

static const char *const bad_cli[] = {
    "Please run 'az login'",
    "[]",
    "{\"expires_on\":" IN_AN_HOUR "}",
    "{\"accessToken\":\"e y\",\"expires_on\":" IN_AN_HOUR "}",
    "{\"access_token\":\"ey\",\"expires_on\":" IN_AN_HOUR "}",
};

START_TEST(az_output_that_cannot_be_is_refused) {
    ck_assert_msg(read_cli(bad_cli[_i]) == STATUS_MALFORMED, "%s", bad_cli[_i]);
    ck_assert_uint_eq(token.text.length, 0);
}
END_TEST

/* ---- errors ---- */

static const struct {
    const char *body;
    const char *code;
} errors[] = {
    {"{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: Invalid client "
     "secret " SECRET "\"}",
     "invalid_client AADSTS7000215"},
    {"{\"error\":\"unauthorized_client\"}", "unauthorized_client"},
    {"{\"error\":\"" SECRET "\",\"error_description\":\"AADSTS1: x\"}", "AADSTS1"},
    {"{\"error\":\"Invalid Client\",\"error_description\":\"" SECRET "\"}", ""},
    {"{\"error\":{\"code\":\"x\"}}", ""},
    {"{\"error_description\":\"AADSTS\"}", ""},
    {"{\"error_description\":\"AADSTS12345678901\"}", ""},
    {"<html>" SECRET "</html>", ""},
    {"[]", ""},
    {"{\"error\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", ""},
};

START_TEST(of_an_error_only_its_codes_are_shown) {
    char code[TOKEN_CODE_BYTES] = "before";
    struct strbuf body = text_of(errors[_i].body);
    token_answer_error_code(&body, code);
    ck_assert_str_eq(code, errors[_i].code);
    strbuf_cleanup(&body);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

int main(void) {
    Suite *suite = suite_create("token_answer");
    TCase *tcase = tcase_create("token_answer");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, a_token_lasts_as_long_as_its_answer_says, 0, COUNT(good));
    tcase_add_test(tcase, a_token_of_one_second_is_renewed_half_way);
    tcase_add_loop_test(tcase, a_date_of_expiry_is_read_in_every_known_form, 0, COUNT(dated));
    tcase_add_loop_test(tcase,
                        a_token_without_a_date_that_can_be_believed_is_taken_for_a_short_time, 0,
                        COUNT(undated));
    tcase_add_loop_test(tcase, an_answer_that_cannot_be_is_refused_without_repeating_it, 0,
                        COUNT(bad));
    tcase_add_test(tcase, a_token_has_at_most_16_kib);
    tcase_add_test(tcase, a_new_token_takes_the_place_of_the_old);
    tcase_add_test(tcase, az_tells_the_expiry_in_seconds);
    tcase_add_test(tcase, an_older_az_tells_it_in_local_time);
    tcase_add_loop_test(tcase, az_may_tell_the_expiry_in_any_form_or_not_at_all, 0,
                        COUNT(cli_dates));
    tcase_add_loop_test(tcase, az_output_that_cannot_be_is_refused, 0, COUNT(bad_cli));
    tcase_add_loop_test(tcase, of_an_error_only_its_codes_are_shown, 0, COUNT(errors));
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
