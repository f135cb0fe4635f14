#include "base/thread.h"

#include <string.h>

enum status thread_start(pthread_t *out, void *(*run)(void *context), void *context,
                         struct error *err) {
    int failure = pthread_create(out, NULL, run, context);
    if (failure == 0) {
        return STATUS_OK;
    }
    return error_set(err, STATUS_NO_THREAD,
                     "no thread can be started (%s): raise the user's limit (ulimit -u) or the "
                     "container's (pids.max)",
                     strerror(failure));
}
