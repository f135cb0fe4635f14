#include "http/http_transport.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/calls/http_send.h"
#include "support/fakes/clock_fake.h"
#include "support/fakes/http_fake.h"
#include "support/fakes/tls_server.h"
#include "support/processes/certificates.h"
#include "support/processes/check_main.h"
#include "support/processes/descriptors.h"
#include "support/proxies/fault_proxy.h"

enum { TIMEOUT_MS = 90000, MAX_BYTES = 1024 * 1024 };

static struct http_fake *fake;
static struct http_transport *transport;
static struct http_reply reply;
static struct error err;
static char url[256];

static void set_up(void) {
    fake = http_fake_new();
    ck_assert_int_eq(http_transport_new(&transport, clock_system(), &err), STATUS_OK);
    http_reply_init(&reply);
}

static void tear_down(void) {
    http_transport_free(transport);
    http_fake_free(fake);
    http_reply_cleanup(&reply);
}

static struct http_call call_to(const char *method, const char *path) {
    snprintf(url, sizeof url, "%s%s", http_fake_url(fake), path);
    return (struct http_call){
        .method = method, .url = url, .timeout_ms = TIMEOUT_MS, .max_response_bytes = MAX_BYTES};
}

static enum status send_call(const struct http_call *call) {
    http_reply_cleanup(&reply);
    return http_send(transport, call, &reply, &err);
}

static enum status get(const char *path) {
    struct http_call call = call_to("GET", path);
    return send_call(&call);
}

static const char *sent_header(size_t index, const char *name) {
    return http_headers_get(&http_fake_request(fake, index)->headers, name);
}

/* ---- what is sent, what comes back ---- */

START_TEST(an_answer_brings_its_status_headers_and_body) {
    http_fake_push(fake, &(struct http_fake_answer){
                             .status = 404, .headers = "X-One: 1 \r\nEmpty:\r\n", .body = "gone"});
    ck_assert_int_eq(get("/a?b=c"), STATUS_OK);
    ck_assert_int_eq(reply.status, 404);
    ck_assert_str_eq(http_headers_get(&reply.headers, "x-one"), "1");
    ck_assert_str_eq(http_headers_get(&reply.headers, "Empty"), "");
    ck_assert_str_eq(reply.body.data, "gone");
    ck_assert_str_eq(http_fake_request(fake, 0)->target, "/a?b=c");
}
END_TEST

/*
 * Except the sockets that libcurl wakes itself with. token_source_cli.c closes them in its child.
 */
START_TEST(no_connection_is_inherited_by_a_child) {
    struct descriptors before;
    struct http_transport *second = NULL;
    struct http_call call = call_to("GET", "/");
    descriptors_list(&before);
    ck_assert_int_eq(http_transport_new(&second, clock_system(), &err), STATUS_OK);
    int without_connection = descriptors_inherited_since(&before, NULL);
    http_fake_push(fake, &(struct http_fake_answer){.status = 200});
    ck_assert_int_eq(http_send(second, &call, &reply, &err), STATUS_OK);
    ck_assert_int_le(without_connection, 2);
    ck_assert_int_eq(descriptors_inherited_since(&before, NULL), without_connection);
    http_transport_free(second);
}
END_TEST

START_TEST(a_put_without_a_body_has_length_zero_and_no_header_of_libcurls_own_making) {
    struct http_call call = call_to("PUT", "/lease");
    ck_assert_int_eq(send_call(&call), STATUS_OK);
    ck_assert_str_eq(http_fake_request(fake, 0)->method, "PUT");
    ck_assert_str_eq(sent_header(0, "Content-Length"), "0");
    ck_assert_str_eq(sent_header(0, "User-Agent"), "leasehold/1.0");
    ck_assert_ptr_null(sent_header(0, "Content-Type"));
    ck_assert_ptr_null(sent_header(0, "Expect"));
}
END_TEST

START_TEST(a_get_has_no_content_length) {
    ck_assert_int_eq(get("/"), STATUS_OK);
    ck_assert_ptr_null(sent_header(0, "Content-Length"));
}
END_TEST

/* With _i 1 over a kept connection, which the loop has watched only for reading. */
START_TEST(a_body_arrives_whole_with_its_headers) {
    enum {
        BYTES = 3 * 1024 * 1024
    }; /* needs several writes; by default libcurl would send Expect for so much */
    size_t index = (size_t)_i;
    if (index > 0) {
        ck_assert_int_eq(get("/"), STATUS_OK);
    }
    char *body = malloc(BYTES);
    for (size_t i = 0; i < BYTES; i++) {
        body[i] = (char)(i % 251);
    }
    struct http_headers headers;
    http_headers_init(&headers);
    http_headers_add(&headers, "Content-Type", "application/json");
    http_headers_add(&headers, "X-Empty", "");
    struct http_call call = call_to("POST", "/tables");
    call.headers = &headers;
    call.body = body;
    call.body_length = BYTES;
    ck_assert_int_eq(send_call(&call), STATUS_OK);
    const struct http_fake_request *request = http_fake_request(fake, index);
    ck_assert_int_eq(request->connection, 1);
    ck_assert_str_eq(request->method, "POST");
    ck_assert_uint_eq(request->body_length, BYTES);
    ck_assert_int_eq(memcmp(request->body, body, BYTES), 0);
    ck_assert_str_eq(sent_header(index, "Content-Type"), "application/json");
    ck_assert_str_eq(sent_header(index, "X-Empty"), "");
    ck_assert_ptr_null(sent_header(index, "Expect"));
    http_headers_cleanup(&headers);
    free(body);
}
END_TEST

START_TEST(a_head_request_does_not_wait_for_the_body_that_is_announced) {
    http_fake_push(fake, &(struct http_fake_answer){.body = "never sent"});
    struct http_call call = call_to("HEAD", "/blob");
    ck_assert_int_eq(send_call(&call), STATUS_OK);
    ck_assert_str_eq(http_fake_request(fake, 0)->method, "HEAD");
    ck_assert_uint_eq(reply.body.length, 0);
}
END_TEST

START_TEST(the_path_is_sent_as_it_is) {
    ck_assert_int_eq(get("/a/../b/./c%2F%27'()"), STATUS_OK);
    ck_assert_str_eq(http_fake_request(fake, 0)->target, "/a/../b/./c%2F%27'()");
}
END_TEST

START_TEST(headers_of_an_interim_answer_are_not_kept) {
    http_fake_push(fake, &(struct http_fake_answer){
                             .interim = "HTTP/1.1 100 Continue\r\nX-Which: interim\r\n\r\n",
                             .headers = "X-Final: yes\r\n"});
    ck_assert_int_eq(get("/"), STATUS_OK);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_ptr_null(http_headers_get(&reply.headers, "X-Which"));
    ck_assert_str_eq(http_headers_get(&reply.headers, "X-Final"), "yes");
}
END_TEST

START_TEST(a_redirect_is_an_answer) {
    http_fake_push(
        fake, &(struct http_fake_answer){.status = 302, .headers = "Location: /elsewhere\r\n"});
    ck_assert_int_eq(get("/"), STATUS_OK);
    ck_assert_int_eq(reply.status, 302);
    ck_assert_uint_eq(http_fake_count(fake), 1);
}
END_TEST

START_TEST(a_proxy_in_the_environment_is_not_used) {
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    ck_assert_int_eq(get("/"), STATUS_OK);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
}
END_TEST

START_TEST(times_are_of_the_clock_that_was_given) {
    static struct clock_fake clock; /* outlives the transport */
    clock_fake_init(&clock, 5000, 0);
    http_transport_free(transport);
    ck_assert_int_eq(http_transport_new(&transport, &clock.base, &err), STATUS_OK);
    ck_assert_int_eq(get("/"), STATUS_OK);
    ck_assert_int_eq(reply.sent_ms, 5000);
    ck_assert_int_eq(reply.received_ms, 5000);
}
END_TEST

/* ---- what goes wrong ---- */

START_TEST(an_answer_of_the_limit_is_taken_and_one_byte_more_is_not) {
    http_fake_push(fake, &(struct http_fake_answer){.body = "12345678"});
    http_fake_push(fake, &(struct http_fake_answer){.body = "123456789"});
    struct http_call call = call_to("GET", "/");
    call.max_response_bytes = 8;
    ck_assert_int_eq(send_call(&call), STATUS_OK);
    ck_assert_int_eq(send_call(&call), STATUS_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(err.message, "the answer's body is too long"));
    ck_assert_uint_eq(reply.body.length, 0);
}
END_TEST

START_TEST(headers_without_end_are_refused) {
    struct strbuf headers;
    strbuf_init(&headers, SIZE_MAX);
    for (int i = 0; i < 70; i++) {
        strbuf_appendf(&headers, "X-%d: %01000d\r\n", i, i);
    }
    http_fake_push(fake, &(struct http_fake_answer){.headers = headers.data});
    ck_assert_int_eq(get("/"), STATUS_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(err.message, "the answer's headers are too long"));
    strbuf_cleanup(&headers);
}
END_TEST

START_TEST(a_header_that_could_pass_for_two_is_refused) {
    http_fake_push(fake, &(struct http_fake_answer){.headers = "X-One: 1\rX-Two: 2\r\n"});
    ck_assert_int_eq(get("/"), STATUS_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.message, "the answer's headers cannot be understood"));
}
END_TEST

START_TEST(nobody_there_is_unavailable) {
    struct http_call call = call_to("GET", "/");
    http_fake_free(fake);
    ck_assert_int_eq(send_call(&call), STATUS_UNAVAILABLE);
    ck_assert_int_eq(err.status, STATUS_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.message, "127.0.0.1"));
    fake = http_fake_new();
}
END_TEST

/*
 * On the loop's thread: starts a call that times out before it can be sent, and one that does not.
 */
struct late {
    struct clock_fake clock;
    struct http_transport *transport;
    struct http_exchange exchanges[2];
    enum status statuses[2];
};

static sem_t late_answered;

static void note_status(void *context, enum status status, struct http_reply *late_reply,
                        const struct error *late) {
    (void)late_reply, (void)late;
    *(enum status *)context = status;
    sem_post(&late_answered);
}

static void start_and_be_late(void *context) {
    struct late *late = context;
    for (int i = 0; i < 2; i++) {
        struct http_call call = call_to("GET", i == 0 ? "/late" : "/in-time");
        call.timeout_ms = TIMEOUT_MS + i;
        late->exchanges[i] =
            (struct http_exchange){.done = note_status, .context = &late->statuses[i]};
        ck_assert_int_eq(http_client_start(http_transport_platform(late->transport, NULL).http,
                                           &call, &late->exchanges[i]),
                         STATUS_OK);
    }
    clock_fake_advance(&late->clock, TIMEOUT_MS);
}

START_TEST(a_call_whose_time_is_over_before_it_is_sent_is_not_sent) {
    struct late late;
    sem_init(&late_answered, 0, 0);
    clock_fake_init(&late.clock, 5000, 0);
    ck_assert_int_eq(http_transport_new(&late.transport, &late.clock.base, &err), STATUS_OK);
    struct loop_task task = {.run = start_and_be_late, .context = &late};
    event_loop_post(http_transport_platform(late.transport, NULL).loop, &task);
    sem_wait(&late_answered), sem_wait(&late_answered);
    http_transport_free(late.transport);
    ck_assert_int_eq(late.statuses[0], STATUS_UNAVAILABLE);
    ck_assert_int_eq(late.statuses[1], STATUS_OK);
    ck_assert_uint_eq(http_fake_count(fake), 1);
    ck_assert_str_eq(http_fake_request(fake, 0)->target, "/in-time");
    sem_destroy(&late_answered);
}
END_TEST

START_TEST(an_answer_that_does_not_come_in_time_is_unavailable) {
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG});
    struct http_call call = call_to("GET", "/");
    call.timeout_ms = 50;
    int64_t before_ms = clock_now_ms(clock_system());
    ck_assert_int_eq(send_call(&call), STATUS_UNAVAILABLE);
    int64_t took_ms = clock_now_ms(clock_system()) - before_ms;
    ck_assert_int_ge(took_ms, 50);
    ck_assert_int_lt(took_ms, 20000);
}
END_TEST

START_TEST(an_answer_cut_short_is_unavailable) {
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CUT,
                                                    .body = "only half of this comes"});
    ck_assert_int_eq(get("/"), STATUS_UNAVAILABLE);
}
END_TEST

/* libcurl takes the end of the connection for the end of the headers of an answer without body. */
START_TEST(an_answer_cut_short_in_its_headers_is_unavailable) {
    static const char *const headers[] = {"", "ETag: \"1\"\r\n",
                                          "ETag: \"1\"\r\nServer: some\r\nDate: today\r\n"};
    struct fault_proxy *proxy =
        fault_proxy_new((int)strtol(strrchr(http_fake_url(fake), ':') + 1, NULL, 10), 1);
    struct http_call call = call_to("GET", "/");
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", fault_proxy_port(proxy));
    fault_proxy_add(proxy, &(struct fault_rule){.times = 1, .kind = FAULT_TRUNCATE});
    http_fake_push(fake, &(struct http_fake_answer){.headers = headers[_i]});
    http_fake_push(fake, &(struct http_fake_answer){.headers = headers[_i]});
    ck_assert_int_eq(send_call(&call), STATUS_UNAVAILABLE);
    ck_assert_int_eq(send_call(&call), STATUS_OK);
    fault_proxy_free(proxy);
}
END_TEST

START_TEST(an_address_of_another_protocol_is_internal) {
    struct http_call call = call_to("GET", "/");
    call.url = "file:///etc/passwd";
    ck_assert_int_eq(send_call(&call), STATUS_INTERNAL);
}
END_TEST

START_TEST(no_message_repeats_the_query) {
    struct http_call call = call_to("GET", "/x?sig=SECRET");
    http_fake_free(fake);
    ck_assert_int_eq(send_call(&call), STATUS_UNAVAILABLE);
    ck_assert_ptr_null(strstr(err.message, "SECRET"));
    call.url = "http://127.0.0.1:99999/x?sig=SECRET";
    ck_assert_int_eq(send_call(&call), STATUS_INTERNAL);
    ck_assert_ptr_null(strstr(err.message, "SECRET"));
    call.url = "http://";
    ck_assert_int_eq(send_call(&call), STATUS_INTERNAL);
    fake = http_fake_new();
}
END_TEST

/* ---- connections ---- */

START_TEST(a_connection_is_used_again) {
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(get("/"), STATUS_OK);
    }
    ck_assert_int_eq(http_fake_request(fake, 2)->connection, 1);
}
END_TEST

START_TEST(a_request_on_a_kept_connection_that_dies_is_not_sent_again) {
    http_fake_push(fake, &(struct http_fake_answer){.status = 200});
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_CLOSE});
    struct http_call call = call_to("POST", "/$batch");
    call.body = "body";
    call.body_length = 4;
    ck_assert_int_eq(send_call(&call), STATUS_OK);
    ck_assert_int_eq(send_call(&call), STATUS_UNAVAILABLE);
    ck_assert_str_eq(err.message, "the connection was closed before an answer came");
    ck_assert_uint_eq(http_fake_count(fake), 2);
    ck_assert_int_eq(http_fake_request(fake, 1)->connection, 1); /* it was the kept one */
    ck_assert_int_eq(send_call(&call), STATUS_OK);
}
END_TEST

START_TEST(a_connection_that_was_closed_while_idle_does_no_harm) {
    http_fake_push(fake, &(struct http_fake_answer){.status = 200, .close_after = true});
    ck_assert_int_eq(get("/"), STATUS_OK);
    /*
     * The connection may end a moment after the answer: during the second request, not the third.
     */
    if (get("/") != STATUS_OK) {
        ck_assert_int_eq(get("/"), STATUS_OK);
    }
}
END_TEST

/* ---- many at once ---- */

struct tally {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int answered[STATUS_INTERNAL + 1];
    int all;
    bool closed; /* a callback after this is an error */
};

static struct tally tally;

static void tally_init(void) {
    memset(&tally, 0, sizeof tally);
    pthread_mutex_init(&tally.lock, NULL);
    pthread_cond_init(&tally.changed, NULL);
}

static void count_answer(void *context, enum status status, struct http_reply *got,
                         const struct error *failure) {
    struct tally *counts = context;
    pthread_mutex_lock(&counts->lock);
    if (counts->closed || (got == NULL) == (status == STATUS_OK) || failure->status != status) {
        abort();
    }
    counts->answered[status]++;
    counts->all++;
    pthread_cond_broadcast(&counts->changed);
    pthread_mutex_unlock(&counts->lock);
}

static void tally_wait(int all) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 100;
    pthread_mutex_lock(&tally.lock);
    while (tally.all < all) {
        ck_assert_int_eq(pthread_cond_timedwait(&tally.changed, &tally.lock, &until), 0);
    }
    pthread_mutex_unlock(&tally.lock);
}

START_TEST(three_hundred_calls_at_once_are_answered_over_256_connections_at_most) {
    tally_init();
    for (int i = 0; i < 256; i++) {
        http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG});
    }
    struct http_call call = call_to("PUT", "/many");
    for (int i = 0; i < 300; i++) {
        http_submit(transport, &call, count_answer, &tally);
    }
    http_fake_wait(fake, 256);
    http_fake_let_go(fake);
    tally_wait(300);
    ck_assert_int_eq(tally.answered[STATUS_OK], 300);
    for (size_t i = 0; i < 300; i++) {
        ck_assert_int_le(http_fake_request(fake, i)->connection, 256);
    }
}
END_TEST

static pthread_barrier_t barrier;

static void *send_fifty(void *user) {
    (void)user;
    struct http_call call = {
        .method = "GET", .url = url, .timeout_ms = TIMEOUT_MS, .max_response_bytes = MAX_BYTES};
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 50; i++) {
        struct http_reply mine;
        http_reply_init(&mine);
        enum status status = http_send(transport, &call, &mine, NULL);
        if (status != STATUS_OK || mine.status != 200) {
            abort();
        }
        http_reply_cleanup(&mine);
        http_submit(transport, &call, count_answer, &tally);
    }
    return NULL;
}

START_TEST(threads_send_and_submit_at_the_same_time) {
    enum { THREADS = 8, ANSWERS = 400 }; /* 50 of each */
    pthread_t threads[THREADS];
    tally_init();
    (void)call_to("GET", "/"); /* sets url */
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, send_fifty, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    tally_wait(ANSWERS);
    ck_assert_int_eq(tally.answered[STATUS_OK], ANSWERS);
    pthread_barrier_destroy(&barrier);
}
END_TEST

struct chain {
    struct loop_task start;
    struct http_exchange exchange;
    int left;
    sem_t over;
};

static void start_next(void *context) {
    struct chain *chain = context;
    struct http_call call = {
        .method = "GET", .url = url, .timeout_ms = TIMEOUT_MS, .max_response_bytes = MAX_BYTES};
    if (http_client_start(http_transport_platform(transport, NULL).http, &call, &chain->exchange) !=
        STATUS_OK) {
        abort();
    }
}

static void end_link(void *context, enum status status, struct http_reply *got,
                     const struct error *failure) {
    (void)got, (void)failure;
    struct chain *chain = context;
    if (status != STATUS_OK || --chain->left == 0) {
        sem_post(&chain->over);
    } else {
        start_next(chain);
    }
}

START_TEST(an_exchange_may_be_started_again_by_its_own_answer) {
    struct chain chain = {.left = 10};
    sem_init(&chain.over, 0, 0);
    (void)call_to("GET", "/"); /* sets url */
    chain.start = (struct loop_task){.run = start_next, .context = &chain};
    chain.exchange = (struct http_exchange){.done = end_link, .context = &chain};
    event_loop_post(http_transport_platform(transport, NULL).loop, &chain.start);
    sem_wait(&chain.over);
    ck_assert_int_eq(chain.left, 0);
    ck_assert_uint_eq(http_fake_count(fake), 10);
    sem_destroy(&chain.over);
}
END_TEST

/* ---- abandoning and ending ---- */

enum { HANGING = 6, ABANDONED = 2 };

/* On the loop's thread: starts calls that hang; ends some of them. */
struct hanging {
    struct loop_task start, abandon;
    struct http_exchange exchanges[HANGING];
};

static void start_hanging(void *context) {
    struct hanging *hanging = context;
    struct http_call call = {
        .method = "PUT", .url = url, .timeout_ms = TIMEOUT_MS, .max_response_bytes = MAX_BYTES};
    for (int i = 0; i < HANGING; i++) {
        hanging->exchanges[i] = (struct http_exchange){.done = count_answer, .context = &tally};
        ck_assert_int_eq(http_client_start(http_transport_platform(transport, NULL).http, &call,
                                           &hanging->exchanges[i]),
                         STATUS_OK);
    }
}

static void abandon_some(void *context) {
    struct hanging *hanging = context;
    for (int i = 0; i < ABANDONED; i++) {
        http_client_abandon(http_transport_platform(transport, NULL).http, &hanging->exchanges[i]);
        http_client_abandon(http_transport_platform(transport, NULL).http, &hanging->exchanges[i]);
        ck_assert_ptr_null(hanging->exchanges[i].call);
    }
    http_fake_let_go(fake);
}

START_TEST(an_abandoned_exchange_is_not_answered_and_all_others_are) {
    struct hanging hanging;
    tally_init();
    (void)call_to("PUT", "/"); /* sets url */
    for (int i = 0; i < HANGING; i++) {
        http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG});
    }
    hanging.start = (struct loop_task){.run = start_hanging, .context = &hanging};
    hanging.abandon = (struct loop_task){.run = abandon_some, .context = &hanging};
    event_loop_post(http_transport_platform(transport, NULL).loop, &hanging.start);
    http_fake_wait(fake, HANGING);
    event_loop_post(http_transport_platform(transport, NULL).loop, &hanging.abandon);
    tally_wait(HANGING - ABANDONED);
    http_transport_free(transport);
    transport = NULL;
    ck_assert_int_eq(tally.all, HANGING - ABANDONED);
    ck_assert_int_eq(tally.answered[STATUS_OK], HANGING - ABANDONED);
}
END_TEST

START_TEST(freeing_answers_every_open_call_once) {
    tally_init();
    struct http_call call = call_to("GET", "/");
    for (int i = 0; i < 20; i++) {
        http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG});
    }
    for (int i = 0; i < 20; i++) {
        http_submit(transport, &call, count_answer, &tally);
    }
    http_fake_wait(fake, 10);
    for (int i = 0; i < 20; i++) { /* most of them have hardly begun */
        http_submit(transport, &call, count_answer, &tally);
    }
    http_transport_free(transport);
    tally.closed = true;
    ck_assert_int_eq(tally.all, 40);
    ck_assert_int_ge(tally.answered[STATUS_CANCELLED], 20);
    transport = NULL;
}
END_TEST

struct refused {
    enum status on_start;
    int answers;
    struct http_exchange exchange;
};

static void start_while_freed(void *context, enum status status, struct http_reply *got,
                              const struct error *failure) {
    (void)got, (void)failure;
    struct refused *refused = context;
    struct http_call call = {
        .method = "GET", .url = url, .timeout_ms = TIMEOUT_MS, .max_response_bytes = MAX_BYTES};
    ck_assert_int_eq(status, STATUS_CANCELLED);
    refused->answers++;
    refused->exchange = (struct http_exchange){.done = start_while_freed, .context = context};
    refused->on_start =
        http_client_start(http_transport_platform(transport, NULL).http, &call, &refused->exchange);
}

START_TEST(a_call_started_while_freeing_is_refused) {
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG});
    struct refused refused = {.on_start = STATUS_OK};
    struct http_call call = call_to("GET", "/");
    http_submit(transport, &call, start_while_freed, &refused);
    http_fake_wait(fake, 1);
    http_transport_free(transport);
    transport = NULL;
    ck_assert_int_eq(refused.answers, 1);
    ck_assert_int_eq(refused.on_start, STATUS_CANCELLED);
}
END_TEST

/* Runs on the owner's thread, like storage operations that end after the loop has stopped. */
START_TEST(a_stopped_transport_takes_no_calls_and_may_be_stopped_again) {
    struct http_call call = call_to("GET", "/");
    struct http_exchange exchange = {.done = count_answer, .context = &tally};
    tally_init();
    http_transport_stop(transport);
    ck_assert_int_eq(
        http_client_start(http_transport_platform(transport, NULL).http, &call, &exchange),
        STATUS_CANCELLED);
    http_transport_stop(transport);
    ck_assert_int_eq(tally.all, 0);
}
END_TEST

/* ---- TLS ---- */

static struct certificates certificates;

static void make_certificates(void) {
    set_up();
    certificates_make(&certificates);
}

static void remove_certificates(void) {
    tear_down();
    certificates_remove(&certificates);
}

/* Asks a server with that certificate. Only if it is trusted does a request reach it (503). */
static enum status ask_over_tls(const struct certificate_files *files, bool only_tls_1_1) {
    struct tls_server *server = tls_server_start(files, only_tls_1_1);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", tls_server_port(server));
    struct http_call call = {
        .method = "GET", .url = url, .timeout_ms = TIMEOUT_MS, .max_response_bytes = MAX_BYTES};
    enum status status = send_call(&call);
    struct tls_server_counts counts = tls_server_count(server);
    ck_assert_int_le(counts.connections,
                     1); /* 0: given up before the server's thread had seen it */
    ck_assert_int_eq(counts.bytes > 0, status == STATUS_OK);
    tls_server_stop(server);
    return status;
}

START_TEST(a_server_is_trusted_through_the_given_authorities) {
    ck_assert_int_eq(http_transport_set_ca_file(transport, certificates.ca), STATUS_OK);
    ck_assert_msg(ask_over_tls(&certificates.server, false) == STATUS_OK, "%s", err.message);
    ck_assert_int_eq(reply.status, 503);
}
END_TEST

/* Trusts the authorities in `ca` (NULL: the system's), set before the transport's first call. */
static void assert_distrusted(const char *ca, const struct certificate_files *files,
                              bool only_tls_1_1, const char *says) {
    http_transport_free(transport);
    ck_assert_int_eq(http_transport_new(&transport, clock_system(), &err), STATUS_OK);
    ck_assert_int_eq(ca == NULL ? STATUS_OK : http_transport_set_ca_file(transport, ca), STATUS_OK);
    ck_assert_int_eq(ask_over_tls(files, only_tls_1_1), STATUS_UNAVAILABLE);
    ck_assert_msg(strstr(err.message, says) != NULL, "%s", err.message);
}

START_TEST(a_server_that_cannot_be_trusted_gets_no_request_and_the_message_says_why) {
    const char *ca = certificates.ca;
    assert_distrusted(NULL, &certificates.server, false, "unable to get local issuer certificate");
    assert_distrusted(ca, &certificates.impostor, false, "not signed by whom it names");
    assert_distrusted(ca, &certificates.expired, false, "certificate has expired");
    assert_distrusted(ca, &certificates.stranger, false,
                      "subject name matches target host name '127.0.0.1'");
    assert_distrusted(ca, &certificates.server, true, "speaks no TLS 1.2");
    assert_distrusted("/nowhere/ca.pem", &certificates.server, false, "/nowhere/ca.pem");
}
END_TEST

static TCase *new_case(Suite *suite, const char *name) {
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    suite_add_tcase(suite, tcase);
    return tcase;
}

static void add_failures(Suite *suite) {
    TCase *failures = new_case(suite, "failures");
    tcase_add_test(failures, an_answer_of_the_limit_is_taken_and_one_byte_more_is_not);
    tcase_add_test(failures, headers_without_end_are_refused);
    tcase_add_test(failures, a_header_that_could_pass_for_two_is_refused);
    tcase_add_test(failures, nobody_there_is_unavailable);
    tcase_add_test(failures, a_call_whose_time_is_over_before_it_is_sent_is_not_sent);
    tcase_add_test(failures, an_answer_that_does_not_come_in_time_is_unavailable);
    tcase_add_test(failures, an_answer_cut_short_is_unavailable);
    tcase_add_loop_test(failures, an_answer_cut_short_in_its_headers_is_unavailable, 0, 3);
    tcase_add_test(failures, an_address_of_another_protocol_is_internal);
    tcase_add_test(failures, no_message_repeats_the_query);
    tcase_add_test(failures, a_connection_is_used_again);
    tcase_add_test(failures, a_request_on_a_kept_connection_that_dies_is_not_sent_again);
    tcase_add_test(failures, a_connection_that_was_closed_while_idle_does_no_harm);
}

static void add_threads(Suite *suite) {
    TCase *threads = new_case(suite, "threads");
    tcase_add_test(threads, three_hundred_calls_at_once_are_answered_over_256_connections_at_most);
    tcase_add_test(threads, threads_send_and_submit_at_the_same_time);
    tcase_add_test(threads, an_exchange_may_be_started_again_by_its_own_answer);
    tcase_add_test(threads, an_abandoned_exchange_is_not_answered_and_all_others_are);
    tcase_add_test(threads, freeing_answers_every_open_call_once);
    tcase_add_test(threads, a_call_started_while_freeing_is_refused);
    tcase_add_test(threads, a_stopped_transport_takes_no_calls_and_may_be_stopped_again);
}

/* ---- hosts that have a name ---- */

/*
 * Replaces the system's, which libcurl's threads call. Only "here.test" has an address: this
 * machine.
 */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the system's are reserved */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out) {
    static int (*find)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (find == NULL) {
        *(void **)&find = dlsym(RTLD_NEXT, "getaddrinfo");
    }
    bool is_here = name != NULL && strcmp(name, "here.test") == 0;
    bool is_address = name == NULL || strspn(name, "0123456789.") == strlen(name);
    return is_here || is_address ? find(is_here ? "127.0.0.1" : name, service, hints, out)
                                 : EAI_NONAME;
}

static enum status get_from(const char *host) {
    char address[128];
    snprintf(address, sizeof address, "http://%s%s/x", host, strrchr(http_fake_url(fake), ':'));
    struct http_call call = {
        .method = "GET", .url = address, .timeout_ms = TIMEOUT_MS, .max_response_bytes = MAX_BYTES};
    return send_call(&call);
}

/* The next connection gets the number of a socket that libcurl used for a DNS look-up. */
START_TEST(hosts_are_found_by_name_again_and_again) {
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(get_from("nowhere.test"), STATUS_UNAVAILABLE);
        http_fake_push(fake, &(struct http_fake_answer){.status = 200, .close_after = i % 2 == 0});
        ck_assert_msg(get_from("here.test") == STATUS_OK, "%s", err.message);
    }
    ck_assert_uint_eq(http_fake_count(fake), 5);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("http_transport");
    TCase *messages = new_case(suite, "messages");
    tcase_add_test(messages, hosts_are_found_by_name_again_and_again);
    tcase_add_test(messages, no_connection_is_inherited_by_a_child);
    tcase_add_test(messages, an_answer_brings_its_status_headers_and_body);
    tcase_add_test(messages,
                   a_put_without_a_body_has_length_zero_and_no_header_of_libcurls_own_making);
    tcase_add_test(messages, a_get_has_no_content_length);
    tcase_add_loop_test(messages, a_body_arrives_whole_with_its_headers, 0, 2);
    tcase_add_test(messages, a_head_request_does_not_wait_for_the_body_that_is_announced);
    tcase_add_test(messages, the_path_is_sent_as_it_is);
    tcase_add_test(messages, headers_of_an_interim_answer_are_not_kept);
    tcase_add_test(messages, a_redirect_is_an_answer);
    tcase_add_test(messages, a_proxy_in_the_environment_is_not_used);
    tcase_add_test(messages, times_are_of_the_clock_that_was_given);
    add_failures(suite);
    add_threads(suite);

    TCase *tls = tcase_create("tls");
    tcase_add_checked_fixture(tls, make_certificates, remove_certificates);
    tcase_add_test(tls, a_server_is_trusted_through_the_given_authorities);
    tcase_add_test(tls, a_server_that_cannot_be_trusted_gets_no_request_and_the_message_says_why);
    suite_add_tcase(suite, tls);

    return check_main(suite);
}
