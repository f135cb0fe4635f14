#include "storage/tick_timer.h"

static void run_if_due(struct tick_timer *timer) {
    int64_t now_ms = clock_now_ms(timer->clock);
    pthread_mutex_lock(&timer->lock);
    tick_function tick = timer->tick;
    void *context = timer->context;
    bool due = tick != NULL && timer->due_ms <= now_ms;
    if (due) {
        timer->due_ms = INT64_MAX;
        timer->is_running = true;
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
    timer->is_running = false;
    pthread_cond_broadcast(&timer->ended);
    pthread_mutex_unlock(&timer->lock);
}

static void on_timer(void *context) {
    struct tick_timer *timer = context;
    run_if_due(timer);
    pthread_mutex_lock(&timer->lock);
    int64_t due_ms = timer->tick != NULL ? timer->due_ms : INT64_MAX;
    pthread_mutex_unlock(&timer->lock);
    if (due_ms == INT64_MAX) {
        event_loop_stop_timer(timer->loop, &timer->timer);
    } else {
        event_loop_set_timer(timer->loop, &timer->timer, due_ms);
    }
}

static void on_look(void *context) {
    struct tick_timer *timer = context;
    pthread_mutex_lock(&timer->lock);
    timer->is_posted = false;
    pthread_mutex_unlock(&timer->lock);
    on_timer(timer);
}

void tick_timer_init(struct tick_timer *timer, struct event_loop *loop, const struct clock *clock) {
    *timer = (struct tick_timer){.loop = loop, .clock = clock, .due_ms = INT64_MAX};
    timer->timer = (struct loop_timer){.fired = on_timer, .context = timer};
    timer->look = (struct loop_task){.run = on_look, .context = timer};
    pthread_mutex_init(&timer->lock, NULL);
    pthread_cond_init(&timer->ended, NULL);
}

void tick_timer_release(struct tick_timer *timer) {
    pthread_cond_destroy(&timer->ended);
    pthread_mutex_destroy(&timer->lock);
}

void tick_timer_set(struct tick_timer *timer, tick_function tick, void *context) {
    pthread_mutex_lock(&timer->lock);
    timer->tick = tick;
    timer->context = context;
    if (tick == NULL) {
        timer->due_ms = INT64_MAX;
    }
    while (timer->is_running) {
        pthread_cond_wait(&timer->ended, &timer->lock);
    }
    pthread_mutex_unlock(&timer->lock);
}

/* The loop is told even if nothing is due earlier now: the clock may have been moved on meanwhile. */
void tick_timer_wake_at(struct tick_timer *timer, int64_t due_ms) {
    pthread_mutex_lock(&timer->lock);
    if (due_ms < timer->due_ms) {
        timer->due_ms = due_ms;
    }
    if (!timer->is_posted) {
        timer->is_posted = true;
        event_loop_post(timer->loop, &timer->look);
    }
    pthread_mutex_unlock(&timer->lock);
}
