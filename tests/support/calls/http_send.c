#include "support/calls/http_send.h"

#include <stdlib.h>

#include "http/loop_call.h"
#include "support/calls/answer_record.h"

/* ---- submit ---- */

struct submission {
    struct loop_task start;
    struct http_client *client;
    struct http_call call;
    struct http_exchange exchange;
    http_done done;
    void *context;
};

static void end_submission(void *context, enum status status, struct http_reply *reply,
                           const struct error *err) {
    struct submission *submission = context;
    submission->done(submission->context, status, reply, err);
    free(submission);
}

static void start_submission(void *context) {
    struct submission *submission = context;
    enum status status =
        http_client_start(submission->client, &submission->call, &submission->exchange);
    if (status != STATUS_OK) {
        struct error err;
        error_set(&err, status, "%s", status_text(status));
        end_submission(submission, status, NULL, &err);
    }
}

void http_submit(struct http_transport *transport, const struct http_call *call, http_done done,
                 void *context) {
    struct platform platform = http_transport_platform(transport, NULL);
    struct submission *submission = calloc(1, sizeof *submission);
    if (submission == NULL) {
        abort();
    }
    *submission = (struct submission){
        .client = platform.http, .call = *call, .done = done, .context = context};
    submission->start = (struct loop_task){.run = start_submission, .context = submission};
    submission->exchange = (struct http_exchange){.done = end_submission, .context = submission};
    event_loop_post(platform.loop, &submission->start);
}

/* ---- send ---- */

struct send_wait {
    struct loop_call wait;
    struct http_client *client;
    const struct http_call *call;
    struct http_exchange exchange;
    enum status status;
    struct http_reply *out;
    struct error *err;
};

static void end_send(void *context, enum status status, struct http_reply *reply,
                     const struct error *err) {
    struct send_wait *send = context;
    send->status = status;
    if (status == STATUS_OK) {
        answer_record_reply(send->call, reply);
        *send->out = *reply;
        http_reply_init(reply);
    } else if (send->err != NULL) {
        *send->err = *err;
    }
    loop_call_end(&send->wait);
}

static void begin_send(void *context) {
    struct send_wait *send = context;
    send->exchange = (struct http_exchange){.done = end_send, .context = send};
    enum status status = http_client_start(send->client, send->call, &send->exchange);
    if (status != STATUS_OK) {
        struct error err;
        error_set(&err, status, "%s", status_text(status));
        end_send(send, status, NULL, &err);
    }
}

enum status http_send(struct http_transport *transport, const struct http_call *call,
                      struct http_reply *out, struct error *err) {
    struct platform platform = http_transport_platform(transport, NULL);
    struct send_wait send = {.client = platform.http, .call = call, .out = out, .err = err};
    loop_call_run(&send.wait, platform.loop, begin_send, &send);
    return send.status;
}
