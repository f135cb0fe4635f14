#include "identity/storage_account.h"

#include <string.h>

#include "base/crypto.h"
#include "support/processes/check_main.h"

#define KEY "AAECAwQFBgcICQoLDA0ODw==" /* 16 bytes, 0 to 15 */
#define SECRET "U0VDUkVU"

static struct storage_account account;
static struct error err;

static enum status parse(const char *text) {
    memset(&account, 0x5a, sizeof account);
    memset(&err, 0, sizeof err);
    return storage_account_parse(text, &account, &err);
}

START_TEST(a_key_and_a_name_make_https_endpoints) {
    ck_assert_int_eq(parse("DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=" KEY
                           ";EndpointSuffix=core.windows.net"),
                     STATUS_OK);
    ck_assert_str_eq(account.name, "acme");
    ck_assert_str_eq(account.blob_endpoint, "https://acme.blob.core.windows.net");
    ck_assert_str_eq(account.table_endpoint, "https://acme.table.core.windows.net");
    ck_assert_uint_eq(account.key_length, 16);
    for (unsigned char i = 0; i < 16; i++) {
        ck_assert_uint_eq(account.key[i], i);
    }
    ck_assert_str_eq(account.sas, "");
}
END_TEST

START_TEST(protocol_and_suffix_are_https_and_azures_by_default) {
    ck_assert_int_eq(parse("AccountName=acme;AccountKey=" KEY), STATUS_OK);
    ck_assert_str_eq(account.blob_endpoint, "https://acme.blob.core.windows.net");
    ck_assert_int_eq(parse("AccountName=acme;AccountKey=" KEY
                           ";DefaultEndpointsProtocol=HTTPS;EndpointSuffix=core.chinacloudapi.cn"),
                     STATUS_OK);
    ck_assert_str_eq(account.table_endpoint, "HTTPS://acme.table.core.chinacloudapi.cn");
}
END_TEST

START_TEST(names_have_no_case_and_white_space_and_empty_parts_do_not_count) {
    ck_assert_int_eq(parse(" ;; accountNAME = acme ;ACCOUNTKEY= " KEY " ;\r\n"), STATUS_OK);
    ck_assert_str_eq(account.name, "acme");
    ck_assert_uint_eq(account.key_length, 16);
}
END_TEST

START_TEST(given_endpoints_come_before_made_ones_and_lose_their_slashes) {
    ck_assert_int_eq(
        parse("AccountName=devstoreaccount1;AccountKey=" KEY
              ";BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1//;QueueEndpoint=http://x/"),
        STATUS_OK);
    ck_assert_str_eq(account.blob_endpoint, "http://127.0.0.1:10000/devstoreaccount1");
    ck_assert_str_eq(account.table_endpoint, "https://devstoreaccount1.table.core.windows.net");
}
END_TEST

START_TEST(a_table_endpoint_that_would_be_made_with_http_is_left_out) {
    ck_assert_int_eq(
        parse("DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=" KEY
              ";BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1"),
        STATUS_OK);
    ck_assert_str_eq(account.blob_endpoint, "http://127.0.0.1:10000/devstoreaccount1");
    ck_assert_str_eq(account.table_endpoint, "");
}
END_TEST

START_TEST(a_sas_may_come_with_endpoints_alone) {
    ck_assert_int_eq(parse("BlobEndpoint=https://acme.blob.core.windows.net/"
                           ";SharedAccessSignature=?sv=1&sig=" SECRET "%3D"),
                     STATUS_OK);
    ck_assert_str_eq(account.sas, "sv=1&sig=" SECRET "%3D");
    ck_assert_str_eq(account.table_endpoint, "https://acme.table.core.windows.net");
    ck_assert_str_eq(account.name, "");
    ck_assert_uint_eq(account.key_length, 0);
    ck_assert_int_eq(
        parse("BlobEndpoint=https://10.0.0.1:10000/acme;SharedAccessSignature=sig=" SECRET),
        STATUS_OK);
    ck_assert_str_eq(account.table_endpoint, "");
}
END_TEST

START_TEST(development_storage_is_azurite_with_its_well_known_key) {
    ck_assert_int_eq(parse("UseDevelopmentStorage=true"), STATUS_OK);
    ck_assert_str_eq(account.name, "devstoreaccount1");
    ck_assert_str_eq(account.blob_endpoint, "http://127.0.0.1:10000/devstoreaccount1");
    ck_assert_str_eq(account.table_endpoint, "http://127.0.0.1:10002/devstoreaccount1");
    ck_assert_uint_eq(account.key_length, 64);
    ck_assert_int_eq(
        parse("usedevelopmentstorage=TRUE;DevelopmentStorageProxyUri=https://azurite:8080/x"),
        STATUS_OK);
    ck_assert_str_eq(account.blob_endpoint, "https://azurite:10000/devstoreaccount1");
    ck_assert_str_eq(account.table_endpoint, "https://azurite:10002/devstoreaccount1");
}
END_TEST

static const struct {
    const char *text;
    const char *says;
} refused[] = {
    {"", "AccountKey or SharedAccessSignature is missing"},
    {"AccountName=acme", "AccountKey or SharedAccessSignature is missing"},
    {"AccountKey=" KEY, "AccountName is missing"},
    {"SharedAccessSignature=sv=1&sig=" SECRET, "AccountName or BlobEndpoint is missing"},
    {"AccountName=acme;AccountKey=" SECRET "!", "AccountKey is not a key in base64"},
    {"AccountName=acme;AccountKey=" SECRET ";SharedAccessSignature=sig=" SECRET,
     "exclude each other"},
    {"AccountName=acme;AccountKey=" SECRET ";accountkey=" SECRET, "AccountKey is there twice"},
    {"AccountName=;AccountKey=" SECRET, "AccountName is empty"},
    {"AccountName=acme;AccountKey=", "AccountKey is empty"},
    {"AccountName=acme;" SECRET, "Name=Value"},
    {"AccountName=acme;AccountKey=" KEY ";DefaultEndpointsProtocol=http",
     " over http; http is for"},
    {"BlobEndpoint=http://10.0.0.1/acme;SharedAccessSignature=sig=" SECRET,
     " over http; http is for"},
    {"BlobEndpoint=https://a;TableEndpoint=http://b;SharedAccessSignature=sig=" SECRET,
     " over http; http is for"},
    {"UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://azurite",
     " over http; http is for"},
    {"AccountName=ac/me;AccountKey=" SECRET, "AccountName must be"},
    {"AccountName=acme;SharedAccessSignature=sv=" SECRET, "SharedAccessSignature is not a SAS"},
    {"AccountName=acme;SharedAccessSignature=sig=" SECRET " x",
     "SharedAccessSignature has a space in its sig"},
    {"AccountName=acme;SharedAccessSignature=?'sv=1&sig=" SECRET "'",
     "SharedAccessSignature stands in quotes"},
    {"AccountName=acme;SharedAccessSignature=?", "SharedAccessSignature is empty"},
    {"AccountName=acme;SharedAccessSignature=sv= 1&sig=" SECRET,
     "SharedAccessSignature is not a SAS"},
    {"AccountName=acme;SharedAccessSignature=sv=1&sig=" SECRET "+x%3D",
     "SharedAccessSignature has a raw '+' in its sig"},
    {"AccountName=acme;SharedAccessSignature=sig=a+b" SECRET "&sv=1",
     "SharedAccessSignature has a raw '+' in its sig"},
    {"AccountName=acme;SharedAccessSignature=sv=1&sig=" SECRET "%252Bx", "encoded twice"},
    {"AccountName=acme;SharedAccessSignature=sv=1&amp;sig=" SECRET, "has \"&amp;\""},
    {"AccountName=acme;SharedAccessSignature=https://acme.blob.core.windows.net/?sv=1&sig=" SECRET,
     "whole address"},
    {"https://acme.blob.core.windows.net/?sv=1&ss=bt&sig=" SECRET,
     "it is a SAS URL, not a connection string"},
    {" HTTPS://acme.blob.core.windows.net/leases?sv=1&sig=" SECRET,
     "it is a SAS URL, not a connection string"},
    {"https://acme.blob.core.windows.net", "it is an address, not a connection string"},
    {"?sv=1&ss=bt&sig=" SECRET, "it is a SAS alone"},
    {"sv=1&sig=" SECRET, "it is a SAS alone"},
    {"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
     "it is an account key alone"},
    {"\"AccountName=acme;AccountKey=" SECRET "\"", "stands in quotes"},
    {"'AccountName=acme;AccountKey=" SECRET "'", "stands in quotes"},
    {"{\"connectionString\":\"AccountName=acme;AccountKey=" SECRET "\"}", "it is JSON"},
    {"AccountName=acme;AccountKey=\"" SECRET "\"", "AccountKey stands in quotes"},
    {"AccountName=acme;AccountKey=@Microsoft.KeyVault(SecretUri=https://v/s)",
     "AccountKey is a reference to Azure's Key"},
    {"AccountName=acme.blob.core.windows.net;AccountKey=" SECRET, "AccountName looks like a host"},
    {"AccountName=acme;AccountKey=" SECRET ";BlobEndpoint=https://acme.table.core.windows.net/",
     "BlobEndpoint: https://acme.table.core.windows.net/: it is the address of tables, not of "
     "blobs"},
    {"AccountName=acme;AccountKey=" SECRET ";TableEndpoint=https://acme.blob.core.windows.net",
     "TableEndpoint: https://acme.blob.core.windows.net: it is the address of blobs, not of "
     "tables"},
    {"AccountName=acme;AccountKey=" SECRET
     ";BlobEndpoint=https://acme.blob.core.windows.net/leases",
     "BlobEndpoint: https://acme.blob.core.windows.net/leases: a container follows"},
    {"AccountName=a;AccountKey=" SECRET ";BlobEndpoint=http://127.0.0.1:10000/a/leases",
     "a container follows"},
    {"BlobEndpoint=https://acme.blob.core.windows.net/?sv=1&sig=" SECRET
     ";SharedAccessSignature=sig=x",
     "BlobEndpoint: https://acme.blob.core.windows.net/: a SAS follows"},
    {"AccountName=acme;AccountKey=" SECRET ";EndpointSuffix=blob.core.windows.net",
     "\".blob.\" twice"},
    {"AccountName=acme;AccountKey=" SECRET ";EndpointSuffix=.core.windows.net", "two dots"},
    {"AccountName=acme;AccountKey=" SECRET ";EndpointSuffix=core.windows.net/x",
     "a container follows"},
    {"AccountName=acme;AccountKey=" SECRET ";DefaultEndpointsProtocol=ftp",
     "DefaultEndpointsProtocol"},
    {"AccountName=acme;AccountKey=" SECRET ";EndpointSuffix=a?b", "EndpointSuffix"},
    {"AccountName=acme;AccountKey=" SECRET ";BlobEndpoint=acme.blob.core.windows.net",
     "BlobEndpoint: "},
    {"AccountName=acme;AccountKey=" SECRET ";TableEndpoint=https://acme/?x", "TableEndpoint: "},
    {"UseDevelopmentStorage=false", "UseDevelopmentStorage can only be true"},
    {"UseDevelopmentStorage=true;DevelopmentStorageProxyUri=azurite",
     "DevelopmentStorageProxyUri: "},
    {"UseDevelopmentStorage=true;DevelopmentStorageProxyUri=https://a.table.core.windows.net",
     "DevelopmentStorageProxyUri: it is the address of tables, not of blobs"},
    {"UseDevelopmentStorage=true;DevelopmentStorageProxyUri=https://a.blob.core.windows.net",
     "DevelopmentStorageProxyUri: it is the address of blobs, not of tables"},
};

START_TEST(what_does_not_sign_in_is_refused_by_name_and_without_secrets) {
    ck_assert_int_eq(parse(refused[_i].text), STATUS_INVALID_ARGUMENT);
    ck_assert_msg(strstr(err.message, refused[_i].says) != NULL, "%s: %s", refused[_i].text,
                  err.message);
    ck_assert_ptr_null(strstr(err.message, SECRET));
    ck_assert_int_eq(account.name[0], 0x5a); /* untouched */
}
END_TEST

START_TEST(a_key_longer_than_there_is_room_for_is_refused) {
    static const char begin[] = "AccountName=acme;AccountKey=";
    char text[sizeof begin + 172];
    memset(text, 'A', sizeof text); /* 129 bytes in base64 */
    memcpy(text, begin, sizeof begin - 1);
    text[sizeof text - 1] = '\0';
    ck_assert_int_eq(parse(text), STATUS_INVALID_ARGUMENT);
    text[sizeof text - 5] = '\0'; /* 126 */
    ck_assert_int_eq(parse(text), STATUS_OK);
    ck_assert_uint_eq(account.key_length, 126);
}
END_TEST

static const struct {
    const char *text;
    const char *parsed; /* NULL: refused */
} addresses[] = {
    {"https://a.blob.core.windows.net", "https://a.blob.core.windows.net"},
    {"HTTP://A-b.c:1/", "HTTP://A-b.c:1"},
    {"http://[::1]:10000/devstoreaccount1", "http://[::1]:10000/devstoreaccount1"},
    {"http://h:65535", "http://h:65535"},
    {"http://h:65536", NULL},
    {"http://h:0", NULL},
    {"http://h:", NULL},
    {"http://h:1x", NULL},
    {"http://", NULL},
    {"http:///path", NULL},
    {"http://[::1", NULL},
    {"http://[]", NULL},
    {"ftp://h", NULL},
    {"h", NULL},
    {"", NULL},
    {"http://user@h", NULL},
    {"http://user:pw@h", NULL},
    {"http://h?q", NULL},
    {"http://h/a?q", NULL},
    {"http://h/a#f", NULL},
    {"http://h/a b", NULL},
    {"http://h/\xc3\xbc", NULL},
    {"http://h\\a", NULL},
};

START_TEST(an_address_is_taken_or_refused) {
    char out[STORAGE_ENDPOINT_BYTES] = "untouched";
    enum status status = storage_endpoint_parse(addresses[_i].text, out, &err);
    ck_assert_msg((status == STATUS_OK) == (addresses[_i].parsed != NULL), "%s: %s",
                  addresses[_i].text, status_name(status));
    ck_assert_str_eq(out, addresses[_i].parsed ? addresses[_i].parsed : "untouched");
}
END_TEST

static const struct {
    const char *url;
    bool is_private;
} ways[] = {
    {"https://a.blob.core.windows.net/x?y", true},
    {"HTTPS://10.0.0.1", true},
    {"http://localhost", true},
    {"HTTP://LocalHost:10000/a", true},
    {"http://127.0.0.1:10000/a?b", true},
    {"http://127.255.3.9/", true},
    {"http://[::1]:1?b", true},
    {"http://a.blob.core.windows.net", false},
    {"http://localhost.example.com", false},
    {"http://127.0.0.1.example.com", false},
    {"http://127.1", false},
    {"http://128.0.0.1", false},
    {"http://1270.0.0.1", false},
    {"http://[::2]", false},
    {"http://[::ffff:10.0.0.1]", false},
    {"http://localhost@example.com", false},
    {"http://localhost:80@example.com", false},
    {"http://localhost:x@example.com", false},
    {"http://", false},
    {"localhost", false},
    {"", false},
};

START_TEST(only_https_and_this_machine_are_private) {
    ck_assert_msg(storage_endpoint_is_private(ways[_i].url) == ways[_i].is_private, "%s",
                  ways[_i].url);
}
END_TEST

START_TEST(an_address_that_does_not_fit_is_refused) {
    char text[STORAGE_ENDPOINT_BYTES + 1], out[STORAGE_ENDPOINT_BYTES];
    memset(text, 'a', sizeof text);
    memcpy(text, "https://", 8);
    text[STORAGE_ENDPOINT_BYTES] = '\0';
    ck_assert_int_eq(storage_endpoint_parse(text, out, NULL), STATUS_INVALID_ARGUMENT);
    text[STORAGE_ENDPOINT_BYTES - 1] = '\0';
    ck_assert_int_eq(storage_endpoint_parse(text, out, NULL), STATUS_OK);
    ck_assert_str_eq(out, text);
}
END_TEST

START_TEST(the_table_endpoint_is_the_blob_endpoint_with_another_word_in_its_host) {
    char out[STORAGE_ENDPOINT_BYTES] = "untouched";
    ck_assert(!storage_endpoint_for_tables("http://127.0.0.1:10000/a.blob.b", out));
    ck_assert_str_eq(out, "untouched");
    ck_assert(storage_endpoint_for_tables("https://acme.blob.core.windows.net", out));
    ck_assert_str_eq(out, "https://acme.table.core.windows.net");
    ck_assert(storage_endpoint_for_tables("https://acme.z5.BLOB.storage.azure.net:443/x", out));
    ck_assert_str_eq(out, "https://acme.z5.table.storage.azure.net:443/x");
}
END_TEST

START_TEST(nothing_but_the_endpoint_is_written_where_it_goes) {
    char out[STORAGE_ENDPOINT_BYTES];
    memset(out, 'x', sizeof out);
    ck_assert(storage_endpoint_for_tables("https://acme.blob.core.windows.net", out));
    for (size_t i = strlen(out) + 1; i < sizeof out; i++) {
        ck_assert_int_eq(out[i], 'x');
    }
}
END_TEST

START_TEST(wiping_leaves_no_byte) {
    ck_assert_int_eq(parse("UseDevelopmentStorage=true"), STATUS_OK);
    storage_account_wipe(&account);
    static const struct storage_account empty;
    ck_assert_int_eq(memcmp(&account, &empty, sizeof account), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("storage_account");
    TCase *tcase = tcase_create("storage_account");
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, a_key_and_a_name_make_https_endpoints);
    tcase_add_test(tcase, protocol_and_suffix_are_https_and_azures_by_default);
    tcase_add_test(tcase, names_have_no_case_and_white_space_and_empty_parts_do_not_count);
    tcase_add_test(tcase, given_endpoints_come_before_made_ones_and_lose_their_slashes);
    tcase_add_test(tcase, a_table_endpoint_that_would_be_made_with_http_is_left_out);
    tcase_add_test(tcase, a_sas_may_come_with_endpoints_alone);
    tcase_add_test(tcase, development_storage_is_azurite_with_its_well_known_key);
    tcase_add_loop_test(tcase, what_does_not_sign_in_is_refused_by_name_and_without_secrets, 0,
                        (int)(sizeof refused / sizeof refused[0]));
    tcase_add_test(tcase, a_key_longer_than_there_is_room_for_is_refused);
    tcase_add_loop_test(tcase, an_address_is_taken_or_refused, 0,
                        (int)(sizeof addresses / sizeof addresses[0]));
    tcase_add_loop_test(tcase, only_https_and_this_machine_are_private, 0,
                        (int)(sizeof ways / sizeof ways[0]));
    tcase_add_test(tcase, an_address_that_does_not_fit_is_refused);
    tcase_add_test(tcase, the_table_endpoint_is_the_blob_endpoint_with_another_word_in_its_host);
    tcase_add_test(tcase, nothing_but_the_endpoint_is_written_where_it_goes);
    tcase_add_test(tcase, wiping_leaves_no_byte);
    return check_main(suite);
}
