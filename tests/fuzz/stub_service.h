/*
 * stub_service.h - the operations of inventory_service.h and reconcile.h without leases and
 * storage, for targets that send requests to the functions: they see what has passed the checks,
 * and hold it against the specification.
 *
 * A target that includes this is linked with it in place of the service (see the Makefile).
 *
 * Threads: one.
 */
#ifndef FUZZ_STUB_SERVICE_H
#define FUZZ_STUB_SERVICE_H

#include <stdbool.h>

#include "functions/dispatch.h"

enum { STUB_SERVICE_OUTCOMES = 20 };

/*
 * How the next calls end (0 to STUB_SERVICE_OUTCOMES - 1: done, not enough, no lease, or a
 * failure), and no call so far.
 */
void stub_service_begin(unsigned outcome);

/* Has a request got through to the service since then? */
int stub_service_calls(void);

/*
 * [A-Za-z0-9._~-]{1,128} and not the job's own name: the rule as the specification has it, written
 * a second time.
 */
bool stub_service_is_product_id(const char *text);

/*
 * dispatch_request with the app's functions; adds to `response`, which is initialized. There is one
 * answer.
 */
void stub_service_dispatch(struct dispatch *dispatch, const struct http_request *request,
                           struct http_response *response);

#endif
