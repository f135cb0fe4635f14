#include "settings/setting.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/crypto.h"
#include "base/timespan.h"
#include "base/utf8.h"

enum { SHOWN_BYTES = 100 };

#define BASE64 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="

static bool is_given(const struct setting *setting, const struct config_item *item) {
    return item != NULL && (item->value[0] != '\0' || setting->may_be_empty);
}

const struct config_item *setting_find(const struct setting *setting,
                                       const struct config_source *source) {
    const struct config_item *item = config_source_find(source, setting->name);
    if (!is_given(setting, item) && setting->alias != NULL) {
        item = config_source_find(source, setting->alias);
    }
    return is_given(setting, item) ? item : NULL;
}

/*
 * Returns the kind of a reference that Azure has not resolved, or NULL. The app then sees the
 * reference itself as the value. (Sources: "Use Key Vault references as app settings in Azure App
 * Service", "Use App Configuration references for Azure App Service".)
 */
static const char *reference_kind(const char *value) {
    return strncasecmp(value, "@Microsoft.KeyVault(", 20) == 0 ? "a Key Vault reference"
           : strncasecmp(value, "@Microsoft.AppConfiguration(", 28) == 0
               ? "an App Configuration reference"
               : NULL;
}

static bool is_in_quotes(const char *value) {
    size_t length = strlen(value);
    return length >= 2 && (value[0] == '"' || value[0] == '\'') && value[length - 1] == value[0];
}

enum status setting_check_item(const struct setting *setting, const struct config_item *item,
                               struct error *err) {
    const char *reference = reference_kind(item->value);
    if (reference != NULL) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%.*s is %s that was not resolved; Azure's portal says why beside the "
                         "setting (often the app's identity may not read it); allowed: %s",
                         SHOWN_BYTES, item->written, reference, setting->allowed);
    }
    if (is_in_quotes(item->value)) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%.*s stands in quotes; leave them out; allowed: %s", SHOWN_BYTES,
                         item->written, setting->allowed);
    }
    return STATUS_OK;
}

void setting_set_standard(const struct setting *setting, void *base) {
    if (setting->default_text != NULL) {
        enum status status =
            setting->parse(setting, setting->default_text, (char *)base + setting->offset);
        assert(status == STATUS_OK);
        (void)status;
    }
}

enum status setting_read(const struct setting *setting, const struct config_source *source,
                         void *base, struct error *err) {
    const struct config_item *item = setting_find(setting, source);
    if (item == NULL || (setting->is_used != NULL && !setting->is_used(source, base))) {
        return STATUS_OK;
    }
    enum status status = setting_check_item(setting, item, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = setting->parse(setting, item->value, (char *)base + setting->offset);
    if (status == STATUS_NO_MEMORY) {
        return error_set(err, status, "no memory for %s", setting->name);
    }
    return status == STATUS_OK ? STATUS_OK : setting_refuse(setting, item, err);
}

/* Returns whether it looks like an account's key: a long text in base64 that ends with '='. */
static bool may_be_key(const char *value) {
    size_t length = strlen(value);
    return length >= 40 && value[length - 1] == '=' && value[strspn(value, BASE64)] == '\0';
}

/*
 * Returns whether a value must not be shown, although its setting is no secret. A connection
 * string, a key, a client secret, or a URL with a SAS or a password easily gets into the wrong
 * setting. A value with "warn" is hidden, too: the host would take the Error line for a Warning,
 * and leave it out of its report.
 */
static bool must_be_hidden(const char *value) {
    static const char *const marks[] = {"AccountKey", "SharedAccessSignature", "sig=", "@", "8Q~",
                                        "warn"};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (strcasestr(value, marks[i]) != NULL) {
            return true;
        }
    }
    return may_be_key(value);
}

enum status setting_refuse(const struct setting *setting, const struct config_item *item,
                           struct error *err) {
    const char *why = setting->explain == NULL ? NULL : setting->explain(item->value);
    char value[SHOWN_BYTES + 1], is[SHOWN_BYTES + 16];
    snprintf(value, sizeof value, "%s", item->value);
    utf8_make_line(value);
    snprintf(is, sizeof is, "is '%s%s'", value, strlen(item->value) > SHOWN_BYTES ? "..." : "");
    crypto_wipe(value, sizeof value);
    bool is_hidden = setting->is_secret || must_be_hidden(item->value);
    error_set(err, STATUS_INVALID_ARGUMENT, "%.*s %s%s%s; allowed: %s", SHOWN_BYTES, item->written,
              is_hidden ? "has a value that is not shown here" : is, why == NULL ? "" : ": ",
              why == NULL ? "" : why, setting->allowed);
    crypto_wipe(is, sizeof is);
    return STATUS_INVALID_ARGUMENT;
}

bool setting_whole_number(const char *text, int64_t least, int64_t most, int64_t *out) {
    if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0') {
        return false;
    }
    int64_t value = strtoll(text, NULL, 10); /* INT64_MAX for a larger number */
    if (value < least || value > most) {
        return false;
    }
    *out = value;
    return true;
}

enum status setting_parse_bool(const struct setting *setting, const char *text, void *out) {
    (void)setting;
    bool is_true = strcasecmp(text, "true") == 0;
    if (!is_true && strcasecmp(text, "false") != 0) {
        return STATUS_INVALID_ARGUMENT;
    }
    *(bool *)out = is_true;
    return STATUS_OK;
}

enum status setting_parse_int(const struct setting *setting, const char *text, void *out) {
    int64_t value;
    if (!setting_whole_number(text, setting->least, setting->most, &value)) {
        return STATUS_INVALID_ARGUMENT;
    }
    *(int *)out = (int)value;
    return STATUS_OK;
}

enum status setting_parse_ms(const struct setting *setting, const char *text, void *out) {
    int64_t ms;
    if (!timespan_parse(text, &ms) || ms < setting->least || ms > setting->most) {
        return STATUS_INVALID_ARGUMENT;
    }
    *(int64_t *)out = ms;
    return STATUS_OK;
}

enum status setting_parse_choice(const struct setting *setting, const char *text, void *out) {
    for (const struct setting_choice *choice = setting->choices; choice->word != NULL; choice++) {
        if (strcasecmp(text, choice->word) == 0) {
            *(int *)out = choice->value;
            return STATUS_OK;
        }
    }
    return STATUS_INVALID_ARGUMENT;
}

enum status setting_parse_text(const struct setting *setting, const char *text, void *out) {
    int64_t count = utf8_count_printable(text);
    if (count < setting->least || count > setting->most) {
        return STATUS_INVALID_ARGUMENT;
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        return STATUS_NO_MEMORY;
    }
    free(*(char **)out); /* the default, which this replaces */
    *(char **)out = copy;
    return STATUS_OK;
}
