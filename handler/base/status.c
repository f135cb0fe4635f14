#include "base/status.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static const char *const names[] = {
#define STATUS_NAME(name, text) #name,
    STATUS_TABLE(STATUS_NAME)
#undef STATUS_NAME
};

static const char *const texts[] = {
#define STATUS_MEANING(name, text) text,
    STATUS_TABLE(STATUS_MEANING)
#undef STATUS_MEANING
};

static const char *look_up(const char *const *table, enum status status) {
    size_t count = sizeof names / sizeof names[0];
    return (size_t)status < count ? table[status] : "unknown status";
}

const char *status_name(enum status status) {
    return look_up(names, status);
}

const char *status_text(enum status status) {
    return look_up(texts, status);
}

enum status error_set(struct error *err, enum status status, const char *format, ...) {
    if (err == NULL) {
        return status;
    }
    struct error filled = {.status = status};
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(filled.message, sizeof filled.message, format, arguments);
    va_end(arguments);
    if (written < 0) {
        filled.message[0] = '\0';
    }
    utf8_make_line(filled.message);
    *err = filled; /* last, because the arguments may lie in *err */
    return status;
}

void error_wrap(struct error *err, const char *format, ...) {
    if (err == NULL) {
        return;
    }
    char context[sizeof err->message];
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(context, sizeof context, format, arguments);
    va_end(arguments);
    if (written < 0) {
        return;
    }
    utf8_make_line(context);
    char joined[sizeof context + sizeof err->message + 2];
    snprintf(joined, sizeof joined, "%s: %s", context, err->message);
    joined[sizeof err->message - 1] = '\0';
    utf8_make_line(joined);
    memcpy(err->message, joined, sizeof err->message);
}
