/*
 * lease_steps.h - the steps that tests of leases have in common: an Azurite, handlers that reach it
 * through a fault proxy, and a witness that reaches it directly.
 *
 * Each file that includes it has its own `azurite`, `proxy`, `witness`, `container` and `err`. The
 * handlers are each test's to stop, before close_proxy.
 */
#ifndef SUPPORT_LEASE_STEPS_H
#define SUPPORT_LEASE_STEPS_H

#include "support/calls/lease_witness.h"
#include "support/processes/azurite_steps.h"
#include "support/processes/lease_handler.h"
#include "support/proxies/fault_proxy.h"

#define NAME "inventory-PROD-001"

static struct fault_proxy *proxy;
static struct lease_witness witness;
static char container[STORAGE_UNIQUE_NAME_BYTES];
static struct error err;

/* Starts `count` handlers, with a container that no other test has. */
static inline void start_behind_proxy(struct lease_handler *handlers, int count) {
    char connection_string[AZURITE_CONNECTION_STRING_BYTES];
    storage_unique_name(container);
    proxy = fault_proxy_new(azurite.blob_port, 1);
    azurite_write_connection_string(fault_proxy_port(proxy), azurite.table_port, connection_string);
    for (int i = 0; i < count; i++) {
        lease_handler_start(&handlers[i], connection_string, container);
    }
    lease_witness_open(&witness, azurite.connection_string, container);
}

static inline void close_proxy(void) {
    lease_witness_close(&witness);
    fault_proxy_free(proxy);
}

#endif
