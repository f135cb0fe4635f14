/*
 * inventory_store_contract.h - what every inventory store must do, as test cases that run against
 * any of them.
 */
#ifndef SUPPORT_INVENTORY_STORE_CONTRACT_H
#define SUPPORT_INVENTORY_STORE_CONTRACT_H

#include <check.h>

#include "inventory/inventory_store.h"

/*
 * `open` makes a store without products, `close` takes it away again; both run around each test, in
 * its process.
 */
TCase *inventory_store_contract(struct inventory_store *(*open)(void), void (*close)(void));

#endif
