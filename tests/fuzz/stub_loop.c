#include "fuzz/stub_loop.h"

#include "fuzz/input.h"
#include "http/event_loop.h"

enum { MAX_PENDING = 8 };

struct pending {
    void (*run)(void *context);
    void *context;
    const struct loop_timer *timer; /* NULL: it is not a timer's */
};

static struct pending pending[MAX_PENDING];
static size_t pending_count;

static void push(void (*run)(void *context), void *context, const struct loop_timer *timer) {
    REQUIRE(pending_count < MAX_PENDING);
    pending[pending_count++] = (struct pending){run, context, timer};
}

void stub_loop_defer(void (*run)(void *context), void *context) {
    push(run, context, NULL);
}

void stub_loop_run(void (*run)(void *context), void *context) {
    push(run, context, NULL);
    while (pending_count > 0) {
        struct pending next = pending[0];
        pending_count--;
        for (size_t i = 0; i < pending_count; i++) {
            pending[i] = pending[i + 1];
        }
        next.run(next.context);
    }
}

/* ---- in place of event_loop.h's functions ---- */

/* The linker calls these by their assembler names (see stub_service.h). */
void stub_event_loop_post(struct event_loop *loop,
                          struct loop_task *task) __asm__("__wrap_event_loop_post");
void stub_event_loop_set_timer(struct event_loop *loop, struct loop_timer *timer,
                               int64_t due_ms) __asm__("__wrap_event_loop_set_timer");
void stub_event_loop_stop_timer(struct event_loop *loop,
                                struct loop_timer *timer) __asm__("__wrap_event_loop_stop_timer");
bool stub_event_loop_is_current(const struct event_loop *loop) __asm__(
    "__wrap_event_loop_is_current");

void stub_event_loop_post(struct event_loop *loop, struct loop_task *task) {
    (void)loop;
    stub_loop_run(task->run, task->context);
}

void stub_event_loop_stop_timer(struct event_loop *loop, struct loop_timer *timer) {
    (void)loop;
    size_t kept_count = 0;
    for (size_t i = 0; i < pending_count; i++) {
        if (pending[i].timer != timer) {
            pending[kept_count++] = pending[i];
        }
    }
    pending_count = kept_count;
}

void stub_event_loop_set_timer(struct event_loop *loop, struct loop_timer *timer, int64_t due_ms) {
    (void)due_ms;
    stub_event_loop_stop_timer(loop, timer);
    push(timer->fired, timer->context, timer);
}

bool stub_event_loop_is_current(const struct event_loop *loop) {
    (void)loop;
    return false;
}
