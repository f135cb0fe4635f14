/*
 * slow_leases.h - what slow_store remembers: containers, blobs, their leases, and what became of
 * these.
 *
 * Rules        Answers as the Blob service does ("Lease Blob", "Put Blob", "Create Container" and
 *              their error codes) to what a holder of leases asks; anything else is 400. A lease
 *              that has run out may still be renewed or released under its id, as in Azure, but is
 *              counted: its holder may have relied on it in between.
 * Threads: none of its own.
 */
#ifndef SUPPORT_SLOW_LEASES_H
#define SUPPORT_SLOW_LEASES_H

#include <stdint.h>

#include "base/uuid.h"

struct slow_leases;

/* All borrowed; "" where it was not sent. */
struct slow_request {
    const char *method;
    const char *path;  /* without the query: the account, the container, the blob */
    const char *query; /* without '?' */
    const char *action;
    const char *lease_id; /* of acquire: the one proposed */
    const char *duration; /* seconds, or -1 */
};

struct slow_answer {
    int status;
    const char *code;               /* x-ms-error-code; static; NULL: none */
    char lease_id[UUID_TEXT_BYTES]; /* x-ms-lease-id; "": none */
};

struct slow_counts {
    int64_t acquired; /* granted, repeats included */
    int64_t renewed;
    int64_t released;
    int64_t refused; /* answers from 400 on */
    int64_t ran_out; /* how often a lease came to its end without having been released */
    int64_t held;    /* right now */
};

/* The program ends with a message when there is no memory. */
struct slow_leases *slow_leases_new(void);
void slow_leases_free(struct slow_leases *leases);

/* `now_ms` is a clock that does not jump. */
struct slow_answer slow_leases_answer(struct slow_leases *leases,
                                      const struct slow_request *request, int64_t now_ms);

struct slow_counts slow_leases_count(const struct slow_leases *leases, int64_t now_ms);

#endif
