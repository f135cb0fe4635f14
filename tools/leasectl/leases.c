#include "leasectl/leases.h"

#include <string.h>

#include "leasectl/blob_list.h"
#include "storage/blob_client.h"

enum {
    LISTING_MS = 30000, /* for all pages */
    BREAK_MS = 30000,
};

struct listing {
    size_t prefix_length;
    cJSON *rows;
};

static bool add_text(cJSON *row, const char *name, const char *text) {
    return (text[0] == '\0' ? cJSON_AddNullToObject(row, name)
                            : cJSON_AddStringToObject(row, name, text)) != NULL;
}

static enum status list_blob(void *context, const struct blob_item *item, struct error *err) {
    struct listing *listing = context;
    cJSON *row = cJSON_CreateObject();
    bool complete = strlen(item->name) >= listing->prefix_length &&
                    add_text(row, "lease", item->name + listing->prefix_length) &&
                    add_text(row, "state", item->lease_state) &&
                    add_text(row, "duration", item->lease_duration) &&
                    add_text(row, "createdAt", item->created_at);
    if (!complete || !cJSON_AddItemToArray(listing->rows, row)) {
        cJSON_Delete(row);
        return error_set(err, STATUS_NO_MEMORY, "no memory for a list of leases");
    }
    return STATUS_OK;
}

enum status leases_rows(struct services *services, cJSON **out, struct error *err) {
    const struct leasehold_options *options = &services->settings.lease;
    struct listing listing = {.prefix_length = strlen(options->blob_prefix),
                              .rows = cJSON_CreateArray()};
    enum status status =
        blob_list(&services->storage, options->container, options->blob_prefix,
                  clock_now_ms(services->platform.clock) + LISTING_MS, list_blob, &listing, err);
    /* The first lease creates the container. */
    if (status == STATUS_CONTAINER_NOT_FOUND && listing.rows != NULL) {
        status = STATUS_OK;
    }
    if (status == STATUS_OK) {
        *out = listing.rows;
    } else {
        cJSON_Delete(listing.rows);
    }
    if (status == STATUS_MALFORMED) {
        error_wrap(err, "%.128s/%s", services->settings.account.blob_endpoint, options->container);
    }
    return status;
}

enum status leases_list(struct services *services, const struct output *output, struct error *err) {
    static const struct table_column columns[] = {
        {"lease", "LEASE", false},
        {"state", "STATE", false},
        {"duration", "DURATION", false},
        {"createdAt", "CREATED AT", false},
    };
    cJSON *rows = NULL;
    enum status status = leases_rows(services, &rows, err);
    if (status == STATUS_OK) {
        status = output_rows(output, columns, sizeof columns / sizeof columns[0], rows, err);
    }
    cJSON_Delete(rows);
    return status;
}

/* The lease manager is not used here, because it accepts only names of our own leases. */
static enum status break_blob(struct services *services, const char *name, struct error *err) {
    const struct leasehold_options *options = &services->settings.lease;
    struct strbuf blob;
    strbuf_init(&blob, BLOB_LIST_TEXT_BYTES);
    strbuf_appendf(&blob, "%s%s", options->blob_prefix, name);
    enum status status = strbuf_status(&blob);
    if (status == STATUS_OK) {
        status = blob_lease_break(&services->storage, options->container, blob.data,
                                  clock_now_ms(services->platform.clock) + BREAK_MS, err);
    } else {
        error_set(err, status, "%s", status_text(status));
    }
    strbuf_cleanup(&blob);
    return status;
}

enum status leases_break(struct services *services, const struct output *output, const char *name,
                         struct error *err) {
    enum status status = break_blob(services, name, err);
    if (status == STATUS_LEASE_LOST) {
        return error_set(err, STATUS_NOT_FOUND, "nobody holds the lease %s", name);
    }
    if (status == STATUS_NOT_FOUND || status == STATUS_CONTAINER_NOT_FOUND) {
        return error_set(err, STATUS_NOT_FOUND,
                         "there is no lease %s; leasectl leases list shows their names", name);
    }
    if (status != STATUS_OK) {
        error_wrap(err, "breaking the lease %s", name);
        return status;
    }
    if (!output->json) {
        return output_text("Broken. Changes that its holder had not committed will fail.\n", err);
    }
    cJSON *row = cJSON_CreateObject();
    bool complete = cJSON_AddStringToObject(row, "lease", name) != NULL &&
                    cJSON_AddTrueToObject(row, "broken") != NULL;
    status = output_json(complete ? row : NULL, err);
    cJSON_Delete(row);
    return status;
}
