/*
 * torture_nemesis.h - does to the world what happens on bad days, at random.
 *
 * Vocabulary   spell    some time in which a proxy does something to a part of its requests, or to
 *              all
 * Threads: the main one.
 */
#ifndef CHECKER_TORTURE_NEMESIS_H
#define CHECKER_TORTURE_NEMESIS_H

#include "torture/torture_world.h"

/* clang-format off */
#define TORTURE_DEED_TABLE(X) \
    X(SPELL, "spell of faults") \
    X(STORM, "storm of 503s") \
    X(KILL,  "instance killed") \
    X(STOP,  "instance stopped") \
    X(BREAK, "lease broken") \
    X(CLOSE, "idle connection closed") \
    X(OUTAGE, "table outage") /* begins with a transaction, which was carried out or was not */ \
    X(DATE,  "wrong date") \
    X(DELETE, "lease container deleted")
/* clang-format on */

enum torture_deed {
#define TORTURE_ENUM(name, text) TORTURE_##name,
    TORTURE_DEED_TABLE(TORTURE_ENUM) TORTURE_DEEDS
#undef TORTURE_ENUM
};

struct torture_nemesis {
    struct torture_world *world;
    struct torture_random random;
    int64_t next_ms;
    int64_t clear_ms[TORTURE_INSTANCES]
                    [TORTURE_PROXIES];      /* when a spell is over; 0: there is none */
    int64_t continue_ms[TORTURE_INSTANCES]; /* when a stopped instance goes on; 0: it runs */
    int64_t stop_for_ms;
    int64_t outage_for_ms; /* an outage lasts as long at least, from its first transaction on */
    int outage_instance;
    int outage_rule; /* that which hits the transaction; 0: none is awaited */
    int deed_count;
    int counts[TORTURE_DEEDS];
};

void torture_nemesis_init(struct torture_nemesis *nemesis, struct torture_world *world);

/* Does what is due. To be called often. */
void torture_nemesis_act(struct torture_nemesis *nemesis);

/* Ends all spells, lets all that hangs go, and all instances run. */
void torture_nemesis_end(struct torture_nemesis *nemesis);

const char *torture_nemesis_deed_name(enum torture_deed deed);

#endif
