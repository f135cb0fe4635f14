#include "devhost/console.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utc.h"
#include "base/utf8.h"

static const char *colour_of(enum log_level level) {
    if (level < LOG_WARNING || !isatty(STDOUT_FILENO)) {
        return "";
    }
    return level == LOG_WARNING ? "\033[33m" : "\033[31m";
}

/* Prints one line. What is no UTF-8 becomes U+FFFD, as .NET decodes it. */
static void print_text(const char *text, size_t length) {
    while (length > 0) {
        uint32_t code_point;
        size_t taken = utf8_decode(text, length, &code_point);
        fwrite(taken > 0 ? text : "\xef\xbf\xbd", 1, taken > 0 ? taken : 3, stdout);
        taken += taken == 0;
        text += taken;
        length -= taken;
    }
}

void console_print_line(enum log_level level, const char *text, size_t length) {
    char time_text[UTC_TEXT_BYTES];
    utc_format_iso8601_ms(clock_wall_ms(clock_system()), time_text);
    const char *colour = colour_of(level);
    flockfile(stdout);
    printf("[%s] %s", time_text, colour);
    print_text(text, length);
    printf("%s\n", colour[0] != '\0' ? "\033[0m" : "");
    fflush(stdout);
    funlockfile(stdout);
}

void console_print(enum log_level level, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *formatted = NULL;
    int length = vasprintf(&formatted, format, arguments);
    va_end(arguments);
    if (length >= 0) {
        console_print_line(level, formatted, (size_t)length);
        free(formatted);
    }
}

/* Whether `text`, which may hold NULs, has `word` in any case. */
static bool has_word(const char *text, size_t length, const char *word) {
    size_t word_length = strlen(word);
    for (size_t i = 0; i + word_length <= length; i++) {
        if (strncasecmp(text + i, word, word_length) == 0) {
            return true;
        }
    }
    return false;
}

enum log_level console_level_of_line(bool from_stderr, const char *line, size_t length) {
    if (!from_stderr) {
        return LOG_INFORMATION;
    }
    return has_word(line, length, "warn") ? LOG_WARNING : LOG_ERROR;
}
