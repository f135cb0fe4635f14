#include "leasectl/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/utc.h"
#include "leasectl/leases.h"
#include "leasectl/products.h"

enum { PERIOD_MS = 2000 };

/*
 * They enter the alternate screen and hide the cursor, undo both, and move home and erase. (Source:
 * "XTerm Control Sequences".)
 */
#define SCREEN_ENTER "\033[?1049h\033[?25l"
#define SCREEN_LEAVE "\033[?25h\033[?1049l"
#define SCREEN_CLEAR "\033[H\033[J"

/* ---- one snapshot ---- */

/* A snapshot is {"time","products":[{..., "leaseState"}, ...]}. */

static int by_lease(const void *a, const void *b) {
    return strcmp(json_string(*(const cJSON *const *)a, "lease"),
                  json_string(*(const cJSON *const *)b, "lease"));
}

/* Returns the rows, borrowed, sorted by their lease's name. The caller frees the array. */
static const cJSON **sort_leases(const cJSON *leases, size_t *out_count) {
    const cJSON **sorted = calloc((size_t)cJSON_GetArraySize(leases) + 1, sizeof *sorted);
    const cJSON *row;
    *out_count = 0;
    cJSON_ArrayForEach(row, leases) {
        if (sorted != NULL && json_string(row, "lease") != NULL) {
            sorted[(*out_count)++] = row;
        }
    }
    if (sorted != NULL) {
        qsort(sorted, *out_count, sizeof *sorted, by_lease);
    }
    return sorted;
}

/* Returns the state of the product's lease, or NULL if it never had one. */
static const char *lease_state(const cJSON *product, const cJSON *const *leases, size_t count) {
    char name[sizeof PRODUCT_LEASE_PREFIX + PRODUCT_ID_BYTES];
    snprintf(name, sizeof name, "%s%s", PRODUCT_LEASE_PREFIX, json_string(product, "productId"));
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(json_string(leases[middle], "lease"), name);
        if (order == 0) {
            return json_string(leases[middle], "state");
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

static bool add_lease_states(cJSON *products, const cJSON *leases) {
    size_t count;
    const cJSON **sorted = sort_leases(leases, &count);
    bool complete = sorted != NULL;
    cJSON *product;
    cJSON_ArrayForEach(product, products) {
        const char *state = complete ? lease_state(product, sorted, count) : NULL;
        complete = complete &&
                   (state == NULL ? cJSON_AddNullToObject(product, "leaseState")
                                  : cJSON_AddStringToObject(product, "leaseState", state)) != NULL;
    }
    free(sorted);
    return complete;
}

static enum status read_snapshot(struct services *services, cJSON **out, struct error *err) {
    char now[UTC_TEXT_BYTES];
    cJSON *products = NULL, *leases = NULL;
    enum status status = products_rows(services, &products, err);
    if (status == STATUS_OK) {
        status = leases_rows(services, &leases, err);
    }
    if (status == STATUS_OK) {
        utc_format_iso8601(services->table_store.base.ops->now_ms(&services->table_store.base),
                           now);
        cJSON *snapshot = cJSON_CreateObject();
        if (add_lease_states(products, leases) &&
            cJSON_AddStringToObject(snapshot, "time", now) != NULL &&
            cJSON_AddItemToObject(snapshot, "products", products)) {
            products = NULL; /* the snapshot owns them now */
            *out = snapshot;
        } else {
            cJSON_Delete(snapshot);
            status = error_set(err, STATUS_NO_MEMORY, "no memory for a snapshot");
        }
    }
    cJSON_Delete(products);
    cJSON_Delete(leases);
    return status;
}

/* ---- showing snapshots ---- */

/* Cuts the table so that the screen does not scroll. The time and the cursor need a line each. */
static void cut_to_screen(char *text) {
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 3) {
        return;
    }
    char *end = text;
    for (int line = 0; end != NULL && line < size.ws_row - 2; line++) {
        end = strchr(end, '\n');
        end = end == NULL ? NULL : end + 1;
    }
    if (end != NULL) {
        *end = '\0';
    }
}

static enum status show_snapshot(const struct output *output, const cJSON *snapshot,
                                 struct error *err) {
    static const struct table_column columns[] = {
        {"productId", "PRODUCT", false},
        {"totalQuantity", "TOTAL", true},
        {"availableQuantity", "AVAILABLE", true},
        {"reservedQuantity", "RESERVED", true},
        {"version", "VERSION", true},
        {"leaseState", "LEASE", false},
    };
    if (output->json) {
        return output_json(snapshot, err);
    }
    char *table =
        table_text(columns, sizeof columns / sizeof columns[0],
                   cJSON_GetObjectItemCaseSensitive(snapshot, "products"), output->on_terminal);
    char *text = NULL;
    if (table != NULL && output->on_terminal) {
        cut_to_screen(table);
    }
    if (table == NULL ||
        asprintf(&text, "%s%s\n%s%s", output->on_terminal ? SCREEN_CLEAR : "",
                 json_string(snapshot, "time"), table, output->on_terminal ? "" : "\n") < 0) {
        text = NULL;
    }
    enum status status = output_text(text, err);
    free(table);
    free(text);
    return status;
}

static enum status show_failure(const struct output *output, const struct error *failure,
                                struct error *err) {
    if (!output->on_terminal) {
        fprintf(stderr, "leasectl: %s\n", failure->message);
        return STATUS_OK;
    }
    enum status status = output_text(SCREEN_CLEAR, err);
    if (status == STATUS_OK) {
        status = output_text(failure->message, err);
    }
    return status == STATUS_OK ? output_text("\n", err) : status;
}

static enum status watch_once(struct services *services, const struct output *output,
                              struct error *err) {
    cJSON *snapshot = NULL;
    struct error failure = {.status = STATUS_OK};
    enum status status = read_snapshot(services, &snapshot, &failure);
    if (status == STATUS_OK) {
        status = show_snapshot(output, snapshot, err);
    } else {
        status = status == STATUS_CANCELLED ? STATUS_OK : show_failure(output, &failure, err);
    }
    cJSON_Delete(snapshot);
    return status;
}

enum status watch_run(struct services *services, const struct output *output,
                      struct interrupt *interrupt, struct error *err) {
    bool is_screen = output->on_terminal && !output->json;
    struct output shown = {.json = output->json, .on_terminal = is_screen};
    enum status status = is_screen ? output_text(SCREEN_ENTER, err) : STATUS_OK;
    while (status == STATUS_OK) {
        status = watch_once(services, &shown, err);
        if (interrupt_wait(interrupt, status == STATUS_OK ? PERIOD_MS : 0)) {
            break;
        }
    }
    if (is_screen && output_text(SCREEN_LEAVE, status == STATUS_OK ? err : NULL) != STATUS_OK &&
        status == STATUS_OK) {
        status = STATUS_UNAVAILABLE;
    }
    return status;
}
