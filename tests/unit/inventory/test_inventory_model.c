/*
 * test_inventory_model.c - the rules against a model of simple loops: random operations under a
 * seed, compared after each.
 *
 * The model keeps its rows in an array by expiry and id, and looks at all of them for each answer.
 * The time goes on and back. A failure names the seed and the step.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/inventory.h"
#include "support/processes/check_main.h"

enum { SEEDS = 40, STEPS = 2500, MOST_ROWS = 4000, MANY = 250, CUSTOMERS = 9, SECOND_MS = 1000 };
static const int64_t START_MS = 1737297930000; /* 2025-01-19T14:45:30Z */

struct model_row {
    char id[UUID_TEXT_BYTES];
    int customer;
    int64_t quantity, reserved_ms, expires_ms;
    enum reservation_mark mark;
};

struct model {
    struct model_row rows[MOST_ROWS];
    int count;
    int64_t total, available, due_ms, complete_until_ms;
    int change_count, record_count, expired_changes;
};

static struct product_state state;
static struct model model;
static char customers[CUSTOMERS][CUSTOMER_ID_BYTES];
static int64_t now_ms;
static uint64_t random_state;
static int seed, step;

/* Millions of them: libcheck writes to a file for each of its own. */
#define CHECK(holds)                                                         \
    do {                                                                     \
        if (!(holds)) {                                                      \
            ck_abort_msg("seed %d, step %d: not true: " #holds, seed, step); \
        }                                                                    \
    } while (0)

#define CHECK_EQ(found, expected)                                                              \
    do {                                                                                       \
        long long found_ = (long long)(found), expected_ = (long long)(expected);              \
        if (found_ != expected_) {                                                             \
            ck_abort_msg("seed %d, step %d: " #found " is %lld, not %lld", seed, step, found_, \
                         expected_);                                                           \
        }                                                                                      \
    } while (0)

/* xorshift64*: the same numbers everywhere. 0 to n - 1. */
static int pick(int n) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (int)((random_state * UINT64_C(2685821657736338717) >> 33) % (uint64_t)n);
}

static bool chance(int percent) {
    return pick(100) < percent;
}

static void set_up(void) {
    product_state_init(&state);
    memset(&model, 0, sizeof model);
    strcpy(state.product.id, "P");
    state.product.total = state.product.available = model.total = model.available = 5000;
    for (int i = 0; i < CUSTOMERS; i++) {
        snprintf(customers[i], sizeof customers[i], "CUST-%d", i);
    }
    memset(customers[0], 'x', CUSTOMER_ID_BYTES - 1);
    strcpy(customers[1], "7c9e6679-7425-40de-944b-e07fc1f90ae7");
}

static void tear_down(void) {
    product_state_cleanup(&state);
}

/* ---- the model ---- */

static bool is_there(const struct model_row *row) {
    return row->mark != RESERVATION_REMOVED;
}

static void model_drop(int at) {
    memmove(&model.rows[at], &model.rows[at + 1],
            (size_t)(--model.count - at) * sizeof model.rows[0]);
}

static bool model_stands_before(const struct model_row *left, const struct model_row *right) {
    return left->expires_ms < right->expires_ms ||
           (left->expires_ms == right->expires_ms && strcmp(left->id, right->id) < 0);
}

static void model_put(struct model_row row) {
    int at = 0;
    CHECK(model.count < MOST_ROWS);
    while (at < model.count && model_stands_before(&model.rows[at], &row)) {
        at++;
    }
    memmove(&model.rows[at + 1], &model.rows[at], (size_t)(model.count++ - at) * sizeof row);
    model.rows[at] = row;
}

static bool model_may_change(const struct model_row *row, int spare) {
    return row->mark != RESERVATION_STORED || model.change_count + spare < INVENTORY_MAX_CHANGES;
}

/* False: the row is gone, and another stands in its place. */
static bool model_take(int at, int64_t units) {
    struct model_row *row = &model.rows[at];
    row->quantity -= units;
    model.available += units;
    if (row->mark == RESERVATION_ADDED) {
        if (row->quantity == 0) {
            model.change_count--;
            model_drop(at);
            return false;
        }
        return true;
    }
    model.change_count += row->mark == RESERVATION_STORED;
    row->mark = row->quantity == 0                  ? RESERVATION_REMOVED
                : row->mark == RESERVATION_EXTENDED ? RESERVATION_EXTENDED
                                                    : RESERVATION_CHANGED;
    return true;
}

static void model_confirm(int at, int64_t units) {
    model.change_count += model.rows[at].mark == RESERVATION_ADDED;
    model_take(at, units);
    model.available -= units;
    model.total -= units;
}

static void model_extend(int at, int64_t expires_ms) {
    struct model_row row = model.rows[at];
    if (expires_ms <= row.expires_ms) {
        return;
    }
    model_drop(at);
    model.change_count += row.mark == RESERVATION_STORED;
    row.mark = row.mark == RESERVATION_ADDED ? RESERVATION_ADDED : RESERVATION_EXTENDED;
    row.expires_ms = expires_ms;
    model_put(row);
}

static int model_first(void) {
    int first = 0;
    while (first < model.count && !is_there(&model.rows[first])) {
        first++;
    }
    return first;
}

static bool model_expire_first(int64_t at_ms, int spare) {
    int first = model_first();
    if (first == model.count || model.rows[first].expires_ms > at_ms ||
        !model_may_change(&model.rows[first], spare)) {
        return false;
    }
    model.expired_changes += model.rows[first].mark == RESERVATION_STORED;
    model_take(first, model.rows[first].quantity);
    return true;
}

static int model_expire(int64_t at_ms, int spare, int limit) {
    int released = 0;
    while (released < limit && model_expire_first(at_ms, spare)) {
        released++;
    }
    return released;
}

static bool model_may_release(const struct model_row *row, int customer, const char *id) {
    return is_there(row) && row->expires_ms > now_ms && row->customer == customer &&
           (id == NULL || strcmp(row->id, id) == 0);
}

static int64_t model_release(int customer, const char *id, int64_t quantity, int spare) {
    int64_t released = 0;
    for (int i = 0; i < model.count && released < quantity;) {
        struct model_row *row = &model.rows[i];
        if (!model_may_release(row, customer, id) || !model_may_change(row, spare)) {
            i++;
            continue;
        }
        int64_t units = row->quantity < quantity - released ? row->quantity : quantity - released;
        released += units;
        i += model_take(i, units);
    }
    return released;
}

static int model_release_changes(int customer, const char *id, int64_t quantity) {
    int changes = 0;
    int64_t units = 0;
    for (int i = 0; i < model.count && units < quantity; i++) {
        if (model_may_release(&model.rows[i], customer, id)) {
            units += model.rows[i].quantity;
            changes += model.rows[i].mark == RESERVATION_STORED;
        }
    }
    return changes;
}

static void model_commit(void) {
    for (int i = model.count; i-- > 0;) {
        if (is_there(&model.rows[i])) {
            model.rows[i].mark = RESERVATION_STORED;
        } else {
            model_drop(i);
        }
    }
    model.change_count = model.record_count = model.expired_changes = 0;
}

static int64_t model_expired_units(int64_t at_ms) {
    int64_t units = 0;
    for (int i = 0; i < model.count; i++) {
        units += is_there(&model.rows[i]) && model.rows[i].expires_ms <= at_ms
                     ? model.rows[i].quantity
                     : 0;
    }
    return units;
}

static int64_t model_held_units(void) {
    return model_expired_units(INT64_MAX);
}

static int64_t model_due_ms(void) {
    if (model.available == model.total) {
        return INT64_MAX;
    }
    int64_t due_ms =
        model.due_ms > model.complete_until_ms ? model.due_ms : model.complete_until_ms + 1;
    for (int i = 0; i < model.count; i++) {
        if (is_there(&model.rows[i]) && model.rows[i].expires_ms < due_ms) {
            due_ms = model.rows[i].expires_ms;
        }
    }
    return due_ms;
}

/* ---- compared ---- */

static bool is_in_changed(const struct reservation *row) {
    for (size_t i = 0; i < state.changed_count; i++) {
        if (state.changed[i] == row) {
            return true;
        }
    }
    return false;
}

static void compare_rows(void) {
    size_t marked = 0;
    CHECK_EQ(state.reservations.count, model.count);
    for (int i = 0; i < model.count; i++) {
        const struct reservation *row = state.reservations.rows[i];
        const struct model_row *expected = &model.rows[i];
        CHECK(strcmp(row->id, expected->id) == 0);
        CHECK(strcmp(row->customer_id, customers[expected->customer]) == 0);
        CHECK_EQ(row->quantity, expected->quantity);
        CHECK_EQ(row->reserved_ms, expected->reserved_ms);
        CHECK_EQ(row->expires_ms, expected->expires_ms);
        CHECK_EQ(row->mark, expected->mark);
        CHECK_EQ(is_in_changed(row), row->mark != RESERVATION_STORED);
        CHECK(reservation_list_find(&state.reservations, row->id) == row);
        marked += row->mark != RESERVATION_STORED;
    }
    CHECK_EQ(state.changed_count, marked);
}

static void compare_customers(void) {
    for (int customer = 0; customer < CUSTOMERS; customer++) {
        const struct reservation *row =
            reservation_list_first_of(&state.reservations, customers[customer]);
        for (int i = 0; i < model.count; i++) {
            if (model.rows[i].customer == customer) {
                CHECK(row == state.reservations.rows[i]);
                row = reservation_list_next_of(row);
            }
        }
        CHECK(row == NULL);
    }
    CHECK(reservation_list_first_of(&state.reservations, "nobody") == NULL);
}

static void compare_times(int64_t at_ms) {
    int first = model_first();
    CHECK_EQ(inventory_available(&state, at_ms), model.available + model_expired_units(at_ms));
    CHECK_EQ(inventory_reserved(&state, at_ms), model_held_units() - model_expired_units(at_ms));
    CHECK_EQ(inventory_has_expired(&state, at_ms),
             first < model.count && model.rows[first].expires_ms <= at_ms);
}

static void compare(void) {
    compare_rows();
    compare_times(now_ms);
    if (chance(20)) {
        compare_times(now_ms + pick(4 * SECOND_MS) - 2 * SECOND_MS);
    }
    if (chance(20)) {
        compare_customers();
    }
    CHECK_EQ(state.product.total, model.total);
    CHECK_EQ(state.product.available, model.available);
    CHECK_EQ(state.change_count, model.change_count);
    CHECK_EQ(state.expired_changes, model.expired_changes);
    CHECK_EQ(state.record_count, model.record_count);
    CHECK_EQ(product_state_due_ms(&state), model_due_ms());
    CHECK_EQ(state.complete_until_ms, model.complete_until_ms);
    CHECK(inventory_adds_up(&state));
    CHECK(state.change_count <= INVENTORY_MAX_CHANGES);
}

/* ---- operations ---- */

static void reserve(void) {
    int customer = chance(50) ? 2 : pick(CUSTOMERS);
    int64_t quantity = 1 + pick(20),
            lifetime_ms = chance(70) ? 10 * SECOND_MS : 1 + pick(10 * SECOND_MS);
    bool reserved = false,
         expected = quantity <= model.available && model.change_count < INVENTORY_MAX_CHANGES;
    const struct reservation *row = NULL;
    enum status status = inventory_reserve(&state, customers[customer], quantity, now_ms,
                                           lifetime_ms, random_system(), &reserved, &row);
    CHECK_EQ(status, STATUS_OK);
    CHECK_EQ(reserved, expected);
    if (reserved) {
        struct reservation_terms terms = inventory_terms(row);
        struct model_row added = {.customer = customer,
                                  .quantity = quantity,
                                  .reserved_ms = now_ms,
                                  .expires_ms = now_ms + lifetime_ms,
                                  .mark = RESERVATION_ADDED};
        strcpy(added.id, terms.id);
        CHECK_EQ(terms.quantity, quantity);
        CHECK_EQ(terms.expires_ms, added.expires_ms);
        model_put(added);
        model.available -= quantity;
        model.change_count++;
    }
}

static void release(void) {
    char id[UUID_TEXT_BYTES];
    bool by_id = chance(30) && model.count > 0;
    int customer = chance(50) ? 2 : pick(CUSTOMERS), spare = pick(3);
    int64_t quantity = 1 + pick(chance(10) ? 1000 : 30);
    if (by_id) {
        const struct model_row *row = &model.rows[pick(model.count)];
        strcpy(id, row->id);
        customer = chance(90) ? row->customer : customer;
    }
    const char *wanted = by_id ? id : NULL;
    CHECK_EQ(inventory_release_changes(&state, customers[customer], wanted, quantity, now_ms),
             model_release_changes(customer, wanted, quantity));
    CHECK_EQ(inventory_release(&state, customers[customer], wanted, quantity, now_ms, spare),
             model_release(customer, wanted, quantity, spare));
}

/*
 * A confirm or an extension, each with room for one change, as a batch makes sure. Rows that were
 * removed have no active reservation.
 */
static void use_reservation(void) {
    enum refusal refusal = REFUSAL_NONE;
    if (model.count == 0 || model.change_count >= INVENTORY_MAX_CHANGES) {
        return;
    }
    int at = pick(model.count);
    struct model_row expected = model.rows[at];
    int customer = chance(90) ? expected.customer : pick(CUSTOMERS);
    bool is_active =
        is_there(&expected) && expected.customer == customer && expected.expires_ms > now_ms;
    struct reservation *row =
        inventory_find_named(&state, expected.id, customers[customer], now_ms, &refusal);
    CHECK_EQ(row != NULL, is_active);
    CHECK_EQ(refusal == REFUSAL_NONE, is_active);
    if (row != NULL && chance(50)) {
        int units = chance(50) ? row->quantity : 1 + pick(row->quantity);
        inventory_confirm(&state, row, units);
        model_confirm(at, units);
    } else if (row != NULL) {
        int64_t expires_ms = now_ms + 1 + pick(20 * SECOND_MS);
        inventory_extend(&state, row, expires_ms);
        model_extend(at, expires_ms);
    }
}

static void expire(void) {
    int64_t at_ms = chance(70) ? now_ms : now_ms - pick(SECOND_MS);
    int spare = pick(3), limit = pick(30);
    CHECK_EQ(inventory_expire(&state, at_ms, spare, limit), model_expire(at_ms, spare, limit));
}

static void expire_for(void) {
    int64_t quantity = model.available + pick(60);
    bool is_met = true;
    while (is_met && model.available < quantity) {
        is_met = model_expire_first(now_ms, 1);
    }
    CHECK_EQ(inventory_expire_for(&state, quantity, now_ms, 1), is_met);
}

static void expire_along(void) {
    int others = model.change_count - model.expired_changes;
    int limit =
        (others > INVENTORY_EXPIRE_FEW ? others : INVENTORY_EXPIRE_FEW) - model.expired_changes;
    CHECK_EQ(inventory_expire_alongside(&state, now_ms), model_expire(now_ms, 0, limit));
}

static void set_total(void) {
    int64_t more = pick(200) - 100, total = model.total + more;
    bool expected =
        total >= 0 && model.available + more >= 0 && model.change_count < INVENTORY_MAX_CHANGES;
    if (total < 0) {
        return;
    }
    CHECK_EQ(inventory_set_total(&state, total), expected);
    if (expected && more != 0) {
        model.total = total;
        model.available += more;
        model.change_count++;
    }
}

static void add_record(void) {
    struct idempotency_record record = {.quantity = 1};
    if (model.change_count < INVENTORY_MAX_CHANGES) {
        CHECK_EQ(product_state_add_record(&state, &record), STATUS_OK);
        model.change_count++;
        model.record_count++;
    }
}

static struct model_row stored_row(void) {
    struct model_row row = {
        .customer = pick(CUSTOMERS), .quantity = 1 + pick(20), .reserved_ms = now_ms - SECOND_MS};
    row.expires_ms = now_ms + pick(20 * SECOND_MS) - 2 * SECOND_MS;
    CHECK_EQ(uuid_v8_from_time(random_system(), row.expires_ms, row.id), STATUS_OK);
    return row;
}

static void add_to(struct product_state *target, const struct model_row *row) {
    struct reservation like = {.quantity = (int)row->quantity,
                               .reserved_ms = row->reserved_ms,
                               .expires_ms = row->expires_ms};
    strcpy(like.id, row->id);
    CHECK_EQ(product_state_add(target, &like, customers[row->customer]), STATUS_OK);
}

/* One that was read now: its units belong to the total. */
static void model_read(const struct model_row *row) {
    model_put(*row);
    model.total += row->quantity;
    state.product.total += row->quantity;
}

static void add_stored(void) {
    for (int i = pick(8); i >= 0; i--) {
        struct model_row row = stored_row();
        add_to(&state, &row);
        model_read(&row);
    }
}

/*
 * Rows that were read for a release: some are there already, maybe with other quantities, some are
 * not.
 */
static void merge(void) {
    struct product_state other;
    product_state_init(&other);
    int share = pick(100);
    for (int i = 0; i < model.count; i++) {
        if (chance(share) && model.rows[i].mark != RESERVATION_ADDED) {
            struct model_row row = model.rows[i];
            row.quantity += 1; /* as it is stored: what is in memory stays */
            add_to(&other, &row);
        }
    }
    for (int i = pick(20); i > 0; i--) {
        struct model_row row = stored_row();
        add_to(&other, &row);
        model_read(&row);
    }
    other.complete_until_ms = now_ms + pick(5 * SECOND_MS);
    if (other.complete_until_ms > model.complete_until_ms) {
        model.complete_until_ms = other.complete_until_ms;
    }
    CHECK_EQ(product_state_merge(&state, &other), STATUS_OK);
    CHECK_EQ(other.reservations.count, 0);
    product_state_cleanup(&other);
}

static void commit(void) {
    product_state_committed(&state);
    model_commit();
}

static void trim(void) {
    commit();
    if (chance(50)) {
        state.complete_until_ms = model.complete_until_ms = now_ms + pick(20 * SECOND_MS);
    }
    int keep = chance(50) ? 0 : pick(50), first = 0;
    product_state_trim(&state, (size_t)keep);
    while (first < model.count && model.rows[first].expires_ms <= model.complete_until_ms) {
        first++;
    }
    while (model.count - first > keep) {
        model.total -= model.rows[first].quantity;
        state.product.total -= model.rows[first].quantity;
        model_drop(first);
    }
    state.product.due_ms = model.due_ms = product_state_due_ms(&state);
}

static void move_time(void) {
    now_ms += chance(75) ? pick(SECOND_MS) : -pick(SECOND_MS);
}

START_TEST(the_rules_do_what_simple_loops_would_do) {
    static const struct {
        int weight;
        void (*operation)(void);
    } table[] = {{26, reserve},  {10, use_reservation}, {8, release},
                 {8, expire},    {6, expire_for},       {4, expire_along},
                 {3, set_total}, {3, add_record},       {6, add_stored},
                 {6, merge},     {6, commit},           {2, trim},
                 {12, move_time}};
    now_ms = START_MS;
    seed = _i + 1;
    random_state = (uint64_t)seed * UINT64_C(0x9E3779B97F4A7C15);
    for (step = 1; step <= STEPS; step++) {
        int drawn = pick(100);
        size_t i = 0;
        while (drawn >= table[i].weight) {
            drawn -= table[i++].weight;
        }
        table[i].operation();
        compare();
        if (model.count > MANY) {
            trim();
            now_ms += 4 * SECOND_MS;
        }
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("inventory_model");
    TCase *tests = tcase_create("model");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, the_rules_do_what_simple_loops_would_do, 0, SEEDS);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
