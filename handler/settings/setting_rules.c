#include "settings/setting_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/log.h"
#include "base/timespan.h"
#include "identity/endpoint_check.h"
#include "inventory/inventory_service.h"
#include "inventory/inventory_store_table.h"
#include "lease/lease_names.h"
#include "lease/lease_options.h"

#define DIGITS "0123456789"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define UNRESERVED UPPER LOWER DIGITS "-._~" /* RFC 3986 */

static bool consists_of(const char *text, const char *characters) {
    return text[strspn(text, characters)] == '\0';
}

static bool is_one_of(char c, const char *characters) {
    return c != '\0' && strchr(characters, c) != NULL;
}

enum status setting_parse_lease_duration(const struct setting *setting, const char *text,
                                         void *out) {
    (void)setting;
    int64_t ms;
    if (strcasecmp(text, "Infinite") == 0) {
        *(int *)out = LEASEHOLD_INFINITE;
        return STATUS_OK;
    }
    if (!timespan_parse(text, &ms) || ms % 1000 != 0 || !lease_duration_is_valid(ms / 1000)) {
        return STATUS_INVALID_ARGUMENT;
    }
    *(int *)out = (int)(ms / 1000);
    return STATUS_OK;
}

/* strtod is no choice here: it accepts hexadecimal, NaN and the locale's decimal comma. */
static bool read_decimal(const char *text, double *out) {
    int64_t digits = 0;
    double unit = 1;
    int count = 0;
    bool after_point = false;
    for (; *text != '\0'; text++) {
        if (*text == '.' && !after_point) {
            after_point = true;
            continue;
        }
        if (!is_one_of(*text, DIGITS) || ++count > 18) { /* 18 digits fit an int64_t */
            return false;
        }
        digits = digits * 10 + (*text - '0');
        unit *= after_point ? 10 : 1;
    }
    *out = (double)digits / unit;
    return count > 0;
}

enum status setting_parse_safety_threshold(const struct setting *setting, const char *text,
                                           void *out) {
    (void)setting;
    double value;
    if (!read_decimal(text, &value) || !lease_safety_threshold_is_valid(value)) {
        return STATUS_INVALID_ARGUMENT;
    }
    *(double *)out = value;
    return STATUS_OK;
}

enum status setting_parse_container_name(const struct setting *setting, const char *text,
                                         void *out) {
    (void)setting;
    if (!lease_container_is_valid(text)) {
        return STATUS_INVALID_ARGUMENT;
    }
    memcpy(out, text, strlen(text) + 1);
    return STATUS_OK;
}

enum status setting_parse_blob_prefix(const struct setting *setting, const char *text, void *out) {
    (void)setting;
    if (!lease_prefix_is_valid(text)) {
        return STATUS_INVALID_ARGUMENT;
    }
    memcpy(out, text, strlen(text) + 1);
    return STATUS_OK;
}

enum status setting_parse_table_name(const struct setting *setting, const char *text, void *out) {
    (void)setting;
    size_t length = strlen(text);
    if (length < 3 || length >= TABLE_NAME_BYTES || !consists_of(text, UPPER LOWER DIGITS) ||
        is_one_of(text[0], DIGITS) || strcasecmp(text, "tables") == 0) {
        return STATUS_INVALID_ARGUMENT;
    }
    memcpy(out, text, length + 1);
    return STATUS_OK;
}

/*
 * Over http a SAS or a token could be read on the way, and an answer changed. So http is for this
 * machine alone.
 */
enum status setting_parse_endpoint(const struct setting *setting, const char *text, void *out) {
    return storage_endpoint_is_private(text) ? setting_parse_any_endpoint(setting, text, out)
                                             : STATUS_INVALID_ARGUMENT;
}

enum status setting_parse_blob_endpoint(const struct setting *setting, const char *text,
                                        void *out) {
    return setting_explain_blob_endpoint(text) == NULL ? setting_parse_endpoint(setting, text, out)
                                                       : STATUS_INVALID_ARGUMENT;
}

enum status setting_parse_table_endpoint(const struct setting *setting, const char *text,
                                         void *out) {
    return setting_explain_table_endpoint(text) == NULL ? setting_parse_endpoint(setting, text, out)
                                                        : STATUS_INVALID_ARGUMENT;
}

const char *setting_explain_blob_endpoint(const char *text) {
    return endpoint_check_mistake(text, "blob");
}

const char *setting_explain_table_endpoint(const char *text) {
    return endpoint_check_mistake(text, "table");
}

enum status setting_parse_any_endpoint(const struct setting *setting, const char *text, void *out) {
    (void)setting;
    return strlen(text) <= ENDPOINT_MAX_LENGTH ? storage_endpoint_parse(text, out, NULL)
                                               : STATUS_INVALID_ARGUMENT;
}

enum status setting_parse_readable_file(const struct setting *setting, const char *text,
                                        void *out) {
    return access(text, R_OK) == 0 ? setting_parse_text(setting, text, out)
                                   : STATUS_INVALID_ARGUMENT;
}

static char *trim(char *text) {
    static const char spaces[] = " \t\r\n";
    text += strspn(text, spaces);
    size_t length = strlen(text);
    while (length > 0 && is_one_of(text[length - 1], spaces)) {
        text[--length] = '\0';
    }
    return text;
}

static bool parse_seed(char *text, struct seed_product *out) {
    char *equals = strchr(text, '=');
    if (equals == NULL) {
        return false;
    }
    *equals = '\0';
    const char *id = trim(text);
    if (!inventory_is_product_id(id) ||
        !setting_whole_number(trim(equals + 1), 0, SEED_MAX_TOTAL, &out->total)) {
        return false;
    }
    snprintf(out->id, sizeof out->id, "%s", id);
    return true;
}

static bool has_seed(const struct seed_product *seeds, size_t count, const char *id) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(seeds[i].id, id) == 0) {
            return true;
        }
    }
    return false;
}

/* Cuts `text` into its parts, and fills `seeds`, which has room for all of them. */
static bool parse_seeds(char *text, struct seed_product *seeds, size_t *out_count) {
    size_t count = 0;
    char *rest = NULL;
    for (char *part = strtok_r(text, ";", &rest); part != NULL; part = strtok_r(NULL, ";", &rest)) {
        if (*trim(part) == '\0') {
            continue;
        }
        if (!parse_seed(part, &seeds[count]) || has_seed(seeds, count, seeds[count].id)) {
            return false;
        }
        count++;
    }
    *out_count = count;
    return true;
}

static size_t count_parts(const char *text) {
    size_t parts = 1;
    while ((text = strchr(text, ';')) != NULL) {
        text++;
        parts++;
    }
    return parts;
}

enum status setting_parse_seed_products(const struct setting *setting, const char *text,
                                        void *out) {
    (void)setting;
    char *copy = strdup(text);
    struct seed_product *seeds = calloc(count_parts(text), sizeof *seeds);
    size_t count = 0;
    enum status status = STATUS_NO_MEMORY;
    if (copy != NULL && seeds != NULL) {
        status = parse_seeds(copy, seeds, &count) ? STATUS_OK : STATUS_INVALID_ARGUMENT;
    }
    free(copy);
    if (status != STATUS_OK) {
        free(seeds);
        return status;
    }
    *(struct seed_list *)out = (struct seed_list){.items = seeds, .count = count};
    return STATUS_OK;
}

enum status setting_parse_log_level(const struct setting *setting, const char *text, void *out) {
    (void)setting;
    int64_t number;
    if (setting_whole_number(text, LOG_TRACE, LOG_NONE, &number)) {
        *(enum log_level *)out = (enum log_level)number;
        return STATUS_OK;
    }
    return log_level_parse(text, out) ? STATUS_OK : STATUS_INVALID_ARGUMENT;
}

enum status setting_parse_route_prefix(const struct setting *setting, const char *text, void *out) {
    (void)setting;
    text += strspn(text, "/");
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '/') {
        length--;
    }
    if (length >= ROUTE_PREFIX_BYTES || !consists_of(text, UNRESERVED "/")) {
        return STATUS_INVALID_ARGUMENT;
    }
    snprintf(out, ROUTE_PREFIX_BYTES, "%.*s", (int)length, text);
    return STATUS_OK;
}
