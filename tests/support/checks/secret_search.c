#include "support/checks/secret_search.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

enum {
    SHORTEST = 8,
    WINDOW = 16,
    STRIDE = 8,
    MAX_SECRET_BYTES = 256 * 1024
}; /* WINDOW + STRIDE: the piece of the header */

void secret_search_add(struct secret_search *search, const char *name, const char *value) {
    if (value[0] == '\0') {
        return;
    }
    ck_assert_msg(strlen(value) >= SHORTEST, "%s is too short to be looked for", name);
    ck_assert_uint_lt(search->count, MAX_SECRETS);
    search->secrets[search->count].name = strdup(name);
    search->secrets[search->count].value = strdup(value);
    ck_assert(search->secrets[search->count].name != NULL &&
              search->secrets[search->count].value != NULL);
    search->count++;
}

static bool holds(const char *text, size_t length, const char *secret, size_t secret_length) {
    if (secret_length < WINDOW + STRIDE) {
        return memmem(text, length, secret, secret_length) != NULL;
    }
    for (size_t at = 0; at + WINDOW <= secret_length; at += STRIDE) {
        if (memmem(text, length, secret + at, WINDOW) != NULL) {
            return true;
        }
    }
    return false;
}

static bool holds_encoded(const char *text, size_t length, const char *secret) {
    struct strbuf encoded;
    strbuf_init(&encoded, MAX_SECRET_BYTES);
    strbuf_append_percent_encoded(&encoded, secret);
    bool found = holds(text, length, encoded.data, encoded.length);
    strbuf_cleanup(&encoded);
    return found;
}

const char *secret_search_find(const struct secret_search *search, const char *text,
                               size_t length) {
    for (size_t i = 0; i < search->count; i++) {
        const char *value = search->secrets[i].value;
        if (holds(text, length, value, strlen(value)) || holds_encoded(text, length, value)) {
            return search->secrets[i].name;
        }
    }
    return NULL;
}

void secret_search_cleanup(struct secret_search *search) {
    for (size_t i = 0; i < search->count; i++) {
        free(search->secrets[i].name);
        free(search->secrets[i].value);
    }
    *search = (struct secret_search){.count = 0};
}
