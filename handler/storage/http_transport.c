#include "storage/http_transport.h"

#include <assert.h>
#include <curl/curl.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/ca_bundle.h"
#include "storage/tick_timer.h"
#include "storage/wiped_memory.h"

enum {
    MAX_HEADER_BYTES = 64 * 1024,
    MAX_HOST_CONNECTIONS = 256, /* well under the usual limit of 1024 descriptors, with two hosts and our own server */
    MAX_POLL_MS = 60 * 1000,
};

/* One HTTP call. The submitting thread builds it, the I/O thread owns it from then on. */
struct call {
    struct call *previous; /* in transport->open */
    struct call *next;     /* in transport->submitted or ->open */
    CURL *easy;
    struct curl_slist *header_lines;
    struct http_call_group *group;
    http_transport_done done;
    void *context;
    const struct clock *clock;
    int64_t deadline_ms; /* nothing is sent from here on */
    struct http_reply reply;
    size_t header_bytes;
    bool headers_ended; /* the empty line behind them has come */
    bool sent;          /* libcurl has begun to send it */
    enum status status; /* why a callback of ours made libcurl give up; STATUS_OK: none did */
    const char *stopped_because;
    char detail[CURL_ERROR_SIZE];
};

struct http_transport {
    const struct clock *clock;
    const char *ca_bundle; /* NULL: this system has none */
    char *ca_file;         /* what ca_bundle is where the caller has named a file; else NULL */
    CURLM *multi;          /* of the I/O thread alone, but for curl_multi_wakeup */
    struct tick_timer timer;
    pthread_t thread;

    struct call *open;    /* of the I/O thread alone: what libcurl has in hand */
    pthread_mutex_t lock; /* guards what follows, and each group's flag */
    struct call *submitted;
    struct call **submitted_tail;
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

/* --- building a call, on the submitting thread --- */

static void call_free(struct call *call) {
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->header_lines);
    http_reply_release(&call->reply);
    free(call);
}

/* Remembers why libcurl is told to give the call up; libcurl writes its own words into `detail` afterwards. */
static void call_stop(struct call *call, enum status status, const char *why) {
    call->status = status;
    call->stopped_because = why;
}

static size_t on_body(char *data, size_t size, size_t count, void *user) {
    struct call *call = user;
    strbuf_append(&call->reply.body, data, size * count);
    enum status status = strbuf_status(&call->reply.body);
    if (status == STATUS_OK) {
        return size * count;
    }
    call_stop(call, status, "the answer's body is too long, or there is no memory for it");
    return 0;
}

static enum status add_header_line(struct http_headers *headers, const char *line, size_t length) {
    const char *colon = memchr(line, ':', length);
    if (!colon || colon == line) {
        return STATUS_OK; /* the empty line at the end, or nothing that we could look up */
    }
    const char *value = colon + 1, *end = line + length;
    while (value < end && (*value == ' ' || *value == '\t')) {
        value++;
    }
    while (end > value && strchr("\r\n \t", end[-1])) {
        end--;
    }
    char *copy = strndup(line, (size_t)(end - line));
    if (!copy) {
        return STATUS_NO_MEMORY;
    }
    copy[colon - line] = '\0';
    http_headers_add(headers, copy, copy + (value - line));
    free(copy);
    return headers->status;
}

static size_t on_header(char *data, size_t size, size_t count, void *user) {
    struct call *call = user;
    size_t length = size * count;
    call->header_bytes += length;
    if (call->header_bytes > MAX_HEADER_BYTES) {
        call_stop(call, STATUS_TOO_LARGE, "the answer's headers are too long");
        return 0;
    }
    if (length >= 5 && memcmp(data, "HTTP/", 5) == 0) { /* what came before was of an interim answer */
        http_headers_release(&call->reply.headers);
        http_headers_init(&call->reply.headers);
        call->headers_ended = false;
        return length;
    }
    call->headers_ended = call->headers_ended || data[0] == '\r' || data[0] == '\n';
    enum status status = add_header_line(&call->reply.headers, data, length);
    if (status == STATUS_OK) {
        return length;
    }
    if (status == STATUS_NO_MEMORY) {
        call_stop(call, STATUS_NO_MEMORY, "no memory for the answer's headers");
    } else {
        call_stop(call, STATUS_UNAVAILABLE, "the answer's headers cannot be understood");
    }
    return 0;
}

/*
 * libcurl asks here each time it is about to send the request. A second time is its own repeat after a kept connection
 * died without a byte of an answer (Curl_retry_request); the server may have acted on the first, and a repeated
 * transaction fails on its own success.
 */
/* NOLINTNEXTLINE(readability-non-const-parameter): the signature is libcurl's */
static int on_about_to_send(void *user, char *remote_ip, char *local_ip, int remote_port, int local_port) {
    (void)remote_ip, (void)local_ip, (void)remote_port, (void)local_port;
    struct call *call = user;
    if (call->sent) {
        call_stop(call, STATUS_UNAVAILABLE, "the connection was closed before an answer came");
        return CURL_PREREQFUNC_ABORT;
    }
    /* libcurl's own timeout does not see what passes while the machine is suspended, or before it has the call. */
    if (clock_now_ms(call->clock) >= call->deadline_ms) {
        call_stop(call, STATUS_UNAVAILABLE, "its time was over before it was sent");
        return CURL_PREREQFUNC_ABORT;
    }
    call->sent = true;
    return CURL_PREREQFUNC_OK;
}

static void keep_first(CURLcode *first, CURLcode code) {
    if (*first == CURLE_OK) {
        *first = code;
    }
}

static enum status append_line(struct curl_slist **lines, const char *line) {
    struct curl_slist *longer = curl_slist_append(*lines, line);
    if (!longer) {
        return STATUS_NO_MEMORY;
    }
    *lines = longer;
    return STATUS_OK;
}

static enum status append_header(struct curl_slist **lines, const struct http_header *header) {
    struct strbuf line;
    strbuf_init(&line, SIZE_MAX);
    /* "Name:" would tell libcurl to leave the header out; "Name;" is its way to write an empty one. */
    strbuf_appendf(&line, header->value[0] ? "%s: %s" : "%s;", header->name, header->value);
    enum status status = strbuf_status(&line);
    if (status == STATUS_OK) {
        status = append_line(lines, line.data);
    }
    strbuf_release_wipe(&line);
    return status;
}

static enum status build_header_lines(struct curl_slist **lines, const struct http_headers *headers) {
    enum status status = append_line(lines, "Expect:"); /* never wait for "100 Continue" */
    /* POSTFIELDS would bring a Content-Type of its own, which is not what was signed. */
    if (status == STATUS_OK && (!headers || !http_headers_get(headers, "Content-Type"))) {
        status = append_line(lines, "Content-Type:");
    }
    for (size_t i = 0; status == STATUS_OK && headers && i < headers->count; i++) {
        status = append_header(lines, &headers->items[i]);
    }
    return status;
}

static bool sends_body(const struct http_call *call) {
    return call->body_length > 0 || strcmp(call->method, "PUT") == 0 || strcmp(call->method, "POST") == 0 ||
           strcmp(call->method, "PATCH") == 0 || strcmp(call->method, "MERGE") == 0;
}

static CURLcode set_request(struct call *call, const struct http_call *wanted) {
    CURL *easy = call->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, wanted->url);
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L));
    if (strcmp(wanted->method, "HEAD") == 0) {
        keep_first(&code, curl_easy_setopt(easy, CURLOPT_NOBODY, 1L));
    } else if (sends_body(wanted)) {
        keep_first(&code, curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)wanted->body_length));
        keep_first(&code, curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, wanted->body_length ? wanted->body : ""));
    }
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, wanted->method));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->header_lines));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_USERAGENT, "leasehold/1.0"));
    int64_t timeout_ms = wanted->timeout_ms < INT_MAX ? wanted->timeout_ms : INT_MAX;
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms));
    return code;
}

static CURLcode set_connection(CURL *easy, const char *ca_file) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L));
    if (ca_file) {
        keep_first(&code, curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file));
    }
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_PROXY, ""));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L));
    /* Else ending a call whose name is still being looked up waits for the resolver, and every other call with it. */
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L));
    return code;
}

static CURLcode set_callbacks(struct call *call) {
    CURL *easy = call->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->detail));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_WRITEDATA, call));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_HEADERDATA, call));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_about_to_send));
    keep_first(&code, curl_easy_setopt(easy, CURLOPT_PREREQDATA, call));
    return code;
}

static enum status call_new(struct call **out, const struct http_call *wanted, const struct http_transport *transport,
                            http_transport_done done, void *context) {
    struct call *call = calloc(1, sizeof *call);
    if (!call) {
        return STATUS_NO_MEMORY;
    }
    http_reply_init(&call->reply);
    call->reply.body.max_bytes = wanted->max_response_bytes;
    call->group = wanted->group;
    call->clock = transport->clock;
    call->deadline_ms = clock_now_ms(call->clock) + wanted->timeout_ms;
    call->done = done;
    call->context = context;
    call->easy = curl_easy_init();
    enum status status = call->easy ? build_header_lines(&call->header_lines, wanted->headers) : STATUS_NO_MEMORY;
    if (status == STATUS_OK) {
        CURLcode code = set_connection(call->easy, transport->ca_bundle);
        keep_first(&code, set_request(call, wanted));
        keep_first(&code, set_callbacks(call));
        if (code != CURLE_OK) {
            status = code == CURLE_OUT_OF_MEMORY ? STATUS_NO_MEMORY : STATUS_INTERNAL;
        }
    }
    if (status != STATUS_OK) {
        call_free(call);
        return status;
    }
    *out = call;
    return STATUS_OK;
}

/* --- the I/O thread --- */

/* Answers a call that libcurl does not have (any more), and frees it. */
static void finish(struct http_transport *transport, struct call *call, enum status status, const char *detail) {
    struct error err;
    error_set(&err, STATUS_OK, "%s", "");
    if (status == STATUS_OK) {
        call->reply.received_ms = clock_now_ms(transport->clock);
    } else {
        error_set(&err, status, "%s", detail);
    }
    call->done(call->context, status, status == STATUS_OK ? &call->reply : NULL, &err);
    call_free(call);
}

static void open_add(struct http_transport *transport, struct call *call) {
    call->previous = NULL;
    call->next = transport->open;
    if (call->next) {
        call->next->previous = call;
    }
    transport->open = call;
}

static void open_remove(struct http_transport *transport, struct call *call) {
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

static void cancel(struct http_transport *transport, struct call *call) {
    open_remove(transport, call);
    finish(transport, call, STATUS_CANCELLED, "cancelled");
}

static void start(struct http_transport *transport, struct call *call) {
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
    struct call *call = transport->submitted;
    transport->submitted = NULL;
    transport->submitted_tail = &transport->submitted;
    bool stopping = transport->stopping, groups_changed = transport->groups_changed;
    transport->groups_changed = false;
    pthread_mutex_unlock(&transport->lock);

    while (call) {
        struct call *next = call->next;
        start(transport, call);
        call = next;
    }
    if (!stopping && !groups_changed) {
        return true;
    }
    /* Callbacks submit, they do not open: the list changes only where we remove. */
    for (call = transport->open; call;) {
        struct call *next = call->next;
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
static const char *explain(const struct http_transport *transport, const struct call *call, CURLcode code) {
    if (code == CURLE_PEER_FAILED_VERIFICATION && !transport->ca_bundle) {
        return "this system's CA certificates were not found, so the server's cannot be checked: install the package "
               "ca-certificates, or name a file of them in SSL_CERT_FILE";
    }
    return call->detail[0] ? call->detail : curl_easy_strerror(code);
}

/* Of a forged signature and of an old TLS, OpenSSL speaks in its own tongue alone. */
static void fail(struct http_transport *transport, struct call *call, CURLcode code) {
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
        struct call *call = NULL;
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
    struct call *queued;
    enum status status = call_new(&queued, call, transport, done, context);
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
        call_free(queued);
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
