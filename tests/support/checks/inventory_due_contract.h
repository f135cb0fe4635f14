/*
 * inventory_due_contract.h - what every inventory store must do about what falls due, as test cases
 * that run against any of them.
 */
#ifndef SUPPORT_INVENTORY_DUE_CONTRACT_H
#define SUPPORT_INVENTORY_DUE_CONTRACT_H

#include <check.h>

#include "inventory/inventory_store.h"

/*
 * `open` makes a store without products, `close` takes it away again; both run around each test, in
 * its process.
 */
TCase *inventory_due_contract(struct inventory_store *(*open)(void), void (*close)(void));

#endif
