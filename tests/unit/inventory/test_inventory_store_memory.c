#include "inventory/inventory_store_memory.h"

#include "support/calls/store_wait.h"
#include "support/checks/inventory_due_contract.h"
#include "support/checks/inventory_store_contract.h"
#include "support/checks/inventory_visit_contract.h"
#include "support/processes/check_main.h"

static struct event_loop *loop;
static struct platform platform;
static struct inventory_store_memory store;

static struct inventory_store *open_memory(void) {
    struct error err;
    ck_assert_int_eq(event_loop_new(&loop, clock_system(), &err), STATUS_OK);
    ck_assert_int_eq(event_loop_start(loop, &err), STATUS_OK);
    platform = (struct platform){.clock = clock_system(), .loop = loop, .random = random_system()};
    inventory_store_memory_init(&store, &platform);
    return &store.base;
}

static void close_memory(void) {
    event_loop_stop(loop);
    event_loop_free(loop);
    inventory_store_memory_cleanup(&store);
}

/* ---- a visitor, while the product changes ---- */

enum { CHANGES_MANY = 10, ROWS = 600 };

/* Changes the product whenever a try begins, until it has changed it often enough. */
static struct changing_visitor {
    struct reservation_visitor base; /* first */
    struct product_state *changer;
    int changes_left;
    int begun;
    int visited; /* in this try */
} changing;

static void ignore_commit(void *context, enum status status, const struct error *failure) {
    (void)context, (void)failure;
    ck_assert_int_eq(status, STATUS_OK);
}

static void change_begin(struct reservation_visitor *visitor, int64_t now_ms) {
    struct changing_visitor *own = (struct changing_visitor *)visitor;
    own->begun++;
    own->visited = 0;
    if (own->changes_left > 0) {
        const struct reservation *row;
        bool reserved;
        own->changes_left--;
        ck_assert_int_eq(
            inventory_reserve(own->changer, "C", 1, now_ms, 1000, random_system(), &reserved, &row),
            STATUS_OK);
        store.base.ops->commit(&store.base, own->changer, INT64_MAX, ignore_commit, NULL);
    }
}

static enum status change_visit(struct reservation_visitor *visitor, const struct reservation *row,
                                const char *customer_id, struct error *err) {
    (void)row, (void)customer_id, (void)err;
    ((struct changing_visitor *)visitor)->visited++;
    return STATUS_OK;
}

static const struct change_case {
    int changes;
    enum status expected;
    int begun;
} changes[] = {
    {0, STATUS_OK, 1},
    {1, STATUS_OK, 2},
    {2, STATUS_OK, 3},
    {CHANGES_MANY, STATUS_PRECONDITION_FAILED, 3},
};

START_TEST(a_visit_begins_anew_if_the_product_changes_meanwhile) {
    static const struct seed_product seed = {"P", 10 * ROWS};
    const struct change_case *expected = &changes[_i];
    struct product_state changer, out;
    struct error err;
    open_memory();
    product_state_init(&changer);
    product_state_init(&out);
    struct inventory_query query = {.all = true};
    ck_assert_int_eq(inventory_store_prepare_and_wait(&store.base, &seed, 1, &err), STATUS_OK);
    ck_assert_int_eq(inventory_store_read_and_wait(&store.base, "P", &query, &changer, &err),
                     STATUS_OK);
    for (int i = 1; i <= ROWS; i++) {
        const struct reservation *row;
        bool reserved;
        ck_assert_int_eq(
            inventory_reserve(&changer, "C", 1, 1000, 1000, random_system(), &reserved, &row),
            STATUS_OK);
        if (i % 50 == 0) {
            ck_assert_int_eq(
                inventory_store_commit_and_wait(&store.base, &changer, INT64_MAX, &err), STATUS_OK);
        }
    }
    changing = (struct changing_visitor){.base = {.begin = change_begin, .visit = change_visit},
                                         .changer = &changer,
                                         .changes_left = expected->changes};
    query.visitor = &changing.base;
    ck_assert_int_eq(inventory_store_read_and_wait(&store.base, "P", &query, &out, &err),
                     expected->expected);
    ck_assert_int_eq(changing.begun, expected->begun);
    if (expected->expected == STATUS_OK) {
        ck_assert_int_eq(changing.visited, ROWS + expected->changes);
        ck_assert_int_eq(out.product.available + changing.base.units, seed.total);
    } else {
        ck_assert_str_eq(out.product.id, "");
    }
    product_state_cleanup(&out);
    product_state_cleanup(&changer);
    close_memory();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("inventory_store_memory");
    suite_add_tcase(suite, inventory_store_contract(open_memory, close_memory));
    suite_add_tcase(suite, inventory_due_contract(open_memory, close_memory));
    suite_add_tcase(suite, inventory_visit_contract(open_memory, close_memory));
    TCase *tests = tcase_create("changes");
    tcase_add_loop_test(tests, a_visit_begins_anew_if_the_product_changes_meanwhile, 0,
                        sizeof changes / sizeof changes[0]);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
