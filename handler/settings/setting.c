#include "settings/setting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/timespan.h"
#include "base/utf8.h"

enum { SHOWN_BYTES = 100 };

static bool is_given(const struct setting *setting, const char *text) {
    return text != NULL && (text[0] != '\0' || setting->may_be_empty);
}

const char *setting_text(const struct setting *setting, const struct config_source *source) {
    const char *text = config_source_get(source, setting->name);
    if (!is_given(setting, text) && setting->alias != NULL) {
        text = config_source_get(source, setting->alias);
    }
    return is_given(setting, text) ? text : NULL;
}

enum status setting_read(const struct setting *setting, const struct config_source *source, void *base,
                         struct error *err) {
    const char *text = setting_text(setting, source);
    if (text == NULL) {
        return STATUS_OK;
    }
    enum status status = setting->parse(setting, text, (char *)base + setting->offset);
    if (status == STATUS_NO_MEMORY) {
        return error_set(err, status, "no memory for %s", setting->name);
    }
    return status == STATUS_OK ? STATUS_OK : setting_refuse(setting, text, err);
}

/* A connection string, a URL with a SAS or with a password lands in the wrong setting easily. */
static bool may_hold_secret(const char *value) {
    static const char *const marks[] = {"AccountKey", "SharedAccessSignature", "sig=", "@"};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (strcasestr(value, marks[i]) != NULL) {
            return true;
        }
    }
    return false;
}

enum status setting_refuse(const struct setting *setting, const char *value, struct error *err) {
    if (setting->is_secret || may_hold_secret(value)) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "%.*s has a value that is not shown here; allowed: %s",
                         SHOWN_BYTES, setting->name, setting->allowed);
    }
    char shown[SHOWN_BYTES + 1];
    snprintf(shown, sizeof shown, "%s", value);
    utf8_make_line(shown);
    const char *dots = strlen(value) > SHOWN_BYTES ? "..." : "";
    return error_set(err, STATUS_INVALID_ARGUMENT, "%.*s is '%s%s'; allowed: %s", SHOWN_BYTES, setting->name, shown,
                     dots, setting->allowed);
}

bool setting_whole_number(const char *text, int64_t least, int64_t most, int64_t *out) {
    if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0') {
        return false;
    }
    int64_t value = strtoll(text, NULL, 10); /* INT64_MAX for what is larger */
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

/* UTF-8 without control characters. */
enum status setting_parse_text(const struct setting *setting, const char *text, void *out) {
    int64_t count = utf8_count_printable(text);
    if (count < setting->least || count > setting->most) {
        return STATUS_INVALID_ARGUMENT;
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        return STATUS_NO_MEMORY;
    }
    *(char **)out = copy;
    return STATUS_OK;
}
