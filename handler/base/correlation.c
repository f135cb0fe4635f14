#include "base/correlation.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/uuid.h"

#define ID_CHARACTERS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
enum { VERSION_LENGTH = 2, TRACE_ID_LENGTH = TRACE_ID_BYTES - 1 };

static _Thread_local const struct correlation *current;

static void read_invocation_id(const struct http_headers *headers,
                               const struct random_source *random, char out[INVOCATION_ID_BYTES]) {
    const char *id = http_headers_get(headers, "x-ms-invocation-id"); /* of a proxied request */
    if (id == NULL) {
        id = http_headers_get(headers, "X-Azure-Functions-InvocationId");
    }
    char made[UUID_TEXT_BYTES] = "";
    bool is_valid = id != NULL && *id != '\0' && strlen(id) < INVOCATION_ID_BYTES &&
                    id[strspn(id, ID_CHARACTERS)] == '\0';
    if (!is_valid && uuid_v4(random, made) == STATUS_OK) {
        id = made;
    }
    snprintf(out, INVOCATION_ID_BYTES, "%s", is_valid || made[0] != '\0' ? id : "unknown");
}

/* traceparent is VERSION-TRACEID-PARENTID-FLAGS. A trace id of zeros counts as none. */
static void read_trace_id(const struct http_headers *headers, char out[TRACE_ID_BYTES]) {
    const char *parent = http_headers_get(headers, "traceparent");
    out[0] = '\0';
    if (parent == NULL || strspn(parent, HEX_LOWER) != VERSION_LENGTH ||
        parent[VERSION_LENGTH] != '-') {
        return;
    }
    const char *id = parent + VERSION_LENGTH + 1;
    if (strspn(id, HEX_LOWER) == TRACE_ID_LENGTH && id[TRACE_ID_LENGTH] == '-' &&
        strspn(id, "0") < TRACE_ID_LENGTH) {
        snprintf(out, TRACE_ID_BYTES, "%.*s", TRACE_ID_LENGTH, id);
    }
}

void correlation_read(const struct http_headers *headers, const struct random_source *random,
                      struct correlation *out) {
    read_invocation_id(headers, random, out->invocation_id);
    read_trace_id(headers, out->trace_id);
}

const struct correlation *correlation_use(const struct correlation *correlation) {
    const struct correlation *before = current;
    current = correlation;
    return before;
}

const struct correlation *correlation_current(void) {
    return current;
}
