/*
 * login_steps.h - the steps that tests of signing in have in common: Azurite over https, one login,
 * one handler.
 */
#ifndef SUPPORT_LOGIN_STEPS_H
#define SUPPORT_LOGIN_STEPS_H

#include <signal.h>
#include <string.h>

#include "support/calls/http_client.h"
#include "support/processes/check_main.h"
#include "support/processes/https_storage_steps.h"
#include "support/processes/login.h"

enum { LOG_TIMEOUT_MS = 30000 };
#define PRODUCT "/api/inventory/PROD-001"

static struct login login;
static struct app app;

static inline void tear_down(void) {
    app_cleanup(&app);
    login_cleanup(&login);
}

static inline void prepare(enum login_way way) {
    login_prepare(&login, way, false, &azurite, &certificates);
}

static inline void wait_for_log(size_t from, const char *text) {
    app_expect_log(&app, from, text, LOG_TIMEOUT_MS);
}

static inline void start_handler(void) {
    login_start_handler(&login, &app);
    wait_for_log(0, "listens on");
}

static inline void stop_handler(void) {
    if (app_stop(&app, SIGTERM) != 0) {
        ck_abort_msg("exit code %d:\n%s", app.process.exit_code,
                     process_output_from(&app.process, 0));
    }
}

static inline void assert_status(int status, const char *path, const char *body) {
    struct http_reply reply =
        http_ask((struct http_ask){.port = app.port, .path = path, .body = body});
    if (reply.status != status) {
        ck_abort_msg("%s: %d %s instead of %d\n%s", path, reply.status, reply.body.data, status,
                     process_output_from(&app.process, 0));
    }
    http_reply_cleanup(&reply);
}

/* A caller who cannot be served is told so as the API says, and when to come again. */
static inline void assert_is_unavailable(const struct http_reply *reply, const char *log) {
    ck_assert_msg(reply->status == 503, "%d %s\n%s", reply->status, reply->body.data, log);
    ck_assert_ptr_nonnull(strstr(reply->body.data, "\"code\":\"StorageUnavailable\""));
    ck_assert_ptr_nonnull(http_headers_get(&reply->headers, "Retry-After"));
}

#endif
