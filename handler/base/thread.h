/*
 * thread.h - starts a thread, with a message that helps if the system refuses it.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

#include "base/status.h"

/*
 * Runs `run(context)` on a new thread, which the caller joins.
 *
 * STATUS_NO_THREAD   the system allows no more threads; the message names the limits to raise
 */
enum status thread_start(pthread_t *out, void *(*run)(void *context), void *context,
                         struct error *err) MUST_CHECK;

#endif
