/*
 * admission.h - how many requests a server has in hand, and whether it takes another.
 *
 * Vocabulary   in hand   between its head and the end of its answer
 *              call      of the handler, for a request in hand
 * Threads: any.
 * Layer: server. May include everything below.
 */
#ifndef SERVER_ADMISSION_H
#define SERVER_ADMISSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct admission {
    int max_call_count;
    atomic_int call_count;
    atomic_bool draining; /* set under the lock */
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t idle;
    int in_hand_count;
};

void admission_init(struct admission *admission, int max_call_count);
void admission_release(struct admission *admission);

/* May this request be taken in hand? No longer once it drains. If so, admission_leave comes at its end. */
bool admission_enter(struct admission *admission);
void admission_leave(struct admission *admission);

/* May the handler be called, with fewer than max_call_count calls under way? If so, admission_end_call comes behind it. */
bool admission_begin_call(struct admission *admission);
void admission_end_call(struct admission *admission);

void admission_drain(struct admission *admission);
bool admission_is_draining(const struct admission *admission);

/* Waits until no request is in hand, at most `timeout_ms`. Is none left? */
bool admission_wait_idle(struct admission *admission, int64_t timeout_ms);

#endif
