#include "http/event_loop.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
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
    struct loop_source alarm; /* a timerfd, readable when the first timer is due */
    struct loop_source wake;  /* an eventfd, written to by other threads */
    pthread_t thread;
    bool is_running; /* between start and stop */

    /* Of the loop's thread. */
    struct timer_heap timers;
    int64_t armed_ms;                      /* when the alarm rings; INT64_MAX: never */
    struct epoll_event events[MAX_EVENTS]; /* of this round */
    int event_count;

    pthread_mutex_t lock; /* guards what follows */
    struct task_queue posted;
    bool is_asleep; /* or about to sleep: a post must wake it */
    bool is_stopping;
};

static void queue_clear(struct task_queue *queue) {
    queue->first = NULL;
    queue->end = &queue->first;
}

const struct clock *event_loop_clock(const struct event_loop *loop) {
    return loop->clock;
}

/* ---- timers ---- */

void event_loop_set_timer(struct event_loop *loop, struct loop_timer *timer, int64_t due_ms) {
    timer_heap_set(&loop->timers, &timer->entry, due_ms);
}

void event_loop_stop_timer(struct event_loop *loop, struct loop_timer *timer) {
    timer_heap_remove(&loop->timers, &timer->entry);
}

static_assert(offsetof(struct loop_timer, entry) == 0, "an entry is cast to its timer");

static struct loop_timer *first_timer(const struct event_loop *loop) {
    return (struct loop_timer *)timer_heap_first(&loop->timers);
}

/*
 * Fires at most as many timers as are set now. A timer that a callback sets fires in the next
 * round, even if it is due already. So a timer that sets itself again cannot keep a round from
 * ending.
 */
static void fire_timers(struct event_loop *loop) {
    struct loop_timer *timer = first_timer(loop);
    if (timer == NULL) {
        return;
    }
    int64_t now_ms = clock_now_ms(loop->clock);
    for (size_t left = loop->timers.count;
         left > 0 && timer != NULL && timer->entry.due_ms <= now_ms; left--) {
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
 * Sets the alarm to the first timer. Returns true, and sets nothing, if that timer is due already.
 *
 * An alarm that is set to an earlier time stays: its timer has been stopped since, mostly the
 * timeout of a request that was answered. Waking once for nothing is cheaper than setting the alarm
 * anew after each request.
 */
static bool set_alarm(struct event_loop *loop) {
    const struct loop_timer *timer = first_timer(loop);
    if (timer == NULL) {
        return false;
    }
    int64_t now_ms = clock_now_ms(loop->clock);
    if (timer->entry.due_ms <= now_ms) {
        return true;
    }
    if (timer->entry.due_ms >= loop->armed_ms) {
        return false;
    }
    loop->armed_ms = timer->entry.due_ms;
    const struct itimerspec when = {.it_value = boottime_in(timer->entry.due_ms - now_ms)};
    int failed = timerfd_settime(loop->alarm.fd, TFD_TIMER_ABSTIME, &when, NULL);
    assert(!failed);
    (void)failed;
    return false;
}

/* ---- tasks ---- */

bool event_loop_is_current(const struct event_loop *loop) {
    return pthread_equal(pthread_self(), loop->thread);
}

static void loop_wake(struct event_loop *loop) {
    ssize_t written = write(loop->wake.fd, &(uint64_t){1}, sizeof(uint64_t));
    (void)written; /* fails only if the counter is full, and then the loop is awake */
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
        loop_wake(loop);
    }
}

static void run_tasks(struct event_loop *loop) {
    pthread_mutex_lock(&loop->lock);
    struct loop_task *task = loop->posted.first;
    queue_clear(&loop->posted);
    pthread_mutex_unlock(&loop->lock);
    while (task != NULL) {
        struct loop_task *next = task->next; /* running it may post it again, or free it */
        task->run(task->context);
        task = next;
    }
}

/* ---- descriptors ---- */

static uint32_t to_epoll(unsigned events) {
    return ((events & LOOP_READABLE) != 0 ? (uint32_t)EPOLLIN : 0) |
           ((events & LOOP_WRITABLE) != 0 ? (uint32_t)EPOLLOUT : 0) |
           ((events & LOOP_PEER_ENDED) != 0 ? (uint32_t)EPOLLRDHUP : 0) |
           ((events & LOOP_EDGE_TRIGGERED) != 0 ? (uint32_t)EPOLLET : 0);
}

static unsigned from_epoll(uint32_t events) {
    return ((events & (uint32_t)EPOLLIN) != 0 ? LOOP_READABLE : 0U) |
           ((events & (uint32_t)EPOLLOUT) != 0 ? LOOP_WRITABLE : 0U) |
           ((events & (uint32_t)EPOLLRDHUP) != 0 ? LOOP_PEER_ENDED : 0U) |
           ((events & (uint32_t)(EPOLLERR | EPOLLHUP)) != 0 ? LOOP_FAILED : 0U);
}

bool event_loop_watch(struct event_loop *loop, struct loop_source *source, unsigned events) {
    struct epoll_event event = {.events = to_epoll(events), .data.ptr = source};
    int how = source->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(loop->epoll_fd, how, source->fd, &event) != 0) {
        return false;
    }
    source->events = events;
    return true;
}

void event_loop_unwatch(struct event_loop *loop, struct loop_source *source) {
    if (source->events == 0) {
        return;
    }
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    source->events = 0;
    for (int i = 0; i < loop->event_count; i++) {
        if (loop->events[i].data.ptr == source) {
            loop->events[i].data.ptr = NULL;
        }
    }
}

/* Waits for events. Only polls if a task is queued or a timer is due. */
static void wait_for_events(struct event_loop *loop) {
    bool is_due = set_alarm(loop);
    pthread_mutex_lock(&loop->lock);
    loop->is_asleep = !is_due && loop->posted.first == NULL && !loop->is_stopping;
    bool sleeps = loop->is_asleep;
    pthread_mutex_unlock(&loop->lock);
    loop->event_count = epoll_wait(loop->epoll_fd, loop->events, MAX_EVENTS, sleeps ? -1 : 0);
    if (sleeps) {
        pthread_mutex_lock(&loop->lock);
        loop->is_asleep = false;
        pthread_mutex_unlock(&loop->lock);
    }
}

static void call_sources(struct event_loop *loop) {
    for (int i = 0; i < loop->event_count; i++) {
        const struct loop_source *source = loop->events[i].data.ptr;
        if (source != NULL) {
            source->ready(source->context, from_epoll(loop->events[i].events));
        }
    }
    loop->event_count = 0;
}

/* ---- the loop's own descriptors; edge-triggered, so that nobody has to read them ---- */

static void on_alarm(void *context, unsigned events) {
    (void)events;
    struct event_loop *loop = context;
    loop->armed_ms = INT64_MAX;
}

static void on_wake(void *context, unsigned events) {
    (void)context, (void)events;
}

/* Returns true if the loop is to stop, and nothing is left to run now. */
static bool is_over(struct event_loop *loop) {
    pthread_mutex_lock(&loop->lock);
    bool over = loop->is_stopping && loop->posted.first == NULL;
    pthread_mutex_unlock(&loop->lock);
    const struct loop_timer *timer = over ? first_timer(loop) : NULL;
    return over && (timer == NULL || timer->entry.due_ms > clock_now_ms(loop->clock));
}

static void *loop_main(void *context) {
    struct event_loop *loop = context;
    while (!is_over(loop)) {
        run_tasks(loop);
        fire_timers(loop);
        wait_for_events(loop);
        call_sources(loop);
    }
    return NULL;
}

/* ---- life cycle ---- */

static enum status open_descriptors(struct event_loop *loop, struct error *err) {
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->alarm = (struct loop_source){.ready = on_alarm, .context = loop};
    loop->alarm.fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    loop->wake = (struct loop_source){.ready = on_wake, .context = loop};
    loop->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->alarm.fd < 0 || loop->wake.fd < 0 ||
        !event_loop_watch(loop, &loop->alarm, LOOP_READABLE | LOOP_EDGE_TRIGGERED) ||
        !event_loop_watch(loop, &loop->wake, LOOP_READABLE | LOOP_EDGE_TRIGGERED)) {
        return error_set(err, STATUS_INTERNAL, "no descriptors for an event loop: %s",
                         strerror(errno));
    }
    return STATUS_OK;
}

static void close_if_open(int fd) {
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
    loop->epoll_fd = loop->alarm.fd = loop->wake.fd = -1;
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
    loop_wake(loop);
    pthread_join(loop->thread, NULL);
    loop->is_running = false;
}

void event_loop_free(struct event_loop *loop) {
    if (loop == NULL) {
        return;
    }
    assert(!loop->is_running);
    close_if_open(loop->wake.fd);
    close_if_open(loop->alarm.fd);
    close_if_open(loop->epoll_fd);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}
