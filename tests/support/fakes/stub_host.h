/*
 * stub_host.h - devhost's parts in the test's own process, in front of a stub handler.
 *
 * Rules        The app has Get (GET and POST of /api/things/{id}) and the timer Clean. The host
 *              starts a shell script, which tells the port that it was given; stub_handler listens
 *              there in its place. A thread looks after the script as devhost's main thread does.
 *              What should not happen to a test ends it.
 * Threads: a test's.
 */
#ifndef SUPPORT_STUB_HOST_H
#define SUPPORT_STUB_HOST_H

#include <pthread.h>
#include <semaphore.h>

#include "devhost/front_server.h"
#include "devhost/http_front.h"
#include "support/calls/raw_http.h"
#include "support/fakes/stub_handler.h"
#include "support/processes/temp_folder.h"

struct stub_host {
    struct temp_folder folder;
    struct host_config config;
    struct handler_client *client;
    struct handler_process *process;
    struct invoker invoker;
    struct timers *timers;
    struct http_front front;
    struct front_server *server;
    int handler_port;
    bool is_handled; /* stub_handler listens */
    pthread_t keeper;
    sem_t started;
    int stop_event;
};

struct stub_host_options {
    enum host_shape shape;
    const char *schedule; /* Clean's; NULL: never */
    const char *state;    /* where timers' statuses are kept; NULL: nowhere */
    int64_t timeout_ms;   /* functionTimeout; 0: none */
};

/* Starts everything but the timers and the stub handler. */
void stub_host_start(struct stub_host *host, const struct stub_host_options *options);

/* The stub handler begins to listen, and the host finds it ready. */
void stub_host_handle(struct stub_host *host, stub_handler_serve serve, void *context);

/* The stub handler's end, as a crash would look. The script goes on. */
void stub_host_stop_handling(struct stub_host *host);
void stub_host_stop(struct stub_host *host);

/*
 * The script's process. It changes with every restart; waits until it is another one than `other`
 * (0: any).
 */
int stub_host_pid(const struct stub_host *host, int other);

/* Sends bytes to the host on a new connection and reads one answer. Release it. */
void stub_host_ask(const struct stub_host *host, const char *bytes, struct raw_response *out);

/* The same, returning the status alone. */
int stub_host_status(const struct stub_host *host, const char *bytes);

#endif
