/*
 * inventory_visit_contract.h - what every inventory store keeps to when a read has a visitor.
 */
#ifndef SUPPORT_INVENTORY_VISIT_CONTRACT_H
#define SUPPORT_INVENTORY_VISIT_CONTRACT_H

#include <check.h>

#include "inventory/inventory_store.h"

/* `open` makes an empty store before each check, `close` frees it afterwards. */
TCase *inventory_visit_contract(struct inventory_store *(*open)(void), void (*close)(void));

#endif
