#include "identity/endpoint_check.h"

#include <stddef.h>
#include <string.h>

#include "support/processes/check_main.h"

static const struct {
    const char *address;
    const char *as_blob; /* the words that name the mistake; NULL: there is none */
    const char *as_table;
} examples[] = {
    {"https://shop.blob.core.windows.net", NULL, "address of blobs"},
    {"https://shop.table.core.windows.net", "address of tables", NULL},
    {"HTTPS://SHOP.BLOB.CORE.WINDOWS.NET:443/", NULL, "address of blobs"},
    {"https://shop.blob.core.chinacloudapi.cn", NULL, "address of blobs"},
    {"https://shop.z12.blob.storage.azure.net/", NULL, "address of blobs"},
    {"https://shop.privatelink.table.core.windows.net", "address of tables", NULL},
    {"https://shop.queue.core.windows.net", "address of queues", "address of queues"},
    {"https://shop.file.core.windows.net", "address of files", "address of files"},
    {"https://shop.dfs.core.windows.net", "Data Lake", "Data Lake"},
    {"https://shop.z6.web.core.windows.net", "static website", "static website"},
    {"https://shop.core.windows.net", "lacks \".blob.\"", "lacks \".table.\""},
    {"https://blob.core.windows.net", "lacks the account's name", "lacks \".table.\""},
    {"https://shop.blob.blob.core.windows.net", "\".blob.\" twice", "address of blobs"},
    {"https://shop..blob.core.windows.net", "two dots", "address of blobs"},
    {"https://shop-secondary.blob.core.windows.net", "secondary", "address of blobs"},
    {"https://secondary.blob.core.windows.net", NULL, "address of blobs"},
    {"https://shop.blob.core.windows.net/leases", "a container follows", "address of blobs"},
    {"https://shop.blob.core.windows.net//leases/", "a container follows", "address of blobs"},
    {"https://shop.table.core.windows.net/inventory", "address of tables", "a table follows"},
    {"https://shop.blob.core.windows.net/?sv=1&sig=x", "a SAS follows", "a SAS follows"},
    {"https://shop.blob.core.windows.net/leases?sig=x", "a SAS follows", "a SAS follows"},
    {"http://127.0.0.1:10000/devstoreaccount1", NULL, NULL},
    {"http://127.0.0.1:10000/devstoreaccount1/", NULL, NULL},
    {"http://127.0.0.1:10000", NULL, NULL},
    {"http://127.0.0.1:10000/devstoreaccount1/leases", "a container follows", "a table follows"},
    {"http://[::1]:10000/devstoreaccount1/leases", "a container follows", "a table follows"},
    {"http://localhost:10000/devstoreaccount1", NULL, NULL},
    {"http://devstoreaccount1.blob.localhost:10000", NULL, "address of blobs"},
    /* somebody's own: nothing is known of these */
    {"https://storage.example.com/a/b", NULL, NULL},
    {"https://proxy.example.com/a.blob.b", NULL, NULL},
    {"https://blob.example.com", NULL, NULL},
    {"https://cdn.web.example.com", NULL, NULL},
    {"", NULL, NULL},
    {"://", NULL, NULL},
    {"nonsense", NULL, NULL},
};

static void assert_mistake(const char *address, const char *service, const char *expected) {
    const char *mistake = endpoint_check_mistake(address, service);
    if (expected == NULL) {
        ck_assert_msg(mistake == NULL, "%s as %s: %s", address, service, mistake);
    } else {
        ck_assert_msg(mistake != NULL && strstr(mistake, expected) != NULL, "%s as %s: %s", address,
                      service, mistake == NULL ? "nothing" : mistake);
    }
}

START_TEST(a_mistaken_endpoint_is_recognised) {
    assert_mistake(examples[_i].address, "blob", examples[_i].as_blob);
    assert_mistake(examples[_i].address, "table", examples[_i].as_table);
}
END_TEST

START_TEST(only_what_is_no_secret_is_shown) {
    char shown[ENDPOINT_SHOWN_BYTES];
    endpoint_check_show("https://shop.blob.core.windows.net/x?sig=hunter2", shown);
    ck_assert_str_eq(shown, "https://shop.blob.core.windows.net/x");
    endpoint_check_show("https://shop.blob.core.windows.net/sig=hunter2", shown);
    ck_assert_str_eq(shown, "https://shop.blob.core.windows.net/sig");
    endpoint_check_show("https://me:hunter2@shop.blob.core.windows.net", shown);
    ck_assert_str_eq(shown, "an address with user info");
    endpoint_check_show("h\xf4tp://shop\n", shown);
    ck_assert_str_eq(shown, "h?tp://shop?");
    char address[300];
    memset(address, 'a', sizeof address);
    address[sizeof address - 1] = '\0';
    endpoint_check_show(address, shown);
    ck_assert_uint_eq(strlen(shown), ENDPOINT_SHOWN_BYTES - 1);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("endpoint_check");
    TCase *tcase = tcase_create("endpoint_check");
    tcase_add_loop_test(tcase, a_mistaken_endpoint_is_recognised, 0,
                        (int)(sizeof examples / sizeof examples[0]));
    tcase_add_test(tcase, only_what_is_no_secret_is_shown);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
