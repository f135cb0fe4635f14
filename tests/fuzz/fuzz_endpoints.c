/*
 * Addresses of storage. An accepted one is https or names this machine, stays as it is, and is read
 * by other parsers as it was here.
 */
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "fuzz/input.h"
#include "identity/storage_account.h"
#include "settings/setting_rules.h"

/* Takes the address apart into scheme, authority and path. Source: RFC 3986, appendix B. */
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

static bool is_this_machine(const char *host) {
    unsigned a, b, c;
    int end = 0;
    bool is_127 = sscanf(host, "127.%3u.%3u.%3u%n", &a, &b, &c, &end) == 3 && host[end] == '\0';
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (is_127 && a < 256 && b < 256 && c < 256);
}

/* Returns true if the authority of an http address is this machine, with or without a port. */
static bool is_loopback(const char *address) {
    const char *authority = address + strlen("http://");
    char *host = strndup(authority, strcspn(authority, "/?#"));
    REQUIRE(host != NULL);
    char *port =
        strchr(host[0] == '[' && strchr(host, ']') != NULL ? strchr(host, ']') : host, ':');
    bool has_good_port = true;
    if (port != NULL) {
        *port++ = '\0';
        has_good_port = input_consists_of(port, "0123456789", 0, SIZE_MAX);
    }
    bool answer = has_good_port && is_this_machine(host);
    free(host);
    return answer;
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
        REQUIRE(storage_endpoint_parse(endpoint, again, NULL) == STATUS_OK &&
                strcmp(endpoint, again) == 0);
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
    if (storage_endpoint_is_private(text) && strncasecmp(text, "http://", 7) == 0) {
        REQUIRE(is_loopback(text));
    }
    free(text);
    return 0;
}
