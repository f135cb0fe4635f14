#include "functions/request_check.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/utf8.h"
#include "functions/api_answer.h"

static bool equals_ignoring_case(const char *text, size_t length, const char *literal) {
    return length == strlen(literal) && strncasecmp(text, literal, length) == 0;
}

/* Returns true for application/json, text/json and application/...+json. */
static bool is_json_type(const char *type, size_t length) {
    static const char top[] = "application/", suffix[] = "+json";
    const size_t top_length = sizeof top - 1, suffix_length = sizeof suffix - 1;
    return equals_ignoring_case(type, length, "application/json") ||
           equals_ignoring_case(type, length, "text/json") ||
           (length > top_length + suffix_length && equals_ignoring_case(type, top_length, top) &&
            equals_ignoring_case(type + length - suffix_length, suffix_length, suffix));
}

/* Moves past one `name=value`. Returns false for a charset that is not UTF-8. */
static bool take_parameter(const char **text) {
    const char *name = *text;
    size_t name_length = strcspn(name, "=; \t");
    const char *value = name + name_length;
    value += *value == '=';
    bool quoted = *value == '"';
    value += quoted;
    size_t value_length = strcspn(value, quoted ? "\"" : "; \t");
    *text = value + value_length + (quoted && value[value_length] == '"');
    return !equals_ignoring_case(name, name_length, "charset") ||
           equals_ignoring_case(value, value_length, "utf-8");
}

/*
 * Reads type/subtype *( OWS ";" OWS [ name=value ] ).
 * Source: RFC 9110, section 8.3.1.
 */
static bool is_json_content(const char *content_type) {
    static const char between[] = "; \t";
    const char *type = content_type + strspn(content_type, " \t");
    size_t length = strcspn(type, between);
    if (!is_json_type(type, length)) {
        return false;
    }
    const char *rest = type + length;
    for (rest += strspn(rest, between); *rest != '\0'; rest += strspn(rest, between)) {
        if (!take_parameter(&rest)) {
            return false;
        }
    }
    return true;
}

void request_refuse_size(struct http_response *response) {
    api_answer_error(response, 413, "PayloadTooLarge", "The body may hold at most %d bytes.",
                     MAX_BODY_BYTES);
}

bool request_check_product_id(const struct function_request *request,
                              struct http_response *response) {
    if (!inventory_is_product_id(function_request_param(request, "productId"))) {
        api_answer_error(response, 400, "InvalidProductId",
                         "A product id is " PRODUCT_ID_ALLOWED ".");
        return false;
    }
    return true;
}

/*
 * Returns true if a header was sent twice: on two lines, or joined with a comma. A comma in quotes
 * is part of a parameter.
 */
static bool has_two_values(const struct http_header_value *header) {
    bool quoted = false, found = header->is_repeated;
    for (const char *at = header->text; at != NULL && *at != '\0' && !found; at++) {
        quoted = quoted != (*at == '"');
        found = *at == ',' && !quoted;
    }
    return found;
}

static bool check_content_type(const struct http_header_value *type,
                               struct http_response *response) {
    if (has_two_values(type)) {
        api_answer_error(response, 400, "BadRequest", "Content-Type was sent twice. Send it once.");
        return false;
    }
    if (type->text != NULL && !is_json_content(type->text)) {
        api_answer_error(response, 415, "UnsupportedMediaType",
                         "The body must be application/json in UTF-8.");
        return false;
    }
    return true;
}

static bool check_content_encoding(const struct http_header_value *encoding,
                                   struct http_response *response) {
    if (encoding->is_repeated ||
        (encoding->text != NULL && strcasecmp(encoding->text, "identity") != 0)) {
        api_answer_error(response, 415, "UnsupportedMediaType",
                         "The body must not be compressed: send it without Content-Encoding.");
        return false;
    }
    return true;
}

static bool check_content(const struct function_request *request, struct http_response *response) {
    if (!check_content_type(&request->content_type, response) ||
        !check_content_encoding(&request->content_encoding, response)) {
        return false;
    }
    if (request->body_too_large || request->body_length > MAX_BODY_BYTES) {
        request_refuse_size(response);
        return false;
    }
    return true;
}

/* Parses the body as a JSON object, which the caller deletes. Returns NULL if it refuses. */
static cJSON *parse_object(const struct function_request *request, struct http_response *response) {
    cJSON *body = NULL;
    struct error err = {0};
    enum status status = json_parse_sent(request->body, request->body_length, true, &body, &err);
    if (status == STATUS_OK && cJSON_IsObject(body)) {
        return body;
    }
    cJSON_Delete(body);
    if (status == STATUS_NO_MEMORY) {
        api_answer_json(response, 500, NULL, 0);
    } else if (status == STATUS_OK || !utf8_is_valid(err.message, strlen(err.message))) {
        /* The message may quote the body, and have cut a character of it in two. */
        api_answer_error(response, 400, "InvalidJson", "The body must be a JSON object.");
    } else {
        api_answer_error(response, 400, "InvalidJson", "The body must be a JSON object: %s.",
                         err.message);
    }
    return NULL;
}

static bool check_quantity(const cJSON *body, int64_t *out, struct http_response *response) {
    int64_t quantity = 0;
    if (!json_whole_number(cJSON_GetObjectItem(body, "quantity"), &quantity) || quantity < 1 ||
        quantity > INVENTORY_MAX_QUANTITY) {
        api_answer_error(response, 400, "InvalidQuantity",
                         "quantity must be a whole number from 1 to %d.", INVENTORY_MAX_QUANTITY);
        return false;
    }
    *out = quantity;
    return true;
}

static bool check_customer_id(const cJSON *body, char out[CUSTOMER_ID_BYTES],
                              struct http_response *response) {
    const char *id = cJSON_GetStringValue(cJSON_GetObjectItem(body, "customerId"));
    if (id == NULL || !inventory_is_customer_id(id)) {
        api_answer_error(
            response, 400, "InvalidCustomerId",
            "customerId must be a string of 1 to 128 characters without control characters.");
        return false;
    }
    snprintf(out, CUSTOMER_ID_BYTES, "%s", id);
    return true;
}

static bool check_reservation_id(const cJSON *body, char out[UUID_TEXT_BYTES],
                                 struct http_response *response) {
    const cJSON *item = cJSON_GetObjectItem(body, "reservationId");
    if (item == NULL || cJSON_IsNull(item)) {
        return true;
    }
    const char *id = cJSON_GetStringValue(item);
    if (id == NULL || !uuid_is_valid(id)) {
        api_answer_error(response, 400, "InvalidReservationId",
                         "reservationId must be a UUID, or absent.");
        return false;
    }
    for (size_t i = 0; i < UUID_TEXT_BYTES - 1; i++) {
        out[i] = (char)(id[i] | 0x20); /* lower case: digits and '-' have this bit already */
    }
    out[UUID_TEXT_BYTES - 1] = '\0';
    return true;
}

/*
 * A key is printable ASCII, the only characters that every header can carry. A comma is refused,
 * because the host joins two keys with one.
 */
static bool check_idempotency_key(const struct http_header_value *key,
                                  struct http_response *response) {
    size_t length = key->text == NULL ? 1 : strlen(key->text);
    bool valid = !key->is_repeated && length >= 1 && length <= IDEMPOTENCY_KEY_MAX_LENGTH;
    for (size_t i = 0; key->text != NULL && valid && i < length; i++) {
        valid = key->text[i] >= ' ' && key->text[i] <= '~' && key->text[i] != ',';
    }
    if (!valid) {
        api_answer_error(response, 400, "InvalidIdempotencyKey",
                         "Idempotency-Key must be one key of 1 to %d printable ASCII characters "
                         "without a comma.",
                         IDEMPOTENCY_KEY_MAX_LENGTH);
    }
    return valid;
}

bool request_check_change(const struct function_request *request, bool with_reservation_id,
                          struct change_request *out, struct http_response *response) {
    *out = (struct change_request){0};
    if (!request_check_product_id(request, response) || !check_content(request, response)) {
        return false;
    }
    cJSON *body = parse_object(request, response);
    if (body == NULL) {
        return false;
    }
    bool valid =
        check_quantity(body, &out->quantity, response) &&
        check_customer_id(body, out->customer_id, response) &&
        (!with_reservation_id || check_reservation_id(body, out->reservation_id, response)) &&
        check_idempotency_key(&request->idempotency_key, response);
    cJSON_Delete(body);
    return valid;
}
