#include "devhost/timers.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/utc.h"
#include "base/uuid.h"
#include "devhost/console.h"
#include "devhost/invocation_payload.h"

enum {
    CALL_TIMEOUT_MS = 30 * 60 * 1000, /* functionTimeout's default */
    MAX_PAYLOAD_BYTES = 64 * 1024,
    MAX_ANSWER_BYTES = 16 * 1024 * 1024,
    REASON_BYTES = 64
};

struct timer {
    const struct host_function *function;
    int64_t next_ms; /* INT64_MAX: never */
    int64_t last_ms; /* -1: never */
    int running_count;
};

struct timers {
    const struct handler_process *process;
    struct http_transport *transport;
    struct timer *items;
    size_t count;
    pthread_t thread;
    bool started;

    pthread_mutex_t lock; /* guards stopping and the timers' times and counts */
    pthread_cond_t wake;
    bool stopping;
};

/* One invocation under way. */
struct firing {
    struct timers *timers;
    struct timer *timer;
    char id[UUID_TEXT_BYTES];
    int64_t started_ms;
};

/* The answer, on the transport's thread */

/* Prints the answer's log lines and ReturnValue. False: the host would call it a failure; `err` says why. */
static bool print_answer(const struct http_reply *reply, struct error *err) {
    if (reply->status < 200 || reply->status > 299) {
        error_set(err, STATUS_INTERNAL, "the handler answered %d: %.300s", reply->status, reply->body.data);
        return false;
    }
    cJSON *answer = NULL;
    if (invocation_payload_parse(reply->body.data, reply->body.length, &answer, err) != STATUS_OK) {
        error_wrap(err, "the handler's answer cannot be read (the host would wait for its timeout)");
        return false;
    }
    const char *line;
    for (int i = 0; (line = invocation_payload_log(answer, i)) != NULL; i++) {
        console_print(LOG_INFORMATION, "%s", line);
    }
    const cJSON *value = invocation_payload_return_value(answer);
    char *text = value != NULL ? cJSON_PrintUnformatted(value) : NULL;
    if (text != NULL) {
        console_print(LOG_INFORMATION, "ReturnValue: %s", text);
        cJSON_free(text);
    }
    cJSON_Delete(answer);
    return true;
}

static void settle(void *context, enum status status, struct http_reply *reply, const struct error *call_err) {
    struct firing *firing = context;
    struct error err = {.message = "cancelled"};
    bool succeeded = false;
    if (status == STATUS_OK) {
        succeeded = print_answer(reply, &err);
    } else if (call_err != NULL) {
        err = *call_err;
    }
    if (!succeeded) {
        console_print(LOG_ERROR, "%s", err.message);
    }
    console_print(succeeded ? LOG_INFORMATION : LOG_ERROR,
                  "Executed 'Functions.%s' (%s, Id=%s, Duration=%" PRId64 "ms)", firing->timer->function->name,
                  succeeded ? "Succeeded" : "Failed", firing->id, clock_now_ms(clock_system()) - firing->started_ms);
    pthread_mutex_lock(&firing->timers->lock);
    firing->timer->running_count--;
    pthread_mutex_unlock(&firing->timers->lock);
    free(firing);
}

/* Firing. The lock is held. */

static enum status send(struct firing *firing, int port, struct error *err) {
    const struct timer *timer = firing->timer;
    const struct invocation_sys sys = {.id = firing->id, .now_ms = clock_wall_ms(clock_system())};
    struct strbuf payload;
    strbuf_init(&payload, MAX_PAYLOAD_BYTES);
    invocation_payload_timer(&payload, timer->function, timer->last_ms, timer->next_ms, &sys);
    struct http_headers headers;
    http_headers_init(&headers);
    http_headers_add(&headers, "Content-Type", "application/json; charset=utf-8");
    http_headers_add(&headers, "X-Azure-Functions-InvocationId", firing->id);
    char url[512];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/%s", port, timer->function->name);
    const struct http_call call = {.method = "POST",
                                   .url = url,
                                   .headers = &headers,
                                   .body = payload.data,
                                   .body_length = payload.length,
                                   .timeout_ms = CALL_TIMEOUT_MS,
                                   .max_response_bytes = MAX_ANSWER_BYTES};
    enum status status = strbuf_status(&payload);
    if (status == STATUS_OK) {
        status = http_transport_submit(firing->timers->transport, &call, settle, firing);
    }
    http_headers_release(&headers);
    strbuf_release(&payload);
    return status == STATUS_OK ? STATUS_OK : error_set(err, status, "%s", status_text(status));
}

static enum status fire(struct timers *timers, struct timer *timer, const char *reason, struct error *err) {
    int port = handler_process_port(timers->process);
    if (port == 0) {
        return error_set(err, STATUS_UNAVAILABLE, "the handler is not running");
    }
    struct firing *firing = calloc(1, sizeof *firing);
    if (firing == NULL || uuid_v4(firing->id) != STATUS_OK) {
        free(firing);
        return error_set(err, STATUS_NO_MEMORY, "no memory");
    }
    firing->timers = timers;
    firing->timer = timer;
    firing->started_ms = clock_now_ms(clock_system());
    console_print(LOG_INFORMATION, "Executing 'Functions.%s' (Reason='%s', Id=%s)", timer->function->name, reason,
                  firing->id);
    timer->running_count++; /* before the answer can come */
    enum status status = send(firing, port, err);
    if (status != STATUS_OK) {
        timer->running_count--;
        free(firing);
    }
    return status;
}

/* The schedules */

static void fire_on_schedule(struct timers *timers, struct timer *timer, const char *reason) {
    struct error err;
    if (timer->running_count > 0) {
        console_print(LOG_WARNING, "Timer '%s' is due but still running: skipped", timer->function->name);
    } else if (fire(timers, timer, reason, &err) != STATUS_OK) {
        console_print(LOG_WARNING, "Timer '%s' is due but could not be fired: %s", timer->function->name, err.message);
    } else {
        timer->last_ms = clock_wall_ms(clock_system());
    }
}

static void fire_if_due(struct timers *timers, struct timer *timer) {
    int64_t now_ms = clock_wall_ms(clock_system());
    if (timer->next_ms > now_ms) {
        return;
    }
    char time_text[UTC_TEXT_BYTES];
    char reason[REASON_BYTES];
    utc_format_iso8601_ms(timer->next_ms, time_text);
    snprintf(reason, sizeof reason, "Timer fired at %s", time_text);
    timer->next_ms = ncrontab_next_ms(&timer->function->schedule, now_ms);
    fire_on_schedule(timers, timer, reason);
}

static int64_t earliest(const struct timers *timers) {
    int64_t due_ms = INT64_MAX;
    for (size_t i = 0; i < timers->count; i++) {
        due_ms = timers->items[i].next_ms < due_ms ? timers->items[i].next_ms : due_ms;
    }
    return due_ms;
}

static void *run(void *context) {
    struct timers *timers = context;
    pthread_mutex_lock(&timers->lock);
    while (!timers->stopping) {
        int64_t due_ms = earliest(timers);
        if (due_ms == INT64_MAX) {
            pthread_cond_wait(&timers->wake, &timers->lock);
        } else if (due_ms > clock_wall_ms(clock_system())) {
            const struct timespec until = {.tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000};
            pthread_cond_timedwait(&timers->wake, &timers->lock, &until); /* of the wall clock, as schedules are */
        } else {
            for (size_t i = 0; i < timers->count; i++) {
                fire_if_due(timers, &timers->items[i]);
            }
        }
    }
    pthread_mutex_unlock(&timers->lock);
    return NULL;
}

enum status timers_new(struct timers **out, const struct host_config *config, const struct handler_process *process,
                       struct http_transport *transport, struct error *err) {
    struct timers *timers = calloc(1, sizeof *timers);
    struct timer *items = calloc(config->function_count, sizeof *items);
    if (timers == NULL || items == NULL) {
        free(timers);
        free(items);
        return error_set(err, STATUS_NO_MEMORY, "no memory for timers");
    }
    timers->process = process;
    timers->transport = transport;
    timers->items = items;
    for (size_t i = 0; i < config->function_count; i++) {
        if (config->functions[i].trigger == HOST_TRIGGER_TIMER) {
            int64_t next_ms = ncrontab_next_ms(&config->functions[i].schedule, clock_wall_ms(clock_system()));
            items[timers->count++] =
                (struct timer){.function = &config->functions[i], .next_ms = next_ms, .last_ms = -1};
        }
    }
    pthread_mutex_init(&timers->lock, NULL);
    pthread_cond_init(&timers->wake, NULL);
    *out = timers;
    return STATUS_OK;
}

enum status timers_start(struct timers *timers, struct error *err) {
    pthread_mutex_lock(&timers->lock);
    for (size_t i = 0; i < timers->count; i++) {
        struct timer *timer = &timers->items[i];
        timer->next_ms = ncrontab_next_ms(&timer->function->schedule, clock_wall_ms(clock_system()));
        if (timer->function->run_on_startup) {
            fire_on_schedule(timers, timer, "Timer fired at startup");
        }
    }
    pthread_mutex_unlock(&timers->lock);
    timers->started = pthread_create(&timers->thread, NULL, run, timers) == 0;
    return timers->started ? STATUS_OK : error_set(err, STATUS_INTERNAL, "no thread for timers");
}

enum status timers_fire(struct timers *timers, const struct host_function *function, struct error *err) {
    enum status status = STATUS_NOT_FOUND;
    pthread_mutex_lock(&timers->lock);
    for (size_t i = 0; i < timers->count; i++) {
        if (timers->items[i].function == function) {
            status =
                fire(timers, &timers->items[i], "This function was programmatically called via the host APIs.", err);
        }
    }
    pthread_mutex_unlock(&timers->lock);
    return status;
}

void timers_stop(struct timers *timers) {
    pthread_mutex_lock(&timers->lock);
    timers->stopping = true;
    pthread_cond_broadcast(&timers->wake);
    pthread_mutex_unlock(&timers->lock);
    if (timers->started) {
        pthread_join(timers->thread, NULL);
        timers->started = false;
    }
}

void timers_free(struct timers *timers) {
    if (timers != NULL) {
        pthread_cond_destroy(&timers->wake);
        pthread_mutex_destroy(&timers->lock);
        free(timers->items);
        free(timers);
    }
}
