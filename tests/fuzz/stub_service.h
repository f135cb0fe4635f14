/*
 * stub_service.h - the inventory service without leases and storage, for targets that send requests
 * to the functions. It sees what has passed the checks, and holds it against the specification.
 *
 * How a stub takes its place: a function of stub_X.c has the assembler's name __wrap_NAME, and the
 * linker sends every call of NAME in a fuzz target there (see fuzz_wraps in the Makefile). A
 * function of the service that has no stub is the real one. It gets no usable service and crashes.
 * So a handler that calls another function of the service needs one more stub in stub_service.c.
 *
 * Threads: one.
 */
#ifndef FUZZ_STUB_SERVICE_H
#define FUZZ_STUB_SERVICE_H

#include <stdbool.h>

#include "functions/dispatch.h"

enum { STUB_SERVICE_OUTCOMES = 20 };

/*
 * Decides how the next calls end: 0 to STUB_SERVICE_OUTCOMES - 1 are done, not enough units, no
 * lease, and failures. Forgets the calls so far.
 */
void stub_service_begin(unsigned outcome);

/* Returns the number of requests that got through to the service since then. */
int stub_service_calls(void);

/*
 * Returns true for [A-Za-z0-9._~-]{1,128} without a '.' at the end, but for the job's own name: the
 * rule of the specification, written a second time.
 */
bool stub_service_is_product_id(const char *text);

/*
 * Calls dispatch_request with the app's functions, which must answer once. Adds to `response`,
 * which is initialized.
 */
void stub_service_dispatch(struct dispatch *dispatch, const struct http_request *request,
                           struct http_response *response);

#endif
