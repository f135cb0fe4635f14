#include "base/clean_text.h"

#include <stdio.h>
#include <string.h>

#include "support/processes/check_main.h"

#define SIGNATURE "5Fp3j/Yd2+0sSgT3GX4Zb1cQnLq9v7wVxkRmUeHiA8o="
#define ENCODED "5Fp3j%2FYd2%2B0sSgT3GX4Zb1cQnLq9v7wVxkRmUeHiA8o%3D"
#define KEY \
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
#define JWT "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"

static char out[512];

static const char *cleaned(const char *text) {
    clean_text_copy(text, strlen(text), out, sizeof out);
    return out;
}

/* Ordinary messages of storage. */
static const char *const harmless[] = {
    "",
    "The specified blob does not exist.",
    "There is already a lease present.",
    "0:The update condition specified in the request was not satisfied.",
    "The value for one of the HTTP headers is not in the correct format.",
    "Server failed to authenticate the request. Make sure the value of Authorization header is "
    "formed correctly "
    "including the signature.",
    "This request is not authorized to perform this operation using this permission.",
    "AADSTS700016: Application with identifier '11111111-2222-4333-8444-555555555555' was not "
    "found",
    "The lease ID specified did not match the lease ID for the blob: "
    "01a20926-afc4-8504-a6dc-2b2239e0bd4d",
    "Is it there? Or not?",
    "W/\"datetime'2025-01-19T14%3A45%3A30.1234567Z'\" (412) [x], a=b; c:d",
    "Gr\xc3\xbc\xc3\x9f"
    "e",
};

START_TEST(what_holds_no_secret_stays_as_it_is) {
    ck_assert_str_eq(cleaned(harmless[_i]), harmless[_i]);
}
END_TEST

static const struct {
    const char *text, *clean;
} secrets[] = {
    {"Authorization: SharedKey acme:" SIGNATURE, "Authorization: *** ***"},
    {"authorization: SharedKey acme:" SIGNATURE " x-ms-date: Sun",
     "authorization: *** *** x-ms-date: Sun"},
    {"Authorization:SharedKey acme:" SIGNATURE " rest", "Authorization:*** *** rest"},
    {"Authorization: Bearer " JWT, "Authorization: *** ***"},
    {"Authorization: Other a-short-secret, more", "Authorization: *** *** more"},
    {"{\"authorization\":\"SharedKey acme:" SIGNATURE "\",\"host\":\"h\"}",
     "{\"authorization\":\"*** ***\",\"host\":\"h\"}"},
    {"{\\\"authorization\\\":\\\"SharedKey acme:abc\\\"}", "{\\\"authorization\\\":\\\"*** ***\"}"},
    {"the header 'Authorization' = 'Bearer abc'", "the header 'Authorization' = '*** ***'"},
    {"got SharedKey acme:" SIGNATURE ".", "got SharedKey ***"},
    {"got SharedKeyLite acme:abc", "got SharedKeyLite ***"},
    {"got SHAREDKEY acme:abc", "got SHAREDKEY ***"},
    {"Bearer abc", "Bearer ***"},
    {"Basic dTpw", "Basic ***"},
    {"PUT /c/b?comp=lease&sv=2021&sig=abc HTTP/1.1", "PUT *** HTTP/1.1"},
    {"PUT /c/b?comp=lease&sv=2021 HTTP/1.1", "PUT /c/b?*** HTTP/1.1"},
    {"sv=2021&sp=rw&sig=abc", "***"},
    {"sv=2021&amp;sig=abc&#x2B;def", "***"},
    {"sig%3Dabc", "***"},
    {"SIG=abc", "SIG=***"},
    {"sig=abc", "sig=***"},
    {"sig: abc", "sig: ***"},
    {"{\"sv\":\"2021\",\"sig\":\"abc\"}", "{\"sv\":\"2021\",\"sig\":\"***\"}"},
    {"signature=abc", "signature=***"},
    {"signature: abc def", "signature: *** def"},
    {"The MAC signature found in the HTTP request '" SIGNATURE "' is not the same",
     "The MAC signature found in the HTTP request '***' is not the same"},
    {"it was " ENCODED, "it was ***"},
    {"AccountKey=" KEY, "***"},
    {"key " KEY " there", "key *** there"},
    {"token " JWT "!", "token ***"},
    {"eyJhbGci", "***"},
    {"Authorization%3A%20SharedKey%20acme%3A" ENCODED, "***"},
    {"5Fp3j&#x2F;Yd2&#x2B;0sSgT3GX4Zb1cQnLq9v7wVxkRmUeHiA8o&#x3D;", "***"},
    {"5Fp3j\\/Yd2+0sSgT3GX4Zb1cQnLq9v7wVxkRmUeHiA8o=", "***"},
    {"(" SIGNATURE ")", "(***"},
};

START_TEST(what_may_be_a_secret_is_taken_away) {
    ck_assert_str_eq(cleaned(secrets[_i].text), secrets[_i].clean);
}
END_TEST

START_TEST(only_the_first_line_counts_and_control_characters_become_spaces) {
    ck_assert_str_eq(cleaned("one\ttwo\x1b[31m\x7f\nthree"), "one two [31m ");
    ck_assert_str_eq(cleaned("one\rtwo"), "one");
    clean_text_copy("ab\0cd", 5, out, sizeof out);
    ck_assert_str_eq(out, "ab");
    clean_text_copy("abcdef", 3, out, sizeof out); /* the rest has no NUL */
    ck_assert_str_eq(out, "abc");
}
END_TEST

/* A signature that was cut before cleaning might be too short to be recognised. */
START_TEST(a_text_is_cut_after_it_is_clean) {
    for (size_t size = 1; size < 60; size++) {
        char text[] = "signed with " SIGNATURE " and more", small[64];
        memset(small, 'x', sizeof small);
        clean_text_copy(text, strlen(text), small, size);
        ck_assert_uint_lt(strlen(small), size);
        ck_assert_ptr_null(strstr(small, "5Fp"));
        ck_assert_int_eq(strncmp(small, "signed with *** and more", strlen(small)), 0);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("clean_text");
    TCase *tcase = tcase_create("clean_text");
    tcase_add_loop_test(tcase, what_holds_no_secret_stays_as_it_is, 0,
                        (int)(sizeof harmless / sizeof harmless[0]));
    tcase_add_loop_test(tcase, what_may_be_a_secret_is_taken_away, 0,
                        (int)(sizeof secrets / sizeof secrets[0]));
    tcase_add_test(tcase, only_the_first_line_counts_and_control_characters_become_spaces);
    tcase_add_test(tcase, a_text_is_cut_after_it_is_clean);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
