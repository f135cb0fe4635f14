#include "http/http_transport.h"

#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/ca_bundle.h"
#include "http/event_loop.h"
#include "http/http_transport_call.h"
#include "http/http_transport_sockets.h"
#include "http/wiped_memory.h"

enum {
    /* Two hosts and our own server then stay well under the usual limit of 1024 descriptors. */
    MAX_HOST_CONNECTIONS = 256,
    MAX_IDLE_CALLS = 128,
};

TAILQ_HEAD(transport_calls, transport_call);

struct http_transport {
    struct http_client base;
    const struct clock *clock;
    const char *ca_bundle; /* the file of CA certificates; NULL: this system has none */
    char *ca_file;         /* the caller's choice, to be freed; NULL: ca_bundle is the system's */
    struct event_loop *loop;

    /* Of the loop's thread. */
    CURLM *multi;
    struct transport_sockets sockets;
    struct transport_calls open; /* in libcurl's hands */
    struct transport_calls idle; /* emptied, to be used again */
    int idle_count;
    bool is_stopping; /* no more calls are started */

    /* Of the owner's thread. */
    struct loop_task end_calls;
    bool was_stopped;
};

static_assert(offsetof(struct http_transport, base) == 0, "a client is cast to its transport");

/* ---- idle calls ---- */

static void recycle_call(struct http_transport *transport, struct transport_call *call) {
    http_transport_call_empty(call);
    if (transport->idle_count == MAX_IDLE_CALLS) {
        http_transport_call_free(call);
        return;
    }
    /* The newest is used first, while its memory is still in the processor's caches. */
    TAILQ_INSERT_HEAD(&transport->idle, call, link);
    transport->idle_count++;
}

/* Returns an idle call, or a new one. */
static enum status obtain_call(struct http_transport *transport, struct transport_call **out) {
    struct transport_call *call = TAILQ_FIRST(&transport->idle);
    if (call == NULL) {
        enum status status =
            http_transport_call_new(&call, &transport->sockets, transport->ca_bundle);
        if (status != STATUS_OK) {
            return status;
        }
        call->transport = transport;
    } else {
        TAILQ_REMOVE(&transport->idle, call, link);
        transport->idle_count--;
    }
    *out = call;
    return STATUS_OK;
}

/* ---- answers ---- */

/*
 * Answers the exchange of a call that is not in libcurl's hands, and recycles the call. `detail`
 * says what went wrong; it is not read for STATUS_OK.
 */
static void answer_call(struct http_transport *transport, struct transport_call *call,
                        enum status status, const char *detail) {
    struct error err;
    error_set(&err, STATUS_OK, "%s", "");
    if (status == STATUS_OK) {
        call->reply.received_ms = clock_now_ms(transport->clock);
    } else {
        error_set(&err, status, "%s", detail);
    }
    struct http_exchange *exchange = call->exchange;
    exchange->call = NULL; /* `done` may start the exchange again, or free it */
    exchange->done(exchange->context, status, status == STATUS_OK ? &call->reply : NULL, &err);
    recycle_call(transport, call);
}

/* Takes a call back from libcurl. */
static void close_call(struct http_transport *transport, struct transport_call *call) {
    TAILQ_REMOVE(&transport->open, call, link);
    event_loop_stop_timer(transport->loop, &call->timeout);
    curl_multi_remove_handle(transport->multi, call->easy);
}

static enum status status_of_transfer(CURLcode code) {
    switch ((int)code) {
    case CURLE_OUT_OF_MEMORY:
        return STATUS_NO_MEMORY;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_FAILED_INIT:
    case CURLE_URL_MALFORMAT:
    case CURLE_NOT_BUILT_IN:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION:
        return STATUS_INTERNAL;
    default:
        return STATUS_UNAVAILABLE;
    }
}

/* Returns what people should read about a call that libcurl gave up. */
static const char *explain(const struct http_transport *transport,
                           const struct transport_call *call, CURLcode code) {
    if (code == CURLE_PEER_FAILED_VERIFICATION && transport->ca_bundle == NULL) {
        return "this system's CA certificates were not found, so the server's cannot be checked: "
               "install the package ca-certificates, or name a file of them in SSL_CERT_FILE";
    }
    return call->curl_message[0] != '\0' ? call->curl_message : curl_easy_strerror(code);
}

/*
 * Answers a call that libcurl gave up. OpenSSL's own message about a forged signature or an old TLS
 * means nothing to most people, so a hint follows it.
 */
static void answer_failed_call(struct http_transport *transport, struct transport_call *call,
                               CURLcode code) {
    char text[2 * CURL_ERROR_SIZE];
    const char *hint =
        " (the server's certificate is not signed by whom it names, or it speaks no TLS 1.2)";
    snprintf(text, sizeof text, "%s%s", explain(transport, call, code),
             code == CURLE_SSL_CONNECT_ERROR ? hint : "");
    answer_call(transport, call, status_of_transfer(code), text);
}

static void on_call_done(struct http_transport *transport, struct transport_call *call,
                         CURLcode code) {
    long http_status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &http_status);
    call->reply.status = (int)http_status;
    close_call(transport, call);
    if (code == CURLE_OK && !call->headers_ended) {
        /* libcurl takes the end of the connection for the end of the headers. */
        answer_call(transport, call, STATUS_UNAVAILABLE, "the answer was cut short in its headers");
    } else if (code == CURLE_OK) {
        answer_call(transport, call, STATUS_OK, "");
    } else if (call->stop_status != STATUS_OK) {
        answer_call(transport, call, call->stop_status, call->stop_reason);
    } else {
        answer_failed_call(transport, call, code);
    }
}

/* Answers all calls that libcurl has finished. */
static void collect_finished_calls(void *context) {
    struct http_transport *transport = context;
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(transport->multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            struct transport_call *call = NULL;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
            on_call_done(transport, call, message->data.result); /* invalidates `message` */
        }
    }
}

static void on_timeout(void *context) {
    struct transport_call *call = context;
    struct http_transport *transport = call->transport;
    close_call(transport, call);
    answer_call(transport, call, STATUS_UNAVAILABLE,
                call->was_sent ? "timed out before the whole answer was here"
                               : "timed out before there was a connection");
}

/* ---- starting ---- */

/*
 * Returns why libcurl refused a call. After it has failed to watch a socket it aborts all open
 * calls, and refuses new ones until they have ended.
 */
static enum status status_of_refusal(CURLMcode code) {
    if (code == CURLM_ABORTED_BY_CALLBACK) {
        return STATUS_UNAVAILABLE;
    }
    return code == CURLM_OUT_OF_MEMORY ? STATUS_NO_MEMORY : STATUS_INTERNAL;
}

/* Hands a call to libcurl. On failure libcurl does not have it. */
static enum status open_call(struct http_transport *transport, struct transport_call *call) {
    call->timeout = (struct loop_timer){.fired = on_timeout, .context = call};
    call->reply.sent_ms = clock_now_ms(transport->clock);
    CURLMcode code = curl_multi_add_handle(transport->multi, call->easy);
    if (code != CURLM_OK) {
        return status_of_refusal(code);
    }
    TAILQ_INSERT_TAIL(&transport->open, call, link);
    event_loop_set_timer(transport->loop, &call->timeout, call->deadline_ms);
    return STATUS_OK;
}

/* ---- the client interface, on the loop's thread ---- */

static enum status start_exchange(struct http_client *client, const struct http_call *wanted,
                                  struct http_exchange *exchange) {
    struct http_transport *transport = (struct http_transport *)client;
    struct transport_call *call;
    assert(wanted->timeout_ms > 0 && exchange->call == NULL);
    enum status status = transport->is_stopping ? STATUS_CANCELLED : obtain_call(transport, &call);
    if (status != STATUS_OK) {
        return status;
    }
    call->exchange = exchange;
    status = http_transport_call_fill(call, wanted);
    if (status == STATUS_OK) {
        status = open_call(transport, call);
    }
    if (status != STATUS_OK) {
        recycle_call(transport, call);
        return status;
    }
    exchange->call = call;
    return STATUS_OK;
}

static void abandon_exchange(struct http_client *client, struct http_exchange *exchange) {
    struct http_transport *transport = (struct http_transport *)client;
    struct transport_call *call = exchange->call;
    if (call != NULL) {
        exchange->call = NULL;
        close_call(transport, call);
        recycle_call(transport, call);
    }
}

static const struct http_client_ops client_ops = {start_exchange, abandon_exchange};

struct platform http_transport_platform(struct http_transport *transport,
                                        const struct random_source *random) {
    return (struct platform){.clock = transport->clock,
                             .loop = transport->loop,
                             .http = &transport->base,
                             .random = random};
}

/* ---- life cycle ---- */

static CURLcode global_result;

/* libcurl's buffers hold Authorization headers and answers with tokens: hence wiped_memory. */
static void init_libcurl(void) {
    global_result = curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiped_memory_free,
                                         wiped_memory_realloc, strdup, calloc);
}

static void transport_free(struct http_transport *transport) {
    struct transport_call *call;
    curl_multi_cleanup(transport->multi);
    while ((call = TAILQ_FIRST(&transport->idle)) != NULL) {
        TAILQ_REMOVE(&transport->idle, call, link);
        http_transport_call_free(call);
    }
    event_loop_free(transport->loop);
    http_transport_sockets_cleanup(&transport->sockets);
    free(transport->ca_file);
    free(transport);
}

static enum status init_multi(struct http_transport *transport, struct error *err) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_libcurl);
    if (global_result != CURLE_OK) {
        return error_set(err, STATUS_INTERNAL, "libcurl: %s", curl_easy_strerror(global_result));
    }
    CURLM *multi = transport->multi = curl_multi_init();
    if (multi == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for libcurl");
    }
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)MAX_HOST_CONNECTIONS);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)MAX_HOST_CONNECTIONS);
    http_transport_sockets_init(&transport->sockets, multi, transport->loop, transport->clock,
                                collect_finished_calls, transport);
    return STATUS_OK;
}

/* An answered owner may abandon other exchanges, so the first open call is looked up each time. */
static void end_calls(void *context) {
    struct http_transport *transport = context;
    struct transport_call *call;
    transport->is_stopping = true;
    while ((call = TAILQ_FIRST(&transport->open)) != NULL) {
        close_call(transport, call);
        answer_call(transport, call, STATUS_CANCELLED, "cancelled");
    }
}

enum status http_transport_new(struct http_transport **out, const struct clock *clock,
                               struct error *err) {
    struct http_transport *transport = calloc(1, sizeof *transport);
    if (transport == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for the HTTP transport");
    }
    enum status status = event_loop_new(&transport->loop, clock, err);
    if (status != STATUS_OK) {
        free(transport);
        return status;
    }
    transport->base = (struct http_client){.ops = &client_ops};
    transport->clock = clock;
    transport->ca_bundle = ca_bundle_find(ca_bundle_places);
    transport->end_calls = (struct loop_task){.run = end_calls, .context = transport};
    TAILQ_INIT(&transport->open);
    TAILQ_INIT(&transport->idle);
    status = init_multi(transport, err);
    if (status == STATUS_OK) {
        status = event_loop_start(transport->loop, err);
    }
    if (status != STATUS_OK) {
        transport_free(transport);
        return status;
    }
    *out = transport;
    return STATUS_OK;
}

enum status http_transport_set_ca_file(struct http_transport *transport, const char *path) {
    char *copy = strdup(path);
    if (copy == NULL) {
        return STATUS_NO_MEMORY;
    }
    free(transport->ca_file);
    transport->ca_file = copy;
    transport->ca_bundle = copy;
    return STATUS_OK;
}

void http_transport_stop(struct http_transport *transport) {
    if (!transport->was_stopped) {
        transport->was_stopped = true;
        event_loop_post(transport->loop, &transport->end_calls);
        event_loop_stop(transport->loop);
    }
}

void http_transport_free(struct http_transport *transport) {
    if (transport == NULL) {
        return;
    }
    http_transport_stop(transport);
    transport_free(transport);
}
