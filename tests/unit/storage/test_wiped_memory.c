/* That nothing is left in memory, tests/e2e/test_secrets.c sees; here, that it is memory like any other. */
#include "storage/wiped_memory.h"

#include <stdlib.h>
#include <string.h>

#include "support/check_main.h"

/* Before anybody expects secrets, and afterwards. */
START_TEST(what_is_there_moves_along) {
    if (_i == 1) {
        wiped_memory_expect_secrets();
    }
    char *text = wiped_memory_realloc(NULL, 6);
    ck_assert_ptr_nonnull(text);
    strcpy(text, "lease");
    text = wiped_memory_realloc(text, 100000);
    ck_assert_ptr_nonnull(text);
    ck_assert_str_eq(text, "lease");
    memset(text, 'x', 100000);
    text = wiped_memory_realloc(text, 3);
    ck_assert_ptr_nonnull(text);
    ck_assert_mem_eq(text, "xxx", 3);
    wiped_memory_free(text);
    wiped_memory_free(NULL);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("wiped_memory");
    TCase *tcase = tcase_create("wiped_memory");
    tcase_add_loop_test(tcase, what_is_there_moves_along, 0, 2);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
