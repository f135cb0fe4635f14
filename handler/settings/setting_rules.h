/*
 * setting_rules.h - what Azure and the inventory allow as names, addresses and the like: the settings table's other
 * parsers.
 *
 * Each reads `text` into the field at `out`, as setting.h says of setting_parser.
 * Threads: none of its own.
 */
#ifndef SETTINGS_SETTING_RULES_H
#define SETTINGS_SETTING_RULES_H

#include <stdbool.h>

#include "base/status.h"
#include "identity/storage_account.h"
#include "settings/setting.h"

enum {
    ENDPOINT_MAX_LENGTH =
        STORAGE_ENDPOINT_BYTES - 2, /* so that its ".blob." has room to become ".table." */
    SEED_MAX_TOTAL = 1000000000,
};

/* int: a time span that lease_duration_is_valid accepts, or LEASEHOLD_INFINITE for "Infinite". */
enum status setting_parse_lease_duration(const struct setting *setting, const char *text,
                                         void *out);

/* double: what lease_safety_threshold_is_valid accepts, written with digits and a decimal point. */
enum status setting_parse_safety_threshold(const struct setting *setting, const char *text,
                                           void *out);

/* char[LEASE_CONTAINER_NAME_BYTES] ("Naming and Referencing Containers, Blobs, and Metadata") */
enum status setting_parse_container_name(const struct setting *setting, const char *text,
                                         void *out);

/* char[LEASE_BLOB_PREFIX_BYTES]: what needs no escaping in a URL's path; may be empty. */
enum status setting_parse_blob_prefix(const struct setting *setting, const char *text, void *out);

/* char[TABLE_NAME_BYTES] ("Understanding the Table Service Data Model") */
enum status setting_parse_table_name(const struct setting *setting, const char *text, void *out);

/* char[STORAGE_ENDPOINT_BYTES]: https, or http to this machine (storage_endpoint_is_private). */
enum status setting_parse_endpoint(const struct setting *setting, const char *text, void *out);

/* The same for the endpoints of blobs and tables, without what endpoint_check.h calls a mistake; and which mistake it is. */
enum status setting_parse_blob_endpoint(const struct setting *setting, const char *text, void *out);
enum status setting_parse_table_endpoint(const struct setting *setting, const char *text,
                                         void *out);
const char *setting_explain_blob_endpoint(const char *text);
const char *setting_explain_table_endpoint(const char *text);

/* The same with http to anywhere: for what platforms have on their own network. */
enum status setting_parse_any_endpoint(const struct setting *setting, const char *text, void *out);

/* char *, to be freed: the path of a file that can be read now. */
enum status setting_parse_readable_file(const struct setting *setting, const char *text, void *out);

/* struct app_settings: its seeds and what its inventory options say of them, from "ID=N;ID=N". */
enum status setting_parse_seed_products(const struct setting *setting, const char *text, void *out);

/* enum log_level: a name, or the number that .NET's LogLevel has for it */
enum status setting_parse_log_level(const struct setting *setting, const char *text, void *out);

/* char[ROUTE_PREFIX_BYTES], without slashes around it; may be empty. */
enum status setting_parse_route_prefix(const struct setting *setting, const char *text, void *out);

#endif
