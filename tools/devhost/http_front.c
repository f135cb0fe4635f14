#include "devhost/http_front.h"

#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "devhost/console.h"
#include "devhost/forwarder.h"

enum { MAX_ADMIN_BODY_BYTES = 1024 * 1024, BLOCK_BYTES = 4096 };

#define ADMIN_PREFIX "/admin/functions/"

/* Finding the function */

static bool allows(const struct host_function *function, const char *method) {
    for (size_t i = 0; i < function->method_count; i++) {
        if (strcasecmp(function->methods[i], method) == 0) {
            return true;
        }
    }
    return function->method_count == 0;
}

const struct host_function *http_front_find(const struct host_config *config, const char *method,
                                            const char *path, struct route_values *params) {
    for (size_t i = 0; i < config->function_count; i++) {
        const struct host_function *function = &config->functions[i];
        if (function->trigger == HOST_TRIGGER_HTTP && !function->is_disabled &&
            allows(function, method) && route_matches(function->route, path, params)) {
            return function;
        }
    }
    return NULL;
}

/* /admin/functions/{name} */

static bool has_json_object(struct caller_request *request) {
    struct strbuf body;
    strbuf_init(&body, MAX_ADMIN_BODY_BYTES);
    char block[BLOCK_BYTES];
    ssize_t got;
    while ((got = wire_body_read(&request->body, block, sizeof block)) > 0 &&
           strbuf_status(&body) == STATUS_OK) {
        strbuf_append(&body, block, (size_t)got);
    }
    cJSON *json = NULL;
    bool good = got == 0 && json_parse(body.data, body.length, &json, NULL) == STATUS_OK &&
                cJSON_IsObject(json);
    cJSON_Delete(json);
    strbuf_cleanup(&body);
    return good;
}

static int run_by_hand(const struct http_front *front, struct caller_request *request) {
    const struct host_function *function =
        host_config_find(front->invoker->config, request->path.data + strlen(ADMIN_PREFIX));
    if (!caller_request_is(request, "POST")) {
        return 404;
    }
    if (!has_json_object(request)) {
        return 400;
    }
    if (function == NULL) {
        return 404;
    }
    if (function->trigger != HOST_TRIGGER_TIMER) {
        console_print(LOG_WARNING,
                      "Only timers are run by hand here: %s is not; call it by its route.",
                      function->name);
    } else if (!timers_fire(front->timers, function)) {
        return 500;
    }
    return 202;
}

/* Requests */

bool http_front_answer(void *context, struct caller_request *request, struct stream *caller) {
    const struct http_front *front = context;
    struct route_values params;
    if (strncasecmp(request->path.data, ADMIN_PREFIX, strlen(ADMIN_PREFIX)) == 0) {
        int status = caller_request_continue(request) ? run_by_hand(front, request) : 400;
        return caller_request_answer(request, caller, status);
    }
    const struct host_function *function =
        http_front_find(front->invoker->config, request->method, request->path.data, &params);
    if (function == NULL) {
        return caller_request_answer(request, caller, 404);
    }
    return forwarder_serve(front->invoker, function, &params, request, caller);
}
