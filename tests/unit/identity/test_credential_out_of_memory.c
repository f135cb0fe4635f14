/*
 * test_credential_out_of_memory.c - allocations that fail while a request is signed: then it is
 * not signed, and says so.
 */
#include <string.h>

#include "http/http_client.h"
#include "identity/credential.h"
#include "identity/storage_account.h"
#include "support/fakes/memory_limit.h"
#include "support/processes/check_main.h"

static struct storage_account account = {.name = "account", .key = "key", .key_length = 3};

static enum status sign(struct http_headers *headers, int first_to_fail, int *out_failed,
                        struct error *err) {
    struct credential_shared_key key;
    struct http_headers query;
    http_headers_init(headers);
    http_headers_init(&query);
    http_headers_add(headers, "x-ms-date", "today");
    http_headers_add(headers, "x-ms-meta-a", "a value  that is  folded");
    ck_assert_int_eq(credential_shared_key_init(&key, &account, NULL), STATUS_OK);
    struct credential_request request = {
        .method = "PUT", .path = "/a", .path_length = 2, .query = &query, .headers = headers};
    memory_limit_begin(first_to_fail, 1);
    enum status status = key.base.authorize(&key.base, &request, err);
    *out_failed = memory_limit_end();
    credential_shared_key_cleanup(&key);
    http_headers_cleanup(&query);
    return status;
}

START_TEST(without_memory_a_request_is_not_signed) {
    int failed = 1, first = 0;
    while (failed > 0) {
        struct http_headers headers;
        struct error err = {.status = STATUS_OK};
        enum status status = sign(&headers, ++first, &failed, &err);
        ck_assert_int_eq(status, failed > 0 ? STATUS_NO_MEMORY : STATUS_OK);
        ck_assert_int_eq(err.status, status);
        ck_assert_int_eq(http_headers_get(&headers, "Authorization") != NULL, failed == 0);
        ck_assert_ptr_nonnull(strstr(http_headers_get(&headers, "x-ms-meta-a"), "folded"));
        http_headers_cleanup(&headers);
    }
    ck_assert_int_gt(first, 2);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("credential out of memory");
    TCase *tcase = tcase_create("signing");
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, without_memory_a_request_is_not_signed);
    return check_main(suite);
}
