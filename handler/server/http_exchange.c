/* http_exchange.c - see http_exchange.h, and http_server.c for how civetweb is used. */
#include "server/http_exchange.h"

#include <civetweb.h>
#include <stdalign.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "server/http_answer.h"
#include "server/http_framing.h"

enum {
    READ_BLOCK_BYTES = 16 * 1024,
    DISCARD_MAX_BYTES = 1024 * 1024, /* of a body that nobody wants, so that its sender gets to read our answer */
    DISCARD_MAX_MS = 2000,
    ANSWER_HEAD_MAX_BYTES = 256 * 1024,
};

struct exchange {
    const struct http_exchange_rules *rules;
    struct mg_connection *conn;
    const struct mg_request_info *info;
    struct connection *connection;
    struct http_headers headers;
    struct strbuf body;
    struct http_response response;
    bool body_too_large;
    bool close; /* the connection ends with this answer; what is unread is thrown away */
};

static void move(const struct exchange *exchange, enum connection_phase phase) {
    connection_table_move(exchange->rules->connections, exchange->connection, phase);
}

static bool must_close(const struct exchange *exchange) {
    return admission_is_draining(exchange->rules->admission) ||
           connection_table_count(exchange->rules->connections) > exchange->rules->max_kept_connections ||
           connection_table_ending(exchange->connection) != CONNECTION_STAYS;
}

static void refuse(struct exchange *exchange, enum http_refusal refusal) {
    exchange->close = true;
    http_answer_refuse(&exchange->response, refusal);
}

/* Writing answers */

/* Head and body leave in one write: one packet where they fit. */
static void write_response(struct exchange *exchange) {
    struct http_response *response = &exchange->response;
    const char *method = exchange->info->request_method;
    struct strbuf out;
    http_answer_make_sendable(response);
    strbuf_init(&out, response->body.length + ANSWER_HEAD_MAX_BYTES);
    http_answer_append(&out, response, mg_get_response_code_text(exchange->conn, response->status),
                       method != NULL && strcmp(method, "HEAD") == 0, exchange->close);
    move(exchange, CONNECTION_ANSWER);
    bool sent = strbuf_status(&out) == STATUS_OK && mg_write(exchange->conn, out.data, out.length) == (int)out.length;
    if (exchange->close || !sent) {
        mg_disable_connection_keep_alive(exchange->conn);
    }
    strbuf_release(&out);
}

/* Reading requests */

static void copy_headers(struct exchange *exchange) {
    for (int i = 0; i < exchange->info->num_headers; i++) {
        http_headers_add(&exchange->headers, exchange->info->http_headers[i].name,
                         exchange->info->http_headers[i].value);
    }
}

/*
 * civetweb's buffer comes from malloc, so it begins at an address like this, and no request in it begins before it does. (That
 * leaves a worker's very first request, behind white space of just such a length: there is nothing yet that it could expose.)
 */
static bool begins_buffer(const char *method) {
    static _Thread_local const char *lowest;
    if (lowest == NULL || method < lowest) {
        lowest = method;
    }
    return method == lowest && (uintptr_t)method % alignof(max_align_t) == 0;
}

static size_t url_bytes(const struct mg_request_info *info) {
    return strlen(info->request_uri) + (info->query_string != NULL ? strlen(info->query_string) + 1 : 0);
}

/* Finds what is wrong with the head. False: nothing. */
static bool find_refusal(const struct exchange *exchange, enum http_refusal *out) {
    const struct mg_request_info *info = exchange->info;
    struct http_field fields[MG_MAX_HEADERS];
    struct http_head head = {.method = info->request_method,
                             .target = info->request_uri,
                             .target_end = info->request_uri + url_bytes(info),
                             .version = info->http_version,
                             .fields = fields,
                             .field_count = (size_t)info->num_headers};
    for (size_t i = 0; i < head.field_count; i++) {
        fields[i] = (struct http_field){info->http_headers[i].name, info->http_headers[i].value};
    }
    if (url_bytes(info) > HTTP_SERVER_MAX_URL_BYTES) {
        *out = HTTP_REFUSAL_LONG_URL;
    } else if (info->num_headers == MG_MAX_HEADERS || http_framing_head_bytes(&head) > HTTP_SERVER_MAX_HEAD_BYTES) {
        *out = HTTP_REFUSAL_LARGE_HEAD; /* civetweb cuts there, maybe in front of a Content-Length */
    } else if (!begins_buffer(head.method) || !http_framing_is_plain(&head) ||
               !http_framing_has_clear_end(&exchange->headers, info->http_version)) {
        *out = HTTP_REFUSAL_AMBIGUOUS;
    } else {
        return false;
    }
    return true;
}

static bool is_chunked(const struct exchange *exchange) {
    return http_headers_get(&exchange->headers, "Transfer-Encoding") != NULL;
}

static void invite_body(struct exchange *exchange) {
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const char *expect = http_headers_get(&exchange->headers, "Expect");
    if (expect != NULL && strcasecmp(expect, "100-continue") == 0) {
        (void)mg_write(exchange->conn, go_on, sizeof go_on - 1); /* where this fails, reading fails next */
    }
}

/* Reads the body, or finds that it is over the limit. False: it ended early or was malformed; what is left cannot be made sense of. */
static bool read_body(struct exchange *exchange) {
    long long expected = is_chunked(exchange) ? -1 : exchange->info->content_length;
    if (expected > 0 && (unsigned long long)expected > exchange->rules->max_body_bytes) {
        exchange->body_too_large = true;
        return true;
    }
    if (expected == 0 || (expected < 0 && !is_chunked(exchange))) {
        return true;
    }
    move(exchange, CONNECTION_BODY);
    invite_body(exchange);
    char block[READ_BLOCK_BYTES];
    int got = 0;
    while (strbuf_status(&exchange->body) == STATUS_OK && (got = mg_read(exchange->conn, block, sizeof block)) > 0) {
        strbuf_append(&exchange->body, block, (size_t)got);
    }
    exchange->body_too_large = strbuf_status(&exchange->body) == STATUS_TOO_LARGE;
    return exchange->body_too_large || (got == 0 && (expected < 0 || (size_t)expected == exchange->body.length));
}

static bool client_wants_close(const struct exchange *exchange) {
    const char *connection = http_headers_get(&exchange->headers, "Connection");
    if (connection != NULL) {
        return strcasestr(connection, "keep-alive") == NULL;
    }
    return strcmp(exchange->info->http_version, "1.1") != 0;
}

static void discard_unread(const struct exchange *exchange) {
    char block[READ_BLOCK_BYTES];
    size_t discarded = 0;
    int got = 0;
    connection_table_move_within(exchange->rules->connections, exchange->connection, CONNECTION_ANSWER, DISCARD_MAX_MS);
    while (discarded < DISCARD_MAX_BYTES && (got = mg_read(exchange->conn, block, sizeof block)) > 0) {
        discarded += (size_t)got;
    }
}

/* What to say of a request that did not come whole. */
static enum http_refusal refusal_of_part(const struct exchange *exchange, enum http_refusal unless_ended) {
    switch (connection_table_ending(exchange->connection)) {
    case CONNECTION_OVERDUE:
        return HTTP_REFUSAL_SLOW;
    case CONNECTION_CROWDED_OUT:
        return HTTP_REFUSAL_BUSY;
    case CONNECTION_STAYS:
    default:
        return unless_ended;
    }
}

static void call_handler(struct exchange *exchange, const struct http_request *request) {
    const struct http_exchange_rules *rules = exchange->rules;
    if (!admission_begin_call(rules->admission)) {
        refuse(exchange, HTTP_REFUSAL_BUSY);
        return;
    }
    move(exchange, CONNECTION_IN_HAND);
    rules->handler(rules->context, request, &exchange->response);
    admission_end_call(rules->admission);
}

static void answer_request(struct exchange *exchange) {
    const struct mg_request_info *info = exchange->info;
    const struct http_request request = {
        .method = info->request_method,
        .path = info->local_uri_raw,
        .query = info->query_string != NULL ? info->query_string : "",
        .headers = &exchange->headers,
        .body = exchange->body_too_large ? "" : exchange->body.data,
        .body_length = exchange->body_too_large ? 0 : exchange->body.length,
        .body_too_large = exchange->body_too_large,
    };
    call_handler(exchange, &request);
    exchange->close =
        exchange->close || exchange->body_too_large || client_wants_close(exchange) || must_close(exchange);
}

static void read_and_answer(struct exchange *exchange) {
    enum http_refusal refusal;
    copy_headers(exchange);
    if (find_refusal(exchange, &refusal)) {
        refuse(exchange, refusal);
        return;
    }
    bool readable = read_body(exchange);
    if (exchange->headers.status != STATUS_OK || strbuf_status(&exchange->body) == STATUS_NO_MEMORY) {
        refuse(exchange, HTTP_REFUSAL_NO_MEMORY);
    } else if (!readable) {
        refuse(exchange, refusal_of_part(exchange, HTTP_REFUSAL_BODY));
    } else {
        answer_request(exchange);
    }
}

/* The handler's word on what is no request for it at all: an unknown method or target. Nothing of it but these is passed on. */
static void answer_stray(struct exchange *exchange) {
    char path[HTTP_SERVER_MAX_URL_BYTES + 1];
    const char *target = exchange->info->request_uri;
    size_t length = strcspn(target, "?");
    exchange->close = true;
    if (strlen(target) > HTTP_SERVER_MAX_URL_BYTES) {
        refuse(exchange, HTTP_REFUSAL_LONG_URL);
        return;
    }
    memcpy(path, target, length);
    path[length] = '\0';
    call_handler(exchange, &(struct http_request){.method = exchange->info->request_method,
                                                  .path = path,
                                                  .query = "",
                                                  .headers = &exchange->headers,
                                                  .body = ""});
}

/* The three ways in */

/* Of a request that civetweb could not read, nobody can tell where the rest ends. */
enum rest { DISCARDS_REST, LEAVES_REST };

/* Lets `answer` make the answer, and sends it. */
static int exchange_with(const struct http_exchange_rules *rules, struct mg_connection *conn,
                         void (*answer)(struct exchange *exchange), enum rest rest) {
    struct exchange exchange = {.rules = rules,
                                .conn = conn,
                                .info = mg_get_request_info(conn),
                                .connection = mg_get_user_connection_data(conn)};
    http_headers_init(&exchange.headers);
    strbuf_init(&exchange.body, rules->max_body_bytes);
    http_response_init(&exchange.response, rules->max_response_bytes);
    bool welcome = admission_enter(rules->admission);
    if (welcome) {
        answer(&exchange);
    } else {
        refuse(&exchange, HTTP_REFUSAL_STOPPING);
    }
    write_response(&exchange);
    if (welcome) {
        admission_leave(rules->admission);
    }
    if (!exchange.close) {
        move(&exchange, CONNECTION_HEAD);
    } else if (rest == DISCARDS_REST) {
        discard_unread(&exchange);
    }
    int status = exchange.response.status;
    http_response_release(&exchange.response);
    strbuf_release(&exchange.body);
    http_headers_release(&exchange.headers);
    return status;
}

int http_exchange_serve(const struct http_exchange_rules *rules, struct mg_connection *conn) {
    return exchange_with(rules, conn, read_and_answer, DISCARDS_REST);
}

/* Could civetweb read all but a method that it does not know (it looks at headers after that), or a target that is no path? */
static bool is_stray(const struct mg_request_info *info) {
    static const char prefix[] = "HTTP/"; /* behind the target and a space; civetweb passes over it where it is there */
    size_t length = sizeof prefix - 1;
    if (info->http_version == NULL || info->http_version < info->request_uri + 2 + length ||
        memcmp(info->http_version - length, prefix, length) != 0) {
        return false;
    }
    bool has_version = strcmp(info->http_version, "1.0") == 0 || strcmp(info->http_version, "1.1") == 0;
    return has_version && info->num_headers >= 0 && (info->num_headers == 0 || info->request_uri[0] != '/');
}

static void answer_unreadable(struct exchange *exchange) {
    if (is_stray(exchange->info)) {
        answer_stray(exchange);
    } else {
        refuse(exchange, refusal_of_part(exchange, HTTP_REFUSAL_UNREADABLE));
    }
}

static void answer_version(struct exchange *exchange) {
    refuse(exchange, HTTP_REFUSAL_VERSION);
}

static void answer_own_fault(struct exchange *exchange) {
    refuse(exchange, HTTP_REFUSAL_OWN_FAULT);
}

void http_exchange_refuse(const struct http_exchange_rules *rules, struct mg_connection *conn, int status) {
    exchange_with(rules, conn,
                  status == 505   ? answer_version
                  : status >= 500 ? answer_own_fault
                                  : answer_unreadable,
                  LEAVES_REST);
}

/* Of a request that it has handed on, civetweb keeps the path in local_uri; one that could not be read has had its answer. */
void http_exchange_catch_up(const struct http_exchange_rules *rules, const struct mg_connection *conn) {
    const struct mg_request_info *info = mg_get_request_info(conn);
    struct connection *connection = mg_get_user_connection_data(conn);
    if (info != NULL && info->request_uri != NULL && info->local_uri == NULL &&
        connection_table_phase(connection) == CONNECTION_HEAD) {
        exchange_with(rules, (struct mg_connection *)(uintptr_t)conn, answer_stray, DISCARDS_REST);
    }
}
