#include "server/http_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/http_exchange.h"

enum {
    BLOCK_BYTES = 64 * 1024,
    BLOCKS_PER_STEP = 16, /* then it is somebody else's turn */
    LINGER_MS = 5000,
    DISCARD_MAX_BYTES = 100 * 1024 * 1024 /* the largest body that the host passes on */
};

/* Deadlines */

static void end_within(struct http_connection *connection, int64_t limit_ms) {
    timer_heap_set(&connection->all->timers, &connection->timer, clock_now_ms(clock_system()) + limit_ms);
}

static void end_never(struct http_connection *connection) {
    timer_heap_remove(&connection->all->timers, &connection->timer);
}

/* From request to request */

static void forget_request(struct http_connection *connection) {
    http_head_reader_cleanup(&connection->reader);
    connection->head = (struct http_head){.method = "", .target = "", .query = ""};
    http_headers_release(&connection->headers);
    connection->all->buffered_bytes -= connection->body.length;
    strbuf_release(&connection->body);
    connection->is_too_large = false;
    strbuf_release(&connection->out);
    connection->sent_bytes = 0;
}

static void begin_idling(struct http_connection *connection) {
    connection->phase = HTTP_CONNECTION_HEAD;
    http_body_init(&connection->framing, 0);
    connection->is_idle = true;
    TAILQ_INSERT_TAIL(&connection->all->idle, connection, idle_entry);
    end_never(connection);
}

static void end_idling(struct http_connection *connection) {
    if (connection->is_idle) {
        connection->is_idle = false;
        TAILQ_REMOVE(&connection->all->idle, connection, idle_entry);
        end_within(connection, connection->all->options.request_timeout_ms);
    }
}

static void leave_hand(struct http_connection *connection) {
    if (connection->is_in_hand) {
        connection->is_in_hand = false;
        admission_leave(connection->all->admission);
    }
}

/* Answering */

static void begin_answer(struct http_connection *connection) {
    connection->phase = HTTP_CONNECTION_ANSWER;
    end_within(connection, connection->all->options.request_timeout_ms);
    if (strbuf_status(&connection->out) != STATUS_OK) {
        http_connection_close(connection);
    }
}

static void refuse(struct http_connection *connection, enum http_refusal refusal) {
    end_idling(connection);
    http_exchange_refuse(connection, refusal);
    begin_answer(connection);
}

static void take_in_hand(struct http_connection *connection) {
    switch (admission_enter(connection->all->admission)) {
    case ADMISSION_BUSY:
        refuse(connection, HTTP_REFUSAL_BUSY);
        return;
    case ADMISSION_STOPPING:
        refuse(connection, HTTP_REFUSAL_STOPPING);
        return;
    case ADMISSION_WELCOME:
    default:
        connection->is_in_hand = true;
        connection->phase = HTTP_CONNECTION_IN_HAND;
        end_never(connection);
        worker_pool_submit(connection->all->workers, &connection->job);
    }
}

void http_connection_work(struct http_connection *connection) {
    http_exchange_serve(connection);
}

void http_connection_answer(struct http_connection *connection) {
    begin_answer(connection);
    http_connection_step(connection);
}

/* Receiving */

/* The answer to an invitation is the body, so nothing else is being sent now; what it does not take is an end. */
static void invite_body(struct http_connection *connection) {
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (send(connection->fd, go_on, sizeof go_on - 1, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof go_on - 1) {
        http_connection_close(connection);
    }
}

static void begin_body(struct http_connection *connection) {
    enum http_refusal why;
    if (!http_head_parse(&connection->reader, &connection->head, &connection->headers, &why)) {
        refuse(connection, why);
        return;
    }
    if (connection->head.is_chunked) {
        http_body_init_chunked(&connection->framing, connection->all->options.tolerant);
    } else {
        http_body_init(&connection->framing, connection->head.content_length);
    }
    connection->is_too_large = connection->head.content_length > connection->all->options.max_body_bytes;
    if (connection->is_too_large || !http_body_is_open(&connection->framing)) {
        take_in_hand(connection);
        return;
    }
    connection->phase = HTTP_CONNECTION_BODY;
    if (http_exchange_expects_invitation(connection)) {
        invite_body(connection);
    }
}

static size_t take_head(struct http_connection *connection, const char *bytes, size_t length) {
    size_t used;
    end_idling(connection);
    switch (http_head_feed(&connection->reader, bytes, length, &used)) {
    case HTTP_HEAD_COMPLETE:
        begin_body(connection);
        break;
    case HTTP_HEAD_MALFORMED:
        refuse(connection, HTTP_REFUSAL_AMBIGUOUS);
        break;
    case HTTP_HEAD_TOO_LARGE:
        refuse(connection, HTTP_REFUSAL_LARGE_HEAD);
        break;
    case HTTP_HEAD_NO_MEMORY:
        refuse(connection, HTTP_REFUSAL_NO_MEMORY);
        break;
    case HTTP_HEAD_PARTIAL:
    default:
        break;
    }
    return used;
}

static size_t take_body(struct http_connection *connection, const char *bytes, size_t length) {
    struct strbuf *body = &connection->body;
    size_t before = body->length;
    size_t used = http_body_feed(&connection->framing, bytes, length, body);
    connection->all->buffered_bytes += body->length - before;
    if (connection->framing.state == HTTP_BODY_BROKEN) {
        refuse(connection, HTTP_REFUSAL_BODY);
    } else if (strbuf_status(body) == STATUS_TOO_LARGE) {
        connection->is_too_large = true;
        take_in_hand(connection);
    } else if (strbuf_status(body) != STATUS_OK) {
        refuse(connection, HTTP_REFUSAL_NO_MEMORY);
    } else if (connection->all->buffered_bytes > connection->all->max_buffered_bytes) {
        refuse(connection, HTTP_REFUSAL_BUSY);
    } else if (connection->framing.state == HTTP_BODY_ENDED) {
        take_in_hand(connection);
    }
    return used;
}

static void discard(struct http_connection *connection, const char *bytes, size_t length) {
    connection->discarded_bytes += length;
    if (connection->discarded_bytes > DISCARD_MAX_BYTES) {
        http_connection_close(connection);
        return;
    }
    (void)http_body_feed(&connection->framing, bytes, length, NULL);
    bool more_must_come = http_body_is_open(&connection->framing);
    end_within(connection, more_must_come ? connection->all->options.request_timeout_ms : LINGER_MS);
}

static void feed(struct http_connection *connection, const char *bytes, size_t length) {
    while (length > 0 && (connection->phase == HTTP_CONNECTION_HEAD || connection->phase == HTTP_CONNECTION_BODY)) {
        size_t used = connection->phase == HTTP_CONNECTION_HEAD ? take_head(connection, bytes, length)
                                                                : take_body(connection, bytes, length);
        bytes += used;
        length -= used;
    }
    if (connection->phase == HTTP_CONNECTION_LINGER) {
        discard(connection, bytes, length);
    } else if (length > 0) {
        strbuf_append(&connection->rest, bytes, length);
    }
}

/* What came behind the request is fed in again now that this has been answered. */
static void feed_rest(struct http_connection *connection) {
    struct strbuf rest = connection->rest;
    strbuf_init(&connection->rest, BLOCK_BYTES);
    feed(connection, rest.data, rest.length);
    if (strbuf_status(&rest) != STATUS_OK && connection->phase == HTTP_CONNECTION_HEAD) {
        refuse(connection, HTTP_REFUSAL_NO_MEMORY);
    }
    strbuf_release_wipe(&rest);
}

static void end_answer(struct http_connection *connection) {
    leave_hand(connection);
    forget_request(connection);
    if (!connection->ends) {
        begin_idling(connection);
    } else {
        connection->phase = HTTP_CONNECTION_LINGER;
        if (connection->client_ends_it) {
            shutdown(connection->fd, SHUT_WR);
        }
    }
    feed_rest(connection);
}

/* The client will send no more. */
static void on_end(struct http_connection *connection) {
    if (connection->phase == HTTP_CONNECTION_BODY) {
        refuse(connection, HTTP_REFUSAL_BODY);
    } else if (connection->phase == HTTP_CONNECTION_HEAD && !connection->is_idle) {
        refuse(connection, HTTP_REFUSAL_UNREADABLE);
    } else {
        http_connection_close(connection);
    }
}

/* Moving on: each returns whether there may be more to do without waiting. */

static bool may_try_again(struct http_connection *connection) {
    if (errno != EAGAIN && errno != EINTR) {
        http_connection_close(connection);
    }
    return errno == EINTR;
}

static bool receive(struct http_connection *connection) {
    char block[BLOCK_BYTES];
    ssize_t got = recv(connection->fd, block, sizeof block, MSG_DONTWAIT);
    if (got < 0) {
        return may_try_again(connection);
    }
    if (got == 0) {
        on_end(connection);
    } else {
        feed(connection, block, (size_t)got);
    }
    return true;
}

static bool send_more(struct http_connection *connection) {
    const struct strbuf *out = &connection->out;
    ssize_t sent = send(connection->fd, out->data + connection->sent_bytes, out->length - connection->sent_bytes,
                        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
        return may_try_again(connection);
    }
    connection->sent_bytes += (size_t)sent;
    if (connection->sent_bytes == out->length) {
        end_answer(connection);
    }
    return true;
}

static bool can_move(const struct http_connection *connection) {
    return connection->phase != HTTP_CONNECTION_IN_HAND && connection->phase != HTTP_CONNECTION_CLOSED;
}

void http_connection_step(struct http_connection *connection) {
    bool goes_on = true;
    for (int i = 0; i < BLOCKS_PER_STEP && goes_on && can_move(connection); i++) {
        goes_on = connection->phase == HTTP_CONNECTION_ANSWER ? send_more(connection) : receive(connection);
    }
    if (goes_on && can_move(connection) && !connection->is_unfinished) {
        connection->is_unfinished = true;
        TAILQ_INSERT_TAIL(&connection->all->unfinished, connection, unfinished_entry);
    }
}

void http_connection_expire(struct http_connection *connection) {
    if (connection->phase == HTTP_CONNECTION_HEAD || connection->phase == HTTP_CONNECTION_BODY) {
        refuse(connection, HTTP_REFUSAL_SLOW);
        http_connection_step(connection);
    } else {
        http_connection_close(connection);
    }
}

bool http_connection_evict(struct http_connections *all) {
    struct http_connection *connection = TAILQ_FIRST(&all->idle);
    if (connection == NULL) {
        return false;
    }
    connection->is_evicted = true;
    all->evicted_count++;
    refuse(connection, HTTP_REFUSAL_BUSY);
    http_connection_step(connection);
    return true;
}

/* Opening and closing */

struct http_connection *http_connection_open(struct http_connections *all, int fd) {
    struct http_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        return NULL;
    }
    connection->all = all;
    connection->fd = fd;
    http_head_reader_init(&connection->reader, all->options.tolerant);
    connection->head = (struct http_head){.method = "", .target = "", .query = ""};
    http_headers_init(&connection->headers);
    strbuf_init(&connection->body, all->options.max_body_bytes);
    strbuf_init(&connection->rest, BLOCK_BYTES);
    strbuf_init(&connection->out, 0);
    http_response_init(&connection->response, 0);
    TAILQ_INSERT_TAIL(&all->open, connection, entry);
    all->open_count++;
    begin_idling(connection);
    return connection;
}

void http_connection_close(struct http_connection *connection) {
    struct http_connections *all = connection->all;
    end_idling(connection);
    end_never(connection);
    leave_hand(connection);
    if (connection->is_unfinished) {
        TAILQ_REMOVE(&all->unfinished, connection, unfinished_entry);
    }
    close(connection->fd);
    connection->phase = HTTP_CONNECTION_CLOSED;
    all->open_count--;
    all->evicted_count -= connection->is_evicted;
    TAILQ_REMOVE(&all->open, connection, entry);
    TAILQ_INSERT_TAIL(&all->closed, connection, entry);
}

void http_connection_free_closed(struct http_connections *all) {
    struct http_connection *connection;
    while ((connection = TAILQ_FIRST(&all->closed)) != NULL) {
        TAILQ_REMOVE(&all->closed, connection, entry);
        forget_request(connection);
        http_response_release(&connection->response);
        strbuf_release_wipe(&connection->rest);
        free(connection);
    }
}
