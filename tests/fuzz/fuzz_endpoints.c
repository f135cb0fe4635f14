/* Addresses of storage: what is accepted is https or this machine, stays as it is, and is read by others as it was here. */
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "fuzz/input.h"
#include "settings/setting_rules.h"
#include "storage/storage_account.h"

#define NAMES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* The address taken apart as RFC 3986 appendix B does it: up to the scheme, the authority, the path. */
static void check_parts(const char *endpoint) {
    const char *authority = strstr(endpoint, "://");
    REQUIRE(authority != NULL && strlen(endpoint) < STORAGE_ENDPOINT_BYTES);
    REQUIRE(strncasecmp(endpoint, "https", (size_t)(authority - endpoint)) == 0);
    authority += strlen("://");
    size_t length = strcspn(authority, "/");
    REQUIRE(length > 0 && strpbrk(endpoint, "?#\\ \t\r\n<>\"") == NULL);
    REQUIRE(memchr(authority, '@', length) == NULL); /* no user info */
    REQUIRE(endpoint[strlen(endpoint) - 1] != '/');
    REQUIRE(utf8_count_printable(endpoint) == (int64_t)strlen(endpoint));
}

static bool is_loopback(const char *endpoint) {
    static const char *const hosts[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        size_t length = strlen(hosts[i]);
        if (strncasecmp(endpoint, hosts[i], length) == 0 && strspn(endpoint + length, NAMES ".-_") == 0) {
            return true;
        }
    }
    return false;
}

static void check_tables(const char *endpoint) {
    char tables[STORAGE_ENDPOINT_BYTES] = "before", again[STORAGE_ENDPOINT_BYTES];
    if (!storage_endpoint_for_tables(endpoint, tables)) {
        REQUIRE(strcmp(tables, "before") == 0);
        return;
    }
    REQUIRE(storage_endpoint_parse(tables, again, NULL) == STATUS_OK && strcmp(tables, again) == 0);
    REQUIRE(strlen(tables) == strlen(endpoint) + 1 && strstr(tables, ".table.") != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = input_of(data, size);
    char *text = input_take_text(&input);
    char endpoint[STORAGE_ENDPOINT_BYTES] = "before", again[STORAGE_ENDPOINT_BYTES],
         setting[STORAGE_ENDPOINT_BYTES] = "before";
    struct error err = {0};
    bool accepted = storage_endpoint_parse(text, endpoint, &err) == STATUS_OK;
    if (accepted) {
        check_parts(endpoint);
        REQUIRE(storage_endpoint_parse(endpoint, again, NULL) == STATUS_OK && strcmp(endpoint, again) == 0);
        check_tables(endpoint);
    } else {
        REQUIRE(strcmp(endpoint, "before") == 0 && err.status == STATUS_INVALID_ARGUMENT);
    }
    if (setting_parse_endpoint(NULL, text, setting) == STATUS_OK) {
        REQUIRE(accepted && strcmp(setting, endpoint) == 0);
        REQUIRE(strncasecmp(setting, "https://", 8) == 0 || is_loopback(setting));
        REQUIRE(strlen(setting) + strlen("table") - strlen("blob") < STORAGE_ENDPOINT_BYTES);
    } else {
        REQUIRE(strcmp(setting, "before") == 0);
    }
    free(text);
    return 0;
}
