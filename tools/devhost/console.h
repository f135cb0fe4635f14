/*
 * console.h - what the host prints: one event a line, with its time, in colour on a terminal.
 *
 *   [2025-01-19T14:45:30.123Z] Executing 'Functions.ReconcileInventory' (...)
 *
 * Threads: any.
 * Layer: devhost. May include base/.
 */
#ifndef DEVHOST_CONSOLE_H
#define DEVHOST_CONSOLE_H

#include "base/log.h"
#include "base/status.h"

/* Of log.h's levels, warnings are yellow, errors red. */
void console_print(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * A line of the handler's, by the host's rules (Azure/azure-functions-host, WorkerProcess): stdout is Information; on
 * stderr, "warn" in any case makes a Warning, else "error" or "fail" an Error, else it is Information.
 */
enum log_level console_level_of_line(int from_stderr, const char *line);

#endif
