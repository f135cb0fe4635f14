#include "support/fakes/identity_server.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/percent.h"
#include "support/checks/jwt.h"
#include "support/fakes/blocking_server.h"
#include "support/processes/process.h"

enum {
    THREADS = 32,
    MAX_BODY_BYTES = 64 * 1024,
    MAX_ANSWER_BYTES = 256 * 1024 * 1024,
    REQUEST_TIMEOUT_MS = 30 * 1000,
    MAX_REQUESTS = 4096,
    MAX_RULE_BYTES = 2048,
    DEFAULT_LIFETIME_S = 3600,
    POLL_MS = 5
};
#define RESOURCE "https://storage.azure.com/"
#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

struct identity_server {
    struct blocking_server host;
    struct http_server *http;
    char url[64];
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    char *header_secret, *client_secret, *certificate, *federated_token, *managed_identity;
    struct identity_answer usual, next;
    size_t next_count;
    bool let_go;
    struct identity_request requests[MAX_REQUESTS];
    size_t request_count;
};

static char *copy(const char *text) {
    char *made = text == NULL ? NULL : strdup(text);
    ck_assert(text == NULL || made != NULL);
    return made;
}

/* --- reading requests --- */

/* A form's value of `length` bytes, decoded. The caller's. */
static char *decode(const char *text, size_t length) {
    char *value = strndup(text, length);
    ck_assert_ptr_nonnull(value);
    for (char *plus = value; (plus = strchr(plus, '+')) != NULL;) {
        *plus = ' ';
    }
    percent_decode(value);
    return value;
}

/* The value of `name` in a query or form; NULL where it is missing or there twice. The caller's. */
static char *field(const char *form, const char *name) {
    char *value = NULL;
    size_t name_length = strlen(name), length;
    for (const char *at = form; *at != '\0'; at += length + (at[length] == '&')) {
        length = strcspn(at, "&");
        if (length <= name_length || strncmp(at, name, name_length) != 0 ||
            at[name_length] != '=') {
            continue;
        }
        if (value != NULL) {
            free(value);
            return NULL;
        }
        value = decode(at + name_length + 1, length - name_length - 1);
    }
    return value;
}

/* Whether `name` is there just once with this value; with NULL, whether it is not there. */
static bool field_is(const char *form, const char *name, const char *expected) {
    char *value = field(form, name);
    bool is = expected == NULL ? value == NULL && strstr(form, name) == NULL
                               : value != NULL && strcmp(value, expected) == 0;
    free(value);
    return is;
}

static bool header_is(const struct http_request *request, const char *name, const char *expected) {
    const char *value = http_headers_get(request->headers, name);
    return value != NULL && expected != NULL && strcmp(value, expected) == 0;
}

/* --- judging them: what is wrong with it, NULL if nothing --- */

static const char *judge_managed(const struct identity_server *server,
                                 const struct http_request *request, const char *version) {
    return strcmp(request->method, "GET") != 0                 ? "the method is not GET"
           : !field_is(request->query, "api-version", version) ? "api-version is another"
           : !field_is(request->query, "resource", RESOURCE)   ? "resource is not " RESOURCE
           : !field_is(request->query, "client_id", server->managed_identity)
               ? "client_id is not the identity that is assigned"
               : NULL;
}

static const char *judge_app_service(const struct identity_server *server,
                                     const struct http_request *request) {
    return !header_is(request, "X-IDENTITY-HEADER", server->header_secret)
               ? "X-IDENTITY-HEADER is not the secret"
               : judge_managed(server, request, "2019-08-01");
}

/* Metadata must be there, so that nobody is sent here by a page or a redirect. */
static const char *judge_imds(const struct identity_server *server,
                              const struct http_request *request) {
    return !header_is(request, "Metadata", "true") ? "Metadata is not true"
           : http_headers_get(request->headers, "X-Forwarded-For") != NULL
               ? "X-Forwarded-For is there"
               : judge_managed(server, request, "2018-02-01");
}

static const char *judge_assertion(const struct identity_server *server, const char *path,
                                   const char *assertion, char complaint[JWT_COMPLAINT_BYTES]) {
    if (server->federated_token != NULL && strcmp(assertion, server->federated_token) == 0) {
        return NULL;
    }
    if (server->certificate == NULL) {
        return "client_assertion is not the federated token";
    }
    char audience[256];
    snprintf(audience, sizeof audience, "%s%s", server->url, path);
    const struct jwt_expectation expected = {
        .certificate = server->certificate, .client_id = IDENTITY_CLIENT_ID, .audience = audience};
    return jwt_check_assertion(assertion, &expected, complaint) ? NULL : complaint;
}

static const char *judge_proof(const struct identity_server *server,
                               const struct http_request *request,
                               char complaint[JWT_COMPLAINT_BYTES]) {
    if (server->client_secret != NULL) {
        return field_is(request->body, "client_secret", server->client_secret)
                   ? NULL
                   : "client_secret is another";
    }
    if (!field_is(request->body, "client_assertion_type", ASSERTION_TYPE)) {
        return "client_assertion_type is another";
    }
    char *assertion = field(request->body, "client_assertion");
    const char *fault = assertion == NULL
                            ? "client_assertion is missing"
                            : judge_assertion(server, request->path, assertion, complaint);
    free(assertion);
    return fault;
}

static const char *judge_token_endpoint(const struct identity_server *server,
                                        const struct http_request *request,
                                        char complaint[JWT_COMPLAINT_BYTES]) {
    return strcmp(request->method, "POST") != 0 ? "the method is not POST"
           : !header_is(request, "Content-Type", "application/x-www-form-urlencoded")
               ? "Content-Type is not a form's"
           : request->query[0] != '\0'                                    ? "there is a query"
           : !field_is(request->body, "grant_type", "client_credentials") ? "grant_type is another"
           : !field_is(request->body, "client_id", IDENTITY_CLIENT_ID)    ? "client_id is another"
           : !field_is(request->body, "scope", RESOURCE ".default")
               ? "scope is another"
               : judge_proof(server, request, complaint);
}

static enum identity_endpoint endpoint_of(const struct http_request *request) {
    return strcmp(request->path, "/msi/token") == 0                        ? IDENTITY_APP_SERVICE
           : strcmp(request->path, "/metadata/identity/oauth2/token") == 0 ? IDENTITY_IMDS
           : strcmp(request->path, "/" IDENTITY_TENANT_ID "/oauth2/v2.0/token") == 0
               ? IDENTITY_TOKEN_ENDPOINT
               : IDENTITY_NOWHERE;
}

static const char *judge(const struct identity_server *server, const struct http_request *request,
                         char complaint[JWT_COMPLAINT_BYTES]) {
    switch (endpoint_of(request)) {
    case IDENTITY_APP_SERVICE:
        return judge_app_service(server, request);
    case IDENTITY_IMDS:
        return judge_imds(server, request);
    case IDENTITY_TOKEN_ENDPOINT:
        return judge_token_endpoint(server, request, complaint);
    case IDENTITY_NOWHERE:
    default:
        return "there is nothing at this path";
    }
}

/* --- answering --- */

static void append_json(struct strbuf *out, cJSON *json) {
    char *text = cJSON_PrintUnformatted(json);
    ck_assert_ptr_nonnull(text);
    strbuf_append_string(out, text);
    cJSON_free(text);
    cJSON_Delete(json);
}

static void add_as_text(cJSON *json, const char *name, int64_t value) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    cJSON_AddStringToObject(json, name, text);
}

static int64_t lifetime_of(const struct identity_answer *answer) {
    return answer->lifetime_s == 0 ? DEFAULT_LIFETIME_S : answer->lifetime_s;
}

/*
 * Each endpoint has members of its own: managed identities write numbers as strings, App Service
 * tells no expires_in.
 */
static void write_token(enum identity_endpoint endpoint, const struct identity_answer *answer,
                        const char *token, struct strbuf *out) {
    int64_t lifetime_s = lifetime_of(answer);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "token_type", "Bearer");
    cJSON_AddStringToObject(json, "access_token", token);
    if (endpoint == IDENTITY_TOKEN_ENDPOINT) {
        json_add_int64(json, "expires_in", lifetime_s);
        json_add_int64(json, "ext_expires_in", lifetime_s);
    } else {
        add_as_text(json, "expires_on", (int64_t)time(NULL) + lifetime_s);
        cJSON_AddStringToObject(json, "resource", RESOURCE);
        cJSON_AddStringToObject(json, "client_id", IDENTITY_CLIENT_ID);
    }
    if (endpoint == IDENTITY_IMDS) {
        add_as_text(json, "expires_in", lifetime_s);
        add_as_text(json, "ext_expires_in", lifetime_s);
        add_as_text(json, "not_before", (int64_t)time(NULL));
    }
    if (answer->refresh_in_s > 0) {
        json_add_int64(json, "refresh_in", answer->refresh_in_s);
    }
    append_json(out, json);
}

/* What is worth most comes first, where a message that is cut short still has it. */
static void write_echo(const struct http_request *request, struct strbuf *out) {
    const char *header = http_headers_get(request->headers, "X-IDENTITY-HEADER");
    const char *proof = strstr(request->body, "&client_secret=");
    if (proof == NULL) {
        proof = strstr(request->body, "&client_assertion=");
    }
    strbuf_appendf(out, " You sent %s%s", header == NULL ? "" : header, proof == NULL ? "" : proof);
    strbuf_appendf(out, "\n%s %s?%s", request->method, request->path, request->query);
    for (size_t i = 0; i < request->headers->count; i++) {
        strbuf_appendf(out, "\n%s: %s", request->headers->items[i].name,
                       request->headers->items[i].value);
    }
    strbuf_appendf(out, "\n\n%s", request->body);
}

static void write_error(int status, const char *why, const struct http_request *echoed,
                        struct http_response *response) {
    struct strbuf description;
    strbuf_init(&description, MAX_BODY_BYTES * 4);
    strbuf_appendf(&description, "AADSTS7000215: %s.", why);
    if (echoed != NULL) {
        write_echo(echoed, &description);
    }
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "error", "invalid_client");
    cJSON_AddStringToObject(json, "error_description", description.data);
    append_json(&response->body, json);
    response->status = status;
    strbuf_cleanup(&description);
}

static struct identity_answer take_answer(struct identity_server *server) {
    if (server->next_count > 0) {
        server->next_count--;
        return server->next;
    }
    return server->usual;
}

static void write_answer(const struct identity_answer *answer, const struct http_request *request,
                         const char *fault, struct identity_request *record,
                         struct http_response *response) {
    if (answer->retry_after_s > 0) {
        http_headers_addf(&response->headers, "Retry-After", "%d", answer->retry_after_s);
    }
    http_headers_add(&response->headers, "Content-Type", "application/json; charset=utf-8");
    if (answer->body != NULL) {
        strbuf_append(&response->body, answer->body, answer->body_length);
        response->status = answer->status == 0 ? 200 : answer->status;
    } else if (fault != NULL || (answer->status != 0 && answer->status != 200)) {
        write_error(fault != NULL ? 400 : answer->status,
                    fault != NULL ? fault : "So the test wants it", answer->echo ? request : NULL,
                    response);
    } else {
        free(record->token);
        record->token = jwt_make_access_token(
            answer->actual_lifetime_s == 0 ? lifetime_of(answer) : answer->actual_lifetime_s);
        write_token(record->endpoint, answer, record->token, &response->body);
    }
}

static void wait_as_told(struct identity_server *server, const struct identity_answer *answer) {
    while (answer->hang && !server->let_go) {
        pthread_cond_wait(&server->changed, &server->lock);
    }
    if (answer->delay_ms > 0) {
        pthread_mutex_unlock(&server->lock);
        nanosleep(&(struct timespec){.tv_sec = answer->delay_ms / 1000,
                                     .tv_nsec = answer->delay_ms % 1000 * 1000000},
                  NULL);
        pthread_mutex_lock(&server->lock);
    }
}

static void serve(void *context, const struct http_request *request,
                  struct http_response *response) {
    struct identity_server *server = context;
    char complaint[JWT_COMPLAINT_BYTES];
    pthread_mutex_lock(&server->lock);
    ck_assert_uint_lt(server->request_count, MAX_REQUESTS);
    struct identity_request *record = &server->requests[server->request_count++];
    struct identity_answer answer = take_answer(server);
    const char *fault = judge(server, request, complaint);
    char *assertion = field(request->body, "client_assertion");
    *record = (struct identity_request){.endpoint = endpoint_of(request),
                                        .at_ms = process_now_ms(),
                                        .complaint = copy(fault == NULL ? "" : fault),
                                        .assertion = assertion == NULL ? copy("") : assertion,
                                        .token = copy("")};
    wait_as_told(server, &answer);
    write_answer(&answer, request, fault, record, response);
    pthread_mutex_unlock(&server->lock);
}

/* --- starting and stopping --- */

struct identity_server *identity_server_start(const struct identity_rules *rules) {
    struct identity_server *server = calloc(1, sizeof *server);
    ck_assert_ptr_nonnull(server);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, NULL);
    server->header_secret = copy(rules->header_secret);
    server->client_secret = copy(rules->client_secret);
    server->certificate = copy(rules->certificate);
    server->federated_token = copy(rules->federated_token);
    server->managed_identity = copy(rules->managed_identity);
    struct error err = {0};
    const struct http_server_options options = {.max_in_hand = THREADS,
                                                .max_body_bytes = MAX_BODY_BYTES,
                                                .max_response_bytes = MAX_ANSWER_BYTES,
                                                .request_timeout_ms = REQUEST_TIMEOUT_MS};
    blocking_server_open(&server->host, serve, server);
    ck_assert_msg(blocking_server_start(&server->host, &server->http, &options, &err) == STATUS_OK,
                  "%s", err.message);
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d",
             http_server_port(server->http));
    return server;
}

void identity_server_stop(struct identity_server *server) {
    identity_server_let_go(server);
    http_server_stop(server->http);
    blocking_server_close(&server->host);
    for (size_t i = 0; i < server->request_count; i++) {
        free(server->requests[i].complaint);
        free(server->requests[i].assertion);
        free(server->requests[i].token);
    }
    free(server->header_secret), free(server->client_secret), free(server->certificate);
    free(server->federated_token), free(server->managed_identity);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

const char *identity_server_url(const struct identity_server *server) {
    return server->url;
}

/* --- what tests say and ask --- */

void identity_server_expect_federated_token(struct identity_server *server, const char *token) {
    pthread_mutex_lock(&server->lock);
    free(server->federated_token);
    server->federated_token = copy(token);
    pthread_mutex_unlock(&server->lock);
}

void identity_server_answer(struct identity_server *server, const struct identity_answer *answer) {
    pthread_mutex_lock(&server->lock);
    server->usual = *answer;
    pthread_mutex_unlock(&server->lock);
}

void identity_server_answer_next(struct identity_server *server, size_t count,
                                 const struct identity_answer *answer) {
    pthread_mutex_lock(&server->lock);
    server->next = *answer;
    server->next_count = count;
    pthread_mutex_unlock(&server->lock);
}

void identity_server_let_go(struct identity_server *server) {
    pthread_mutex_lock(&server->lock);
    server->let_go = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

size_t identity_server_count(struct identity_server *server) {
    pthread_mutex_lock(&server->lock);
    size_t count = server->request_count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

const struct identity_request *identity_server_request(struct identity_server *server,
                                                       size_t index) {
    ck_assert_uint_lt(index, identity_server_count(server));
    return &server->requests[index];
}

bool identity_server_wait(struct identity_server *server, size_t count, int64_t timeout_ms) {
    int64_t deadline_ms = process_now_ms() + timeout_ms;
    while (identity_server_count(server) < count && process_now_ms() < deadline_ms) {
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
    }
    return identity_server_count(server) >= count;
}
