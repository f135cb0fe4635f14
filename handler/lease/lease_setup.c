#include "lease/lease_setup.h"

#include <stdio.h>
#include <string.h>

#include "lease/lease_names.h"

enum { MAX_TIMEOUT_MS = 600000, MAX_RETRY_MS = 60000, MAX_RETRIES = 100 };

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
    if (duration_s == LEASE_INFINITE_S) {
        return STATUS_OK;
    }
    return check_number("duration_s", duration_s, LEASE_MIN_DURATION_S, LEASE_MAX_DURATION_S, err);
}

static enum status check_numbers(const struct leasehold_options *options, struct error *err) {
    const struct {
        const char *what;
        int64_t value, least, most;
    } numbers[] = {
        {"renew_max_retries", options->renew_max_retries, 0, MAX_RETRIES},
        {"renew_retry_ms", options->renew_retry_ms, 1, MAX_RETRY_MS},
        {"acquire_timeout_ms", options->acquire_timeout_ms, 0, MAX_TIMEOUT_MS},
        {"acquire_retry_ms", options->acquire_retry_ms, 1, MAX_RETRY_MS},
    };
    enum status status = check_duration(options->duration_s, err);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && status == STATUS_OK; i++) {
        status =
            check_number(numbers[i].what, numbers[i].value, numbers[i].least, numbers[i].most, err);
    }
    if (status == STATUS_OK &&
        !(options->safety_threshold >= 0.5 && options->safety_threshold <= 0.95)) {
        status =
            error_set(err, STATUS_INVALID_ARGUMENT, "safety_threshold is %g; allowed: 0.5 to 0.95",
                      options->safety_threshold);
    }
    return status;
}

/* The interval becomes a part of the duration, since leases of other durations are renewed in the same proportion. */
static enum status set_renewal(const struct leasehold_options *options, struct lease_options *out,
                               struct error *err) {
    double duration_ms = options->duration_s * 1000.0;
    if (options->renew_interval_ms != LEASEHOLD_AUTO && options->duration_s != LEASEHOLD_INFINITE) {
        int64_t most = (int64_t)(options->safety_threshold * duration_ms + 0.5) - 1;
        out->renew_fraction = (double)options->renew_interval_ms / duration_ms;
        return check_number("renew_interval_ms", options->renew_interval_ms, 1, most, err);
    }
    if (out->renew_fraction >= options->safety_threshold) {
        out->renew_fraction = 0.75 * options->safety_threshold;
    }
    return STATUS_OK;
}

static enum status set_lease_options(const struct leasehold_options *options,
                                     struct lease_options *out, struct error *err) {
    out->auto_renew = options->auto_renew;
    out->duration_s = options->duration_s;
    out->renew_max_retries = options->renew_max_retries;
    out->renew_retry_ms = options->renew_retry_ms;
    out->safety_threshold = options->safety_threshold;
    out->acquire_timeout_ms = options->acquire_timeout_ms;
    out->acquire_retry_ms = options->acquire_retry_ms;
    enum status status = check_numbers(options, err);
    return status == STATUS_OK ? set_renewal(options, out, err) : status;
}

/* A name that is there already is refused: storage takes two headers of one name for a broken request. */
static enum status add_metadata(const struct leasehold_metadata *metadata, size_t *bytes,
                                struct http_headers *out, struct error *err) {
    const char *name = metadata->name, *value = metadata->value;
    bool valid = name != NULL && value != NULL && lease_metadata_name_is_valid(name) &&
                 lease_metadata_value_is_valid(value) && http_headers_get(out, name) == NULL;
    if (valid) {
        *bytes += strlen("lease_") + strlen(name) + strlen(value);
    }
    if (!valid || *bytes > LEASE_METADATA_MAX_BYTES) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "metadata %s is not allowed, or there twice; allowed: %s",
                         name != NULL ? name : "without a name", LEASE_METADATA_ALLOWED);
    }
    http_headers_add(out, name, value);
    return out->status == STATUS_OK ? STATUS_OK
                                    : error_set(err, out->status, "%s", status_text(out->status));
}

static enum status set_store_options(const struct leasehold_options *options,
                                     struct lease_store_blob_options *out, struct error *err) {
    enum status status = check_text("container", options->container, lease_container_is_valid,
                                    LEASE_CONTAINER_ALLOWED, err);
    if (status == STATUS_OK) {
        status = check_text("blob_prefix", options->blob_prefix, lease_prefix_is_valid,
                            LEASE_PREFIX_ALLOWED, err);
    }
    size_t bytes = 0;
    for (size_t i = 0; i < options->metadata_count && status == STATUS_OK; i++) {
        status = add_metadata(&options->metadata[i], &bytes, &out->metadata, err);
    }
    if (status == STATUS_OK) {
        snprintf(out->container, sizeof out->container, "%s", options->container);
        snprintf(out->blob_prefix, sizeof out->blob_prefix, "%s", options->blob_prefix);
        out->create_container = options->create_container;
    }
    return status;
}

enum status lease_setup_init(struct lease_setup *setup, const struct leasehold_options *options,
                             struct error *err) {
    *setup = (struct lease_setup){.lease = lease_options_default()};
    http_headers_init(&setup->store.metadata);
    enum status status = set_lease_options(options, &setup->lease, err);
    if (status == STATUS_OK) {
        status = set_store_options(options, &setup->store, err);
    }
    if (status == STATUS_OK && options->connection_string == NULL) {
        status = error_set(err, STATUS_INVALID_ARGUMENT, "connection_string is not set");
    }
    if (status == STATUS_OK) {
        status = storage_account_parse(options->connection_string, &setup->account, err);
    }
    return status;
}

void lease_setup_cleanup(struct lease_setup *setup) {
    http_headers_cleanup(&setup->store.metadata);
    storage_account_wipe(&setup->account);
}

enum status lease_setup_check_name(const char *name, struct error *err) {
    return check_text("name", name, lease_name_is_valid, LEASE_NAME_ALLOWED, err);
}

enum status lease_setup_check_request(const struct leasehold_request *request, struct error *err) {
    enum status status = lease_setup_check_name(request->name, err);
    if (status == STATUS_OK && request->duration_s != 0) {
        status = check_duration(request->duration_s, err);
    }
    if (status == STATUS_OK) {
        status = check_number("timeout_ms", request->timeout_ms, 0, MAX_TIMEOUT_MS, err);
    }
    return status;
}
