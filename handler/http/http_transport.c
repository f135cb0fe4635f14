#include "http/http_transport.h"

#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/ca_bundle.h"
#include "http/event_loop.h"
#include "http/http_transport_call.h"
#include "http/http_transport_sockets.h"
#include "http/wiped_memory.h"

enum {
    MAX_HOST_CONNECTIONS =
        256, /* well under the usual limit of 1024 descriptors, with two hosts and our own server */
    MAX_IDLE_CALLS = 128,
};

TAILQ_HEAD(transport_calls, transport_call);

struct http_transport {
    struct http_client base; /* first */
    const struct clock *clock;
    const char *ca_bundle; /* NULL: this system has none */
    char *ca_file;         /* what ca_bundle is where the caller has named a file; else NULL */
    struct event_loop *loop;

    /* Of the loop's thread. */
    CURLM *multi;
    struct transport_sockets sockets;
    struct transport_calls open; /* what libcurl has in hand */
    struct transport_calls idle; /* answered, and ready for the next request */
    int idle_count;
    bool is_stopping; /* no call is started any more */

    /* Of the owner's thread. */
    struct loop_task end_calls;
    bool was_stopped;
};

int64_t http_transport_now_ms(const struct http_transport *transport) {
    return clock_now_ms(transport->clock);
}

/* --- calls that are not in use --- */

static void recycle(struct http_transport *transport, struct transport_call *call) {
    http_transport_call_empty(call);
    if (transport->idle_count == MAX_IDLE_CALLS) {
        http_transport_call_free(call);
        return;
    }
    TAILQ_INSERT_HEAD(&transport->idle, call,
                      link); /* the newest first: its memory is still in the caches */
    transport->idle_count++;
}

static enum status take_call(struct http_transport *transport, struct transport_call **out) {
    struct transport_call *call = TAILQ_FIRST(&transport->idle);
    if (call == NULL) {
        return http_transport_call_new(out, transport, transport->ca_bundle);
    }
    TAILQ_REMOVE(&transport->idle, call, link);
    transport->idle_count--;
    *out = call;
    return STATUS_OK;
}

/* --- answers --- */

/* Answers a call that libcurl does not have (any more). */
static void finish(struct http_transport *transport, struct transport_call *call,
                   enum status status, const char *detail) {
    struct error err;
    error_set(&err, STATUS_OK, "%s", "");
    if (status == STATUS_OK) {
        call->reply.received_ms = clock_now_ms(transport->clock);
    } else {
        error_set(&err, status, "%s", detail);
    }
    struct http_exchange *exchange = call->exchange;
    exchange->call = NULL; /* its owner may start it again, or free it */
    exchange->done(exchange->context, status, status == STATUS_OK ? &call->reply : NULL, &err);
    recycle(transport, call);
}

static void close_call(struct http_transport *transport, struct transport_call *call) {
    TAILQ_REMOVE(&transport->open, call, link);
    event_loop_stop_timer(transport->loop, &call->timeout);
    curl_multi_remove_handle(transport->multi, call->easy);
}

static enum status translate(CURLcode code) {
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

/* What people should read about a call that libcurl gave up. */
static const char *explain(const struct http_transport *transport,
                           const struct transport_call *call, CURLcode code) {
    if (code == CURLE_PEER_FAILED_VERIFICATION && !transport->ca_bundle) {
        return "this system's CA certificates were not found, so the server's cannot be checked: "
               "install the package "
               "ca-certificates, or name a file of them in SSL_CERT_FILE";
    }
    return call->detail[0] ? call->detail : curl_easy_strerror(code);
}

/* For a forged signature and for an old TLS, OpenSSL's own message means nothing to most people. */
static void fail(struct http_transport *transport, struct transport_call *call, CURLcode code) {
    char text[2 * CURL_ERROR_SIZE];
    const char *hint =
        " (the server's certificate is not signed by whom it names, or it speaks no TLS 1.2)";
    snprintf(text, sizeof text, "%s%s", explain(transport, call, code),
             code == CURLE_SSL_CONNECT_ERROR ? hint : "");
    finish(transport, call, translate(code), text);
}

static void on_call_done(struct http_transport *transport, struct transport_call *call,
                         CURLcode code) {
    long http_status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &http_status);
    call->reply.status = (int)http_status;
    close_call(transport, call);
    if (code == CURLE_OK &&
        !call->headers_ended) { /* libcurl takes the connection's end for theirs */
        finish(transport, call, STATUS_UNAVAILABLE, "the answer was cut short in its headers");
    } else if (code == CURLE_OK) {
        finish(transport, call, STATUS_OK, "");
    } else if (call->status != STATUS_OK) {
        finish(transport, call, call->status, call->stopped_because);
    } else {
        fail(transport, call, code);
    }
}

static void finish_done(void *context) {
    struct http_transport *transport = context;
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(transport->multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            struct transport_call *call = NULL;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
            on_call_done(transport, call,
                         message->data.result); /* the message is gone afterwards */
        }
    }
}

static void on_timeout(void *context) {
    struct transport_call *call = context;
    struct http_transport *transport = call->transport;
    close_call(transport, call);
    finish(transport, call, STATUS_UNAVAILABLE,
           call->sent ? "timed out before the whole answer was here"
                      : "timed out before there was a connection");
}

/* --- libcurl's sockets --- */

int http_transport_open_socket(struct http_transport *transport, int family, int type,
                               int protocol) {
    return http_transport_sockets_open(&transport->sockets, family, type, protocol);
}

int http_transport_close_socket(struct http_transport *transport, int fd) {
    return http_transport_sockets_close(&transport->sockets, fd);
}

/* --- starting --- */

/*
 * Why libcurl did not take a call. After a socket could not be watched it aborts all calls that are open, and takes no
 * other until they have ended.
 */
static enum status status_of(CURLMcode code) {
    if (code == CURLM_ABORTED_BY_CALLBACK) {
        return STATUS_UNAVAILABLE;
    }
    return code == CURLM_OUT_OF_MEMORY ? STATUS_NO_MEMORY : STATUS_INTERNAL;
}

/* Hands a call to libcurl. STATUS_NO_MEMORY, STATUS_UNAVAILABLE, STATUS_INTERNAL: it was not taken. */
static enum status open_call(struct http_transport *transport, struct transport_call *call) {
    call->timeout = (struct loop_timer){.fired = on_timeout, .context = call};
    call->reply.sent_ms = clock_now_ms(transport->clock);
    CURLMcode code = curl_multi_add_handle(transport->multi, call->easy);
    if (code != CURLM_OK) {
        return status_of(code);
    }
    TAILQ_INSERT_TAIL(&transport->open, call, link);
    event_loop_set_timer(transport->loop, &call->timeout, call->deadline_ms);
    return STATUS_OK;
}

/* --- the interface to the network, on the loop's thread --- */

static enum status start_exchange(struct http_client *client, const struct http_call *wanted,
                                  struct http_exchange *exchange) {
    struct http_transport *transport = (struct http_transport *)client;
    struct transport_call *call;
    assert(wanted->timeout_ms > 0 && exchange->call == NULL);
    enum status status = transport->is_stopping ? STATUS_CANCELLED : take_call(transport, &call);
    if (status != STATUS_OK) {
        return status;
    }
    call->exchange = exchange;
    status = http_transport_call_fill(call, wanted);
    if (status == STATUS_OK) {
        status = open_call(transport, call);
    }
    if (status != STATUS_OK) {
        recycle(transport, call);
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
        recycle(transport, call);
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

/* --- life cycle --- */

static CURLcode global_result;

/* Its buffers hold requests with their Authorization, and answers with tokens. */
static void init_libcurl(void) {
    global_result = curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiped_memory_free,
                                         wiped_memory_realloc, strdup, calloc);
}

static void release(struct http_transport *transport) {
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
    if (!multi) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for libcurl");
    }
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)MAX_HOST_CONNECTIONS);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)MAX_HOST_CONNECTIONS);
    http_transport_sockets_init(&transport->sockets, multi, transport->loop, transport->clock,
                                finish_done, transport);
    return STATUS_OK;
}

/* Who is told of one may abandon another, so each is looked for anew. */
static void end_calls(void *context) {
    struct http_transport *transport = context;
    struct transport_call *call;
    transport->is_stopping = true;
    while ((call = TAILQ_FIRST(&transport->open)) != NULL) {
        close_call(transport, call);
        finish(transport, call, STATUS_CANCELLED, "cancelled");
    }
}

enum status http_transport_new(struct http_transport **out, const struct clock *clock,
                               struct error *err) {
    struct http_transport *transport = calloc(1, sizeof *transport);
    if (!transport) {
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
        release(transport);
        return status;
    }
    *out = transport;
    return STATUS_OK;
}

enum status http_transport_set_ca_file(struct http_transport *transport, const char *path) {
    char *copy = strdup(path);
    if (!copy) {
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
    if (!transport) {
        return;
    }
    http_transport_stop(transport);
    release(transport);
}
