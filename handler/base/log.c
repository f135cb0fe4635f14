#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/utf8.h"

/* Well under PIPE_BUF, so that the host's pipe takes a line whole even from several processes. */
enum { LINE_BYTES = 2048 };

static const struct {
    const char *name;
    const char *prefix;
    int file;
} levels[] = {
    [LOG_TRACE] = {"Trace", "Trace: ", STDOUT_FILENO},
    [LOG_DEBUG] = {"Debug", "Debug: ", STDOUT_FILENO},
    [LOG_INFORMATION] = {"Information", "", STDOUT_FILENO},
    [LOG_WARNING] = {"Warning", "Warning: ", STDERR_FILENO},
    [LOG_ERROR] = {"Error", "Error: ", STDERR_FILENO},
    [LOG_CRITICAL] = {"Critical", "Critical error: ", STDERR_FILENO},
    [LOG_NONE] = {"None", "", -1},
};

static enum log_level lowest_level = LOG_INFORMATION;
static char instance_name[64] = "";
static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER;

bool log_level_parse(const char *text, enum log_level *out) {
    for (int i = LOG_TRACE; i <= LOG_NONE; i++) {
        if (strcasecmp(text, levels[i].name) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_configure(enum log_level level, const char *instance) {
    lowest_level = level;
    snprintf(instance_name, sizeof instance_name, "%s", instance);
    utf8_make_line(instance_name);
}

static void write_line(int file, const char *line, size_t length) {
    pthread_mutex_lock(&write_lock);
    while (length > 0) {
        ssize_t written = write(file, line, length);
        if (written < 0 && errno != EINTR) {
            break; /* nobody reads us any more; there is nowhere to say so */
        }
        if (written > 0) {
            line += written;
            length -= (size_t)written;
        }
    }
    pthread_mutex_unlock(&write_lock);
}

void log_event(enum log_level level, const char *format, ...) {
    if (level < lowest_level || level >= LOG_NONE) {
        return;
    }
    int saved_errno = errno;
    char line[LINE_BYTES];
    int length = instance_name[0] != '\0'
                     ? snprintf(line, sizeof line, "[Instance %s] %s", instance_name, levels[level].prefix)
                     : snprintf(line, sizeof line, "[Instance %d] %s", (int)getpid(), levels[level].prefix);
    assert(length > 0 && (size_t)length < sizeof line - 1);
    va_list arguments;
    va_start(arguments, format);
    int message_length = vsnprintf(line + length, sizeof line - 1 - (size_t)length, format, arguments);
    va_end(arguments);
    if (message_length < 0) {
        line[length] = '\0';
    }
    utf8_make_line(line);
    size_t line_length = strlen(line);
    line[line_length++] = '\n';
    write_line(levels[level].file, line, line_length);
    errno = saved_errno;
}
