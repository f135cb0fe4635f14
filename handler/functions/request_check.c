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

/* Without what it asks for, a request that needs no body would ask for something else. */
static bool check_body_is_here(const struct function_request *request,
                               struct http_response *response) {
    if (request->lacks_body) {
        api_answer_error(response, 400, "InvalidJson",
                         "The host does not hand on a chunked body. Send it with Content-Length.");
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

static bool is_absent(const cJSON *body, const char *name) {
    const cJSON *item = cJSON_GetObjectItem(body, name);
    return item == NULL || cJSON_IsNull(item);
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

bool request_check_route_reservation(const struct function_request *request,
                                     char out[UUID_TEXT_BYTES], struct http_response *response) {
    const char *id = function_request_param(request, "reservationId");
    if (!uuid_is_valid(id)) {
        api_answer_error(response, 400, "InvalidReservationId", "A reservation id is a UUID.");
        return false;
    }
    uuid_copy_lower_case(id, out);
    return true;
}

static bool check_reservation_id(const cJSON *body, char out[UUID_TEXT_BYTES],
                                 struct http_response *response) {
    if (is_absent(body, "reservationId")) {
        return true;
    }
    const char *id = cJSON_GetStringValue(cJSON_GetObjectItem(body, "reservationId"));
    if (id == NULL || !uuid_is_valid(id)) {
        api_answer_error(response, 400, "InvalidReservationId",
                         "reservationId must be a UUID, or absent.");
        return false;
    }
    uuid_copy_lower_case(id, out);
    return true;
}

static bool check_lifetime(const cJSON *body, int64_t max_ms, int64_t *out_ms,
                           struct http_response *response) {
    int64_t seconds = 0, max_s = max_ms / 1000;
    if (is_absent(body, "lifetimeSeconds")) {
        return true;
    }
    if (!json_whole_number(cJSON_GetObjectItem(body, "lifetimeSeconds"), &seconds) || seconds < 1 ||
        seconds > max_s) {
        api_answer_error(response, 400, "InvalidLifetime",
                         "lifetimeSeconds must be a whole number from 1 to %lld, or absent.",
                         (long long)max_s);
        return false;
    }
    *out_ms = seconds * 1000;
    return true;
}

static bool check_delta(const cJSON *body, int64_t *out, struct http_response *response) {
    int64_t delta = 0;
    if (!json_whole_number(cJSON_GetObjectItem(body, "delta"), &delta) || delta == 0 ||
        delta < -INVENTORY_MAX_TOTAL || delta > INVENTORY_MAX_TOTAL) {
        api_answer_error(response, 400, "InvalidDelta",
                         "delta must be a whole number from -%lld to %lld, and not 0.",
                         (long long)INVENTORY_MAX_TOTAL, (long long)INVENTORY_MAX_TOTAL);
        return false;
    }
    *out = delta;
    return true;
}

static bool check_reason(const cJSON *body, char out[REASON_BYTES],
                         struct http_response *response) {
    if (is_absent(body, "reason")) {
        return true;
    }
    const char *reason = cJSON_GetStringValue(cJSON_GetObjectItem(body, "reason"));
    int64_t count = reason == NULL ? -1 : utf8_count_printable(reason);
    if (count < 0 || count > REASON_MAX_CHARACTERS) {
        api_answer_error(response, 400, "InvalidReason",
                         "reason must be a string of up to %d characters without control "
                         "characters, or absent.",
                         REASON_MAX_CHARACTERS);
        return false;
    }
    snprintf(out, REASON_BYTES, "%s", reason);
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

bool request_check_entity_tag(const struct http_header_value *header, const char *name,
                              struct entity_tag *out, struct http_response *response) {
    if (!entity_tag_read(header, out)) {
        api_answer_error(response, 400, "BadRequest",
                         "%s must be one entity tag, like \"7\" with its quotes, or *.", name);
        return false;
    }
    return true;
}

static bool check_if_match(const struct http_header_value *header, int64_t *out,
                           struct http_response *response) {
    struct entity_tag tag;
    if (!request_check_entity_tag(header, "If-Match", &tag, response)) {
        return false;
    }
    *out = entity_tag_expected_version(&tag);
    return true;
}

/* Returns true if a member is required, or may be there and is. */
static bool is_checked(const cJSON *body, const char *name, unsigned parts, unsigned required,
                       unsigned optional) {
    return (parts & required) != 0 || ((parts & optional) != 0 && !is_absent(body, name));
}

static bool check_members(const cJSON *body, unsigned parts, int64_t max_lifetime_ms,
                          struct change_request *out, struct http_response *response) {
    bool has_quantity =
        is_checked(body, "quantity", parts, CHANGE_QUANTITY, CHANGE_MAY_HAVE_QUANTITY);
    bool has_customer =
        is_checked(body, "customerId", parts, CHANGE_CUSTOMER, CHANGE_MAY_HAVE_CUSTOMER);
    return (!has_quantity || check_quantity(body, &out->quantity, response)) &&
           (!has_customer || check_customer_id(body, out->customer_id, response)) &&
           ((parts & CHANGE_MAY_HAVE_RESERVATION) == 0 ||
            check_reservation_id(body, out->reservation_id, response)) &&
           ((parts & CHANGE_MAY_HAVE_LIFETIME) == 0 ||
            check_lifetime(body, max_lifetime_ms, &out->lifetime_ms, response)) &&
           ((parts & CHANGE_DELTA) == 0 || (check_delta(body, &out->delta, response) &&
                                            check_reason(body, out->reason, response)));
}

static bool check_body(const struct function_request *request, unsigned parts,
                       int64_t max_lifetime_ms, struct change_request *out,
                       struct http_response *response) {
    bool has_body = request->body_length > 0 || request->body_too_large || request->lacks_body;
    if (!has_body && (parts & CHANGE_MAY_HAVE_NO_BODY) != 0) {
        return true;
    }
    bool is_here = check_content(request, response) && check_body_is_here(request, response);
    cJSON *body = is_here ? parse_object(request, response) : NULL;
    bool is_valid = body != NULL && check_members(body, parts, max_lifetime_ms, out, response);
    cJSON_Delete(body);
    return is_valid;
}

bool request_check_change(const struct function_request *request, unsigned parts,
                          int64_t max_lifetime_ms, struct change_request *out,
                          struct http_response *response) {
    *out = (struct change_request){0};
    return request_check_product_id(request, response) &&
           ((parts & CHANGE_ROUTE_NAMES_RESERVATION) == 0 ||
            request_check_route_reservation(request, out->reservation_id, response)) &&
           check_body(request, parts, max_lifetime_ms, out, response) &&
           check_idempotency_key(&request->idempotency_key, response) &&
           check_if_match(&request->if_match, &out->expected_version, response);
}
