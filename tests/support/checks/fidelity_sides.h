/*
 * fidelity_sides.h - the simulated storage and Azurite, side by side: each request goes to both, in
 * the same words and at the same time of day.
 *
 * Rules        Time is the test's: it moves only by fidelity_sides_pass. Azurite's clock is set to
 *              it before each request, and is ahead of it by as long as the request takes.
 *              Requests are signed by the product's own code.
 * Threads: the test's own.
 */
#ifndef SUPPORT_FIDELITY_SIDES_H
#define SUPPORT_FIDELITY_SIDES_H

#include "base/http_message.h"
#include "identity/credential.h"
#include "simulation/storage/simulated_storage.h"
#include "support/calls/raw_http.h"
#include "support/fakes/wall_clock.h"
#include "support/processes/azurite.h"

enum fidelity_side { FIDELITY_SIMULATED, FIDELITY_AZURITE, FIDELITY_SIDES };

enum { FIDELITY_ETAG_BYTES = 128 };

/* Built by the test. If-Match, and what else differs between the sides, is added for each side. */
struct fidelity_request {
    enum simulated_service service;
    const char *method;        /* static */
    struct strbuf path;        /* "/container/blob", percent-encoded */
    struct http_headers query; /* not encoded */
    struct http_headers headers;
    struct strbuf body;
    bool is_forged;  /* its signature is another's */
    int64_t late_ms; /* how long ago it was signed */
};

void fidelity_request_init(struct fidelity_request *request, enum simulated_service service,
                           const char *method);
void fidelity_request_cleanup(struct fidelity_request *request);

struct fidelity_clock {
    struct clock base; /* first */
    int64_t ms;        /* of both clocks */
};

struct fidelity_sides {
    struct fidelity_clock clock;
    struct storage_account account;
    struct credential_shared_key credential;
    struct simulated_storage storage;
    struct wall_clock *azurites_clock;
    int fds[SIMULATED_SERVICES];
    int count;          /* requests sent to both */
    struct strbuf sent; /* the last one, as its bytes were */
};

/* Azurite was started on that clock. */
void fidelity_sides_open(struct fidelity_sides *sides, const struct azurite *azurite,
                         struct wall_clock *clock);
void fidelity_sides_close(struct fidelity_sides *sides);

void fidelity_sides_pass(struct fidelity_sides *sides, int64_t ms);

/* Signs and sends a request to one side. `out` is released by the caller. */
void fidelity_sides_send(struct fidelity_sides *sides, enum fidelity_side side,
                         const struct fidelity_request *request, struct raw_response *out);

#endif
