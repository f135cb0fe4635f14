/*
 * Storage's answers other than success: statuses, error codes, bodies in XML and JSON, Retry-After.
 * And the dates in headers.
 */
#include <string.h>
#include <strings.h>

#include "base/http_message.h"
#include "base/utc.h"
#include "base/utf8.h"
#include "fuzz/input.h"
#include "http/http_client.h"
#include "http/retry_policy.h"
#include "storage/storage_error.h"

#define WALL_MS INT64_C(1737297930000) /* 2025-01-19T14:45:30Z */
#define LEASE_ID "01a20926-afc4-8504-a6dc-2b2239e0bd4d"
#define LAST_MS INT64_C(253402300799999)

static const int statuses[] = {200, 206, 304, 400, 401, 403, 404, 408,
                               409, 412, 413, 429, 500, 503, 599, 201};

enum { STATUS_COUNT = sizeof statuses / sizeof statuses[0], MOST_RETRY_AFTER_MS = 3600 * 1000 };

static bool ends(const char *text, size_t bytes) {
    return memchr(text, '\0', bytes) != NULL;
}

/* A date that is understood is written as it was read, in both forms. */
static void check_dates(const char *text) {
    int64_t ms = -1, again_ms = -1;
    char formatted[UTC_TEXT_BYTES];
    if (utc_parse_http(text, &ms)) {
        REQUIRE(ms >= 0 && ms <= LAST_MS && ms % 1000 == 0);
        utc_format_http(ms, formatted);
        REQUIRE(strcmp(formatted, text) == 0);
        utc_format_iso8601(ms, formatted);
        REQUIRE(utc_parse_iso8601(formatted, &again_ms) && again_ms == ms);
    } else {
        REQUIRE(ms == -1);
    }
    ms = -1;
    if (utc_parse_iso8601(text, &ms)) {
        REQUIRE(ms >= 0 && ms <= LAST_MS);
        utc_format_iso8601_ms(ms, formatted);
        REQUIRE(utc_parse_iso8601(formatted, &again_ms) && again_ms == ms);
        REQUIRE(strncmp(formatted, text, strlen("2025-01-19T14:45:30")) == 0);
    } else {
        REQUIRE(ms == -1);
    }
}

static void check_reply(const struct http_reply *reply) {
    struct error err, before;
    memset(&err, 0x5a, sizeof err);
    before = err;
    const struct storage_success success = {.http_status = 200, .lease_id = LEASE_ID};
    const char *request_id = http_headers_get(&reply->headers, "x-ms-request-id");
    const char *lease_id = http_headers_get(&reply->headers, "x-ms-lease-id");
    enum status status =
        storage_error_read(reply, &success, "PUT /leases/x?comp=lease", WALL_MS, &err);
    if (status == STATUS_OK) {
        REQUIRE(memcmp(&err, &before, sizeof err) == 0);
        REQUIRE(reply->status == 200 && request_id != NULL && lease_id != NULL &&
                strcasecmp(lease_id, LEASE_ID) == 0);
        return;
    }
    bool is_storages = err.http_status != 0;
    REQUIRE(err.status == status && (is_storages || status == STATUS_UNAVAILABLE));
    REQUIRE(!is_storages ||
            (err.http_status == reply->status && reply->status >= 400 && request_id != NULL));
    REQUIRE(is_storages == (err.code[0] != '\0'));
    REQUIRE(ends(err.message, sizeof err.message) && ends(err.code, sizeof err.code));
    REQUIRE(ends(err.request_id, sizeof err.request_id));
    REQUIRE(strpbrk(err.message, "\r\n") == NULL && strpbrk(err.code, "\r\n") == NULL);
    REQUIRE(err.retry_after_ms >= 0 && err.retry_after_ms <= MOST_RETRY_AFTER_MS);
    REQUIRE(!is_storages || status == storage_error_status(reply->status, err.code));
}

static void add(struct http_headers *headers, const char *name, const char *value) {
    if (value[0] != '\0') {
        http_headers_add(headers, name, value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = input_of(data, size);
    struct http_reply reply;
    http_reply_init(&reply);
    reply.status = statuses[input_take_choice(&input, STATUS_COUNT)];
    reply.body.max_bytes = SIZE_MAX;
    char *code = input_take_line(&input), *retry_after = input_take_line(&input),
         *id = input_take_line(&input);
    char *lease_id = input_take_line(&input);
    size_t length;
    char *body = input_take_bytes(&input, &length);
    add(&reply.headers, "x-ms-error-code", code);
    add(&reply.headers, "retry-after", retry_after);
    add(&reply.headers, "x-ms-request-id", id);
    add(&reply.headers, "x-ms-lease-id", lease_id);
    strbuf_append(&reply.body, body, length);
    check_dates(retry_after);
    int after_ms = retry_policy_parse_retry_after_ms(retry_after, WALL_MS);
    REQUIRE(after_ms >= 0 && after_ms <= MOST_RETRY_AFTER_MS);
    check_reply(&reply);
    http_reply_cleanup(&reply);
    free(body);
    free(lease_id);
    free(id);
    free(retry_after);
    free(code);
    return 0;
}
