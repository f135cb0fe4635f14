/*
 * admission.h - counts the requests that a server has in hand, and decides whether it takes
 * another.
 *
 * Vocabulary   in hand   from the moment a request has come whole until its answer has been sent
 *              drain     to take no new request
 *
 * Threads      Any.
 */
#ifndef SERVER_ADMISSION_H
#define SERVER_ADMISSION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct admission {
    int max_count;
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t idle;
    int count;
    bool draining;
};

enum admission_answer { ADMISSION_WELCOME, ADMISSION_BUSY, ADMISSION_STOPPING };

void admission_init(struct admission *admission, int max_count);
void admission_cleanup(struct admission *admission);

/*
 * Takes a request in hand, unless max_count are or the server drains. After ADMISSION_WELCOME,
 * admission_leave must follow.
 */
enum admission_answer admission_enter(struct admission *admission);
void admission_leave(struct admission *admission);

void admission_drain(struct admission *admission);
bool admission_is_draining(struct admission *admission);

/* Waits until no request is in hand, at most `timeout_ms`. Returns false if some still are. */
bool admission_wait_idle(struct admission *admission, int64_t timeout_ms);

#endif
