/*
 * The body, Content-Type and Idempotency-Key of a request to reserve or release: which pass, and
 * how the others are refused.
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

static bool check(const struct function_request *request, bool with_reservation_id,
                  struct change_request *change, struct http_response *response) {
    http_response_init(response, 4096);
    return request_check_change(request, with_reservation_id, change, response);
}

/* Written out from what was understood, it is understood the same. */
static void check_accepted(const struct function_request *request, bool with_reservation_id,
                           const struct change_request *change) {
    REQUIRE(change->quantity >= 1 && change->quantity <= INVENTORY_MAX_QUANTITY);
    REQUIRE(inventory_is_customer_id(change->customer_id));
    REQUIRE(change->reservation_id[0] == '\0' ||
            (with_reservation_id && uuid_is_valid(change->reservation_id)));
    cJSON *json = cJSON_CreateObject();
    REQUIRE(json_add_int64(json, "quantity", change->quantity));
    REQUIRE(cJSON_AddStringToObject(json, "customerId", change->customer_id) != NULL);
    if (change->reservation_id[0] != '\0') {
        REQUIRE(cJSON_AddStringToObject(json, "reservationId", change->reservation_id) != NULL);
    }
    char *text = cJSON_PrintUnformatted(json);
    REQUIRE(text != NULL);
    struct function_request again = *request;
    again.body = text;
    again.body_length = strlen(text);
    struct change_request change_again;
    struct http_response response;
    REQUIRE(check(&again, with_reservation_id, &change_again, &response));
    REQUIRE(change_again.quantity == change->quantity);
    REQUIRE(strcmp(change_again.customer_id, change->customer_id) == 0);
    REQUIRE(strcmp(change_again.reservation_id, change->reservation_id) == 0);
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
    bool with_reservation_id = input_take_choice(&input, 2) == 1;
    char *content_type = input_take_line(&input);
    char *key = input_take_line(&input);
    size_t length;
    char *body = input_take_bytes(&input, &length);
    const struct function_request request = {.route = "{productId}",
                                             .params = {"PROD-001"},
                                             .content_type.text =
                                                 content_type[0] == '\0' ? NULL : content_type,
                                             .idempotency_key.text = key[0] == '\0' ? NULL : key,
                                             .body = body,
                                             .body_length = length};
    struct change_request change;
    struct http_response response;
    if (check(&request, with_reservation_id, &change, &response)) {
        REQUIRE(response.status == 200 && response.body.length == 0);
        check_accepted(&request, with_reservation_id, &change);
    } else {
        check_refused(&response);
    }
    http_response_cleanup(&response);
    free(body);
    free(key);
    free(content_type);
    return 0;
}
