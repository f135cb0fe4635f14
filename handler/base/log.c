#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/correlation.h"
#include "base/utf8.h"

/*
 * A line is shorter than PIPE_BUF, so the host's pipe takes it as a whole. If poll reports room,
 * the write does not wait. A larger pipe lets its reader be busy for longer; 1 MiB is the most that
 * Linux gives to every user.
 */
enum { LINE_BYTES = 2048, CORRELATION_BYTES = 160, PIPE_BYTES = 1024 * 1024 };

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
static unsigned long dropped_lines; /* guarded by write_lock */

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
    if (level >= LOG_NONE) {
        return; /* nothing is logged, so stdout and stderr belong to the program */
    }
    /* These fail if it is not a pipe or the limit is lower; then it keeps its size. */
    (void)fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
    (void)fcntl(STDERR_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
}

static bool has_room(int file) {
    struct pollfd room = {.fd = file, .events = POLLOUT};
    return poll(&room, 1, 0) == 1;
}

static void write_whole(int file, const char *line, size_t length) {
    while (length > 0) {
        ssize_t written = write(file, line, length);
        if (written < 0 && errno != EINTR) {
            break; /* the reader is gone, and there is nowhere else to say so */
        }
        if (written > 0) {
            line += written;
            length -= (size_t)written;
        }
    }
}

/* Writes "[Instance 1] Warning: ", and returns its length. */
static int begin_line(char line[LINE_BYTES], enum log_level level) {
    return instance_name[0] != '\0'
               ? snprintf(line, LINE_BYTES, "[Instance %s] %s", instance_name, levels[level].prefix)
               : snprintf(line, LINE_BYTES, "[Instance %d] %s", (int)getpid(),
                          levels[level].prefix);
}

static void write_notice(void) {
    char line[LINE_BYTES];
    int length = begin_line(line, LOG_WARNING);
    length += snprintf(line + length, sizeof line - (size_t)length,
                       "%lu log lines were dropped: nobody read them\n", dropped_lines);
    dropped_lines = 0;
    write_whole(STDERR_FILENO, line, (size_t)length);
}

/*
 * A reader that stands still must not stop the program, least of all the renewal of leases. So a
 * line for which there is no room is dropped and counted.
 */
static void write_line(int file, const char *line, size_t length) {
    pthread_mutex_lock(&write_lock);
    bool room = has_room(file);
    if (room && dropped_lines > 0 && has_room(STDERR_FILENO)) {
        write_notice();
    }
    /* The notice may have used up the room of stderr. */
    if (room && (file != STDERR_FILENO || has_room(file))) {
        write_whole(file, line, length);
    } else {
        dropped_lines++;
    }
    pthread_mutex_unlock(&write_lock);
}

/*
 * Writes " [invocation ID, trace ID]" if the thread works on a request, and otherwise nothing.
 * Returns the length.
 */
static int write_correlation(char out[CORRELATION_BYTES]) {
    const struct correlation *correlation = correlation_current();
    out[0] = '\0';
    return correlation == NULL ? 0
                               : snprintf(out, CORRELATION_BYTES, " [invocation %s%s%s]",
                                          correlation->invocation_id,
                                          correlation->trace_id[0] == '\0' ? "" : ", trace ",
                                          correlation->trace_id);
}

bool log_is_on(enum log_level level) {
    return level >= lowest_level && level < LOG_NONE;
}

void log_event(enum log_level level, const char *format, ...) {
    if (!log_is_on(level)) {
        return;
    }
    int saved_errno = errno;
    char line[LINE_BYTES];
    char correlation[CORRELATION_BYTES];
    /* A long message is cut, but not the ids after it. */
    size_t room = sizeof line - 1 - (size_t)write_correlation(correlation);
    int length = begin_line(line, level);
    assert(length > 0 && (size_t)length < room);
    va_list arguments;
    va_start(arguments, format);
    int message_length = vsnprintf(line + length, room - (size_t)length, format, arguments);
    va_end(arguments);
    if (message_length < 0) {
        line[length] = '\0';
    }
    size_t end = strlen(line);
    snprintf(line + end, sizeof line - end, "%s", correlation);
    utf8_make_line(line);
    size_t line_length = strlen(line);
    line[line_length++] = '\n';
    write_line(levels[level].file, line, line_length);
    errno = saved_errno;
}
