#include "inventory/inventory_batch.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

enum {
    COMMIT_MS = 5000,      /* a commit ends within so much, and starts only with that much of its lease left */
    READ_AHEAD_MS = 30000, /* rows that expire within so much are read, so that they are at hand when they do */
    GATHER_MS = 1000,      /* what is not read by then is read in the next turn, so that nobody waits for all of it */
    MAX_ROUNDS = 5,        /* each is caused by another instance, or by a key that was used before */
    KEEP_MS = (24 * 60 + 10) * 60 * 1000, /* 24 hours from the answer on, which follows this by less than 10 minutes */
};

struct batch {
    const struct inventory_batch_context *context;
    struct inventory_store *store;
    struct product_turn *turn;
    struct product_state *state;
    int64_t version_before; /* that was known when the turn began; 0: none */
    int64_t now_ms;         /* storage's time at which all is decided */
    bool is_proved;         /* the state has been read since all who are served had come */
    enum status decided;    /* STATUS_OK, or why what was decided is not whole and may not be committed */
};

static struct inventory_request *first_request(const struct batch *batch) {
    return (struct inventory_request *)TAILQ_FIRST(&batch->turn->entries);
}

static struct inventory_request *next_request(const struct inventory_request *request) {
    return (struct inventory_request *)TAILQ_NEXT(&request->entry, link);
}

/* ---- what is known of the product ---- */

/* That there was no record under a key is true of the product as it was then: a later one may come from that very key. */
static void forget_look_ups(struct batch *batch) {
    for (struct inventory_request *request = first_request(batch); request != NULL; request = next_request(request)) {
        request->is_looked_up = request->has_record;
    }
}

static void forget(struct batch *batch) {
    product_state_release(batch->state);
    batch->turn->is_fresh = false;
    batch->is_proved = false;
    forget_look_ups(batch);
    for (struct inventory_request *request = first_request(batch); request != NULL; request = next_request(request)) {
        request->has_rows = false;
        request->is_included = false;
    }
}

/* What is known of the product is not what is stored. Under a lease that it was read under, that cannot be. */
static enum status note_change(struct batch *batch, struct error *err) {
    bool was_fresh = batch->turn->is_fresh;
    batch->turn->met_others = true;
    forget(batch);
    if (!was_fresh) {
        return STATUS_OK;
    }
    char why[sizeof err->message];
    snprintf(why, sizeof why, "%s", err->message);
    return error_set(err, STATUS_LEASE_LOST, "somebody else has committed under our lease: %s", why);
}

/* Does the state hold all that has expired at `now_ms`? */
static bool has_what_expired(const struct product_state *state, int64_t now_ms) {
    return now_ms < state->product.due_ms || now_ms <= state->complete_until_ms;
}

static enum status read_product(struct batch *batch, const struct inventory_request *with_rows_of,
                                struct product_state *out, struct error *err) {
    struct inventory_query query = {.until_ms = batch->store->ops->now_ms(batch->store) + READ_AHEAD_MS};
    if (with_rows_of != NULL && with_rows_of->operation == INVENTORY_RELEASE) {
        query.reservation_id = with_rows_of->reservation_id;
        query.customer_id = query.reservation_id == NULL ? with_rows_of->customer_id : NULL;
    }
    enum status status = batch->store->ops->read(batch->store, batch->turn->product_id, &query, out, err);
    if (status != STATUS_PRECONDITION_FAILED) {
        return status;
    }
    error_wrap(err, "somebody else commits under our lease");
    return err->status = STATUS_LEASE_LOST;
}

static bool waits_for_look_up(const struct inventory_request *request) {
    return request->needs_look_up && !request->is_looked_up && !request->has_record;
}

/* Is the product known well enough for this turn? A refusal needs more than a success: see must_be_proved. */
static bool is_known(const struct batch *batch) {
    bool refusal_ahead = waits_for_look_up(first_request(batch));
    return batch->state->token[0] != '\0' && (batch->is_proved || !refusal_ahead) &&
           has_what_expired(batch->state, batch->store->ops->now_ms(batch->store));
}

/* Reads the product unless it is known well enough; with the rows of the first request that needs its own. */
static enum status know_product(struct batch *batch, struct error *err) {
    if (is_known(batch)) {
        return STATUS_OK;
    }
    struct inventory_request *first = NULL;
    for (struct inventory_request *request = first_request(batch); request != NULL; request = next_request(request)) {
        if (first == NULL && request->operation == INVENTORY_RELEASE && !request->has_record) {
            first = request;
        }
    }
    forget(batch);
    enum status status = read_product(batch, first, batch->state, err);
    if (status == STATUS_MALFORMED && first != NULL) { /* it may be in the rows of that one alone */
        first = NULL;
        status = read_product(batch, NULL, batch->state, err);
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
    enum status status = read_product(batch, request, &rows, err);
    if (status == STATUS_OK) {
        *out_changed = strcmp(rows.token, batch->state->token) != 0;
        if (*out_changed) {
            error_set(err, STATUS_OK, "its version is %lld, not %lld", (long long)rows.product.version,
                      (long long)batch->state->product.version);
        } else {
            status = product_state_merge(batch->state, &rows);
            request->has_rows = status == STATUS_OK;
            batch->is_proved = true;
        }
    }
    product_state_release(&rows);
    return status;
}

static enum status look_up(struct batch *batch, struct inventory_request *request, struct error *err) {
    enum status status =
        batch->store->ops->find_record(batch->store, batch->turn->product_id, request->key_hash, &request->record, err);
    request->is_looked_up = status == STATUS_OK || status == STATUS_NOT_FOUND;
    request->has_record = status == STATUS_OK;
    return request->is_looked_up ? STATUS_OK : status;
}

static enum status take_picture(struct batch *batch, struct inventory_request *request, struct error *err) {
    struct inventory_query query = {.all = true};
    enum status status = batch->store->ops->read(batch->store, batch->turn->product_id, &query, request->picture, err);
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
        break;
    }
    return STATUS_OK;
}

/* Is it this request's own failure, with which the others have nothing to do? */
static bool fails_alone(const struct inventory_request *request, enum status status) {
    return status == STATUS_MALFORMED || (status != STATUS_OK && request->operation == INVENTORY_READ);
}

static enum status gather(struct batch *batch, bool *out_changed, struct error *err) {
    int64_t until_ms = clock_now_ms(batch->context->clock) + GATHER_MS;
    enum status status = know_product(batch, err);
    for (struct inventory_request *request = first_request(batch); request != NULL; request = next_request(request)) {
        if (status != STATUS_OK || *out_changed) {
            break;
        }
        request->is_gathered = request == first_request(batch) || clock_now_ms(batch->context->clock) < until_ms;
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

/* ---- deciding: each answers whether the request is included; if not, it waits for the next turn ---- */

/* The same request, carried out before or earlier in this batch. */
static bool repeat(struct inventory_request *request, const struct idempotency_record *record) {
    request->is_repeat = true;
    if (strcmp(record->request_hash, request->request_hash) != 0) {
        request->status = error_set(&request->failure, STATUS_KEY_REUSED, "its key was used for another request");
        return true;
    }
    request->units = record->quantity;
    request->available = record->available;
    request->version = record->version;
    request->reservation = (struct reservation){
        .quantity = record->quantity, .reserved_ms = record->reserved_ms, .expires_ms = record->expires_ms};
    snprintf(request->reservation.id, sizeof request->reservation.id, "%s", record->reservation_id);
    return true;
}

static const struct idempotency_record *find_record(const struct batch *batch,
                                                    const struct inventory_request *request) {
    if (request->has_record) {
        return &request->record;
    }
    for (size_t i = 0; i < batch->state->record_count && request->key_hash[0] != '\0'; i++) {
        if (strcmp(batch->state->records[i].key_hash, request->key_hash) == 0) {
            return &batch->state->records[i];
        }
    }
    return NULL;
}

static bool has_room(const struct batch *batch, const struct inventory_request *request, int changes) {
    int keys = request->key_hash[0] != '\0';
    return batch->state->change_count + changes + keys <= INVENTORY_MAX_CHANGES;
}

/* With nothing to grant: refused, unless its key may say that it was granted before. */
static bool refuse(const struct batch *batch, struct inventory_request *request) {
    request->needs_look_up = request->key_hash[0] != '\0';
    request->available = inventory_available(batch->state, batch->now_ms);
    return !request->needs_look_up || request->is_looked_up;
}

/* Carried out: notes the answer, and keeps it for repeats. */
static bool grant(struct batch *batch, struct inventory_request *request, int64_t units, const char *reservation_id) {
    request->units = units;
    request->available = inventory_available(batch->state, batch->now_ms);
    if (request->key_hash[0] == '\0') {
        return true;
    }
    struct idempotency_record record = {.quantity = units,
                                        .available = request->available,
                                        .version = batch->state->product.version + 1,
                                        .reserved_ms = request->reservation.reserved_ms,
                                        .expires_ms = request->reservation.expires_ms,
                                        .keep_until_ms = batch->now_ms + KEEP_MS};
    memcpy(record.key_hash, request->key_hash, sizeof record.key_hash);
    memcpy(record.request_hash, request->request_hash, sizeof record.request_hash);
    snprintf(record.reservation_id, sizeof record.reservation_id, "%s", reservation_id);
    batch->decided =
        product_state_add_record(batch->state, &record); /* without it a repeat would be carried out again */
    return batch->decided == STATUS_OK;
}

static bool reserve(struct batch *batch, struct inventory_request *request) {
    if (!has_room(batch, request, 1)) {
        return false;
    }
    const struct reservation *reservation = NULL;
    bool reserved = false;
    if (request->quantity > batch->state->product.available) {
        inventory_expire(batch->state, batch->now_ms, 2);
    }
    request->status = inventory_reserve(batch->state, request->customer_id, request->quantity, batch->now_ms,
                                        batch->context->reservation_lifetime_ms, &reserved, &reservation);
    if (request->status != STATUS_OK) {
        error_set(&request->failure, request->status, "making a reservation");
        return true;
    }
    if (reserved) {
        request->reservation = *reservation;
        return grant(batch, request, request->quantity, reservation->id);
    }
    /* More may have expired than one transaction can take away. */
    return !inventory_has_expired(batch->state, batch->now_ms) && refuse(batch, request);
}

static bool release(struct batch *batch, struct inventory_request *request) {
    int changes = inventory_release_changes(batch->state, request->customer_id, request->reservation_id,
                                            request->quantity, batch->now_ms);
    bool is_first = batch->state->change_count == 0;
    if (!is_first && !has_room(batch, request, changes)) {
        return false;
    }
    int keys = request->key_hash[0] != '\0';
    int64_t units = inventory_release(batch->state, request->customer_id, request->reservation_id, request->quantity,
                                      batch->now_ms, keys);
    if (units == 0) {
        return refuse(batch, request);
    }
    return grant(batch, request, units, request->reservation_id == NULL ? "" : request->reservation_id);
}

/* Included when nothing expired is left; what it takes away before is committed all the same. */
static bool expire(struct batch *batch, struct inventory_request *request) {
    request->units += inventory_expire(batch->state, batch->now_ms, 0);
    request->available = inventory_available(batch->state, batch->now_ms);
    return !inventory_has_expired(batch->state, batch->now_ms);
}

static bool decide_one(struct batch *batch, struct inventory_request *request) {
    const struct idempotency_record *record = find_record(batch, request);
    request->status = request->gathered;
    request->is_repeat = false;
    if (request->status != STATUS_OK) {
        return true;
    }
    if (record != NULL) {
        return repeat(request, record);
    }
    switch (request->operation) {
    case INVENTORY_RESERVE:
        return reserve(batch, request);
    case INVENTORY_RELEASE:
        return release(batch, request);
    case INVENTORY_EXPIRE:
        return expire(batch, request);
    case INVENTORY_READ:
        break;
    }
    return true;
}

/* Would it, as things are, be refused, or can only its rows tell? */
static bool may_be_refused(const struct batch *batch, const struct inventory_request *request) {
    return request->operation == INVENTORY_RELEASE || request->quantity > batch->state->product.available;
}

/* In order of arrival, up to the first that has to wait. If that is for a look-up, others will need one: they have it together. */
static void decide(struct batch *batch) {
    batch->now_ms = batch->store->ops->now_ms(batch->store);
    batch->decided = STATUS_OK;
    bool included = true, look_up = false;
    for (struct inventory_request *request = first_request(batch); request != NULL; request = next_request(request)) {
        request->units = 0;
        included = included && request->is_gathered && decide_one(batch, request);
        request->is_included = included;
        look_up = look_up || (!included && waits_for_look_up(request));
        if (look_up && request->key_hash[0] != '\0' && may_be_refused(batch, request)) {
            request->needs_look_up = true;
        }
    }
    if (batch->state->change_count > 0) {
        inventory_expire(batch->state, batch->now_ms, 0); /* on the way */
    }
}

/* ---- committing ---- */

static enum status commit(struct batch *batch, struct error *err) {
    int64_t safe_until_ms = 0;
    enum status status =
        lease_manager_ensure(batch->context->leases, batch->turn->lease, COMMIT_MS, &safe_until_ms, err);
    if (status != STATUS_OK) {
        error_wrap(err, "before the commit");
        return status;
    }
    int64_t deadline_ms = clock_now_ms(batch->context->clock) + COMMIT_MS;
    if (deadline_ms > safe_until_ms) { /* time has passed since it was asked */
        deadline_ms = safe_until_ms;
    }
    return batch->store->ops->commit(batch->store, batch->state, deadline_ms, err);
}

/* A key of this batch was used before: each is looked up before all is decided anew. */
static void look_up_all(struct batch *batch) {
    for (struct inventory_request *request = first_request(batch); request != NULL; request = next_request(request)) {
        request->needs_look_up = request->key_hash[0] != '\0';
    }
    forget(batch);
}

/*
 * With nothing to commit: is there an answer that rests on the product as it was known before it was asked for? That it was
 * read under this very lease proves nothing: the lease may have been broken since.
 */
static bool must_be_proved(const struct batch *batch) {
    bool rests = false;
    for (struct inventory_request *request = first_request(batch); request != NULL; request = next_request(request)) {
        rests = rests || (request->is_included && !request->is_repeat && request->gathered == STATUS_OK &&
                          request->operation != INVENTORY_READ);
    }
    return rests && !batch->is_proved;
}

static bool must_be_decided_again(const struct batch *batch) {
    if (!has_what_expired(batch->state, batch->now_ms)) {
        return true; /* time has passed since it was read */
    }
    if (batch->state->change_count > 0) {
        return false; /* the commit proves all */
    }
    return must_be_proved(batch) || !first_request(batch)->is_included; /* which waits for a look-up alone */
}

/* One attempt at serving all. *out_again: what was known has proved wrong, and it is to be tried again. */
static enum status attempt(struct batch *batch, bool *out_again, struct error *err) {
    bool changed = false;
    enum status status = gather(batch, &changed, err);
    if (status == STATUS_OK && !changed) {
        decide(batch);
        if (batch->decided != STATUS_OK) {
            return error_set(err, batch->decided, "deciding: %s", status_text(batch->decided));
        }
        if (must_be_decided_again(batch)) {
            *out_again = true;
            if (batch->state->change_count > 0 || !batch->is_proved) {
                forget(batch);
            }
            return STATUS_OK;
        }
        if (batch->state->change_count == 0) {
            return STATUS_OK;
        }
        status = commit(batch, err);
        changed = status == STATUS_PRECONDITION_FAILED;
    }
    if (changed) {
        status = note_change(batch, err);
        *out_again = status == STATUS_OK;
    } else if (status == STATUS_ALREADY_EXISTS) {
        look_up_all(batch);
        *out_again = true;
        status = STATUS_OK;
    }
    return status;
}

/* The simulated work; ends early, with its status, when the lease is lost or the program stops. */
static enum status work(struct batch *batch, struct error *err) {
    bool changes = false;
    for (struct inventory_request *request = first_request(batch); request != NULL; request = next_request(request)) {
        changes = changes || request->operation == INVENTORY_RESERVE || request->operation == INVENTORY_RELEASE;
    }
    int64_t duration_ms = batch->context->processing_time_ms;
    if (!changes || duration_ms == 0) {
        return STATUS_OK;
    }
    enum status status = know_product(batch, err); /* work on a product that is there */
    return status == STATUS_OK ? lease_manager_wait(batch->context->leases, batch->turn->lease, duration_ms, err)
                               : status;
}

static enum status serve(struct batch *batch, struct error *err) {
    bool again = true;
    enum status status = work(batch, err);
    for (int round = 0; status == STATUS_OK && again; round++) {
        if (round == MAX_ROUNDS) {
            return error_set(err, STATUS_LEASE_LOST, "the product keeps changing under our leases");
        }
        again = false;
        status = attempt(batch, &again, err);
    }
    return status;
}

/* ---- answering ---- */

static void log_success(const struct batch *batch, const struct inventory_request *request) {
    if (request->units == 0 || request->is_repeat) {
        return;
    }
    if (request->operation == INVENTORY_RESERVE) {
        log_event(LOG_INFORMATION, "✓ Successfully reserved %lld units of %s. Reservation: %s Renewal count: %d",
                  (long long)request->units, batch->turn->product_id, request->reservation.id, request->renewal_count);
    } else if (request->operation == INVENTORY_RELEASE) {
        log_event(LOG_INFORMATION, "✓ Successfully released %lld units of %s. Renewal count: %d",
                  (long long)request->units, batch->turn->product_id, request->renewal_count);
    }
}

/* The whole batch shares the failure: what was not included could not have fared better. */
static void fail_all(struct batch *batch, enum status status, const struct error *failure) {
    for (struct inventory_request *request = first_request(batch); request != NULL; request = next_request(request)) {
        request->entry.served = true;
        request->status = status;
        request->failure = *failure;
    }
}

static void answer(struct batch *batch) {
    int renewals = lease_manager_renewal_count(batch->context->leases, batch->turn->lease);
    for (struct inventory_request *request = first_request(batch); request != NULL; request = next_request(request)) {
        if (request->operation == INVENTORY_EXPIRE) { /* committed, whether that was all or not */
            request->expired_count += (int)request->units;
        }
        if (!request->is_included) {
            continue;
        }
        request->entry.served = true;
        request->renewal_count = renewals - batch->turn->renewals_before;
        if (!request->is_repeat || request->version == 0) {
            request->version = batch->state->product.version;
        }
        log_success(batch, request);
    }
}

/* Rows that were read for a request that waits for the next turn are kept for it. */
static void trim(struct batch *batch) {
    for (struct inventory_request *request = first_request(batch); request != NULL; request = next_request(request)) {
        if (request->has_rows && !request->entry.served && request->operation == INVENTORY_RELEASE) {
            return;
        }
    }
    product_state_trim(batch->state);
}

void inventory_batch_serve(void *context, struct product_turn *turn) {
    struct inventory_batch_context *own = context;
    struct batch batch = {.context = own, .store = own->store, .turn = turn, .state = turn->known};
    struct error err = {.status = STATUS_OK};
    batch.version_before = batch.state->token[0] == '\0' ? 0 : batch.state->product.version;
    forget_look_ups(&batch); /* those of the turn before, whose commit may have written what they had not found */
    enum status status = serve(&batch, &err);
    if (status == STATUS_OK) {
        answer(&batch);
        trim(&batch);
    } else {
        fail_all(&batch, status, &err);
        forget(&batch);
    }
}
