#include "storage/http_transport.h"

#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/ca_bundle.h"
#include "storage/http_transport_call.h"
#include "storage/tick_timer.h"
#include "storage/wiped_memory.h"

enum {
    MAX_HOST_CONNECTIONS = 256, /* well under the usual limit of 1024 descriptors, with two hosts and our own server */
    MAX_POLL_MS = 60 * 1000,
};

struct http_transport {
    const struct clock *clock;
    const char *ca_bundle; /* NULL: this system has none */
    char *ca_file;         /* what ca_bundle is where the caller has named a file; else NULL */
    CURLM *multi;          /* of the I/O thread alone, but for curl_multi_wakeup */
    struct tick_timer timer;
    pthread_t thread;

    struct transport_call *open; /* of the I/O thread alone: what libcurl has in hand */
    pthread_mutex_t lock;        /* guards what follows, and each group's flag */
    struct transport_call *submitted;
    struct transport_call **submitted_tail;
    bool stopping;
    bool groups_changed; /* a group was cancelled, and its calls are still open */
};

void http_reply_init(struct http_reply *reply) {
    memset(reply, 0, sizeof *reply);
    http_headers_init(&reply->headers);
    strbuf_init(&reply->body, 0);
}

void http_reply_release(struct http_reply *reply) {
    http_headers_release(&reply->headers);
    strbuf_release_wipe(&reply->body); /* it may be a token */
    http_reply_init(reply);
}

/* --- the I/O thread --- */

/* Answers a call that libcurl does not have (any more), and frees it. */
static void finish(struct http_transport *transport, struct transport_call *call, enum status status,
                   const char *detail) {
    struct error err;
    error_set(&err, STATUS_OK, "%s", "");
    if (status == STATUS_OK) {
        call->reply.received_ms = clock_now_ms(transport->clock);
    } else {
        error_set(&err, status, "%s", detail);
    }
    call->done(call->context, status, status == STATUS_OK ? &call->reply : NULL, &err);
    http_transport_call_free(call);
}

static void open_add(struct http_transport *transport, struct transport_call *call) {
    call->previous = NULL;
    call->next = transport->open;
    if (call->next) {
        call->next->previous = call;
    }
    transport->open = call;
}

static void open_remove(struct http_transport *transport, struct transport_call *call) {
    if (call->previous) {
        call->previous->next = call->next;
    } else {
        transport->open = call->next;
    }
    if (call->next) {
        call->next->previous = call->previous;
    }
    curl_multi_remove_handle(transport->multi, call->easy);
}

static void cancel(struct http_transport *transport, struct transport_call *call) {
    open_remove(transport, call);
    finish(transport, call, STATUS_CANCELLED, "cancelled");
}

static void start(struct http_transport *transport, struct transport_call *call) {
    call->reply.sent_ms = clock_now_ms(transport->clock);
    open_add(transport, call);
    CURLMcode code = curl_multi_add_handle(transport->multi, call->easy);
    if (code == CURLM_OK) {
        return;
    }
    open_remove(transport, call);
    finish(transport, call, code == CURLM_OUT_OF_MEMORY ? STATUS_NO_MEMORY : STATUS_INTERNAL,
           curl_multi_strerror(code));
}

/* Takes over what was submitted and ends what was cancelled. False: the transport is being freed, and all is over. */
static bool take_over(struct http_transport *transport) {
    pthread_mutex_lock(&transport->lock);
    struct transport_call *call = transport->submitted;
    transport->submitted = NULL;
    transport->submitted_tail = &transport->submitted;
    bool stopping = transport->stopping, groups_changed = transport->groups_changed;
    transport->groups_changed = false;
    pthread_mutex_unlock(&transport->lock);

    while (call) {
        struct transport_call *next = call->next;
        start(transport, call);
        call = next;
    }
    if (!stopping && !groups_changed) {
        return true;
    }
    /* Callbacks submit, they do not open: the list changes only where we remove. */
    for (call = transport->open; call;) {
        struct transport_call *next = call->next;
        pthread_mutex_lock(&transport->lock);
        bool cancelled = stopping || (call->group && call->group->cancelled);
        pthread_mutex_unlock(&transport->lock);
        if (cancelled) {
            cancel(transport, call);
        }
        call = next;
    }
    return !stopping;
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
static const char *explain(const struct http_transport *transport, const struct transport_call *call, CURLcode code) {
    if (code == CURLE_PEER_FAILED_VERIFICATION && !transport->ca_bundle) {
        return "this system's CA certificates were not found, so the server's cannot be checked: install the package "
               "ca-certificates, or name a file of them in SSL_CERT_FILE";
    }
    return call->detail[0] ? call->detail : curl_easy_strerror(code);
}

/* Of a forged signature and of an old TLS, OpenSSL speaks in its own tongue alone. */
static void fail(struct http_transport *transport, struct transport_call *call, CURLcode code) {
    char text[2 * CURL_ERROR_SIZE];
    const char *hint = " (the server's certificate is not signed by whom it names, or it speaks no TLS 1.2)";
    snprintf(text, sizeof text, "%s%s", explain(transport, call, code), code == CURLE_SSL_CONNECT_ERROR ? hint : "");
    finish(transport, call, translate(code), text);
}

static void finish_done(struct http_transport *transport) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(transport->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        CURLcode code = message->data.result; /* gone with the handle's removal */
        struct transport_call *call = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        long http_status = 0;
        curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &http_status);
        call->reply.status = (int)http_status;
        open_remove(transport, call);
        if (code == CURLE_OK && !call->headers_ended) { /* libcurl takes the connection's end for theirs */
            finish(transport, call, STATUS_UNAVAILABLE, "the answer was cut short in its headers");
        } else if (code == CURLE_OK) {
            finish(transport, call, STATUS_OK, "");
        } else if (call->status != STATUS_OK) {
            finish(transport, call, call->status, call->stopped_because);
        } else {
            fail(transport, call, code);
        }
    }
}

static void *io_main(void *user) {
    struct http_transport *transport = user;
    struct curl_waitfd timer = {.fd = transport->timer.fd, .events = CURL_WAIT_POLLIN};
    while (take_over(transport)) {
        int running;
        curl_multi_perform(transport->multi, &running);
        finish_done(transport);
        tick_timer_run(&transport->timer);
        curl_multi_poll(transport->multi, &timer, 1, MAX_POLL_MS, NULL);
    }
    return NULL;
}

/* --- life cycle --- */

static CURLcode global_result;

/* Its buffers hold requests with their Authorization, and answers with tokens. */
static void init_libcurl(void) {
    global_result =
        curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiped_memory_free, wiped_memory_realloc, strdup, calloc);
}

static void release(struct http_transport *transport) {
    curl_multi_cleanup(transport->multi);
    tick_timer_release(&transport->timer);
    pthread_mutex_destroy(&transport->lock);
    free(transport->ca_file);
    free(transport);
}

static enum status start_thread(struct http_transport *transport, struct error *err) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_libcurl);
    if (global_result != CURLE_OK) {
        return error_set(err, STATUS_INTERNAL, "libcurl: %s", curl_easy_strerror(global_result));
    }
    transport->multi = curl_multi_init();
    if (!transport->multi) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for libcurl");
    }
    curl_multi_setopt(transport->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)MAX_HOST_CONNECTIONS);
    curl_multi_setopt(transport->multi, CURLMOPT_MAXCONNECTS, (long)MAX_HOST_CONNECTIONS);
    int failure = pthread_create(&transport->thread, NULL, io_main, transport);
    if (failure) {
        return error_set(err, STATUS_INTERNAL, "starting the I/O thread: %s", strerror(failure));
    }
    return STATUS_OK;
}

enum status http_transport_new(struct http_transport **out, const struct clock *clock, struct error *err) {
    struct http_transport *transport = calloc(1, sizeof *transport);
    if (!transport) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for the HTTP transport");
    }
    enum status status = tick_timer_init(&transport->timer, clock, err);
    if (status != STATUS_OK) {
        free(transport);
        return status;
    }
    transport->clock = clock;
    transport->ca_bundle = ca_bundle_find(ca_bundle_places);
    transport->submitted_tail = &transport->submitted;
    pthread_mutex_init(&transport->lock, NULL);
    status = start_thread(transport, err);
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

void http_transport_free(struct http_transport *transport) {
    if (!transport) {
        return;
    }
    assert(!pthread_equal(pthread_self(), transport->thread));
    pthread_mutex_lock(&transport->lock);
    transport->stopping = true;
    pthread_mutex_unlock(&transport->lock);
    curl_multi_wakeup(transport->multi);
    pthread_join(transport->thread, NULL);
    release(transport);
}

/* --- what other threads call --- */

enum status http_transport_submit(struct http_transport *transport, const struct http_call *call,
                                  http_transport_done done, void *context) {
    assert(call->timeout_ms > 0); /* 0 is "for ever" to libcurl */
    struct transport_call *queued;
    enum status status = http_transport_call_new(&queued, call, transport->clock, transport->ca_bundle, done, context);
    if (status != STATUS_OK) {
        return status;
    }
    pthread_mutex_lock(&transport->lock);
    bool refused = transport->stopping || (queued->group && queued->group->cancelled);
    if (!refused) {
        *transport->submitted_tail = queued;
        transport->submitted_tail = &queued->next;
    }
    pthread_mutex_unlock(&transport->lock);
    if (refused) {
        http_transport_call_free(queued);
        return STATUS_CANCELLED;
    }
    curl_multi_wakeup(transport->multi);
    return STATUS_OK;
}

struct waiter {
    sem_t answered;
    enum status status;
    struct http_reply *out;
    struct error *err;
};

static void end_wait(void *context, enum status status, struct http_reply *reply, const struct error *err) {
    struct waiter *waiter = context;
    waiter->status = status;
    if (status == STATUS_OK) {
        *waiter->out = *reply;
        http_reply_init(reply);
    } else if (waiter->err) {
        *waiter->err = *err;
    }
    sem_post(&waiter->answered);
}

enum status http_transport_send(struct http_transport *transport, const struct http_call *call, struct http_reply *out,
                                struct error *err) {
    assert(!pthread_equal(pthread_self(), transport->thread));
    struct waiter waiter = {.out = out, .err = err};
    sem_init(&waiter.answered, 0, 0);
    enum status status = http_transport_submit(transport, call, end_wait, &waiter);
    if (status == STATUS_OK) {
        while (sem_wait(&waiter.answered) != 0) { /* interrupted by a signal */
        }
        status = waiter.status;
    } else {
        error_set(err, status, "%s", status_text(status));
    }
    sem_destroy(&waiter.answered);
    return status;
}

void http_transport_cancel(struct http_transport *transport, struct http_call_group *group) {
    pthread_mutex_lock(&transport->lock);
    group->cancelled = true;
    transport->groups_changed = true;
    pthread_mutex_unlock(&transport->lock);
    curl_multi_wakeup(transport->multi);
}

void http_transport_set_tick(struct http_transport *transport, tick_function tick, void *context) {
    assert(!pthread_equal(pthread_self(), transport->thread));
    tick_timer_set(&transport->timer, tick, context);
}

void http_transport_wake_at(struct http_transport *transport, int64_t due_ms) {
    tick_timer_wake_at(&transport->timer, due_ms);
    curl_multi_wakeup(transport->multi); /* even if nothing is earlier now: a clock in a test may have been moved on */
}
