#include "torture/checker.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "support/processes/check_main.h"

/*
 * Histories written by hand: one product of 10 units, seeded at version 1, times counted from
 * START_MS. A request is answered 10 ms after it was sent unless a test says otherwise.
 */
#define START_MS INT64_C(1700000000000)
enum { TOTAL = 10, LIFETIME_MS = 60000, BEHIND_MS = 1000, MAX_RECORDS = 32, END_MS = 50000 };

static struct history_record records[MAX_RECORDS];
static const struct history_record *pointers[MAX_RECORDS];
static size_t record_count;
static struct history_reservation rows[MAX_RECORDS]
                                      [MAX_RECORDS]; /* of snapshots, and the last of the store */
static struct checker_product product;
static struct checker_report report;

static void set_up(void) {
    memset(records, 0, sizeof records);
    memset(rows, 0, sizeof rows);
    record_count = 0;
    product = (struct checker_product){.id = "PROD",
                                       .total = TOTAL,
                                       .stored_total = TOTAL,
                                       .stored_available = TOTAL,
                                       .stored_version = 1,
                                       .rows = rows[MAX_RECORDS - 1],
                                       .read_from_ms = START_MS + END_MS,
                                       .read_to_ms = START_MS + END_MS + 10};
}

static void tear_down(void) {
    checker_report_cleanup(&report);
}

/* ---- what was asked and answered ---- */

static struct history_record *add(enum history_kind kind, int64_t at_ms,
                                  enum history_outcome outcome) {
    ck_assert_uint_lt(record_count, MAX_RECORDS - 1);
    struct history_record *record = &records[record_count];
    pointers[record_count++] = record;
    *record = (struct history_record){.number = record_count,
                                      .kind = kind,
                                      .outcome = outcome,
                                      .instance = 1,
                                      .product = "PROD",
                                      .sent_ms = START_MS + at_ms,
                                      .answered_ms = START_MS + at_ms + 10,
                                      .status = outcome == HISTORY_DONE ? 200 : 409};
    if (outcome == HISTORY_UNKNOWN) {
        record->status = 0;
        record->answered_ms = HISTORY_NEVER;
    }
    return record;
}

/* Granted: its reservation is called after its record, "r1", ... */
static struct history_record *reserve(int64_t at_ms, const char *customer, int64_t quantity,
                                      int64_t version, int64_t available) {
    struct history_record *record = add(HISTORY_RESERVE, at_ms, HISTORY_DONE);
    strcpy(record->customer, customer);
    record->quantity = quantity;
    record->version = version;
    record->available = available;
    record->expires_ms = record->sent_ms + LIFETIME_MS;
    snprintf(record->reservation_id, sizeof record->reservation_id, "r%zu", record->number);
    return record;
}

static struct history_record *refuse(int64_t at_ms, const char *customer, int64_t quantity,
                                     int64_t version, int64_t available) {
    struct history_record *record = reserve(at_ms, customer, quantity, version, available);
    record->outcome = HISTORY_REFUSED;
    record->status = 409;
    record->reservation_id[0] = '\0';
    record->expires_ms = 0;
    return record;
}

static struct history_record *lose_reserve(int64_t at_ms, const char *customer, int64_t quantity) {
    struct history_record *record = add(HISTORY_RESERVE, at_ms, HISTORY_UNKNOWN);
    strcpy(record->customer, customer);
    record->quantity = quantity;
    return record;
}

/* `released` 0: refused. */
static struct history_record *release(int64_t at_ms, const char *customer, int64_t quantity,
                                      int64_t released, int64_t version, int64_t available) {
    struct history_record *record =
        add(HISTORY_RELEASE, at_ms, released > 0 ? HISTORY_DONE : HISTORY_REFUSED);
    strcpy(record->customer, customer);
    record->quantity = quantity;
    record->released = released;
    record->version = version;
    record->available = available;
    return record;
}

static struct history_record *lose_release(int64_t at_ms, const char *customer, int64_t quantity) {
    struct history_record *record = add(HISTORY_RELEASE, at_ms, HISTORY_UNKNOWN);
    strcpy(record->customer, customer);
    record->quantity = quantity;
    return record;
}

static struct history_reservation row(const char *id, const char *customer, int64_t quantity,
                                      int64_t reserved_at_ms) {
    struct history_reservation out = {.quantity = quantity,
                                      .reserved_ms = START_MS + reserved_at_ms,
                                      .expires_ms = START_MS + reserved_at_ms + LIFETIME_MS};
    strcpy(out.id, id);
    strcpy(out.customer, customer);
    return out;
}

/* The row that a granted reserve made. */
static struct history_reservation row_of(const struct history_record *record) {
    return row(record->reservation_id, record->customer, record->quantity,
               record->sent_ms - START_MS);
}

static struct history_record *get(int64_t at_ms, int64_t version, size_t count, ...) {
    struct history_record *record = add(HISTORY_GET, at_ms, HISTORY_DONE);
    record->version = version;
    record->total = record->available = TOTAL;
    record->active = rows[record->number - 1];
    va_list list;
    va_start(list, count);
    for (; record->active_count < count; record->active_count++) {
        record->active[record->active_count] = va_arg(list, struct history_reservation);
        record->reserved += record->active[record->active_count].quantity;
    }
    va_end(list);
    record->available -= record->reserved;
    return record;
}

/* What is in the table in the end; the sums as they should be. */
static void store(int64_t version, size_t count, ...) {
    product.stored_version = version;
    va_list list;
    va_start(list, count);
    for (; product.row_count < count; product.row_count++) {
        product.rows[product.row_count] = va_arg(list, struct history_reservation);
        product.stored_available -= product.rows[product.row_count].quantity;
    }
    va_end(list);
}

/* ---- verdicts ---- */

static void check(void) {
    checker_run(&(struct checker_input){.records = pointers,
                                        .record_count = record_count,
                                        .products = &product,
                                        .product_count = 1,
                                        .lifetime_ms = LIFETIME_MS,
                                        .clock_behind_ms = BEHIND_MS},
                &report);
}

static void expect_legal(void) {
    check();
    ck_assert_msg(report.found == 0, "%s: %s", checker_rule_text(report.violations[0].rule),
                  report.violations[0].text);
}

/* At least one violation of the rule, which rests on that record (NULL: any). */
static void expect(enum checker_rule rule, const struct history_record *evidence) {
    check();
    for (size_t i = 0; i < report.count; i++) {
        bool rests = evidence == NULL;
        for (size_t j = 0; j < CHECKER_EVIDENCE && evidence != NULL; j++) {
            rests = rests || report.violations[i].evidence[j] == evidence->number;
        }
        if (report.violations[i].rule == rule && rests) {
            return;
        }
    }
    ck_abort_msg("no violation of '%s' among %zu, the first: %s", checker_rule_text(rule),
                 report.found, report.found == 0 ? "" : report.violations[0].text);
}

/* ---- what is legal ---- */

START_TEST(what_happens_one_after_the_other_is_legal) {
    struct history_record *a = reserve(0, "A", 3, 2, 7), *b = reserve(100, "B", 5, 3, 2);
    get(200, 3, 2, row_of(a), row_of(b));
    refuse(300, "C", 3, 3, 2);
    release(400, "A", 2, 2, 4, 4);
    release(500, "A", 5, 1, 5, 5);
    release(600, "A", 5, 0, 5, 5);
    store(5, 1, row_of(b));
    expect_legal();
    ck_assert_int_eq(report.commits, 4);
}
END_TEST

START_TEST(one_commit_may_have_had_any_order) {
    struct history_record *a = reserve(0, "A", 6, 2, 4);
    struct history_record *b = reserve(100, "B", 2, 3, 2), *c = reserve(101, "C", 2, 3, 6);
    release(102, "A", 4, 4, 3, 8); /* first, then C, then D in vain, then another, then B */
    refuse(103, "D", 7, 3, 6);
    struct history_record *e = reserve(104, "E", 2, 3, 4);
    struct history_reservation rest = row_of(a);
    rest.quantity = 2;
    get(200, 3, 4, rest, row_of(b), row_of(c), row_of(e));
    store(3, 4, rest, row_of(b), row_of(c), row_of(e));
    expect_legal();
}
END_TEST

START_TEST(a_reserve_of_unknown_outcome_may_have_happened) {
    lose_reserve(0, "A", 4);
    get(100, 1, 0);
    reserve(200, "B", 1, 3, 5);
    get(300, 3, 2, row("x", "A", 4, 150), row("r3", "B", 1, 200));
    store(3, 2, row("x", "A", 4, 150), row("r3", "B", 1, 200));
    expect_legal();
}
END_TEST

START_TEST(a_reserve_of_unknown_outcome_may_not_have_happened) {
    lose_reserve(0, "A", 4);
    struct history_record *b = reserve(200, "B", 1, 2, 9);
    store(2, 1, row_of(b));
    expect_legal();
}
END_TEST

START_TEST(a_reserve_of_unknown_outcome_may_have_come_and_gone_between_two_snapshots) {
    get(0, 1, 0);
    lose_reserve(100, "A", 4);
    refuse(30000, "B", 7, 2, 6);
    product.read_from_ms += LIFETIME_MS;
    product.read_to_ms += LIFETIME_MS;
    store(3, 0);
    expect_legal();
}
END_TEST

START_TEST(a_release_of_unknown_outcome_may_or_may_not_have_happened) {
    struct history_record *a = reserve(0, "A", 4, 2, 6), *b = reserve(10, "B", 4, 3, 2);
    lose_release(100, "A", 3);
    lose_release(100, "B", 3);
    struct history_reservation rest = row_of(a);
    rest.quantity = 1;
    refuse(200, "C", 8, 4, 5);
    get(300, 4, 2, rest, row_of(b));
    store(4, 2, rest, row_of(b));
    expect_legal();
}
END_TEST

/* What nobody saw is released first, for it is the first to expire. */
START_TEST(a_release_may_take_from_a_reserve_of_unknown_outcome_and_leave_some_of_what_is_known) {
    lose_reserve(0, "A", 2);
    struct history_record *known = reserve(100, "A", 2, 3, 6);
    release(200, "A", 3, 3, 4, 9);
    struct history_reservation rest = row_of(known);
    rest.quantity = 1;
    get(300, 4, 1, rest);
    store(4, 1, rest);
    expect_legal();
}
END_TEST

START_TEST(a_repeat_under_its_key_is_answered_as_it_was) {
    struct history_record *lost = lose_reserve(0, "A", 4), *first = reserve(100, "A", 4, 2, 6);
    struct history_record *b = reserve(200, "B", 1, 3, 5),
                          *again = add(HISTORY_RESERVE, 300, HISTORY_DONE);
    strcpy(lost->key, "k");
    strcpy(first->key, "k");
    first->expires_ms -= 50;
    struct history_record answer = *first;
    answer.number = again->number;
    answer.sent_ms = again->sent_ms;
    answer.answered_ms = again->answered_ms;
    answer.instance = 2;
    *again = answer;
    struct history_reservation stored = row(first->reservation_id, "A", 4, 50);
    store(3, 2, stored, row_of(b));
    expect_legal();
}
END_TEST

START_TEST(an_expired_reservation_is_free_whether_its_row_is_there_or_not) {
    struct history_record *a = reserve(0, "A", 6, 2, 4), *b = reserve(10, "B", 4, 3, 0);
    get(LIFETIME_MS - 100, 3, 2, row_of(a),
        row_of(b)); /* up to a second late, an instance's time is */
    get(LIFETIME_MS + 900, 3, 2, row_of(a), row_of(b));
    get(LIFETIME_MS + 950, 3, 0);
    struct history_record *c = reserve(LIFETIME_MS + 2000, "C", 10, 4, 0);
    product.read_from_ms += LIFETIME_MS;
    product.read_to_ms += LIFETIME_MS;
    store(4, 1, row_of(c));
    expect_legal();
}
END_TEST

START_TEST(a_repeated_release_of_one_reservation_is_legal) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    struct history_record *once = release(100, "A", 2, 2, 3, 8),
                          *twice = release(200, "A", 2, 2, 3, 8);
    strcpy(once->wanted_reservation, a->reservation_id);
    strcpy(twice->wanted_reservation, a->reservation_id);
    struct history_reservation rest = row_of(a);
    rest.quantity = 2;
    store(3, 1, rest);
    expect_legal();
}
END_TEST

static struct history_record *set_total(int64_t at_ms, int64_t total, int64_t version,
                                        int64_t available) {
    struct history_record *record = add(HISTORY_SET_TOTAL, at_ms, HISTORY_DONE);
    record->quantity = record->total = total;
    record->version = version;
    record->available = available;
    return record;
}

static struct history_record *get_of(int64_t total, struct history_record *snapshot) {
    snapshot->available += total - snapshot->total;
    snapshot->total = total;
    return snapshot;
}

START_TEST(a_total_that_was_set_counts_from_its_version_on) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    get(50, 2, 1, row_of(a));
    set_total(100, 20, 3, 16);
    get_of(20, get(150, 3, 1, row_of(a)));
    struct history_record *b = reserve(200, "B", 12, 4, 4);
    set_total(300, 17, 5, 1);
    refuse(400, "C", 2, 5, 1);
    add(HISTORY_SET_TOTAL, 500, HISTORY_NOT_DONE)->quantity = 3;
    store(5, 2, row_of(a), row_of(b));
    product.stored_total += 7;
    product.stored_available += 7;
    expect_legal();
}
END_TEST

/* A product in which five units stay with the residents. */
static void add_residents(struct history_record *snapshot, size_t count, int64_t units) {
    snapshot->resident_count = count;
    snapshot->resident_units = units;
    snapshot->available -= units;
    snapshot->reserved += units;
}

START_TEST(residents_are_counted_and_nothing_else) {
    product.resident_count = product.stored_resident_count = 3;
    product.resident_units = product.stored_resident_units = 5;
    product.stored_available -= 5;
    struct history_record *a = reserve(0, "A", 4, 2, 1);
    refuse(50, "B", 2, 2, 1);
    add_residents(get(100, 2, 1, row_of(a)), 3, 5);
    store(2, 1, row_of(a));
    expect_legal();
}
END_TEST

START_TEST(a_key_that_was_used_is_refused_to_another_request) {
    struct history_record *a = reserve(0, "A", 4, 2, 6),
                          *other = add(HISTORY_RELEASE, 100, HISTORY_REUSED);
    strcpy(a->key, "k");
    strcpy(other->key, "k");
    strcpy(other->customer, "A");
    other->quantity = 4;
    store(2, 1, row_of(a));
    expect_legal();
}
END_TEST

/* ---- sales that are legal ---- */

/* Confirmed: units of the reservation that a record made. */
static struct history_record *confirm(int64_t at_ms, const struct history_record *of, int64_t units,
                                      int64_t remaining, int64_t version, int64_t total,
                                      int64_t available) {
    struct history_record *record = add(HISTORY_CONFIRM, at_ms, HISTORY_DONE);
    strcpy(record->wanted_reservation, of->reservation_id);
    record->quantity = record->confirmed = units;
    record->remaining = remaining;
    record->version = version;
    record->total = total;
    record->available = available;
    return record;
}

/* Extended until `expires_at_ms`. */
static struct history_record *extend(int64_t at_ms, const struct history_record *of,
                                     int64_t version, int64_t expires_at_ms) {
    struct history_record *record = add(HISTORY_EXTEND, at_ms, HISTORY_DONE);
    strcpy(record->wanted_reservation, of->reservation_id);
    record->version = version;
    record->found = row_of(of);
    record->found.expires_ms = record->expires_ms = START_MS + expires_at_ms;
    return record;
}

static struct history_record *find(int64_t at_ms, int64_t version,
                                   struct history_reservation found) {
    struct history_record *record = add(HISTORY_FIND, at_ms, HISTORY_DONE);
    strcpy(record->wanted_reservation, found.id);
    record->version = version;
    record->found = found;
    record->expires_ms = found.expires_ms;
    return record;
}

static struct history_record *adjust(int64_t at_ms, int64_t by, int64_t version, int64_t total,
                                     int64_t available) {
    struct history_record *record = add(HISTORY_ADJUST, at_ms, HISTORY_DONE);
    record->quantity = by;
    record->version = version;
    record->total = total;
    record->available = available;
    return record;
}

/* The answer was that the rules do not allow it. */
static struct history_record *refuse_as(enum history_refusal refusal,
                                        struct history_record *record) {
    record->outcome = HISTORY_REFUSED;
    record->refusal = refusal;
    return record;
}

/* There was no answer. */
static struct history_record *lose(struct history_record *record) {
    record->outcome = HISTORY_UNKNOWN;
    record->answered_ms = HISTORY_NEVER;
    record->status = 0;
    record->version = 0;
    return record;
}

static struct history_reservation with_units(struct history_reservation row, int64_t units) {
    row.quantity = units;
    return row;
}

static struct history_reservation until(struct history_reservation row, int64_t expires_at_ms) {
    row.expires_ms = START_MS + expires_at_ms;
    return row;
}

/* The store's total is another one than the seed's. */
static void store_total(int64_t total) {
    product.stored_available += total - product.stored_total;
    product.stored_total = total;
}

/* The store is read so much later. */
static void end_later(int64_t by_ms) {
    product.read_from_ms += by_ms;
    product.read_to_ms += by_ms;
}

/* Nobody is told in which order one commit has set the total twice. */
START_TEST(one_commit_may_set_the_total_twice) {
    static const int64_t seen[] = {15, 20};
    set_total(100, 20, 2, 20);
    set_total(101, 15, 2, 15);
    get_of(seen[_i], get(200, 2, 0));
    get_of(seen[_i], get(300, 2, 0));
    store(2, 0);
    store_total(seen[_i]);
    expect_legal();
}
END_TEST

START_TEST(what_is_confirmed_leaves_the_reservation_and_the_total) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    confirm(100, a, 1, 3, 3, 9, 6);
    get_of(9, get(200, 3, 1, with_units(row_of(a), 3)));
    confirm(300, a, 1, 3, 3, 9, 6); /* a repeat */
    confirm(400, a, 3, 0, 4, 6, 6);
    refuse(500, "B", 7, 4, 6);
    refuse_as(HISTORY_TOO_MUCH, confirm(350, a, 4, 0, 3, 6, 6));
    refuse_as(HISTORY_NOT_FOUND, confirm(600, a, 2, 0, 4, 6, 6));
    get_of(6, get(700, 4, 0));
    store(4, 0);
    store_total(6);
    expect_legal();
}
END_TEST

START_TEST(confirms_and_adjusts_of_one_commit_may_have_had_any_order) {
    struct history_record *a = reserve(0, "A", 4, 2, 6), *b = reserve(50, "B", 2, 3, 4);
    confirm(100, a, 4, 0, 4, 11, 9); /* second, after the adjust and before B's */
    confirm(101, b, 2, 0, 4, 9, 9);
    adjust(102, 5, 4, 15, 9);
    get_of(9, get(200, 4, 0));
    store(4, 0);
    store_total(9);
    expect_legal();
}
END_TEST

/* 0: it was not carried out, 1: it was. */
START_TEST(a_confirm_of_unknown_outcome_may_or_may_not_have_happened) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    lose(confirm(100, a, 4, 0, 3, 6, 6));
    reserve(200, "B", 1, 3 + _i, 5);
    if (_i == 0) {
        get(300, 3, 2, row_of(a), row("r3", "B", 1, 200));
        store(3, 2, row_of(a), row("r3", "B", 1, 200));
    } else {
        get_of(6, get(300, 4, 1, row("r3", "B", 1, 200)));
        store(4, 1, row("r3", "B", 1, 200));
        store_total(6);
    }
    expect_legal();
}
END_TEST

START_TEST(a_confirm_of_unknown_outcome_may_come_late_to_an_extended_reservation) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    extend(30000, a, 3, 90005);
    lose(confirm(30100, a, 4, 0, 4, 6, 6));
    reserve(LIFETIME_MS + 4000, "B", 1, 4, 5);
    struct history_reservation b = row("r4", "B", 1, LIFETIME_MS + 4000);
    get(LIFETIME_MS + 5000, 4, 2, until(row_of(a), 90005), b);
    get_of(6, get(LIFETIME_MS + 6000, 5, 1, b));
    end_later(20000);
    store(5, 1, b);
    store_total(6);
    expect_legal();
}
END_TEST

START_TEST(an_adjust_of_unknown_outcome_may_or_may_not_have_happened) {
    lose(adjust(0, 5, 2, 15, 15));
    get_of(10 + 5 * _i, get(100, 1 + _i, 0));
    store(1 + _i, 0);
    store_total(10 + 5 * _i);
    expect_legal();
}
END_TEST

START_TEST(an_adjust_counts_from_its_version_on) {
    adjust(0, 5, 2, 15, 15);
    struct history_record *a = reserve(100, "A", 12, 3, 3);
    refuse_as(HISTORY_NOT_ENOUGH, adjust(200, -4, 3, 15, 3));
    adjust(300, -3, 4, 12, 0);
    get_of(12, get(400, 4, 1, row_of(a)));
    store(4, 1, row_of(a));
    store_total(12);
    expect_legal();
}
END_TEST

START_TEST(an_extended_reservation_lives_until_its_new_expiry) {
    struct history_record *a = reserve(0, "A", 6, 2, 4);
    extend(30000, a, 3, 90005);
    struct history_reservation extended = until(row_of(a), 90005);
    get(LIFETIME_MS + 5000, 3, 1, extended);
    refuse(LIFETIME_MS + 6000, "B", 5, 3, 4);
    find(LIFETIME_MS + 7000, 3, extended);
    extend(LIFETIME_MS + 8000, a, 3, 90005)->lifetime_s = 1; /* to no later than before */
    reserve(95000, "B", 10, 4, 0);
    refuse_as(HISTORY_NOT_FOUND, find(95100, 4, extended));
    refuse_as(HISTORY_EXPIRED, extend(95200, a, 4, 0));
    end_later(LIFETIME_MS);
    store(4, 1, row("r7", "B", 10, 95000));
    expect_legal();
}
END_TEST

/* 0: it was not carried out, 1: it was. */
START_TEST(an_extend_of_unknown_outcome_may_or_may_not_have_happened) {
    struct history_record *a = reserve(0, "A", 6, 2, 4);
    lose(extend(30000, a, 3, 90005));
    if (_i == 0) {
        get(LIFETIME_MS + 5000, 2, 0);
        store(2, 0);
    } else {
        get(LIFETIME_MS + 5000, 3, 1, until(row_of(a), 90005));
        store(3, 1, until(row_of(a), 90005));
    }
    end_later(15000);
    expect_legal();
}
END_TEST

START_TEST(a_reservation_lasts_as_long_as_its_request_names) {
    struct history_record *a = reserve(0, "A", 6, 2, 4);
    a->lifetime_s = 5;
    a->expires_ms = START_MS + 5000;
    get(100, 2, 1, until(row_of(a), 5000));
    get(7000, 2, 0);
    store(2, 0);
    expect_legal();
}
END_TEST

START_TEST(a_change_of_the_version_that_it_names_is_legal) {
    struct history_record *a = reserve(0, "A", 1, 2, 9), *b = reserve(100, "B", 1, 3, 8);
    a->expected_version = HISTORY_ANY_VERSION;
    b->expected_version = 2;
    refuse_as(HISTORY_OTHER_VERSION, reserve(200, "C", 1, 3, 8))->expected_version = 2;
    strcpy(b->key, "k");
    struct history_record *again = reserve(300, "B", 1, 3, 8); /* a repeat, whatever it names */
    strcpy(again->key, "k");
    strcpy(again->reservation_id, b->reservation_id);
    again->expires_ms = b->expires_ms;
    again->expected_version = 1;
    store(3, 2, row_of(a), row_of(b));
    expect_legal();
}
END_TEST

/* ---- what is not ---- */

START_TEST(a_total_that_nobody_set_is_found) {
    get_of(12, get(0, 1, 0));
    expect(CHECKER_TOTAL, NULL);
}
END_TEST

/* 0: below both, 1: above both, 2: two looks differ. */
START_TEST(a_total_that_neither_of_two_sets_makes_is_found) {
    static const int64_t seen[] = {14, 21, 15};
    set_total(100, 20, 2, 20);
    set_total(101, 15, 2, 15);
    struct history_record *first = get_of(seen[_i], get(200, 2, 0));
    struct history_record *second = get_of(_i == 2 ? 20 : seen[_i], get(300, 2, 0));
    store(2, 0);
    store_total(second->total);
    expect(CHECKER_TOTAL, first);
}
END_TEST

START_TEST(a_total_that_is_forgotten_is_found) {
    set_total(0, 12, 2, 12);
    struct history_record *snapshot = get(100, 2, 0);
    store(2, 0);
    expect(CHECKER_TOTAL, snapshot);
}
END_TEST

START_TEST(more_reserved_than_a_smaller_total_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    set_total(100, 5, 3, 1);
    struct history_record *b = reserve(200, "B", 4, 4, 2);
    store(4, 2, row_of(a), row_of(b));
    expect(CHECKER_OVERSOLD, b);
}
END_TEST

/* 0: one of them, 1: some of their units. */
START_TEST(residents_that_are_gone_are_found) {
    product.resident_count = product.stored_resident_count = 3;
    product.resident_units = product.stored_resident_units = 5;
    product.stored_available -= 5;
    struct history_record *snapshot = get(100, 1, 0);
    add_residents(snapshot, _i == 0 ? 2 : 3, _i == 0 ? 5 : 4);
    expect(CHECKER_LOST, snapshot);
}
END_TEST

/*
 * 0: both were done, 1: the other was refused for another reason, though the first had been
 * answered.
 */
START_TEST(a_key_that_served_two_requests_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    struct history_record *b = _i == 0 ? reserve(100, "A", 3, 3, 3) : refuse(100, "A", 9, 2, 6);
    strcpy(a->key, "k");
    strcpy(b->key, "k");
    if (_i == 0) {
        store(3, 2, row_of(a), row_of(b));
    } else {
        store(2, 1, row_of(a));
    }
    expect(CHECKER_REUSED, b);
}
END_TEST

START_TEST(a_key_that_is_refused_though_nobody_used_it_is_found) {
    struct history_record *only = add(HISTORY_RESERVE, 0, HISTORY_REUSED);
    strcpy(only->key, "k");
    expect(CHECKER_REUSED, only);
}
END_TEST

START_TEST(a_release_that_is_carried_out_twice_under_its_key_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    struct history_record *once = release(100, "A", 1, 1, 3, 7),
                          *twice = release(200, "A", 1, 1, 4, 8);
    strcpy(once->key, "k");
    strcpy(twice->key, "k");
    struct history_reservation rest = row_of(a);
    rest.quantity = 2;
    store(4, 1, rest);
    expect(CHECKER_KEY, twice);
}
END_TEST

START_TEST(an_answer_that_the_api_does_not_give_is_found) {
    struct history_record *wrong = lose_reserve(0, "A", 1);
    wrong->outcome = HISTORY_WRONG;
    wrong->status = 500;
    expect(CHECKER_ANSWER, wrong);
}
END_TEST

START_TEST(a_snapshot_that_does_not_add_up_is_found) {
    struct history_record *a = reserve(0, "A", 3, 2, 7), *snapshot = get(100, 2, 1, row_of(a));
    snapshot->available++;
    store(2, 1, row_of(a));
    expect(CHECKER_SUMS, snapshot);
}
END_TEST

START_TEST(a_snapshot_with_an_empty_reservation_is_found) {
    struct history_record *snapshot = get(100, 1, 1, row("x", "A", 0, 50));
    expect(CHECKER_SUMS, snapshot);
}
END_TEST

START_TEST(a_reservation_that_is_twice_in_a_snapshot_is_found) {
    struct history_record *a = reserve(0, "A", 3, 2, 7),
                          *snapshot = get(100, 2, 2, row_of(a), row_of(a));
    store(2, 1, row_of(a));
    expect(CHECKER_SUMS, snapshot);
}
END_TEST

START_TEST(a_snapshot_with_more_than_there_is_is_found) {
    struct history_record *a = reserve(0, "A", 11, 2, 0), *snapshot = get(100, 2, 1, row_of(a));
    snapshot->available = 0;
    store(2, 1, row_of(a));
    expect(CHECKER_OVERSOLD, snapshot);
}
END_TEST

START_TEST(an_answer_with_fewer_than_none_available_is_found) {
    struct history_record *a = reserve(0, "A", 6, 2, -1);
    store(2, 1, row_of(a));
    expect(CHECKER_OVERSOLD, a);
    ck_assert_int_eq(report.violations[0].rule, CHECKER_OVERSOLD);
}
END_TEST

START_TEST(more_released_than_asked_for_is_found) {
    struct history_record *a = reserve(0, "A", 6, 2, 4), *released = release(100, "A", 4, 5, 3, 9);
    struct history_reservation rest = row_of(a);
    rest.quantity = 1;
    store(3, 1, rest);
    expect(CHECKER_RELEASE, released);
    ck_assert_msg(strstr(report.violations[0].text, "asked for") != NULL, "%s",
                  report.violations[0].text);
}
END_TEST

START_TEST(a_snapshot_of_a_reservation_that_lasts_too_long_is_found) {
    struct history_record *a = reserve(0, "A", 3, 2, 7), *snapshot = get(100, 2, 1, row_of(a));
    snapshot->active[0].reserved_ms -= 1000;
    store(2, 1, row_of(a));
    expect(CHECKER_LIFETIME, snapshot);
}
END_TEST

START_TEST(a_reservation_that_was_there_before_it_was_made_is_found) {
    struct history_record *a = reserve(0, "A", 3, 3, 7), *snapshot = get(0, 2, 1, row_of(a));
    store(3, 1, row_of(a));
    expect(CHECKER_REPLAY, snapshot);
}
END_TEST

START_TEST(a_reconciliation_that_fails_is_found) {
    struct history_record *wrong = add(HISTORY_RECONCILE, 0, HISTORY_WRONG);
    wrong->product[0] = '\0';
    expect(CHECKER_ANSWER, wrong);
}
END_TEST

START_TEST(a_refusal_of_what_is_available_is_found) {
    expect(CHECKER_SUMS, refuse(0, "A", 3, 1, TOTAL));
}
END_TEST

START_TEST(more_reserved_than_there_is_is_found) {
    struct history_record *a = reserve(0, "A", 6, 2, 4), *b = reserve(100, "B", 6, 3, 4);
    store(3, 2, row_of(a), row_of(b));
    expect(CHECKER_OVERSOLD, b);
}
END_TEST

START_TEST(a_reservation_that_lasts_too_long_is_found) {
    struct history_record *a = reserve(0, "A", 6, 2, 4);
    a->expires_ms += 600000;
    expect(CHECKER_LIFETIME, a);
}
END_TEST

START_TEST(a_reservation_that_outlives_its_expiry_is_found) {
    struct history_record *a = reserve(0, "A", 6, 2, 4);
    struct history_record *snapshot = get(LIFETIME_MS + BEHIND_MS, 2, 1, row_of(a));
    expect(CHECKER_LIFETIME, snapshot);
}
END_TEST

START_TEST(a_key_that_made_two_reservations_is_found) {
    struct history_record *a = reserve(0, "A", 2, 2, 8), *again = reserve(100, "A", 2, 3, 6);
    strcpy(a->key, "k");
    strcpy(again->key, "k");
    store(3, 2, row_of(a), row_of(again));
    expect(CHECKER_KEY, again);
}
END_TEST

START_TEST(a_key_whose_lost_attempt_made_a_reservation_as_well_is_found) {
    struct history_record *lost = lose_reserve(0, "A", 2), *again = reserve(100, "A", 2, 3, 6);
    strcpy(lost->key, "k");
    strcpy(again->key, "k");
    store(3, 2, row("x", "A", 2, 5), row_of(again));
    expect(CHECKER_FOREIGN, NULL);
}
END_TEST

START_TEST(a_key_that_is_forgotten_is_found) {
    struct history_record *a = reserve(0, "A", 8, 2, 2), *again = refuse(100, "A", 8, 2, 2);
    strcpy(a->key, "k");
    strcpy(again->key, "k");
    store(2, 1, row_of(a));
    expect(CHECKER_KEY, again);
}
END_TEST

enum { DAY_MS = 24 * 3600 * 1000 };

/* A change, and its repeat with an older If-Match that was refused. */
static struct history_record *refuse_repeat_at(int64_t at_ms) {
    struct history_record *first = adjust(0, 3, 2, 13, 13);
    struct history_record *again = refuse_as(HISTORY_OTHER_VERSION, adjust(at_ms, 3, 2, 13, 13));
    strcpy(first->key, "k");
    strcpy(again->key, "k");
    again->expected_version = 1;
    store(2, 0);
    store_total(13);
    end_later(at_ms);
    return again;
}

START_TEST(a_key_that_is_forgotten_within_a_day_is_found) {
    expect(CHECKER_KEY, refuse_repeat_at(DAY_MS - 1000));
}
END_TEST

START_TEST(a_key_may_be_forgotten_after_a_day) {
    refuse_repeat_at(DAY_MS + 1000);
    expect_legal();
}
END_TEST

START_TEST(one_reservation_for_two_requests_is_found) {
    struct history_record *a = reserve(0, "A", 2, 2, 8), *b = reserve(100, "A", 2, 3, 6);
    strcpy(b->reservation_id, a->reservation_id);
    store(3, 1, row_of(a));
    expect(CHECKER_KEY, b);
}
END_TEST

START_TEST(an_older_version_after_a_newer_one_was_answered_is_found) {
    struct history_record *a = reserve(0, "A", 2, 2, 8), *stale = get(100, 1, 0);
    store(2, 1, row_of(a));
    expect(CHECKER_ORDER, stale);
}
END_TEST

START_TEST(a_refusal_that_is_older_than_an_answer_is_found) {
    struct history_record *a = reserve(0, "A", 8, 2, 2);
    release(100, "A", 8, 8, 3, 10);
    struct history_record *stale = refuse(200, "B", 5, 2, 2);
    (void)a;
    store(3, 0);
    expect(CHECKER_STALE, stale);
}
END_TEST

START_TEST(a_commit_on_an_older_version_is_found) {
    struct history_record *a = reserve(0, "A", 2, 5, 8), *late = reserve(100, "B", 2, 4, 6);
    store(5, 2, row_of(a), row_of(late));
    expect(CHECKER_ORDER, late);
}
END_TEST

START_TEST(two_instances_that_made_one_version_are_found) {
    struct history_record *a = reserve(0, "A", 2, 2, 8), *b = reserve(1, "B", 3, 2, 5);
    b->instance = 2;
    store(2, 2, row_of(a), row_of(b));
    expect(CHECKER_TRANSACTION, b);
}
END_TEST

START_TEST(one_version_made_twice_by_one_instance_is_found) {
    struct history_record *a = reserve(0, "A", 2, 2, 8), *b = reserve(100, "B", 3, 2, 5);
    store(2, 2, row_of(a), row_of(b));
    expect(CHECKER_TRANSACTION, b);
}
END_TEST

START_TEST(a_lost_update_is_found) {
    struct history_record *a = reserve(0, "A", 2, 2, 8), *b = reserve(100, "B", 3, 3, 7);
    store(3, 2, row_of(a), row_of(b));
    expect(CHECKER_REPLAY, b);
}
END_TEST

START_TEST(quantities_of_one_commit_that_fit_in_no_order_are_found) {
    struct history_record *a = reserve(0, "A", 2, 2, 8), *b = reserve(1, "B", 3, 2, 7);
    store(2, 2, row_of(a), row_of(b));
    expect(CHECKER_REPLAY, b);
}
END_TEST

START_TEST(a_refusal_with_the_wrong_quantity_is_found) {
    struct history_record *a = reserve(0, "A", 2, 2, 8), *refused = refuse(100, "B", 8, 2, 7);
    store(2, 1, row_of(a));
    expect(CHECKER_REPLAY, refused);
}
END_TEST

START_TEST(a_lost_update_beside_an_unknown_outcome_is_found) {
    struct history_record *a = reserve(0, "A", 5, 2, 5);
    lose_reserve(50, "C", 1);
    struct history_record *b = reserve(100, "B", 3, 3, 7); /* 2 would be right, and 1 after C's */
    store(4, 3, row_of(a), row_of(b), row("x", "C", 1, 60));
    expect(CHECKER_REPLAY, b);
}
END_TEST

START_TEST(a_phantom_that_snapshots_rule_out_explains_nothing) {
    struct history_record *a = reserve(0, "A", 1, 2, 9);
    lose_reserve(50, "C", 4);
    get(100, 2, 1, row_of(a));
    struct history_record *b = reserve(20000, "B", 1, 3, 4);
    get(20100, 3, 2, row_of(a), row_of(b));
    store(3, 2, row_of(a), row_of(b));
    expect(CHECKER_REPLAY, b);
}
END_TEST

START_TEST(more_released_than_reserved_is_found) {
    struct history_record *a = reserve(0, "A", 2, 2, 8), *released = release(100, "A", 4, 4, 3, 12);
    (void)a;
    store(3, 0);
    expect(CHECKER_RELEASE, released);
}
END_TEST

START_TEST(a_release_that_frees_less_than_there_is_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6), *released = release(100, "A", 3, 2, 3, 8);
    struct history_reservation rest = row_of(a);
    rest.quantity = 2;
    store(3, 1, rest);
    expect(CHECKER_RELEASE, released);
}
END_TEST

START_TEST(a_reservation_released_twice_is_found) {
    struct history_record *a = reserve(0, "A", 2, 2, 8), *b = reserve(10, "A", 2, 3, 6);
    struct history_record *once = release(100, "A", 2, 2, 4, 8),
                          *twice = release(200, "A", 2, 2, 5, 10);
    strcpy(once->wanted_reservation, a->reservation_id);
    strcpy(twice->wanted_reservation, a->reservation_id);
    store(5, 1, row_of(b));
    expect(CHECKER_KEY, twice);
}
END_TEST

START_TEST(a_repeat_of_a_release_that_is_not_answered_as_it_was_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    struct history_record *once = release(100, "A", 2, 2, 3, 8),
                          *twice = release(200, "A", 2, 0, 3, 8);
    strcpy(once->wanted_reservation, a->reservation_id);
    strcpy(twice->wanted_reservation, a->reservation_id);
    struct history_reservation rest = row_of(a);
    rest.quantity = 2;
    store(3, 1, rest);
    expect(CHECKER_KEY, twice);
}
END_TEST

START_TEST(a_release_refused_although_there_is_something_is_found) {
    struct history_record *a = reserve(0, "A", 2, 2, 8), *refused = release(100, "A", 2, 0, 2, 8);
    store(2, 1, row_of(a));
    expect(CHECKER_RELEASE, refused);
}
END_TEST

START_TEST(a_reservation_that_is_gone_from_a_snapshot_is_found) {
    struct history_record *a = reserve(0, "A", 2, 2, 8), *b = reserve(10, "B", 2, 3, 6);
    struct history_record *snapshot = get(100, 3, 1, row_of(a));
    store(3, 1, row_of(a));
    expect(CHECKER_LOST, snapshot);
    ck_assert_uint_eq(report.violations[0].evidence[0], b->number);
}
END_TEST

START_TEST(a_reservation_that_is_gone_from_the_store_is_found) {
    struct history_record *a = reserve(0, "A", 2, 2, 8);
    store(2, 0);
    expect(CHECKER_LOST, a);
}
END_TEST

START_TEST(units_that_are_gone_without_a_release_are_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    struct history_reservation rest = row_of(a);
    rest.quantity = 3;
    store(2, 1, rest);
    expect(CHECKER_LOST, a);
}
END_TEST

START_TEST(a_reservation_that_comes_back_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    release(100, "A", 4, 4, 3, 10);
    store(3, 1, row_of(a));
    expect(CHECKER_REPLAY, a);
}
END_TEST

START_TEST(a_reservation_that_nobody_asked_for_is_found) {
    struct history_record *snapshot = get(100, 2, 1, row("x", "A", 4, 50));
    store(2, 1, row("x", "A", 4, 50));
    expect(CHECKER_FOREIGN, snapshot);
}
END_TEST

START_TEST(a_reservation_whose_caller_was_told_that_it_failed_is_found) {
    struct history_record *failed = lose_reserve(0, "A", 4);
    failed->outcome = HISTORY_NOT_DONE;
    failed->status = 409;
    failed->answered_ms = failed->sent_ms + 100;
    store(2, 1, row("x", "A", 4, 50));
    expect(CHECKER_FOREIGN, failed);
}
END_TEST

START_TEST(two_reservations_for_one_unknown_outcome_are_found) {
    lose_reserve(0, "A", 4);
    store(3, 2, row("x", "A", 4, 50), row("y", "A", 4, 60));
    expect(CHECKER_FOREIGN, NULL);
}
END_TEST

START_TEST(a_reservation_of_another_customer_than_asked_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    struct history_reservation other = row_of(a);
    strcpy(other.customer, "B");
    store(2, 1, other);
    expect(CHECKER_FOREIGN, a);
}
END_TEST

START_TEST(a_store_that_does_not_add_up_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    store(2, 1, row_of(a));
    product.stored_available++;
    expect(CHECKER_STORE, NULL);
}
END_TEST

START_TEST(a_store_older_than_an_answer_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    store(1, 1, row_of(a));
    expect(CHECKER_STORE, a);
}
END_TEST

/* ---- sales that are not ---- */

START_TEST(a_unit_that_is_confirmed_twice_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    confirm(100, a, 4, 0, 3, 6, 6);
    struct history_record *twice = confirm(200, a, 4, 0, 4, 2, 6);
    strcpy(twice->key, "k");
    store(4, 0);
    store_total(2);
    expect(CHECKER_CONFIRM, twice);
}
END_TEST

START_TEST(a_part_that_leaves_the_wrong_rest_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    struct history_record *part = confirm(100, a, 1, 2, 3, 9, 6);
    store(3, 1, with_units(row_of(a), 2));
    store_total(9);
    expect(CHECKER_CONFIRM, part);
}
END_TEST

START_TEST(a_confirmed_unit_that_returns_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    confirm(100, a, 4, 0, 3, 6, 6);
    struct history_record *snapshot = get(200, 3, 0);
    store(3, 0);
    expect(CHECKER_TOTAL, snapshot);
}
END_TEST

START_TEST(a_confirmed_unit_that_returns_to_the_store_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    confirm(100, a, 4, 0, 3, 6, 6);
    store(3, 0);
    expect(CHECKER_STORE, NULL);
}
END_TEST

START_TEST(a_confirmed_reservation_that_is_still_there_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    confirm(100, a, 4, 0, 3, 6, 6);
    struct history_record *snapshot = get_of(6, get(200, 3, 1, row_of(a)));
    store(3, 0);
    store_total(6);
    expect(CHECKER_REPLAY, snapshot);
}
END_TEST

START_TEST(a_confirm_that_tells_a_wrong_total_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6), *wrong = confirm(100, a, 4, 0, 3, 7, 6);
    store(3, 0);
    store_total(6);
    expect(CHECKER_TOTAL, wrong);
}
END_TEST

START_TEST(a_confirm_that_changes_what_is_available_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6), *wrong = confirm(100, a, 2, 2, 3, 8, 5);
    store(3, 1, with_units(row_of(a), 2));
    store_total(8);
    expect(CHECKER_REPLAY, wrong);
}
END_TEST

/* It counts even if its answer does not come. */
START_TEST(a_total_that_falls_without_a_confirm_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    lose(confirm(100, a, 1, 3, 3, 9, 6));
    struct history_record *snapshot = get_of(8, get(200, 3, 1, with_units(row_of(a), 3)));
    store(3, 1, with_units(row_of(a), 3));
    store_total(8);
    expect(CHECKER_TOTAL, snapshot);
}
END_TEST

/* After another commit, 0: of a confirm, after an expiry, 1: of an adjust, after a failure. */
START_TEST(a_change_of_unknown_outcome_that_comes_too_late_is_found) {
    if (_i == 0) {
        lose(confirm(100, reserve(0, "A", 4, 2, 6), 4, 0, 3, 6, 6));
    } else {
        struct history_record *failed = lose(adjust(0, -4, 2, 6, 6));
        failed->answered_ms = failed->sent_ms + 100;
        failed->status = 503;
    }
    reserve(LIFETIME_MS + 1000, "B", 1, 3, 9);
    get(LIFETIME_MS + 2000, 3, 1, row("r3", "B", 1, LIFETIME_MS + 1000));
    struct history_record *late =
        get_of(6, get(LIFETIME_MS + 3000, 4, 1, row("r3", "B", 1, LIFETIME_MS + 1000)));
    end_later(20000);
    store(4, 1, row("r3", "B", 1, LIFETIME_MS + 1000));
    store_total(6);
    expect(CHECKER_TOTAL, late);
}
END_TEST

START_TEST(an_expired_reservation_that_is_confirmed_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    struct history_record *late = confirm(LIFETIME_MS + BEHIND_MS, a, 4, 0, 3, 6, 6);
    end_later(LIFETIME_MS);
    store(3, 0);
    store_total(6);
    expect(CHECKER_CONFIRM, late);
}
END_TEST

START_TEST(an_expired_reservation_that_is_extended_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    struct history_record *late = extend(LIFETIME_MS + BEHIND_MS, a, 3, 2 * LIFETIME_MS + 1000);
    end_later(LIFETIME_MS);
    store(3, 1, until(row_of(a), 2 * LIFETIME_MS + 1000));
    expect(CHECKER_EXTEND, late);
}
END_TEST

/* 0: it expires earlier than before, 1: earlier than was asked for, 2: later. */
START_TEST(an_extend_to_a_wrong_time_is_found) {
    static const int64_t expires_at_ms[] = {LIFETIME_MS - 1, 88000, 91000};
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    struct history_record *wrong = extend(30000, a, 3, expires_at_ms[_i]);
    store(3, 1, until(row_of(a), expires_at_ms[_i]));
    expect(CHECKER_EXTEND, wrong);
}
END_TEST

/* 0: from a snapshot, 1: from the store, 2: for a look at it alone, 3: for a confirm. */
START_TEST(an_extended_reservation_that_goes_at_its_first_expiry_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    extend(30000, a, 3, 90005);
    const struct history_record *shows = NULL;
    if (_i == 0) {
        shows = get(LIFETIME_MS + 5000, 3, 0);
    } else if (_i == 2) {
        shows = refuse_as(HISTORY_NOT_FOUND, find(LIFETIME_MS + 5000, 3, row_of(a)));
    } else if (_i == 3) {
        shows = refuse_as(HISTORY_EXPIRED, confirm(LIFETIME_MS + 5000, a, 4, 0, 3, 6, 6));
    }
    end_later(20000);
    if (_i < 2) {
        store(3, 0);
    } else {
        store(3, 1, until(row_of(a), 90005));
    }
    expect(_i == 3 ? CHECKER_CONFIRM : CHECKER_LOST, shows);
}
END_TEST

START_TEST(an_extended_reservation_that_outlives_its_new_expiry_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    extend(30000, a, 3, 90005);
    struct history_record *snapshot = get(90005 + BEHIND_MS, 3, 1, until(row_of(a), 90005));
    end_later(LIFETIME_MS);
    store(3, 0);
    expect(CHECKER_LIFETIME, snapshot);
}
END_TEST

/* 0: nobody has asked for more, 1: it is as before it was extended. */
START_TEST(an_expiry_that_moves_without_an_extend_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    if (_i == 1) {
        extend(30000, a, 3, 90005);
    }
    struct history_record *look =
        find(31000, 2 + _i, until(row_of(a), _i == 0 ? LIFETIME_MS + 1 : LIFETIME_MS));
    store(2 + _i, 1, _i == 0 ? row_of(a) : until(row_of(a), 90005));
    expect(CHECKER_FOREIGN, look);
}
END_TEST

/* 0: with more units, 1: it was refused, 2: what it extends to. */
START_TEST(a_repeated_sale_that_is_not_answered_as_it_was_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6), *again;
    if (_i < 2) {
        confirm(100, a, 1, 3, 3, 9, 6);
        again = confirm(200, a, 1, 2, 4, 8, 6);
        store(_i == 0 ? 4 : 3, 1, with_units(row_of(a), _i == 0 ? 2 : 3));
        store_total(_i == 0 ? 8 : 9);
        again = _i == 0 ? again : refuse_as(HISTORY_NOT_FOUND, again);
    } else {
        strcpy(extend(100, a, 3, LIFETIME_MS + 105)->key, "k");
        again = extend(200, a, 4, LIFETIME_MS + 205);
        strcpy(again->key, "k");
        store(4, 1, until(row_of(a), LIFETIME_MS + 205));
    }
    expect(CHECKER_KEY, again);
}
END_TEST

START_TEST(a_confirm_refused_although_there_is_something_is_found) {
    static const enum history_refusal refusals[] = {HISTORY_NOT_FOUND, HISTORY_EXPIRED,
                                                    HISTORY_TOO_MUCH};
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    struct history_record *refused = refuse_as(refusals[_i], confirm(100, a, 4, 0, 2, 6, 6));
    store(2, 1, row_of(a));
    expect(CHECKER_CONFIRM, refused);
}
END_TEST

/* 0: as expired, which it is not yet, 1: as not there, though it has expired. */
START_TEST(a_confirm_refused_for_the_wrong_reason_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    release(100, "A", 4, 4, 3, 10);
    struct history_record *refused =
        confirm(_i == 0 ? 200 : LIFETIME_MS + BEHIND_MS, a, 4, 0, 3, 6, 6);
    refuse_as(_i == 0 ? HISTORY_EXPIRED : HISTORY_NOT_FOUND, refused);
    end_later(LIFETIME_MS);
    store(3, 0);
    expect(CHECKER_CONFIRM, refused);
}
END_TEST

START_TEST(a_look_that_shows_other_units_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    struct history_record *look = find(100, 2, with_units(row_of(a), 3));
    store(2, 1, row_of(a));
    expect(CHECKER_LOST, look);
}
END_TEST

START_TEST(a_look_that_is_older_than_an_answer_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    confirm(100, a, 2, 2, 3, 8, 6);
    struct history_record *look = find(200, 2, row_of(a));
    store(3, 1, with_units(row_of(a), 2));
    store_total(8);
    expect(CHECKER_ORDER, look);
}
END_TEST

/* 0: its answer, 1: what a snapshot shows of it. */
START_TEST(an_adjust_by_something_else_is_found) {
    struct history_record *wrong = adjust(0, 5, 2, _i == 0 ? 14 : 15, 15);
    struct history_record *snapshot = get_of(_i == 0 ? 15 : 14, get(100, 2, 0));
    store(2, 0);
    store_total(15);
    expect(CHECKER_TOTAL, _i == 0 ? wrong : snapshot);
}
END_TEST

START_TEST(an_adjust_that_is_refused_with_enough_available_is_found) {
    struct history_record *refused = refuse_as(HISTORY_NOT_ENOUGH, adjust(0, -5, 1, 10, 10));
    expect(CHECKER_SUMS, refused);
}
END_TEST

START_TEST(a_reservation_that_lasts_not_as_long_as_its_request_names_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6);
    a->lifetime_s = 5;
    store(2, 1, row_of(a));
    expect(CHECKER_LIFETIME, a);
}
END_TEST

START_TEST(a_change_of_another_version_than_it_names_is_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6), *b = reserve(100, "B", 1, 3, 5);
    b->expected_version = 1;
    store(3, 2, row_of(a), row_of(b));
    expect(CHECKER_VERSION, b);
}
END_TEST

START_TEST(two_changes_of_the_version_that_both_name_are_found) {
    struct history_record *a = reserve(0, "A", 4, 2, 6), *b = reserve(1, "B", 1, 2, 5);
    a->expected_version = b->expected_version = 1;
    store(2, 2, row_of(a), row_of(b));
    expect(CHECKER_VERSION, b);
}
END_TEST

/* 0: it named the present one, 1: it named none. */
START_TEST(a_version_that_is_refused_without_reason_is_found) {
    struct history_record *refused = refuse_as(HISTORY_OTHER_VERSION, reserve(0, "A", 4, 1, 10));
    refused->expected_version = _i == 0 ? 1 : 0;
    expect(CHECKER_VERSION, refused);
}
END_TEST

static void add_legal(TCase *legal) {
    tcase_add_test(legal, what_happens_one_after_the_other_is_legal);
    tcase_add_test(legal, one_commit_may_have_had_any_order);
    tcase_add_test(legal, a_reserve_of_unknown_outcome_may_have_happened);
    tcase_add_test(legal, a_reserve_of_unknown_outcome_may_not_have_happened);
    tcase_add_test(legal,
                   a_reserve_of_unknown_outcome_may_have_come_and_gone_between_two_snapshots);
    tcase_add_test(legal, a_release_of_unknown_outcome_may_or_may_not_have_happened);
    tcase_add_test(
        legal,
        a_release_may_take_from_a_reserve_of_unknown_outcome_and_leave_some_of_what_is_known);
    tcase_add_test(legal, a_repeat_under_its_key_is_answered_as_it_was);
    tcase_add_test(legal, an_expired_reservation_is_free_whether_its_row_is_there_or_not);
    tcase_add_test(legal, a_repeated_release_of_one_reservation_is_legal);
    tcase_add_loop_test(legal, one_commit_may_set_the_total_twice, 0, 2);
    tcase_add_test(legal, a_total_that_was_set_counts_from_its_version_on);
    tcase_add_test(legal, residents_are_counted_and_nothing_else);
    tcase_add_test(legal, a_key_that_was_used_is_refused_to_another_request);
}

static void add_totals_and_snapshots(TCase *found) {
    tcase_add_test(found, a_total_that_nobody_set_is_found);
    tcase_add_loop_test(found, a_total_that_neither_of_two_sets_makes_is_found, 0, 3);
    tcase_add_test(found, a_total_that_is_forgotten_is_found);
    tcase_add_test(found, more_reserved_than_a_smaller_total_is_found);
    tcase_add_loop_test(found, residents_that_are_gone_are_found, 0, 2);
    tcase_add_loop_test(found, a_key_that_served_two_requests_is_found, 0, 2);
    tcase_add_test(found, a_key_that_is_refused_though_nobody_used_it_is_found);
    tcase_add_test(found, a_release_that_is_carried_out_twice_under_its_key_is_found);
    tcase_add_test(found, an_answer_that_the_api_does_not_give_is_found);
    tcase_add_test(found, a_snapshot_that_does_not_add_up_is_found);
    tcase_add_test(found, a_snapshot_with_an_empty_reservation_is_found);
    tcase_add_test(found, a_reservation_that_is_twice_in_a_snapshot_is_found);
    tcase_add_test(found, a_snapshot_with_more_than_there_is_is_found);
    tcase_add_test(found, an_answer_with_fewer_than_none_available_is_found);
    tcase_add_test(found, more_released_than_asked_for_is_found);
    tcase_add_test(found, a_snapshot_of_a_reservation_that_lasts_too_long_is_found);
    tcase_add_test(found, a_reservation_that_was_there_before_it_was_made_is_found);
    tcase_add_test(found, a_reconciliation_that_fails_is_found);
    tcase_add_test(found, a_refusal_of_what_is_available_is_found);
    tcase_add_test(found, more_reserved_than_there_is_is_found);
    tcase_add_test(found, a_reservation_that_lasts_too_long_is_found);
    tcase_add_test(found, a_reservation_that_outlives_its_expiry_is_found);
    tcase_add_test(found, a_key_that_made_two_reservations_is_found);
    tcase_add_test(found, a_key_whose_lost_attempt_made_a_reservation_as_well_is_found);
    tcase_add_test(found, a_key_that_is_forgotten_is_found);
    tcase_add_test(found, a_key_that_is_forgotten_within_a_day_is_found);
    tcase_add_test(found, one_reservation_for_two_requests_is_found);
}

static void add_requests_and_reservations(TCase *found) {
    tcase_add_test(found, an_older_version_after_a_newer_one_was_answered_is_found);
    tcase_add_test(found, a_refusal_that_is_older_than_an_answer_is_found);
    tcase_add_test(found, a_commit_on_an_older_version_is_found);
    tcase_add_test(found, two_instances_that_made_one_version_are_found);
    tcase_add_test(found, one_version_made_twice_by_one_instance_is_found);
    tcase_add_test(found, a_lost_update_is_found);
    tcase_add_test(found, quantities_of_one_commit_that_fit_in_no_order_are_found);
    tcase_add_test(found, a_refusal_with_the_wrong_quantity_is_found);
    tcase_add_test(found, a_lost_update_beside_an_unknown_outcome_is_found);
    tcase_add_test(found, a_phantom_that_snapshots_rule_out_explains_nothing);
    tcase_add_test(found, more_released_than_reserved_is_found);
    tcase_add_test(found, a_release_that_frees_less_than_there_is_is_found);
    tcase_add_test(found, a_reservation_released_twice_is_found);
    tcase_add_test(found, a_repeat_of_a_release_that_is_not_answered_as_it_was_is_found);
    tcase_add_test(found, a_release_refused_although_there_is_something_is_found);
    tcase_add_test(found, a_reservation_that_is_gone_from_a_snapshot_is_found);
    tcase_add_test(found, a_reservation_that_is_gone_from_the_store_is_found);
    tcase_add_test(found, units_that_are_gone_without_a_release_are_found);
    tcase_add_test(found, a_reservation_that_comes_back_is_found);
    tcase_add_test(found, a_reservation_that_nobody_asked_for_is_found);
    tcase_add_test(found, a_reservation_whose_caller_was_told_that_it_failed_is_found);
    tcase_add_test(found, two_reservations_for_one_unknown_outcome_are_found);
    tcase_add_test(found, a_reservation_of_another_customer_than_asked_is_found);
    tcase_add_test(found, a_store_that_does_not_add_up_is_found);
    tcase_add_test(found, a_store_older_than_an_answer_is_found);
}

static void add_legal_sales(TCase *legal) {
    tcase_add_test(legal, a_key_may_be_forgotten_after_a_day);
    tcase_add_test(legal, what_is_confirmed_leaves_the_reservation_and_the_total);
    tcase_add_test(legal, confirms_and_adjusts_of_one_commit_may_have_had_any_order);
    tcase_add_loop_test(legal, a_confirm_of_unknown_outcome_may_or_may_not_have_happened, 0, 2);
    tcase_add_test(legal, a_confirm_of_unknown_outcome_may_come_late_to_an_extended_reservation);
    tcase_add_loop_test(legal, an_adjust_of_unknown_outcome_may_or_may_not_have_happened, 0, 2);
    tcase_add_test(legal, an_adjust_counts_from_its_version_on);
    tcase_add_test(legal, an_extended_reservation_lives_until_its_new_expiry);
    tcase_add_loop_test(legal, an_extend_of_unknown_outcome_may_or_may_not_have_happened, 0, 2);
    tcase_add_test(legal, a_reservation_lasts_as_long_as_its_request_names);
    tcase_add_test(legal, a_change_of_the_version_that_it_names_is_legal);
}

static void add_sales(TCase *found) {
    tcase_add_test(found, a_unit_that_is_confirmed_twice_is_found);
    tcase_add_test(found, a_part_that_leaves_the_wrong_rest_is_found);
    tcase_add_test(found, a_confirmed_unit_that_returns_is_found);
    tcase_add_test(found, a_confirmed_unit_that_returns_to_the_store_is_found);
    tcase_add_test(found, a_confirmed_reservation_that_is_still_there_is_found);
    tcase_add_test(found, a_confirm_that_tells_a_wrong_total_is_found);
    tcase_add_test(found, a_confirm_that_changes_what_is_available_is_found);
    tcase_add_test(found, a_total_that_falls_without_a_confirm_is_found);
    tcase_add_loop_test(found, a_change_of_unknown_outcome_that_comes_too_late_is_found, 0, 2);
    tcase_add_test(found, an_expired_reservation_that_is_confirmed_is_found);
    tcase_add_test(found, an_expired_reservation_that_is_extended_is_found);
    tcase_add_loop_test(found, an_extend_to_a_wrong_time_is_found, 0, 3);
    tcase_add_loop_test(found, an_extended_reservation_that_goes_at_its_first_expiry_is_found, 0,
                        4);
    tcase_add_test(found, an_extended_reservation_that_outlives_its_new_expiry_is_found);
    tcase_add_loop_test(found, an_expiry_that_moves_without_an_extend_is_found, 0, 2);
    tcase_add_loop_test(found, a_repeated_sale_that_is_not_answered_as_it_was_is_found, 0, 3);
    tcase_add_loop_test(found, a_confirm_refused_although_there_is_something_is_found, 0, 3);
    tcase_add_loop_test(found, a_confirm_refused_for_the_wrong_reason_is_found, 0, 2);
    tcase_add_test(found, a_look_that_shows_other_units_is_found);
    tcase_add_test(found, a_look_that_is_older_than_an_answer_is_found);
    tcase_add_loop_test(found, an_adjust_by_something_else_is_found, 0, 2);
    tcase_add_test(found, an_adjust_that_is_refused_with_enough_available_is_found);
    tcase_add_test(found, a_reservation_that_lasts_not_as_long_as_its_request_names_is_found);
    tcase_add_test(found, a_change_of_another_version_than_it_names_is_found);
    tcase_add_test(found, two_changes_of_the_version_that_both_name_are_found);
    tcase_add_loop_test(found, a_version_that_is_refused_without_reason_is_found, 0, 2);
}

static TCase *new_case(Suite *suite, const char *name) {
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    suite_add_tcase(suite, tests);
    return tests;
}

int main(void) {
    Suite *suite = suite_create("checker");
    TCase *legal = new_case(suite, "legal"), *found = new_case(suite, "found");
    add_legal(legal);
    add_legal_sales(legal);
    add_totals_and_snapshots(found);
    add_requests_and_reservations(found);
    add_sales(found);
    return check_main(suite);
}
