/*
 * entity_tag.h - If-Match and If-None-Match: which version of a product a caller means.
 *
 * A product's ETag is its version in quotes: "7". A caller may send one tag, or * for any version.
 * A list is refused, since the callers of this API have read one version. So is a header that was
 * sent twice.
 *
 * Source   RFC 9110, sections 8.8.3 and 13.1. If-Match compares strongly, so a weak tag never
 *          matches. If-None-Match compares weakly.
 */
#ifndef FUNCTIONS_ENTITY_TAG_H
#define FUNCTIONS_ENTITY_TAG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http_message.h"

struct entity_tag {
    enum {
        ENTITY_TAG_ABSENT,
        ENTITY_TAG_ANY,     /* "*" */
        ENTITY_TAG_VERSION, /* a product's */
        ENTITY_TAG_OTHER,   /* one that no product has */
    } kind;
    bool is_weak;
    int64_t version; /* ENTITY_TAG_VERSION: > 0 */
};

/* Reads a header's value. Returns false if it is to be refused; `out` is undefined then. */
bool entity_tag_read(const struct http_header_value *header, struct entity_tag *out);

/*
 * Returns the version that an If-Match allows, as inventory_request.h has it: 0 for any, and -1 for
 * none.
 */
int64_t entity_tag_expected_version(const struct entity_tag *tag);

/* Returns true if an If-None-Match names the version. */
bool entity_tag_names(const struct entity_tag *tag, int64_t version);

#endif
