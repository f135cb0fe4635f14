/*
 * The functions work like free and realloc, and overwrite memory once secrets are expected. That no
 * secret stays in memory is checked by tests/e2e/test_secrets.c. The program is linked with
 * --wrap=crypto_wipe.
 */
#include "http/platform.h"
#include "http/wiped_memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "identity/credential.h"
#include "identity/storage_account.h"
#include "identity/token_cache.h"
#include "identity/token_source.h"
#include "support/processes/check_main.h"

#define KEY "c2VjcmV0"

static size_t wiped_bytes;
static bool is_key_wiped;

/* The name is the linker's: it calls __wrap_crypto_wipe in place of crypto_wipe. */
void count_wiped(void *data, size_t length) __asm__("__wrap_crypto_wipe");

void count_wiped(void *data, size_t length) {
    wiped_bytes += length;
    is_key_wiped = is_key_wiped || (length > 0 && memmem(data, length, KEY, strlen(KEY)) != NULL);
}

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

/* Whoever reads a SAS or a token can use it for hours. */
START_TEST(who_signs_in_with_a_sas_or_a_token_expects_secrets) {
    if (_i == 0) {
        struct storage_account account = {.sas = "sig=a"};
        struct credential_sas sas;
        credential_sas_init(&sas, &account);
    } else {
        struct platform platform = {.clock = clock_system()};
        struct token_source source = {.name = "none"};
        struct token_cache cache;
        token_cache_init(&cache, &source, &platform);
    }
    wiped_bytes = 0;
    wiped_memory_free(wiped_memory_realloc(NULL, 8));
    ck_assert_uint_ge(wiped_bytes, 8);
}
END_TEST

START_TEST(a_connection_string_leaves_no_copy_of_its_key) {
    static const char text[] = "AccountName=acct;AccountKey=" KEY ";EndpointSuffix=a.net";
    struct storage_account account;
    struct error err;
    ck_assert_int_eq(storage_account_parse(text, &account, &err), STATUS_OK);
    ck_assert(is_key_wiped);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("wiped_memory");
    TCase *tcase = tcase_create("wiped_memory");
    tcase_add_loop_test(tcase, what_is_there_moves_along, 0, 2);
    tcase_add_loop_test(tcase, who_signs_in_with_a_sas_or_a_token_expects_secrets, 0, 2);
    tcase_add_test(tcase, a_connection_string_leaves_no_copy_of_its_key);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
