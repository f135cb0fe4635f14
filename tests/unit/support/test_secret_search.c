/* A search that finds nothing must be one that would have found something. */
#include <string.h>

#include "support/checks/secret_search.h"
#include "support/processes/check_main.h"

#define LONG_SECRET "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq"

static struct secret_search search;

static void set_up(void) {
    search = (struct secret_search){.count = 0};
    secret_search_add(&search, "the key", LONG_SECRET);
    secret_search_add(&search, "the password", "a+b/c=d e");
    secret_search_add(&search, "nothing", "");
}

static void tear_down(void) {
    secret_search_cleanup(&search);
}

static const char *find(const char *text) {
    return secret_search_find(&search, text, strlen(text));
}

START_TEST(a_secret_is_found_whole_and_in_pieces) {
    ck_assert_str_eq(find("key=" LONG_SECRET ";"), "the key");
    for (size_t from = 0; from + 24 <= strlen(LONG_SECRET); from++) {
        char piece[64] = "seen: ";
        strncat(piece, &LONG_SECRET[from], 24);
        ck_assert_msg(find(piece) != NULL, "from %zu", from);
    }
    ck_assert_str_eq(find("pwd a+b/c=d e."), "the password");
    ck_assert_str_eq(find("pwd=a%2Bb%2Fc%3Dd%20e&"), "the password");
    ck_assert_str_eq(secret_search_find(&search, "\0 a+b/c=d e", 11), "the password");
}
END_TEST

START_TEST(what_is_no_secret_is_not_found) {
    ck_assert_ptr_null(find(""));
    ck_assert_ptr_null(find("a+b/c=d, and Eby8vdM02xNOcqF"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("secret_search");
    TCase *tcase = tcase_create("secret_search");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_secret_is_found_whole_and_in_pieces);
    tcase_add_test(tcase, what_is_no_secret_is_not_found);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
