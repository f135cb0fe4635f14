/*
 * log.h - one line for each event, in the form that the Functions host expects.
 *
 * The host takes a line on stdout for Information. A line on stderr is a Warning if it has "warn"
 * anywhere in it, and an Error otherwise (Source: Azure/azure-functions-host, WorkerProcess). So:
 *   - Trace, Debug and Information go to stdout; Warning and above go to stderr.
 *   - A Warning has that word in its line. No other message of ours holds "warn";
 *     tools/check-layers.sh checks it.
 *
 *     [Instance 1] Releasing lease ...
 *     [Instance 1] Warning: Lease abc-123 lost: ...
 *
 * A line that is written for a request (correlation.h) ends with the ids of the request:
 *
 *     ... [invocation 0f8c..., trace 4bf9...]
 *
 * Rules        An event is one line: control characters in a message become spaces.
 *              No secret may be passed in, at any level.
 *              Logging never waits. While nobody reads the other end, lines are dropped, and a
 *              Warning afterwards says how many.
 * Threads      Any, after log_configure. Each line is written with one write.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/status.h"

/* The levels of Microsoft.Extensions.Logging. */
enum log_level {
    LOG_TRACE,
    LOG_DEBUG,
    LOG_INFORMATION,
    LOG_WARNING,
    LOG_ERROR,
    LOG_CRITICAL,
    LOG_NONE
};

/* Reads "Trace" to "None", in any case. Returns false if there is no such level. */
bool log_level_parse(const char *text, enum log_level *out);

/*
 * Sets the instance's name, which is copied and cut at 63 bytes, and the level below which events
 * are dropped. It may be called once, before threads start. Without it the name is the process id
 * and the level Information.
 */
void log_configure(enum log_level level, const char *instance);

/* Returns whether events of that level are written, for events that are costly to prepare. */
bool log_is_on(enum log_level level);

void log_event(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
