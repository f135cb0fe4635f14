/*
 * Nothing reaches the program from outside but through the platform. With the same clock, network
 * and random numbers a call is repeated exactly, from the function to the bytes that storage
 * receives. It runs in virtual time.
 */
#include "http/platform.h"

#include <stdio.h>
#include <string.h>

#include "functions/dispatch.h"
#include "functions/function_table.h"
#include "http/http_inbound.h"
#include "inventory/inventory_service.h"
#include "inventory/inventory_store_table.h"
#include "lease/lease_options.h"
#include "lease/lease_store_blob.h"
#include "support/fakes/random_seeded.h"
#include "support/fakes/virtual_storage.h"
#include "support/processes/check_main.h"

enum { CALLS = 3, REFUSED_ACQUIRES = 3, ANSWER_BYTES = 64 * 1024, CLOSE_MS = 60000, SEED = 7 };
#define VIRTUAL_DAY "Sun, 19 Jan 2025"
#define RESERVE_BODY "{\"quantity\":2,\"customerId\":\"C\"}"
#define PRODUCT                                                                       \
    "{\"odata.etag\":\"W/"                                                            \
    "\\\"1\\\"\",\"PartitionKey\":\"P\",\"RowKey\":\"product\",\"total\":\"10\","     \
    "\"available\":\"10\",\"version\":\"1\",\"commitIds\":\"00000000-0000-4000-8000-" \
    "000000000007\","                                                                 \
    "\"indexedDue\":\"0\",\"indexedKeep\":\"0\"}"

/* ---- storage: all succeeds but the first acquires and the first read ---- */

static struct strbuf trace; /* every request that was sent, and when */
static int acquires, reads;
static bool is_product_there;
static char lease_id_text[UUID_TEXT_BYTES];

static void write_down(const struct http_call *call) {
    const char *date = http_headers_get(call->headers, "x-ms-date");
    ck_assert_msg(date != NULL && strncmp(date, VIRTUAL_DAY, strlen(VIRTUAL_DAY)) == 0, "%s", date);
    strbuf_appendf(&trace, "%lld %s %s\n", (long long)virtual_loop.now_ms, call->method, call->url);
    for (size_t i = 0; i < call->headers->count; i++) {
        strbuf_appendf(&trace, "%s: %s\n", call->headers->items[i].name,
                       call->headers->items[i].value);
    }
    strbuf_append(&trace, call->body == NULL ? "" : call->body, call->body_length);
    strbuf_append_string(&trace, "\n\n");
}

static void answer_lease(const struct http_call *call, struct virtual_answer *out) {
    const char *proposed = http_headers_get(call->headers, "x-ms-proposed-lease-id");
    if (proposed != NULL && acquires++ < REFUSED_ACQUIRES) {
        out->http_status = 409;
        out->headers[0][0] = "x-ms-error-code", out->headers[0][1] = "LeaseAlreadyPresent";
        return;
    }
    if (proposed != NULL) {
        snprintf(lease_id_text, sizeof lease_id_text, "%s", proposed);
    }
    out->http_status = proposed != NULL ? 201 : 200;
    out->headers[0][0] = "x-ms-lease-id", out->headers[0][1] = lease_id_text;
}

static void answer_transaction(const struct http_call *call, struct virtual_answer *out) {
    size_t at = 0;
    out->http_status = 202;
    out->content_type = "multipart/mixed; boundary=b";
    for (const char *part = call->body; (part = strstr(part, "application/http\r\n")) != NULL;
         part++) {
        at += (size_t)snprintf(out->body + at, sizeof out->body - at,
                               "--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 204 "
                               "X\r\nETag: W/\"8\"\r\n\r\n\r\n");
    }
    snprintf(out->body + at, sizeof out->body - at, "--b--\r\n");
}

static void answer_call(int index, const struct http_call *call, struct virtual_answer *out) {
    (void)index;
    write_down(call);
    if (strstr(call->url, "blob.core") != NULL) {
        answer_lease(call, out);
    } else if (strstr(call->url, "$batch") != NULL) {
        answer_transaction(call, out);
    } else if (strcmp(call->method, "GET") != 0) {
        out->http_status = 204;
        is_product_there = is_product_there || strstr(call->body, "\"product\"") != NULL;
    } else if (reads++ == 0) {
        out->http_status = 503;
    } else if (strchr(call->url, '?') == NULL) {
        out->http_status = 404;
        snprintf(out->body, sizeof out->body, "{\"odata.error\":{\"code\":\"ResourceNotFound\"}}");
    } else {
        out->http_status = 200;
        snprintf(out->body, sizeof out->body, "{\"value\":[%s]}", is_product_there ? PRODUCT : "");
    }
}

/* ---- an instance ---- */

static struct random_seeded seeded;
static uint64_t random_state;
static struct lease_store_blob lease_store;
static struct leasehold_options lease_options;
static struct lease_manager *leases;
static struct inventory_store_table store;
static struct inventory_service service;
static struct dispatch dispatch;
static int answered;

static void start_instance(uint64_t seed) {
    static const struct seed_product seed_product = {"P", 10};
    static const struct inventory_options options = {
        .reservation_lifetime_ms = 60000, .seeds = &seed_product, .seed_count = 1};
    virtual_begin();
    random_seeded_init(&seeded, &random_state, seed);
    virtual_platform.random = &seeded.base;
    lease_options = lease_options_default();
    lease_options.create_container = false;
    lease_store_blob_init(&lease_store, &virtual_client, &lease_options);
    ck_assert_int_eq(
        lease_manager_new(&leases, &lease_options, &lease_store.base, &virtual_platform, NULL),
        STATUS_OK);
    inventory_store_table_init(&store, &virtual_client, "inventory");
    inventory_service_init(&service, &virtual_platform, &store.base, leases, &options, 5000);
    dispatch = (struct dispatch){.functions = function_table,
                                 .service = &service,
                                 .random = virtual_platform.random,
                                 .route_prefix = "api"};
    acquires = reads = answered = 0;
    is_product_there = false;
}

static void note_closed(void *context, int left) {
    *(bool *)context = left == 0;
}

static void stop_instance(void) {
    bool is_closed = false;
    lease_manager_close_start(leases, virtual_loop.now_ms + CLOSE_MS, note_closed, &is_closed);
    while (virtual_step()) {
    }
    ck_assert(is_closed);
    inventory_service_cleanup(&service);
    inventory_store_table_cleanup(&store);
    lease_manager_free(leases);
    virtual_end();
}

/* ---- callers ---- */

static void count_answer(struct http_inbound *inbound) {
    ck_assert_int_eq(inbound->response.status, 200);
    strbuf_appendf(&trace, "%.*s\n\n", (int)inbound->response.body.length,
                   inbound->response.body.data);
    answered++;
}

/* All at once. The host sends no invocation id, so that each call gets one of ours. */
static void run(uint64_t seed) {
    struct http_inbound calls[CALLS];
    struct http_headers headers;
    http_headers_init(&headers);
    http_headers_add(&headers, "Content-Type", "application/json");
    start_instance(seed);
    for (int i = 0; i < CALLS; i++) {
        calls[i] = (struct http_inbound){.request = {.method = "POST",
                                                     .path = "/api/inventory/P/reserve",
                                                     .query = "",
                                                     .headers = &headers,
                                                     .body = RESERVE_BODY,
                                                     .body_length = strlen(RESERVE_BODY)},
                                         .answered = count_answer};
        http_response_init(&calls[i].response, ANSWER_BYTES);
        dispatch_request(&dispatch, &calls[i]);
    }
    while (virtual_step()) {
    }
    ck_assert_int_eq(answered, CALLS);
    stop_instance();
    for (int i = 0; i < CALLS; i++) {
        http_response_cleanup(&calls[i].response);
    }
    http_headers_cleanup(&headers);
}

/* Returns what was sent and answered under a seed. The caller frees it. */
static char *trace_of(uint64_t seed) {
    strbuf_init(&trace, SIZE_MAX);
    run(seed);
    ck_assert_int_eq(strbuf_status(&trace), STATUS_OK);
    char *text = strdup(strbuf_text(&trace));
    strbuf_cleanup(&trace);
    return text;
}

START_TEST(the_same_random_numbers_send_the_same_bytes_at_the_same_times) {
    char *first = trace_of(SEED), *again = trace_of(SEED);
    ck_assert_ptr_nonnull(strstr(first, "$batch"));
    ck_assert_ptr_nonnull(strstr(first, "x-ms-lease-action: release"));
    ck_assert_int_gt(acquires, REFUSED_ACQUIRES);
    ck_assert(is_product_there);
    ck_assert_str_eq(first, again);
    free(first);
    free(again);
}
END_TEST

START_TEST(other_random_numbers_send_others) {
    char *first = trace_of(SEED), *other = trace_of(SEED + 1);
    ck_assert_str_ne(first, other);
    free(first);
    free(other);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("platform");
    TCase *tcase = tcase_create("repeats");
    tcase_add_test(tcase, the_same_random_numbers_send_the_same_bytes_at_the_same_times);
    tcase_add_test(tcase, other_random_numbers_send_others);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
