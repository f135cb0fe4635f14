/*
 * lease_names.h - which names a lease, its container and the metadata of its blob may have.
 *
 * Azure allows more names than this file. These names reach Azure unchanged in the path of a URL
 * and in a header, so two names of ours never become one name there. Azure drops dots and slashes
 * at the end of a blob's name, and proxies may remove segments that are dots.
 * Source: "Naming and Referencing Containers, Blobs, and Metadata".
 */
#ifndef LEASE_LEASE_NAMES_H
#define LEASE_LEASE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

enum {
    /* With the 0 at the end. */
    LEASE_NAME_BYTES = 256,
    LEASE_CONTAINER_NAME_BYTES = 64,
    LEASE_BLOB_PREFIX_BYTES = 101,

    /* Of all metadata. Azure allows 8 KiB, and lease_store_blob adds two items of its own. */
    LEASE_METADATA_MAX_BYTES = 7 * 1024,
};

/* For messages: what the functions below allow. */
#define LEASE_NAME_ALLOWED \
    "1 to 255 of A-Z a-z 0-9 . _ ~ - /, no part between slashes empty or ending with a dot"
#define LEASE_CONTAINER_ALLOWED \
    "3 to 63 lower-case letters, digits and single hyphens, a letter or digit first and last"
#define LEASE_PREFIX_ALLOWED \
    "up to 100 of A-Z a-z 0-9 . _ ~ - /, no part in front of a slash empty or ending with a dot"
#define LEASE_METADATA_ALLOWED                                                               \
    "a NAME of letters, digits and _, no digit first; a value of 1 to 1024 printable ASCII " \
    "characters, no space first or last; 7 KiB in all"

bool lease_name_is_valid(const char *name);
bool lease_container_is_valid(const char *container);

/* Whether every valid lease name behind this prefix makes a valid name of a blob. */
bool lease_prefix_is_valid(const char *prefix);

/* Whether a blob may have the metadata lease_NAME with this value. */
bool lease_metadata_is_valid(const char *name, const char *value);

/* How many bytes of LEASE_METADATA_MAX_BYTES this item takes. */
size_t lease_metadata_bytes(const char *name, const char *value);

#endif
