#include "torture/checker_model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- answers in the order of real time ---- */

static int compare_int64(int64_t a, int64_t b) {
    return a < b ? -1 : a > b;
}

static int compare_answers(const void *left, const void *right) {
    const struct history_record *a = *(const struct history_record *const *)left;
    const struct history_record *b = *(const struct history_record *const *)right;
    return compare_int64(a->answered_ms, b->answered_ms);
}

static bool is_of(const struct checker_model *model, const struct history_record *record) {
    return strcmp(record->product, model->product->id) == 0;
}

static void gather_answers(struct checker_model *model) {
    const struct checker_input *input = model->input;
    model->answers = checker_allocate(input->record_count, sizeof *model->answers);
    for (size_t i = 0; i < input->record_count; i++) {
        const struct history_record *record = input->records[i];
        if (is_of(model, record) &&
            (record->outcome == HISTORY_DONE || record->outcome == HISTORY_REFUSED)) {
            model->answers[model->answer_count++] = record;
        }
    }
    qsort(model->answers, model->answer_count, sizeof *model->answers, compare_answers);
    model->newest_version = checker_allocate(model->answer_count, sizeof *model->newest_version);
    int64_t newest = 0;
    for (size_t i = 0; i < model->answer_count; i++) {
        newest = model->answers[i]->version > newest ? model->answers[i]->version : newest;
        model->newest_version[i] = newest;
    }
}

int64_t checker_model_newest_version(const struct checker_model *model, int64_t ms,
                                     const struct history_record **out_record) {
    size_t from = 0, to = model->answer_count; /* those before `from` were answered before `ms` */
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (model->answers[middle]->answered_ms < ms) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    int64_t newest = from == 0 ? 0 : model->newest_version[from - 1];
    for (size_t i = from; i > 0 && out_record != NULL; i--) {
        if (model->answers[i - 1]->version == newest) {
            *out_record = model->answers[i - 1];
            break;
        }
    }
    return newest;
}

/* ---- changes ---- */

/*
 * A release or confirm of one reservation is safe to repeat without a key: its reservation and
 * quantity are its key.
 */
static bool has_key(const struct history_record *attempt) {
    return attempt->key[0] != '\0' ||
           (attempt->wanted_reservation[0] != '\0' && attempt->kind != HISTORY_EXTEND);
}

bool checker_model_concerns(const struct history_record *record, const struct checker_row *row) {
    if (record->wanted_reservation[0] != '\0') {
        return strcmp(record->wanted_reservation, row->as.id) == 0;
    }
    return record->kind == HISTORY_RELEASE && strcmp(record->customer, row->as.customer) == 0;
}

int checker_model_compare_requests(const struct history_record *a, const struct history_record *b) {
    int by_key = strcmp(a->key, b->key);
    int by_customer = a->key[0] == '\0' ? 0 : strcmp(a->customer, b->customer);
    int by_kind = compare_int64((int64_t)a->kind, (int64_t)b->kind);
    int by_reservation = strcmp(a->wanted_reservation, b->wanted_reservation);
    int by_quantity = compare_int64(a->quantity, b->quantity);
    int by_lifetime = compare_int64(a->lifetime_s, b->lifetime_s);
    return by_key != 0           ? by_key
           : by_kind != 0        ? by_kind
           : by_customer != 0    ? by_customer
           : by_reservation != 0 ? by_reservation
           : by_quantity != 0    ? by_quantity
                                 : by_lifetime;
}

/* Attempts with the same key stand together; those without each stand alone. */
static int compare_attempts(const void *left, const void *right) {
    const struct history_record *a = *(const struct history_record *const *)left;
    const struct history_record *b = *(const struct history_record *const *)right;
    int by_key = checker_model_compare_requests(a, b);
    return by_key != 0 ? by_key : compare_int64((int64_t)a->number, (int64_t)b->number);
}

static bool may_have_done_it(const struct history_record *attempt) {
    return attempt->outcome == HISTORY_DONE || attempt->outcome == HISTORY_UNKNOWN ||
           attempt->outcome == HISTORY_WRONG;
}

static int rank(enum history_outcome outcome) {
    static const int ranks[HISTORY_OUTCOMES] = {
        [HISTORY_DONE] = 3, [HISTORY_UNKNOWN] = 2, [HISTORY_WRONG] = 2, [HISTORY_REFUSED] = 1};
    return ranks[outcome];
}

static void add_attempt(struct checker_change *change, const struct history_record *attempt) {
    if (change->record == NULL || rank(attempt->outcome) > rank(change->record->outcome) ||
        (attempt->outcome == HISTORY_DONE && attempt->answered_ms < change->record->answered_ms)) {
        change->record = attempt;
        change->outcome = attempt->outcome == HISTORY_WRONG ? HISTORY_UNKNOWN : attempt->outcome;
    }
    if (!may_have_done_it(attempt)) {
        return;
    }
    bool is_first = change->window.from_ms == HISTORY_NEVER;
    change->instance = is_first || change->instance == attempt->instance ? attempt->instance : -1;
    if (attempt->answered_ms > change->last_answered_ms) {
        change->last_answered_ms = attempt->answered_ms;
    }
    if (attempt->sent_ms < change->window.from_ms) {
        change->window.from_ms = attempt->sent_ms;
    }
    if (attempt->outcome == HISTORY_DONE && attempt->answered_ms < change->window.to_ms) {
        change->window.to_ms = attempt->answered_ms;
    }
}

static bool is_same_answer(const struct history_record *a, const struct history_record *b) {
    return strcmp(a->reservation_id, b->reservation_id) == 0 && a->version == b->version &&
           a->available == b->available && a->expires_ms == b->expires_ms &&
           a->released == b->released && a->confirmed == b->confirmed &&
           a->remaining == b->remaining && a->total == b->total &&
           a->found.quantity == b->found.quantity && a->found.reserved_ms == b->found.reserved_ms &&
           strcmp(a->found.customer, b->found.customer) == 0;
}

/*
 * All that was done under one key must have been answered alike, and nothing refused once it was,
 * for as long as the app promises to know the key.
 */
static void check_key(const struct checker_model *model, const struct checker_change *change,
                      const struct history_record *attempt) {
    const struct history_record *evidence[2] = {change->record, attempt}, *first = change->record;
    if (change->outcome != HISTORY_DONE) {
        return;
    }
    if (attempt->outcome == HISTORY_DONE && !is_same_answer(attempt, first)) {
        checker_violate(model->report, CHECKER_KEY, evidence, 2,
                        "a repeat was answered with %s%" PRId64 " at %" PRId64 ", not %s%" PRId64
                        " at %" PRId64,
                        attempt->reservation_id, attempt->released + attempt->confirmed,
                        attempt->version, first->reservation_id, first->released + first->confirmed,
                        first->version);
    }
    if (attempt->outcome == HISTORY_REFUSED && attempt->sent_ms > change->window.to_ms &&
        attempt->answered_ms < change->window.to_ms + CHECKER_KEYS_MS) {
        checker_violate(model->report, CHECKER_KEY, evidence, 2,
                        "a repeat was refused after the first was done at %" PRId64,
                        first->version);
    }
}

/*
 * A change makes the version after the one that its If-Match names. An extend that moves nothing
 * makes none.
 */
static bool accepts(const struct history_record *attempt, const struct history_record *done) {
    return attempt->expected_version <= 0 || attempt->expected_version == done->version - 1 ||
           (done->kind == HISTORY_EXTEND && attempt->expected_version == done->version);
}

/* Repeats get the first answer, whatever their If-Match. So it is one sent before that counts. */
static void check_versions(const struct checker_model *model, struct checker_change *change,
                           const struct history_record *const *attempts, size_t count) {
    bool is_accepted = false;
    change->is_conditional = true;
    for (size_t i = 0; i < count; i++) {
        if (may_have_done_it(attempts[i]) && attempts[i]->sent_ms <= change->window.to_ms) {
            is_accepted = is_accepted || accepts(attempts[i], change->record);
            change->is_conditional = change->is_conditional && attempts[i]->expected_version > 0;
        }
    }
    if (change->outcome == HISTORY_DONE && !is_accepted) {
        checker_violate(
            model->report, CHECKER_VERSION, &change->record, 1,
            "version %" PRId64 " was changed to %" PRId64 ", but If-Match named %" PRId64,
            change->record->version - 1, change->record->version, change->record->expected_version);
    }
}

static size_t add_change(struct checker_model *model, const struct history_record **attempts,
                         size_t count) {
    struct checker_change *change = &model->changes[model->change_count++];
    *change = (struct checker_change){.window = {HISTORY_NEVER, HISTORY_NEVER}, .instance = -1};
    size_t used = 1;
    while (used < count && has_key(attempts[0]) &&
           checker_model_compare_requests(attempts[used], attempts[0]) == 0) {
        used++;
    }
    for (size_t i = 0; i < used; i++) {
        add_attempt(change, attempts[i]);
    }
    for (size_t i = 0; i < used; i++) {
        check_key(model, change, attempts[i]);
    }
    check_versions(model, change, attempts, used);
    int64_t named_ms = change->record->lifetime_s * 1000;
    change->lifetime_ms = named_ms > 0 ? named_ms : model->input->lifetime_ms;
    change->after_version = checker_model_newest_version(model, change->window.from_ms, NULL);
    return used;
}

static void gather_changes(struct checker_model *model) {
    const struct checker_input *input = model->input;
    const struct history_record **attempts =
        checker_allocate(input->record_count, sizeof(struct history_record *));
    size_t count = 0;
    for (size_t i = 0; i < input->record_count; i++) {
        const struct history_record *record = input->records[i];
        if (is_of(model, record) && history_is_change(record->kind)) {
            attempts[count++] = record;
        }
    }
    qsort(attempts, count, sizeof(struct history_record *), compare_attempts);
    model->changes = checker_allocate(count, sizeof *model->changes);
    for (size_t i = 0; i < count;) {
        i += add_change(model, attempts + i, count - i);
    }
    checker_reuse_check(model, attempts, count);
    free(attempts);
}

/* ---- when versions came to be ---- */

static int compare_commits(const void *left, const void *right) {
    const struct checker_commit *a = left, *b = right;
    return compare_int64(a->version, b->version);
}

/* An extend may have had nothing to commit. */
static void gather_commits(struct checker_model *model) {
    model->commits = checker_allocate(model->change_count, sizeof *model->commits);
    for (size_t i = 0; i < model->change_count; i++) {
        const struct checker_change *change = &model->changes[i];
        if (change->outcome == HISTORY_DONE && change->record->kind != HISTORY_EXTEND) {
            model->commits[model->commit_count++] = (struct checker_commit){
                .version = change->record->version, .sent_ms = change->window.from_ms};
        }
    }
    qsort(model->commits, model->commit_count, sizeof *model->commits, compare_commits);
    for (size_t i = 1; i < model->commit_count; i++) {
        int64_t before_ms = model->commits[i - 1].sent_ms;
        if (model->commits[i].sent_ms < before_ms) {
            model->commits[i].sent_ms = before_ms;
        }
    }
}

int64_t checker_model_committed_ms(const struct checker_model *model, int64_t version) {
    size_t from = 0, to = model->commit_count;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (model->commits[middle].version <= version) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from == 0 ? INT64_MIN : model->commits[from - 1].sent_ms;
}

/* ---- snapshots ---- */

static int compare_snapshots(const void *left, const void *right) {
    const struct checker_snapshot *a = left, *b = right;
    return compare_int64(a->version, b->version);
}

static void gather_snapshots(struct checker_model *model) {
    model->snapshots = checker_allocate(model->answer_count, sizeof *model->snapshots);
    for (size_t i = 0; i < model->answer_count; i++) {
        if (model->answers[i]->kind == HISTORY_GET && model->answers[i]->outcome == HISTORY_DONE) {
            model->snapshots[model->snapshot_count++] = (struct checker_snapshot){
                .record = model->answers[i],
                .version = model->answers[i]->version,
                .committed_ms = checker_model_committed_ms(model, model->answers[i]->version)};
        }
    }
    qsort(model->snapshots, model->snapshot_count, sizeof *model->snapshots, compare_snapshots);
    int64_t earliest_ms = model->product->read_to_ms;
    for (size_t i = model->snapshot_count; i > 0; i--) {
        int64_t answered_ms = model->snapshots[i - 1].record->answered_ms;
        earliest_ms = answered_ms < earliest_ms ? answered_ms : earliest_ms;
        model->snapshots[i - 1].earliest_later_ms = earliest_ms;
    }
}

/* ---- reservations whose making was answered ---- */

static int compare_rows(const void *left, const void *right) {
    const struct checker_row *a = left, *b = right;
    return strcmp(a->as.id, b->as.id);
}

struct checker_row *checker_model_find_row(const struct checker_model *model, const char *id) {
    struct checker_row wanted = {.by = NULL};
    snprintf(wanted.as.id, sizeof wanted.as.id, "%s", id);
    return bsearch(&wanted, model->rows, model->row_count, sizeof *model->rows, compare_rows);
}

static void gather_answered_rows(struct checker_model *model) {
    model->rows = checker_allocate(model->change_count, sizeof *model->rows);
    for (size_t i = 0; i < model->change_count; i++) {
        const struct history_record *record = model->changes[i].record;
        if (model->changes[i].outcome != HISTORY_DONE || record->kind != HISTORY_RESERVE) {
            continue;
        }
        struct checker_row *row = &model->rows[model->row_count++];
        *row = (struct checker_row){
            .by = record, .after_version = record->version - 1, .from_version = record->version};
        row->as.quantity = record->quantity;
        row->as.expires_ms = record->expires_ms;
        row->as.reserved_ms = record->expires_ms - model->changes[i].lifetime_ms;
        strcpy(row->as.id, record->reservation_id);
        strcpy(row->as.customer, record->customer);
    }
    qsort(model->rows, model->row_count, sizeof *model->rows, compare_rows);
    for (size_t i = 1; i < model->row_count; i++) {
        if (strcmp(model->rows[i - 1].as.id, model->rows[i].as.id) == 0) {
            const struct history_record *evidence[2] = {model->rows[i - 1].by, model->rows[i].by};
            checker_violate(model->report, CHECKER_KEY, evidence, 2,
                            "two requests were answered with one reservation, %s",
                            model->rows[i].as.id);
        }
    }
}

/* ---- reservations that were seen, and whose making was not answered ---- */

struct sighting {
    const struct history_reservation *row;
    const struct history_record *record; /* NULL: in the store */
    int64_t version;
    int64_t until_ms;
};

struct sightings {
    struct sighting *items;
    size_t count;
};

static int compare_sightings(const void *left, const void *right) {
    const struct sighting *a = left, *b = right;
    int by_id = strcmp(a->row->id, b->row->id);
    return by_id != 0 ? by_id : compare_int64(a->version, b->version);
}

static void add_sightings(const struct checker_model *model, struct sightings *sightings,
                          struct sighting sighting, const struct history_reservation *rows,
                          size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (checker_model_find_row(model, rows[i].id) == NULL) {
            sightings->items =
                realloc(sightings->items, (sightings->count + 1) * sizeof *sightings->items);
            checker_need(sightings->items != NULL);
            sighting.row = &rows[i];
            sightings->items[sightings->count++] = sighting;
        }
    }
}

/* Each reservation once, as it was seen first. */
static struct sightings gather_sightings(const struct checker_model *model) {
    struct sightings all = {.items = NULL};
    for (size_t i = 0; i < model->snapshot_count; i++) {
        const struct history_record *record = model->snapshots[i].record;
        add_sightings(model, &all,
                      (struct sighting){.record = record,
                                        .version = record->version,
                                        .until_ms = record->answered_ms},
                      record->active, record->active_count);
    }
    const struct checker_product *product = model->product;
    add_sightings(
        model, &all,
        (struct sighting){.version = product->stored_version, .until_ms = product->read_to_ms},
        product->rows, product->row_count);
    if (all.count > 0) {
        qsort(all.items, all.count, sizeof *all.items, compare_sightings);
    }
    size_t kept = 0;
    for (size_t i = 0; i < all.count; i++) {
        if (kept == 0 || strcmp(all.items[kept - 1].row->id, all.items[i].row->id) != 0) {
            all.items[kept++] = all.items[i];
        }
    }
    all.count = kept;
    return all;
}

static bool can_be_of(const struct checker_model *model, const struct sighting *sighting,
                      const struct checker_change *change) {
    const struct history_reservation *row = sighting->row;
    return change->outcome == HISTORY_UNKNOWN && change->record->kind == HISTORY_RESERVE &&
           strcmp(change->record->customer, row->customer) == 0 &&
           change->record->quantity >= row->quantity &&
           row->expires_ms - row->reserved_ms == change->lifetime_ms &&
           change->window.from_ms <= sighting->until_ms &&
           change->after_version < sighting->version &&
           row->reserved_ms >= change->window.from_ms - model->input->clock_behind_ms;
}

/*
 * Finds a change for sightings[i], moving others to another if need be; owners[c]: 1 + whose change
 * c is.
 */
static bool match(const struct checker_model *model, const struct sightings *sightings, size_t i,
                  size_t *owners, bool *tried) {
    for (size_t c = 0; c < model->change_count; c++) {
        if (tried[c] || !can_be_of(model, &sightings->items[i], &model->changes[c])) {
            continue;
        }
        tried[c] = true;
        if (owners[c] == 0 || match(model, sightings, owners[c] - 1, owners, tried)) {
            owners[c] = i + 1;
            return true;
        }
    }
    return false;
}

/* The latest snapshot that would have shown it, had it been there, and did not. */
static int64_t last_version_without(const struct checker_model *model,
                                    const struct sighting *sighting) {
    int64_t version = 0;
    for (size_t i = 0; i < model->snapshot_count && model->snapshots[i].version < sighting->version;
         i++) {
        if (model->snapshots[i].record->answered_ms + CHECKER_AHEAD_MS <
            sighting->row->expires_ms) {
            version = model->snapshots[i].version;
        }
    }
    return version;
}

/* change NULL: nobody asked for it. */
static void add_seen_row(struct checker_model *model, const struct sighting *sighting,
                         struct checker_change *change) {
    struct checker_row *row = &model->rows[model->row_count++];
    *row = (struct checker_row){
        .as = *sighting->row, .by = sighting->record, .from_version = sighting->version};
    row->after_version = last_version_without(model, sighting);
    if (change == NULL) {
        return;
    }
    row->by = change->record;
    row->as.quantity = change->record->quantity;
    if (change->after_version > row->after_version) {
        row->after_version = change->after_version;
    }
    change->after_version = row->after_version;
    change->shown_version = row->from_version;
}

/* With those who asked for the like and were told that it was not done. */
static void report_foreign(const struct checker_model *model, const struct sighting *sighting) {
    const struct history_reservation *row = sighting->row;
    const struct history_record *evidence[CHECKER_EVIDENCE] = {sighting->record};
    size_t count = 1;
    for (size_t i = 0; i < model->change_count && count < CHECKER_EVIDENCE; i++) {
        const struct checker_change *change = &model->changes[i];
        if (change->record->kind == HISTORY_RESERVE &&
            strcmp(change->record->customer, row->customer) == 0 &&
            change->record->quantity == row->quantity) {
            evidence[count++] = change->record;
        }
    }
    checker_violate(model->report, CHECKER_FOREIGN, evidence, count,
                    "reservation %s (%" PRId64 " for %s, reserved at %" PRId64
                    ") is %s, and no request that was granted or left open made it",
                    row->id, row->quantity, row->customer, row->reserved_ms,
                    sighting->record == NULL ? "stored" : "in a snapshot");
}

static void gather_seen_rows(struct checker_model *model) {
    struct sightings sightings = gather_sightings(model);
    size_t *owners = checker_allocate(model->change_count, sizeof *owners);
    bool *tried = checker_allocate(model->change_count, sizeof *tried);
    bool *matched = checker_allocate(sightings.count, sizeof *matched);
    for (size_t i = 0; i < sightings.count; i++) {
        memset(tried, 0, model->change_count * sizeof *tried);
        match(model, &sightings, i, owners, tried);
    }
    model->rows =
        realloc(model->rows, (model->row_count + sightings.count + 1) * sizeof *model->rows);
    checker_need(model->rows != NULL);
    for (size_t c = 0; c < model->change_count; c++) {
        if (owners[c] > 0) {
            matched[owners[c] - 1] = true;
            add_seen_row(model, &sightings.items[owners[c] - 1], &model->changes[c]);
        }
    }
    for (size_t i = 0; i < sightings.count; i++) {
        if (!matched[i]) {
            report_foreign(model, &sightings.items[i]);
            add_seen_row(model, &sightings.items[i], NULL);
        }
    }
    qsort(model->rows, model->row_count, sizeof *model->rows, compare_rows);
    free(owners);
    free(tried);
    free(matched);
    free(sightings.items);
}

/* ---- what unknown outcomes leave open ---- */

static void note_from(int64_t *from, bool is_first, const struct checker_change *change) {
    if (is_first || change->after_version + 1 < *from) {
        *from = change->after_version + 1;
    }
}

/* A release, confirm or extend that may have happened. */
static void loosen_rows(struct checker_model *model, const struct checker_change *change) {
    const struct history_record *record = change->record;
    for (size_t i = 0; i < model->row_count; i++) {
        struct checker_row *row = &model->rows[i];
        if (!checker_model_concerns(record, row)) {
            continue;
        }
        if (record->kind == HISTORY_EXTEND) {
            note_from(&row->extendable_from, row->extendable_ms == 0, change);
            row->extendable_ms += change->lifetime_ms;
        } else {
            note_from(&row->loose_from, row->loose == 0, change);
            row->loose += record->quantity == 0 ? row->as.quantity : record->quantity;
        }
    }
}

static void note_expiries(struct checker_model *model) {
    for (size_t i = 0; i < model->row_count; i++) {
        struct checker_row *row = &model->rows[i];
        row->expires_ms = row->last_expiry_ms = row->as.expires_ms;
    }
    for (size_t i = 0; i < model->change_count; i++) {
        const struct checker_change *change = &model->changes[i];
        struct checker_row *row =
            change->outcome == HISTORY_DONE && change->record->kind == HISTORY_EXTEND
                ? checker_model_find_row(model, change->record->wanted_reservation)
                : NULL;
        if (row != NULL && change->record->expires_ms > row->last_expiry_ms) {
            row->last_expiry_ms = change->record->expires_ms;
        }
    }
    for (size_t i = 0; i < model->row_count; i++) {
        model->rows[i].last_expiry_ms += model->rows[i].extendable_ms;
    }
}

static bool has_release(const struct checker_model *model, const char *customer) {
    for (size_t i = 0; i < model->change_count; i++) {
        const struct checker_change *change = &model->changes[i];
        if (change->record->kind == HISTORY_RELEASE &&
            strcmp(change->record->customer, customer) == 0 &&
            (change->outcome == HISTORY_DONE || change->outcome == HISTORY_UNKNOWN)) {
            return true;
        }
    }
    return false;
}

static void gather_open(struct checker_model *model) {
    model->phantoms = checker_allocate(model->change_count, sizeof(struct checker_change *));
    for (size_t i = 0; i < model->change_count; i++) {
        struct checker_change *change = &model->changes[i];
        if (change->outcome != HISTORY_UNKNOWN) {
            continue;
        }
        if (change->record->kind != HISTORY_RESERVE) {
            loosen_rows(model, change);
        } else if (change->shown_version == 0) {
            change->has_release = has_release(model, change->record->customer);
            model->phantoms[model->phantom_count++] = change;
        }
    }
}

void checker_model_build(struct checker_model *model, const struct checker_input *input,
                         const struct checker_product *product, struct checker_report *report) {
    *model = (struct checker_model){.input = input, .product = product, .report = report};
    gather_answers(model);
    gather_changes(model);
    gather_commits(model);
    gather_snapshots(model);
    gather_answered_rows(model);
    gather_seen_rows(model);
    gather_open(model);
    note_expiries(model);
    checker_totals_gather(model);
}

void checker_model_cleanup(struct checker_model *model) {
    free(model->changes);
    free(model->commits);
    free(model->rows);
    free(model->snapshots);
    free(model->phantoms);
    free(model->answers);
    checker_totals_cleanup(model);
    free(model->newest_version);
}
