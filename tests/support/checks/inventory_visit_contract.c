#include "support/checks/inventory_visit_contract.h"

#include "support/checks/inventory_store_steps.h"

enum {
    BATCHES = 7,
    ROWS = BATCHES * INVENTORY_MAX_CHANGES, /* more than one page or round */
    MANY_UNITS = 2 * ROWS,
};

/* Compares what it gets with a list, in its order. */
static struct comparing_visitor {
    struct reservation_visitor base; /* first */
    const struct reservation_list *expected;
    size_t next;
    int begun;
    int64_t now_ms;
    size_t fail_at; /* SIZE_MAX: never */
} comparing;

static struct product_state visited;

static void compare_begin(struct reservation_visitor *visitor, int64_t at_ms) {
    struct comparing_visitor *own = (struct comparing_visitor *)visitor;
    own->begun++;
    own->now_ms = at_ms;
    own->next = 0;
}

static enum status compare_visit(struct reservation_visitor *visitor, const struct reservation *row,
                                 const char *customer_id, struct error *failure) {
    struct comparing_visitor *own = (struct comparing_visitor *)visitor;
    if (own->next == own->fail_at) {
        return error_set(failure, STATUS_TOO_LARGE, "the visitor has had enough");
    }
    ck_assert_int_eq(own->begun, 1);
    ck_assert_uint_lt(own->next, own->expected->count);
    const struct reservation *expected = own->expected->rows[own->next++];
    ck_assert_str_eq(row->id, expected->id);
    ck_assert_str_eq(customer_id, expected->customer_id);
    ck_assert_int_eq(row->quantity, expected->quantity);
    ck_assert_int_eq(row->reserved_ms, expected->reserved_ms);
    ck_assert_int_eq(row->expires_ms, expected->expires_ms);
    return STATUS_OK;
}

/* Reads into `visited`, while the rows are compared with those of `state`. */
static enum status visit(const char *id, struct inventory_query query) {
    comparing = (struct comparing_visitor){.base = {.begin = compare_begin, .visit = compare_visit},
                                           .expected = &state.reservations,
                                           .fail_at = SIZE_MAX};
    query.visitor = &comparing.base;
    product_state_cleanup(&visited);
    return read_as(id, query, &visited);
}

static void assert_visited_as_read(void) {
    ck_assert_uint_eq(comparing.next, state.reservations.count);
    ck_assert_int_eq(comparing.base.units, state.reservations.units);
    ck_assert_uint_eq(visited.reservations.count, 0);
    ck_assert_int_eq(visited.product.version, state.product.version);
    ck_assert_int_eq(visited.product.available, state.product.available);
    ck_assert_int_eq(visited.complete_until_ms, state.complete_until_ms);
    ck_assert_str_eq(visited.etag, state.etag);
}

static void reserve_many(void) {
    static const struct seed_product many = {"MANY", MANY_UNITS};
    ck_assert_int_eq(inventory_store_prepare_and_wait(store, &many, 1, &err), STATUS_OK);
    for (int batch = 0; batch < BATCHES; batch++) {
        read_all("MANY");
        for (int i = 0; i < INVENTORY_MAX_CHANGES; i++) {
            /* Some have expired. */
            reserve_in_memory(i % 2 == 0 ? "C" : "D", 1 + i % 2,
                              now_ms() - (batch == 0 ? 2 * LIFETIME_MS : 0) + i);
        }
        ck_assert_msg(commit(&state) == STATUS_OK, "%s", err.message);
    }
}

START_TEST(a_visitor_gets_what_a_state_would_get) {
    product_state_init(&visited);
    reserve_many();
    const struct inventory_query queries[] = {
        {.all = true},
        {.until_ms = now_ms()},
        {.until_ms = now_ms(), .customer_id = "D"},
        {.until_ms = now_ms(), .customer_id = "C", .later_only = true},
    };
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        ck_assert_msg(read_as("MANY", queries[i], &state) == STATUS_OK, "%s", err.message);
        int64_t before_ms = now_ms();
        ck_assert_msg(visit("MANY", queries[i]) == STATUS_OK, "%s", err.message);
        ck_assert_int_le(comparing.now_ms, now_ms());
        if (queries[i].all) {
            ck_assert_int_ge(comparing.now_ms, before_ms);
        } else {
            ck_assert_int_eq(comparing.now_ms, queries[i].until_ms);
        }
        assert_visited_as_read();
    }
    product_state_cleanup(&visited);
}
END_TEST

START_TEST(a_product_without_reservations_begins_a_visit_and_no_more) {
    product_state_init(&visited);
    read_all("A");
    ck_assert_int_eq(visit("A", (struct inventory_query){.all = true}), STATUS_OK);
    ck_assert_int_eq(comparing.begun, 1);
    assert_visited_as_read();
    ck_assert_int_eq(visit("NONE", (struct inventory_query){.all = true}), STATUS_NOT_FOUND);
    ck_assert_int_eq(comparing.begun, 0);
    product_state_cleanup(&visited);
}
END_TEST

START_TEST(a_visitor_that_fails_ends_the_read) {
    product_state_init(&visited);
    reserve_and_commit("A", "C", 1, now_ms());
    reserve_and_commit("A", "C", 1, now_ms());
    read_all("A");
    comparing = (struct comparing_visitor){.base = {.begin = compare_begin, .visit = compare_visit},
                                           .expected = &state.reservations,
                                           .fail_at = 1};
    struct inventory_query query = {.all = true, .visitor = &comparing.base};
    ck_assert_int_eq(read_as("A", query, &visited), STATUS_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(err.message, "the visitor has had enough"));
    ck_assert_uint_eq(comparing.next, 1);
    ck_assert_str_eq(visited.product.id, "");
}
END_TEST

TCase *inventory_visit_contract(struct inventory_store *(*open)(void), void (*close)(void)) {
    use_store(open, close);
    TCase *contract = tcase_create("visit contract");
    tcase_set_timeout(contract, 60);
    tcase_add_checked_fixture(contract, set_up, tear_down);
    tcase_add_test(contract, a_visitor_gets_what_a_state_would_get);
    tcase_add_test(contract, a_product_without_reservations_begins_a_visit_and_no_more);
    tcase_add_test(contract, a_visitor_that_fails_ends_the_read);
    return contract;
}
