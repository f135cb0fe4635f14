#include "support/processes/worker_pool.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "support/processes/check_main.h"

enum { JOBS = 3 };

static struct worker_pool *pool;
static struct worker_job jobs[JOBS];
static sem_t begun, may_end, finished;

static void wait_for(sem_t *semaphore) {
    while (sem_wait(semaphore) != 0) {
    }
}

static void run(void *context) {
    (void)context;
    sem_post(&begun);
    wait_for(&may_end);
}

static void finish(void *context) {
    (void)context;
    sem_post(&finished);
}

static void set_up(void) {
    sem_init(&begun, 0, 0), sem_init(&may_end, 0, 0), sem_init(&finished, 0, 0);
    ck_assert_int_eq(worker_pool_new(&pool, JOBS, NULL), STATUS_OK);
}

static void tear_down(void) {
    worker_pool_free(pool);
    sem_destroy(&begun), sem_destroy(&may_end), sem_destroy(&finished);
}

static void submit_all(void) {
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct worker_job){.run = run, .finish = finish};
        ck_assert_int_eq(worker_pool_submit(pool, &jobs[i], NULL), STATUS_OK);
    }
}

static void end_all(void) {
    for (int i = 0; i < JOBS; i++) {
        sem_post(&may_end);
    }
    for (int i = 0; i < JOBS; i++) {
        wait_for(&finished);
    }
}

START_TEST(jobs_run_at_the_same_time) {
    submit_all();
    for (int i = 0; i < JOBS; i++) {
        wait_for(&begun);
    }
    end_all();
}
END_TEST

/* No address space holds such stacks, so from here on no thread can be started. */
static void want_impossible_stacks(pthread_attr_t *before) {
    pthread_attr_t huge;
    ck_assert_int_eq(pthread_getattr_default_np(before), 0);
    ck_assert_int_eq(pthread_attr_init(&huge), 0);
    ck_assert_int_eq(pthread_attr_setstacksize(&huge, (size_t)1 << 50), 0);
    ck_assert_int_eq(pthread_setattr_default_np(&huge), 0);
    pthread_attr_destroy(&huge);
}

/* Leads stderr into a pipe; returns what it led to before. */
static int lead_stderr(int *out_end) {
    int ends[2];
    int before = dup(STDERR_FILENO);
    ck_assert(before >= 0 && pipe(ends) == 0);
    ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    close(ends[1]);
    *out_end = ends[0];
    return before;
}

START_TEST(where_no_more_threads_can_be_had_jobs_wait_and_it_is_said_once) {
    pthread_attr_t before;
    int end = -1, led = lead_stderr(&end);
    log_configure(LOG_WARNING, "1");
    struct worker_job first_job = {.run = run, .finish = finish};
    ck_assert_int_eq(worker_pool_submit(pool, &first_job, NULL), STATUS_OK);
    wait_for(&begun), sem_post(&may_end), wait_for(&finished);
    want_impossible_stacks(&before);
    submit_all();
    wait_for(&begun);
    int count = -1;
    sem_getvalue(&begun, &count);
    ck_assert_int_eq(count, 0);
    end_all();
    pthread_setattr_default_np(&before);
    fflush(stderr);
    dup2(led, STDERR_FILENO), close(led);
    char said[2048] = "";
    ck_assert_int_gt(read(end, said, sizeof said - 1), 0);
    close(end);
    const char *first = strstr(said, "Only 1 of 3 threads can be started");
    ck_assert_msg(first != NULL && strstr(first + 1, "Only 1 of 3") == NULL, "%s", said);
}
END_TEST

START_TEST(without_any_thread_a_job_is_not_taken) {
    pthread_attr_t before;
    struct error err = {0};
    struct worker_job job = {.run = run, .finish = finish};
    want_impossible_stacks(&before);
    ck_assert_int_eq(worker_pool_submit(pool, &job, &err), STATUS_NO_THREAD);
    pthread_setattr_default_np(&before);
    ck_assert_ptr_nonnull(strstr(err.message, "no thread can be started"));
    sem_post(&may_end);
    ck_assert_int_eq(worker_pool_submit(pool, &job, &err),
                     STATUS_OK); /* threads are to be had again */
    wait_for(&finished);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("worker_pool");
    TCase *tests = tcase_create("worker_pool");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, jobs_run_at_the_same_time);
    tcase_add_test(tests, where_no_more_threads_can_be_had_jobs_wait_and_it_is_said_once);
    tcase_add_test(tests, without_any_thread_a_job_is_not_taken);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
