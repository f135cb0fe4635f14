/*
 * standard_streams.h - makes sure that descriptors 0 to 2 are open, and that what was printed is
 * read.
 *
 * Every open takes the lowest free descriptor. If a program is started without a stdout, its first
 * socket becomes descriptor 1, and what the program prints goes into that connection. So each main
 * calls this first.
 *
 * Threads      standard_streams_open: the main thread, before others start.
 */
#ifndef BASE_STANDARD_STREAMS_H
#define BASE_STANDARD_STREAMS_H

#include <stdbool.h>

/*
 * Opens those of the descriptors 0 to 2 that are closed. Reading from them finds an end. Writing
 * fails with EBADF as before, so that a program can still tell that its output is lost.
 *
 * Returns false if they cannot be opened; errno says why.
 */
bool standard_streams_open(void);

/*
 * Waits until the reader of a pipe has read everything that was written to `descriptor`, for at
 * most `timeout_ms`. Returns at once if the reader is gone, or if `descriptor` is no pipe. Any
 * thread.
 */
void standard_streams_await_reader(int descriptor, int timeout_ms);

#endif
