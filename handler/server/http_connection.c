#include "server/http_connection.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/temp_file.h"
#include "http/event_loop.h"
#include "server/admission.h"

enum {
    BLOCK_BYTES = 64 * 1024,
    BLOCKS_PER_ADVANCE = 16,        /* before other connections go on */
    REST_TIMED_BYTES = 1024 * 1024, /* see renew_deadline */
    LINGER_MS = 5000,
    /* The largest body that the host passes on. */
    DISCARD_MAX_BYTES = 100 * 1024 * 1024
};

/* ---- sweeps ---- */

void http_connections_request_sweep(struct http_connections *all) {
    if (!all->is_sweep_posted) {
        all->is_sweep_posted = true;
        event_loop_post(all->shared.loop, &all->sweep);
    }
}

static void connection_queue(struct http_connection *connection) {
    if (!connection->is_queued) {
        connection->is_queued = true;
        TAILQ_INSERT_TAIL(&connection->all->queued, connection, queued_entry);
        http_connections_request_sweep(connection->all);
    }
}

/* ---- deadlines ---- */

/* Returns how long a connection may wait in its phase; 0 for ever. */
static int64_t phase_limit_ms(const struct http_connection *connection) {
    int request_timeout_ms = connection->all->shared.options.request_timeout_ms;
    switch (connection->phase) {
    case HTTP_CONNECTION_HEAD:
        return connection->is_idle ? 0 : request_timeout_ms;
    case HTTP_CONNECTION_BODY:
    case HTTP_CONNECTION_ANSWER:
        return request_timeout_ms;
    case HTTP_CONNECTION_LINGER:
        return http_body_is_open(&connection->framing) ? request_timeout_ms : LINGER_MS;
    case HTTP_CONNECTION_IN_HAND:
    case HTTP_CONNECTION_CLOSED:
    default:
        return 0;
    }
}

/*
 * Sets a deadline when a connection begins to wait in its phase. A request that comes whole, and an
 * answer that leaves at once, do not wait and set no timer.
 */
static void set_deadline(struct http_connection *connection) {
    int64_t limit_ms = phase_limit_ms(connection);
    if (limit_ms > 0 && !connection->is_timed) {
        struct event_loop *loop = connection->all->shared.loop;
        event_loop_set_timer(loop, &connection->deadline,
                             clock_now_ms(event_loop_clock(loop)) + limit_ms);
        connection->is_timed = true;
    }
}

static void clear_deadline(struct http_connection *connection) {
    if (connection->is_timed) {
        connection->is_timed = false;
        event_loop_stop_timer(connection->all->shared.loop, &connection->deadline);
    }
}

/* ---- from request to request ---- */

static void connection_reset(struct http_connection *connection) {
    http_head_reader_reset(&connection->reader);
    connection->all->buffered_bytes -= connection->exchange.body.length;
    http_exchange_reset(&connection->exchange);
}

static void idle_begin(struct http_connection *connection) {
    connection->phase = HTTP_CONNECTION_HEAD;
    http_body_init(&connection->framing, 0);
    connection->is_idle = true;
    TAILQ_INSERT_TAIL(&connection->all->idle, connection, idle_entry);
    clear_deadline(connection);
}

static void idle_end(struct http_connection *connection) {
    if (connection->is_idle) {
        connection->is_idle = false;
        TAILQ_REMOVE(&connection->all->idle, connection, idle_entry);
    }
}

static void connection_leave_hand(struct http_connection *connection) {
    if (connection->is_in_hand) {
        connection->is_in_hand = false;
        admission_leave(connection->all->shared.admission);
    }
}

/* ---- answering ---- */

static void answer_begin(struct http_connection *connection) {
    connection->phase = HTTP_CONNECTION_ANSWER;
    clear_deadline(connection);
    if (strbuf_status(&connection->exchange.out) != STATUS_OK) {
        http_connection_close(connection);
    }
}

static void connection_refuse(struct http_connection *connection, enum http_refusal refusal) {
    idle_end(connection);
    http_exchange_refuse(&connection->exchange, refusal);
    answer_begin(connection);
}

static void answer_finish(struct http_connection *connection) {
    connection->is_answered = false;
    http_exchange_finish(&connection->exchange);
    answer_begin(connection);
}

/* If the handler answers inside its call, call_handler sends the answer; otherwise a sweep does. */
static void on_answered(struct http_inbound *inbound) {
    struct http_connection *connection = (struct http_connection *)inbound;
    assert(connection->phase == HTTP_CONNECTION_IN_HAND && !connection->is_answered);
    connection->is_answered = true;
    if (!connection->is_called) {
        connection_queue(connection);
    }
}

static void call_handler(struct http_connection *connection) {
    connection->is_in_hand = true;
    connection->phase = HTTP_CONNECTION_IN_HAND;
    clear_deadline(connection);
    http_exchange_begin(&connection->exchange);
    connection->is_called = true;
    connection->all->shared.handler(connection->all->shared.context, &connection->exchange.inbound);
    connection->is_called = false;
    if (connection->is_answered) {
        answer_finish(connection);
    }
}

static void request_admit(struct http_connection *connection) {
    switch (admission_enter(connection->all->shared.admission)) {
    case ADMISSION_BUSY:
        connection_refuse(connection, HTTP_REFUSAL_BUSY);
        return;
    case ADMISSION_STOPPING:
        connection_refuse(connection, HTTP_REFUSAL_STOPPING);
        return;
    case ADMISSION_WELCOME:
    default:
        call_handler(connection);
    }
}

/* ---- receiving ---- */

static void body_begin(struct http_connection *connection) {
    enum http_refusal why;
    if (!http_head_parse(&connection->reader, &connection->exchange.head,
                         &connection->exchange.headers, &why)) {
        connection_refuse(connection, why);
        return;
    }
    if (connection->exchange.head.is_chunked) {
        http_body_init_chunked(&connection->framing);
    } else {
        http_body_init(&connection->framing, connection->exchange.head.content_length);
    }
    connection->exchange.is_too_large =
        connection->exchange.head.content_length > connection->all->shared.options.max_body_bytes;
    if (connection->exchange.is_too_large || !http_body_is_open(&connection->framing)) {
        request_admit(connection);
        return;
    }
    connection->phase = HTTP_CONNECTION_BODY;
    if (!http_exchange_invite_body(&connection->exchange, connection->source.fd)) {
        http_connection_close(connection);
    }
}

static size_t head_feed(struct http_connection *connection, const char *bytes, size_t length) {
    size_t used;
    idle_end(connection);
    switch (http_head_feed(&connection->reader, bytes, length, &used)) {
    case HTTP_HEAD_COMPLETE:
        body_begin(connection);
        break;
    case HTTP_HEAD_MALFORMED:
        connection_refuse(connection, HTTP_REFUSAL_AMBIGUOUS);
        break;
    case HTTP_HEAD_TOO_LARGE:
        connection_refuse(connection, HTTP_REFUSAL_LARGE_HEAD);
        break;
    case HTTP_HEAD_NO_MEMORY:
        connection_refuse(connection, HTTP_REFUSAL_NO_MEMORY);
        break;
    case HTTP_HEAD_PARTIAL:
    default:
        break;
    }
    return used;
}

static size_t body_feed(struct http_connection *connection, const char *bytes, size_t length) {
    struct strbuf *body = &connection->exchange.body;
    size_t before = body->length;
    size_t used = http_body_feed(&connection->framing, bytes, length, body);
    connection->all->buffered_bytes += body->length - before;
    if (connection->framing.state == HTTP_BODY_BROKEN) {
        connection_refuse(connection, HTTP_REFUSAL_BODY);
    } else if (strbuf_status(body) == STATUS_TOO_LARGE) {
        connection->exchange.is_too_large = true;
        request_admit(connection);
    } else if (strbuf_status(body) != STATUS_OK) {
        connection_refuse(connection, HTTP_REFUSAL_NO_MEMORY);
    } else if (connection->all->buffered_bytes > connection->all->max_buffered_bytes) {
        connection_refuse(connection, HTTP_REFUSAL_BUSY);
    } else if (connection->framing.state == HTTP_BODY_ENDED) {
        request_admit(connection);
    }
    return used;
}

static void connection_discard(struct http_connection *connection, const char *bytes,
                               size_t length) {
    connection->discarded_bytes += length;
    if (connection->discarded_bytes > DISCARD_MAX_BYTES) {
        http_connection_close(connection);
        return;
    }
    (void)http_body_feed(&connection->framing, bytes, length, NULL);
    clear_deadline(connection); /* connection_advance sets a new one */
}

static void connection_feed(struct http_connection *connection, const char *bytes, size_t length) {
    while (length > 0 && (connection->phase == HTTP_CONNECTION_HEAD ||
                          connection->phase == HTTP_CONNECTION_BODY)) {
        size_t used = connection->phase == HTTP_CONNECTION_HEAD
                          ? head_feed(connection, bytes, length)
                          : body_feed(connection, bytes, length);
        bytes += used;
        length -= used;
    }
    if (connection->phase == HTTP_CONNECTION_LINGER) {
        connection_discard(connection, bytes, length);
    } else if (length > 0) {
        strbuf_append(&connection->rest, bytes, length);
    }
}

/* Feeds the bytes that came behind the request, which has been answered by now. */
static void connection_feed_rest(struct http_connection *connection) {
    struct strbuf rest = connection->rest;
    strbuf_init(&connection->rest, BLOCK_BYTES);
    connection_feed(connection, rest.data, rest.length);
    if (strbuf_status(&rest) != STATUS_OK && connection->phase == HTTP_CONNECTION_HEAD) {
        connection_refuse(connection, HTTP_REFUSAL_NO_MEMORY);
    }
    strbuf_cleanup_wipe(&rest);
}

static void answer_end(struct http_connection *connection) {
    connection_leave_hand(connection);
    clear_deadline(connection);
    connection_reset(connection);
    if (!connection->exchange.ends) {
        idle_begin(connection);
    } else {
        connection->phase = HTTP_CONNECTION_LINGER;
        if (connection->exchange.client_ends_it) {
            shutdown(connection->source.fd, SHUT_WR);
        }
    }
    connection_feed_rest(connection);
}

/* The client will send no more. */
static void on_end(struct http_connection *connection) {
    if (connection->phase == HTTP_CONNECTION_BODY) {
        connection_refuse(connection, HTTP_REFUSAL_BODY);
    } else if (connection->phase == HTTP_CONNECTION_HEAD && !connection->is_idle) {
        connection_refuse(connection, HTTP_REFUSAL_UNREADABLE);
    } else {
        http_connection_close(connection);
    }
}

/* ---- going on ---- */

/* Nothing was read or written; errno says why. */
static void on_io_failure(struct http_connection *connection, bool *may_try) {
    if (errno == EAGAIN) {
        *may_try = false;
    } else if (errno != EINTR) {
        http_connection_close(connection);
    }
}

static void connection_receive(struct http_connection *connection) {
    char block[BLOCK_BYTES];
    ssize_t got = recv(connection->source.fd, block, sizeof block, MSG_DONTWAIT);
    if (got < 0) {
        on_io_failure(connection, &connection->may_read);
        return;
    }
    if (got == 0) {
        connection->has_ended = true;
        on_end(connection);
        return;
    }
    connection->may_read = connection->has_ended || (size_t)got == sizeof block;
    connection_feed(connection, block, (size_t)got);
}

/* Sends head and body in one system call. Returns how many bytes were sent, or -1. */
static ssize_t send_text(const struct http_connection *connection) {
    const struct server_exchange *exchange = &connection->exchange;
    const struct strbuf *out = &exchange->out;
    size_t sent = (size_t)exchange->sent_bytes;
    size_t head_sent = sent < out->length ? sent : out->length;
    size_t body_sent = sent - head_sent;
    struct iovec parts[] = {{.iov_base = out->data + head_sent, .iov_len = out->length - head_sent},
                            {.iov_base = exchange->inbound.response.body.data + body_sent,
                             .iov_len = exchange->body_bytes - body_sent}};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    return sendmsg(connection->source.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/*
 * Sends the next piece of the body's rest. The file is read again for what the socket does not take
 * now. If it cannot be read, the head has promised too much, and only the connection's end tells.
 */
static ssize_t send_rest(const struct http_connection *connection, uint64_t offset) {
    char block[BLOCK_BYTES];
    size_t got;
    struct error err;
    if (temp_file_read(connection->exchange.inbound.response.rest, offset, block, sizeof block,
                       &got, &err) != STATUS_OK) {
        log_event(LOG_ERROR, "An answer is cut off: %s", err.message);
        errno = EIO;
        return -1;
    }
    return send(connection->source.fd, block, got, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A long answer has a deadline for each REST_TIMED_BYTES: its time grows with its length. */
static void renew_deadline(struct http_connection *connection, uint64_t offset, size_t sent) {
    if (offset / REST_TIMED_BYTES != (offset + sent) / REST_TIMED_BYTES) {
        clear_deadline(connection); /* connection_advance sets a new one */
    }
}

static void answer_send(struct http_connection *connection) {
    struct server_exchange *exchange = &connection->exchange;
    uint64_t text_bytes = exchange->out.length + exchange->body_bytes;
    bool is_text = exchange->sent_bytes < text_bytes;
    uint64_t offset = is_text ? 0 : exchange->sent_bytes - text_bytes; /* in the rest */
    ssize_t sent = is_text ? send_text(connection) : send_rest(connection, offset);
    if (sent < 0) {
        on_io_failure(connection, &connection->may_write);
        return;
    }
    exchange->sent_bytes += (uint64_t)sent;
    if (exchange->sent_bytes == text_bytes + exchange->rest_bytes) {
        answer_end(connection);
    } else if (!is_text) {
        renew_deadline(connection, offset, (size_t)sent);
    }
}

static bool can_advance(const struct http_connection *connection) {
    switch (connection->phase) {
    case HTTP_CONNECTION_ANSWER:
        return connection->may_write;
    case HTTP_CONNECTION_HEAD:
    case HTTP_CONNECTION_BODY:
    case HTTP_CONNECTION_LINGER:
        return connection->may_read;
    case HTTP_CONNECTION_IN_HAND:
    case HTTP_CONNECTION_CLOSED:
    default:
        return false;
    }
}

/* Goes on as far as possible without blocking, or until the connection has had its share. */
static void connection_advance(struct http_connection *connection) {
    for (int i = 0; i < BLOCKS_PER_ADVANCE && can_advance(connection); i++) {
        if (connection->phase == HTTP_CONNECTION_ANSWER) {
            answer_send(connection);
        } else {
            connection_receive(connection);
        }
    }
    if (can_advance(connection)) {
        connection_queue(connection);
    }
    set_deadline(connection);
}

static void on_ready(void *context, unsigned events) {
    struct http_connection *connection = context;
    connection->has_ended =
        connection->has_ended || (events & (LOOP_PEER_ENDED | LOOP_FAILED)) != 0;
    connection->may_read =
        connection->may_read || connection->has_ended || (events & LOOP_READABLE) != 0;
    connection->may_write = connection->may_write || (events & (LOOP_WRITABLE | LOOP_FAILED)) != 0;
    connection_advance(connection);
}

void http_connections_advance_queued(struct http_connections *all) {
    struct http_connection_list queued = TAILQ_HEAD_INITIALIZER(queued);
    TAILQ_CONCAT(&queued, &all->queued, queued_entry);
    struct http_connection *connection, *next;
    for (connection = TAILQ_FIRST(&queued); connection != NULL; connection = next) {
        next = TAILQ_NEXT(connection, queued_entry);
        connection->is_queued = false;
        if (connection->is_answered) {
            answer_finish(connection);
        }
        connection_advance(connection);
    }
}

static void on_deadline(void *context) {
    struct http_connection *connection = context;
    connection->is_timed = false;
    if (connection->phase == HTTP_CONNECTION_HEAD || connection->phase == HTTP_CONNECTION_BODY) {
        connection_refuse(connection, HTTP_REFUSAL_SLOW);
        connection_advance(connection);
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
    connection_refuse(connection, HTTP_REFUSAL_BUSY);
    connection_advance(connection);
    return true;
}

/* ---- opening and closing ---- */

static void connection_init(struct http_connection *connection, struct http_connections *all,
                            int fd) {
    connection->all = all;
    connection->source = (struct loop_source){.fd = fd, .ready = on_ready, .context = connection};
    connection->deadline = (struct loop_timer){.fired = on_deadline, .context = connection};
    http_exchange_init(&connection->exchange, &all->shared);
    connection->exchange.inbound.answered = on_answered;
    connection->may_write = true;
    http_head_reader_init(&connection->reader);
    strbuf_init(&connection->rest, BLOCK_BYTES);
}

bool http_connection_open(struct http_connections *all, int fd) {
    struct http_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        return false;
    }
    connection_init(connection, all, fd);
    if (!event_loop_watch(all->shared.loop, &connection->source,
                          LOOP_READABLE | LOOP_WRITABLE | LOOP_PEER_ENDED | LOOP_EDGE_TRIGGERED)) {
        free(connection);
        return false;
    }
    TAILQ_INSERT_TAIL(&all->open, connection, entry);
    all->open_count++;
    idle_begin(connection);
    return true;
}

void http_connection_close(struct http_connection *connection) {
    struct http_connections *all = connection->all;
    idle_end(connection);
    clear_deadline(connection);
    connection_leave_hand(connection);
    event_loop_unwatch(all->shared.loop, &connection->source);
    close(connection->source.fd);
    connection->phase = HTTP_CONNECTION_CLOSED;
    all->open_count--;
    all->evicted_count -= connection->is_evicted;
    TAILQ_REMOVE(&all->open, connection, entry);
    TAILQ_INSERT_TAIL(&all->closed, connection, entry);
    http_connections_request_sweep(all);
}

static void connection_free(struct http_connection *connection) {
    connection_reset(connection);
    http_head_reader_cleanup(&connection->reader);
    http_exchange_cleanup(&connection->exchange);
    strbuf_cleanup_wipe(&connection->rest);
    free(connection);
}

/* A connection may still be queued here: advancing it queued it again, and then closed it. */
void http_connections_free_closed(struct http_connections *all) {
    struct http_connection *connection;
    while ((connection = TAILQ_FIRST(&all->closed)) != NULL) {
        TAILQ_REMOVE(&all->closed, connection, entry);
        if (connection->is_queued) {
            TAILQ_REMOVE(&all->queued, connection, queued_entry);
        }
        connection_free(connection);
    }
}
