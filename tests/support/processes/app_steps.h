/*
 * app_steps.h - the steps that tests of a whole app have in common: an Azurite of each test's own,
 * and one app on it.
 *
 * Each file that includes it has its own `azurite` and `app`. Leases are named as lease_witness.h
 * names them.
 */
#ifndef SUPPORT_APP_STEPS_H
#define SUPPORT_APP_STEPS_H

#include "support/calls/lease_witness.h"
#include "support/processes/app.h"
#include "support/processes/azurite_steps.h"

enum { LOG_TIMEOUT_MS = 60000 };

static struct app app;

static inline void tear_down(void) {
    app_cleanup(&app);
    release_azurite();
}

static inline void wait_for_log(size_t from, const char *text) {
    app_expect_log(&app, from, text, LOG_TIMEOUT_MS);
}

/* Somebody else can acquire the lease at this moment, and does. */
static inline void assert_lease_is_free(const char *name) {
    struct lease_witness witness;
    lease_witness_open(&witness, azurite.connection_string, "leases");
    lease_witness_take(&witness, name);
    lease_witness_close(&witness);
}

/* Somebody else takes the lease as soon as the app's own release of it has arrived. */
static inline void take_lease_from_app(const char *name) {
    struct lease_witness witness;
    lease_witness_open(&witness, azurite.connection_string, "leases");
    lease_witness_await_free(&witness, name);
    lease_witness_close(&witness);
}

#endif
