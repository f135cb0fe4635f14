/*
 * A caller's request, proxied as it is and wrapped into an invocation's payload by the development
 * host: in both shapes the same answer, and both find the same route.
 */
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/utf8.h"
#include "devhost/http_front.h"
#include "devhost/invocation_payload.h"
#include "devhost/request_path.h"
#include "functions/dispatch.h"
#include "fuzz/input.h"
#include "fuzz/stub_service.h"

enum { ANSWER_BYTES = 2 * MAX_INVOCATION_BYTES };

static char get[] = "GET", post[] = "POST", req[] = "req", res[] = "res";
static char *get_alone[] = {get}, *post_alone[] = {post};
static char names[][24] = {"ReserveInventory", "ReleaseInventory", "GetInventory"};

/* The app's functions behind each of these prefixes. */
static const char *const prefixes[] = {"api", "", "v1/api"};
static char routes[][3][48] = {
    {"api/inventory/{productId}/reserve", "api/inventory/{productId}/release",
     "api/inventory/{productId}"},
    {"inventory/{productId}/reserve", "inventory/{productId}/release", "inventory/{productId}"},
    {"v1/api/inventory/{productId}/reserve", "v1/api/inventory/{productId}/release",
     "v1/api/inventory/{productId}"},
};

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    log_configure(LOG_NONE, "fuzz");
    return 0;
}

static struct http_response dispatched(unsigned prefix, const struct http_request *request,
                                       unsigned outcome) {
    struct dispatch dispatch = {
        .service = NULL, .random = random_system(), .route_prefix = prefixes[prefix]};
    struct http_response response;
    http_response_init(&response, ANSWER_BYTES);
    stub_service_begin(outcome);
    stub_service_dispatch(&dispatch, request, &response);
    REQUIRE(strbuf_status(&response.body) == STATUS_OK && response.headers.status == STATUS_OK);
    REQUIRE(response.status >= 200 && response.status <= 599);
    REQUIRE(input_is_json(response.body.data, response.body.length));
    return response;
}

/* The answer by way of the payload that the host makes of the request. */
static struct http_response invoked(unsigned prefix, const struct http_request *request,
                                    unsigned outcome, const struct host_function *function,
                                    const struct route_values *params) {
    const struct invocation_sys sys = {.id = "6c8e5a31-0000-4000-8000-000000000000", .now_ms = 0};
    struct strbuf payload;
    strbuf_init(&payload, MAX_INVOCATION_BYTES);
    invocation_payload_http(&payload, function, request, "localhost:7071", params, &sys);
    REQUIRE(strbuf_status(&payload) == STATUS_OK);
    REQUIRE(input_is_json(payload.data, payload.length) || strstr(payload.data, "\\u0000") != NULL);
    char path[64];
    snprintf(path, sizeof path, "/%s", function->name);
    struct http_request call = *request;
    call.method = "POST";
    call.path = path;
    call.body = payload.data;
    call.body_length = payload.length;
    struct http_response outer = dispatched(prefix, &call, outcome), answer;
    REQUIRE(outer.status == 200);
    cJSON *json = NULL;
    REQUIRE(invocation_payload_parse(outer.body.data, outer.body.length, &json, NULL) == STATUS_OK);
    http_response_init(&answer, ANSWER_BYTES);
    REQUIRE(invocation_payload_response(json, function->output_name, &answer, NULL) == STATUS_OK);
    cJSON_Delete(json);
    http_response_cleanup(&outer);
    strbuf_cleanup(&payload);
    return answer;
}

/* But for the id that each request gets where the host gave none. */
static void check_same(const struct http_response *left, const struct http_response *right) {
    REQUIRE(left->status == right->status && left->headers.count == right->headers.count);
    REQUIRE(strcmp(left->body.data, right->body.data) == 0);
    for (size_t i = 0; i < left->headers.count; i++) {
        const char *value = http_headers_get(&right->headers, left->headers.items[i].name);
        REQUIRE(value != NULL);
        REQUIRE(strcmp(value, left->headers.items[i].value) == 0 ||
                strcmp(left->headers.items[i].name, "x-ms-request-id") == 0);
    }
}

static void check_request(unsigned prefix, const struct http_request *request, unsigned outcome) {
    struct host_function functions[3] = {
        {.methods = post_alone}, {.methods = post_alone}, {.methods = get_alone}};
    for (size_t i = 0; i < 3; i++) {
        functions[i].name = names[i];
        functions[i].trigger = HOST_TRIGGER_HTTP;
        functions[i].trigger_name = req;
        functions[i].output_name = res;
        functions[i].route = routes[prefix][i];
        functions[i].method_count = 1;
    }
    const struct host_config config = {.functions = functions, .function_count = 3};
    struct route_values params;
    const struct host_function *function =
        http_front_find(&config, request->method, request->path, &params);
    struct http_response answer = dispatched(prefix, request, outcome);
    int calls = stub_service_calls();
    if (function == NULL) { /* nobody's request, or another method: nothing is done */
        REQUIRE(calls == 0);
    } else if (utf8_is_valid(request->body,
                             request->body_length)) { /* else the host changes it on the way */
        struct http_response wrapped = invoked(prefix, request, outcome, function, &params);
        REQUIRE(stub_service_calls() == calls);
        check_same(&answer, &wrapped);
        REQUIRE(calls == 0 || stub_service_is_product_id(params.items[0].value));
        http_response_cleanup(&wrapped);
    }
    http_response_cleanup(&answer);
}

/* The host refuses any other query: an address is ASCII. */
static bool is_ascii(const char *text) {
    while (*text != '\0' && (unsigned char)*text < 0x80) {
        text++;
    }
    return *text == '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = input_of(data, size);
    unsigned prefix = input_take_choice(&input, 3),
             outcome = input_take_choice(&input, STUB_SERVICE_OUTCOMES);
    char *method = input_take_line(&input), *path = input_take_line(&input),
         *query = input_take_line(&input);
    char *content_type = input_take_line(&input), *key = input_take_line(&input), *body = NULL;
    struct http_headers headers;
    http_headers_init(&headers);
    if (content_type[0] != '\0') {
        http_headers_add(&headers, "Content-Type", content_type);
    }
    if (key[0] != '\0') {
        http_headers_add(&headers, "idempotency-key", key);
    }
    size_t length;
    body = input_take_bytes(&input, &length);
    struct strbuf canonical;
    strbuf_init(&canonical, ANSWER_BYTES);
    bool is_path =
        path[0] == '/' && is_ascii(query) &&
        request_path_canonical(&canonical, path, strlen(path)); /* else the host refuses it */
    if (headers.status == STATUS_OK && is_path && strbuf_status(&canonical) == STATUS_OK) {
        const struct http_request request = {.method = method,
                                             .path = canonical.data,
                                             .query = query,
                                             .headers = &headers,
                                             .body = body,
                                             .body_length = length};
        check_request(prefix, &request, outcome);
    }
    http_headers_cleanup(&headers);
    strbuf_cleanup(&canonical);
    free(body);
    free(key);
    free(content_type);
    free(query);
    free(path);
    free(method);
    return 0;
}
