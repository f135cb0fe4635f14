/*
 * test_inventory_store_memory_out_of_memory.c - allocations that fail in the store's operations:
 * each says so, and a product is what it was.
 */
#include "inventory/inventory_store_memory.h"

#include "support/checks/inventory_adds_up.h"
#include "support/checks/inventory_store_steps.h"
#include "support/fakes/memory_limit.h"
#include "support/processes/check_main.h"

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct event_loop *loop;
static struct platform platform;
static struct inventory_store_memory memory;

static struct inventory_store *open_memory(void) {
    ck_assert_int_eq(event_loop_new(&loop, clock_system(), &err), STATUS_OK);
    ck_assert_int_eq(event_loop_start(loop, &err), STATUS_OK);
    platform = (struct platform){.clock = clock_system(), .loop = loop, .random = random_system()};
    inventory_store_memory_init(&memory, &platform);
    return &memory.base;
}

static void close_memory(void) {
    event_loop_stop(loop);
    event_loop_free(loop);
    inventory_store_memory_cleanup(&memory);
}

static void assert_units_of_a(int64_t available) {
    struct product_state now;
    product_state_init(&now);
    ck_assert_int_eq(read_as("A", (struct inventory_query){.all = true}, &now), STATUS_OK);
    ck_assert(inventory_adds_up(&now));
    ck_assert_int_eq(now.product.available, available);
    product_state_cleanup(&now);
}

/* Each allocation fails once. Returns how many there were. */
static int fail_each(enum status (*operate)(void), void (*assert_unchanged)(void)) {
    int first = 0, failed = 1;
    while (failed > 0) {
        memset(&err, 0, sizeof err);
        memory_limit_begin(++first, 1);
        enum status status = operate();
        failed = memory_limit_end();
        ck_assert_int_eq(status, failed > 0 ? STATUS_NO_MEMORY : STATUS_OK);
        ck_assert_int_eq(err.status, status);
        ck_assert_int_eq(err.message[0] != '\0', failed > 0);
        if (failed > 0) {
            assert_unchanged();
        }
    }
    return first - 1;
}

static void assert_a_is_whole(void) {
    assert_units_of_a(100);
}

static enum status prepare_more(void) {
    static const struct seed_product seeds[] = {{"C", 1}, {"D", 2}};
    return inventory_store_prepare_and_wait(store, seeds, 2, &err);
}

START_TEST(preparing_the_store) {
    ck_assert_int_gt(fail_each(prepare_more, assert_a_is_whole), 2);
    read_all("D");
    ck_assert_int_eq(state.product.total, 2);
}
END_TEST

static enum status commit_state(void) {
    return commit(&state);
}

START_TEST(committing) {
    read_all("A");
    reserve_in_memory("alice", 3, now_ms());
    add_record(KEY, now_ms() + HOUR_MS);
    ck_assert_int_gt(fail_each(commit_state, assert_a_is_whole), 2);
    assert_units_of_a(97);
    assert_found("A", KEY, true);
}
END_TEST

static enum status read_state(void) {
    product_state_cleanup(&state);
    return read_as("A", (struct inventory_query){.all = true}, &state);
}

static void assert_three_are_reserved(void) {
    assert_units_of_a(97);
}

START_TEST(reading) {
    reserve_and_commit("A", "alice", 3, now_ms());
    ck_assert_int_gt(fail_each(read_state, assert_three_are_reserved), 1);
    ck_assert_int_eq(state.product.available, 97);
}
END_TEST

int main(void) {
    use_store(open_memory, close_memory);
    Suite *suite = suite_create("inventory_store_memory out of memory");
    TCase *tcase = tcase_create("operations");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, preparing_the_store);
    tcase_add_test(tcase, committing);
    tcase_add_test(tcase, reading);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
