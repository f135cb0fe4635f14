/*
 * http_server.c - see http_server.h.
 *
 * How civetweb 1.15 is used (facts from its source):
 *   - callbacks.begin_request sees every request that civetweb can read, whatever its method, before files, CORS, websockets
 *     and the like are thought of; as we always answer there, none of those exist. callbacks.http_error sees what it cannot read.
 *     A target that is neither a path nor a URL of this server ("*", another port) is told to nobody: the connection is
 *     closed. callbacks.connection_close is called when the socket is still open, so we answer there.
 *   - One worker thread belongs to one connection for as long as it is open; others wait in its queue and the kernel's. There are
 *     more workers than requests served at once: the spare ones turn down what is too much, and connection_table keeps them
 *     from being filled with silence. Connections are kept alive while a quarter of the workers is free of them, and then longer
 *     than the host's client keeps idle ones (.NET's SocketsHttpHandler: one to two minutes), so that it is the client
 *     who closes and no request meets a connection that is just being closed.
 *   - Its own timeouts are for each read and write: a byte now and then keeps it waiting. connection_table's deadlines are for all,
 *     and come first.
 *   - A worker receives into one buffer, which it never clears, allocated once. White space ahead of a request is skipped by the
 *     parser but not counted by who looks for the empty line behind the head: what came before, on this connection or another,
 *     could be read as a request. So a request must begin where the buffer does (http_exchange.c).
 *   - Its threads look at the stop flag only every 2 s (SOCKET_TIMEOUT_QUANTUM). mg_stop would take as long, so
 *     http_server_stop first ends reading on every socket of ours: all of them wake at once.
 */
#include "server/http_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <civetweb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "server/admission.h"
#include "server/connection_table.h"
#include "server/http_exchange.h"

enum { OWN_TIMEOUT_LATER_MS = 10 * 1000, SILENCE_MS = 130 * 1000, NUMBER_TEXT_BYTES = 32, START_LOG_BYTES = 256 };

/* civetweb's, as text. The buffer has room for more than we take of a head, so that we can say so; the queues for a crowd. */
#define RECEIVE_BUFFER_BYTES "98304"
#define CONNECTION_QUEUE "256"
#define LISTEN_BACKLOG "4096"
#define KEEP_ALIVE_TIMEOUT_MS "140000"

struct http_server {
    struct mg_context *civetweb;
    struct admission admission;
    struct connection_table *connections;
    struct http_exchange_rules rules;
    int port;
    pthread_t starter;
    char start_log[START_LOG_BYTES]; /* the first thing that civetweb complained of on the starter's thread */
};

static struct http_server *server_of(const struct mg_connection *conn) {
    return mg_get_user_data(mg_get_context(conn));
}

/* Callbacks of civetweb's, on its worker threads */

static int on_request(struct mg_connection *conn) {
    return http_exchange_serve(&server_of(conn)->rules, conn);
}

static int on_refusal(struct mg_connection *conn, int status, const char *detail) {
    log_event(LOG_DEBUG, "HTTP server: refused a request: %d %s", status, detail);
    http_exchange_refuse(&server_of(conn)->rules, conn, status);
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

/* There is a place for it: one for each worker. (civetweb tells nothing about the connection in this callback.) */
static int on_connection_open(const struct mg_connection *conn, void **conn_data) {
    *conn_data = connection_table_open(server_of(conn)->connections, conn);
    return 0;
}

/* Addresses stay what they are while a connection is open, so they may be looked at from another thread. */
static bool find_ends(const void *conn, struct sockaddr_in *peer, in_port_t *port) {
    const struct mg_request_info *info = mg_get_request_info(conn);
    if (info == NULL || inet_pton(AF_INET, info->remote_addr, &peer->sin_addr) != 1) {
        return false;
    }
    peer->sin_port = htons((in_port_t)info->remote_port);
    *port = htons((in_port_t)info->server_port);
    return true;
}

static void on_connection_closing(const struct mg_connection *conn) {
    struct http_server *server = server_of(conn);
    http_exchange_catch_up(&server->rules, conn);
    connection_table_begin_close(server->connections, mg_get_user_connection_data(conn));
}

static void on_connection_closed(const struct mg_connection *conn) {
    connection_table_end_close(server_of(conn)->connections);
}

/* Start and stop */

/* Workers on top of those that serve requests. */
static int spare_count(const struct http_server_options *options) {
    return options->thread_count / 16 + 2; /* each costs its start some 30 µs and 16 KiB */
}

static int request_timeout_ms(const struct http_server_options *options) {
    return options->request_timeout_ms > 0 ? options->request_timeout_ms : HTTP_SERVER_REQUEST_TIMEOUT_MS;
}

static struct mg_context *start_civetweb(struct http_server *server, const struct http_server_options *options,
                                         struct mg_error_data *error) {
    char port[NUMBER_TEXT_BYTES];
    char threads[NUMBER_TEXT_BYTES];
    char timeout[NUMBER_TEXT_BYTES];
    snprintf(port, sizeof port, "127.0.0.1:%d", options->port);
    snprintf(threads, sizeof threads, "%d", options->thread_count + spare_count(options));
    snprintf(timeout, sizeof timeout, "%d", request_timeout_ms(options) + OWN_TIMEOUT_LATER_MS);
    /* clang-format off */
    const char *settings[] = {
        "listening_ports", port,
        "num_threads", threads,
        "decode_url", "no",
        "enable_keep_alive", "yes",
        "keep_alive_timeout_ms", KEEP_ALIVE_TIMEOUT_MS,
        "request_timeout_ms", timeout,
        "max_request_size", RECEIVE_BUFFER_BYTES,
        "connection_queue", CONNECTION_QUEUE,
        "listen_backlog", LISTEN_BACKLOG,
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
    connection_table_free(server->connections);
    admission_release(&server->admission);
    free(server);
    mg_exit_library();
}

static enum status server_new(struct http_server **out, const struct http_server_options *options,
                              http_server_handler handler, void *context, struct error *err) {
    const struct connection_limits limits = {.max_count = options->thread_count + spare_count(options),
                                             .crowd_count = options->thread_count,
                                             .request_ms = request_timeout_ms(options),
                                             .silence_ms = SILENCE_MS};
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        error_set(err, STATUS_NO_MEMORY, "out of memory");
        return STATUS_NO_MEMORY;
    }
    enum status status = connection_table_new(&server->connections, &limits, find_ends, err);
    if (status != STATUS_OK) {
        free(server);
        return status;
    }
    admission_init(&server->admission, options->thread_count);
    server->rules =
        (struct http_exchange_rules){.handler = handler,
                                     .context = context,
                                     .max_body_bytes = options->max_body_bytes,
                                     .max_response_bytes = options->max_response_bytes,
                                     .max_kept_connections = options->thread_count - (options->thread_count + 3) / 4,
                                     .admission = &server->admission,
                                     .connections = server->connections};
    server->starter = pthread_self();
    mg_init_library(MG_FEATURES_DEFAULT);
    *out = server;
    return STATUS_OK;
}

enum status http_server_start(struct http_server **out, const struct http_server_options *options,
                              http_server_handler handler, void *context, struct error *err) {
    assert(options->port >= 0 && options->port <= 65535 && options->thread_count > 0);
    struct http_server *server = NULL;
    enum status status = server_new(&server, options, handler, context, err);
    if (status != STATUS_OK) {
        error_wrap(err, "starting the HTTP server");
        return status;
    }
    char reason[START_LOG_BYTES] = "";
    struct mg_error_data error = {.text = reason, .text_buffer_size = sizeof reason};
    server->civetweb = start_civetweb(server, options, &error);
    struct mg_server_port listening = {0};
    if (server->civetweb == NULL || mg_get_server_ports(server->civetweb, 1, &listening) != 1) {
        status = strstr(server->start_log, "cannot bind") != NULL ? STATUS_UNAVAILABLE : STATUS_INTERNAL;
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
    admission_drain(&server->admission);
}

bool http_server_wait_idle(struct http_server *server, int64_t timeout_ms) {
    return admission_wait_idle(&server->admission, timeout_ms);
}

void http_server_stop(struct http_server *server) {
    if (server == NULL) {
        return;
    }
    http_server_drain(server);
    connection_table_shut_port(server->connections, server->port);
    mg_stop(server->civetweb);
    server_free(server);
}
