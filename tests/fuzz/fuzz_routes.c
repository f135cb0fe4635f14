/*
 * A caller's request, in two shapes: proxied as it is, and wrapped into an invocation's payload by
 * the development host. Both find the same route, and get the same answer.
 */
#include <stdarg.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/utf8.h"
#include "devhost/http_front.h"
#include "devhost/invocation_payload.h"
#include "devhost/request_path.h"
#include "functions/dispatch.h"
#include "functions/function_table.h"
#include "fuzz/input.h"
#include "fuzz/stub_service.h"

enum { ANSWER_BYTES = 2 * MAX_INVOCATION_BYTES };

static char req[] = "req", res[] = "res";

/* The app's functions as the host reads them, behind each of these prefixes. */
static const char *const prefixes[] = {"api", "", "v1/api"};

enum { PREFIX_COUNT = sizeof prefixes / sizeof prefixes[0] };

static struct host_config configs[PREFIX_COUNT];

static char *text_of(const char *format, ...) PRINTF_LIKE(1, 2);

static char *text_of(const char *format, ...) {
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    REQUIRE(vasprintf(&text, format, arguments) >= 0);
    va_end(arguments);
    return text;
}

static void add_function(struct host_config *config, const char *prefix,
                         const struct function *function) {
    struct host_function *added = &config->functions[config->function_count++];
    added->name = text_of("%s", function->name);
    added->trigger = HOST_TRIGGER_HTTP;
    added->trigger_name = req;
    added->output_name = res;
    added->route = text_of("%s%s%s", prefix, prefix[0] == '\0' ? "" : "/", function->route);
    added->methods = calloc(1, sizeof *added->methods);
    REQUIRE(added->methods != NULL);
    added->methods[added->method_count++] = text_of("%s", function->method);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static struct host_function functions[PREFIX_COUNT][16];
    (void)argc;
    (void)argv;
    log_configure(LOG_NONE, "fuzz");
    for (size_t i = 0; i < PREFIX_COUNT; i++) {
        configs[i].functions = functions[i];
        for (const struct function *function = function_table; function->name != NULL; function++) {
            REQUIRE(configs[i].function_count < 16);
            if (function->route != NULL) {
                add_function(&configs[i], prefixes[i], function);
            }
        }
    }
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
    REQUIRE(response.status == 304 ? response.body.length == 0
                                   : input_is_json(response.body.data, response.body.length));
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
    struct route_values params;
    const struct host_function *function =
        http_front_find(&configs[prefix], request->method, request->path, &params);
    struct http_response answer = dispatched(prefix, request, outcome);
    int calls = stub_service_calls();
    if (function == NULL) {
        REQUIRE(calls == 0);
    } else if (utf8_is_valid(request->body, request->body_length)) {
        /* The host would change any other body on the way. */
        struct http_response wrapped = invoked(prefix, request, outcome, function, &params);
        REQUIRE(stub_service_calls() == calls);
        check_same(&answer, &wrapped);
        REQUIRE(calls == 0 || params.count == 0 ||
                stub_service_is_product_id(params.items[0].value));
        http_response_cleanup(&wrapped);
    }
    http_response_cleanup(&answer);
}

static bool is_ascii(const char *text) {
    while (*text != '\0' && (unsigned char)*text < 0x80) {
        text++;
    }
    return *text == '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = input_of(data, size);
    unsigned prefix = input_take_choice(&input, PREFIX_COUNT),
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
    /* The host refuses any other path or query. */
    bool is_path = path[0] == '/' && strchr(path, '?') == NULL && is_ascii(query) &&
                   request_path_canonical(&canonical, path, strlen(path));
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
