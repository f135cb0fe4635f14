#include "lease/lease_options.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lease/lease_names.h"

#define MIN_SAFETY_THRESHOLD 0.5
#define MAX_SAFETY_THRESHOLD 0.95

struct leasehold_options lease_options_default(void) {
    return (struct leasehold_options){
        .container = "leases",
        .blob_prefix = "lease-",
        .create_container = true,
        .duration_s = 30,
        .auto_renew = true,
        .renew_interval_ms = LEASEHOLD_AUTO,
        .renew_max_retries = 3,
        .renew_retry_ms = 1000,
        .safety_threshold = 0.9,
        .acquire_timeout_ms = 10000,
        .acquire_retry_ms = 50,
    };
}

/* ---- times ---- */

/* Rounds, because a part that was made from whole milliseconds must become them again. */
static int64_t part_ms(int duration_s, double part) {
    return (int64_t)(part * duration_s * 1000 + 0.5);
}

int64_t lease_options_safe_for_ms(const struct leasehold_options *options, int duration_s) {
    return duration_s == LEASEHOLD_INFINITE ? INT64_MAX
                                            : part_ms(duration_s, options->safety_threshold);
}

int64_t lease_options_max_renew_interval_ms(const struct leasehold_options *options) {
    int64_t safe_for_ms = lease_options_safe_for_ms(options, options->duration_s);
    return safe_for_ms == INT64_MAX ? INT64_MAX : safe_for_ms - 1;
}

/*
 * LEASEHOLD_AUTO is two thirds of the duration. If safety_threshold is set so low that the safe
 * deadline comes before that, it is three quarters of the time until the deadline.
 */
static double renew_part(const struct leasehold_options *options) {
    if (options->renew_interval_ms != LEASEHOLD_AUTO && options->duration_s != LEASEHOLD_INFINITE) {
        return (double)options->renew_interval_ms / (options->duration_s * 1000.0);
    }
    return 2.0 / 3.0 < options->safety_threshold ? 2.0 / 3.0 : 0.75 * options->safety_threshold;
}

int64_t lease_options_renew_after_ms(const struct leasehold_options *options, int duration_s) {
    return part_ms(duration_s, renew_part(options));
}

/* ---- checks ---- */

bool lease_duration_is_valid(int64_t duration_s) {
    return duration_s == LEASEHOLD_INFINITE ||
           (duration_s >= LEASE_MIN_DURATION_S && duration_s <= LEASE_MAX_DURATION_S);
}

/* Refuses NaN too. */
bool lease_safety_threshold_is_valid(double threshold) {
    return threshold >= MIN_SAFETY_THRESHOLD && threshold <= MAX_SAFETY_THRESHOLD;
}

static enum status check_number(const char *what, int64_t value, int64_t least, int64_t most,
                                struct error *err) {
    if (value >= least && value <= most) {
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID_ARGUMENT, "%s is %lld; allowed: %lld to %lld", what,
                     (long long)value, (long long)least, (long long)most);
}

static enum status check_text(const char *what, const char *value,
                              bool (*is_valid)(const char *value), const char *allowed,
                              struct error *err) {
    if (value != NULL && is_valid(value)) {
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID_ARGUMENT, "%s is %s; allowed: %s", what,
                     value != NULL ? value : "not set", allowed);
}

static enum status check_duration(int duration_s, struct error *err) {
    return lease_duration_is_valid(duration_s)
               ? STATUS_OK
               : check_number("duration_s", duration_s, LEASE_MIN_DURATION_S, LEASE_MAX_DURATION_S,
                              err);
}

static enum status check_numbers(const struct leasehold_options *options, struct error *err) {
    const struct {
        const char *what;
        int64_t value, least, most;
    } numbers[] = {
        {"renew_max_retries", options->renew_max_retries, 0, LEASE_MAX_RENEW_RETRIES},
        {"renew_retry_ms", options->renew_retry_ms, LEASE_MIN_RETRY_MS, LEASE_MAX_RETRY_MS},
        {"acquire_timeout_ms", options->acquire_timeout_ms, 0, LEASE_MAX_ACQUIRE_TIMEOUT_MS},
        {"acquire_retry_ms", options->acquire_retry_ms, LEASE_MIN_RETRY_MS, LEASE_MAX_RETRY_MS},
    };
    enum status status = check_duration(options->duration_s, err);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && status == STATUS_OK; i++) {
        status =
            check_number(numbers[i].what, numbers[i].value, numbers[i].least, numbers[i].most, err);
    }
    return status;
}

static enum status check_renewal(const struct leasehold_options *options, struct error *err) {
    if (!lease_safety_threshold_is_valid(options->safety_threshold)) {
        return error_set(err, STATUS_INVALID_ARGUMENT, "safety_threshold is %g; allowed: %g to %g",
                         options->safety_threshold, MIN_SAFETY_THRESHOLD, MAX_SAFETY_THRESHOLD);
    }
    if (options->renew_interval_ms == LEASEHOLD_AUTO || options->duration_s == LEASEHOLD_INFINITE) {
        return STATUS_OK;
    }
    return check_number("renew_interval_ms", options->renew_interval_ms, 1,
                        lease_options_max_renew_interval_ms(options), err);
}

/* Whether the item has the name of one before it. Names of headers have no case. */
static bool is_repeated(const struct leasehold_metadata *metadata, size_t index) {
    for (size_t i = 0; i < index; i++) {
        if (strcasecmp(metadata[i].name, metadata[index].name) == 0) {
            return true;
        }
    }
    return false;
}

/* A repeated name is refused because storage takes two headers of one name for a broken request. */
static enum status check_metadata(const struct leasehold_metadata *metadata, size_t count,
                                  struct error *err) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = metadata[i].name, *value = metadata[i].value;
        bool is_valid = name != NULL && value != NULL && lease_metadata_is_valid(name, value) &&
                        !is_repeated(metadata, i);
        bytes += is_valid ? lease_metadata_bytes(name, value) : 0;
        if (!is_valid || bytes > LEASE_METADATA_MAX_BYTES) {
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "metadata %s is not allowed, or there twice; allowed: %s",
                             name != NULL ? name : "without a name", LEASE_METADATA_ALLOWED);
        }
    }
    return STATUS_OK;
}

enum status lease_options_check(const struct leasehold_options *options, struct error *err) {
    enum status status = check_numbers(options, err);
    if (status == STATUS_OK) {
        status = check_renewal(options, err);
    }
    if (status == STATUS_OK) {
        status = check_text("container", options->container, lease_container_is_valid,
                            LEASE_CONTAINER_ALLOWED, err);
    }
    if (status == STATUS_OK) {
        status = check_text("blob_prefix", options->blob_prefix, lease_prefix_is_valid,
                            LEASE_PREFIX_ALLOWED, err);
    }
    if (status == STATUS_OK) {
        status = check_metadata(options->metadata, options->metadata_count, err);
    }
    return status;
}

enum status lease_request_check_name(const char *name, struct error *err) {
    return check_text("name", name, lease_name_is_valid, LEASE_NAME_ALLOWED, err);
}

enum status lease_request_check(const struct leasehold_request *request, struct error *err) {
    enum status status = lease_request_check_name(request->name, err);
    if (status == STATUS_OK && request->duration_s != 0) {
        status = check_duration(request->duration_s, err);
    }
    if (status == STATUS_OK) {
        status =
            check_number("timeout_ms", request->timeout_ms, 0, LEASE_MAX_ACQUIRE_TIMEOUT_MS, err);
    }
    return status;
}

/* ---- copies ---- */

static char *copy_text(char **room, const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = memcpy(*room, text, bytes);
    *room += bytes;
    return copy;
}

/* All of a copy is one block, which begins with the metadata. */
enum status lease_options_copy(const struct leasehold_options *options,
                               struct leasehold_options *out, struct error *err) {
    size_t count = options->metadata_count;
    size_t bytes = strlen(options->container) + strlen(options->blob_prefix) + 2;
    for (size_t i = 0; i < count; i++) {
        bytes += strlen(options->metadata[i].name) + strlen(options->metadata[i].value) + 2;
    }
    struct leasehold_metadata *metadata = malloc(count * sizeof *metadata + bytes);
    if (metadata == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for the options of leases");
    }
    char *room = (char *)(metadata + count);
    *out = *options;
    out->connection_string = NULL;
    out->container = copy_text(&room, options->container);
    out->blob_prefix = copy_text(&room, options->blob_prefix);
    out->metadata = metadata;
    for (size_t i = 0; i < count; i++) {
        metadata[i].name = copy_text(&room, options->metadata[i].name);
        metadata[i].value = copy_text(&room, options->metadata[i].value);
    }
    return STATUS_OK;
}

void lease_options_cleanup(struct leasehold_options *options) {
    free((void *)(uintptr_t)options->metadata);
    *options = (struct leasehold_options){0};
}
