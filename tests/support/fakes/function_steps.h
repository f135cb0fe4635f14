/*
 * function_steps.h - the steps that tests of the functions have in common: one app, and the last
 * answer of it.
 *
 * Each file that includes it has its own `app` and `answer`.
 */
#ifndef SUPPORT_FUNCTION_STEPS_H
#define SUPPORT_FUNCTION_STEPS_H

#include <check.h>
#include <string.h>

#include "support/fakes/function_app.h"
#include "support/fakes/json_memory.h"

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

/*
 * Each allocation of JSON fails once. The request is then answered with 500, and at last, after
 * fewer than `most` tries, with 200 and `text`.
 */
static inline void assert_whole_or_500(const char *method, const char *path, const char *body,
                                       const char *text, int most) {
    struct http_headers headers;
    http_headers_init(&headers);
    struct http_request request = {.method = method,
                                   .path = path,
                                   .query = "",
                                   .headers = &headers,
                                   .body = body,
                                   .body_length = strlen(body)};
    bool failed = true;
    for (int count = 0; failed; count++) {
        http_response_cleanup(&answer);
        http_response_init(&answer, 4096);
        json_memory_limit(count);
        function_app_dispatch(&app, &request, &answer);
        failed = json_memory_unlimit();
        ck_assert_int_eq(answer.status, failed ? 500 : 200);
        ck_assert_ptr_nonnull(strstr(answer.body.data, failed ? "InternalError" : text));
        ck_assert_int_lt(count, most);
    }
}

#endif
