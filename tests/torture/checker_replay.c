#include "torture/checker_replay.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { KEEP_ROWS_MS = 60000 };

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}
static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static bool fits(const struct checker_replay *replay, int64_t version, int64_t available,
                 struct checker_range reserved) {
    int64_t total = checker_totals_room(replay->model, version);
    return total - available >= reserved.low && total - available <= reserved.high;
}

/* ---- one commit ---- */

/* All the changes that were answered with one version. */
struct commit {
    int64_t version;
    struct checker_change **changes;
    size_t count;
    struct checker_window window; /* it was decided in the time of each of them */
    int instance;                 /* -1: cannot be told */
    struct checker_step *steps;
    int64_t granted;
    int64_t released;
    struct checker_range before;
    int64_t open_granted; /* what changes of unknown outcome may have added to it */
    int64_t open_released;
};

static size_t name_evidence(const struct commit *commit,
                            const struct history_record *evidence[CHECKER_EVIDENCE]) {
    size_t count = 0;
    for (size_t i = 0; i < commit->count && count < CHECKER_EVIDENCE; i++) {
        evidence[count++] = commit->changes[i]->record;
    }
    return count;
}

static void violate_pair(const struct checker_replay *replay, enum checker_rule rule,
                         const struct commit *commit, const struct checker_change *one,
                         const struct checker_change *other, const char *why) {
    const struct history_record *evidence[2] = {one->record, other->record};
    checker_violate(replay->model->report, rule, evidence, 2,
                    "two answers of version %" PRId64 " %s", commit->version, why);
}

/* One transaction has one sender, and all its requests were in hand at the same moment. */
static void check_transaction(const struct checker_replay *replay, struct commit *commit) {
    const struct checker_change *latest = commit->changes[0], *earliest = latest, *sender = NULL;
    for (size_t i = 0; i < commit->count; i++) {
        const struct checker_change *change = commit->changes[i];
        latest = change->window.from_ms > latest->window.from_ms ? change : latest;
        earliest = change->window.to_ms < earliest->window.to_ms ? change : earliest;
        if (change->instance >= 0 && sender == NULL) {
            sender = change;
        } else if (change->instance >= 0 && change->instance != sender->instance) {
            violate_pair(replay, CHECKER_TRANSACTION, commit, sender, change,
                         "come from two instances");
        }
    }
    commit->instance = sender == NULL ? -1 : sender->instance;
    commit->window = (struct checker_window){latest->window.from_ms, earliest->window.to_ms};
    if (commit->window.from_ms > commit->window.to_ms) {
        violate_pair(replay, CHECKER_TRANSACTION, commit, earliest, latest,
                     "cannot be one transaction: one was answered before the other was asked");
        commit->window = (struct checker_window){earliest->window.to_ms, latest->window.from_ms};
    }
}

/*
 * May it have been a part of the commit, though its outcome was not told? An answered request is in
 * nobody's hands any more.
 */
static bool may_be_in(const struct checker_model *model, const struct commit *commit,
                      const struct checker_unseen *unseen, const struct checker_change *change) {
    return change->outcome == HISTORY_UNKNOWN && change->after_version < commit->version &&
           (change->instance < 0 || commit->instance < 0 || change->instance == commit->instance) &&
           change->window.from_ms <= commit->window.to_ms &&
           change->last_answered_ms >= commit->window.from_ms &&
           (change->shown_version == 0 || commit->version <= change->shown_version) &&
           (change->record->kind == HISTORY_RELEASE || change->shown_version > 0 ||
            checker_range_may_be_unseen(model, unseen, change));
}

static void measure(const struct checker_replay *replay, struct commit *commit) {
    commit->before = checker_range_sum(replay, commit->version - 1, commit->window);
    commit->steps = checker_allocate(commit->count, sizeof *commit->steps);
    for (size_t i = 0; i < commit->count; i++) {
        const struct history_record *record = commit->changes[i]->record;
        int64_t taken = record->kind == HISTORY_RESERVE ? record->quantity : -record->released;
        commit->steps[i] =
            (struct checker_step){.before = record->available + taken, .after = record->available};
        *(taken > 0 ? &commit->granted : &commit->released) += taken > 0 ? taken : -taken;
    }
    struct checker_unseen unseen =
        checker_range_find_unseen(replay->model, commit->version, commit->window);
    for (size_t i = 0; i < replay->model->change_count; i++) {
        const struct checker_change *change = &replay->model->changes[i];
        if (may_be_in(replay->model, commit, &unseen, change)) {
            *(change->record->kind == HISTORY_RESERVE ? &commit->open_granted
                                                      : &commit->open_released) +=
                change->record->quantity;
        }
    }
}

/*
 * With answers missing, each alone must lie between all that may have been taken and all that may
 * have been given.
 */
static bool fits_open(const struct checker_replay *replay, const struct commit *commit,
                      int64_t available) {
    return fits(
        replay, commit->version, available,
        (struct checker_range){commit->before.low - commit->released - commit->open_released,
                               commit->before.high + commit->granted + commit->open_granted});
}

static void check_open_commit(const struct checker_replay *replay, const struct commit *commit) {
    for (size_t i = 0; i < commit->count; i++) {
        const struct history_record *record = commit->changes[i]->record;
        if (!fits_open(replay, commit, record->available)) {
            checker_violate(
                replay->model->report, CHECKER_REPLAY, &record, 1,
                "%" PRId64 " are available at version %" PRId64 ", before which %" PRId64
                " to %" PRId64 " of %" PRId64 " were reserved",
                record->available, commit->version, commit->before.low, commit->before.high,
                checker_totals_room(replay->model, commit->version));
        }
    }
}

static void check_closed_commit(const struct checker_replay *replay, const struct commit *commit) {
    const struct history_record *evidence[CHECKER_EVIDENCE];
    size_t count = name_evidence(commit, evidence);
    int64_t start = 0;
    bool circuit = false;
    if (!checker_trail_exists(commit->steps, commit->count, &start, &circuit)) {
        checker_violate(replay->model->report, CHECKER_REPLAY, evidence, count,
                        "the quantities of the %zu answers of version %" PRId64 " fit in no order",
                        commit->count, commit->version);
        return;
    }
    bool good = fits(replay, commit->version, start, commit->before);
    for (size_t i = 0; circuit && !good && i < commit->count; i++) {
        good = fits(replay, commit->version, commit->steps[i].before, commit->before);
    }
    if (!good) {
        checker_violate(replay->model->report, CHECKER_REPLAY, evidence, count,
                        "version %" PRId64 " starts with %" PRId64 " available, but %" PRId64
                        " to %" PRId64 " of %" PRId64 " were reserved at that time",
                        commit->version, start, commit->before.low, commit->before.high,
                        checker_totals_room(replay->model, commit->version));
    }
}

/* ---- releases ---- */

struct release {
    struct checker_row **rows; /* that it may have taken from, the first to expire first */
    size_t count;
    int64_t possible;
    bool exact;        /* it is certain what was there */
    bool has_phantoms; /* it may have taken from what nobody saw */
};

static int compare_expiry(const void *left, const void *right) {
    const struct checker_row *a = *(struct checker_row *const *)left,
                             *b = *(struct checker_row *const *)right;
    return a->as.expires_ms < b->as.expires_ms ? -1 : a->as.expires_ms > b->as.expires_ms;
}

static bool concerns(const struct history_record *release, const struct checker_row *row) {
    return strcmp(row->as.customer, release->customer) == 0 &&
           (release->wanted_reservation[0] == '\0' ||
            strcmp(row->as.id, release->wanted_reservation) == 0);
}

static void gather_release(const struct checker_replay *replay, const struct commit *commit,
                           const struct checker_change *change, struct release *out) {
    const struct checker_model *model = replay->model;
    const struct history_record *record = change->record;
    *out = (struct release){.exact = true};
    out->rows = checker_allocate(replay->active_count, sizeof(struct checker_row *));
    for (size_t i = 0; i < replay->active_count; i++) {
        struct checker_row *row = replay->active[i];
        struct checker_range range =
            checker_range_of_row(model, row, commit->version, commit->window);
        if (concerns(record, row) && range.high > 0) {
            out->rows[out->count++] = row;
            out->possible += range.high;
            out->exact = out->exact && range.low == range.high;
        }
    }
    qsort(out->rows, out->count, sizeof(struct checker_row *), compare_expiry);
    for (size_t i = 1; i < out->count; i++) {
        out->exact = out->exact && out->rows[i - 1]->as.expires_ms < out->rows[i]->as.expires_ms;
    }
    for (size_t i = 0; i < commit->count;
         i++) { /* its place among those of the same customer is not known */
        out->exact =
            out->exact && (commit->changes[i] == change ||
                           strcmp(commit->changes[i]->record->customer, record->customer) != 0);
    }
    for (size_t i = 0; i < model->phantom_count; i++) {
        const struct checker_change *phantom = model->phantoms[i];
        if (strcmp(phantom->record->customer, record->customer) == 0 &&
            phantom->window.from_ms <= commit->window.to_ms) {
            out->possible += phantom->record->quantity;
            out->has_phantoms = true;
            out->exact = false;
        }
    }
}

static void take(const struct release *release, int64_t units) {
    for (size_t i = 0; i < release->count; i++) {
        struct checker_row *row = release->rows[i];
        int64_t from_this = smaller(units, row->high);
        row->low = larger(0, row->low - from_this);
        if (release->exact || (release->count == 1 && !release->has_phantoms)) {
            row->high -= from_this;
            units -= from_this;
        }
    }
}

static void replay_release(const struct checker_replay *replay, const struct commit *commit,
                           const struct checker_change *change) {
    const struct history_record *record = change->record;
    struct release release;
    gather_release(replay, commit, change, &release);
    int64_t expected = smaller(record->quantity, release.possible);
    if (release.exact ? record->released != expected : record->released > expected) {
        const struct history_record *evidence[CHECKER_EVIDENCE] = {record};
        size_t count = 1;
        for (size_t i = 0; i < release.count && count < CHECKER_EVIDENCE; i++) {
            evidence[count++] = release.rows[i]->by;
        }
        checker_violate(replay->model->report, CHECKER_RELEASE, evidence, count,
                        "%" PRId64 " units were released at version %" PRId64 " of %s%" PRId64
                        " that were reserved",
                        record->released, commit->version, release.exact ? "" : "at most ",
                        release.possible);
    }
    take(&release, record->released);
    free(release.rows);
}

/* ---- refusals ---- */

static bool was_there_within(const struct commit *commit, int64_t available) {
    for (size_t i = 0; i < commit->count; i++) {
        if (commit->steps[i].before == available || commit->steps[i].after == available) {
            return true;
        }
    }
    return false;
}

/*
 * `commit` made the version that the refusal speaks of; the refusal may have been decided in the
 * middle of it.
 */
static void check_refused_reserve(const struct checker_replay *replay, const struct commit *commit,
                                  const struct history_record *record) {
    struct checker_window window = {record->sent_ms, record->answered_ms};
    struct checker_range after = checker_range_sum(replay, record->version, window);
    bool open = commit->open_granted + commit->open_released > 0;
    bool within =
        commit->count > 0 && (commit->instance < 0 || commit->instance == record->instance) &&
        window.from_ms <= commit->window.to_ms && window.to_ms >= commit->window.from_ms &&
        (was_there_within(commit, record->available) ||
         (open && fits_open(replay, commit, record->available)));
    if (!within && !fits(replay, record->version, record->available, after)) {
        const struct history_record *evidence[2] = {
            record, commit->count > 0 ? commit->changes[0]->record : NULL};
        checker_violate(replay->model->report, CHECKER_REPLAY, evidence, 2,
                        "refused at version %" PRId64 " with %" PRId64 " available, but %" PRId64
                        " to %" PRId64 " of %" PRId64 " were reserved",
                        record->version, record->available, after.low, after.high,
                        checker_totals_room(replay->model, record->version));
    }
}

static void check_refused_release(const struct checker_replay *replay,
                                  const struct history_record *record) {
    struct checker_window window = {record->sent_ms, record->answered_ms};
    for (size_t i = 0; i < replay->active_count; i++) {
        const struct checker_row *row = replay->active[i];
        bool was_before = row->from_version < record->version ||
                          (row->by != NULL && row->by->answered_ms < record->sent_ms);
        if (concerns(record, row) && was_before &&
            checker_range_of_row(replay->model, row, record->version, window).low > 0) {
            const struct history_record *evidence[2] = {record, row->by};
            checker_violate(replay->model->report, CHECKER_RELEASE, evidence, 2,
                            "nothing was there to release at version %" PRId64 ", but %" PRId64
                            " units of %s were",
                            record->version, row->low, row->as.id);
            return;
        }
    }
}

/* ---- all versions ---- */

static void let_rows_come(struct checker_replay *replay, int64_t version) {
    while (replay->come < replay->model->row_count &&
           replay->coming[replay->come]->after_version < version) {
        struct checker_row *row = replay->coming[replay->come++];
        row->low = row->high = row->as.quantity;
        replay->active[replay->active_count++] = row;
    }
}

static void let_rows_go(struct checker_replay *replay, int64_t now_ms) {
    size_t kept = 0;
    for (size_t i = 0; i < replay->active_count; i++) {
        struct checker_row *row = replay->active[i];
        if (row->high > 0 && row->as.expires_ms + KEEP_ROWS_MS > now_ms) {
            replay->active[kept++] = row;
        }
    }
    replay->active_count = kept;
}

static void replay_commit(struct checker_replay *replay, struct commit *commit) {
    if (commit->count == 0) {
        return;
    }
    check_transaction(replay, commit);
    measure(replay, commit);
    if (commit->open_granted + commit->open_released > 0) {
        check_open_commit(replay, commit);
    } else {
        check_closed_commit(replay, commit);
    }
    for (size_t i = 0; i < commit->count; i++) {
        if (commit->changes[i]->record->kind == HISTORY_RELEASE) {
            replay_release(replay, commit, commit->changes[i]);
        }
    }
    struct checker_range after = checker_range_sum(replay, commit->version, commit->window);
    int64_t room = checker_totals_room(replay->model, commit->version);
    if (after.low > room) {
        const struct history_record *evidence[CHECKER_EVIDENCE];
        size_t count = name_evidence(commit, evidence);
        checker_violate(replay->model->report, CHECKER_OVERSOLD, evidence, count,
                        "at version %" PRId64 " %" PRId64 " of %" PRId64 " units are reserved",
                        commit->version, after.low, room);
    }
    let_rows_go(replay, commit->window.from_ms);
}

/* The replay's three streams, each by version. */
struct streams {
    struct checker_change **commits;
    size_t commit_count, commit_next;
    const struct history_record **refusals;
    size_t refusal_count, refusal_next;
    size_t snapshot_next;
};

static int compare_commits(const void *left, const void *right) {
    const struct checker_change *a = *(struct checker_change *const *)left;
    const struct checker_change *b = *(struct checker_change *const *)right;
    return a->record->version < b->record->version ? -1 : a->record->version > b->record->version;
}
static int compare_refusals(const void *left, const void *right) {
    const struct history_record *a = *(const struct history_record *const *)left;
    const struct history_record *b = *(const struct history_record *const *)right;
    return a->version < b->version ? -1 : a->version > b->version;
}
static int compare_coming(const void *left, const void *right) {
    const struct checker_row *a = *(struct checker_row *const *)left,
                             *b = *(struct checker_row *const *)right;
    return a->after_version < b->after_version ? -1 : a->after_version > b->after_version;
}

static void open_streams(struct checker_model *model, struct streams *out) {
    *out = (struct streams){
        .commits = checker_allocate(model->change_count, sizeof(struct checker_change *)),
        .refusals = checker_allocate(model->answer_count, sizeof(struct history_record *))};
    for (size_t i = 0; i < model->change_count; i++) {
        if (model->changes[i].outcome == HISTORY_DONE) {
            out->commits[out->commit_count++] = &model->changes[i];
        }
    }
    for (size_t i = 0; i < model->answer_count; i++) {
        if (model->answers[i]->outcome == HISTORY_REFUSED) {
            out->refusals[out->refusal_count++] = model->answers[i];
        }
    }
    qsort(out->commits, out->commit_count, sizeof(struct checker_change *), compare_commits);
    qsort(out->refusals, out->refusal_count, sizeof(struct history_record *), compare_refusals);
}

/* The next version that anything is known of; INT64_MAX: there is none. */
static int64_t next_version(const struct checker_model *model, const struct streams *streams) {
    int64_t version = INT64_MAX;
    if (streams->commit_next < streams->commit_count) {
        version = streams->commits[streams->commit_next]->record->version;
    }
    if (streams->refusal_next < streams->refusal_count) {
        version = smaller(version, streams->refusals[streams->refusal_next]->version);
    }
    if (streams->snapshot_next < model->snapshot_count) {
        version = smaller(version, model->snapshots[streams->snapshot_next].version);
    }
    return version;
}

static void replay_version(struct checker_replay *replay, struct streams *streams,
                           int64_t version) {
    const struct checker_model *model = replay->model;
    let_rows_come(replay, version);
    struct commit commit = {
        .version = version, .changes = streams->commits + streams->commit_next, .instance = -1};
    while (streams->commit_next < streams->commit_count &&
           streams->commits[streams->commit_next]->record->version == version) {
        streams->commit_next++;
        commit.count++;
    }
    replay_commit(replay, &commit);
    for (; streams->refusal_next < streams->refusal_count &&
           streams->refusals[streams->refusal_next]->version == version;
         streams->refusal_next++) {
        const struct history_record *record = streams->refusals[streams->refusal_next];
        if (record->kind == HISTORY_RESERVE) {
            check_refused_reserve(replay, &commit, record);
        } else {
            check_refused_release(replay, record);
        }
    }
    for (; streams->snapshot_next < model->snapshot_count &&
           model->snapshots[streams->snapshot_next].version == version;
         streams->snapshot_next++) {
        checker_snapshot_check(replay, &model->snapshots[streams->snapshot_next]);
    }
    free(commit.steps);
}

void checker_replay_run(struct checker_model *model) {
    struct checker_replay replay = {.model = model};
    struct streams streams;
    open_streams(model, &streams);
    replay.coming = checker_allocate(model->row_count, sizeof(struct checker_row *));
    replay.active = checker_allocate(model->row_count, sizeof(struct checker_row *));
    for (size_t i = 0; i < model->row_count; i++) {
        replay.coming[i] = &model->rows[i];
    }
    qsort(replay.coming, model->row_count, sizeof(struct checker_row *), compare_coming);
    for (int64_t version; (version = next_version(model, &streams)) != INT64_MAX;) {
        replay_version(&replay, &streams, version);
    }
    let_rows_come(&replay, INT64_MAX);
    checker_snapshot_check_store(&replay);
    free(replay.coming);
    free(replay.active);
    free(streams.commits);
    free(streams.refusals);
}
