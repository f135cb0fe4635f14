/*
 * worker_pool.h - threads for calls that block. They are started when they are needed, and stay.
 *
 * Threads  Any may submit.
 */
#ifndef SUPPORT_WORKER_POOL_H
#define SUPPORT_WORKER_POOL_H

#include <sys/queue.h>

#include "base/status.h"

/*
 * What is to be done. It lives inside what it works on, and belongs to the pool until `finish` is
 * called, which follows `run` on the same thread once that thread counts as free again. `finish`
 * must not block, and may free the job.
 */
struct worker_job {
    STAILQ_ENTRY(worker_job) entry; /* the pool's own */
    void (*run)(void *context);
    void (*finish)(void *context);
    void *context;
};

struct worker_pool;

/* At most `max_thread_count` (> 0) threads; none at first. STATUS_NO_MEMORY. */
enum status worker_pool_new(struct worker_pool **out, int max_thread_count,
                            struct error *err) MUST_CHECK;

/*
 * Waits until the calls under way have returned; jobs that nobody has begun are dropped. NULL is
 * fine.
 */
void worker_pool_free(struct worker_pool *pool);

/*
 * Hands over a job. STATUS_NO_THREAD: there is no thread, and none can be started; the job is the
 * caller's still.
 */
enum status worker_pool_submit(struct worker_pool *pool, struct worker_job *job,
                               struct error *err) MUST_CHECK;

#endif
