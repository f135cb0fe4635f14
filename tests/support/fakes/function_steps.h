/*
 * function_steps.h - the steps that tests of the functions have in common: one app, and the last
 * answer of it.
 *
 * Each file that includes it has its own `app` and `answer`.
 */
#ifndef SUPPORT_FUNCTION_STEPS_H
#define SUPPORT_FUNCTION_STEPS_H

#include "support/fakes/function_app.h"

static struct function_app app;
static struct http_response answer;

static inline void set_up(void) {
    function_app_start(&app, 10000);
    http_response_init(&answer, 0);
}

/* Whoever does not get a lease at once gets none. */
static inline void set_up_impatient(void) {
    function_app_start(&app, 0);
    http_response_init(&answer, 0);
}

static inline void tear_down(void) {
    http_response_cleanup(&answer);
    function_app_stop(&app);
}

static inline const char *header(const char *name) {
    return http_headers_get(&answer.headers, name);
}

#endif
