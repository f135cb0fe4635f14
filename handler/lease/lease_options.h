/*
 * lease_options.h - the rules for struct leasehold_options and struct leasehold_request.
 *
 * They say which values are allowed, which are the defaults, and which times follow from them.
 * leasehold_client.c, the lease manager and settings/ all ask here, so that no rule exists twice.
 */
#ifndef LEASE_LEASE_OPTIONS_H
#define LEASE_LEASE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "lease/leasehold.h"

enum {
    /* Source: "Lease Blob" (REST). -1, LEASEHOLD_INFINITE, is allowed as well. */
    LEASE_MIN_DURATION_S = 15,
    LEASE_MAX_DURATION_S = 60,

    LEASE_MAX_RENEW_RETRIES = 100,
    LEASE_MIN_RETRY_MS = 1, /* of renew_retry_ms and acquire_retry_ms */
    LEASE_MAX_RETRY_MS = 60 * 1000,
    LEASE_MAX_ACQUIRE_TIMEOUT_MS = 10 * 60 * 1000,
};

/* The defaults of leasehold_options_default, for code that does not link the whole library. */
struct leasehold_options lease_options_default(void);

bool lease_duration_is_valid(int64_t duration_s);
bool lease_safety_threshold_is_valid(double threshold);

/*
 * The longest renewal interval that these options allow: one millisecond below the safe deadline.
 * INT64_MAX for leases without an end, which are never renewed.
 */
int64_t lease_options_max_renew_interval_ms(const struct leasehold_options *options);

/*
 * How long after a good acquire or renewal a lease of `duration_s` may be relied on. INT64_MAX for
 * a lease without an end.
 */
int64_t lease_options_safe_for_ms(const struct leasehold_options *options, int duration_s);

/*
 * How long after a good acquire or renewal a lease of `duration_s` is renewed. A lease of another
 * duration than the options' is renewed in proportion. `duration_s` is not LEASEHOLD_INFINITE.
 */
int64_t lease_options_renew_after_ms(const struct leasehold_options *options, int duration_s);

/*
 * Checks everything but the connection string.
 * STATUS_INVALID_ARGUMENT   the message names the option and what is allowed
 */
enum status lease_options_check(const struct leasehold_options *options,
                                struct error *err) MUST_CHECK;

/*
 * Copies the options with their strings and metadata, but not the connection string, which holds a
 * secret. The copy has NULL there. `out` is freed by lease_options_cleanup.
 * STATUS_NO_MEMORY
 */
enum status lease_options_copy(const struct leasehold_options *options,
                               struct leasehold_options *out, struct error *err) MUST_CHECK;

/* Frees what lease_options_copy has made. Zeroed options are fine. */
void lease_options_cleanup(struct leasehold_options *options);

/* STATUS_INVALID_ARGUMENT: the message says what is allowed. */
enum status lease_request_check(const struct leasehold_request *request,
                                struct error *err) MUST_CHECK;
enum status lease_request_check_name(const char *name, struct error *err) MUST_CHECK;

#endif
