/*
 * standard_streams.h - descriptors 0 to 2, made sure of before anything else is opened.
 *
 * Every open takes the lowest free descriptor. In a program that was started without a stdout, a socket would become descriptor
 * 1, and what the program prints would go into that connection. So each main calls this first.
 * Threads: the main one, before there are others.
 */
#ifndef BASE_STANDARD_STREAMS_H
#define BASE_STANDARD_STREAMS_H

#include <stdbool.h>

/*
 * Opens those of the descriptors 0 to 2 that are closed. Reading there finds an end; writing fails with EBADF, as it does on a
 * closed descriptor, so that a program can still tell that its output is lost. False: they cannot be opened; errno says why.
 */
bool standard_streams_open(void);

#endif
