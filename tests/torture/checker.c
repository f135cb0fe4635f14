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
    int64_t total = checker_totals_at(model, record->version), sum = record->resident_units;
    for (size_t i = 0; i < record->active_count; i++) {
        const struct history_reservation *row = &record->active[i];
        sum += row->quantity;
        if (row->quantity <= 0) {
            checker_violate(report, CHECKER_SUMS, &record, 1,
                            "reservation %s has %" PRId64 " units", row->id, row->quantity);
        }
        if (row->expires_ms - row->reserved_ms != model->input->lifetime_ms) {
            checker_violate(report, CHECKER_LIFETIME, &record, 1,
                            "reservation %s lasts %" PRId64 " ms", row->id,
                            row->expires_ms - row->reserved_ms);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(row->id, record->active[j].id) == 0) {
                checker_violate(report, CHECKER_SUMS, &record, 1, "reservation %s is there twice",
                                row->id);
            }
        }
    }
    if (record->total != total) {
        checker_violate(report, CHECKER_TOTAL, &record, 1,
                        "there are %" PRId64 " units in all at version %" PRId64 ", not %" PRId64,
                        record->total, record->version, total);
        total = record->total;
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
    int64_t reserved_ms = record->expires_ms - model->input->lifetime_ms;
    if (reserved_ms < change->window.from_ms - model->input->clock_behind_ms ||
        reserved_ms > change->window.to_ms + CHECKER_AHEAD_MS) {
        checker_violate(model->report, CHECKER_LIFETIME, &record, 1,
                        "reservation %s was made from %" PRId64 " to %" PRId64
                        " and expires at %" PRId64,
                        record->reservation_id, change->window.from_ms, change->window.to_ms,
                        record->expires_ms);
    }
}

static void check_answer(const struct checker_model *model, const struct history_record *record) {
    struct checker_report *report = model->report;
    bool decided = record->outcome == HISTORY_DONE || record->outcome == HISTORY_REFUSED;
    if (record->outcome == HISTORY_WRONG) {
        checker_violate(report, CHECKER_ANSWER, &record, 1, "%s was answered %d %s",
                        history_kind_name(record->kind), record->status, record->code);
    }
    if (!decided || record->kind == HISTORY_RECONCILE) {
        return;
    }
    int64_t room = checker_totals_room(model, record->version);
    if (record->available < 0 || record->available > room) {
        checker_violate(report, CHECKER_OVERSOLD, &record, 1,
                        "%" PRId64 " of %" PRId64 " units are available", record->available, room);
    }
    if (record->kind == HISTORY_GET) {
        check_snapshot(model, record);
    } else if (record->kind == HISTORY_RELEASE && record->released > record->quantity) {
        checker_violate(report, CHECKER_RELEASE, &record, 1,
                        "%" PRId64 " units were released, %" PRId64 " asked for", record->released,
                        record->quantity);
    } else if (record->kind == HISTORY_RESERVE && record->outcome == HISTORY_REFUSED &&
               record->quantity <= record->available) {
        checker_violate(report, CHECKER_SUMS, &record, 1,
                        "%" PRId64 " units were refused with %" PRId64 " available",
                        record->quantity, record->available);
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
        } else if (record->kind == HISTORY_GET && record->outcome == HISTORY_DONE) {
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
