/*
 * stub_log.c - the log in a simulated world, in place of handler/base/log.c: lines of the trace.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "simulation/simulated_process.h"

bool log_is_on(enum log_level level) {
    const struct simulated_process *process = simulated_process_current();
    return process != NULL && process->simulation->prints && level < LOG_NONE;
}

void log_event(enum log_level level, const char *format, ...) {
    if (!log_is_on(level)) {
        return;
    }
    static const char *const names[] = {"trace", "debug", "info", "warning", "error", "critical"};
    const struct simulated_process *process = simulated_process_current();
    char line[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    simulation_tell(process->simulation, process->name, "    %s: %s", names[level], line);
}
