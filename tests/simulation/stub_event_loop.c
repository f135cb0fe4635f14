/*
 * stub_event_loop.c - a simulated process's event loop, in place of handler/http/event_loop.c.
 */
#include "simulation/simulated_process.h"

static int64_t due_us(const struct event_loop *loop) {
    const struct timer_entry *timer = timer_heap_first(&loop->timers);
    if (loop->first_task != NULL) {
        return loop->process->simulation->now_us;
    }
    return timer == NULL ? INT64_MAX : simulated_process_when_us(loop->process, timer->due_ms);
}

/* The next callback is whatever the loop would call next: tasks before timers. */
void simulated_process_set_round(struct event_loop *loop) {
    int64_t at_us = due_us(loop);
    if (at_us == INT64_MAX) {
        simulation_cancel(loop->process->simulation, &loop->round);
    } else {
        simulation_schedule(loop->process->simulation, &loop->round,
                            simulated_process_awake_us(loop->process, at_us));
    }
}

static void run_task(struct event_loop *loop) {
    struct loop_task *task = loop->first_task;
    loop->first_task = task->next;
    if (loop->first_task == NULL) {
        loop->last_task = NULL;
    }
    task->run(task->context);
}

static void run_timer(struct event_loop *loop) {
    struct loop_timer *timer = (struct loop_timer *)timer_heap_first(&loop->timers);
    timer_heap_remove(&loop->timers, &timer->entry);
    timer->fired(timer->context);
}

void simulated_process_run_round(void *context) {
    struct event_loop *loop = context;
    struct simulated_process *process = loop->process;
    simulated_process_enter(process);
    if (loop->first_task != NULL) {
        run_task(loop);
    } else {
        run_timer(loop);
    }
    simulated_process_leave(process);
}

bool event_loop_is_current(const struct event_loop *loop) {
    (void)loop;
    return true;
}

const struct clock *event_loop_clock(const struct event_loop *loop) {
    return &loop->process->clock;
}

void event_loop_post(struct event_loop *loop, struct loop_task *task) {
    task->next = NULL;
    if (loop->last_task == NULL) {
        loop->first_task = task;
    } else {
        loop->last_task->next = task;
    }
    loop->last_task = task;
    simulated_process_set_round(loop);
}

void event_loop_set_timer(struct event_loop *loop, struct loop_timer *timer, int64_t due_ms) {
    timer_heap_set(&loop->timers, &timer->entry, due_ms);
    simulated_process_set_round(loop);
}

void event_loop_stop_timer(struct event_loop *loop, struct loop_timer *timer) {
    timer_heap_remove(&loop->timers, &timer->entry);
    simulated_process_set_round(loop);
}
