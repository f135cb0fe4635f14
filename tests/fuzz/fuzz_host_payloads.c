/* What the host posts to a function: invocation payloads, as the functions read them. */
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "functions/dispatch.h"
#include "functions/function_table.h"
#include "functions/invocation.h"
#include "fuzz/input.h"
#include "fuzz/stub_service.h"

#define HTTP_INDEX(name, method, route, handler) INDEX_OF_##handler,
#define TIMER_INDEX(name, schedule, handler) INDEX_OF_##handler,

enum { FUNCTION_TABLE(HTTP_INDEX, TIMER_INDEX) FUNCTION_COUNT };

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    log_configure(LOG_NONE, "fuzz");
    return 0;
}

static void check_parse(const char *payload, size_t length, bool expects_request) {
    static const struct invocation before = {.method = "before"};
    struct invocation invocation = before;
    struct error err = {0};
    enum status status = invocation_parse(payload, length, expects_request, &invocation, &err);
    if (status != STATUS_OK) {
        REQUIRE(status == STATUS_MALFORMED && err.message[0] != '\0');
        REQUIRE(memcmp(&invocation, &before, sizeof before) == 0);
        return;
    }
    REQUIRE(invocation.root != NULL && invocation.body != NULL && invocation.query != NULL &&
            invocation_param(&invocation, "productId") != NULL);
    REQUIRE(!expects_request || invocation.method != NULL);
    invocation_cleanup(&invocation);
}

/* The answer that the host passes on to a caller. */
static void check_wrapped(const cJSON *root) {
    const cJSON *res =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(root, "Outputs"), "res");
    const char *status = json_string(res, "statusCode"), *body = json_string(res, "body");
    REQUIRE(status != NULL && strtol(status, NULL, 10) >= 200 && strtol(status, NULL, 10) <= 599);
    REQUIRE(body != NULL && (strcmp(status, "304") == 0 || input_is_json(body, strlen(body))));
    REQUIRE(cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(root, "Logs")));
    REQUIRE(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(root, "ReturnValue")));
}

static void check_timer(const cJSON *root) {
    REQUIRE(cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(root, "Outputs")));
    REQUIRE(cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(root, "ReturnValue")));
    REQUIRE(stub_service_calls() == 1);
}

static void check_answer(const struct http_response *response, bool is_timer) {
    cJSON *root = NULL;
    REQUIRE(response->headers.status == STATUS_OK && strbuf_status(&response->body) == STATUS_OK);
    REQUIRE(json_parse(response->body.data, response->body.length, &root, NULL) == STATUS_OK &&
            cJSON_IsObject(root));
    /* A timer's failure is for the host to know. */
    REQUIRE(is_timer || strstr(response->body.data, "secret detail") == NULL);
    if (response->status == 200 && is_timer) {
        check_timer(root);
    } else if (response->status == 200) {
        check_wrapped(root);
    } else { /* only a timer's invocation fails after the service was called */
        REQUIRE(response->status == 400 || (is_timer && response->status >= 404));
        REQUIRE(response->status != 400 || stub_service_calls() == 0);
    }
    cJSON_Delete(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = input_of(data, size);
    const struct function *function = &function_table[input_take_choice(&input, FUNCTION_COUNT)];
    bool is_timer = function->method == NULL;
    char path[64];
    snprintf(path, sizeof path, "/%s", function->name);
    stub_service_begin(input_take_choice(&input, STUB_SERVICE_OUTCOMES));
    size_t length;
    char *payload = input_take_bytes(&input, &length);
    check_parse(payload, length, !is_timer);

    struct inventory_service *none = NULL; /* the stub asks for none */
    struct dispatch dispatch = {.service = none, .random = random_system(), .route_prefix = "api"};
    struct http_headers headers;
    http_headers_init(&headers);
    const struct http_request request = {.method = "POST",
                                         .path = path,
                                         .query = "",
                                         .headers = &headers,
                                         .body = payload,
                                         .body_length = length};
    struct http_response response;
    http_response_init(&response, 2 * MAX_INVOCATION_BYTES);
    stub_service_dispatch(&dispatch, &request, &response);
    check_answer(&response, is_timer);
    http_response_cleanup(&response);
    http_headers_cleanup(&headers);
    free(payload);
    return 0;
}
