/*
 * lease_options.h - how leases are kept: the app settings DistributedLeasing:* as plain data.
 */
#ifndef LEASE_LEASE_OPTIONS_H
#define LEASE_LEASE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http_message.h"

enum {
    LEASE_MIN_DURATION_S = 15, /* Lease Blob: 15 to 60 seconds, or -1 */
    LEASE_MAX_DURATION_S = 60,
    LEASE_INFINITE_S = -1,
    LEASE_NAME_BYTES = 256,
};

struct lease_options {
    bool auto_renew;
    int duration_s; /* 15 to 60, or LEASE_INFINITE_S */
    double
        renew_fraction; /* the renewal interval as a part of the duration; 0 < it < safety_threshold */
    int renew_max_retries;  /* >= 0: attempts after the first, for one renewal */
    int64_t renew_retry_ms; /* first wait between them; doubles */
    double
        safety_threshold; /* 0.5 to 0.95 of the duration: past it without a renewal, the lease counts as lost */
    int64_t acquire_timeout_ms; /* how long to wait for a held lease; 0: try once */
    int64_t acquire_retry_ms;   /* first wait; grows with jitter */
};

/* The defaults of the settings table. */
struct lease_options lease_options_default(void);

#endif
