#include "support/load/load_client.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "support/calls/answer_record.h"
#include "support/calls/raw_http.h"

enum { EVENTS = 64 };

struct load_client {
    int fd;
    int target;
    int64_t sent_us; /* 0: nothing is waited for */
    size_t length;   /* of what has come of the answer */
    char answer[LOAD_ANSWER_BYTES + 1];
};

static int64_t clock_us(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t load_now_us(void) {
    return clock_us(CLOCK_MONOTONIC);
}

/* ---- connections ---- */

static void open_connection(struct load *load, struct load_client *client) {
    client->fd = raw_http_connect(load->ports[client->target]);
    client->sent_us = 0;
    client->length = 0;
    int yes = 1;
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    ck_assert_int_eq(fcntl(client->fd, F_SETFL, O_NONBLOCK), 0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    ck_assert_int_eq(epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, client->fd, &event), 0);
}

static void reopen_connection(struct load *load, struct load_client *client) {
    close(client->fd);
    open_connection(load, client);
}

static void write_request(struct load *load, const char *path, const char *body) {
    int length =
        asprintf(&load->request,
                 "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 path, strlen(body), body);
    ck_assert_int_gt(length, 0);
    load->request_length = (size_t)length;
}

void load_open(struct load *load, const int *ports, int target_count, int client_count,
               const char *path, const char *body) {
    ck_assert_int_le(target_count, LOAD_MAX_TARGETS);
    *load = (struct load){.target_count = target_count, .client_count = client_count};
    memcpy(load->ports, ports, (size_t)target_count * sizeof *ports);
    write_request(load, path, body);
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    ck_assert_int_ge(load->epoll_fd, 0);
    load->clients = calloc((size_t)client_count, sizeof *load->clients);
    ck_assert_ptr_nonnull(load->clients);
    for (int i = 0; i < client_count; i++) {
        load->clients[i].target = i % target_count;
        open_connection(load, &load->clients[i]);
    }
}

void load_close(struct load *load) {
    for (int i = 0; i < load->client_count; i++) {
        close(load->clients[i].fd);
    }
    close(load->epoll_fd);
    free(load->clients);
    free(load->request);
}

/* ---- one request ---- */

/*
 * It fits into the socket's buffer, which is empty: the other side has answered all that was sent
 * before.
 */
static void send_request(struct load *load, struct load_client *client) {
    client->length = 0;
    client->sent_us = load_now_us();
    ssize_t sent = send(client->fd, load->request, load->request_length, MSG_NOSIGNAL);
    if (sent !=
        (ssize_t)load->request_length) { /* closed meanwhile, as it may be between two requests */
        reopen_connection(load, client);
        client->sent_us = load_now_us();
        sent = send(client->fd, load->request, load->request_length, MSG_NOSIGNAL);
        ck_assert_int_eq(sent, (ssize_t)load->request_length);
    }
}

static void add_answer(struct load_result *result, struct load_client *client, int status,
                       int64_t version) {
    if (result->count == result->capacity) {
        result->capacity = result->capacity == 0 ? 1024 : 2 * result->capacity;
        result->answers = realloc(result->answers, result->capacity * sizeof *result->answers);
        ck_assert_ptr_nonnull(result->answers);
    }
    result->answers[result->count++] = (struct load_answer){.sent_us = client->sent_us,
                                                            .received_us = load_now_us(),
                                                            .status = status,
                                                            .target = client->target,
                                                            .version = version};
    client->sent_us = 0;
}

/* The number behind a header's name, or `missing`. */
static int64_t header_number(const char *head, const char *name, int64_t missing) {
    const char *found = strcasestr(head, name);
    return found == NULL ? missing : strtoll(found + strlen(name), NULL, 10);
}

/* Takes the answer if all of it is there. */
static bool take_answer(struct load *load, struct load_client *client, struct load_result *result) {
    client->answer[client->length] = '\0';
    char *head_end = strstr(client->answer, "\r\n\r\n");
    if (head_end == NULL) {
        ck_assert_msg(client->length < LOAD_ANSWER_BYTES, "an answer's head is too long");
        return false;
    }
    head_end[2] = '\0'; /* so that nothing of the body is taken for a header */
    int64_t body_length = header_number(client->answer, "\r\nContent-Length:", -1);
    int64_t version = header_number(client->answer, "\r\nETag: \"", 0);
    bool closes = strcasestr(client->answer, "\r\nConnection: close") != NULL;
    ck_assert_msg(strncmp(client->answer, "HTTP/1.1 ", 9) == 0 && body_length >= 0,
                  "not an answer: %s", client->answer);
    head_end[2] = '\r';
    size_t whole = (size_t)(head_end + 4 - client->answer) + (size_t)body_length;
    ck_assert_msg(whole <= LOAD_ANSWER_BYTES, "an answer of %zu bytes", whole);
    if (client->length < whole) {
        return false;
    }
    ck_assert_msg(client->length == whole, "more than an answer: %s", client->answer);
    answer_record_bytes(load->ports[client->target], load->request, load->request_length,
                        client->answer, client->length);
    add_answer(result, client, (int)strtol(client->answer + 9, NULL, 10), version);
    if (closes) {
        reopen_connection(load, client);
    }
    return true;
}

/* Reads what is there. True: the client's request has come to an end, good or bad. */
static bool receive(struct load *load, struct load_client *client, struct load_result *result) {
    ssize_t got =
        recv(client->fd, client->answer + client->length, LOAD_ANSWER_BYTES - client->length, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (got > 0) {
        ck_assert_msg(client->sent_us != 0, "an answer to nothing");
        client->length += (size_t)got;
        return take_answer(load, client, result);
    }
    bool was_waiting = client->sent_us != 0;
    if (was_waiting) {
        add_answer(result, client, 0, 0);
    }
    reopen_connection(load, client);
    return was_waiting;
}

/* ---- a run ---- */

static void give_up_waiting(struct load *load, struct load_result *result) {
    for (int i = 0; i < load->client_count; i++) {
        if (load->clients[i].sent_us != 0) {
            add_answer(result, &load->clients[i], 0, 0);
            reopen_connection(load, &load->clients[i]);
        }
    }
}

void load_run(struct load *load, int64_t duration_ms, int64_t patience_ms,
              struct load_result *out) {
    int64_t cpu_before_us = clock_us(CLOCK_THREAD_CPUTIME_ID);
    *out = (struct load_result){.begun_us = load_now_us()};
    out->ended_us = out->begun_us + duration_ms * 1000;
    int64_t give_up_us = out->ended_us + patience_ms * 1000;
    for (int i = 0; i < load->client_count; i++) {
        send_request(load, &load->clients[i]);
    }
    int waiting = load->client_count;
    for (int64_t now_us; waiting > 0 && (now_us = load_now_us()) < give_up_us;) {
        struct epoll_event events[EVENTS];
        int count =
            epoll_wait(load->epoll_fd, events, EVENTS, (int)((give_up_us - now_us) / 1000) + 1);
        for (int i = 0; i < count; i++) {
            struct load_client *client = events[i].data.ptr;
            if (!receive(load, client, out)) {
                continue;
            }
            if (load_now_us() < out->ended_us) {
                send_request(load, client);
            } else {
                waiting--;
            }
        }
    }
    give_up_waiting(load, out);
    out->cpu_us = clock_us(CLOCK_THREAD_CPUTIME_ID) - cpu_before_us;
}

void load_result_cleanup(struct load_result *result) {
    free(result->answers);
    *result = (struct load_result){.count = 0};
}
