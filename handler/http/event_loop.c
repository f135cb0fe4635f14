#include "http/event_loop.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/thread.h"

enum { MAX_EVENTS = 256 };

struct task_queue {
    struct loop_task *first;
    struct loop_task **end;
};

struct event_loop {
    const struct clock *clock;
    int epoll_fd;
    int timer_fd; /* readable when the first timer is due */
    int wake_fd;  /* written to by other threads */
    pthread_t thread;
    bool is_running; /* between start and stop */

    /* Of the loop's thread. */
    struct timer_heap timers;
    int64_t armed_ms; /* what timer_fd is set to; INT64_MAX: nothing */
    event_loop_ready ready;
    void *ready_context;

    pthread_mutex_t lock; /* guards what follows */
    struct task_queue posted;
    bool is_asleep; /* or about to be: a post has to wake it */
    bool is_stopping;
};

static void queue_clear(struct task_queue *queue) {
    queue->first = NULL;
    queue->end = &queue->first;
}

/* ---- timers ---- */

void event_loop_set_timer(struct event_loop *loop, struct loop_timer *timer, int64_t due_ms) {
    timer_heap_set(&loop->timers, &timer->entry, due_ms);
}

void event_loop_stop_timer(struct event_loop *loop, struct loop_timer *timer) {
    timer_heap_remove(&loop->timers, &timer->entry);
}

/* The entry is the first member of the timer. */
static struct loop_timer *first_timer(const struct event_loop *loop) {
    return (struct loop_timer *)timer_heap_first(&loop->timers);
}

/* A timer that is set by one of these fires in the next round, even if it is due: so the round ends. */
static void fire_timers(struct event_loop *loop) {
    struct loop_timer *timer = first_timer(loop);
    if (timer == NULL) {
        return;
    }
    int64_t now_ms = clock_now_ms(loop->clock);
    for (size_t left = loop->timers.count; left > 0 && timer != NULL && timer->entry.due_ms <= now_ms; left--) {
        timer_heap_remove(&loop->timers, &timer->entry);
        timer->fired(timer->context);
        timer = first_timer(loop);
    }
}

static struct timespec boottime_in(int64_t delay_ms) {
    struct timespec when;
    clock_gettime(CLOCK_BOOTTIME, &when);
    int64_t ns = when.tv_nsec + (delay_ms % 1000) * 1000000;
    when.tv_sec += (time_t)(delay_ms / 1000 + ns / 1000000000);
    when.tv_nsec = (long)(ns % 1000000000);
    return when;
}

/*
 * Sets timer_fd to the first timer, unless it is set to an earlier time: to wake too early is cheaper than to set it
 * anew whenever a request is answered and its timeout goes.
 */
static void arm(struct event_loop *loop) {
    const struct loop_timer *timer = first_timer(loop);
    if (timer == NULL || timer->entry.due_ms >= loop->armed_ms) {
        return;
    }
    loop->armed_ms = timer->entry.due_ms;
    int64_t now_ms = clock_now_ms(loop->clock);
    int64_t delay_ms = timer->entry.due_ms > now_ms ? timer->entry.due_ms - now_ms : 0;
    const struct itimerspec when = {.it_value = boottime_in(delay_ms)};
    int failed = timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
    assert(!failed);
    (void)failed;
}

/* ---- tasks ---- */

bool event_loop_is_current(const struct event_loop *loop) {
    return pthread_equal(pthread_self(), loop->thread);
}

static void wake(struct event_loop *loop) {
    ssize_t written = write(loop->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
    (void)written; /* it fails only where 2^64 wake-ups have not been heard */
}

void event_loop_post(struct event_loop *loop, struct loop_task *task) {
    task->next = NULL;
    pthread_mutex_lock(&loop->lock);
    *loop->posted.end = task;
    loop->posted.end = &task->next;
    bool was_asleep = loop->is_asleep;
    loop->is_asleep = false;
    pthread_mutex_unlock(&loop->lock);
    if (was_asleep) {
        wake(loop);
    }
}

static void run_tasks(struct event_loop *loop) {
    pthread_mutex_lock(&loop->lock);
    struct loop_task *task = loop->posted.first;
    queue_clear(&loop->posted);
    pthread_mutex_unlock(&loop->lock);
    while (task != NULL) {
        struct loop_task *next = task->next; /* it may be posted again, or freed, while it runs */
        task->run(task->context);
        task = next;
    }
}

/* ---- descriptors ---- */

void event_loop_on_ready(struct event_loop *loop, event_loop_ready ready, void *context) {
    loop->ready = ready;
    loop->ready_context = context;
}

bool event_loop_watch(struct event_loop *loop, int fd, uint32_t events, bool is_new) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    return epoll_ctl(loop->epoll_fd, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) == 0;
}

void event_loop_unwatch(struct event_loop *loop, int fd) {
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* Waits until something happens; if there are tasks already, only looks. */
static int wait_for_events(struct event_loop *loop, struct epoll_event events[MAX_EVENTS]) {
    arm(loop);
    pthread_mutex_lock(&loop->lock);
    loop->is_asleep = loop->posted.first == NULL && !loop->is_stopping;
    bool sleeps = loop->is_asleep;
    pthread_mutex_unlock(&loop->lock);
    int count = epoll_wait(loop->epoll_fd, events, MAX_EVENTS, sleeps ? -1 : 0);
    if (sleeps) {
        pthread_mutex_lock(&loop->lock);
        loop->is_asleep = false;
        pthread_mutex_unlock(&loop->lock);
    }
    return count;
}

/* wake_fd and timer_fd are edge-triggered, so that nobody has to read them. */
static void run_ready(struct event_loop *loop, const struct epoll_event *events, int count) {
    for (int i = 0; i < count; i++) {
        int fd = events[i].data.fd;
        if (fd == loop->timer_fd) {
            loop->armed_ms = INT64_MAX;
        } else if (fd != loop->wake_fd) {
            loop->ready(loop->ready_context, fd, events[i].events);
        }
    }
}

static bool is_over(struct event_loop *loop) {
    pthread_mutex_lock(&loop->lock);
    bool over = loop->is_stopping && loop->posted.first == NULL;
    pthread_mutex_unlock(&loop->lock);
    const struct loop_timer *timer = over ? first_timer(loop) : NULL;
    return over && (timer == NULL || timer->entry.due_ms > clock_now_ms(loop->clock));
}

static void *loop_main(void *context) {
    struct event_loop *loop = context;
    struct epoll_event events[MAX_EVENTS];
    while (!is_over(loop)) {
        run_tasks(loop);
        fire_timers(loop);
        run_ready(loop, events, wait_for_events(loop, events));
    }
    return NULL;
}

/* ---- life cycle ---- */

static enum status open_descriptors(struct event_loop *loop, struct error *err) {
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->timer_fd < 0 || loop->wake_fd < 0 ||
        !event_loop_watch(loop, loop->timer_fd, EPOLLIN | EPOLLET, true) ||
        !event_loop_watch(loop, loop->wake_fd, EPOLLIN | EPOLLET, true)) {
        return error_set(err, STATUS_INTERNAL, "no descriptors for an event loop: %s", strerror(errno));
    }
    return STATUS_OK;
}

static void close_open(int fd) {
    if (fd >= 0) {
        close(fd);
    }
}

enum status event_loop_new(struct event_loop **out, const struct clock *clock, struct error *err) {
    struct event_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for an event loop");
    }
    loop->clock = clock;
    loop->armed_ms = INT64_MAX;
    loop->epoll_fd = loop->timer_fd = loop->wake_fd = -1;
    queue_clear(&loop->posted);
    pthread_mutex_init(&loop->lock, NULL);
    enum status status = open_descriptors(loop, err);
    if (status != STATUS_OK) {
        event_loop_free(loop);
        return status;
    }
    *out = loop;
    return STATUS_OK;
}

enum status event_loop_start(struct event_loop *loop, struct error *err) {
    enum status status = thread_start(&loop->thread, loop_main, loop, err);
    loop->is_running = status == STATUS_OK;
    return status;
}

void event_loop_stop(struct event_loop *loop) {
    if (!loop->is_running) {
        return;
    }
    assert(!event_loop_is_current(loop));
    pthread_mutex_lock(&loop->lock);
    loop->is_stopping = true;
    pthread_mutex_unlock(&loop->lock);
    wake(loop);
    pthread_join(loop->thread, NULL);
    loop->is_running = false;
}

void event_loop_free(struct event_loop *loop) {
    if (loop == NULL) {
        return;
    }
    assert(!loop->is_running);
    close_open(loop->wake_fd);
    close_open(loop->timer_fd);
    close_open(loop->epoll_fd);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}
