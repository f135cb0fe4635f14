/* request_path: what the host understands by a path, and what it makes of it for the handler. */
#include "devhost/request_path.h"

#include <string.h>

#include "support/processes/check_main.h"

enum { MAX_BYTES = 4096 };

static struct strbuf text;

static void set_up(void) {
    strbuf_init(&text, MAX_BYTES);
}

static void tear_down(void) {
    strbuf_cleanup(&text);
}

static void assert_canonical(const char *path, const char *expected) {
    strbuf_clear(&text);
    ck_assert_msg(request_path_canonical(&text, path, strlen(path)), "%s is refused", path);
    ck_assert_msg(strcmp(text.data, expected) == 0, "%s becomes %s, not %s", path, text.data,
                  expected);
}

static void assert_decoded(const char *path, const char *expected) {
    strbuf_clear(&text);
    request_path_decode(&text, path, strlen(path));
    ck_assert_str_eq(text.data, expected);
}

static void assert_rebuilt(const char *canonical, const char *expected) {
    strbuf_clear(&text);
    request_path_rebuild(&text, canonical);
    ck_assert_str_eq(text.data, expected);
}

START_TEST(dot_segments_are_removed_encoded_ones_too) {
    assert_canonical("/a/./b", "/a/b");
    assert_canonical("/a/../b", "/b");
    assert_canonical("/a/%2e%2E/b", "/b");
    assert_canonical("/a/%2e/b/.", "/a/b/");
    assert_canonical("/a/b/..", "/a/");
    assert_canonical("/../../a", "/a");
    assert_canonical("/..", "/");
    assert_canonical("/.", "/");
    assert_canonical("/a//../b", "/a/b");
    assert_canonical("/a/...", "/a/...");
    assert_canonical("/a/.b/c.", "/a/.b/c.");
    assert_canonical("/a/..%2Fb", "/a/..%252Fb"); /* no segment of its own */
}
END_TEST

START_TEST(what_needs_no_encoding_is_decoded_and_what_needs_it_encoded) {
    assert_canonical("/x%41%2d%7E", "/xA-~");
    assert_canonical("/a%20b|c", "/a%20b%7Cc");
    assert_canonical("/%c3%a9", "/%C3%A9");
    assert_canonical("/a%25b%2541", "/a%25b%2541");
    assert_canonical("/100%", "/100%25");
    assert_canonical("/%zz%4", "/%25zz%254");
}
END_TEST

START_TEST(a_slash_stays_encoded_and_so_does_what_is_no_utf_8) {
    assert_canonical("/a%2fb%2Fc", "/a%252fb%252Fc");
    assert_canonical("/%ff%c3", "/%25ff%25c3");
    assert_decoded("a%2Fb%20c%25", "a%2Fb c%");
    assert_decoded("%ff%c3%a9%c3x", "%ff\xc3\xa9%c3x");
}
END_TEST

START_TEST(an_encoded_nul_is_refused) {
    ck_assert(!request_path_canonical(&text, "/a%00b", 6));
    ck_assert_uint_eq(text.length, 0);
}
END_TEST

START_TEST(a_rebuilt_path_is_decoded_twice_and_cut_at_a_number_sign) {
    assert_rebuilt("/a%2541b", "/a%41b");
    assert_rebuilt("/a%25b", "/a%25b");
    assert_rebuilt("/a%23b/c", "/a");
    assert_rebuilt("/a%3Fb", "/a");
    assert_rebuilt("/a%20b%252fc", "/a%20b%2fc");
    assert_rebuilt("/[x]|", "/[x]%7C");
    assert_rebuilt("/a%5C..%5Cb", "/b");
}
END_TEST

START_TEST(a_component_keeps_what_looks_like_an_escape) {
    strbuf_clear(&text);
    request_path_component(&text, "/a%2541%25%20b%252F[");
    ck_assert_str_eq(text.data, "/a%41%25%20b%2F%5B");
}
END_TEST

START_TEST(a_proxied_query_is_written_as_dotnet_writes_it) {
    strbuf_clear(&text);
    request_path_proxied_query(&text, "a=%41%2d&b=%2f%c3%a4&c=%e4&d=%zz%&e=+?");
    ck_assert_str_eq(text.data, "a=A-&b=%2f%C3%A4&c=%e4&d=%25zz%25&e=+?");
}
END_TEST

START_TEST(a_part_of_a_query_is_decoded_whole) {
    strbuf_clear(&text);
    request_path_decode_query(&text, "a+b%2F%41%e4%c3%a4", 19);
    ck_assert_str_eq(text.data, "a b/A%e4\xc3\xa4");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("request_path");
    TCase *tcase = tcase_create("request_path");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, dot_segments_are_removed_encoded_ones_too);
    tcase_add_test(tcase, what_needs_no_encoding_is_decoded_and_what_needs_it_encoded);
    tcase_add_test(tcase, a_slash_stays_encoded_and_so_does_what_is_no_utf_8);
    tcase_add_test(tcase, an_encoded_nul_is_refused);
    tcase_add_test(tcase, a_component_keeps_what_looks_like_an_escape);
    tcase_add_test(tcase, a_proxied_query_is_written_as_dotnet_writes_it);
    tcase_add_test(tcase, a_part_of_a_query_is_decoded_whole);
    tcase_add_test(tcase, a_rebuilt_path_is_decoded_twice_and_cut_at_a_number_sign);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
