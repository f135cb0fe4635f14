#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/hex.h"
#include "base/http_message.h"
#include "http/http_client.h"
#include "identity/credential.h"
#include "identity/storage_account.h"
#include "support/processes/check_main.h"

/* One file of tests/data/signing; its README.md describes the format. */
struct golden {
    struct storage_account account;
    struct credential_request request;
    struct http_headers headers;
    struct http_headers query;
    struct strbuf url;
    char *text;
    struct strbuf canonicalized; /* headers and resource */
    bool has_resource;
    const char *hmac;
    const char *authorization;
    const char *string_to_sign;
};

enum { MAX_FILE_BYTES = 16384 };

static char *read_file(const char *path) {
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s is missing", path);
    char *text = calloc(1, MAX_FILE_BYTES);
    size_t length = fread(text, 1, MAX_FILE_BYTES - 1, file);
    ck_assert_uint_gt(length, 0);
    ck_assert_int_eq(text[length - 1], '\n');
    text[length - 1] = '\0';
    fclose(file);
    return text;
}

static void add_pair(struct http_headers *headers, char *pair) {
    char *equals = strchr(pair, '=');
    *equals = '\0';
    http_headers_add(headers, pair, equals + 1);
}

static void take_key(struct storage_account *account, const char *text) {
    struct strbuf key;
    strbuf_init(&key, sizeof account->key);
    ck_assert_int_eq(crypto_base64_decode(text, &key), STATUS_OK);
    memcpy(account->key, key.data, key.length);
    account->key_length = key.length;
    strbuf_cleanup(&key);
}

static void take_line(struct golden *golden, const char *word, char *value) {
    if (strcmp(word, "service") == 0) {
        golden->request.is_table = strcmp(value, "table") == 0;
    } else if (strcmp(word, "account") == 0) {
        snprintf(golden->account.name, sizeof golden->account.name, "%s", value);
    } else if (strcmp(word, "key") == 0) {
        take_key(&golden->account, value);
    } else if (strcmp(word, "method") == 0) {
        golden->request.method = value;
    } else if (strcmp(word, "path") == 0) {
        golden->request.path = value;
        golden->request.path_length = strlen(value);
    } else if (strcmp(word, "body_length") == 0) {
        golden->request.body_length = strtoul(value, NULL, 10);
    } else if (strcmp(word, "header") == 0) {
        add_pair(&golden->headers, value);
    } else if (strcmp(word, "query") == 0) {
        add_pair(&golden->query, value);
    } else if (strcmp(word, "canonicalized_header") == 0) {
        strbuf_appendf(&golden->canonicalized, "%s\n", value);
    } else if (strcmp(word, "canonicalized_resource") == 0) {
        bool is_first = !golden->has_resource;
        strbuf_appendf(&golden->canonicalized, "%s%s", is_first ? "" : "\n", value);
        golden->has_resource = true;
    } else if (strcmp(word, "hmac") == 0) {
        golden->hmac = value;
    } else if (strcmp(word, "authorization") == 0) {
        golden->authorization = value;
    } else {
        ck_abort_msg("what is %s?", word);
    }
}

static void golden_read(struct golden *golden, const char *path) {
    memset(golden, 0, sizeof *golden);
    http_headers_init(&golden->headers);
    http_headers_init(&golden->query);
    strbuf_init(&golden->url, 4096);
    strbuf_init(&golden->canonicalized, 4096);
    golden->text = read_file(path);
    char *rest = golden->text, *line;
    while ((line = strsep(&rest, "\n")) != NULL && strcmp(line, "string_to_sign") != 0) {
        const char *word = strsep(&line, " ");
        take_line(golden, word, line);
    }
    golden->string_to_sign = rest;
    golden->request.headers = &golden->headers;
    golden->request.query = &golden->query;
    golden->request.url = &golden->url;
}

static void golden_release(struct golden *golden) {
    http_headers_cleanup(&golden->headers);
    http_headers_cleanup(&golden->query);
    strbuf_cleanup(&golden->url);
    strbuf_cleanup(&golden->canonicalized);
    free(golden->text);
}

/* The string ends with the canonicalized headers and resource, and its HMAC is the golden one. */
static void check_intermediates(const struct golden *golden, const char *path) {
    size_t length = strlen(golden->string_to_sign), end = golden->canonicalized.length;
    ck_assert_msg(end > 0 && end < length &&
                      strcmp(golden->string_to_sign + length - end, golden->canonicalized.data) ==
                          0,
                  "%s: the canonicalized parts are\n%s", path, golden->canonicalized.data);
    unsigned char mac[SHA256_BYTES];
    char digits[SHA256_TEXT_BYTES];
    struct crypto_hmac hmac;
    ck_assert_int_eq(crypto_hmac_init(&hmac, golden->account.key, golden->account.key_length),
                     STATUS_OK);
    ck_assert_int_eq(crypto_hmac_sign(&hmac, golden->string_to_sign, length, mac), STATUS_OK);
    crypto_hmac_cleanup(&hmac);
    hex_encode(mac, sizeof mac, digits);
    ck_assert_msg(strcmp(digits, golden->hmac) == 0, "%s: the HMAC is %s", path, digits);
}

/* What is signed is what is sent: each canonicalized header is sent, with that value. */
static void check_sent_headers(struct golden *golden, const char *path) {
    char *rest = golden->canonicalized.data, *line;
    while ((line = strsep(&rest, "\n")) != NULL && line[0] != '/') {
        const char *name = strsep(&line, ":");
        const char *sent = http_headers_get(&golden->headers, name);
        ck_assert_msg(sent != NULL && strcmp(sent, line) == 0, "%s: %s is sent as '%s'", path, name,
                      sent);
    }
}

static void check_golden(const char *path) {
    struct golden golden;
    golden_read(&golden, path);
    struct strbuf text;
    strbuf_init(&text, 4096);
    credential_shared_key_string_to_sign(&golden.account, &golden.request, &text);
    ck_assert_msg(strcmp(text.data, golden.string_to_sign) == 0,
                  "%s: signed is\n%s\nand should be\n%s", path, text.data, golden.string_to_sign);
    strbuf_cleanup(&text);
    check_intermediates(&golden, path);

    struct credential_shared_key credential;
    ck_assert_int_eq(credential_shared_key_init(&credential, &golden.account, NULL), STATUS_OK);
    ck_assert_int_eq(credential.base.authorize(&credential.base, &golden.request, NULL), STATUS_OK);
    const char *authorization = http_headers_get(&golden.headers, "Authorization");
    ck_assert_msg(strcmp(authorization, golden.authorization) == 0, "%s: Authorization is\n%s",
                  path, authorization);
    check_sent_headers(&golden, path);
    credential_shared_key_cleanup(&credential);
    golden_release(&golden);
}

START_TEST(every_golden_request_is_signed_as_documented) {
    const char *root = getenv("LEASEHOLD_ROOT");
    char folder[512], path[1024];
    snprintf(folder, sizeof folder, "%s/tests/data/signing", root ? root : ".");
    DIR *dir = opendir(folder);
    ck_assert_msg(dir != NULL, "%s is missing", folder);
    int checked = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strstr(entry->d_name, ".txt") == NULL) {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        check_golden(path);
        checked++;
    }
    closedir(dir);
    ck_assert_int_ge(checked, 22);
}
END_TEST

/* As many as a call can carry, without Authorization, in the order of their names. */
START_TEST(as_many_headers_are_signed_as_a_call_carries) {
    struct storage_account account = {.name = "acme", .key_length = 16};
    struct http_headers headers, query;
    struct strbuf text;
    strbuf_init(&text, SIZE_MAX);
    http_headers_init(&headers), http_headers_init(&query);
    for (int i = HTTP_CALL_MAX_HEADERS; i > 0; i--) {
        char name[32];
        snprintf(name, sizeof name, "x-ms-meta-a%02d", i);
        http_headers_add(&headers, name, "");
    }
    struct credential_request request = {
        .method = "PUT", .path = "/", .path_length = 1, .query = &query, .headers = &headers};
    credential_shared_key_string_to_sign(&account, &request, &text);
    ck_assert_int_eq(strbuf_status(&text), STATUS_OK);
    ck_assert_ptr_nonnull(strstr(text.data, "\nx-ms-meta-a01:\nx-ms-meta-a02:\nx-ms-meta-a03:\n"));
    ck_assert_ptr_nonnull(strstr(text.data, "\nx-ms-meta-a63:\nx-ms-meta-a64:\n/acme/"));
    http_headers_add(&headers, "x-ms-meta-b", "");
    strbuf_clear(&text);
    credential_shared_key_string_to_sign(&account, &request, &text);
    ck_assert_int_eq(strbuf_status(&text), STATUS_TOO_LARGE);
    struct credential_shared_key credential;
    struct error err;
    ck_assert_int_eq(credential_shared_key_init(&credential, &account, &err), STATUS_OK);
    ck_assert_int_eq(credential.base.authorize(&credential.base, &request, &err), STATUS_TOO_LARGE);
    credential_shared_key_cleanup(&credential);
    http_headers_cleanup(&headers), http_headers_cleanup(&query);
    strbuf_cleanup(&text);
}
END_TEST

/* As portals and tools issue it: escaped once, in either case, and with a name without a value. */
#define SAS                                                                                       \
    "sv=2021-12-02&ss=bt&srt=sco&se=2025-01-20T00%3A00%3a00Z&st=&spr=https,http&sip=10.0.0.0-10." \
    "0.0.9&sig=a%2Bb%2fc%"                                                                        \
    "3D"

static const char *const sas_cases[][2] = {
    {"https://a.blob.core.windows.net/c/b", "https://a.blob.core.windows.net/c/b?" SAS},
    {"https://a.blob.core.windows.net/c/b?comp=lease",
     "https://a.blob.core.windows.net/c/b?comp=lease&" SAS},
    {"https://a.blob.core.windows.net/c?restype=container&prefix=a%3Fb%26c&include=",
     "https://a.blob.core.windows.net/c?restype=container&prefix=a%3Fb%26c&include=&" SAS},
    {"https://a.blob.core.windows.net/c%2Fd%3Fe/%C3%BC",
     "https://a.blob.core.windows.net/c%2Fd%3Fe/%C3%BC?" SAS},
    {"http://127.0.0.1:10002/a/inventory()?$filter=PartitionKey%20eq%20%27%2B%27",
     "http://127.0.0.1:10002/a/inventory()?$filter=PartitionKey%20eq%20%27%2B%27&" SAS},
};

/* A SAS is sent unchanged: neither decoded nor encoded a second time. */
START_TEST(a_sas_is_appended_to_the_url_as_it_is) {
    struct storage_account account = {.sas = SAS};
    struct credential_sas credential;
    struct http_headers headers;
    struct strbuf url;
    strbuf_init(&url, 4096);
    strbuf_append_string(&url, sas_cases[_i][0]);
    http_headers_init(&headers);
    credential_sas_init(&credential, &account);
    struct credential_request request = {.url = &url, .headers = &headers};
    ck_assert_int_eq(credential.base.authorize(&credential.base, &request, NULL), STATUS_OK);
    ck_assert_str_eq(url.data, sas_cases[_i][1]);
    ck_assert_uint_eq(headers.count, 0);
    http_headers_cleanup(&headers);
    strbuf_cleanup(&url);
}
END_TEST

START_TEST(a_url_without_room_for_the_sas_is_an_error) {
    struct storage_account account = {.sas = "sv=2021-12-02&sig=a%2Bb"};
    struct strbuf text;
    strbuf_init(&text, 10);
    struct credential_sas credential;
    credential_sas_init(&credential, &account);
    struct credential_request request = {.url = &text};
    struct error err = {0};
    ck_assert_int_ne(credential.base.authorize(&credential.base, &request, &err), STATUS_OK);
    ck_assert_ptr_null(strstr(err.message, "sig"));
    strbuf_cleanup(&text);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("credential");
    TCase *tcase = tcase_create("credential");
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, every_golden_request_is_signed_as_documented);
    tcase_add_test(tcase, as_many_headers_are_signed_as_a_call_carries);
    tcase_add_loop_test(tcase, a_sas_is_appended_to_the_url_as_it_is, 0,
                        sizeof sas_cases / sizeof sas_cases[0]);
    tcase_add_test(tcase, a_url_without_room_for_the_sas_is_an_error);
    return check_main(suite);
}
