#include "inventory/inventory_store_memory.h"

#include "support/check_main.h"
#include "support/inventory_due_contract.h"
#include "support/inventory_store_contract.h"

static struct inventory_store_memory store;

static struct inventory_store *open_memory(void) {
    ck_assert_int_eq(inventory_store_memory_init(&store, clock_system()), STATUS_OK);
    return &store.base;
}

static void close_memory(void) {
    inventory_store_memory_release(&store);
}

int main(void) {
    Suite *suite = suite_create("inventory_store_memory");
    suite_add_tcase(suite, inventory_store_contract(open_memory, close_memory));
    suite_add_tcase(suite, inventory_due_contract(open_memory, close_memory));
    return check_main(suite);
}
