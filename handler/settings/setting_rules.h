/*
 * setting_rules.h - the parsers of single settings: names, addresses and the like, as Azure and the
 * inventory allow them.
 *
 * Each reads `text` into the field at `out`, as setting_parser (setting.h) says. The comment names
 * the type of the field.
 */
#ifndef SETTINGS_SETTING_RULES_H
#define SETTINGS_SETTING_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "identity/storage_account.h"
#include "settings/setting.h"

struct seed_product;

enum {
    ENDPOINT_MAX_LENGTH = STORAGE_ENDPOINT_BYTES - 2, /* so that ".blob." can become ".table." */
    ROUTE_PREFIX_BYTES = 128,
    SEED_MAX_TOTAL = 1000000000,
};

/* Products that are created if they are absent. */
struct seed_list {
    struct seed_product *items; /* to be freed */
    size_t count;
};

/* int: a time span that lease_duration_is_valid accepts, or LEASEHOLD_INFINITE for "Infinite". */
enum status setting_parse_lease_duration(const struct setting *setting, const char *text,
                                         void *out);

/* double: what lease_safety_threshold_is_valid accepts, written with digits and a decimal point. */
enum status setting_parse_safety_threshold(const struct setting *setting, const char *text,
                                           void *out);

/*
 * char[LEASE_CONTAINER_NAME_BYTES] (Source: "Naming and Referencing Containers, Blobs, and
 * Metadata")
 */
enum status setting_parse_container_name(const struct setting *setting, const char *text,
                                         void *out);

/*
 * char[LEASE_BLOB_PREFIX_BYTES]: characters that need no escape in the path of a URL; may be empty
 */
enum status setting_parse_blob_prefix(const struct setting *setting, const char *text, void *out);

/* char[TABLE_NAME_BYTES] (Source: "Understanding the Table Service Data Model") */
enum status setting_parse_table_name(const struct setting *setting, const char *text, void *out);

/* char[STORAGE_ENDPOINT_BYTES]: https, or http to this machine (storage_endpoint_is_private) */
enum status setting_parse_endpoint(const struct setting *setting, const char *text, void *out);

/*
 * The same, but the address must fit the service (endpoint_check.h). The setting_explain_ functions
 * return the mistake, or NULL.
 */
enum status setting_parse_blob_endpoint(const struct setting *setting, const char *text, void *out);
enum status setting_parse_table_endpoint(const struct setting *setting, const char *text,
                                         void *out);
const char *setting_explain_blob_endpoint(const char *text);
const char *setting_explain_table_endpoint(const char *text);

/*
 * char[STORAGE_ENDPOINT_BYTES]: also http to any host, for services of the platform's own network
 */
enum status setting_parse_any_endpoint(const struct setting *setting, const char *text, void *out);

/* char *, to be freed: the path of a file that can be read now */
enum status setting_parse_readable_file(const struct setting *setting, const char *text, void *out);

/* struct seed_list: from "ID=N;ID=N" */
enum status setting_parse_seed_products(const struct setting *setting, const char *text, void *out);

/* enum log_level: a name, or the number of the level in .NET's LogLevel */
enum status setting_parse_log_level(const struct setting *setting, const char *text, void *out);

/* char[ROUTE_PREFIX_BYTES]: without slashes around it; may be empty */
enum status setting_parse_route_prefix(const struct setting *setting, const char *text, void *out);

#endif
