/*
 * lease_log.h - what a lease does, as the log lines that people look for.
 */
#ifndef INVENTORY_LEASE_LOG_H
#define INVENTORY_LEASE_LOG_H

#include "lease/lease_manager.h"

/* A listener that logs renewals (Information), failed attempts and losses (Warning). */
struct leasehold_listener lease_log_listener(void);

#endif
