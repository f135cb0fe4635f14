/*
 * stdout_capture.h - what this process prints to stdout, for a while, into a file that the test
 * reads.
 */
#ifndef SUPPORT_STDOUT_CAPTURE_H
#define SUPPORT_STDOUT_CAPTURE_H

#include <stddef.h>

/* From now on stdout goes into an empty file. There is one capture at a time. */
void stdout_capture_start(void);

/*
 * Copies what was printed so far, at most `size` - 1 bytes, with a NUL behind it. Returns its
 * length.
 */
size_t stdout_capture_read(char *out, size_t size);

/* stdout goes where it went before. */
void stdout_capture_stop(void);

#endif
