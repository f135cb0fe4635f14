#include "support/fakes/stub_host.h"

#include <check.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum { DEADLINE_MS = 20000, POLL_MS = 5 };

static void write_app(struct stub_host *host, const struct stub_host_options *options) {
    char text[512];
    temp_folder_make(&host->folder);
    temp_folder_write(
        &host->folder, "host.json",
        "{\"customHandler\":{\"description\":{\"defaultExecutablePath\":\"handler\"}}}");
    temp_folder_write(&host->folder, "handler",
                      "#!/bin/sh\necho $FUNCTIONS_CUSTOMHANDLER_PORT $$ > port.new; mv port.new "
                      "port\nexec sleep 600\n");
    snprintf(text, sizeof text, "%s/handler", host->folder.path);
    ck_assert_int_eq(chmod(text, 0700), 0);
    temp_folder_write_folder(&host->folder, "Get");
    temp_folder_write(&host->folder, "Get/function.json",
                      "{\"bindings\":[{\"type\":\"httpTrigger\",\"name\":\"req\",\"methods\":["
                      "\"get\",\"post\",\"put\"],"
                      "\"route\":\"things/{id}\"},{\"type\":\"http\",\"name\":\"res\"}]}");
    temp_folder_write_folder(&host->folder, "Clean");
    snprintf(text, sizeof text,
             "{\"bindings\":[{\"type\":\"timerTrigger\",\"name\":\"timer\",\"schedule\":\"%s\"}]}",
             options->schedule != NULL ? options->schedule : "0 0 0 30 2 *");
    temp_folder_write(&host->folder, "Clean/function.json", text);
}

/* What the script has written; false: nothing yet. */
static bool read_script(const struct stub_host *host, int *out_port, int *out_pid) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/port", host->folder.path);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    bool read = fscanf(file, "%d %d", out_port, out_pid) == 2;
    fclose(file);
    return read;
}

int stub_host_pid(const struct stub_host *host, int other) {
    int port = 0;
    int pid = 0;
    int64_t until_ms = clock_now_ms(clock_system()) + DEADLINE_MS;
    while (!read_script(host, &port, &pid) || pid == other) {
        ck_assert_msg(clock_now_ms(clock_system()) < until_ms, "the script did not start");
        poll(NULL, 0, POLL_MS);
    }
    ck_assert(host->handler_port == 0 || port == host->handler_port);
    return pid;
}

/* Does what devhost's main thread does, which the script's life is bound to. */
static void *keep(void *context) {
    struct stub_host *host = context;
    struct error err;
    ck_assert_msg(handler_process_new(&host->process, &host->config, host->client, &err) ==
                      STATUS_OK,
                  "%s", err.message);
    sem_post(&host->started);
    struct pollfd stop = {.fd = host->stop_event, .events = POLLIN};
    while (poll(&stop, 1, POLL_MS) == 0) {
        handler_process_step(host->process);
    }
    handler_process_stop(host->process, DEADLINE_MS);
    return NULL;
}

void stub_host_start(struct stub_host *host, const struct stub_host_options *options) {
    *host = (struct stub_host){0};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    struct error err;
    write_app(host, options);
    ck_assert_msg(host_config_load(&host->config, host->folder.path, &err) == STATUS_OK, "%s",
                  err.message);
    host->config.shape = options->shape;
    host->config.function_timeout_ms = options->timeout_ms;
    front_server_raise_limit();
    host->client = handler_client_new();
    ck_assert_ptr_nonnull(host->client);
    host->stop_event = eventfd(0, EFD_CLOEXEC);
    sem_init(&host->started, 0, 0);
    ck_assert_int_eq(pthread_create(&host->keeper, NULL, keep, host), 0);
    ck_assert_int_eq(sem_wait(&host->started), 0);
    invoker_init(&host->invoker, &host->config, host->process, host->client);
    ck_assert_int_eq(timers_new(&host->timers, &host->config, &host->invoker, options->state, &err),
                     STATUS_OK);
    host->front = (struct http_front){.invoker = &host->invoker, .timers = host->timers};
    ck_assert_int_eq(front_server_start(&host->server, 0, http_front_answer, &host->front, &err),
                     STATUS_OK);
    int pid = stub_host_pid(host, 0);
    ck_assert(read_script(host, &host->handler_port, &pid));
}

void stub_host_handle(struct stub_host *host, stub_handler_serve serve, void *context) {
    stub_handler_start(host->handler_port, serve, context);
    host->is_handled = true;
    ck_assert_int_eq(handler_process_await(host->process, DEADLINE_MS), host->handler_port);
}

void stub_host_stop_handling(struct stub_host *host) {
    if (host->is_handled) {
        stub_handler_stop();
        host->is_handled = false;
    }
}

void stub_host_stop(struct stub_host *host) {
    front_server_drain(host->server);
    timers_stop(host->timers);
    eventfd_write(host->stop_event, 1);
    pthread_join(host->keeper, NULL);
    invoker_stop(&host->invoker);
    stub_host_stop_handling(host);
    front_server_stop(host->server, DEADLINE_MS);
    timers_free(host->timers);
    invoker_cleanup(&host->invoker);
    handler_process_free(host->process);
    handler_client_free(host->client);
    host_config_cleanup(&host->config);
    close(host->stop_event);
    sem_destroy(&host->started);
    temp_folder_remove(&host->folder);
}

void stub_host_ask(const struct stub_host *host, const char *bytes, struct raw_response *out) {
    int fd = raw_http_connect(front_server_port(host->server));
    ck_assert(raw_http_send(fd, bytes));
    *out = (struct raw_response){0};
    raw_http_read(fd, out, strncmp(bytes, "HEAD ", 5) == 0);
    close(fd);
}

int stub_host_status(const struct stub_host *host, const char *bytes) {
    struct raw_response response;
    stub_host_ask(host, bytes, &response);
    int status = response.status;
    raw_response_cleanup(&response);
    return status;
}
