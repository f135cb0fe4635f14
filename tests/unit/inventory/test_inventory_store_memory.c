#include "inventory/inventory_store_memory.h"

#include "support/checks/inventory_due_contract.h"
#include "support/checks/inventory_store_contract.h"
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

int main(void) {
    Suite *suite = suite_create("inventory_store_memory");
    suite_add_tcase(suite, inventory_store_contract(open_memory, close_memory));
    suite_add_tcase(suite, inventory_due_contract(open_memory, close_memory));
    return check_main(suite);
}
