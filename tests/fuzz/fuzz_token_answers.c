/*
 * Answers of identity endpoints and of az, read alone and by way of the real sources. An accepted
 * token can stand in a header, and its times are possible. A refusal leaves the last token alone,
 * and repeats nothing but an error code.
 */
#include <string.h>

#include "base/utf8.h"
#include "fuzz/input.h"
#include "fuzz/stub_loop.h"
#include "fuzz/stub_transport.h"
#include "identity/token_answer.h"
#include "identity/token_source.h"

enum { ANSWER, AZ, ERROR_CODE, APP_SERVICE, MACHINE, PRINCIPAL, KINDS };

#define NOW_MS INT64_C(1000000)
#define WALL_MS INT64_C(1737297930000) /* 2025-01-19T14:45:30Z */
#define LOWER_AND_LINE "abcdefghijklmnopqrstuvwxyz_"
#define SECRET "Zq7-not-to-be-shown"

static const int statuses[] = {200, 400, 401, 403, 404, 410, 429, 500, 503, 302};

enum { STATUS_COUNT = sizeof statuses / sizeof statuses[0] };

static int64_t now_ms(const struct clock *clock) {
    (void)clock;
    return NOW_MS;
}

static int64_t wall_ms(const struct clock *clock) {
    (void)clock;
    return WALL_MS;
}

static const struct clock still_clock = {now_ms, wall_ms};
static const struct token_moment at = {NOW_MS, WALL_MS};

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    /* az writes local times. This zone has a summer time. */
    setenv("TZ", "Europe/Berlin", 1);
    return 0;
}

static void check_token(const struct token *token, int64_t from_ms) {
    REQUIRE(token->text.length >= 1 && token->text.length <= TOKEN_MAX_BYTES);
    for (size_t i = 0; i < token->text.length; i++) {
        REQUIRE(token->text.data[i] >= '!' && token->text.data[i] <= '~');
    }
    REQUIRE(token->expires_ms > from_ms &&
            token->expires_ms - from_ms <= INT64_C(1000) * TOKEN_MAX_LIFETIME_S);
    REQUIRE(token->refresh_ms > from_ms && token->refresh_ms < token->expires_ms);
}

/* An earlier token, which a failure must leave as it is. */
static void begin(struct token *token) {
    token_init(token);
    strbuf_append_string(&token->text, "before");
    token->expires_ms = 7;
}

static void end(struct token *token, enum status status, const struct error *err, int64_t from_ms) {
    if (status == STATUS_OK) {
        check_token(token, from_ms);
    } else {
        REQUIRE(strcmp(token->text.data, "before") == 0 && token->expires_ms == 7);
        REQUIRE(err->status == status && utf8_count_printable(err->message) > 0);
        REQUIRE(strstr(err->message, SECRET) == NULL);
    }
    token_cleanup(token);
}

static void check_answer(const struct strbuf *body, bool from_az) {
    struct token token;
    struct error err = {0};
    begin(&token);
    enum status status = from_az ? token_answer_read_cli(body, &at, &token, &err)
                                 : token_answer_read(body, &at, &token, &err);
    REQUIRE(status == STATUS_OK || status == STATUS_MALFORMED);
    end(&token, status, &err, NOW_MS);
}

static void check_error_code(const struct strbuf *body) {
    char code[TOKEN_CODE_BYTES];
    memset(code, 'x', sizeof code);
    token_answer_error_code(body, code);
    REQUIRE(memchr(code, '\0', sizeof code) != NULL);
    const char *number = code + strspn(code, LOWER_AND_LINE);
    number += number > code && *number == ' ';
    REQUIRE(*number == '\0' || strncmp(number, "AADSTS", 6) == 0);
    REQUIRE(*number == '\0' || input_consists_of(number + 6, "0123456789", 1, 10));
}

/* One fetch, which gets the replies that were laid out. */
struct fetch {
    struct token_source *source;
    struct platform platform;
    struct token token;
    int ends;
};

static void on_fetched(void *context, enum status status, struct token *token,
                       const struct error *err) {
    struct fetch *fetch = context;
    fetch->ends++;
    REQUIRE((token != NULL) == (status == STATUS_OK));
    REQUIRE(err->retry_after_ms >= 0 && err->retry_after_ms <= 3600 * 1000);
    if (token != NULL) {
        token_cleanup(&fetch->token);
        fetch->token = *token;
        token_init(token);
    }
    end(&fetch->token, status, err, 0); /* the stub's replies say that they were sent at 0 */
}

static void start_fetch(void *context) {
    struct fetch *fetch = context;
    REQUIRE(token_source_start(fetch->source, &fetch->platform, on_fetched, fetch, NULL) ==
            STATUS_OK);
    REQUIRE(fetch->ends == 0);
}

static void check_source(struct token_source *source) {
    struct fetch fetch = {.source = source,
                          .platform = {.clock = &still_clock,
                                       .http = stub_transport_client(),
                                       .random = random_system()}};
    begin(&fetch.token);
    stub_loop_run(start_fetch, &fetch);
    REQUIRE(fetch.ends == 1);
}

static void check_kind(unsigned kind, const struct strbuf *body) {
    static const struct token_client client = {"https://login.microsoftonline.com/", "tenant",
                                               "client"};
    struct token_source_app_service app_service;
    struct token_source_imds imds;
    struct token_source_principal principal;
    switch (kind) {
    case APP_SERVICE:
        token_source_app_service_init(&app_service, "http://127.0.0.1:4141/msi/token", SECRET,
                                      "client");
        check_source(&app_service.http.base);
        break;
    case MACHINE:
        token_source_imds_init(&imds, "http://169.254.169.254", NULL, true);
        check_source(&imds.http.base);
        break;
    case PRINCIPAL:
        token_source_principal_init(&principal, &client, SECRET, NULL);
        check_source(&principal.http.base);
        break;
    case ERROR_CODE:
        check_error_code(body);
        break;
    default:
        check_answer(body, kind == AZ);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = input_of(data, size);
    unsigned kind = input_take_choice(&input, KINDS);
    int probed = statuses[input_take_choice(&input, STATUS_COUNT)];
    int status = statuses[input_take_choice(&input, STATUS_COUNT)];
    char *date = input_take_line(&input), *retry_after = input_take_line(&input),
         *text = input_take_text(&input);
    struct http_headers headers;
    http_headers_init(&headers);
    http_headers_add(&headers, "Date", date);
    http_headers_add(&headers, "Retry-After", retry_after);
    struct strbuf body;
    strbuf_init(&body, TOKEN_ANSWER_MAX_BYTES);
    strbuf_append_string(&body, text);
    stub_transport_begin();
    if (kind == MACHINE) {
        stub_transport_reply(probed, &headers, "", 0);
    }
    stub_transport_reply(status, &headers, body.data, body.length);
    check_kind(kind, &body);
    strbuf_cleanup(&body);
    http_headers_cleanup(&headers);
    free(text);
    free(retry_after);
    free(date);
    return 0;
}
