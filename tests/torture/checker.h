/*
 * checker.h - the history checker: judges whether an inventory that never oversells can have given
 * these answers and left this store.
 *
 * A pure function: what was asked and answered (history.h), and what was stored in the end, in;
 * violations out. It knows the API and nothing of the program behind it.
 *
 * Vocabulary   change      one reserve, release, confirm, extend or adjust, however often it was
 *                          sent under its Idempotency-Key; a release or confirm of one reservation
 *                          is its own key: sent again, with the same quantity, it is done once
 *              decision    the moment at which an answer was true: between its sending and its
 *                          answer. A commit of several changes is one decision, within the times of
 *                          them all
 *              sure, possible   a reservation with an unknown outcome, or near its expiry, may or
 *                               may not count: what is available lies
 *                          between the total less all that is possible and the total less all that
 *                          is sure
 *              phantom     a reserve of unknown outcome that no snapshot and no row ever showed
 * Rules        checked, per product, in the order of versions; each X below. Real time orders
 *              versions, versions order changes. Legal behaviour is never flagged: what nobody can
 *              know widens what is possible until a snapshot settles it. For a sharp check take
 *              snapshots often, and a new customer after an unknown outcome. Storage's time, as
 *              instances know it, is up to `clock_behind_ms` behind the real one: the Date of an
 *              answer has whole seconds, and tells of a moment that may be as long ago as the
 *              answer took. It is never ahead. A customer has fewer than 99 reservations at a time,
 *              so that every release goes in one transaction.
 * Threads: none.
 */
#ifndef CHECKER_CHECKER_H
#define CHECKER_CHECKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "torture/history.h"

/* clang-format off */
#define CHECKER_RULE_TABLE(X) \
    X(ANSWER,      "every answer is one that the API gives") \
    X(SUMS,        "the quantities in one answer add up") \
    X(OVERSOLD,    "no more is reserved than there is") \
    X(LIFETIME,    "a reservation lasts as long as it should, and no longer") \
    X(KEY,         "a key makes one change, and its repeats are answered as it was") \
    X(REUSED,      "a key that was used is refused to another request, and only then") \
    X(TOTAL,       "the total is what was set last, and adjusted, less what was confirmed") \
    X(VERSION,     "If-Match accepts the version that it names, and no other") \
    X(ORDER,       "what was asked after an answer has no older version") \
    X(STALE,       "a refusal is no older than what had been answered when it was asked for") \
    X(TRANSACTION, "one version is one commit, of one instance") \
    X(REPLAY,      "the quantities answered follow from the commits in order") \
    X(RELEASE,     "a release frees what is reserved, once") \
    X(CONFIRM,     "a confirm sells what is reserved and has not expired, once") \
    X(EXTEND,      "an extend moves the expiry of what has not expired, and never back") \
    X(LOST,        "a reservation is there until it is released, confirmed or expires") \
    X(FOREIGN,     "nothing is there that nobody asked for, or that was refused") \
    X(STORE,       "what is stored adds up, and is the latest version") \
    X(LEASE,       "what is committed is committed under a lease") \
    X(RETURN,      "stock that was lost does not come back by itself")
/* clang-format on */

enum checker_rule {
#define CHECKER_ENUM(name, text) CHECKER_##name,
    CHECKER_RULE_TABLE(CHECKER_ENUM) CHECKER_RULES
#undef CHECKER_ENUM
};

/* A product, and what the table had of it when all was over. */
struct checker_product {
    char id[HISTORY_NAME_BYTES];
    int64_t total;          /* as it was seeded */
    size_t resident_count;  /* reservations that are there all the time (HISTORY_RESIDENT), and */
    int64_t resident_units; /* their units */

    int64_t stored_total;
    int64_t stored_available; /* units in no row */
    int64_t stored_version;
    struct history_reservation
        *rows; /* without the residents'; those that have expired may be there or not */
    size_t row_count;
    size_t stored_resident_count;
    int64_t stored_resident_units;
    int64_t read_from_ms; /* when that was read */
    int64_t read_to_ms;
};

struct checker_input {
    const struct history_record *const *records; /* [i] has number i + 1 */
    size_t record_count;
    const struct checker_product *products;
    size_t product_count;
    int64_t lifetime_ms; /* of reservations whose requests name no other */
    int64_t clock_behind_ms;
};

enum { CHECKER_TEXT_BYTES = 320, CHECKER_EVIDENCE = 6 };

struct checker_violation {
    enum checker_rule rule;
    char text[CHECKER_TEXT_BYTES];
    size_t evidence[CHECKER_EVIDENCE]; /* the numbers of the records that it rests on; 0: no more */
};

struct checker_report {
    struct checker_violation *violations; /* the first ones */
    size_t count;                         /* of those */
    size_t capacity;
    size_t found; /* in all, and */
    size_t found_of[CHECKER_RULES];
    int64_t commits; /* versions that came to be, of all products */
};

/* Adds a violation that the history does not show. */
void checker_add(struct checker_report *report, enum checker_rule rule, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* To be released. What cannot happen to a test (no memory) ends it with a message. */
void checker_run(const struct checker_input *input, struct checker_report *report);
void checker_report_cleanup(struct checker_report *report);

const char *checker_rule_text(enum checker_rule rule);

#endif
