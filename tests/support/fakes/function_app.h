/*
 * function_app.h - the app without its server and storage: the functions over the memory store and
 * a fake lease service, called as the host calls them.
 *
 * Vocabulary   shape   how the host calls: with the caller's own request, or with an invocation's
 *              payload
 * Rules        The products are PROD-001 (100 units) and PROD-002 (50). The store's time stands
 *              still at 2025-01-19T14:45:30Z until a test moves store_clock; leases live on the
 *              machine's clock. What cannot happen to a working app ends the test.
 * Threads: one test's.
 */
#ifndef SUPPORT_FUNCTION_APP_H
#define SUPPORT_FUNCTION_APP_H

#include "base/http_message.h"
#include "functions/dispatch.h"
#include "http/http_inbound.h"
#include "http/http_transport.h"
#include "inventory/inventory_service.h"
#include "inventory/inventory_store_memory.h"
#include "support/fakes/clock_fake.h"
#include "support/fakes/lease_store_fake.h"

enum { CALL_PROXIED, CALL_INVOCATION, CALL_SHAPES }; /* shapes; int, as libcheck counts loops */

enum store_operation_kind {
    STORE_PREPARE,
    STORE_READ,
    STORE_COMMIT,
    STORE_FIND_RECORD,
    STORE_FIND_DUE,
    STORE_FINISH_DUE,
    STORE_OPERATIONS
};

/* The memory store with failures on demand. */
struct failing_store {
    struct inventory_store base;
    struct inventory_store_memory memory;
    _Atomic enum status
        next[STORE_OPERATIONS]; /* what the next such call fails with; STATUS_OK: it does not */
};

struct function_app {
    struct clock_fake store_clock;
    struct failing_store store;
    struct lease_store_fake *lease_service;
    struct http_transport *transport;
    struct platform platform;       /* the transport's */
    struct platform store_platform; /* the same with the store's clock */
    struct leasehold_options lease_options;
    struct lease_manager *leases;
    struct inventory_options options;
    struct inventory_service service;
    struct dispatch dispatch; /* a test may give it a folder for temporary files */
    size_t rest_bytes;        /* of the last answer: what came out of a file */
};

void function_app_start(struct function_app *app, int64_t acquire_timeout_ms);
void function_app_stop(struct function_app *app);

/* Waits until the app has released a lease, which it does after the answer. */
void function_app_await_release(struct function_app *app, const char *lease_name);

/* A caller's request. */
struct function_call {
    const char *method;       /* NULL: the one that the function takes */
    const char *product;      /* as it is in the path; NULL: PROD-001 */
    const char *action;       /* the path after the product: "reserve"; "" for GetInventory. With a
                                 slash in front: the path of a function without a product */
    const char *query;        /* without '?'; NULL: none */
    const char *content_type; /* NULL: none */
    struct {
        const char *name;
        const char *values[3]; /* each on a line of its own */
    } header;                  /* one more; name NULL: none */
    const char *body;          /* NULL: none */
    size_t body_length;        /* 0: strlen(body) */
    bool is_forwarded;         /* CALL_PROXIED: as hosts before 2025 do it */
};

/* The caller's answer, whatever the shape. To be released. */
struct http_response function_app_call(struct function_app *app, int shape,
                                       const struct function_call *call);

/* One request of the host's, as it is. `body` may be NULL. The answer is to be released. */
struct http_response function_app_request(struct function_app *app, const char *method,
                                          const char *path, const char *body);

/* The same with headers and the like of one's own. Adds to `response`, which is initialized. */
void function_app_dispatch(struct function_app *app, const struct http_request *request,
                           struct http_response *response);

#endif
