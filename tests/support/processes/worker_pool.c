#include "support/processes/worker_pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/thread.h"

STAILQ_HEAD(worker_jobs, worker_job);

struct worker_pool {
    int max_thread_count;

    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t submitted;
    struct worker_jobs jobs;
    int open_count; /* of jobs that are waiting or under way */
    bool stopping;
    bool is_short_told; /* of threads: once, not with every request */
    int thread_count;
    pthread_t threads[];
};

static void run_job(struct worker_pool *pool, struct worker_job *job) {
    STAILQ_REMOVE_HEAD(&pool->jobs, entry);
    pthread_mutex_unlock(&pool->lock);
    job->run(job->context);
    pthread_mutex_lock(&pool->lock);
    pool->open_count--;
    pthread_mutex_unlock(&pool->lock);
    job->finish(job->context);
    pthread_mutex_lock(&pool->lock);
}

static void *work(void *context) {
    struct worker_pool *pool = context;
    pthread_mutex_lock(&pool->lock);
    while (!pool->stopping) {
        struct worker_job *job = STAILQ_FIRST(&pool->jobs);
        if (job != NULL) {
            run_job(pool, job);
        } else {
            pthread_cond_wait(&pool->submitted, &pool->lock);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Lock held. */
static enum status add_thread(struct worker_pool *pool, struct error *err) {
    enum status status = thread_start(&pool->threads[pool->thread_count], work, pool, err);
    pool->thread_count += status == STATUS_OK;
    return status;
}

/* Lock held. Where no more can be had, jobs wait for one of those that there are. */
static void add_thread_or_tell(struct worker_pool *pool, struct error *err) {
    if (add_thread(pool, err) != STATUS_OK && pool->thread_count > 0 && !pool->is_short_told) {
        pool->is_short_told = true;
        log_event(LOG_WARNING,
                  "Only %d of %d threads can be started, so requests wait for each other: %s",
                  pool->thread_count, pool->max_thread_count, err->message);
    }
}

enum status worker_pool_new(struct worker_pool **out, int max_thread_count, struct error *err) {
    struct worker_pool *pool =
        calloc(1, sizeof *pool + (size_t)max_thread_count * sizeof pool->threads[0]);
    if (pool == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d threads", max_thread_count);
    }
    pool->max_thread_count = max_thread_count;
    STAILQ_INIT(&pool->jobs);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->submitted, NULL);
    *out = pool;
    return STATUS_OK;
}

void worker_pool_free(struct worker_pool *pool) {
    if (pool == NULL) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->submitted);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->thread_count; i++) {
        pthread_join(pool->threads[i], NULL);
    }
    pthread_cond_destroy(&pool->submitted);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

enum status worker_pool_submit(struct worker_pool *pool, struct worker_job *job,
                               struct error *err) {
    struct error failure = {0};
    pthread_mutex_lock(&pool->lock);
    if (pool->open_count >= pool->thread_count && pool->thread_count < pool->max_thread_count) {
        add_thread_or_tell(pool, &failure);
    }
    bool is_taken = pool->thread_count > 0;
    if (is_taken) {
        STAILQ_INSERT_TAIL(&pool->jobs, job, entry);
        pool->open_count++;
        pthread_cond_signal(&pool->submitted);
    }
    pthread_mutex_unlock(&pool->lock);
    return is_taken ? STATUS_OK : error_set(err, STATUS_NO_THREAD, "%s", failure.message);
}
