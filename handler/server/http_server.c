/*
 * http_server.c - see http_server.h.
 *
 * How civetweb 1.15 is used (facts from its source):
 *   - callbacks.begin_request sees every request that civetweb can read, whatever its method, before files, CORS, websockets
 *     and the like are thought of; as we always answer there, none of those exist.
 *   - One worker thread belongs to one connection for as long as it is open. So that idle connections cannot use up the
 *     workers, connections are kept alive only while a quarter of the workers is free of them. Within that, they are kept
 *     longer than the host's client keeps idle ones (.NET's SocketsHttpHandler: one to two minutes), so that it is the client
 *     who closes and no request meets a connection that is just being closed.
 *   - Its threads look at the stop flag only every 2 s (SOCKET_TIMEOUT_QUANTUM). mg_stop would take as long, so
 *     http_server_stop first ends reading on every socket of ours: all of them wake at once.
 */
#include "server/http_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <civetweb.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/condition.h"
#include "base/log.h"
#include "base/utc.h"

enum {
    READ_BLOCK_BYTES = 16 * 1024,
    DISCARD_MAX_BYTES = 1024 * 1024, /* of a body that nobody wants, so that its sender gets to read our answer */
    DISCARD_MAX_MS = 2000,
    HEAD_MAX_BYTES = 256 * 1024,
    NUMBER_TEXT_BYTES = 32,
    ERROR_BODY_BYTES = 1024,
    START_LOG_BYTES = 256
};

#define MAX_REQUEST_HEAD_BYTES "65536"
#define REQUEST_TIMEOUT_MS "30000"
#define KEEP_ALIVE_TIMEOUT_MS "130000"

struct http_server {
    struct mg_context *civetweb;
    http_server_handler handler;
    void *context;
    size_t max_body_bytes;
    size_t max_response_bytes;
    int port;
    int max_kept_connections;
    pthread_t starter;
    char start_log[START_LOG_BYTES]; /* the first thing that civetweb complained of on the starter's thread */

    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t idle;
    int in_hand_count;
    int connection_count;
    bool draining;
};

/* One request on its way through. */
struct exchange {
    struct http_server *server;
    struct mg_connection *conn;
    const struct mg_request_info *info;
    struct http_headers headers;
    struct strbuf body;
    struct http_response response;
    bool body_too_large;
    bool close; /* the connection ends with this answer; what is unread is thrown away */
};

static struct http_server *server_of(const struct mg_connection *conn) {
    return mg_get_user_data(mg_get_context(conn));
}

/* Requests in hand */

static bool enter(struct http_server *server) {
    pthread_mutex_lock(&server->lock);
    bool welcome = !server->draining;
    if (welcome) {
        server->in_hand_count++;
    }
    pthread_mutex_unlock(&server->lock);
    return welcome;
}

static void leave(struct http_server *server) {
    pthread_mutex_lock(&server->lock);
    if (--server->in_hand_count == 0) {
        pthread_cond_broadcast(&server->idle);
    }
    pthread_mutex_unlock(&server->lock);
}

static bool must_close(struct http_server *server) {
    pthread_mutex_lock(&server->lock);
    bool close = server->draining || server->connection_count > server->max_kept_connections;
    pthread_mutex_unlock(&server->lock);
    return close;
}

/* Writing answers */

static void set_error(struct http_response *response, int status, const char *code, const char *message) {
    http_response_release(response);
    http_response_init(response, ERROR_BODY_BYTES);
    response->status = status;
    http_headers_add(&response->headers, "Content-Type", "application/json");
    strbuf_appendf(&response->body, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}", code, message);
}

/* Is this one of the headers that frame a message, and so are ours alone to write? */
static bool is_framing_header(const char *name) {
    return strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Transfer-Encoding") == 0 ||
           strcasecmp(name, "Connection") == 0;
}

static void append_head(struct strbuf *out, struct mg_connection *conn, const struct http_response *response,
                        bool close) {
    strbuf_appendf(out, "HTTP/1.1 %d %s\r\n", response->status, mg_get_response_code_text(conn, response->status));
    if (http_headers_get(&response->headers, "Date") == NULL) {
        char date[UTC_TEXT_BYTES];
        utc_format_http(clock_wall_ms(clock_system()), date);
        strbuf_appendf(out, "Date: %s\r\n", date);
    }
    for (size_t i = 0; i < response->headers.count; i++) {
        const struct http_header *header = &response->headers.items[i];
        if (!is_framing_header(header->name)) {
            strbuf_appendf(out, "%s: %s\r\n", header->name, header->value);
        }
    }
    if (response->status != 204 && response->status != 304) {
        strbuf_appendf(out, "Content-Length: %zu\r\n", response->body.length);
    }
    strbuf_appendf(out, "Connection: %s\r\n\r\n", close ? "close" : "keep-alive");
}

static bool has_body(const struct mg_request_info *info, int status) {
    bool head_request = info->request_method != NULL && strcmp(info->request_method, "HEAD") == 0;
    return !head_request && status != 204 && status != 304;
}

/* Head and body leave in one write: one packet where they fit. */
static void write_response(struct mg_connection *conn, struct http_response *response, bool close) {
    if (strbuf_status(&response->body) != STATUS_OK || response->headers.status != STATUS_OK ||
        response->status < 200 || response->status > 599) {
        log_event(LOG_ERROR, "An answer could not be built (status %d, body %s, headers %s)", response->status,
                  status_name(strbuf_status(&response->body)), status_name(response->headers.status));
        set_error(response, 500, "InternalError",
                  "The server encountered an internal error. Please retry the request.");
    }
    struct strbuf out;
    strbuf_init(&out, response->body.length + HEAD_MAX_BYTES);
    append_head(&out, conn, response, close);
    if (has_body(mg_get_request_info(conn), response->status)) {
        strbuf_append(&out, response->body.data, response->body.length);
    }
    bool sent = strbuf_status(&out) == STATUS_OK && mg_write(conn, out.data, out.length) == (int)out.length;
    if (close || !sent) {
        mg_disable_connection_keep_alive(conn);
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

/* Is there exactly one way to tell where this request ends? (RFC 9112 section 6.3; civetweb takes "12x" for 12.) */
static bool is_framed_clearly(const struct http_headers *headers) {
    const char *length = NULL;
    const char *encoding = NULL;
    for (size_t i = 0; i < headers->count; i++) {
        const struct http_header *header = &headers->items[i];
        const char **seen = strcasecmp(header->name, "Content-Length") == 0      ? &length
                            : strcasecmp(header->name, "Transfer-Encoding") == 0 ? &encoding
                                                                                 : NULL;
        if (seen != NULL && *seen != NULL) {
            return false;
        }
        if (seen != NULL) {
            *seen = header->value;
        }
    }
    if (encoding != NULL) {
        return length == NULL && strcasecmp(encoding, "chunked") == 0;
    }
    return length == NULL || (*length != '\0' && strspn(length, "0123456789") == strlen(length));
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
    if (expected > 0 && (unsigned long long)expected > exchange->server->max_body_bytes) {
        exchange->body_too_large = true;
        return true;
    }
    if (expected == 0 || (expected < 0 && !is_chunked(exchange))) {
        return true;
    }
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

static void discard_unread(struct mg_connection *conn) {
    char block[READ_BLOCK_BYTES];
    int64_t until_ms = clock_now_ms(clock_system()) + DISCARD_MAX_MS;
    size_t discarded = 0;
    int got = 0;
    while (discarded < DISCARD_MAX_BYTES && clock_now_ms(clock_system()) < until_ms &&
           (got = mg_read(conn, block, sizeof block)) > 0) {
        discarded += (size_t)got;
    }
}

static void call_handler(struct exchange *exchange) {
    const struct http_request request = {
        .method = exchange->info->request_method,
        .path = exchange->info->local_uri_raw,
        .query = exchange->info->query_string != NULL ? exchange->info->query_string : "",
        .headers = &exchange->headers,
        .body = exchange->body_too_large ? "" : exchange->body.data,
        .body_length = exchange->body_too_large ? 0 : exchange->body.length,
        .body_too_large = exchange->body_too_large,
    };
    exchange->server->handler(exchange->server->context, &request, &exchange->response);
}

static void answer(struct exchange *exchange) {
    struct http_response *response = &exchange->response;
    if (exchange->info->num_headers == MG_MAX_HEADERS) { /* civetweb cuts there, maybe in front of a Content-Length */
        exchange->close = true;
        set_error(response, 431, "RequestHeadersTooLarge", "The request has too many headers.");
        return;
    }
    bool readable = is_framed_clearly(&exchange->headers) && read_body(exchange);
    if (exchange->headers.status != STATUS_OK || strbuf_status(&exchange->body) == STATUS_NO_MEMORY) {
        exchange->close = true;
        set_error(response, 503, "ServiceUnavailable", "The server is out of memory. Please retry the request.");
        return;
    }
    if (!readable) {
        exchange->close = true;
        set_error(response, 400, "BadRequest", "The request's body could not be read.");
        return;
    }
    call_handler(exchange);
    exchange->close = exchange->body_too_large || client_wants_close(exchange) || must_close(exchange->server);
}

/* Callbacks of civetweb's, on its worker threads */

static int on_request(struct mg_connection *conn) {
    struct http_server *server = server_of(conn);
    struct exchange exchange = {.server = server, .conn = conn, .info = mg_get_request_info(conn)};
    http_headers_init(&exchange.headers);
    strbuf_init(&exchange.body, server->max_body_bytes);
    http_response_init(&exchange.response, server->max_response_bytes);
    if (enter(server)) {
        copy_headers(&exchange);
        answer(&exchange);
        write_response(conn, &exchange.response, exchange.close);
        leave(server);
    } else {
        exchange.close = true;
        set_error(&exchange.response, 503, "ServiceUnavailable", "The server is stopping. Please retry the request.");
        http_headers_add(&exchange.response.headers, "Retry-After", "1");
        write_response(conn, &exchange.response, true);
    }
    if (exchange.close) {
        discard_unread(conn);
    }
    int status = exchange.response.status;
    http_response_release(&exchange.response);
    strbuf_release(&exchange.body);
    http_headers_release(&exchange.headers);
    return status; /* above 0: civetweb leaves it at that */
}

/* What civetweb refuses before on_request: it closes the connection afterwards. */
static int on_refusal(struct mg_connection *conn, int status, const char *detail) {
    log_event(LOG_DEBUG, "HTTP server: refused a request: %d %s", status, detail);
    struct http_response response;
    http_response_init(&response, ERROR_BODY_BYTES);
    if (status == 505) {
        set_error(&response, 505, "HttpVersionNotSupported", "Only HTTP/1.0 and HTTP/1.1 are supported.");
    } else if (status >= 500) {
        set_error(&response, status, "InternalError",
                  "The server encountered an internal error. Please retry the request.");
    } else {
        set_error(&response, 400, "BadRequest", "The request could not be understood.");
    }
    write_response(conn, &response, true);
    http_response_release(&response);
    return 0;
}

static int on_log(const struct mg_connection *conn, const char *message) {
    struct http_server *server = server_of(conn);
    if (pthread_equal(pthread_self(), server->starter) && server->start_log[0] == '\0') {
        snprintf(server->start_log, sizeof server->start_log, "%s", message);
    }
    log_event(LOG_DEBUG, "HTTP server: %s", message);
    return 1;
}

static int on_connection_open(const struct mg_connection *conn, void **conn_data) {
    (void)conn_data;
    struct http_server *server = server_of(conn);
    pthread_mutex_lock(&server->lock);
    server->connection_count++;
    pthread_mutex_unlock(&server->lock);
    return 0;
}

/*
 * The lock is held from before civetweb closes the socket until after it has: while http_server_stop holds it, no socket of
 * ours is closed and its number given to somebody else's.
 */
static void on_connection_closing(const struct mg_connection *conn) {
    pthread_mutex_lock(&server_of(conn)->lock);
}

static void on_connection_closed(const struct mg_connection *conn) {
    struct http_server *server = server_of(conn);
    server->connection_count--;
    pthread_mutex_unlock(&server->lock);
}

/* Start and stop */

static struct mg_context *start_civetweb(struct http_server *server, const struct http_server_options *options,
                                         struct mg_error_data *error) {
    char port[NUMBER_TEXT_BYTES];
    char threads[NUMBER_TEXT_BYTES];
    snprintf(port, sizeof port, "127.0.0.1:%d", options->port);
    snprintf(threads, sizeof threads, "%d", options->thread_count);
    /* clang-format off */
    const char *settings[] = {
        "listening_ports", port,
        "num_threads", threads,
        "decode_url", "no",
        "enable_keep_alive", "yes",
        "keep_alive_timeout_ms", KEEP_ALIVE_TIMEOUT_MS,
        "request_timeout_ms", REQUEST_TIMEOUT_MS,
        "max_request_size", MAX_REQUEST_HEAD_BYTES,
        "tcp_nodelay", "1",
        "enable_auth_domain_check", "no", /* or absolute request targets are refused */
        NULL};
    /* clang-format on */
    const struct mg_callbacks callbacks = {
        .begin_request = on_request,
        .http_error = on_refusal,
        .log_message = on_log,
        .init_connection = on_connection_open,
        .connection_close = on_connection_closing,
        .connection_closed = on_connection_closed,
    };
    struct mg_init_data init = {.callbacks = &callbacks, .user_data = server, .configuration_options = settings};
    return mg_start2(&init, error);
}

static void server_free(struct http_server *server) {
    pthread_cond_destroy(&server->idle);
    pthread_mutex_destroy(&server->lock);
    free(server);
    mg_exit_library();
}

static struct http_server *server_new(const struct http_server_options *options, http_server_handler handler,
                                      void *context) {
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return NULL;
    }
    server->handler = handler;
    server->context = context;
    server->starter = pthread_self();
    server->max_body_bytes = options->max_body_bytes;
    server->max_response_bytes = options->max_response_bytes;
    server->max_kept_connections = options->thread_count - (options->thread_count + 3) / 4;
    pthread_mutex_init(&server->lock, NULL);
    condition_init(&server->idle);
    mg_init_library(MG_FEATURES_DEFAULT);
    return server;
}

enum status http_server_start(struct http_server **out, const struct http_server_options *options,
                              http_server_handler handler, void *context, struct error *err) {
    assert(options->port >= 0 && options->port <= 65535 && options->thread_count > 0);
    struct http_server *server = server_new(options, handler, context);
    if (server == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "starting the HTTP server: out of memory");
    }
    char reason[START_LOG_BYTES] = "";
    struct mg_error_data error = {.text = reason, .text_buffer_size = sizeof reason};
    server->civetweb = start_civetweb(server, options, &error);
    struct mg_server_port listening = {0};
    if (server->civetweb == NULL || mg_get_server_ports(server->civetweb, 1, &listening) != 1) {
        enum status status = strstr(server->start_log, "cannot bind") != NULL ? STATUS_UNAVAILABLE : STATUS_INTERNAL;
        error_set(err, status, "the HTTP server could not start: %s",
                  server->start_log[0] != '\0' ? server->start_log : reason);
        mg_stop(server->civetweb);
        server_free(server);
        return status;
    }
    server->port = listening.port;
    *out = server;
    return STATUS_OK;
}

int http_server_port(const struct http_server *server) {
    return server->port;
}

void http_server_drain(struct http_server *server) {
    pthread_mutex_lock(&server->lock);
    server->draining = true;
    pthread_mutex_unlock(&server->lock);
}

bool http_server_wait_idle(struct http_server *server, int64_t timeout_ms) {
    struct timespec until = condition_deadline(timeout_ms);
    bool in_time = true;
    pthread_mutex_lock(&server->lock);
    while (server->in_hand_count > 0 && in_time) {
        in_time = condition_wait_until(&server->idle, &server->lock, &until);
    }
    bool idle = server->in_hand_count == 0;
    pthread_mutex_unlock(&server->lock);
    return idle;
}

/* Is this socket one of the server's: listening on its port, or accepted from there? */
static bool is_server_socket(int fd, int port) {
    struct sockaddr_in local = {0};
    socklen_t length = sizeof local;
    return getsockname(fd, (struct sockaddr *)&local, &length) == 0 && local.sin_family == AF_INET &&
           ntohs(local.sin_port) == port;
}

/*
 * civetweb does not tell which sockets are its own; the port does. Ends reading only: an answer that is still being written
 * gets out.
 */
static void wake_all_sockets(struct http_server *server) {
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL) {
        return; /* stopping takes up to two seconds, then */
    }
    pthread_mutex_lock(&server->lock);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        int fd = (int)strtol(entry->d_name, NULL, 10);
        if (entry->d_name[0] != '.' && is_server_socket(fd, server->port)) {
            shutdown(fd, SHUT_RD);
        }
    }
    pthread_mutex_unlock(&server->lock);
    closedir(directory);
}

void http_server_stop(struct http_server *server) {
    if (server == NULL) {
        return;
    }
    http_server_drain(server);
    wake_all_sockets(server);
    mg_stop(server->civetweb);
    server_free(server);
}
