/*
 * checker_replay.h - the state of a product while its versions are replayed: the checker's own
 * affair.
 *
 * Threads: none.
 */
#ifndef CHECKER_CHECKER_REPLAY_H
#define CHECKER_CHECKER_REPLAY_H

#include "torture/checker_model.h"

struct checker_replay {
    const struct checker_model *model;
    struct checker_row **coming; /* all rows by after_version; those before `come` may be there */
    size_t come;
    struct checker_row **active; /* what may be there */
    size_t active_count;
};

/* What is reserved, at least and at most. */
struct checker_range {
    int64_t low;
    int64_t high;
};

/* What of a row was active at a version, when it was looked at in that window. */
struct checker_range checker_range_of_row(const struct checker_model *model,
                                          const struct checker_row *row, int64_t version,
                                          struct checker_window window);

/* Whether the row had certainly not expired then. */
bool checker_range_is_alive(const struct checker_row *row, struct checker_window window);

/*
 * What snapshots tell of phantoms at a version. Those taken before rule out all that was committed
 * by then and is active now, so a phantom was committed later, on a version that is not older than
 * they are; and no snapshot of this version or later showed it: it must have expired before the
 * first of them, unless it was released.
 */
struct checker_unseen {
    int64_t version;
    struct checker_window window;
    int64_t committed_ms;
    int64_t until_ms;
};
struct checker_unseen checker_range_find_unseen(const struct checker_model *model, int64_t version,
                                                struct checker_window window);
bool checker_range_may_be_unseen(const struct checker_model *model,
                                 const struct checker_unseen *unseen,
                                 const struct checker_change *phantom);

/* All that was reserved. */
struct checker_range checker_range_sum(const struct checker_replay *replay, int64_t version,
                                       struct checker_window window);

/*
 * A snapshot of the version that has been replayed: compared with what may and must be there, and
 * then believed.
 */
void checker_snapshot_check(struct checker_replay *replay, const struct checker_snapshot *snapshot);

/* The same for what is stored in the end. */
void checker_snapshot_check_store(struct checker_replay *replay);

#endif
