#include "torture/history.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/utc.h"

static _Noreturn void give_up(const char *what) {
    fprintf(stderr, "history: %s\n", what);
    abort();
}

static void need(bool holds, const char *what) {
    if (!holds) {
        give_up(what);
    }
}

void history_init(struct history *history, const struct clock *clock) {
    *history = (struct history){.lock = PTHREAD_MUTEX_INITIALIZER, .clock = clock};
    history->wall_offset_ms = clock_wall_ms(clock) - clock_now_ms(clock);
}

void history_cleanup(struct history *history) {
    for (size_t i = 0; i < history->count; i++) {
        free(history->records[i]->active);
        free(history->records[i]);
    }
    free(history->records);
    pthread_mutex_destroy(&history->lock);
    *history = (struct history){.count = 0};
}

int64_t history_now_ms(const struct history *history) {
    return clock_now_ms(history->clock) + history->wall_offset_ms;
}

size_t history_count(struct history *history) {
    pthread_mutex_lock(&history->lock);
    size_t count = history->count;
    pthread_mutex_unlock(&history->lock);
    return count;
}

struct history_record *history_begin(struct history *history, const struct history_record *asked) {
    struct history_record *record = malloc(sizeof *record);
    need(record != NULL, "no memory");
    *record = *asked;
    record->outcome = HISTORY_UNKNOWN;
    record->answered_ms = HISTORY_NEVER;
    pthread_mutex_lock(&history->lock);
    if (history->count == history->capacity) {
        history->capacity = history->capacity == 0 ? 1024 : 2 * history->capacity;
        struct history_record **more =
            realloc(history->records, history->capacity * sizeof(struct history_record *));
        need(more != NULL, "no memory");
        history->records = more;
    }
    history->records[history->count++] = record;
    record->number = history->count;
    record->sent_ms = history_now_ms(history);
    pthread_mutex_unlock(&history->lock);
    return record;
}

/* ---- reading answers ---- */

/* Copies a string member; false: there is none, or none that fits. */
static bool read_text(const cJSON *json, const char *name, char *out, size_t size) {
    const char *text = json_string(json, name);
    if (text == NULL || strlen(text) >= size) {
        return false;
    }
    strcpy(out, text);
    return true;
}

static bool read_time(const cJSON *json, const char *name, int64_t *out_ms) {
    const char *text = json_string(json, name);
    return text != NULL && utc_parse_iso8601(text, out_ms);
}

static bool read_version(struct history_record *record, const struct http_reply *reply) {
    const char *etag = http_headers_get(&reply->headers, "ETag");
    char *end = NULL;
    if (etag == NULL || etag[0] != '"') {
        return false;
    }
    record->version = strtoll(etag + 1, &end, 10);
    return strcmp(end, "\"") == 0 && record->version > 0;
}

static bool read_reservation(const cJSON *item, struct history_reservation *row) {
    return read_text(item, "reservationId", row->id, sizeof row->id) &&
           read_text(item, "customerId", row->customer, sizeof row->customer) &&
           json_int64(item, "quantity", &row->quantity) &&
           read_time(item, "reservedAt", &row->reserved_ms) &&
           read_time(item, "expiresAt", &row->expires_ms);
}

static bool read_active(struct history_record *record, const cJSON *json) {
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(json, "activeReservations");
    int count = cJSON_GetArraySize(array);
    struct history_reservation *rows = calloc((size_t)count + 1, sizeof *rows);
    if (rows == NULL) {
        give_up("no memory");
    }
    record->active = rows;
    const cJSON *item;
    cJSON_ArrayForEach(item, array) {
        struct history_reservation *row = &rows[record->active_count];
        if (!read_reservation(item, row)) {
            return false;
        }
        if (strcmp(row->customer, HISTORY_RESIDENT) == 0) {
            record->resident_count++;
            record->resident_units += row->quantity;
        } else {
            record->active_count++;
        }
    }
    return cJSON_IsArray(array);
}

static bool read_reserve(struct history_record *record, const cJSON *json) {
    int64_t asked = 0;
    return json_int64(json, "availableQuantity", &record->available) &&
           json_int64(json, "requestedQuantity", &asked) && asked == record->quantity &&
           (record->outcome == HISTORY_REFUSED ||
            (read_text(json, "reservationId", record->reservation_id,
                       sizeof record->reservation_id) &&
             read_time(json, "expiresAt", &record->expires_ms)));
}

static bool read_release(struct history_record *record, const cJSON *json) {
    return json_int64(json, "newAvailableQuantity", &record->available) &&
           json_int64(json, "releasedQuantity", &record->released) &&
           (record->released > 0) == (record->outcome == HISTORY_DONE);
}

static bool read_confirm(struct history_record *record, const cJSON *json) {
    return json_int64(json, "confirmedQuantity", &record->confirmed) &&
           json_int64(json, "remainingQuantity", &record->remaining) &&
           json_int64(json, "totalQuantity", &record->total) &&
           json_int64(json, "availableQuantity", &record->available) && record->confirmed > 0 &&
           (record->quantity == 0 || record->confirmed == record->quantity);
}

/* The reservation that was asked for. */
static bool read_found(struct history_record *record, const cJSON *json) {
    struct history_reservation *found = &record->found;
    if (!read_reservation(json, found) || strcmp(found->id, record->wanted_reservation) != 0) {
        return false;
    }
    record->expires_ms = found->expires_ms;
    return true;
}

static bool read_adjust(struct history_record *record, const cJSON *json) {
    return json_int64(json, "totalQuantity", &record->total) &&
           json_int64(json, "availableQuantity", &record->available);
}

/* What an answer says besides the version at which it was decided. */
static bool read_rest(struct history_record *record, const cJSON *json) {
    bool is_done = record->outcome == HISTORY_DONE;
    if (!is_done && record->refusal != HISTORY_NOT_ENOUGH) {
        return true;
    }
    switch (record->kind) {
    case HISTORY_RESERVE:
        return read_reserve(record, json);
    case HISTORY_RELEASE:
        return read_release(record, json);
    case HISTORY_GET:
        return json_int64(json, "totalQuantity", &record->total) &&
               json_int64(json, "availableQuantity", &record->available) &&
               json_int64(json, "reservedQuantity", &record->reserved) && read_active(record, json);
    case HISTORY_CONFIRM:
        return is_done && read_confirm(record, json);
    case HISTORY_EXTEND:
    case HISTORY_FIND:
        return is_done && read_found(record, json);
    case HISTORY_ADJUST:
        return read_adjust(record, json);
    case HISTORY_SET_TOTAL:
    case HISTORY_RECONCILE:
    case HISTORY_KINDS:
        break;
    }
    return false;
}

/* An answer that was decided at a version. */
static bool read_decided(struct history_record *record, const struct http_reply *reply,
                         const cJSON *json) {
    return record->kind == HISTORY_RECONCILE
               ? cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(json, "ReturnValue"))
               : read_version(record, reply) && read_rest(record, json);
}

/* A refusal that has an error's code. Those of the function itself have a body of their own. */
static bool find_refusal(struct history_record *record) {
    static const struct {
        int status;
        enum history_refusal refusal;
        const char *code;
    } refusals[] = {{400, HISTORY_TOO_MUCH, "InvalidQuantity"},
                    {404, HISTORY_NOT_FOUND, "ReservationNotFound"},
                    {409, HISTORY_EXPIRED, "ReservationExpired"},
                    {412, HISTORY_OTHER_VERSION, "PreconditionFailed"}};
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (record->status == refusals[i].status && strcmp(record->code, refusals[i].code) == 0) {
            record->refusal = refusals[i].refusal;
            return true;
        }
    }
    return false;
}

/* A refusal with a body that says what is available. */
static bool is_own_refusal(const struct history_record *record, const struct http_reply *reply,
                           const cJSON *json) {
    bool has_message = json_string(json, "message") != NULL;
    if (record->kind == HISTORY_RESERVE) {
        return record->status == 409 &&
               cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "acquiredLease"));
    }
    if (record->kind == HISTORY_RELEASE) {
        return record->status == 404 && has_message;
    }
    /* An adjust without the lease is told when to come again. */
    return record->kind == HISTORY_ADJUST && record->status == 409 && has_message &&
           http_headers_get(&reply->headers, "Retry-After") == NULL;
}

/* By the status, and for some by what the body says. */
static enum history_outcome find_outcome(struct history_record *record,
                                         const struct http_reply *reply, const cJSON *json) {
    if (find_refusal(record) || is_own_refusal(record, reply, json)) {
        return HISTORY_REFUSED;
    }
    switch (record->status) {
    case 200:
        return HISTORY_DONE;
    case 503:
        return HISTORY_UNKNOWN;
    case 422:
        return record->key[0] != '\0' && strcmp(record->code, "IdempotencyKeyReused") == 0
                   ? HISTORY_REUSED
                   : HISTORY_WRONG;
    case 409:
        return strcmp(record->code, "LeaseLost") == 0 || json_string(json, "message") != NULL
                   ? HISTORY_NOT_DONE
                   : HISTORY_WRONG;
    case 404: /* of a handler that is older than the function */
        return strcmp(record->code, "NotFound") == 0 ? HISTORY_NOT_DONE : HISTORY_WRONG;
    default:
        return HISTORY_WRONG;
    }
}

static void read_answer(struct history_record *record, const struct http_reply *reply) {
    cJSON *json = NULL;
    if (json_parse(reply->body.data, reply->body.length, &json, NULL) != STATUS_OK) {
        record->outcome = reply->status == 503 ? HISTORY_UNKNOWN : HISTORY_WRONG;
        return;
    }
    const char *code = json_string(cJSON_GetObjectItemCaseSensitive(json, "error"), "code");
    snprintf(record->code, sizeof record->code, "%s",
             code != NULL                           ? code
             : json_string(json, "message") != NULL ? json_string(json, "message")
                                                    : "");
    record->outcome = find_outcome(record, reply, json);
    bool decided = record->outcome == HISTORY_DONE || record->outcome == HISTORY_REFUSED;
    if (decided && !read_decided(record, reply, json)) {
        record->outcome = HISTORY_WRONG;
    }
    cJSON_Delete(json);
}

void history_end(struct history *history, struct history_record *record,
                 const struct http_reply *reply) {
    if (reply != NULL) {
        record->answered_ms = history_now_ms(history);
        record->status = reply->status;
        read_answer(record, reply);
    }
}

void history_end_set_total(struct history *history, struct history_record *record,
                           const char *printed) {
    cJSON *json = NULL;
    record->answered_ms = history_now_ms(history);
    record->outcome = HISTORY_NOT_DONE;
    if (printed == NULL) {
        return;
    }
    bool good = json_parse(printed, strlen(printed), &json, NULL) == STATUS_OK &&
                json_int64(json, "version", &record->version) &&
                json_int64(json, "totalQuantity", &record->total) &&
                json_int64(json, "availableQuantity", &record->available);
    record->outcome = good ? HISTORY_DONE : HISTORY_WRONG;
    snprintf(record->code, sizeof record->code, "%.39s", good ? "" : printed);
    cJSON_Delete(json);
}

/* ---- printing ---- */

/* ---- what a record says ---- */

bool history_tells_available(const struct history_record *record) {
    bool is_of_one = record->kind == HISTORY_EXTEND || record->kind == HISTORY_FIND;
    return record->outcome == HISTORY_DONE
               ? !is_of_one && record->kind != HISTORY_RECONCILE
               : record->outcome == HISTORY_REFUSED && record->refusal == HISTORY_NOT_ENOUGH;
}

void history_ask_for_more(struct history_record *asked) {
    if (asked->kind == HISTORY_EXTEND) {
        asked->lifetime_s++;
    } else {
        asked->quantity += asked->quantity == -1 ? 2 : 1; /* an adjust by 0 is none */
    }
}

bool history_is_change(enum history_kind kind) {
    return kind == HISTORY_RESERVE || kind == HISTORY_RELEASE || kind == HISTORY_CONFIRM ||
           kind == HISTORY_EXTEND || kind == HISTORY_ADJUST;
}

struct history_record history_asked_again(const struct history_record *record) {
    struct history_record asked = {.kind = record->kind,
                                   .client = record->client,
                                   .quantity = record->quantity,
                                   .lifetime_s = record->lifetime_s,
                                   .expected_version = record->expected_version};
    memcpy(asked.product, record->product, sizeof asked.product);
    memcpy(asked.customer, record->customer, sizeof asked.customer);
    memcpy(asked.key, record->key, sizeof asked.key);
    memcpy(asked.wanted_reservation, record->wanted_reservation, sizeof asked.wanted_reservation);
    return asked;
}

const char *history_kind_name(enum history_kind kind) {
    static const char *const names[] = {
#define HISTORY_NAME(name, text) text,
        HISTORY_KIND_TABLE(HISTORY_NAME)};
    return names[kind];
}

const char *history_outcome_name(enum history_outcome outcome) {
    static const char *const names[] = {HISTORY_OUTCOME_TABLE(HISTORY_NAME)
#undef HISTORY_NAME
    };
    return names[outcome];
}

static void add_text(cJSON *object, const char *name, const char *text) {
    need(text[0] == '\0' || cJSON_AddStringToObject(object, name, text) != NULL, "no memory");
}

static void add_number(cJSON *object, const char *name, int64_t value) {
    need(json_add_int64(object, name, value), "no memory");
}

static void add_number_if_set(cJSON *object, const char *name, int64_t value) {
    if (value != 0) {
        add_number(object, name, value);
    }
}

static void add_reservation(cJSON *item, const struct history_reservation *row) {
    add_text(item, "id", row->id);
    add_text(item, "customer", row->customer);
    add_number(item, "quantity", row->quantity);
    add_number(item, "reservedMs", row->reserved_ms);
    add_number(item, "expiresMs", row->expires_ms);
}

static void add_active(cJSON *object, const struct history_record *record) {
    cJSON *array = cJSON_AddArrayToObject(object, "active");
    for (size_t i = 0; i < record->active_count; i++) {
        const struct history_reservation *row = &record->active[i];
        cJSON *item = cJSON_CreateObject();
        add_reservation(item, row);
        cJSON_AddItemToArray(array, item);
    }
}

static void add_asked(cJSON *object, const struct history_record *record) {
    add_number(object, "number", (int64_t)record->number);
    add_text(object, "kind", history_kind_name(record->kind));
    add_number(object, "client", record->client);
    add_number(object, "instance", record->instance);
    add_text(object, "product", record->product);
    add_text(object, "customer", record->customer);
    add_text(object, "key", record->key);
    add_text(object, "wantedReservation", record->wanted_reservation);
    add_number_if_set(object, "quantity", record->quantity);
    add_number_if_set(object, "lifetimeSeconds", record->lifetime_s);
    add_number_if_set(object, "expectedVersion", record->expected_version);
    add_number(object, "sentMs", record->sent_ms);
}

static void add_answer(cJSON *object, const struct history_record *record) {
    add_text(object, "outcome", history_outcome_name(record->outcome));
    if (record->answered_ms == HISTORY_NEVER) {
        return;
    }
    add_number(object, "answeredMs", record->answered_ms);
    add_number(object, "status", record->status);
    add_text(object, "code", record->code);
    if (record->version == 0) {
        return;
    }
    add_number(object, "version", record->version);
    if (history_tells_available(record)) {
        add_number(object, "available", record->available);
    }
    if (record->kind == HISTORY_RELEASE) {
        add_number(object, "released", record->released);
    } else if (record->kind == HISTORY_RESERVE && record->outcome == HISTORY_DONE) {
        add_text(object, "reservationId", record->reservation_id);
        add_number(object, "expiresMs", record->expires_ms);
    } else if (record->kind == HISTORY_CONFIRM && record->outcome == HISTORY_DONE) {
        add_number(object, "confirmed", record->confirmed);
        add_number(object, "remaining", record->remaining);
        add_number(object, "total", record->total);
    } else if (record->found.id[0] != '\0') {
        add_reservation(cJSON_AddObjectToObject(object, "found"), &record->found);
    } else if (record->kind == HISTORY_SET_TOTAL || record->kind == HISTORY_ADJUST) {
        add_number(object, "total", record->total);
    } else if (record->kind == HISTORY_GET) {
        add_number(object, "total", record->total);
        add_number(object, "residents", (int64_t)record->resident_count);
        add_number(object, "reserved", record->reserved);
        add_active(object, record);
    }
}

void history_print(FILE *out, const struct history_record *record) {
    cJSON *object = cJSON_CreateObject();
    add_asked(object, record);
    add_answer(object, record);
    char *line = cJSON_PrintUnformatted(object);
    need(line != NULL, "no memory");
    fprintf(out, "%s\n", line);
    cJSON_free(line);
    cJSON_Delete(object);
}

void history_print_all(FILE *out, const struct history *history) {
    for (size_t i = 0; i < history->count; i++) {
        history_print(out, history->records[i]);
    }
}
