/*
 * fault_connection.c - one connection of a client's: its thread, and what becomes of each request.
 */
#include "support/proxies/fault_connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/condition.h"
#include "base/utc.h"

/*
 * A server closes what has been idle for long (Azurite after 5 s); a request must not meet with
 * that.
 */
enum { UPSTREAM_FRESH_MS = 2000 };

/* One request, and what becomes of it. */
struct exchange {
    struct fault_connection *connection;
    struct http_stream_message request;
    struct http_stream_message answer; /* storage's */
    struct fault_request facts;
    size_t number;
    struct fault_entry *entry; /* NULL: nothing befalls it */
};

static int64_t now_ms(void) {
    return clock_now_ms(clock_system());
}

/* --- descriptors --- */

/*
 * Puts `fd` (-1: none) into a stream in place of what was there. False: the proxy is being freed,
 * and there is none.
 */
static bool set_fd(struct fault_connection *connection, struct http_stream *stream, int fd) {
    struct fault_hub *hub = connection->hub;
    pthread_mutex_lock(&hub->lock);
    if (stream->fd >= 0) {
        close(stream->fd);
    }
    bool stopping = hub->stopping;
    stream->fd = stopping ? -1 : fd;
    pthread_mutex_unlock(&hub->lock);
    if (stopping && fd >= 0) {
        close(fd);
    }
    strbuf_clear(&stream->unread);
    return !stopping;
}

static struct sockaddr_in local_address(int port) {
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((in_port_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Closes a connection so that its other side is told of an error, not of an end. */
static void reset(struct fault_connection *connection) {
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(connection->client.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    set_fd(connection, &connection->client, -1);
}

/* Whether the connection to storage is open, idle, and not about to be closed. */
static bool upstream_is_fresh(const struct fault_connection *connection) {
    char byte;
    return connection->upstream.fd >= 0 &&
           now_ms() < connection->upstream_used_ms + UPSTREAM_FRESH_MS &&
           recv(connection->upstream.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}

static bool connect_upstream(struct fault_connection *connection) {
    if (upstream_is_fresh(connection)) {
        return true;
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fault_need(fd >= 0, "socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct sockaddr_in address = local_address(connection->hub->upstream_port);
    return set_fd(connection, &connection->upstream, fd) &&
           connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
}

/* --- one request --- */

static enum fault_kind kind_of(const struct exchange *exchange) {
    return exchange->entry != NULL ? exchange->entry->rule.kind : FAULT_NONE;
}

/* Copies what lies before one of `ends` or the end. Returns what follows that. */
static const char *copy_word(const char *text, const char *ends, char *out, size_t size) {
    size_t length = strcspn(text, ends);
    snprintf(out, size, "%.*s", (int)length, text);
    return text[length] != '\0' ? text + length + 1 : text + length;
}

static void choose_rule(struct exchange *exchange) {
    struct fault_hub *hub = exchange->connection->hub;
    struct fault_request *facts = &exchange->facts;
    const char *target =
        copy_word(exchange->request.bytes.data, " \r", facts->method, sizeof facts->method);
    copy_word(target, " \r", facts->target, sizeof facts->target);
    http_stream_header(&exchange->request, "x-ms-lease-action", facts->lease_action,
                       sizeof facts->lease_action);
    facts->arrived_ms = now_ms();
    pthread_mutex_lock(&hub->lock);
    exchange->entry = fault_rules_choose(&hub->rules, facts, &exchange->number);
    pthread_mutex_unlock(&hub->lock);
}

/* The fault takes effect now. */
static void note_applied(struct exchange *exchange) {
    struct fault_hub *hub = exchange->connection->hub;
    if (exchange->entry == NULL) {
        return;
    }
    pthread_mutex_lock(&hub->lock);
    fault_rules_note_applied(&hub->rules, exchange->entry);
    pthread_cond_broadcast(&hub->changed);
    pthread_mutex_unlock(&hub->lock);
}

/* Waits as the fault says: for its time, or to be let go. False: the proxy is being freed. */
static bool pause_exchange(struct exchange *exchange) {
    struct fault_hub *hub = exchange->connection->hub;
    enum fault_kind kind = kind_of(exchange);
    bool hangs = kind == FAULT_HANG_BEFORE || kind == FAULT_HANG_AFTER;
    struct timespec until = condition_deadline(exchange->entry->rule.delay_ms);
    bool in_time = true;
    pthread_mutex_lock(&hub->lock);
    unsigned let_go_count = hub->let_go_count;
    fault_rules_note_applied(&hub->rules, exchange->entry); /* now a let_go will be noticed */
    pthread_cond_broadcast(&hub->changed);
    while (!hub->stopping && (hangs ? hub->let_go_count == let_go_count : in_time)) {
        if (hangs) {
            pthread_cond_wait(&hub->changed, &hub->lock);
        } else {
            in_time = condition_wait_until(&hub->changed, &hub->lock, &until);
        }
    }
    bool stopping = hub->stopping;
    pthread_mutex_unlock(&hub->lock);
    return !stopping;
}

/* Sends the request to storage. Returns true if the whole answer came. */
static bool ask_storage(struct exchange *exchange) {
    struct fault_connection *connection = exchange->connection;
    const struct strbuf *bytes = &exchange->request.bytes;
    return connect_upstream(connection) &&
           http_stream_send(&connection->upstream, bytes->data, bytes->length) &&
           http_stream_read_answer(&connection->upstream, exchange->facts.method,
                                   &exchange->answer);
}

/*
 * Storage may have closed a kept connection before the request reached it, or after. Nobody can
 * tell, so only a request that changes nothing may be sent again (RFC 9112, 9.3.1).
 */
static bool may_be_repeated(const struct exchange *exchange, bool is_kept) {
    const char *method = exchange->facts.method;
    return is_kept && (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) &&
           exchange->answer.bytes.length == 0 && exchange->connection->upstream.unread.length == 0;
}

/* Has storage act. False: it gave no answer. */
static bool forward(struct exchange *exchange) {
    struct fault_connection *connection = exchange->connection;
    struct fault_hub *hub = connection->hub;
    bool is_kept = upstream_is_fresh(connection);
    strbuf_clear(&exchange->answer.bytes); /* of a first delivery */
    bool answered = ask_storage(exchange);
    if (!answered && may_be_repeated(exchange, is_kept)) {
        set_fd(connection, &connection->upstream, -1);
        answered = ask_storage(exchange);
    }
    if (!answered) {
        set_fd(connection, &connection->upstream, -1);
        return false;
    }
    connection->upstream_used_ms = now_ms();
    int status = (int)strtol(exchange->answer.bytes.data + strlen("HTTP/1.1 "), NULL, 10);
    pthread_mutex_lock(&hub->lock);
    fault_rules_note_status(&hub->rules, exchange->number, status);
    pthread_mutex_unlock(&hub->lock);
    return true;
}

/* Sends the first `length` bytes of storage's answer. Returns whether to keep the connection. */
static bool send_answer(struct exchange *exchange, size_t length) {
    struct http_stream *client = &exchange->connection->client;
    return http_stream_send(client, exchange->answer.bytes.data, length) && !exchange->answer.last;
}

static bool send_status(struct exchange *exchange) {
    const struct fault_rule *rule = &exchange->entry->rule;
    struct strbuf text, body;
    strbuf_init(&text, SIZE_MAX);
    strbuf_init(&body, SIZE_MAX);
    strbuf_appendf(&text, "HTTP/1.1 %d Fault\r\n", rule->status != 0 ? rule->status : 503);
    if (rule->retry_after_s != 0) {
        strbuf_appendf(&text, "Retry-After: %d\r\n", rule->retry_after_s);
    }
    if (rule->error_code != NULL) {
        strbuf_appendf(&text, "x-ms-request-id: fault\r\nx-ms-error-code: %s\r\n",
                       rule->error_code);
        strbuf_appendf(&body,
                       "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code>"
                       "<Message>A fault was asked for.</Message></Error>",
                       rule->error_code);
    }
    if (rule->body != NULL) {
        strbuf_clear(&body);
        strbuf_append_string(&body, rule->body);
    }
    strbuf_appendf(&text, "Content-Type: application/%s\r\nContent-Length: %zu\r\n\r\n",
                   body.data[0] == '{' ? "json" : "xml", body.length);
    if (strcmp(exchange->facts.method, "HEAD") != 0) {
        strbuf_append(&text, body.data, body.length);
    }
    fault_need(strbuf_status(&text) == STATUS_OK && strbuf_status(&body) == STATUS_OK,
               "no memory for an answer");
    bool sent = http_stream_send(&exchange->connection->client, text.data, text.length);
    strbuf_cleanup(&text);
    strbuf_cleanup(&body);
    return sent;
}

/*
 * Makes the answer's Date another one. The name of one that is to go becomes one that nobody looks
 * for.
 */
static void change_date(struct exchange *exchange) {
    struct http_stream_message *answer = &exchange->answer;
    char date[64], text[UTC_TEXT_BYTES];
    int64_t date_ms = 0;
    char *line = strcasestr(answer->bytes.data, "\r\nDate: ");
    fault_need(line != NULL && line < answer->bytes.data + answer->head_length &&
                   utc_parse_http(http_stream_header(answer, "Date", date, sizeof date), &date_ms),
               "an answer without a Date that could be changed");
    if (kind_of(exchange) == FAULT_NO_DATE) {
        line[strlen("\r\n")] = 'X';
    } else {
        utc_format_http(date_ms + exchange->entry->rule.delay_ms, text);
        memcpy(line + strlen("\r\nDate: "), text,
               strlen(text)); /* a date's text is always as long */
    }
}

/* Answers the client, after storage has acted. Returns whether to keep the connection. */
static bool reply(struct exchange *exchange) {
    size_t length = exchange->answer.bytes.length;
    switch (kind_of(exchange)) {
    case FAULT_STATUS_BEFORE:
    case FAULT_STATUS_AFTER:
        return send_status(exchange);
    case FAULT_RESET_BEFORE:
    case FAULT_RESET_AFTER:
        reset(exchange->connection);
        return false;
    case FAULT_CLOSE_BEFORE:
    case FAULT_CLOSE_AFTER:
        return false;
    case FAULT_TRUNCATE:
        send_answer(exchange, length / 2);
        return false;
    case FAULT_CLOSE_LATER:
        send_answer(exchange, length);
        return false;
    case FAULT_NONE:
    case FAULT_DELAY_REQUEST:
    case FAULT_DELAY_ANSWER:
    case FAULT_HANG_BEFORE:
    case FAULT_HANG_AFTER:
    case FAULT_TWICE:
    case FAULT_WRONG_DATE:
    case FAULT_NO_DATE:
    case FAULT_KINDS:
        break;
    }
    return send_answer(exchange, length);
}

/* Returns whether to keep the connection. */
static bool carry_out(struct exchange *exchange) {
    enum fault_kind kind = kind_of(exchange);
    bool pauses_before = kind == FAULT_DELAY_REQUEST || kind == FAULT_HANG_BEFORE;
    bool pauses_after = kind == FAULT_DELAY_ANSWER || kind == FAULT_HANG_AFTER;
    bool is_kept_from_storage =
        kind == FAULT_STATUS_BEFORE || kind == FAULT_RESET_BEFORE || kind == FAULT_CLOSE_BEFORE;
    if (pauses_before && !pause_exchange(exchange)) {
        return false;
    }
    if (!is_kept_from_storage && !forward(exchange)) {
        return false;
    }
    if (kind == FAULT_TWICE && !forward(exchange)) {
        return false;
    }
    if (kind == FAULT_WRONG_DATE || kind == FAULT_NO_DATE) {
        change_date(exchange);
    }
    if (pauses_after && !pause_exchange(exchange)) {
        return false;
    }
    if (!pauses_before && !pauses_after) {
        note_applied(exchange);
    }
    return reply(exchange);
}

/* --- connections --- */

static void set_busy(struct fault_connection *connection, bool busy) {
    pthread_mutex_lock(&connection->hub->lock);
    connection->busy = busy;
    pthread_mutex_unlock(&connection->hub->lock);
}

/* False: the connection is over. */
static bool serve_one(struct fault_connection *connection) {
    if (!http_stream_await(&connection->client)) {
        return false;
    }
    set_busy(connection, true);
    struct exchange exchange = {.connection = connection};
    http_stream_message_init(&exchange.request);
    http_stream_message_init(&exchange.answer);
    bool open = http_stream_read_request(&connection->client, &exchange.request);
    if (open) {
        choose_rule(&exchange);
        open = carry_out(&exchange);
    }
    http_stream_message_cleanup(&exchange.request);
    http_stream_message_cleanup(&exchange.answer);
    set_busy(connection, false);
    return open;
}

static void *connection_main(void *context) {
    struct fault_connection *connection = context;
    struct fault_hub *hub = connection->hub;
    while (serve_one(connection)) {
    }
    set_fd(connection, &connection->client, -1);
    set_fd(connection, &connection->upstream, -1);
    http_stream_cleanup(&connection->client);
    http_stream_cleanup(&connection->upstream);
    pthread_mutex_lock(&hub->lock);
    connection->ended = true;
    pthread_mutex_unlock(&hub->lock);
    return NULL;
}

struct fault_connection *fault_connection_open(struct fault_hub *hub, int fd) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct fault_connection *connection = calloc(1, sizeof *connection);
    fault_need(connection != NULL, "calloc");
    connection->hub = hub;
    http_stream_init(&connection->client);
    http_stream_init(&connection->upstream);
    connection->client.fd = fd;
    fault_need(pthread_create(&connection->thread, NULL, connection_main, connection) == 0,
               "pthread_create");
    return connection;
}

void fault_connection_free(struct fault_connection *connection) {
    pthread_join(connection->thread, NULL);
    free(connection);
}

static void shut_down(const struct http_stream *stream) {
    if (stream->fd >= 0) {
        shutdown(stream->fd, SHUT_RDWR);
    }
}

bool fault_connection_close_idle(struct fault_connection *connection) {
    bool idle = !connection->busy && connection->client.fd >= 0;
    if (idle) {
        shut_down(&connection->client);
    }
    return idle;
}

void fault_connection_end(struct fault_connection *connection) {
    shut_down(&connection->client);
    shut_down(&connection->upstream);
}
