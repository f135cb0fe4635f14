/*
 * simulated_calls.h - requests to a simulated storage, in few words, at a time that the test sets.
 *
 * Threads: the test's own.
 */
#ifndef SUPPORT_SIMULATED_CALLS_H
#define SUPPORT_SIMULATED_CALLS_H

#include "simulation/storage/simulated_storage.h"

#define SIMULATED_START_MS INT64_C(1790000000000) /* 2026-09-21T14:13:20Z */

struct simulated_calls {
    struct clock clock; /* both of it are */
    int64_t now_ms;
    struct simulated_storage storage; /* of the account acme, which has no key */
    struct strbuf answer;             /* the last one */
};

extern struct simulated_calls simulated_calls;

void simulated_calls_begin(void);
void simulated_calls_end(void);

/*
 * Sends a request and returns the answer's status. `what` is "PUT /leases?restype=container",
 * `headers` whole lines.
 */
int simulated_ask_blob(const char *what, const char *headers);
int simulated_ask_table(const char *what, const char *headers, const char *body);

/* Makes the table "inventory"; inserts row "r00001" ... of it and returns the status. */
void simulated_make_table(void);
int simulated_insert(const char *partition_key, int row, int quantity);

/* Whether the last answer holds that text. */
bool simulated_says(const char *text);

#endif
