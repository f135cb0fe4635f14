/*
 * checker_model.h - one product's history as the checker sees it: the checker's own affair.
 *
 * Threads: none.
 */
#ifndef CHECKER_CHECKER_MODEL_H
#define CHECKER_CHECKER_MODEL_H

#include <stdio.h>
#include <stdlib.h>

#include "torture/checker.h"

enum {
    CHECKER_AHEAD_MS = 100
}; /* how far the history's clock may drift from the wall clock in a run */

/* How long an Idempotency-Key is known (docs/api.md). */
#define CHECKER_KEYS_MS (INT64_C(24) * 3600 * 1000)

/* When something was decided, at the earliest and at the latest. */
struct checker_window {
    int64_t from_ms;
    int64_t to_ms;
};

/* Something that may be as little as `low`, and as much as `high`. */
struct checker_range {
    int64_t low;
    int64_t high;
};

/* One change, all its attempts together. */
struct checker_change {
    const struct history_record
        *record; /* the first that was done; else the first of unknown outcome, or of any */
    enum history_outcome outcome;
    struct checker_window window; /* to_ms: HISTORY_NEVER unless done or refused */
    int instance;                 /* -1: attempts went to several */
    int64_t
        /* of the attempts that may have done it; HISTORY_NEVER: one was not answered */
        last_answered_ms;
    int64_t
        after_version; /* what had been answered when it was sent: its own version is a later one */
    int64_t
        /* unknown, but a reservation of it was seen, first in this version; 0: was not */
        shown_version;
    bool has_release;    /* a reserve: its customer has released, or may have */
    int64_t lifetime_ms; /* that it asks for */
    bool is_conditional; /* each attempt that may have done it has named a version in If-Match */
};

/* A reservation, from its commit to its end. */
struct checker_row {
    struct history_reservation as; /* as it was made */
    const struct history_record *by;
    int64_t after_version; /* it came to be after this version, and */
    int64_t
        from_version; /* at this one at the latest: the same plus 1 when its commit was answered */
    int64_t loose;    /* units that releases and confirms of unknown outcome may have taken */
    int64_t loose_from;      /* from this version on */
    int64_t extendable_ms;   /* by so much extends of unknown outcome may have moved its expiry */
    int64_t extendable_from; /* from this version on */
    int64_t last_expiry_ms;  /* the latest expiry that any of its extends may have given it */

    /* While the versions are replayed: its units are between these. */
    int64_t low;
    int64_t high;
    int64_t expires_ms; /* as it was last extended, or seen */
    size_t seen_in;     /* the number of the last snapshot that had it */
};

/* A GET's answer. */
struct checker_snapshot {
    const struct history_record *record;
    int64_t version;
    int64_t
        /* the end of whichever was answered first of this and all snapshots of later versions */
        earliest_later_ms;
    int64_t committed_ms; /* this version was committed after that */
};

/* A version, which came to be after all requests of the commits up to it had been sent. */
struct checker_commit {
    int64_t version;
    int64_t sent_ms;
};

/* A total that is certain: as it was seeded, set, or seen. */
struct checker_anchor {
    int64_t version;
    int64_t total;
    int64_t sent_ms;      /* it was the total after that */
    int64_t committed_ms; /* its version was committed after that */
    bool is_seen;         /* in a snapshot, which is judged itself */
};

/* By how much the total changes at a version. */
struct checker_delta {
    int64_t version;
    int64_t by;
    int64_t sum; /* of all up to this one */
};

struct checker_model {
    const struct checker_input *input;
    const struct checker_product *product;
    struct checker_report *report;
    struct checker_change *changes;
    size_t change_count;
    struct checker_commit *commits; /* by version */
    size_t commit_count;
    struct checker_row *rows; /* by id */
    size_t row_count;
    struct checker_snapshot *snapshots; /* by version */
    size_t snapshot_count;
    struct checker_change **phantoms;
    size_t phantom_count;
    const struct history_record *
        *answers;            /* those with a version, by answered_ms; a key's repeats too, and */
    int64_t *newest_version; /* the highest version among answers[0..i] */
    size_t answer_count;
    struct checker_anchor *anchors; /* by version; the first is the seed's */
    size_t anchor_count;
    struct checker_delta *deltas; /* by version */
    size_t delta_count;
    struct checker_change **open_deltas; /* confirms and adjusts of unknown outcome */
    size_t open_delta_count;
};

static inline void checker_need(bool holds) {
    if (!holds) {
        fprintf(stderr, "checker: no memory\n");
        abort();
    }
}
void *checker_allocate(size_t count, size_t size);

/* Adds a violation; evidence NULL where there is none. */
void checker_violate(struct checker_report *report, enum checker_rule rule,
                     const struct history_record *const *evidence, size_t evidence_count,
                     const char *format, ...) PRINTF_LIKE(5, 6);

/*
 * Builds the model: changes from attempts, rows from answers, snapshots and the store. It reports
 * violations of KEY and FOREIGN.
 */
void checker_model_build(struct checker_model *model, const struct checker_input *input,
                         const struct checker_product *product, struct checker_report *report);
void checker_model_cleanup(struct checker_model *model);

/* Takes from the answers what the total was, and how it changed. */
void checker_totals_gather(struct checker_model *model);
void checker_totals_cleanup(struct checker_model *model);

/*
 * The product's total at a version, looked at not later than `until_ms`; and less the residents'
 * units, for which there is no room.
 */
struct checker_range checker_totals_at(const struct checker_model *model, int64_t version,
                                       int64_t until_ms);
struct checker_range checker_totals_room(const struct checker_model *model, int64_t version,
                                         int64_t until_ms);

/* The largest total that the commit of a version has set; 0: it has set none. */
int64_t checker_totals_largest_set(const struct checker_model *model, int64_t version);

/* The same as what was known before tells it, for a snapshot that is judged. */
struct checker_range checker_totals_expected(const struct checker_model *model, int64_t version,
                                             int64_t until_ms);

/* By how much a change that was done, or may have been, changes the total. */
int64_t checker_totals_delta(const struct checker_model *model,
                             const struct checker_change *change);

/* Whether a release, confirm or extend may take from that reservation, or move its expiry. */
bool checker_model_concerns(const struct history_record *record, const struct checker_row *row);

/*
 * Orders requests by their key, then by all that they ask for: 0 for two attempts at the same, if
 * they have a key at all.
 */
int checker_model_compare_requests(const struct history_record *a, const struct history_record *b);

/* The attempts in that order, and the model's changes in the same. Violations of REUSED. */
void checker_reuse_check(const struct checker_model *model,
                         const struct history_record *const *attempts, size_t count);

struct checker_row *checker_model_find_row(const struct checker_model *model, const char *id);

/* The highest version answered before `ms`, 0 for none, and the answer. */
int64_t checker_model_newest_version(const struct checker_model *model, int64_t ms,
                                     const struct history_record **out_record);

/* That version was committed after this. */
int64_t checker_model_committed_ms(const struct checker_model *model, int64_t version);

/* Replays all versions. Violations of the rules from TRANSACTION to STORE. */
void checker_replay_run(struct checker_model *model);

/*
 * Can the answers of one commit be put in an order? Each goes from what was available before it to
 * what was after it.
 */
struct checker_step {
    int64_t before;
    int64_t after;
};
/*
 * *out_start: where such a trail starts; *out_circuit: it ends there and might start at any of its
 * places.
 */
bool checker_trail_exists(const struct checker_step *steps, size_t count, int64_t *out_start,
                          bool *out_circuit);

#endif
