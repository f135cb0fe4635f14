/*
 * The body and the headers of a request to change a product: which pass, and how the others are
 * refused.
 */
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "functions/request_check.h"
#include "fuzz/input.h"

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    log_configure(LOG_NONE, "fuzz");
    return 0;
}

enum { MAX_LIFETIME_MS = 24 * 60 * 60 * 1000 };

/* The parts of the functions' requests. */
static const unsigned kinds[] = {
    CHANGE_QUANTITY | CHANGE_CUSTOMER | CHANGE_MAY_HAVE_LIFETIME,
    CHANGE_QUANTITY | CHANGE_CUSTOMER | CHANGE_MAY_HAVE_RESERVATION,
    CHANGE_MAY_HAVE_QUANTITY | CHANGE_MAY_HAVE_CUSTOMER | CHANGE_MAY_HAVE_NO_BODY,
    CHANGE_MAY_HAVE_LIFETIME | CHANGE_MAY_HAVE_CUSTOMER | CHANGE_MAY_HAVE_NO_BODY,
    CHANGE_DELTA,
};

static bool check(const struct function_request *request, unsigned parts,
                  struct change_request *change, struct http_response *response) {
    http_response_init(response, 4096);
    return request_check_change(request, parts, MAX_LIFETIME_MS, change, response);
}

static void check_ranges(unsigned parts, const struct change_request *change) {
    REQUIRE(change->quantity >= ((parts & CHANGE_QUANTITY) != 0) &&
            change->quantity <= INVENTORY_MAX_QUANTITY);
    REQUIRE(change->customer_id[0] == '\0' ? (parts & CHANGE_CUSTOMER) == 0
                                           : inventory_is_customer_id(change->customer_id));
    REQUIRE(change->reservation_id[0] == '\0' ||
            ((parts & CHANGE_MAY_HAVE_RESERVATION) != 0 && uuid_is_valid(change->reservation_id)));
    REQUIRE(change->lifetime_ms >= 0 && change->lifetime_ms <= MAX_LIFETIME_MS &&
            change->lifetime_ms % 1000 == 0);
    REQUIRE((change->delta != 0) == ((parts & CHANGE_DELTA) != 0));
    REQUIRE(change->expected_version >= -1);
}

static void add_text(cJSON *json, const char *name, const char *text) {
    REQUIRE(text[0] == '\0' || cJSON_AddStringToObject(json, name, text) != NULL);
}

static void add_number(cJSON *json, const char *name, int64_t number) {
    REQUIRE(number == 0 || json_add_int64(json, name, number));
}

/* Written out from what was understood, it is understood the same. */
static void check_accepted(const struct function_request *request, unsigned parts,
                           const struct change_request *change) {
    check_ranges(parts, change);
    cJSON *json = cJSON_CreateObject();
    add_number(json, "quantity", change->quantity);
    add_number(json, "lifetimeSeconds", change->lifetime_ms / 1000);
    add_number(json, "delta", change->delta);
    add_text(json, "customerId", change->customer_id);
    add_text(json, "reservationId", change->reservation_id);
    add_text(json, "reason", change->reason);
    char *text = cJSON_PrintUnformatted(json);
    REQUIRE(text != NULL);
    struct function_request again = *request;
    again.body = text;
    again.body_length = strlen(text);
    again.content_type.text = NULL;
    struct change_request change_again;
    struct http_response response;
    REQUIRE(check(&again, parts, &change_again, &response));
    REQUIRE(change_again.quantity == change->quantity && change_again.delta == change->delta);
    REQUIRE(change_again.lifetime_ms == change->lifetime_ms);
    REQUIRE(strcmp(change_again.customer_id, change->customer_id) == 0);
    REQUIRE(strcmp(change_again.reservation_id, change->reservation_id) == 0);
    REQUIRE(strcmp(change_again.reason, change->reason) == 0);
    http_response_cleanup(&response);
    cJSON_free(text);
    cJSON_Delete(json);
}

static void check_refused(const struct http_response *response) {
    cJSON *json = NULL;
    REQUIRE(response->status == 400 || response->status == 415);
    REQUIRE(strbuf_status(&response->body) == STATUS_OK);
    REQUIRE(json_parse(response->body.data, response->body.length, &json, NULL) == STATUS_OK);
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(json, "error");
    REQUIRE(json_string(error, "code") != NULL && json_string(error, "message") != NULL);
    cJSON_Delete(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = input_of(data, size);
    unsigned parts = kinds[input_take_choice(&input, sizeof kinds / sizeof kinds[0])];
    char *content_type = input_take_line(&input);
    char *key = input_take_line(&input);
    char *if_match = input_take_line(&input);
    size_t length;
    char *body = input_take_bytes(&input, &length);
    const struct function_request request = {.route = "{productId}",
                                             .params = {"PROD-001"},
                                             .content_type.text =
                                                 content_type[0] == '\0' ? NULL : content_type,
                                             .idempotency_key.text = key[0] == '\0' ? NULL : key,
                                             .if_match.text = if_match[0] == '\0' ? NULL : if_match,
                                             .body = body,
                                             .body_length = length};
    struct change_request change;
    struct http_response response;
    if (check(&request, parts, &change, &response)) {
        REQUIRE(response.status == 200 && response.body.length == 0);
        check_accepted(&request, parts, &change);
    } else {
        check_refused(&response);
    }
    http_response_cleanup(&response);
    free(body);
    free(if_match);
    free(key);
    free(content_type);
    return 0;
}
