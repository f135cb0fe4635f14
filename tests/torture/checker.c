#include "torture/checker_model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_VIOLATIONS = 100 };

void *checker_allocate(size_t count, size_t size) {
    void *memory = calloc(count + 1, size);
    checker_need(memory != NULL);
    return memory;
}

const char *checker_rule_text(enum checker_rule rule) {
    static const char *const texts[] = {
#define CHECKER_TEXT(name, text) text,
        CHECKER_RULE_TABLE(CHECKER_TEXT)
#undef CHECKER_TEXT
    };
    return texts[rule];
}

__attribute__((format(printf, 3, 0))) static struct checker_violation *
add(struct checker_report *report, enum checker_rule rule, const char *format, va_list arguments) {
    report->found_of[rule]++;
    if (report->found++ >= MAX_VIOLATIONS) {
        return NULL;
    }
    if (report->count == report->capacity) {
        report->capacity = report->capacity == 0 ? 16 : 2 * report->capacity;
        report->violations =
            realloc(report->violations, report->capacity * sizeof *report->violations);
        checker_need(report->violations != NULL);
    }
    struct checker_violation *violation = &report->violations[report->count++];
    *violation = (struct checker_violation){.rule = rule};
    vsnprintf(violation->text, sizeof violation->text, format, arguments);
    return violation;
}

void checker_add(struct checker_report *report, enum checker_rule rule, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)add(report, rule, format, arguments);
    va_end(arguments);
}

void checker_violate(struct checker_report *report, enum checker_rule rule,
                     const struct history_record *const *evidence, size_t evidence_count,
                     const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    struct checker_violation *violation = add(report, rule, format, arguments);
    va_end(arguments);
    size_t used = 0;
    for (size_t i = 0; i < evidence_count && violation != NULL && used < CHECKER_EVIDENCE; i++) {
        if (evidence[i] != NULL) {
            violation->evidence[used++] = evidence[i]->number;
        }
    }
}

void checker_report_cleanup(struct checker_report *report) {
    free(report->violations);
    *report = (struct checker_report){.count = 0};
}

/* ---- what one answer alone shows ---- */

static void check_snapshot(const struct checker_model *model, const struct history_record *record) {
    struct checker_report *report = model->report;
    const struct checker_product *product = model->product;
    struct checker_range right =
        checker_totals_expected(model, record->version, record->answered_ms);
    int64_t total = record->total, sum = record->resident_units;
    for (size_t i = 0; i < record->active_count; i++) {
        const struct history_reservation *row = &record->active[i];
        sum += row->quantity;
        if (row->quantity <= 0) {
            checker_violate(report, CHECKER_SUMS, &record, 1,
                            "reservation %s has %" PRId64 " units", row->id, row->quantity);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(row->id, record->active[j].id) == 0) {
                checker_violate(report, CHECKER_SUMS, &record, 1, "reservation %s is there twice",
                                row->id);
            }
        }
    }
    struct checker_range first = checker_totals_at(model, record->version, record->answered_ms);
    if (total < right.low || total > right.high || total != first.low) {
        checker_violate(report, CHECKER_TOTAL, &record, 1,
                        "there are %" PRId64 " units in all at version %" PRId64 ", not %" PRId64
                        " to %" PRId64,
                        total, record->version, right.low, right.high);
    }
    if (record->resident_count != product->resident_count ||
        record->resident_units != product->resident_units) {
        checker_violate(report, CHECKER_LOST, &record, 1,
                        "of %zu reservations that stay %zu are there", product->resident_count,
                        record->resident_count);
    }
    if (record->available + record->reserved != total || sum != record->reserved) {
        checker_violate(report, CHECKER_SUMS, &record, 1,
                        "of %" PRId64 " units in all %" PRId64 " are available and %" PRId64
                        " reserved, by reservations of %" PRId64,
                        total, record->available, record->reserved, sum);
    }
    if (sum > total) {
        checker_violate(report, CHECKER_OVERSOLD, &record, 1,
                        "%" PRId64 " of %" PRId64 " units are reserved", sum, total);
    }
}

static void check_lifetime(const struct checker_model *model, const struct checker_change *change) {
    const struct history_record *record = change->record;
    int64_t reserved_ms = record->expires_ms - change->lifetime_ms;
    if (reserved_ms < change->window.from_ms - model->input->clock_behind_ms ||
        reserved_ms > change->window.to_ms + CHECKER_AHEAD_MS) {
        checker_violate(model->report, CHECKER_LIFETIME, &record, 1,
                        "reservation %s was made from %" PRId64 " to %" PRId64
                        " and expires at %" PRId64,
                        record->reservation_id, change->window.from_ms, change->window.to_ms,
                        record->expires_ms);
    }
}

/* The most that can have been available while a commit made that version. */
static int64_t most_available(const struct checker_model *model,
                              const struct history_record *record) {
    int64_t most = checker_totals_room(model, record->version, record->answered_ms).high;
    int64_t set =
        checker_totals_largest_set(model, record->version) - model->product->resident_units;
    int64_t before = checker_totals_room(model, record->version - 1, record->answered_ms).high;
    for (size_t i = 0; i < model->delta_count; i++) {
        const struct checker_delta *delta = &model->deltas[i];
        before += delta->version == record->version && delta->by > 0 ? delta->by : 0;
    }
    most = set > most ? set : most;
    return most > before ? most : before;
}

static void check_refused(const struct checker_model *model, const struct history_record *record) {
    int64_t wanted = record->kind == HISTORY_ADJUST ? -record->quantity : record->quantity;
    bool is_of_units = record->kind == HISTORY_RESERVE || record->kind == HISTORY_ADJUST;
    if (is_of_units && record->refusal == HISTORY_NOT_ENOUGH && wanted <= record->available) {
        checker_violate(model->report, CHECKER_SUMS, &record, 1,
                        "%" PRId64 " units were refused with %" PRId64 " available", wanted,
                        record->available);
    }
    if (record->refusal == HISTORY_OTHER_VERSION &&
        (record->expected_version <= 0 || record->expected_version == record->version)) {
        checker_violate(model->report, CHECKER_VERSION, &record, 1,
                        "If-Match named %" PRId64 ", and was refused at version %" PRId64,
                        record->expected_version, record->version);
    }
}

static void check_answer(const struct checker_model *model, const struct history_record *record) {
    struct checker_report *report = model->report;
    if (record->outcome == HISTORY_WRONG) {
        checker_violate(report, CHECKER_ANSWER, &record, 1, "%s was answered %d %s",
                        history_kind_name(record->kind), record->status, record->code);
    }
    int64_t most = history_tells_available(record) ? most_available(model, record) : 0;
    if (history_tells_available(record) && (record->available < 0 || record->available > most)) {
        checker_violate(report, CHECKER_OVERSOLD, &record, 1,
                        "%" PRId64 " of %" PRId64 " units are available", record->available, most);
    }
    if (record->outcome == HISTORY_REFUSED) {
        check_refused(model, record);
    } else if (record->kind == HISTORY_GET && record->outcome == HISTORY_DONE) {
        check_snapshot(model, record);
    } else if (record->kind == HISTORY_RELEASE && record->released > record->quantity) {
        checker_violate(report, CHECKER_RELEASE, &record, 1,
                        "%" PRId64 " units were released, %" PRId64 " asked for", record->released,
                        record->quantity);
    }
}

/* ---- real time ---- */

/*
 * What was decided after `window.from_ms` at `version` may be no older than what had been answered
 * by then.
 */
static void check_order(const struct checker_model *model, enum checker_rule rule,
                        const struct history_record *record, int64_t from_ms) {
    const struct history_record *evidence[2] = {record, NULL};
    int64_t newest = checker_model_newest_version(model, from_ms, &evidence[1]);
    if (record->version < newest) {
        checker_violate(model->report, rule, evidence, 2,
                        "version %" PRId64 " was answered to what was sent after version %" PRId64
                        " had been answered",
                        record->version, newest);
    }
}

static void check_product(const struct checker_input *input, const struct checker_product *product,
                          struct checker_report *report) {
    struct checker_model model;
    checker_model_build(&model, input, product, report);
    for (size_t i = 0; i < model.change_count; i++) {
        const struct checker_change *change = &model.changes[i];
        if (change->outcome == HISTORY_DONE && change->record->kind == HISTORY_RESERVE) {
            check_lifetime(&model, change);
        }
        if (change->outcome == HISTORY_DONE) {
            check_order(&model, CHECKER_ORDER, change->record, change->window.from_ms);
        }
    }
    for (size_t i = 0; i < input->record_count; i++) {
        const struct history_record *record = input->records[i];
        if (strcmp(record->product, product->id) != 0) {
            continue;
        }
        check_answer(&model, record);
        if (record->outcome == HISTORY_REFUSED) {
            check_order(&model, CHECKER_STALE, record, record->sent_ms);
        } else if (record->outcome == HISTORY_DONE &&
                   (record->kind == HISTORY_GET || record->kind == HISTORY_FIND)) {
            check_order(&model, CHECKER_ORDER, record, record->sent_ms);
        }
    }
    checker_replay_run(&model);
    report->commits += product->stored_version - 1;
    checker_model_cleanup(&model);
}

void checker_run(const struct checker_input *input, struct checker_report *report) {
    *report = (struct checker_report){.count = 0};
    for (size_t i = 0; i < input->product_count; i++) {
        check_product(input, &input->products[i], report);
    }
    for (size_t i = 0; i < input->record_count; i++) {
        const struct history_record *record = input->records[i];
        if (record->kind == HISTORY_RECONCILE && record->outcome == HISTORY_WRONG) {
            checker_violate(report, CHECKER_ANSWER, &record, 1, "reconcile was answered %d %s",
                            record->status, record->code);
        }
    }
}
