#include "fuzz/stub_service.h"

#include <stdlib.h>
#include <string.h>

#include "functions/function_table.h"
#include "fuzz/input.h"
#include "http/http_inbound.h"
#include "inventory/inventory_service.h"
#include "inventory/reconcile.h"

enum { MAX_LIFETIME_MS = 24 * 60 * 60 * 1000 };
enum { NOW_MS = 1000000, DONE = 0, NOT_ENOUGH = 1, NO_LEASE = 2, FIRST_FAILURE = 3 };

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define RESERVATION_ID "01a20926-afc4-8504-a6dc-2b2239e0bd4d"

static unsigned outcome;
static int calls;

void stub_service_begin(unsigned next_outcome) {
    outcome = next_outcome;
    calls = 0;
}

int stub_service_calls(void) {
    return calls;
}

bool stub_service_is_product_id(const char *text) {
    return input_consists_of(text, LETTERS "0123456789._~-", 1, 128) &&
           text[strlen(text) - 1] != '.' && strcmp(text, "reconciliation-job") != 0;
}

/*
 * 1 to 128 characters, none of them a control: U+0000 to U+001F, U+007F to U+009F. Bytes that
 * continue a character are not counted.
 */
static bool is_customer_id(const char *text) {
    int count = 0;
    for (const unsigned char *byte = (const unsigned char *)text; *byte != '\0'; byte++) {
        bool is_control = *byte < 0x20 || *byte == 0x7f || (*byte == 0xc2 && byte[1] < 0xa0);
        if (is_control) {
            return false;
        }
        count += (*byte & 0xc0) != 0x80;
    }
    return count >= 1 && count <= 128;
}

static bool is_reservation_id(const char *text) {
    static const char pattern[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    for (size_t i = 0; i < sizeof pattern - 1; i++) {
        bool fits = pattern[i] == '-'
                        ? text[i] == '-'
                        : text[i] != '\0' && strchr("0123456789abcdef", text[i]) != NULL;
        if (!fits) {
            return false;
        }
    }
    return text[sizeof pattern - 1] == '\0';
}

static void check_change(const struct inventory_request *change) {
    REQUIRE(stub_service_is_product_id(change->product_id));
    bool names_customer =
        change->operation == &operation_reserve || change->operation == &operation_release;
    bool may_have_no_quantity =
        change->operation == &operation_confirm || change->operation == &operation_extend;
    REQUIRE(change->customer_id == NULL ? !names_customer : is_customer_id(change->customer_id));
    if (change->operation == &operation_adjust) {
        REQUIRE(change->quantity != 0 && change->customer_id == NULL);
    } else {
        REQUIRE(change->quantity >= !may_have_no_quantity && change->quantity <= 1000000);
    }
    REQUIRE(change->lifetime_ms >= 0 && change->lifetime_ms <= MAX_LIFETIME_MS &&
            change->lifetime_ms % 1000 == 0);
    REQUIRE(change->expected_version >= -1);
    REQUIRE(change->reason == NULL || change->operation == &operation_adjust);
    REQUIRE(change->reservation_id == NULL || is_reservation_id(change->reservation_id));
    const char *key = change->idempotency_key;
    size_t length = key == NULL ? 1 : strlen(key);
    REQUIRE(length >= 1 && length <= 128);
    for (size_t i = 0; key != NULL && i < length; i++) {
        REQUIRE(key[i] >= 0x20 && key[i] <= 0x7e && key[i] != ',');
    }
}

/* Counts a call. Fails with each status in turn, and with a message that no caller may see. */
static enum status end_call(struct error *err) {
    static const enum status failures[] = {
#define STATUS_ITEM(name, text) STATUS_##name,
        STATUS_TABLE(STATUS_ITEM)
#undef STATUS_ITEM
    };
    calls++;
    if (outcome < FIRST_FAILURE) {
        return STATUS_OK;
    }
    enum status status =
        failures[1 + (outcome - FIRST_FAILURE) % (sizeof failures / sizeof failures[0] - 1)];
    error_set(err, status, "a secret detail");
    err->retry_after_ms = (int)outcome * 999;
    return status;
}

/* One that this operation can have, and that a version can always have. */
static enum refusal refusal_of(const struct inventory_request *request) {
    if (request->expected_version != 0) {
        return REFUSAL_OTHER_VERSION;
    }
    return request->operation == &operation_reserve || request->operation == &operation_adjust
               ? REFUSAL_NOT_ENOUGH
               : REFUSAL_NO_RESERVATION;
}

static int answers;

static void count_answer(struct http_inbound *inbound) {
    (void)inbound;
    answers++;
}

void stub_service_dispatch(struct dispatch *dispatch, const struct http_request *request,
                           struct http_response *response) {
    struct http_inbound inbound = {
        .request = *request, .response = *response, .answered = count_answer};
    static struct inventory_service service = {.max_reservation_lifetime_ms = MAX_LIFETIME_MS};
    dispatch->functions = function_table;
    dispatch->service = &service;
    answers = 0;
    dispatch_request(dispatch, &inbound);
    REQUIRE(answers == 1);
    *response = inbound.response;
}

/* ---- in place of the service's functions: each ends at once, which no function minds ---- */

void stub_inventory_service_submit(
    struct inventory_service *service,
    struct inventory_request *request) __asm__("__wrap_inventory_service_submit");
void stub_inventory_service_take_snapshot(
    struct inventory_service *service,
    struct inventory_snapshot *snapshot) __asm__("__wrap_inventory_service_take_snapshot");
void stub_service_health_check(struct service_health *health,
                               struct health_waiter *waiter) __asm__("__wrap_service_health_check");
void stub_reconcile_start(struct reconciliation *round, struct inventory_service *service,
                          reconcile_done done, void *context) __asm__("__wrap_reconcile_start");

void stub_inventory_service_submit(struct inventory_service *service,
                                   struct inventory_request *request) {
    (void)service;
    check_change(request);
    REQUIRE(request->operation != NULL);
    REQUIRE(request->reservation_id == NULL || request->operation != &operation_reserve);
    request->status = end_call(&request->failure);
    if (outcome == NO_LEASE) {
        request->status = error_set(&request->failure, STATUS_LEASE_CONFLICT, "a secret detail");
    }
    request->units = outcome == DONE ? llabs(request->quantity) + (request->quantity == 0) : 0;
    request->refusal = refusal_of(request);
    request->total = 10;
    snprintf(request->holder_id, sizeof request->holder_id, "CUST \xc3\xbc \"1\"");
    request->available = 3;
    request->version = 7;
    request->reservation = (struct reservation_terms){
        .id = RESERVATION_ID, .quantity = request->units, .expires_ms = INT64_MAX};
    request->done(request);
}

void stub_inventory_service_take_snapshot(struct inventory_service *service,
                                          struct inventory_snapshot *snapshot) {
    (void)service;
    struct product_state *state = &snapshot->state;
    REQUIRE(stub_service_is_product_id(snapshot->product_id));
    product_state_init(state);
    snapshot->status = end_call(&snapshot->failure);
    if (snapshot->status == STATUS_OK) {
        const struct reservation row = {
            .id = RESERVATION_ID, .quantity = 5, .reserved_ms = 1, .expires_ms = INT64_MAX};
        state->product =
            (struct product){.total = 10, .available = 5, .version = 7, .due_ms = row.expires_ms};
        snprintf(state->product.id, sizeof state->product.id, "%s", snapshot->product_id);
        REQUIRE(product_state_add(state, &row, "CUST \xc3\xbc \"1\"") == STATUS_OK);
        snapshot->now_ms = NOW_MS;
    }
    snapshot->done(snapshot);
}

void stub_service_health_check(struct service_health *health, struct health_waiter *waiter) {
    (void)health;
    calls++;
    waiter->done(waiter->context, outcome == DONE);
}

void stub_reconcile_start(struct reconciliation *round, struct inventory_service *service,
                          reconcile_done done, void *context) {
    (void)round, (void)service;
    const struct reconcile_result result = {
        .processed = outcome != NO_LEASE, .duration_ms = 1, .lease_id = RESERVATION_ID};
    struct error err = {.status = STATUS_OK};
    enum status status = end_call(&err);
    done(context, status, status == STATUS_OK ? &result : NULL, &err);
}
