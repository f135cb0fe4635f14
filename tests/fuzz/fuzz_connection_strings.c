/*
 * Connection strings. An accepted one, written out again, says the same. A refusal shows no secret.
 */
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/crypto.h"
#include "base/utf8.h"
#include "fuzz/input.h"
#include "identity/storage_account.h"

enum { SECRET_LEAST_LENGTH = 12 };

/*
 * Returns true if `value`, which stands at `at`, stands elsewhere in `text`, too. Then a message
 * may show it as part of something else.
 */
static bool stands_elsewhere(const char *text, const char *at, const char *value) {
    for (const char *found = text; (found = strstr(found, value)) != NULL; found++) {
        if (found != at) {
            return true;
        }
    }
    return false;
}

/*
 * Returns true if a part of the text begins at `at`, as a name does and the inside of a value not.
 */
static bool begins_part(const char *text, const char *at, const char *separators) {
    return at == text || strchr(separators, at[-1]) != NULL;
}

/*
 * No message shows the value of `name`, which stands behind one of `separators` and ends at the
 * next ';'. Short values, and words that a message may have by chance, do not count.
 */
static void check_not_shown(const char *text, const char *name, const char *separators,
                            const char *message) {
    for (const char *found = text; (found = strcasestr(found, name)) != NULL;) {
        bool is_name = begins_part(text, found, separators);
        found += strlen(name);
        char *value = strndup(found, strcspn(found, ";"));
        REQUIRE(value != NULL);
        if (is_name && strlen(value) >= SECRET_LEAST_LENGTH &&
            strpbrk(value, "0123456789") != NULL && !stands_elsewhere(text, found, value)) {
            REQUIRE(strstr(message, value) == NULL);
        }
        free(value);
    }
}

static void check_endpoint(const char *endpoint) {
    char again[STORAGE_ENDPOINT_BYTES];
    REQUIRE(storage_endpoint_parse(endpoint, again, NULL) == STATUS_OK &&
            strcmp(again, endpoint) == 0);
}

static void append(struct strbuf *out, const char *name, const char *value) {
    if (value[0] != '\0') {
        strbuf_appendf(out, "%s=%s;", name, value);
    }
}

/* Writes every part of an account as a connection string. */
static void append_account(struct strbuf *out, const struct storage_account *account) {
    append(out, "AccountName", account->name);
    append(out, "BlobEndpoint", account->blob_endpoint);
    append(out, "TableEndpoint", account->table_endpoint);
    append(out, "SharedAccessSignature", account->sas);
    if (account->sas[0] == '\0') {
        strbuf_append_string(out, "AccountKey=");
        crypto_base64_encode(account->key, account->key_length, out);
    }
}

static void check_accepted(const struct storage_account *account) {
    bool has_key = account->key_length > 0;
    REQUIRE(has_key != (account->sas[0] != '\0'));
    REQUIRE(!has_key || account->name[0] != '\0');
    check_endpoint(account->blob_endpoint);
    if (account->table_endpoint[0] != '\0') {
        check_endpoint(account->table_endpoint);
    }
    struct strbuf text;
    strbuf_init(&text, SIZE_MAX);
    append_account(&text, account);
    struct storage_account again;
    REQUIRE(storage_account_parse(text.data, &again, NULL) == STATUS_OK);
    REQUIRE(memcmp(account, &again, sizeof again) == 0);
    strbuf_cleanup(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = input_of(data, size);
    char *text = input_take_text(&input);
    struct storage_account account, before;
    memset(&account, 0x5a, sizeof account);
    before = account;
    struct error err = {0};
    if (storage_account_parse(text, &account, &err) == STATUS_OK) {
        check_accepted(&account);
    } else {
        REQUIRE(memcmp(&account, &before, sizeof before) == 0);
        REQUIRE(err.status == STATUS_INVALID_ARGUMENT && utf8_count_printable(err.message) > 0);
        check_not_shown(text, "AccountKey=", "; \t", err.message);
        check_not_shown(text, "sig=", ";?&= \t", err.message);
    }
    free(text);
    return 0;
}
