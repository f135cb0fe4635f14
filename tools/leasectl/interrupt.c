#include "leasectl/interrupt.h"

#include "base/condition.h"
#include "base/thread.h"

void interrupt_block(struct interrupt *interrupt) {
    sigemptyset(&interrupt->signals);
    sigaddset(&interrupt->signals, SIGINT);
    sigaddset(&interrupt->signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &interrupt->signals, NULL);
    pthread_mutex_init(&interrupt->lock, NULL);
    condition_init(&interrupt->changed);
}

static void *handle_signals(void *context) {
    struct interrupt *interrupt = context;
    bool cuts_short = interrupt->may_cut_short;
    for (;;) {
        int number;
        sigwait(&interrupt->signals, &number); /* interrupt_stop cancels the thread here */
        int previous;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &previous);
        pthread_mutex_lock(&interrupt->lock);
        interrupt->came = true;
        pthread_cond_broadcast(&interrupt->changed);
        pthread_mutex_unlock(&interrupt->lock);
        services_cancel_waits(interrupt->services);
        if (cuts_short) {
            services_cancel_requests(interrupt->services);
        }
        cuts_short = true;
        pthread_setcancelstate(previous, &previous);
    }
    return NULL;
}

enum status interrupt_start(struct interrupt *interrupt, struct services *services,
                            bool may_cut_short, struct error *err) {
    interrupt->services = services;
    interrupt->may_cut_short = may_cut_short;
    return thread_start(&interrupt->thread, handle_signals, interrupt, err);
}

bool interrupt_wait(struct interrupt *interrupt, int64_t ms) {
    struct timespec until = condition_deadline(ms);
    bool in_time = true;
    pthread_mutex_lock(&interrupt->lock);
    while (!interrupt->came && in_time) {
        in_time = condition_wait_until(&interrupt->changed, &interrupt->lock, &until);
    }
    bool came = interrupt->came;
    pthread_mutex_unlock(&interrupt->lock);
    return came;
}

void interrupt_stop(struct interrupt *interrupt) {
    pthread_cancel(interrupt->thread);
    pthread_join(interrupt->thread, NULL);
    pthread_cond_destroy(&interrupt->changed);
    pthread_mutex_destroy(&interrupt->lock);
}
