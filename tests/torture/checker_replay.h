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

/* What of a row was active at a version, when it was looked at in that window. */
struct checker_range checker_range_of_row(const struct checker_model *model,
                                          const struct checker_row *row, int64_t version,
                                          struct checker_window window);

/* Whether the row had certainly not expired then; and whether it certainly had. */
bool checker_range_is_alive(const struct checker_row *row, struct checker_window window);
bool checker_range_is_dead(const struct checker_model *model, const struct checker_row *row,
                           int64_t version, struct checker_window window);

/* The latest moment at which the row may expire, as it was at a version. */
int64_t checker_range_last_expiry_ms(const struct checker_row *row, int64_t version);

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

/*
 * What was decided about one reservation, and the version after it was replayed: a confirm of the
 * commit, an extend, and a refusal. `is_alone`: no other change of the commit concerns it.
 */
void checker_one_confirm(struct checker_replay *replay, const struct checker_change *change,
                         struct checker_window window, bool is_alone);
void checker_one_extend(struct checker_replay *replay, const struct checker_change *change,
                        bool is_alone);
void checker_one_refusal(const struct checker_replay *replay, const struct history_record *record);

/* All that was reserved. */
struct checker_range checker_range_sum(const struct checker_replay *replay, int64_t version,
                                       struct checker_window window);

/*
 * A snapshot of the version that has been replayed: compared with what may and must be there, and
 * then believed.
 */
void checker_snapshot_check(struct checker_replay *replay, const struct checker_snapshot *snapshot);

/* The same for an answer, of the version that has been replayed, about one reservation. */
void checker_snapshot_check_found(struct checker_replay *replay,
                                  const struct history_record *record);

/* The same for what is stored in the end. */
void checker_snapshot_check_store(struct checker_replay *replay);

#endif
