/*
 * invoker.h - one run of a function: its id, its timeout, its lines in the log, and the call that
 * carries it as JSON.
 *
 * Rules        A run that begins while the handler is starting waits for it, up to 120 s.
 *              functionTimeout counts from the run's beginning; when it is over, the handler is
 *              killed and started again. A call as JSON is a POST to /NAME with a chunked body
 *              (.NET's ObjectContent does not know its length). It succeeds with a status of 2xx
 *              and a JSON object of type application/json or text/json. An empty 2xx, or one that
 *              says null, leaves the run hanging until its timeout. Any other status fails it: the
 *              body is dropped, the reason phrase is told.
 *              Source: Azure/azure-functions-host,
 *              DefaultHttpWorkerService.ProcessDefaultInvocationRequest, WorkerFunctionInvoker.
 * Threads: any; calls wait for the handler's answer.
 */
#ifndef DEVHOST_INVOKER_H
#define DEVHOST_INVOKER_H

#include <cjson/cJSON.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "base/uuid.h"
#include "devhost/handler_client.h"
#include "devhost/handler_process.h"
#include "devhost/host_config.h"

/* The version that the host tells in X-Azure-Functions-HostVersion and User-Agent. */
#define INVOKER_HOST_VERSION "4.1048.200.26180"

enum { INVOKER_MAX_ANSWER_BYTES = 256 * 1024 * 1024 };

struct invoker {
    const struct host_config *config; /* all three borrowed */
    struct handler_process *process;
    struct handler_client *client;
    pthread_mutex_t lock;
    pthread_cond_t stopped;
    bool stopping;
};

/* One run. */
struct invoker_run {
    struct invoker *invoker;
    const struct http_headers
        *caller_headers; /* whose trace the run continues; NULL: it begins one */
    const struct host_function *function;
    char id[UUID_TEXT_BYTES];
    int64_t started_ms;
    int64_t deadline_ms; /* INT64_MAX: none */
};

void invoker_init(struct invoker *invoker, const struct host_config *config,
                  struct handler_process *process, struct handler_client *client);
void invoker_cleanup(struct invoker *invoker);

/* Lets go those who hang. */
void invoker_stop(struct invoker *invoker);

/* Begins a run and tells so. False: no random bytes for its id. */
bool invoker_begin(struct invoker *invoker, struct invoker_run *run,
                   const struct host_function *function, const char *reason);

/* Tells the run's end. */
void invoker_end(const struct invoker_run *run, bool succeeded);

/*
 * Adds what tells of the host and the run: version, invocation id, user agent and, where it is
 * missing, traceparent.
 */
void invoker_add_headers(const struct invoker_run *run, struct http_headers *headers);
void invoker_add_traceparent(struct http_headers *headers);

/*
 * Returns true if the call failed because functionTimeout is over; the handler is started anew
 * then.
 */
bool invoker_check_timeout(const struct invoker_run *run, struct error *err);

/* Says why a call got no answer. */
void invoker_explain(enum handler_outcome outcome, int port, struct error *err);

/* Reads an answer's body. False: it is cut off or too long. */
bool invoker_read_body(struct handler_answer *answer, struct strbuf *out);

/*
 * Carries a run out as JSON, printing the answer's log lines. `*out` is the caller's
 * (cJSON_Delete). False: `err` says why it failed.
 */
bool invoker_call(const struct invoker_run *run, const struct strbuf *payload, cJSON **out,
                  struct error *err);

#endif
