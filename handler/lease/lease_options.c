#include "lease/lease_options.h"

struct lease_options lease_options_default(void) {
    return (struct lease_options){
        .auto_renew = true,
        .duration_s = 30,
        .renew_fraction = 2.0 / 3.0,
        .renew_max_retries = 3,
        .renew_retry_ms = 1000,
        .safety_threshold = 0.9,
        .acquire_timeout_ms = 10000,
        .acquire_retry_ms = 50,
    };
}
