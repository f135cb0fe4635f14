/*
 * handler_output.h - reads what a handler writes to stdout and stderr, and prints it line by line.
 *
 * Threads: one of its own for as long as the handler runs; start and stop belong to one thread.
 */
#ifndef DEVHOST_HANDLER_OUTPUT_H
#define DEVHOST_HANDLER_OUTPUT_H

#include "base/status.h"

struct handler_output;

/*
 * Starts reading from the two pipes' ends, which it owns from now on, whatever it answers.
 * STATUS_NO_MEMORY, STATUS_INTERNAL
 */
enum status handler_output_start(struct handler_output **out, int stdout_fd, int stderr_fd,
                                 struct error *err) MUST_CHECK;

/*
 * Prints what has been written so far and ends, even where the handler's own children still hold
 * the pipes open. NULL is fine.
 */
void handler_output_stop(struct handler_output *output);

#endif
