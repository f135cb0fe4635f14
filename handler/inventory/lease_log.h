/*
 * lease_log.h - the log lines about a lease: renewed, not renewed, lost.
 */
#ifndef INVENTORY_LEASE_LOG_H
#define INVENTORY_LEASE_LOG_H

#include "lease/lease_manager.h"

/* Returns a listener that logs renewals (Information), failed attempts and losses (Warning). */
struct leasehold_listener lease_log_listener(void);

#endif
