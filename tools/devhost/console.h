/*
 * console.h - what the host prints: one event a line, with its time, in colour on a terminal.
 *
 *   [2025-01-19T14:45:30.123Z] Executing 'Functions.ReconcileInventory' (...)
 */
#ifndef DEVHOST_CONSOLE_H
#define DEVHOST_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "base/status.h"

/* Of log.h's levels, warnings are yellow, errors red. */
void console_print(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * One line of any length, which may hold NULs; they are printed as they are. What is no UTF-8
 * becomes U+FFFD.
 */
void console_print_line(enum log_level level, const char *text, size_t length);

/*
 * The level of a line of the handler's (Azure/azure-functions-host,
 * WorkerProcess.ParseErrorMessageAndLog): stdout is Information; on stderr, "warn" in any case
 * makes a Warning, and any other line is an Error.
 */
enum log_level console_level_of_line(bool from_stderr, const char *line, size_t length);

#endif
