#include "inventory/lease_log.h"

#include <stddef.h>

#include "base/log.h"
#include "base/utc.h"

static void log_renewed(void *context, const struct leasehold_event *event) {
    (void)context;
    char expiry[UTC_TEXT_BYTES];
    utc_format_iso8601(event->expires_ms, expiry);
    log_event(LOG_INFORMATION, "Lease %s renewed. New expiration: %s", event->lease_id, expiry);
}

static void log_renewal_failed(void *context, const struct leasehold_event *event) {
    (void)context;
    log_event(LOG_WARNING, "Lease %s could not be renewed (attempt %d, %s): %s", event->lease_id,
              event->attempt, event->will_retry ? "will be tried again" : "the last",
              event->reason);
}

static void log_lost(void *context, const struct leasehold_event *event) {
    (void)context;
    char last[UTC_TEXT_BYTES];
    utc_format_iso8601(event->last_renewal_ms, last);
    log_event(LOG_WARNING, "Lease %s lost: %s (%s, last renewed %s)", event->lease_id,
              event->reason, event->lease_name, last);
}

struct leasehold_listener lease_log_listener(void) {
    return (struct leasehold_listener){.renewed = log_renewed,
                                       .renewal_failed = log_renewal_failed,
                                       .lost = log_lost,
                                       .context = NULL};
}
