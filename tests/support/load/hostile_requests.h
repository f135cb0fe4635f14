/*
 * hostile_requests.h - malformed HTTP requests without end, the same for the same seed: good
 * requests cut, split, doubled, blown up, with bytes changed, and the patterns that requests are
 * smuggled with.
 *
 * Rules        None that could be read as good does more than ask for what is not there. What hides
 *              in a body asks for HOSTILE_PRODUCT: an answer that names it has read a request out
 *              of a body.
 * Threads: a struct hostile_source belongs to one thread.
 */
#ifndef SUPPORT_HOSTILE_REQUESTS_H
#define SUPPORT_HOSTILE_REQUESTS_H

#include <stddef.h>
#include <stdint.h>

#define HOSTILE_PRODUCT "PROD-002"
enum { HOSTILE_MAX_BYTES = 256 * 1024 };

struct hostile_source {
    uint64_t state;
    char bytes[HOSTILE_MAX_BYTES];
};

/*
 * One request: what to send, and where to pause (send up to there, then go on in a packet of its
 * own); 0: nowhere.
 */
struct hostile_request {
    const char *bytes; /* the source's, until the next */
    size_t length;
    size_t split_at;
    int pause_ms; /* at the split; mostly 0 */
};

void hostile_source_init(struct hostile_source *source, uint64_t seed);
struct hostile_request hostile_source_next(struct hostile_source *source);

#endif
