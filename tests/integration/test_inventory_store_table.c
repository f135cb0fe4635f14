#include "inventory/inventory_store_table.h"

#include "support/azurite.h"
#include "support/check_main.h"
#include "support/inventory_store_contract.h"
#include "support/storage_connection.h"

static struct azurite azurite;
static struct storage_connection connection;
static struct inventory_store_table store;
static char table[STORAGE_UNIQUE_NAME_BYTES];

static struct inventory_store *open_table(void) {
    storage_connection_open(&connection, azurite.connection_string);
    storage_unique_name(table);
    inventory_store_table_init(&store, &connection.client, table);
    return &store.base;
}

static void close_table(void) {
    storage_connection_close(&connection);
}

static void start_azurite(void) {
    azurite_start(&azurite, AZURITE_IN_MEMORY);
}

static void release_azurite(void) {
    azurite_release(&azurite);
}

int main(void) {
    Suite *suite = suite_create("inventory_store_table");
    TCase *contract = inventory_store_contract(open_table, close_table);
    tcase_add_unchecked_fixture(contract, start_azurite, release_azurite);
    suite_add_tcase(suite, contract);
    return check_main(suite);
}
