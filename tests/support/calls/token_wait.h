/*
 * token_wait.h - a fetch of a token source, for a test that waits for it.
 *
 * Threads: any but the loop's. Another thread may cancel the fetch meanwhile.
 */
#ifndef SUPPORT_TOKEN_WAIT_H
#define SUPPORT_TOKEN_WAIT_H

#include <check.h>
#include <stdbool.h>

#include "http/loop_call.h"
#include "identity/token_source.h"

struct token_wait {
    struct loop_call call;
    struct token_source *source;
    const struct platform *platform;
    struct token *out;
    enum status status;
    struct error *err;
    bool is_starting;
};

static inline void token_wait_end(void *context, enum status status, struct token *token,
                                  const struct error *err) {
    struct token_wait *wait = context;
    ck_assert(!wait->is_starting);
    ck_assert_int_eq(token != NULL, status == STATUS_OK);
    ck_assert_int_eq(err->status, status);
    wait->status = status;
    *wait->err = *err;
    if (token != NULL) {
        token_cleanup(wait->out);
        *wait->out = *token;
        token_init(token);
    }
    loop_call_end(&wait->call);
}

static inline void token_wait_begin(void *context) {
    struct token_wait *wait = context;
    struct error err = {.status = STATUS_OK};
    wait->is_starting = true;
    enum status status =
        token_source_start(wait->source, wait->platform, token_wait_end, wait, &err);
    wait->is_starting = false;
    if (status != STATUS_OK) {
        token_wait_end(wait, status, NULL, &err);
    }
}

/* Statuses of token_done. `out` (initialized) is filled on STATUS_OK alone. */
static inline enum status token_wait_fetch(struct token_source *source,
                                           const struct platform *platform, struct token *out,
                                           struct error *err) {
    struct token_wait wait = {.source = source, .platform = platform, .out = out, .err = err};
    loop_call_run(&wait.call, platform->loop, token_wait_begin, &wait);
    return wait.status;
}

static inline void token_wait_cancel_now(void *context) {
    struct token_wait *wait = context;
    token_source_cancel(wait->source);
    loop_call_end(&wait->call);
}

/* Cancels the fetch that another thread waits for. */
static inline void token_wait_cancel(struct token_source *source, const struct platform *platform) {
    struct token_wait wait = {.source = source};
    loop_call_run(&wait.call, platform->loop, token_wait_cancel_now, &wait);
}

#endif
