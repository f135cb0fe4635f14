#include "inventory/batch_known.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "inventory/inventory_store_wait.h"

enum {
    READ_AHEAD_MS = 30000, /* rows that expire within so much are read, so that they are at hand when they do */
    GATHER_MS = 1000,      /* what is not read by then is read in the next turn, so that nobody waits for all of it */
};

void batch_forget_look_ups(struct batch *batch) {
    for (struct inventory_request *request = batch_first(batch); request != NULL; request = batch_next(request)) {
        request->is_looked_up = request->has_record;
    }
}

void batch_forget(struct batch *batch) {
    product_state_cleanup(batch->state);
    batch->turn->is_fresh = false;
    batch->is_proved = false;
    batch_forget_look_ups(batch);
    for (struct inventory_request *request = batch_first(batch); request != NULL; request = batch_next(request)) {
        request->has_rows = false;
        request->is_included = false;
    }
}

/* What is known of the product is not what is stored. Under a lease that it was read under, that cannot be. */
enum status batch_note_change(struct batch *batch, struct error *err) {
    bool was_fresh = batch->turn->is_fresh;
    batch->turn->met_others = true;
    batch_forget(batch);
    if (!was_fresh) {
        return STATUS_OK;
    }
    char why[sizeof err->message];
    snprintf(why, sizeof why, "%s", err->message);
    return error_set(err, STATUS_LEASE_LOST, "somebody else has committed under our lease: %s", why);
}

bool batch_has_what_expired(const struct product_state *state, int64_t now_ms) {
    return now_ms < state->product.due_ms || now_ms <= state->complete_until_ms;
}

static enum status read_product(struct batch *batch, const struct inventory_request *with_rows_of, bool all,
                                struct product_state *out, struct error *err) {
    struct inventory_query query = {.all = all, .until_ms = batch->store->ops->now_ms(batch->store) + READ_AHEAD_MS};
    if (with_rows_of != NULL && with_rows_of->operation == INVENTORY_RELEASE) {
        query.reservation_id = with_rows_of->reservation_id;
        query.customer_id = query.reservation_id == NULL ? with_rows_of->customer_id : NULL;
    }
    enum status status = inventory_store_read_checked_and_wait(batch->store, batch->turn->product_id, &query, out, err);
    if (status == STATUS_OK) {
        out->complete_until_ms = query.until_ms; /* rows that expire later are not kept */
    }
    if (status != STATUS_PRECONDITION_FAILED) {
        return status;
    }
    error_wrap(err, "somebody else commits under our lease");
    return err->status = STATUS_LEASE_LOST;
}

bool batch_waits_for_look_up(const struct inventory_request *request) {
    return request->needs_look_up && !request->is_looked_up && !request->has_record;
}

/*
 * Whether the product is known well enough for this turn. What a refusal rests on has to be proved; and where others are expected
 * one read costs less than a commit that storage refuses, a probe, and that read.
 */
static bool is_known(const struct batch *batch) {
    bool refusal_ahead = batch_waits_for_look_up(batch_first(batch));
    bool is_outdated = batch->turn->expects_others && !batch->turn->is_fresh;
    return batch->state->etag[0] != '\0' && (batch->is_proved || !refusal_ahead) && !is_outdated &&
           batch_has_what_expired(batch->state, batch->store->ops->now_ms(batch->store));
}

/* Reads the product, and all its rows unless it follows from a version that was checked. */
static enum status read_checked(struct batch *batch, const struct inventory_request *with_rows_of, struct error *err) {
    struct product_mark *checked = batch->turn->checked;
    bool all = checked->version == 0;
    enum status status = read_product(batch, with_rows_of, all, batch->state, err);
    if (status == STATUS_OK && !all && !product_state_follows(batch->state, checked)) {
        if (batch->state->product.version < checked->version) {
            log_event(LOG_WARNING, "Product %s was made anew by somebody: its version was %lld and is %lld",
                      batch->turn->product_id, (long long)checked->version, (long long)batch->state->product.version);
        }
        status = read_product(batch, with_rows_of, true, batch->state, err);
    }
    if (status == STATUS_OK) {
        product_state_mark(batch->state, checked);
    } else if (status == STATUS_MALFORMED) {
        checked->version = 0;
    }
    return status;
}

void batch_note_commit(struct batch *batch) {
    product_state_mark(batch->state, batch->turn->checked);
}

enum status batch_know_product(struct batch *batch, struct error *err) {
    if (is_known(batch)) {
        return STATUS_OK;
    }
    struct inventory_request *first = NULL;
    for (struct inventory_request *request = batch_first(batch); request != NULL; request = batch_next(request)) {
        if (first == NULL && request->operation == INVENTORY_RELEASE && !request->has_record) {
            first = request;
        }
    }
    batch_forget(batch);
    enum status status = read_checked(batch, first, err);
    if (status == STATUS_MALFORMED && first != NULL) { /* it may be in the rows of that one alone */
        first = NULL;
        status = read_checked(batch, NULL, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    batch->turn->is_fresh = true;
    batch->is_proved = true;
    batch->turn->met_others = batch->turn->met_others ||
                              (batch->version_before != 0 && batch->state->product.version != batch->version_before);
    if (first != NULL) {
        first->has_rows = true;
    }
    return STATUS_OK;
}

/* Reads the rows that a release needs, of the very version that is known. *out_changed: that is no longer the stored one. */
static enum status read_rows(struct batch *batch, struct inventory_request *request, bool *out_changed,
                             struct error *err) {
    struct product_state rows;
    product_state_init(&rows);
    enum status status = read_product(batch, request, false, &rows, err);
    if (status == STATUS_OK) {
        *out_changed = strcmp(rows.etag, batch->state->etag) != 0;
        if (*out_changed) {
            error_set(err, STATUS_OK, "its version is %lld, not %lld", (long long)rows.product.version,
                      (long long)batch->state->product.version);
        } else {
            status = product_state_merge(batch->state, &rows);
            request->has_rows = status == STATUS_OK;
            batch->is_proved = true;
        }
    }
    product_state_cleanup(&rows);
    return status;
}

static enum status look_up(struct batch *batch, struct inventory_request *request, struct error *err) {
    enum status status = inventory_store_find_record_and_wait(batch->store, batch->turn->product_id, request->key_hash,
                                                              &request->record, err);
    request->is_looked_up = status == STATUS_OK || status == STATUS_NOT_FOUND;
    request->has_record = status == STATUS_OK;
    return request->is_looked_up ? STATUS_OK : status;
}

static enum status take_picture(struct batch *batch, struct inventory_request *request, struct error *err) {
    struct inventory_query query = {.all = true};
    enum status status =
        inventory_store_read_checked_and_wait(batch->store, batch->turn->product_id, &query, request->picture, err);
    request->has_rows = status == STATUS_OK;
    return status;
}

/* What this request needs beside the product. *out_changed as above. */
static enum status gather_for(struct batch *batch, struct inventory_request *request, bool *out_changed,
                              struct error *err) {
    enum status status = STATUS_OK;
    if (request->needs_look_up && !request->is_looked_up) {
        status = look_up(batch, request, err);
    }
    if (status != STATUS_OK || request->has_record || request->has_rows) {
        return status;
    }
    switch (request->operation) {
    case INVENTORY_RELEASE:
        return read_rows(batch, request, out_changed, err);
    case INVENTORY_READ:
        return take_picture(batch, request, err);
    case INVENTORY_RESERVE:
    case INVENTORY_EXPIRE:
    case INVENTORY_SET_TOTAL:
        break;
    }
    return STATUS_OK;
}

/* Is it this request's own failure, with which the others have nothing to do? */
static bool fails_alone(const struct inventory_request *request, enum status status) {
    return status == STATUS_MALFORMED || (status != STATUS_OK && request->operation == INVENTORY_READ);
}

enum status batch_gather(struct batch *batch, bool *out_changed, struct error *err) {
    int64_t until_ms = clock_now_ms(batch->context->clock) + GATHER_MS;
    enum status status = batch_know_product(batch, err);
    for (struct inventory_request *request = batch_first(batch); request != NULL; request = batch_next(request)) {
        if (status != STATUS_OK || *out_changed) {
            break;
        }
        request->is_gathered = request == batch_first(batch) || clock_now_ms(batch->context->clock) < until_ms;
        if (!request->is_gathered) {
            continue;
        }
        struct error failure = {.status = STATUS_OK};
        status = request->gathered = gather_for(batch, request, out_changed, &failure);
        if (fails_alone(request, status)) {
            request->failure = failure;
            status = STATUS_OK;
        } else if (status != STATUS_OK || *out_changed) {
            *err = failure;
        }
    }
    return status;
}
