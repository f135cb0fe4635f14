/*
 * test_batch.c - how requests are decided together, in memory: what each is answered, what the
 * commit holds, what has to be read first.
 */
#include "inventory/batch.h"

#include <stdio.h>
#include <string.h>

#include "inventory/inventory.h"
#include "inventory/operation.h"
#include "support/processes/check_main.h"

enum { TOTAL = 100, LIFETIME_MS = 30 * 60 * 1000, MANY = 120, ALL_VALIDATED = 1000 };
static const int64_t NOW_MS = 1737297930000; /* 2025-01-19T14:45:30Z */
static const int64_t DAY_MS = 24 * 60 * 60 * 1000;

static struct product_state state;
static struct batch batch;
static uint64_t next_sequence;

static void set_up(void) {
    product_state_init(&state);
    state.product = (struct product){
        .id = "P", .total = TOTAL, .available = TOTAL, .version = 1, .due_ms = INT64_MAX};
    state.complete_until_ms = INT64_MAX;
    snprintf(state.etag, sizeof state.etag, "etag-1");
    batch = (struct batch){.product_id = state.product.id,
                           .state = &state,
                           .lifetime_ms = LIFETIME_MS,
                           .random = random_system(),
                           .now_ms = NOW_MS,
                           .certain_ms = NOW_MS};
    TAILQ_INIT(&batch.requests);
    next_sequence = 0;
}

static void tear_down(void) {
    product_state_cleanup(&state);
}

/* A stored reservation of the product. */
static void add_row(const char *customer, int units, int64_t expires_ms) {
    struct reservation row = {
        .quantity = units, .reserved_ms = expires_ms - LIFETIME_MS, .expires_ms = expires_ms};
    ck_assert_int_eq(uuid_v8_from_time(random_system(), expires_ms, row.id), STATUS_OK);
    ck_assert_int_eq(product_state_add(&state, &row, customer), STATUS_OK);
    state.product.available -= units;
    state.product.due_ms = clock_min_ms(state.product.due_ms, expires_ms);
}

static void add_expired_rows(int count, int units) {
    for (int i = 0; i < count; i++) {
        add_row("OLD", units, NOW_MS - 1000 + i);
    }
}

static void set_total(int64_t total) {
    state.product.available += total - state.product.total;
    state.product.total = total;
}

/* ---- requests ---- */

static struct inventory_request reserve_of(const char *customer, int64_t quantity) {
    return (struct inventory_request){
        .operation = &operation_reserve, .customer_id = customer, .quantity = quantity};
}

static struct inventory_request release_of(const char *customer, int64_t quantity) {
    return (struct inventory_request){.operation = &operation_release,
                                      .customer_id = customer,
                                      .quantity = quantity,
                                      .has_rows = true};
}

static struct inventory_request total_of(int64_t total) {
    return (struct inventory_request){.operation = &operation_set_total, .quantity = total};
}

static struct inventory_request expiry(void) {
    return (struct inventory_request){.operation = &operation_expire};
}

/* The hashes need not be any: they are compared, and kept. */
static struct inventory_request with_key(struct inventory_request request, const char *key,
                                         const char *asked) {
    snprintf(request.key_hash, sizeof request.key_hash, "%s", key);
    snprintf(request.request_hash, sizeof request.request_hash, "%s", asked);
    return request;
}

static void add(struct inventory_request *request) {
    request->sequence = next_sequence++;
    TAILQ_INSERT_TAIL(&batch.requests, request, link);
}

/* In a batch of its own. */
static void add_alone(struct inventory_request *request) {
    TAILQ_INIT(&batch.requests);
    add(request);
}

static enum batch_outcome decide(void) {
    return batch_decide(&batch, ALL_VALIDATED);
}

static void assert_stage(const struct inventory_request *request, enum request_stage stage) {
    ck_assert_int_eq(request->stage, stage);
}

/* What a store and the pipeline do with what was decided. */
static void commit(void) {
    ck_assert_int_eq(decide(), BATCH_COMMIT);
    ck_assert_int_le(state.change_count, INVENTORY_MAX_CHANGES);
    ck_assert(inventory_adds_up(&state));
    product_state_committed(&state);
    state.product.version++;
    batch_complete_answers(&batch, 3);
}

/* Those that were not decided go into the next batch. */
static void keep_undecided(void) {
    struct inventory_request *request, *next;
    for (request = TAILQ_FIRST(&batch.requests); request != NULL; request = next) {
        next = TAILQ_NEXT(request, link);
        if (request->stage == REQUEST_DECIDED) {
            TAILQ_REMOVE(&batch.requests, request, link);
        } else {
            batch_forget_decision(request);
        }
    }
}

static void answer(void) {
    ck_assert_int_eq(decide(), BATCH_ANSWER);
    ck_assert_int_eq(state.change_count, 0);
    batch_complete_answers(&batch, 0);
}

/* ---- together ---- */

START_TEST(requests_share_a_commit_and_each_has_its_own_answer) {
    struct inventory_request requests[5];
    for (int i = 0; i < 5; i++) {
        requests[i] = reserve_of("C", 10);
        add(&requests[i]);
    }
    commit();
    for (int i = 0; i < 5; i++) {
        assert_stage(&requests[i], REQUEST_DECIDED);
        ck_assert_int_eq(requests[i].status, STATUS_OK);
        ck_assert_int_eq(requests[i].units, 10);
        ck_assert_int_eq(requests[i].committed_units, 10);
        ck_assert_int_eq(requests[i].available, 90 - 10 * i);
        ck_assert_int_eq(requests[i].version, 2);
        ck_assert_int_eq(requests[i].renewal_count, 3);
        ck_assert_int_eq(requests[i].reservation.quantity, 10);
        ck_assert_int_eq(requests[i].reservation.reserved_ms, NOW_MS);
        ck_assert_int_eq(requests[i].reservation.expires_ms, NOW_MS + LIFETIME_MS);
        ck_assert_str_ne(requests[i].reservation.id, requests[(i + 1) % 5].reservation.id);
    }
}
END_TEST

START_TEST(each_is_decided_after_those_who_came_before_it) {
    add_row("OLD", 95, NOW_MS + 1);
    struct inventory_request requests[] = {reserve_of("A", 6), release_of("OLD", 90),
                                           reserve_of("B", 95), reserve_of("C", 1)};
    for (int i = 0; i < 4; i++) {
        add(&requests[i]);
    }
    commit();
    ck_assert_int_eq(requests[0].units, 0);
    ck_assert_int_eq(requests[0].available, 5);
    ck_assert_int_eq(requests[1].units, 90);
    ck_assert_int_eq(requests[1].available, 95);
    ck_assert_int_eq(requests[2].units, 95);
    ck_assert_int_eq(requests[2].available, 0);
    ck_assert_int_eq(requests[3].units, 0);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(requests[i].version, 2);
    }
}
END_TEST

START_TEST(what_a_transaction_has_no_room_for_waits) {
    static struct inventory_request requests[MANY];
    set_total(MANY);
    for (int i = 0; i < MANY; i++) {
        requests[i] = reserve_of("C", 1);
        add(&requests[i]);
    }
    commit();
    for (int i = 0; i < MANY; i++) {
        assert_stage(&requests[i], i < INVENTORY_MAX_CHANGES ? REQUEST_DECIDED : REQUEST_QUEUED);
    }
    keep_undecided();
    commit();
    ck_assert_int_eq(requests[MANY - 1].version, 3);
}
END_TEST

/* With their records, 49 fill 98 of the 99 changes. */
START_TEST(nobody_overtakes_a_request_that_has_no_room) {
    struct inventory_request keyed[50], behind = reserve_of("C", 1);
    for (int i = 0; i < 50; i++) {
        char key[16];
        snprintf(key, sizeof key, "key-%d", i);
        keyed[i] = with_key(reserve_of("C", 1), key, "1");
        add(&keyed[i]);
    }
    add(&behind);
    commit();
    assert_stage(&keyed[48], REQUEST_DECIDED);
    assert_stage(&keyed[49], REQUEST_QUEUED);
    assert_stage(&behind, REQUEST_QUEUED);
}
END_TEST

/* _i 1: with a key, whose record is one of the changes. */
START_TEST(a_release_takes_as_many_reservations_as_a_transaction_holds_and_says_so) {
    for (int i = 0; i < TOTAL; i++) {
        add_row("A", 1, NOW_MS + 1 + i);
    }
    struct inventory_request first = release_of("A", TOTAL), rest = release_of("A", TOTAL);
    if (_i == 1) {
        first = with_key(first, "key", "100");
    }
    add(&first);
    add(&rest);
    commit();
    ck_assert_int_eq(first.units, INVENTORY_MAX_CHANGES - _i);
    ck_assert_int_eq(first.available, INVENTORY_MAX_CHANGES - _i);
    assert_stage(&rest, REQUEST_QUEUED);
    keep_undecided();
    commit();
    ck_assert_int_eq(rest.units, TOTAL - INVENTORY_MAX_CHANGES + _i);
}
END_TEST

START_TEST(a_release_that_does_not_fit_behind_others_is_not_cut_short) {
    for (int i = 0; i < TOTAL; i++) {
        add_row(i < 60 ? "A" : "B", 1, NOW_MS + 1 + i);
    }
    struct inventory_request first = release_of("A", 60), second = release_of("B", 40);
    add(&first);
    add(&second);
    commit();
    ck_assert_int_eq(first.units, 60);
    assert_stage(&second, REQUEST_QUEUED);
    keep_undecided();
    commit();
    ck_assert_int_eq(second.units, 40);
}
END_TEST

START_TEST(a_release_finds_only_its_customers_active_reservations) {
    add_row("A", 10, NOW_MS + 1);
    add_row("A", 20, NOW_MS); /* has expired */
    add_row("B", 30, NOW_MS + 1);
    struct inventory_request request = release_of("A", 100), nobody = release_of("C", 1);
    add(&request);
    add(&nobody);
    commit();
    ck_assert_int_eq(request.units, 10);
    ck_assert_int_eq(nobody.units, 0);
    ck_assert_int_eq(nobody.available, 70); /* with those that have expired */
}
END_TEST

START_TEST(a_reservation_may_be_released_in_the_batch_that_makes_it) {
    struct inventory_request reserve = reserve_of("A", 5), release = release_of("A", 5),
                             other = reserve_of("B", 1);
    add(&reserve);
    add(&release);
    add(&other);
    commit();
    ck_assert_int_eq(release.units, 5);
    ck_assert_int_eq(other.available, 99);
    ck_assert_uint_eq(state.reservations.count, 1);
}
END_TEST

/* ---- totals ---- */

START_TEST(a_total_is_set_unless_more_is_reserved) {
    add_row("A", 30, NOW_MS + 1);
    struct inventory_request smaller = total_of(29), same_as_reserved = total_of(30);
    add(&smaller);
    add(&same_as_reserved);
    commit();
    ck_assert(!smaller.is_set);
    ck_assert_int_eq(smaller.total, TOTAL);
    ck_assert_int_eq(smaller.available, 70);
    ck_assert(same_as_reserved.is_set);
    ck_assert_int_eq(same_as_reserved.total, 30);
    ck_assert_int_eq(same_as_reserved.available, 0);
    ck_assert_int_eq(same_as_reserved.version, 2);
}
END_TEST

START_TEST(a_total_that_expired_reservations_are_in_the_way_of_waits_until_they_are_removed) {
    set_total(MANY);
    add_expired_rows(MANY, 1);
    struct inventory_request request = total_of(1);
    add(&request);
    commit();
    assert_stage(&request, REQUEST_QUEUED);
    keep_undecided();
    commit();
    ck_assert(request.is_set);
    ck_assert_int_eq(request.available, 1);
}
END_TEST

/* ---- what has expired ---- */

START_TEST(expired_units_are_for_sale_and_as_many_rows_as_that_needs_are_removed) {
    add_expired_rows(50, 2);
    struct inventory_request request = reserve_of("A", 60);
    add(&request);
    commit();
    ck_assert_int_eq(request.units, 60);
    ck_assert_int_eq(request.available, 40);
    ck_assert_uint_eq(state.reservations.count, 50 - 30 + 1);
}
END_TEST

START_TEST(a_reserve_that_needs_many_expired_rows_stays_in_front) {
    set_total(3 * INVENTORY_MAX_CHANGES);
    add_expired_rows(3 * INVENTORY_MAX_CHANGES, 1);
    struct inventory_request first = reserve_of("A", 3 * INVENTORY_MAX_CHANGES),
                             behind = reserve_of("B", 1);
    add(&first);
    add(&behind);
    int commits = 0;
    for (; first.stage != REQUEST_DECIDED; commits++) {
        commit();
        if (first.stage != REQUEST_DECIDED) {
            assert_stage(&behind, REQUEST_QUEUED);
        }
        keep_undecided();
    }
    ck_assert_int_eq(commits, 4);
    ck_assert_int_eq(first.units, 3 * INVENTORY_MAX_CHANGES);
    assert_stage(&behind, REQUEST_DECIDED);
    ck_assert_int_eq(behind.units, 0);
    ck_assert_int_eq(behind.available, 0);
}
END_TEST

START_TEST(a_reserve_that_cannot_be_met_is_refused_whatever_has_expired) {
    add_expired_rows(TOTAL, 1);
    struct inventory_request unmeetable = reserve_of("A", TOTAL + 1), behind = reserve_of("B", 1);
    add(&unmeetable);
    add(&behind);
    commit();
    ck_assert_int_eq(unmeetable.units, 0);
    ck_assert_int_eq(unmeetable.available, TOTAL);
    ck_assert_int_eq(behind.units, 1);
}
END_TEST

/*
 * _i: how many requests; a few in any case, as many as there are requests, half of a commit at
 * most.
 */
START_TEST(expired_rows_leave_with_the_changes_of_others) {
    static const struct {
        int requests, decided, removed;
    } rows[] = {{1, 1, INVENTORY_EXPIRE_FEW}, {20, 20, 20}, {MANY, 49, 49}};
    static struct inventory_request requests[MANY];
    set_total(3 * MANY);
    add_expired_rows(2 * MANY, 1);
    int decided = 0;
    for (int i = 0; i < rows[_i].requests; i++) {
        requests[i] = reserve_of("C", 1);
        add(&requests[i]);
    }
    commit();
    for (int i = 0; i < rows[_i].requests; i++) {
        decided += requests[i].stage == REQUEST_DECIDED;
    }
    ck_assert_int_eq(decided, rows[_i].decided);
    ck_assert_uint_eq(state.reservations.count, (size_t)(2 * MANY - rows[_i].removed + decided));
}
END_TEST

START_TEST(expiring_goes_on_over_several_commits_and_counts_what_it_removed) {
    set_total(MANY);
    add_expired_rows(MANY, 1);
    struct inventory_request request = expiry(), behind = reserve_of("B", 1);
    batch.certain_ms = NOW_MS - 1;
    add(&request);
    add(&behind);
    commit();
    assert_stage(&request, REQUEST_CONTINUES);
    assert_stage(&behind, REQUEST_QUEUED);
    ck_assert_int_eq(request.committed_units, INVENTORY_MAX_CHANGES);
    keep_undecided();
    commit();
    assert_stage(&request, REQUEST_DECIDED);
    ck_assert_int_eq(request.committed_units, MANY);
    ck_assert_int_eq(request.expired_until_ms, NOW_MS - 1);
    ck_assert_int_eq(behind.units, 1);
}
END_TEST

START_TEST(of_two_that_expire_many_reservations_one_waits_and_each_counts_its_own) {
    set_total(MANY);
    add_expired_rows(MANY, 1);
    struct inventory_request first = expiry(), second = expiry();
    add(&first);
    add(&second);
    commit();
    assert_stage(&second, REQUEST_QUEUED);
    keep_undecided();
    commit();
    ck_assert_int_eq(first.committed_units, MANY);
    ck_assert_int_eq(second.committed_units, 0);
}
END_TEST

START_TEST(what_has_expired_by_an_uncertain_time_is_for_sale_but_not_removed) {
    add_row("OLD", 60, NOW_MS - 10);
    batch.certain_ms = NOW_MS - 11;
    struct inventory_request request = reserve_of("A", 41), expire = expiry();
    add(&request);
    ck_assert_int_eq(decide(), BATCH_VALIDATE); /* it can be met, but not yet */
    ck_assert_int_eq(state.change_count, 0);
    add_alone(&expire);
    answer();
    ck_assert_int_eq(expire.units, 0);
    batch.certain_ms = NOW_MS - 10;
    batch_forget_decision(&request);
    add_alone(&request);
    commit();
    ck_assert_int_eq(request.units, 41);
}
END_TEST

/* ---- keys ---- */

START_TEST(what_was_granted_under_a_key_is_recorded) {
    struct inventory_request reserve = with_key(reserve_of("A", 5), "key-1", "asked-1"),
                             release = with_key(release_of("A", 2), "key-2", "asked-2");
    add(&reserve);
    add(&release);
    ck_assert_int_eq(decide(), BATCH_COMMIT);
    ck_assert_uint_eq(state.record_count, 2);
    const struct idempotency_record *record = &state.records[0];
    ck_assert_str_eq(record->key_hash, "key-1");
    ck_assert_str_eq(record->request_hash, "asked-1");
    ck_assert_str_eq(record->reservation_id, reserve.reservation.id);
    ck_assert_int_eq(record->quantity, 5);
    ck_assert_int_eq(record->available, 95);
    ck_assert_int_eq(record->version, 2);
    ck_assert_int_eq(record->reserved_ms, NOW_MS);
    ck_assert_int_eq(record->expires_ms, NOW_MS + LIFETIME_MS);
    ck_assert_int_ge(record->keep_until_ms, NOW_MS + DAY_MS + 10 * 60 * 1000);
    record = &state.records[1];
    ck_assert_str_eq(record->reservation_id, "");
    ck_assert_int_eq(record->quantity, 2);
    ck_assert_int_eq(record->expires_ms, 0);
}
END_TEST

static void assert_same_answer(const struct inventory_request *first,
                               const struct inventory_request *again) {
    ck_assert_int_eq(again->status, STATUS_OK);
    ck_assert(again->is_repeat);
    ck_assert_int_eq(again->units, first->units);
    ck_assert_int_eq(again->available, first->available);
    ck_assert_int_eq(again->version, first->version);
    ck_assert_str_eq(again->reservation.id, first->reservation.id);
    ck_assert_int_eq(again->reservation.quantity, first->reservation.quantity);
    ck_assert_int_eq(again->reservation.reserved_ms, first->reservation.reserved_ms);
    ck_assert_int_eq(again->reservation.expires_ms, first->reservation.expires_ms);
}

START_TEST(one_key_at_the_same_time_makes_one_reservation) {
    struct inventory_request first = with_key(reserve_of("A", 5), "key-1", "5"), again = first,
                             other = with_key(reserve_of("A", 6), "key-1", "6"),
                             second = with_key(reserve_of("B", 5), "key-2", "5");
    add(&first);
    add(&again);
    add(&other);
    add(&second);
    commit();
    assert_same_answer(&first, &again);
    ck_assert(!first.is_repeat);
    ck_assert_int_eq(other.status, STATUS_KEY_REUSED);
    ck_assert_int_eq(second.units, 5);
    ck_assert(!second.is_repeat);
    ck_assert_int_eq(state.product.available, 90);
}
END_TEST

/* Its record, as storage has it. */
static void look_up(struct inventory_request *request, const struct inventory_request *first) {
    request->stage = REQUEST_LOOKED_UP;
    request->record = (struct idempotency_record){.quantity = first->units,
                                                  .available = first->available,
                                                  .version = first->version,
                                                  .reserved_ms = first->reservation.reserved_ms,
                                                  .expires_ms = first->reservation.expires_ms};
    memcpy(request->record.key_hash, first->key_hash, sizeof first->key_hash);
    memcpy(request->record.request_hash, first->request_hash, sizeof first->request_hash);
    memcpy(request->record.reservation_id, first->reservation.id, sizeof first->reservation.id);
}

/* It needs no product as it is: that answer was right once. */
START_TEST(a_repeat_gets_the_answer_of_its_record_and_changes_nothing) {
    struct inventory_request first = with_key(reserve_of("A", 5), "key-1", "5"), again = first,
                             between;
    add(&first);
    commit();
    between = reserve_of("B", 95);
    add_alone(&between);
    commit();
    look_up(&again, &first);
    add_alone(&again);
    ck_assert_int_eq(batch_decide(&batch, 0), BATCH_ANSWER);
    batch_complete_answers(&batch, 0);
    assert_same_answer(&first, &again);
    ck_assert_int_eq(state.change_count, 0);
}
END_TEST

START_TEST(a_record_of_another_request_is_no_answer) {
    struct inventory_request first = with_key(reserve_of("A", 5), "key-1", "5"),
                             other = with_key(reserve_of("A", 6), "key-1", "6");
    add(&first);
    commit();
    look_up(&other, &first);
    memcpy(other.record.request_hash, "5", 2);
    add_alone(&other);
    answer();
    ck_assert_int_eq(other.status, STATUS_KEY_REUSED);
    ck_assert_int_eq(other.failure.status, STATUS_KEY_REUSED);
}
END_TEST

START_TEST(a_key_is_looked_up_before_its_request_is_refused) {
    struct inventory_request request = with_key(reserve_of("A", TOTAL + 1), "key-1", "101");
    add(&request);
    ck_assert_int_eq(decide(), BATCH_LOOK_UP);
    ck_assert(batch_lacks_record(&request));
    request.stage = REQUEST_LOOKED_UP; /* there is none */
    answer();
    ck_assert_int_eq(request.units, 0);
    ck_assert_int_eq(request.available, TOTAL);
    ck_assert(!request.is_repeat);
}
END_TEST

START_TEST(what_was_refused_before_a_look_up_speaks_of_the_version_that_it_was_refused_at) {
    struct inventory_request keyed = with_key(reserve_of("A", TOTAL), "key-1", "100"),
                             refused = reserve_of("B", TOTAL);
    add_row("C", 1, NOW_MS + 10);
    add(&keyed);
    add(&refused);
    int64_t version = state.product.version;
    ck_assert_int_eq(decide(), BATCH_LOOK_UP);
    keyed.stage = REQUEST_LOOKED_UP;
    batch.now_ms = batch.certain_ms = NOW_MS + 20; /* meanwhile C's has expired */
    commit();
    ck_assert_int_eq(keyed.units, TOTAL);
    ck_assert_int_eq(keyed.version, version + 1);
    ck_assert_int_eq(refused.available, TOTAL - 1);
    ck_assert_int_eq(refused.version, version);
}
END_TEST

START_TEST(nobody_waits_for_the_look_up_of_another) {
    struct inventory_request refused = with_key(reserve_of("A", TOTAL + 1), "key-1", "101"),
                             good = with_key(reserve_of("B", 1), "key-2", "1");
    add(&refused);
    add(&good);
    commit();
    ck_assert_int_eq(good.units, 1);
    assert_stage(&refused, REQUEST_NEEDS_RECORD);
    keep_undecided();
    ck_assert(batch_lacks_record(
        &refused)); /* which comes first now, or there would always be another commit */
    refused.stage = REQUEST_LOOKED_UP;
    answer();
    ck_assert_int_eq(refused.units, 0);
    ck_assert_int_eq(refused.available, TOTAL - 1);
}
END_TEST

START_TEST(once_a_key_was_used_before_all_are_looked_up_that_are_not_known) {
    struct inventory_request keyed = with_key(reserve_of("A", 1), "key-1", "1"), known = keyed,
                             plain = reserve_of("B", 1);
    look_up(&known, &keyed);
    add(&keyed);
    add(&known);
    add(&plain);
    batch_look_up_keys(&batch);
    ck_assert(batch_lacks_record(&keyed));
    ck_assert(!batch_lacks_record(&known));
    ck_assert(!batch_lacks_record(&plain));
}
END_TEST

START_TEST(an_operation_without_a_change_needs_no_record) {
    struct inventory_request request = with_key(release_of("A", 1), "key-1", "1");
    add(&request);
    ck_assert_int_eq(decide(), BATCH_LOOK_UP);
    request.stage = REQUEST_LOOKED_UP;
    answer();
    ck_assert_uint_eq(state.record_count, 0);
}
END_TEST

/* ---- what an answer rests on ---- */

/* _i: which operation */
START_TEST(an_answer_that_changes_nothing_rests_on_the_product_as_it_was_after_the_request_came) {
    struct inventory_request requests[] = {reserve_of("A", TOTAL + 1), release_of("A", 1),
                                           total_of(TOTAL), expiry(),
                                           with_key(reserve_of("A", TOTAL + 1), "key-1", "101")};
    struct inventory_request *request = &requests[_i];
    next_sequence = 7;
    add(request);
    ck_assert_int_eq(batch_decide(&batch, 7), BATCH_VALIDATE);
    batch_reset(&batch);
    request->has_rows = true;
    ck_assert_int_eq(batch_decide(&batch, 8),
                     request->key_hash[0] == '\0' ? BATCH_ANSWER : BATCH_LOOK_UP);
}
END_TEST

START_TEST(one_that_came_later_than_the_others_has_the_product_read_again_for_all) {
    struct inventory_request early = reserve_of("A", TOTAL + 1), late = early;
    add(&early);
    add(&late);
    ck_assert_int_eq(batch_decide(&batch, 1), BATCH_VALIDATE);
    batch_reset(&batch);
    ck_assert_int_eq(batch_decide(&batch, 2), BATCH_ANSWER);
}
END_TEST

START_TEST(a_commit_proves_what_a_refusal_beside_it_rests_on) {
    struct inventory_request refused = reserve_of("A", TOTAL + 1), good = reserve_of("B", 1);
    add(&refused);
    add(&good);
    ck_assert_int_eq(batch_decide(&batch, 0), BATCH_COMMIT);
    assert_stage(&refused, REQUEST_DECIDED);
}
END_TEST

START_TEST(a_snapshot_was_read_for_its_request) {
    struct inventory_request request = {.operation = &operation_snapshot};
    add(&request);
    ck_assert(batch_lacks_rows(&batch, &request));
    request.has_rows = true;
    ck_assert(!batch_lacks_rows(&batch, &request));
    ck_assert_int_eq(batch_decide(&batch, 0), BATCH_ANSWER);
    assert_stage(&request, REQUEST_DECIDED);
}
END_TEST

START_TEST(a_request_that_has_failed_alone_stays_failed) {
    struct inventory_request failed = release_of("A", 1), good = reserve_of("B", 1);
    failed.stage = REQUEST_DECIDED;
    failed.status = STATUS_MALFORMED;
    add(&failed);
    ck_assert_int_eq(batch_decide(&batch, 0), BATCH_ANSWER);
    add(&good);
    commit();
    ck_assert_int_eq(failed.status, STATUS_MALFORMED);
    ck_assert_int_eq(failed.version, 0);
    ck_assert_int_eq(good.units, 1);
}
END_TEST

START_TEST(when_the_product_is_read_again_everything_is_decided_anew_but_records_stay) {
    struct inventory_request plain = reserve_of("B", 1), release = release_of("A", 1),
                             known = with_key(reserve_of("A", 1), "key-1", "1");
    look_up(&known, &known);
    add(&plain);
    add(&release);
    add(&known);
    ck_assert_int_eq(decide(), BATCH_COMMIT);
    batch_reset(&batch);
    assert_stage(&plain, REQUEST_QUEUED);
    assert_stage(&release, REQUEST_QUEUED);
    ck_assert(batch_lacks_rows(&batch, &release));
    assert_stage(&known, REQUEST_LOOKED_UP);
}
END_TEST

START_TEST(only_a_release_that_is_no_repeat_needs_its_customers_rows) {
    struct inventory_request release = release_of("A", 1), reserve = reserve_of("A", 1),
                             repeat = release;
    release.has_rows = repeat.has_rows = false;
    repeat = with_key(repeat, "key-1", "1");
    look_up(&repeat, &repeat);
    ck_assert(batch_lacks_rows(&batch, &release));
    ck_assert(!batch_lacks_rows(&batch, &reserve));
    ck_assert(!batch_lacks_rows(&batch, &repeat));
    release.stage = REQUEST_DECIDED;
    ck_assert(!batch_lacks_rows(&batch, &release));
}
END_TEST

static void add_tests_of_keys(Suite *suite) {
    TCase *keys = tcase_create("keys");
    tcase_add_checked_fixture(keys, set_up, tear_down);
    tcase_add_test(keys, what_was_granted_under_a_key_is_recorded);
    tcase_add_test(keys, one_key_at_the_same_time_makes_one_reservation);
    tcase_add_test(keys, a_repeat_gets_the_answer_of_its_record_and_changes_nothing);
    tcase_add_test(keys, a_record_of_another_request_is_no_answer);
    tcase_add_test(keys, a_key_is_looked_up_before_its_request_is_refused);
    tcase_add_test(keys,
                   what_was_refused_before_a_look_up_speaks_of_the_version_that_it_was_refused_at);
    tcase_add_test(keys, nobody_waits_for_the_look_up_of_another);
    tcase_add_test(keys, once_a_key_was_used_before_all_are_looked_up_that_are_not_known);
    tcase_add_test(keys, an_operation_without_a_change_needs_no_record);
    suite_add_tcase(suite, keys);
}

static void add_tests_of_validation(Suite *suite) {
    TCase *validation = tcase_create("validation");
    tcase_add_checked_fixture(validation, set_up, tear_down);
    tcase_add_loop_test(
        validation,
        an_answer_that_changes_nothing_rests_on_the_product_as_it_was_after_the_request_came, 0, 5);
    tcase_add_test(validation,
                   one_that_came_later_than_the_others_has_the_product_read_again_for_all);
    tcase_add_test(validation, a_commit_proves_what_a_refusal_beside_it_rests_on);
    tcase_add_test(validation, a_snapshot_was_read_for_its_request);
    tcase_add_test(validation, a_request_that_has_failed_alone_stays_failed);
    tcase_add_test(validation,
                   when_the_product_is_read_again_everything_is_decided_anew_but_records_stay);
    tcase_add_test(validation, only_a_release_that_is_no_repeat_needs_its_customers_rows);
    suite_add_tcase(suite, validation);
}

int main(void) {
    Suite *suite = suite_create("batch");
    TCase *together = tcase_create("together");
    tcase_add_checked_fixture(together, set_up, tear_down);
    tcase_add_test(together, requests_share_a_commit_and_each_has_its_own_answer);
    tcase_add_test(together, each_is_decided_after_those_who_came_before_it);
    tcase_add_test(together, what_a_transaction_has_no_room_for_waits);
    tcase_add_test(together, nobody_overtakes_a_request_that_has_no_room);
    tcase_add_loop_test(
        together, a_release_takes_as_many_reservations_as_a_transaction_holds_and_says_so, 0, 2);
    tcase_add_test(together, a_release_that_does_not_fit_behind_others_is_not_cut_short);
    tcase_add_test(together, a_release_finds_only_its_customers_active_reservations);
    tcase_add_test(together, a_reservation_may_be_released_in_the_batch_that_makes_it);
    tcase_add_test(together, a_total_is_set_unless_more_is_reserved);
    tcase_add_test(
        together, a_total_that_expired_reservations_are_in_the_way_of_waits_until_they_are_removed);
    tcase_add_test(together, expired_units_are_for_sale_and_as_many_rows_as_that_needs_are_removed);
    tcase_add_test(together, a_reserve_that_needs_many_expired_rows_stays_in_front);
    tcase_add_test(together, a_reserve_that_cannot_be_met_is_refused_whatever_has_expired);
    tcase_add_loop_test(together, expired_rows_leave_with_the_changes_of_others, 0, 3);
    tcase_add_test(together, expiring_goes_on_over_several_commits_and_counts_what_it_removed);
    tcase_add_test(together,
                   of_two_that_expire_many_reservations_one_waits_and_each_counts_its_own);
    tcase_add_test(together, what_has_expired_by_an_uncertain_time_is_for_sale_but_not_removed);
    suite_add_tcase(suite, together);
    add_tests_of_keys(suite);
    add_tests_of_validation(suite);
    return check_main(suite);
}
