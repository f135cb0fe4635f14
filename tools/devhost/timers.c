#include "devhost/timers.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/condition.h"
#include "base/utc.h"
#include "devhost/console.h"
#include "devhost/invocation_payload.h"
#include "devhost/timer_status.h"

enum { MAX_PAYLOAD_BYTES = 64 * 1024, REASON_BYTES = 64, LONGEST_WAIT_MS = 1000 };

struct timer {
    struct timers *timers;
    const struct host_function *function;
    struct timer_status
        status;       /* the timer's own thread's; a run by hand reads it under the lock */
    bool is_past_due; /* at the start */
    pthread_t thread;
    bool started;
};

struct timers {
    struct invoker *invoker;
    const char *folder; /* NULL: none */
    struct timer *items;
    size_t count;

    pthread_mutex_t lock; /* guards what follows, and every timer's status */
    pthread_cond_t changed;
    bool stopping;
    int by_hand_count; /* runs under way */
};

/* One run */

static void print_value(const cJSON *answer) {
    const cJSON *value = invocation_payload_return_value(answer);
    char *text = value != NULL ? cJSON_PrintUnformatted(value) : NULL;
    if (text != NULL) {
        console_print(LOG_INFORMATION, "ReturnValue: %s", text);
        cJSON_free(text);
    }
}

static struct timer_status status_of(struct timer *timer) {
    pthread_mutex_lock(&timer->timers->lock);
    struct timer_status status = timer->status;
    pthread_mutex_unlock(&timer->timers->lock);
    return status;
}

/* Carries one run out and tells how it ended. */
static void run_once(struct timer *timer, const char *reason, bool is_past_due) {
    struct invoker_run run;
    if (!invoker_begin(timer->timers->invoker, &run, timer->function, reason)) {
        return;
    }
    const struct timer_status status = status_of(timer);
    const struct invocation_sys sys = {.id = run.id, .now_ms = clock_wall_ms(clock_system())};
    struct strbuf payload;
    strbuf_init(&payload, MAX_PAYLOAD_BYTES);
    invocation_payload_timer(&payload, timer->function, &status, is_past_due, &sys);
    struct error err = {0};
    cJSON *answer = NULL;
    bool succeeded = invoker_call(&run, &payload, &answer, &err);
    if (succeeded) {
        print_value(answer);
    } else {
        console_print(LOG_ERROR, "%s", err.message);
    }
    cJSON_Delete(answer);
    strbuf_cleanup(&payload);
    invoker_end(&run, succeeded);
}

/* Schedules */

static void keep_status(const struct timer *timer, const struct timer_status *status) {
    const struct timers *timers = timer->timers;
    if (timers->folder != NULL && timer->function->schedule.is_monitored &&
        !timer_status_store(status, timers->folder, timer->function->name)) {
        console_print(LOG_WARNING, "The status of timer %s cannot be kept in %s",
                      timer->function->name, timers->folder);
    }
}

static void set_status(struct timer *timer, const struct timer_status *status) {
    pthread_mutex_lock(&timer->timers->lock);
    timer->status = *status;
    pthread_mutex_unlock(&timer->timers->lock);
    keep_status(timer, status);
}

/*
 * Runs the function and reckons the next time from when this run began: a time that has passed by
 * then is due at once.
 */
static void run_as_scheduled(struct timer *timer, const char *reason, bool is_past_due) {
    int64_t now_ms = clock_wall_ms(clock_system());
    run_once(timer, reason, is_past_due);
    int64_t due_ms = status_of(timer).next_ms;
    int64_t began_ms =
        due_ms > now_ms && due_ms != INT64_MAX ? due_ms : now_ms; /* fired a moment early */
    const struct timer_status status = {
        began_ms, schedule_next_ms(&timer->function->schedule, began_ms), began_ms};
    set_status(timer, &status);
}

/*
 * Waits for the timer's next time. The wall clock may be set meanwhile, so it is looked at once a
 * second. False: it stops.
 */
static bool await_due(struct timer *timer) {
    struct timers *timers = timer->timers;
    pthread_mutex_lock(&timers->lock);
    int64_t left_ms;
    while (!timers->stopping &&
           (left_ms = timer->status.next_ms - clock_wall_ms(clock_system())) > 0) {
        const struct timespec until =
            condition_deadline(left_ms < LONGEST_WAIT_MS ? left_ms : LONGEST_WAIT_MS);
        condition_wait_until(&timers->changed, &timers->lock, &until);
    }
    bool stopping = timers->stopping;
    pthread_mutex_unlock(&timers->lock);
    return !stopping;
}

/* Finds out where the timer stands. */
static void begin_status(struct timer *timer) {
    const struct host_function *function = timer->function;
    const char *folder = function->schedule.is_monitored ? timer->timers->folder : NULL;
    struct timer_status stored;
    struct timer_status status;
    bool has_stored = folder != NULL && timer_status_load(&stored, folder, function->name);
    timer->is_past_due = timer_status_begin(&status, has_stored ? &stored : NULL,
                                            &function->schedule, clock_wall_ms(clock_system()));
    set_status(timer, &status);
}

static void run_at_start(struct timer *timer) {
    if (timer->is_past_due) {
        console_print(LOG_INFORMATION, "Function '%s' is past due on startup. Executing now.",
                      timer->function->name);
        run_as_scheduled(timer, "Timer fired because it was past due", true);
    } else if (timer->function->run_on_startup) {
        run_as_scheduled(timer, "Timer fired at startup", false);
    }
}

static void *run_schedule(void *context) {
    struct timer *timer = context;
    run_at_start(timer);
    while (await_due(timer)) {
        char time_text[UTC_TEXT_BYTES];
        char reason[REASON_BYTES];
        utc_format_iso8601_ms(clock_wall_ms(clock_system()), time_text);
        snprintf(reason, sizeof reason, "Timer fired at %s", time_text);
        run_as_scheduled(timer, reason, false);
    }
    return NULL;
}

/* By hand */

static void *run_by_hand(void *context) {
    struct timer *timer = context;
    struct timers *timers = timer->timers;
    run_once(timer, "This function was programmatically called via the host APIs.", false);
    pthread_mutex_lock(&timers->lock);
    timers->by_hand_count--;
    pthread_cond_broadcast(&timers->changed);
    pthread_mutex_unlock(&timers->lock);
    return NULL;
}

static struct timer *find_timer(struct timers *timers, const struct host_function *function) {
    for (size_t i = 0; i < timers->count; i++) {
        if (timers->items[i].function == function) {
            return &timers->items[i];
        }
    }
    return NULL;
}

bool timers_fire(struct timers *timers, const struct host_function *function) {
    struct timer *timer = find_timer(timers, function);
    pthread_t thread;
    pthread_mutex_lock(&timers->lock);
    bool started = timer != NULL && !timers->stopping &&
                   pthread_create(&thread, NULL, run_by_hand, timer) == 0;
    timers->by_hand_count += started;
    pthread_mutex_unlock(&timers->lock);
    if (started) {
        pthread_detach(thread);
    }
    return started;
}

/* From start to end */

enum status timers_new(struct timers **out, const struct host_config *config,
                       struct invoker *invoker, const char *folder, struct error *err) {
    struct timers *timers = calloc(1, sizeof *timers);
    struct timer *items = calloc(config->function_count, sizeof *items);
    if (timers == NULL || items == NULL) {
        free(timers);
        free(items);
        return error_set(err, STATUS_NO_MEMORY, "no memory for timers");
    }
    timers->invoker = invoker;
    timers->folder = folder;
    timers->items = items;
    for (size_t i = 0; i < config->function_count; i++) {
        const struct host_function *function = &config->functions[i];
        if (function->trigger == HOST_TRIGGER_TIMER && !function->is_disabled) {
            const struct timer_status status = {TIMER_STATUS_NEVER, INT64_MAX, TIMER_STATUS_NEVER};
            items[timers->count++] =
                (struct timer){.timers = timers, .function = function, .status = status};
        }
    }
    pthread_mutex_init(&timers->lock, NULL);
    condition_init(&timers->changed);
    *out = timers;
    return STATUS_OK;
}

enum status timers_start(struct timers *timers, struct error *err) {
    for (size_t i = 0; i < timers->count; i++) {
        struct timer *timer = &timers->items[i];
        begin_status(timer);
        timer->started = pthread_create(&timer->thread, NULL, run_schedule, timer) == 0;
        if (!timer->started) {
            return error_set(err, STATUS_INTERNAL, "no thread for timers");
        }
    }
    return STATUS_OK;
}

void timers_stop(struct timers *timers) {
    pthread_mutex_lock(&timers->lock);
    timers->stopping = true;
    pthread_cond_broadcast(&timers->changed);
    pthread_mutex_unlock(&timers->lock);
}

void timers_free(struct timers *timers) {
    if (timers == NULL) {
        return;
    }
    for (size_t i = 0; i < timers->count; i++) {
        if (timers->items[i].started) {
            pthread_join(timers->items[i].thread, NULL);
        }
    }
    pthread_mutex_lock(&timers->lock);
    while (timers->by_hand_count > 0) {
        pthread_cond_wait(&timers->changed, &timers->lock);
    }
    pthread_mutex_unlock(&timers->lock);
    pthread_cond_destroy(&timers->changed);
    pthread_mutex_destroy(&timers->lock);
    free(timers->items);
    free(timers);
}
