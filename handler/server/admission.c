#include "server/admission.h"

#include "base/condition.h"

void admission_init(struct admission *admission, int max_count) {
    admission->max_count = max_count;
    admission->count = 0;
    admission->draining = false;
    pthread_mutex_init(&admission->lock, NULL);
    condition_init(&admission->idle);
}

void admission_cleanup(struct admission *admission) {
    pthread_cond_destroy(&admission->idle);
    pthread_mutex_destroy(&admission->lock);
}

enum admission_answer admission_enter(struct admission *admission) {
    pthread_mutex_lock(&admission->lock);
    enum admission_answer answer = admission->draining                        ? ADMISSION_STOPPING
                                   : admission->count >= admission->max_count ? ADMISSION_BUSY
                                                                              : ADMISSION_WELCOME;
    admission->count += answer == ADMISSION_WELCOME;
    pthread_mutex_unlock(&admission->lock);
    return answer;
}

void admission_leave(struct admission *admission) {
    pthread_mutex_lock(&admission->lock);
    if (--admission->count == 0) {
        pthread_cond_broadcast(&admission->idle);
    }
    pthread_mutex_unlock(&admission->lock);
}

void admission_drain(struct admission *admission) {
    pthread_mutex_lock(&admission->lock);
    admission->draining = true;
    pthread_mutex_unlock(&admission->lock);
}

bool admission_is_draining(struct admission *admission) {
    pthread_mutex_lock(&admission->lock);
    bool draining = admission->draining;
    pthread_mutex_unlock(&admission->lock);
    return draining;
}

bool admission_wait_idle(struct admission *admission, int64_t timeout_ms) {
    struct timespec until = condition_deadline(timeout_ms);
    bool in_time = true;
    pthread_mutex_lock(&admission->lock);
    while (admission->count > 0 && in_time) {
        in_time = condition_wait_until(&admission->idle, &admission->lock, &until);
    }
    bool idle = admission->count == 0;
    pthread_mutex_unlock(&admission->lock);
    return idle;
}
