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

/* Whether so much was available at a version, if so much was reserved. */
static bool fits(const struct checker_replay *replay, int64_t version, int64_t until_ms,
                 int64_t available, struct checker_range reserved) {
    struct checker_range room = checker_totals_room(replay->model, version, until_ms);
    return room.high - available >= reserved.low && room.low - available <= reserved.high;
}

/* ---- one commit ---- */

/* All the changes that were answered with one version. */
struct commit {
    int64_t version;
    struct checker_change **changes;
    size_t count;
    struct checker_window window; /* it was decided in the time of each of them */
    int instance;                 /* -1: cannot be told */
    struct checker_step *steps;   /* of what is available, and */
    struct checker_step *totals;  /* of the total, */
    size_t total_count;           /* which only some change */
    int64_t granted;              /* units that it has taken from those available, */
    int64_t released;             /* and added to them */
    struct checker_range before;  /* reserved units */
    struct checker_range room;    /* the total before it, less the residents' units */
    int64_t open_granted;         /* what changes of unknown outcome may have added to it */
    int64_t open_released;
    struct checker_range total_by; /* by how much its total may change, of known outcome, */
    struct checker_range open_by;  /* and of unknown outcome */
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
    const struct checker_change *latest = commit->changes[0], *earliest = latest;
    const struct checker_change *sender = NULL, *first = NULL;
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
        if (change->is_conditional && first != NULL) {
            violate_pair(replay, CHECKER_VERSION, commit, first, change,
                         "have both met the version that their If-Match names");
        }
        first = change->is_conditional ? change : first;
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
           (change->record->kind != HISTORY_RESERVE || change->shown_version > 0 ||
            checker_range_may_be_unseen(model, unseen, change));
}

/* How many units a change takes from those that are available; below 0: it adds to them. */
static int64_t taken_by(const struct history_record *record) {
    bool is_done = record->outcome == HISTORY_DONE;
    return record->kind == HISTORY_RESERVE   ? record->quantity
           : record->kind == HISTORY_ADJUST  ? -record->quantity
           : record->kind != HISTORY_RELEASE ? 0
           : is_done                         ? -record->released
                                             : -record->quantity;
}

static void add_to_range(struct checker_range *range, int64_t by) {
    *(by > 0 ? &range->high : &range->low) += by;
}

static void measure_change(const struct checker_replay *replay, struct commit *commit, size_t i) {
    const struct history_record *record = commit->changes[i]->record;
    int64_t taken = taken_by(record);
    int64_t total_by = checker_totals_delta(replay->model, commit->changes[i]);
    commit->steps[i] =
        (struct checker_step){.before = record->available + taken, .after = record->available};
    *(taken > 0 ? &commit->granted : &commit->released) += taken > 0 ? taken : -taken;
    add_to_range(&commit->total_by, total_by);
    if (total_by != 0) {
        int64_t residents = replay->model->product->resident_units;
        commit->totals[commit->total_count++] = (struct checker_step){
            .before = record->total - total_by - residents, .after = record->total - residents};
    }
}

static void measure(const struct checker_replay *replay, struct commit *commit) {
    const struct checker_model *model = replay->model;
    commit->before = checker_range_sum(replay, commit->version - 1, commit->window);
    commit->room = checker_totals_room(model, commit->version - 1, commit->window.to_ms);
    commit->steps = checker_allocate(commit->count, sizeof *commit->steps);
    commit->totals = checker_allocate(commit->count, sizeof *commit->totals);
    for (size_t i = 0; i < commit->count; i++) {
        measure_change(replay, commit, i);
    }
    struct checker_unseen unseen =
        checker_range_find_unseen(model, commit->version, commit->window);
    for (size_t i = 0; i < model->change_count; i++) {
        const struct checker_change *change = &model->changes[i];
        if (may_be_in(model, commit, &unseen, change)) {
            int64_t taken = taken_by(change->record);
            *(taken > 0 ? &commit->open_granted : &commit->open_released) +=
                taken > 0 ? taken : -taken;
            add_to_range(&commit->open_by, checker_totals_delta(model, change));
        }
    }
}

/* ---- its total ---- */

static void check_totals(const struct checker_replay *replay, const struct commit *commit) {
    const struct history_record *evidence[CHECKER_EVIDENCE];
    size_t count = name_evidence(commit, evidence);
    int64_t start = commit->room.low;
    bool is_circuit = false, is_open = commit->open_by.low < 0 || commit->open_by.high > 0;
    bool is_right = is_open || commit->total_count == 0 ||
                    checker_trail_exists(commit->totals, commit->total_count, &start, &is_circuit);
    is_right =
        is_right && (is_circuit || (start >= commit->room.low && start <= commit->room.high));
    for (size_t i = 0; i < commit->total_count; i++) {
        int64_t total = commit->totals[i].after;
        is_right = is_right &&
                   total >= commit->room.low + commit->total_by.low + commit->open_by.low &&
                   total <= commit->room.high + commit->total_by.high + commit->open_by.high;
    }
    if (!is_right) {
        checker_violate(replay->model->report, CHECKER_TOTAL, evidence, count,
                        "the totals of the answers of version %" PRId64
                        " do not follow from %" PRId64 " to %" PRId64 " before it",
                        commit->version, commit->room.low, commit->room.high);
    }
}

/* ---- what it leaves available ---- */

/*
 * With answers missing, each alone must lie between all that may have been taken and all that may
 * have been given.
 */
static bool fits_open(const struct commit *commit, int64_t available) {
    return available >=
               commit->room.low - commit->before.high - commit->granted - commit->open_granted &&
           available <=
               commit->room.high - commit->before.low + commit->released + commit->open_released;
}

static void check_open_commit(const struct checker_replay *replay, const struct commit *commit) {
    for (size_t i = 0; i < commit->count; i++) {
        const struct history_record *record = commit->changes[i]->record;
        if (!fits_open(commit, record->available)) {
            checker_violate(replay->model->report, CHECKER_REPLAY, &record, 1,
                            "%" PRId64 " are available at version %" PRId64
                            ", before which %" PRId64 " to %" PRId64 " of %" PRId64
                            " were reserved",
                            record->available, commit->version, commit->before.low,
                            commit->before.high, commit->room.high);
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
    int64_t version = commit->version - 1, until_ms = commit->window.to_ms;
    bool good = fits(replay, version, until_ms, start, commit->before);
    for (size_t i = 0; circuit && !good && i < commit->count; i++) {
        good = fits(replay, version, until_ms, commit->steps[i].before, commit->before);
    }
    if (!good) {
        checker_violate(replay->model->report, CHECKER_REPLAY, evidence, count,
                        "version %" PRId64 " starts with %" PRId64 " available, but %" PRId64
                        " to %" PRId64 " of %" PRId64 " were reserved at that time",
                        commit->version, start, commit->before.low, commit->before.high,
                        commit->room.high);
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
    return a->expires_ms < b->expires_ms ? -1 : a->expires_ms > b->expires_ms;
}

/* Whether no other change of the commit may take from that reservation. Their order is unknown. */
static bool is_alone(const struct commit *commit, const struct checker_change *change,
                     const struct checker_row *row) {
    for (size_t i = 0; i < commit->count; i++) {
        if (commit->changes[i] != change &&
            checker_model_concerns(commit->changes[i]->record, row)) {
            return false;
        }
    }
    return true;
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
        if (checker_model_concerns(record, row) && range.high > 0) {
            out->rows[out->count++] = row;
            out->possible += range.high;
            out->exact = out->exact && range.low == range.high && is_alone(commit, change, row);
        }
    }
    qsort(out->rows, out->count, sizeof(struct checker_row *), compare_expiry);
    for (size_t i = 1; i < out->count; i++) {
        out->exact = out->exact && out->rows[i - 1]->last_expiry_ms < out->rows[i]->expires_ms;
    }
    /* Its place among the reserves and releases of the same customer is not known either. */
    for (size_t i = 0; i < commit->count; i++) {
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
static void check_refused_units(const struct checker_replay *replay, const struct commit *commit,
                                const struct history_record *record) {
    struct checker_window window = {record->sent_ms, record->answered_ms};
    struct checker_range after = checker_range_sum(replay, record->version, window);
    bool open = commit->open_granted + commit->open_released > 0;
    bool within =
        commit->count > 0 && (commit->instance < 0 || commit->instance == record->instance) &&
        window.from_ms <= commit->window.to_ms && window.to_ms >= commit->window.from_ms &&
        (was_there_within(commit, record->available) ||
         (open && fits_open(commit, record->available)));
    if (!within && !fits(replay, record->version, window.to_ms, record->available, after)) {
        const struct history_record *evidence[2] = {
            record, commit->count > 0 ? commit->changes[0]->record : NULL};
        checker_violate(replay->model->report, CHECKER_REPLAY, evidence, 2,
                        "refused at version %" PRId64 " with %" PRId64 " available, but %" PRId64
                        " to %" PRId64 " of %" PRId64 " were reserved",
                        record->version, record->available, after.low, after.high,
                        checker_totals_room(replay->model, record->version, window.to_ms).high);
    }
}

static void check_refused_release(const struct checker_replay *replay,
                                  const struct history_record *record) {
    struct checker_window window = {record->sent_ms, record->answered_ms};
    for (size_t i = 0; i < replay->active_count; i++) {
        const struct checker_row *row = replay->active[i];
        bool was_before = row->from_version < record->version ||
                          (row->by != NULL && row->by->answered_ms < record->sent_ms);
        if (checker_model_concerns(record, row) && was_before &&
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

static void check_refusal(const struct checker_replay *replay, const struct commit *commit,
                          const struct history_record *record) {
    if (record->refusal == HISTORY_OTHER_VERSION) {
        return; /* its version says all */
    }
    if (record->kind == HISTORY_RELEASE) {
        check_refused_release(replay, record);
    } else if (record->refusal == HISTORY_NOT_ENOUGH) {
        check_refused_units(replay, commit, record);
    } else {
        checker_one_refusal(replay, record);
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
        if (row->high > 0 && row->last_expiry_ms + KEEP_ROWS_MS > now_ms) {
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
    check_totals(replay, commit);
    for (size_t i = 0; i < commit->count; i++) {
        const struct checker_change *change = commit->changes[i];
        const struct checker_row *row =
            checker_model_find_row(replay->model, change->record->wanted_reservation);
        if (change->record->kind == HISTORY_RELEASE) {
            replay_release(replay, commit, change);
        } else if (change->record->kind == HISTORY_CONFIRM) {
            checker_one_confirm(replay, change, commit->window,
                                row == NULL || is_alone(commit, change, row));
        }
    }
    struct checker_range after = checker_range_sum(replay, commit->version, commit->window);
    int64_t room = checker_totals_room(replay->model, commit->version, commit->window.to_ms).high;
    if (after.low > room) {
        const struct history_record *evidence[CHECKER_EVIDENCE];
        size_t count = name_evidence(commit, evidence);
        checker_violate(replay->model->report, CHECKER_OVERSOLD, evidence, count,
                        "at version %" PRId64 " %" PRId64 " of %" PRId64 " units are reserved",
                        commit->version, after.low, room);
    }
    let_rows_go(replay, commit->window.from_ms);
}

/* The replay's streams, each by version. An extend may have had nothing to commit. */
struct streams {
    struct checker_change **commits;
    size_t commit_count, commit_next;
    struct checker_change **extends;
    size_t extend_count, extend_next;
    const struct history_record **looks; /* refusals, and what was shown of one reservation */
    size_t look_count, look_next;
    size_t snapshot_next;
};

static int compare_commits(const void *left, const void *right) {
    const struct checker_change *a = *(struct checker_change *const *)left;
    const struct checker_change *b = *(struct checker_change *const *)right;
    return a->record->version < b->record->version ? -1 : a->record->version > b->record->version;
}
static int compare_int64(int64_t a, int64_t b) {
    return a < b ? -1 : a > b;
}
/* In the order in which they move an expiry: what moves it lasts longer than what finds it so. */
static int compare_extends(const void *left, const void *right) {
    const struct checker_change *a = *(struct checker_change *const *)left;
    const struct checker_change *b = *(struct checker_change *const *)right;
    int by_version = compare_int64(a->record->version, b->record->version);
    int by_expiry = compare_int64(a->record->expires_ms, b->record->expires_ms);
    return by_version != 0  ? by_version
           : by_expiry != 0 ? by_expiry
                            : compare_int64(b->lifetime_ms, a->lifetime_ms);
}
static int compare_looks(const void *left, const void *right) {
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
        .extends = checker_allocate(model->change_count, sizeof(struct checker_change *)),
        .looks = checker_allocate(model->answer_count, sizeof(struct history_record *))};
    for (size_t i = 0; i < model->change_count; i++) {
        struct checker_change *change = &model->changes[i];
        if (change->outcome == HISTORY_DONE && change->record->kind == HISTORY_EXTEND) {
            out->extends[out->extend_count++] = change;
        } else if (change->outcome == HISTORY_DONE) {
            out->commits[out->commit_count++] = change;
        }
    }
    for (size_t i = 0; i < model->answer_count; i++) {
        if (model->answers[i]->outcome == HISTORY_REFUSED ||
            model->answers[i]->kind == HISTORY_FIND) {
            out->looks[out->look_count++] = model->answers[i];
        }
    }
    qsort(out->commits, out->commit_count, sizeof(struct checker_change *), compare_commits);
    qsort(out->extends, out->extend_count, sizeof(struct checker_change *), compare_extends);
    qsort(out->looks, out->look_count, sizeof(struct history_record *), compare_looks);
}

static void close_streams(struct streams *streams) {
    free(streams->commits);
    free(streams->extends);
    free(streams->looks);
}

/* The next version that anything is known of; INT64_MAX: there is none. */
static int64_t next_version(const struct checker_model *model, const struct streams *streams) {
    int64_t version = INT64_MAX;
    if (streams->commit_next < streams->commit_count) {
        version = streams->commits[streams->commit_next]->record->version;
    }
    if (streams->extend_next < streams->extend_count) {
        version = smaller(version, streams->extends[streams->extend_next]->record->version);
    }
    if (streams->look_next < streams->look_count) {
        version = smaller(version, streams->looks[streams->look_next]->version);
    }
    if (streams->snapshot_next < model->snapshot_count) {
        version = smaller(version, model->snapshots[streams->snapshot_next].version);
    }
    return version;
}

static void replay_extends(struct checker_replay *replay, struct streams *streams,
                           const struct commit *commit) {
    for (; streams->extend_next < streams->extend_count &&
           streams->extends[streams->extend_next]->record->version == commit->version;
         streams->extend_next++) {
        const struct checker_change *change = streams->extends[streams->extend_next];
        const struct checker_row *row =
            checker_model_find_row(replay->model, change->record->wanted_reservation);
        checker_one_extend(replay, change, row == NULL || is_alone(commit, change, row));
    }
}

static void replay_looks(struct checker_replay *replay, struct streams *streams,
                         const struct commit *commit) {
    for (; streams->look_next < streams->look_count &&
           streams->looks[streams->look_next]->version == commit->version;
         streams->look_next++) {
        const struct history_record *record = streams->looks[streams->look_next];
        if (record->outcome == HISTORY_REFUSED) {
            check_refusal(replay, commit, record);
        } else {
            checker_snapshot_check_found(replay, record);
        }
    }
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
    replay_extends(replay, streams, &commit);
    replay_looks(replay, streams, &commit);
    for (; streams->snapshot_next < model->snapshot_count &&
           model->snapshots[streams->snapshot_next].version == version;
         streams->snapshot_next++) {
        checker_snapshot_check(replay, &model->snapshots[streams->snapshot_next]);
    }
    free(commit.steps);
    free(commit.totals);
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
    close_streams(&streams);
}
