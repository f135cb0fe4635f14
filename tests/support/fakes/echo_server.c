#include "support/fakes/echo_server.h"

#include <check.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

#include "support/fakes/blocking_server.h"

static struct blocking_server host;
static sem_t held;
static sem_t let_go;
static atomic_int calls;
static atomic_int smuggled;

static void echo(void *context, const struct http_request *request,
                 struct http_response *response) {
    (void)context;
    atomic_fetch_add(&calls, 1);
    atomic_fetch_add(&smuggled, strstr(request->path, "smuggled") != NULL);
    if (strcmp(request->path, "/wait") == 0) {
        sem_post(&held);
        sem_wait(&let_go);
    }
    if (strcmp(request->path, "/large") == 0) {
        char block[1024];
        memset(block, 'x', sizeof block);
        for (size_t i = 0; i < ECHO_LARGE_BYTES / sizeof block; i++) {
            strbuf_append(&response->body, block, sizeof block);
        }
        return;
    }
    response->status = request->body_too_large ? 413 : 200;
    strbuf_appendf(&response->body, "%s %s|%s|", request->method, request->path, request->query);
    strbuf_append(&response->body, request->body, request->body_length);
}

struct http_server *echo_server_start(int thread_count, int request_timeout_ms) {
    sem_init(&held, 0, 0);
    sem_init(&let_go, 0, 0);
    atomic_store(&calls, 0);
    atomic_store(&smuggled, 0);
    struct http_server_options options = {.max_in_hand = thread_count,
                                          .max_body_bytes = ECHO_MAX_BODY_BYTES,
                                          .max_response_bytes = ECHO_LARGE_BYTES,
                                          .request_timeout_ms = request_timeout_ms};
    struct http_server *server = NULL;
    struct error err = {0};
    blocking_server_open(&host, echo, NULL);
    ck_assert_msg(blocking_server_start(&host, &server, &options, &err) == STATUS_OK, "%s",
                  err.message);
    return server;
}

void echo_server_stop(struct http_server *server) {
    http_server_stop(server);
    blocking_server_close(&host);
    sem_destroy(&held);
    sem_destroy(&let_go);
}

int echo_server_calls(void) {
    return atomic_load(&calls);
}

int echo_server_smuggled(void) {
    return atomic_load(&smuggled);
}

void echo_server_await_held(void) {
    sem_wait(&held);
}

void echo_server_let_go(void) {
    sem_post(&let_go);
}
