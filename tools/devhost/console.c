#include "devhost/console.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utc.h"

static const char *colour_of(enum log_level level) {
    if (level < LOG_WARNING || !isatty(STDOUT_FILENO)) {
        return "";
    }
    return level == LOG_WARNING ? "\033[33m" : "\033[31m";
}

void console_print(enum log_level level, const char *format, ...) {
    char time_text[UTC_TEXT_BYTES];
    utc_format_iso8601_ms(clock_wall_ms(clock_system()), time_text);
    const char *colour = colour_of(level);
    va_list arguments;
    va_start(arguments, format);
    flockfile(stdout);
    printf("[%s] %s", time_text, colour);
    vprintf(format, arguments);
    printf("%s\n", colour[0] != '\0' ? "\033[0m" : "");
    fflush(stdout);
    funlockfile(stdout);
    va_end(arguments);
}

enum log_level console_level_of_line(int from_stderr, const char *line) {
    if (from_stderr && strcasestr(line, "warn") != NULL) {
        return LOG_WARNING;
    }
    if (from_stderr && (strcasestr(line, "error") != NULL || strcasestr(line, "fail") != NULL)) {
        return LOG_ERROR;
    }
    return LOG_INFORMATION;
}
