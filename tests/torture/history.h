/*
 * history.h - what was asked of the app and what it answered, written down by those who asked.
 *
 * A history is the only evidence that the checker (checker.h) has, besides what is in the table at
 * the end.
 *
 * Vocabulary   record    one request and its answer, or the lack of one
 *              outcome   what an answer tells its caller: see enum history_outcome
 *              snapshot   a GET's answer: all active reservations of a product at one version
 * Rules        Times are milliseconds since 1970 on a clock that never jumps: the wall clock when
 *              the history began, carried forward. Storage is on the same machine, so they can be
 *              compared with reservedAt and expiresAt. A request is in the history before it is
 *              sent, so that one whose sender is gone is there too, as unanswered. What cannot
 *              happen to a test (no memory) ends it with a message.
 * Threads: history_begin, history_end from any; a record belongs to its asker between the two. The
 * rest when all have ended.
 */
#ifndef CHECKER_HISTORY_H
#define CHECKER_HISTORY_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "http/http_transport.h"

/* clang-format off */
#define HISTORY_KIND_TABLE(X) \
    X(RESERVE,   "reserve") \
    X(RELEASE,   "release") \
    X(GET,       "get") \
    X(CONFIRM,   "confirm") \
    X(EXTEND,    "extend") \
    X(FIND,      "find") /* one reservation */ \
    X(ADJUST,    "adjust") \
    X(SET_TOTAL, "set total") /* by an operator */ \
    X(RECONCILE, "reconcile")

#define HISTORY_OUTCOME_TABLE(X) \
    X(DONE,     "done")     /* 200 */ \
    X(REFUSED,  "refused")  /* by the rules, at a version. Nothing was changed */ \
    X(NOT_DONE, "not done") /* not decided: no lease, or lost. Nothing was changed */ \
    X(REUSED,   "key reused") /* 422: its key was used for another request. Nothing was changed */ \
    X(UNKNOWN,  "unknown")  /* 503, or no answer: once or not at all, now or later */ \
    X(WRONG,    "wrong")    /* not an answer of the API's; what happened is unknown */
/* clang-format on */

/* Why the rules have refused a request. */
enum history_refusal {
    HISTORY_NOT_ENOUGH, /* too few units, or none to release: the answer says what is available */
    HISTORY_NOT_FOUND,  /* no reservation of that id */
    HISTORY_EXPIRED,    /* the reservation's time is over */
    HISTORY_TOO_MUCH,   /* the reservation holds fewer units */
    HISTORY_OTHER_VERSION, /* If-Match names another */
};

enum history_kind {
#define HISTORY_ENUM(name, text) HISTORY_##name,
    HISTORY_KIND_TABLE(HISTORY_ENUM) HISTORY_KINDS
};
enum history_outcome {
    HISTORY_OUTCOME_TABLE(HISTORY_ENUM) HISTORY_OUTCOMES
#undef HISTORY_ENUM
};

#define HISTORY_NEVER INT64_MAX
enum { HISTORY_ANY_VERSION = -1 };
/* The customer of reservations that are there before a run, and stay. They are only counted. */
#define HISTORY_RESIDENT "resident"
enum { HISTORY_NAME_BYTES = 40 };

struct history_reservation {
    char id[UUID_TEXT_BYTES];
    char customer[HISTORY_NAME_BYTES];
    int64_t quantity;
    int64_t reserved_ms;
    int64_t expires_ms;
};

struct history_record {
    size_t number; /* 1, 2, ... */
    enum history_kind kind;
    int client;
    int instance;
    int status;                                  /* of the answer; 0: none */
    char product[HISTORY_NAME_BYTES];            /* "" for reconcile */
    char customer[HISTORY_NAME_BYTES];           /* confirm, extend: "": not named */
    char key[HISTORY_NAME_BYTES];                /* Idempotency-Key; "": none */
    char wanted_reservation[HISTORY_NAME_BYTES]; /* release: of this one alone; "": of any */
    int64_t quantity;         /* asked for; confirm: 0 is all; set total: the new one; adjust: by */
    int64_t lifetime_s;       /* reserve, extend; 0: not named */
    int64_t expected_version; /* If-Match; HISTORY_ANY_VERSION: *; 0: not sent */
    int64_t sent_ms;

    int64_t answered_ms; /* HISTORY_NEVER: it was not */
    enum history_outcome outcome;
    enum history_refusal refusal; /* if it was refused */
    char code
        [HISTORY_NAME_BYTES]; /* of an error answer, or the message of one that the rules gave */
    int64_t version;          /* the ETag; 0: none */
    int64_t total;            /* get, set total, adjust; confirm, done */
    int64_t available;        /* see history_tells_available */
    int64_t reserved;         /* get */
    int64_t released;         /* release */
    int64_t confirmed;        /* confirm, done */
    int64_t remaining;        /* confirm, done */
    char reservation_id[HISTORY_NAME_BYTES]; /* reserve, done */
    int64_t expires_ms;                      /* reserve, extend, done */
    struct history_reservation found;        /* extend, find, done */
    struct history_reservation *active;      /* get; without the residents' */
    size_t active_count;
    size_t resident_count;
    int64_t resident_units;
};

struct history {
    pthread_mutex_t lock;
    struct history_record **records;
    size_t count;
    size_t capacity;
    const struct clock *clock;
    int64_t wall_offset_ms;
};

/* Its times are `clock`'s, which is borrowed. */
void history_init(struct history *history, const struct clock *clock);
void history_cleanup(struct history *history);

int64_t history_now_ms(const struct history *history);

/* How many requests have been sent so far. Any thread. */
size_t history_count(struct history *history);

/* Copies what is asked (kind to expected_version) into a new record, as sent now. */
struct history_record *history_begin(struct history *history, const struct history_record *asked);

/* What came of it; `reply` NULL: no answer. */
void history_end(struct history *history, struct history_record *record,
                 const struct http_reply *reply);

/*
 * The same for what an operator has set, with what was printed ("{...}" if all is well); NULL:
 * nothing was changed.
 */
void history_end_set_total(struct history *history, struct history_record *record,
                           const char *printed);

/* Whether the answer, done or refused, says what was available when it was decided. */
bool history_tells_available(const struct history_record *record);

/* Copies what was asked, to be asked again: without the instance and the answer. */
struct history_record history_asked_again(const struct history_record *record);

/* Lets a request ask for more of the same than before, so that it is another one. */
void history_ask_for_more(struct history_record *asked);

/* Whether it is a caller's request to change a product. */
bool history_is_change(enum history_kind kind);

const char *history_kind_name(enum history_kind kind);
const char *history_outcome_name(enum history_outcome outcome);

/* One line of JSON for a record, and a file of them all. */
void history_print(FILE *out, const struct history_record *record);
void history_print_all(FILE *out, const struct history *history);

#endif
