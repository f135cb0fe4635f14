/*
 * log.h - one event a line, where and how the Functions host wants it.
 *
 * The host logs a line on stdout as Information; a line on stderr with "warn" anywhere in it as Warning, any other as Error
 * (Azure/azure-functions-host, WorkerProcess). So Trace, Debug and Information go to stdout, Warning and above to stderr
 * with the word in the line, and no other message of ours holds "warn" (tools/check-layers.sh):  [Instance 1] Releasing lease ...     [Instance 1] Warning: Lease abc-123 lost: ...
 *
 * A line that is written for a request (correlation.h) ends with its ids:  ... [invocation 0f8c..., trace 4bf9...]
 *
 * Rules        Control characters in a message become spaces: an event is one line, whatever a caller sent us.
 *              No secret is ever passed in, at any level.
 *              Logging never waits: while nobody reads the other end, lines are dropped, and counted in a Warning afterwards.
 * Threads: any after log_configure; a line is written with one write.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/status.h"

/* Microsoft.Extensions.Logging's levels. */
enum log_level {
    LOG_TRACE,
    LOG_DEBUG,
    LOG_INFORMATION,
    LOG_WARNING,
    LOG_ERROR,
    LOG_CRITICAL,
    LOG_NONE
};

/* "Trace" ... "None", any case. False: no such level; *out untouched. */
bool log_level_parse(const char *text, enum log_level *out);

/* Once, before threads start. `instance` is copied (cut at 63 bytes); events below `level` are dropped. Default: pid, Information. */
void log_configure(enum log_level level, const char *instance);

/* Whether events of that level are written: for those who would prepare one at some cost. */
bool log_is_on(enum log_level level);

void log_event(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
