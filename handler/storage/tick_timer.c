#include "storage/tick_timer.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum status tick_timer_init(struct tick_timer *timer, const struct clock *clock, struct error *err) {
    int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd < 0) {
        return error_set(err, STATUS_INTERNAL, "timerfd_create: %s", strerror(errno));
    }
    *timer = (struct tick_timer){.clock = clock, .fd = fd, .armed_ms = INT64_MAX, .due_ms = INT64_MAX};
    pthread_mutex_init(&timer->lock, NULL);
    pthread_cond_init(&timer->ended, NULL);
    return STATUS_OK;
}

void tick_timer_release(struct tick_timer *timer) {
    close(timer->fd);
    pthread_cond_destroy(&timer->ended);
    pthread_mutex_destroy(&timer->lock);
}

void tick_timer_set(struct tick_timer *timer, tick_function tick, void *context) {
    pthread_mutex_lock(&timer->lock);
    timer->tick = tick;
    timer->context = context;
    if (!tick) {
        timer->due_ms = INT64_MAX;
    }
    while (timer->running) {
        pthread_cond_wait(&timer->ended, &timer->lock);
    }
    pthread_mutex_unlock(&timer->lock);
}

void tick_timer_wake_at(struct tick_timer *timer, int64_t due_ms) {
    pthread_mutex_lock(&timer->lock);
    if (due_ms < timer->due_ms) {
        timer->due_ms = due_ms;
    }
    pthread_mutex_unlock(&timer->lock);
}

static void run_if_due(struct tick_timer *timer) {
    int64_t now_ms = clock_now_ms(timer->clock);
    pthread_mutex_lock(&timer->lock);
    tick_function tick = timer->tick;
    void *context = timer->context;
    bool due = tick && timer->due_ms <= now_ms;
    if (due) {
        timer->due_ms = INT64_MAX;
        timer->running = true;
    }
    pthread_mutex_unlock(&timer->lock);
    if (!due) {
        return;
    }

    int64_t next_ms = tick(context, now_ms);

    pthread_mutex_lock(&timer->lock);
    if (timer->tick == tick && next_ms < timer->due_ms) { /* else it was taken away meanwhile */
        timer->due_ms = next_ms;
    }
    timer->running = false;
    pthread_cond_broadcast(&timer->ended);
    pthread_mutex_unlock(&timer->lock);
}

static void arm(struct tick_timer *timer) {
    pthread_mutex_lock(&timer->lock);
    int64_t due_ms = timer->tick ? timer->due_ms : INT64_MAX;
    pthread_mutex_unlock(&timer->lock);
    if (due_ms == timer->armed_ms) {
        return;
    }
    timer->armed_ms = due_ms;

    struct itimerspec when = {.it_value = {0, 0}}; /* which disarms */
    if (due_ms != INT64_MAX) {
        int64_t now_ms = clock_now_ms(timer->clock);
        int64_t sleep_ms = due_ms > now_ms ? due_ms - now_ms : 0;
        clock_gettime(CLOCK_BOOTTIME, &when.it_value);
        int64_t ns = when.it_value.tv_nsec + (sleep_ms % 1000) * 1000000;
        when.it_value.tv_sec += (time_t)(sleep_ms / 1000 + ns / 1000000000);
        when.it_value.tv_nsec = (long)(ns % 1000000000);
    }
    int failed = timerfd_settime(timer->fd, TFD_TIMER_ABSTIME, &when, NULL);
    assert(!failed);
    (void)failed;
}

void tick_timer_run(struct tick_timer *timer) {
    uint64_t expirations;
    if (read(timer->fd, &expirations, sizeof expirations) == (ssize_t)sizeof expirations) {
        timer->armed_ms = INT64_MAX; /* it has fired; where the clock has not come so far yet, it is armed again */
    }
    run_if_due(timer);
    arm(timer);
}
