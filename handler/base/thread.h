/*
 * thread.h - starting a thread, with a message that helps where the system refuses one.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

#include "base/status.h"

/*
 * Runs `run(context)` on a thread of its own.
 * STATUS_NO_THREAD   the system allows no more; the message says which limits there are
 */
enum status thread_start(pthread_t *out, void *(*run)(void *context), void *context,
                         struct error *err) MUST_CHECK;

#endif
