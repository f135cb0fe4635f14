/*
 * lease_names.h - what a lease, its container and its blob's metadata may be called.
 *
 * Azure allows more here and there; these are the names that reach it unchanged in a URL's path and in a header, so that
 * no two of ours become one there: Azure drops dots and slashes at the end of a blob's name, and software on the way may
 * take segments of dots away. Source: "Naming and Referencing Containers, Blobs, and Metadata".
 */
#ifndef LEASE_LEASE_NAMES_H
#define LEASE_LEASE_NAMES_H

#include <stdbool.h>

enum {
    LEASE_PREFIX_MAX_LENGTH = 100,
    LEASE_METADATA_NAME_MAX_LENGTH = 128,
    LEASE_METADATA_VALUE_MAX_LENGTH = 1024,
    LEASE_METADATA_MAX_BYTES =
        7 * 1024, /* in all; Azure allows 8 KiB, and the store adds two of its own */
};

/* For messages: what the functions below allow. */
#define LEASE_NAME_ALLOWED \
    "1 to 255 of A-Z a-z 0-9 . _ ~ - /, no part between slashes empty or ending with a dot"
#define LEASE_CONTAINER_ALLOWED \
    "3 to 63 lower-case letters, digits and single hyphens, a letter or digit first and last"
#define LEASE_PREFIX_ALLOWED \
    "up to 100 of A-Z a-z 0-9 . _ ~ - /, no part in front of a slash empty or ending with a dot"
#define LEASE_METADATA_ALLOWED                                                               \
    "a name of letters, digits and _, no digit first; a value of 1 to 1024 printable ASCII " \
    "characters, no space "                                                                  \
    "first "                                                                                 \
    "or last; 7 KiB in all"

bool lease_name_is_valid(const char *name);
bool lease_container_is_valid(const char *container);

/* Whether it makes a valid name with each valid name behind it. */
bool lease_prefix_is_valid(const char *prefix);

/* May metadata be called lease_NAME (a C# identifier, of ASCII)? Be `value`? */
bool lease_metadata_name_is_valid(const char *name);
bool lease_metadata_value_is_valid(const char *value);

#endif
