#include "server/admission.h"

#include "base/condition.h"

void admission_init(struct admission *admission, int max_call_count) {
    admission->max_call_count = max_call_count;
    atomic_init(&admission->call_count, 0);
    atomic_init(&admission->draining, false);
    admission->in_hand_count = 0;
    pthread_mutex_init(&admission->lock, NULL);
    condition_init(&admission->idle);
}

void admission_release(struct admission *admission) {
    pthread_cond_destroy(&admission->idle);
    pthread_mutex_destroy(&admission->lock);
}

bool admission_enter(struct admission *admission) {
    pthread_mutex_lock(&admission->lock);
    bool welcome = !admission->draining;
    admission->in_hand_count += welcome;
    pthread_mutex_unlock(&admission->lock);
    return welcome;
}

void admission_leave(struct admission *admission) {
    pthread_mutex_lock(&admission->lock);
    if (--admission->in_hand_count == 0) {
        pthread_cond_broadcast(&admission->idle);
    }
    pthread_mutex_unlock(&admission->lock);
}

bool admission_begin_call(struct admission *admission) {
    bool has_room = atomic_fetch_add(&admission->call_count, 1) < admission->max_call_count;
    if (!has_room) {
        admission_end_call(admission);
    }
    return has_room;
}

void admission_end_call(struct admission *admission) {
    atomic_fetch_sub(&admission->call_count, 1);
}

void admission_drain(struct admission *admission) {
    pthread_mutex_lock(&admission->lock);
    admission->draining = true;
    pthread_mutex_unlock(&admission->lock);
}

bool admission_is_draining(const struct admission *admission) {
    return admission->draining;
}

bool admission_wait_idle(struct admission *admission, int64_t timeout_ms) {
    struct timespec until = condition_deadline(timeout_ms);
    bool in_time = true;
    pthread_mutex_lock(&admission->lock);
    while (admission->in_hand_count > 0 && in_time) {
        in_time = condition_wait_until(&admission->idle, &admission->lock, &until);
    }
    bool idle = admission->in_hand_count == 0;
    pthread_mutex_unlock(&admission->lock);
    return idle;
}
