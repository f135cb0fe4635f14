#include "support/fakes/function_app.h"

#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/percent.h"
#include "base/temp_file.h"
#include "base/utf8.h"
#include "functions/function_table.h"
#include "http/http_transport.h"
#include "http/loop_call.h"
#include "inventory/store_operation.h"
#include "lease/lease_options.h"
#include "lease/lease_wait.h"

enum {
    ANSWER_BYTES = 1024 * 1024,
    PATH_BYTES = 4096,
    STOP_MS = 5000,
    LIFETIME_MS = 30 * 60 * 1000,
    MAX_LIFETIME_MS = 24 * 60 * 60 * 1000,
};
static const int64_t START_MS = 1737297930000; /* 2025-01-19T14:45:30Z */

static const struct seed_product seeds[] = {{"PROD-001", 100}, {"PROD-002", 50}};

/* ---- the store ---- */

static struct inventory_store *memory_of(struct inventory_store *store) {
    return &((struct failing_store *)store)->memory.base;
}

static enum status planned(struct inventory_store *store, enum store_operation_kind operation,
                           struct error *err) {
    enum status status =
        atomic_exchange(&((struct failing_store *)store)->next[operation], STATUS_OK);
    return status == STATUS_OK
               ? STATUS_OK
               : error_set(err, status, "the store was told to fail with a secret detail");
}

static int64_t now_ms(struct inventory_store *store) {
    return memory_of(store)->ops->now_ms(memory_of(store));
}

static int64_t certain_ms(struct inventory_store *store) {
    return memory_of(store)->ops->certain_ms(memory_of(store));
}

static void fail_later(struct inventory_store *store, enum status status, const char *why,
                       inventory_store_done done, void *context) {
    struct error err;
    struct store_operation *operation =
        store_operation_new(store, sizeof *operation, done, context);
    ck_assert_ptr_nonnull(operation);
    error_set(&err, status, "%s", why);
    store_operation_fail(operation, store->platform->loop, &err);
}

/* Whether an operation was told to fail; then it does so. */
static bool fails(struct inventory_store *store, enum store_operation_kind kind,
                  inventory_store_done done, void *context) {
    struct error err;
    enum status status = planned(store, kind, &err);
    if (status != STATUS_OK) {
        fail_later(store, status, err.message, done, context);
    }
    return status != STATUS_OK;
}

static void prepare(struct inventory_store *store, const struct seed_product *products,
                    size_t count, inventory_store_done done, void *context) {
    if (!fails(store, STORE_PREPARE, done, context)) {
        memory_of(store)->ops->prepare(memory_of(store), products, count, done, context);
    }
}

static void read_product(struct inventory_store *store, const char *product_id,
                         const struct inventory_query *query, struct product_state *out,
                         inventory_store_done done, void *context) {
    if (!fails(store, STORE_READ, done, context)) {
        memory_of(store)->ops->read(memory_of(store), product_id, query, out, done, context);
    }
}

static void commit(struct inventory_store *store, struct product_state *state, int64_t deadline_ms,
                   inventory_store_done done, void *context) {
    if (!fails(store, STORE_COMMIT, done, context)) {
        /* The store has a clock of its own, which the test steps. */
        (void)deadline_ms;
        memory_of(store)->ops->commit(memory_of(store), state, INT64_MAX, done, context);
    }
}

static void find_record(struct inventory_store *store, const char *product_id, const char *key_hash,
                        struct idempotency_record *out, inventory_store_done done, void *context) {
    if (!fails(store, STORE_FIND_RECORD, done, context)) {
        memory_of(store)->ops->find_record(memory_of(store), product_id, key_hash, out, done,
                                           context);
    }
}

static void index_expiry(struct inventory_store *store, const char *product_id, int64_t expires_ms,
                         int64_t *out_indexed_due_ms, inventory_store_done done, void *context) {
    memory_of(store)->ops->index_expiry(memory_of(store), product_id, expires_ms,
                                        out_indexed_due_ms, done, context);
}

static void announce_wait(struct inventory_store *store, const char *product_id,
                          inventory_store_done done, void *context) {
    memory_of(store)->ops->announce_wait(memory_of(store), product_id, done, context);
}

static void read_wait(struct inventory_store *store, const char *product_id,
                      int64_t *out_announced_ms, inventory_store_done done, void *context) {
    memory_of(store)->ops->read_wait(memory_of(store), product_id, out_announced_ms, done, context);
}

static void find_expired(struct inventory_store *store, int64_t due_ms, struct product_ids *out,
                         inventory_store_done done, void *context) {
    if (!fails(store, STORE_FIND_DUE, done, context)) {
        memory_of(store)->ops->find_expired(memory_of(store), due_ms, out, done, context);
    }
}

static void clean_up_expired(struct inventory_store *store, const char *product_id, int64_t due_ms,
                             int *out_records_deleted, inventory_store_done done, void *context) {
    if (!fails(store, STORE_FINISH_DUE, done, context)) {
        memory_of(store)->ops->clean_up_expired(memory_of(store), product_id, due_ms,
                                                out_records_deleted, done, context);
    }
}

/* ---- the app ---- */

void function_app_start(struct function_app *app, int64_t acquire_timeout_ms) {
    static const struct inventory_store_ops ops = {.prepare = prepare,
                                                   .now_ms = now_ms,
                                                   .certain_ms = certain_ms,
                                                   .read = read_product,
                                                   .commit = commit,
                                                   .find_record = find_record,
                                                   .index_expiry = index_expiry,
                                                   .announce_wait = announce_wait,
                                                   .read_wait = read_wait,
                                                   .find_expired = find_expired,
                                                   .clean_up_expired = clean_up_expired};
    struct error err = {0};
    *app = (struct function_app){.lease_options = lease_options_default()};
    clock_fake_init(&app->store_clock, 1000, START_MS);
    ck_assert_int_eq(http_transport_new(&app->transport, clock_system(), &err), STATUS_OK);
    app->platform = app->store_platform = http_transport_platform(app->transport, random_system());
    app->store_platform.clock = &app->store_clock.base;
    inventory_store_memory_init(&app->store.memory, &app->store_platform);
    store_operation_init_store(&app->store.base, &ops, &app->store_platform);
    app->lease_service = lease_store_fake_new(app->platform.loop, clock_system());
    app->lease_options.acquire_timeout_ms = acquire_timeout_ms;
    app->lease_options.acquire_retry_ms = 1;
    ck_assert_int_eq(lease_manager_new(&app->leases, &app->lease_options,
                                       lease_store_fake_store(app->lease_service), &app->platform,
                                       &err),
                     STATUS_OK);
    app->options = (struct inventory_options){.reservation_lifetime_ms = LIFETIME_MS,
                                              .max_reservation_lifetime_ms = MAX_LIFETIME_MS,
                                              .seeds = seeds,
                                              .seed_count = sizeof seeds / sizeof seeds[0]};
    inventory_service_init(&app->service, &app->platform, &app->store.base, app->leases,
                           &app->options, acquire_timeout_ms);
    app->dispatch = (struct dispatch){.functions = function_table,
                                      .service = &app->service,
                                      .random = app->platform.random,
                                      .route_prefix = "api"};
}

void function_app_stop(struct function_app *app) {
    inventory_service_cancel(&app->service);
    ck_assert_int_eq(lease_manager_close(app->leases, clock_now_ms(clock_system()) + STOP_MS), 0);
    http_transport_stop(app->transport);
    inventory_service_cleanup(&app->service);
    lease_manager_free(app->leases);
    http_transport_free(app->transport);
    lease_store_fake_free(app->lease_service);
    inventory_store_memory_cleanup(&app->store.memory);
}

void function_app_await_release(struct function_app *app, const char *lease_name) {
    size_t count = lease_store_fake_count(app->lease_service, FAKE_RELEASE);
    while (lease_store_fake_is_leased(app->lease_service, lease_name)) {
        lease_store_fake_wait(app->lease_service, FAKE_RELEASE, ++count);
    }
    lease_store_fake_drain(app->lease_service);
}

/* ---- calls ---- */

#define PROXIED_ID "x-ms-invocation-id"
#define FORWARDED_ID "X-Azure-Functions-InvocationId" /* and of the invocation shape */
#define INVOCATION_ID "6c8e5a31-0000-0000-0000-000000000000"

struct waiting_call {
    struct http_inbound inbound; /* first */
    struct function_app *app;
    struct loop_call call;
};

static void end_call(struct http_inbound *inbound) {
    loop_call_end(&((struct waiting_call *)inbound)->call);
}

static void begin_call(void *context) {
    struct waiting_call *waiting = context;
    dispatch_request(&waiting->app->dispatch, &waiting->inbound);
}

void function_app_dispatch(struct function_app *app, const struct http_request *request,
                           struct http_response *response) {
    struct waiting_call waiting = {
        .inbound = {.request = *request, .response = *response, .answered = end_call}, .app = app};
    loop_call_run(&waiting.call, app->service.platform->loop, begin_call, &waiting);
    *response = waiting.inbound.response;
}

/* As the server does it: the rest of the body follows. */
static void append_rest(struct function_app *app, struct http_response *response) {
    char block[1000];
    size_t got;
    struct error err;
    uint64_t length = response->rest == NULL ? 0 : response->rest->length;
    for (uint64_t at = 0; at < length; at += got) {
        ck_assert_int_eq(temp_file_read(response->rest, at, block, sizeof block, &got, &err),
                         STATUS_OK);
        strbuf_append(&response->body, block, got);
    }
    app->rest_bytes = (size_t)length;
    temp_file_free(response->rest);
    response->rest = NULL;
}

static struct http_response dispatched(struct function_app *app,
                                       const struct http_request *request) {
    struct http_response response;
    http_response_init(&response, ANSWER_BYTES);
    function_app_dispatch(app, request, &response);
    append_rest(app, &response);
    ck_assert_int_eq(strbuf_status(&response.body), STATUS_OK);
    ck_assert_int_eq(response.headers.status, STATUS_OK);
    ck_assert_str_eq(http_headers_get(&response.headers, "Content-Type"), "application/json");
    return response;
}

struct http_response function_app_request(struct function_app *app, const char *method,
                                          const char *path, const char *body) {
    struct http_headers headers;
    http_headers_init(&headers);
    http_headers_add(&headers, FORWARDED_ID, INVOCATION_ID);
    struct http_request request = {.method = method,
                                   .path = path,
                                   .query = "",
                                   .headers = &headers,
                                   .body = body == NULL ? "" : body,
                                   .body_length = body == NULL ? 0 : strlen(body)};
    struct http_response answer = dispatched(app, &request);
    http_headers_cleanup(&headers);
    return answer;
}

static size_t body_length(const struct function_call *call) {
    return call->body == NULL || call->body_length > 0 ? call->body_length : strlen(call->body);
}

static bool is_apart(const struct function_call *call) {
    return call->action[0] == '/';
}

static const char *query_of(const struct function_call *call) {
    return call->query == NULL ? "" : call->query;
}

/* Returns the function whose route has this action. `out_match` gets its parameters. */
static const struct function *function_of(const struct function_call *call,
                                          struct route_match *out_match) {
    static char path[PATH_BYTES]; /* in which the parameters lie */
    if (is_apart(call)) {
        snprintf(path, sizeof path, "%s", call->action);
    } else {
        snprintf(path, sizeof path, "/inventory/any%s%s", call->action[0] == '\0' ? "" : "/",
                 call->action);
    }
    for (const struct function *at = function_table; at->name != NULL; at++) {
        if (at->route != NULL && route_template_matches(at->route, path, out_match)) {
            return at;
        }
    }
    ck_abort_msg("no function has a route for %s", path);
    return NULL;
}

static const char *method_of(const struct function_call *call) {
    struct route_match match;
    return call->method != NULL ? call->method : function_of(call, &match)->method;
}

static const char *product_of(const struct function_call *call) {
    return call->product == NULL ? "PROD-001" : call->product;
}

static struct http_response call_proxied(struct function_app *app,
                                         const struct function_call *call) {
    struct http_headers headers;
    http_headers_init(&headers);
    http_headers_add(&headers, call->is_forwarded ? FORWARDED_ID : PROXIED_ID, INVOCATION_ID);
    if (call->content_type != NULL) {
        http_headers_add(&headers, "content-type", call->content_type);
    }
    for (size_t i = 0; call->header.name != NULL && call->header.values[i] != NULL; i++) {
        http_headers_add(&headers, call->header.name, call->header.values[i]);
    }
    char path[PATH_BYTES];
    if (is_apart(call)) {
        snprintf(path, sizeof path, "/api%s", call->action);
    } else {
        snprintf(path, sizeof path, "/api/inventory/%s%s%s", product_of(call),
                 call->action[0] == '\0' ? "" : "/", call->action);
    }
    struct http_request request = {.method = method_of(call),
                                   .path = path,
                                   .query = query_of(call),
                                   .headers = &headers,
                                   .body = call->body == NULL ? "" : call->body,
                                   .body_length = body_length(call)};
    struct http_response answer = dispatched(app, &request);
    http_headers_cleanup(&headers);
    return answer;
}

/*
 * Appends a JSON string as the host writes it: control characters escaped, NUL too; what is no
 * UTF-8 became U+FFFD.
 */
static void append_json_string(struct strbuf *out, const char *bytes, size_t length) {
    strbuf_append_char(out, '"');
    for (size_t at = 0; at < length;) {
        uint32_t code_point;
        size_t size = utf8_decode(bytes + at, length - at, &code_point);
        if (size == 0) {
            strbuf_append_string(out, "\xEF\xBF\xBD");
        } else if (code_point < 0x20 || code_point == '"' || code_point == '\\') {
            strbuf_appendf(out, "\\u%04x", (unsigned)code_point);
        } else {
            strbuf_append(out, bytes + at, size);
        }
        at += size == 0 ? 1 : size;
    }
    strbuf_append_char(out, '"');
}

/*
 * The route's parameter as ASP.NET hands it over: decoded, but for %2F and for what is no escape.
 */
static void append_decoded(struct strbuf *out, const char *text) {
    struct strbuf decoded;
    strbuf_init(&decoded, ANSWER_BYTES);
    for (const char *end = text + strlen(text); text < end;) {
        int byte = percent_escape(text, (size_t)(end - text));
        if (byte >= 0 && byte != '/') {
            strbuf_append_char(&decoded, (char)byte);
            text += PERCENT_ESCAPE_LENGTH;
        } else {
            strbuf_append_char(&decoded, *text++);
        }
    }
    append_json_string(out, decoded.data, decoded.length);
    strbuf_cleanup(&decoded);
}

/* The product is the first parameter of each route, and the action has the others. */
static void append_params(struct strbuf *out, const struct function_call *call) {
    struct route_match match;
    const struct function *function = function_of(call, &match);
    for (size_t i = 0; i < match.count; i++) {
        char name[ROUTE_NAME_BYTES], value[PATH_BYTES];
        ck_assert(route_template_param(function->route, i, name));
        snprintf(value, sizeof value, "%.*s", (int)match.lengths[i], match.values[i]);
        strbuf_appendf(out, "%s\"%s\":", i == 0 ? "" : ",", name);
        append_decoded(out, i == 0 ? product_of(call) : value);
    }
}

static void append_payload(struct strbuf *out, const struct function_call *call) {
    strbuf_appendf(out,
                   "{\"Data\":{\"req\":{\"Url\":\"http://localhost:7071/%s%s"
                   "\",\"Method\":\"%s\",\"Query\":{},\"Headers\":{"
                   "\"Host\":[\"localhost:7071\"]",
                   call->query == NULL ? "" : "?", query_of(call), method_of(call));
    if (call->content_type != NULL) {
        strbuf_append_string(out, ",\"Content-Type\":[");
        append_json_string(out, call->content_type, strlen(call->content_type));
        strbuf_append_string(out, "]");
    }
    for (size_t i = 0; call->header.name != NULL && call->header.values[i] != NULL; i++) {
        if (i == 0) {
            strbuf_appendf(out, ",\"%s\":[", call->header.name);
        } else {
            strbuf_append_string(out, ",");
        }
        append_json_string(out, call->header.values[i], strlen(call->header.values[i]));
    }
    bool has_header = call->header.name != NULL && call->header.values[0] != NULL;
    strbuf_append_string(out, has_header ? "]" : "");
    strbuf_append_string(out, "},\"Params\":{");
    append_params(out, call);
    strbuf_append_string(out, "},\"Identities\":[]");
    if (call->body != NULL) {
        size_t mark = body_length(call) >= 3 && memcmp(call->body, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
        strbuf_append_string(out, ",\"Body\":");
        append_json_string(out, call->body + mark, body_length(call) - mark);
    }
    strbuf_append_string(out, "}},\"Metadata\":{\"sys\":{\"RandGuid\":\"x\"}}}");
}

/* The caller's answer out of the host's. */
static struct http_response unwrap(const struct http_response *outer) {
    cJSON *root = NULL;
    struct error err = {0};
    ck_assert_msg(outer->status == 200, "%d %s", outer->status, outer->body.data);
    ck_assert_msg(json_parse(outer->body.data, outer->body.length, &root, &err) == STATUS_OK,
                  "%s: %s", err.message, outer->body.data);
    ck_assert(cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(root, "Logs")));
    ck_assert(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(root, "ReturnValue")));
    const cJSON *res =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(root, "Outputs"), "res");
    struct http_response answer;
    http_response_init(&answer, ANSWER_BYTES);
    answer.status = (int)strtol(json_string(res, "statusCode"), NULL, 10);
    strbuf_append_string(&answer.body, json_string(res, "body"));
    const cJSON *header;
    cJSON_ArrayForEach(header, cJSON_GetObjectItemCaseSensitive(res, "headers")) {
        http_headers_add(&answer.headers, header->string, header->valuestring);
    }
    cJSON_Delete(root);
    return answer;
}

static struct http_response call_wrapped(struct function_app *app,
                                         const struct function_call *call) {
    struct strbuf payload;
    strbuf_init(&payload, MAX_INVOCATION_BYTES);
    append_payload(&payload, call);
    ck_assert_int_eq(strbuf_status(&payload), STATUS_OK);
    struct route_match match;
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/%s", function_of(call, &match)->name);
    struct http_response outer = function_app_request(app, "POST", path, payload.data);
    struct http_response answer = unwrap(&outer);
    http_response_cleanup(&outer);
    strbuf_cleanup(&payload);
    return answer;
}

struct http_response function_app_call(struct function_app *app, int shape,
                                       const struct function_call *call) {
    return shape == CALL_PROXIED ? call_proxied(app, call) : call_wrapped(app, call);
}
