/*
 * worker_pool.h - threads for calls that block. They are started as they are needed, and stay.
 *
 * Threads: any may submit.
 * Layer: server. May include everything below.
 */
#ifndef SERVER_WORKER_POOL_H
#define SERVER_WORKER_POOL_H

#include <sys/queue.h>

#include "base/status.h"

/* Lives inside what is to be worked on. */
struct worker_job {
    STAILQ_ENTRY(worker_job) entry;
};

STAILQ_HEAD(worker_jobs, worker_job);

struct worker_pool;

/* Called on a worker. `finish` follows `run` once the worker counts as free again; it must not block. */
typedef void (*worker_call)(void *context, struct worker_job *job);

/*
 * At most `max_thread_count` (> 0) threads; the first one is there when it returns.
 *
 * STATUS_NO_MEMORY, STATUS_NO_THREAD
 */
enum status worker_pool_new(struct worker_pool **out, int max_thread_count, worker_call run, worker_call finish,
                            void *context, struct error *err) MUST_CHECK;

/* Waits until the calls under way have returned; jobs that nobody has begun are dropped. NULL is fine. */
void worker_pool_free(struct worker_pool *pool);

/* Hands over a job, which belongs to the pool until it is given to `finish`. */
void worker_pool_submit(struct worker_pool *pool, struct worker_job *job);

#endif
