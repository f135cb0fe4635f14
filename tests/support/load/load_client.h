/*
 * load_client.h - many clients that send the same request over and over, on one thread, at next to
 * no cost.
 *
 * Each client is a kept-alive connection to one of the targets on 127.0.0.1; it sends its next
 * request as soon as it has its answer.
 *
 * Rules        Every request sent is one answer in the result, whatever came of it: an answer that
 *              counted only when it came in time would hide the longest waits. A connection that
 *              the other side closes is opened anew. What should not happen to a test (nobody
 *              listens any more, an answer that is no HTTP) fails it.
 * Threads: a struct load belongs to one thread.
 */
#ifndef SUPPORT_LOAD_CLIENT_H
#define SUPPORT_LOAD_CLIENT_H

#include <stddef.h>
#include <stdint.h>

enum { LOAD_ANSWER_BYTES = 4096, LOAD_MAX_TARGETS = 8 };

struct load_answer {
    int64_t sent_us; /* on load_now_us's clock */
    int64_t received_us;
    /* 0: the connection ended, or the run's patience, before a whole answer was there */
    int status;
    int target;      /* 0, 1, ... */
    int64_t version; /* of the ETag "N"; 0: none */
};

struct load_client;

struct load {
    int epoll_fd;
    int ports[LOAD_MAX_TARGETS];
    int target_count;
    struct load_client *clients;
    int client_count;
    char *request; /* the same bytes for all */
    size_t request_length;
};

/* What one run has brought. */
struct load_result {
    struct load_answer *answers; /* in order of arrival */
    size_t count;
    size_t capacity;
    int64_t begun_us;
    int64_t ended_us; /* no request was sent from then on; answers may have come later */
    int64_t cpu_us;   /* of this thread, meanwhile */
};

/* Connects; client i goes to target i modulo `target_count`. POSTs `body`, JSON, to `path`. */
void load_open(struct load *load, const int *ports, int target_count, int client_count,
               const char *path, const char *body);
void load_close(struct load *load);

/*
 * Every client sends at least once, and again until `duration_ms` is over; then answers are waited
 * for, `patience_ms` at most. Connections on which none came are opened anew.
 */
void load_run(struct load *load, int64_t duration_ms, int64_t patience_ms, struct load_result *out);
void load_result_cleanup(struct load_result *result);

/* Microseconds on the monotonic clock. */
int64_t load_now_us(void);

#endif
