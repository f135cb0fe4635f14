/*
 * scripted_store.h - the memory store, each of whose operations a test may hold, and end as it
 * likes.
 *
 * Left alone an operation has its effect in the memory store within a few rounds of the loop.
 *
 * Vocabulary   hold   operations of a kind that start from now on wait for scripted_store_end
 *              plan   what the next operations of a kind that are not held end with, in order
 * Rules        An operation that ends with another status than STATUS_OK has no effect, but for
 *              scripted_store_end_unheard.
 * Threads: the loop's; any while nothing is under way.
 */
#ifndef SUPPORT_SCRIPTED_STORE_H
#define SUPPORT_SCRIPTED_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "inventory/inventory_store_memory.h"

enum scripted_kind {
    SCRIPTED_PREPARE,
    SCRIPTED_READ,
    SCRIPTED_FIND_RECORD,
    SCRIPTED_COMMIT,
    SCRIPTED_INDEX,
    SCRIPTED_ANNOUNCE,
    SCRIPTED_READ_WAIT,
    SCRIPTED_FIND_DUE,
    SCRIPTED_FINISH_DUE,
    SCRIPTED_KINDS
};

enum { SCRIPTED_PLANS = 16 };

struct scripted_operation;

struct scripted_store {
    struct inventory_store base; /* first */
    struct inventory_store_memory memory;
    int64_t doubt_ms; /* certain_ms is so much earlier than now_ms */
    bool hold[SCRIPTED_KINDS];
    int counts[SCRIPTED_KINDS]; /* operations started */
    int reads_of_all;
    int last_change_count; /* rows and records of the last commit that was started */
    int64_t last_deadline_ms;
    enum status plans[SCRIPTED_KINDS][SCRIPTED_PLANS];
    int plan_counts[SCRIPTED_KINDS];
    TAILQ_HEAD(scripted_operations, scripted_operation) held;
};

/* Both are borrowed. */
void scripted_store_init(struct scripted_store *store, const struct platform *platform);

/* Nothing is under way. */
void scripted_store_cleanup(struct scripted_store *store);

/* The next operations of that kind that are not held end with these statuses, one each. */
void scripted_store_plan(struct scripted_store *store, enum scripted_kind kind, enum status status);

/* Ends the one of that kind that has been held the longest. There is one. */
void scripted_store_end(struct scripted_store *store, enum scripted_kind kind, enum status status);

/* The same, but it has its effect all the same. */
void scripted_store_end_unheard(struct scripted_store *store, enum scripted_kind kind,
                                enum status status);

/* How many of that kind are held. */
int scripted_store_held(const struct scripted_store *store, enum scripted_kind kind);

/* In whose name the one of that kind was started that has been held the longest; NULL: nobody's. */
const struct correlation *scripted_store_correlation(const struct scripted_store *store,
                                                     enum scripted_kind kind);

#endif
