#include "support/checks/fidelity_sides.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utc.h"

/* ---- requests ---- */

void fidelity_request_init(struct fidelity_request *request, enum simulated_service service,
                           const char *method) {
    *request = (struct fidelity_request){.service = service, .method = method};
    strbuf_init(&request->path, SIZE_MAX);
    http_headers_init(&request->query);
    http_headers_init(&request->headers);
    strbuf_init(&request->body, SIZE_MAX);
}

void fidelity_request_cleanup(struct fidelity_request *request) {
    strbuf_cleanup(&request->path);
    http_headers_cleanup(&request->query);
    http_headers_cleanup(&request->headers);
    strbuf_cleanup(&request->body);
}

/* ---- both sides ---- */

static int64_t clock_ms(const struct clock *clock) {
    return ((const struct fidelity_clock *)clock)->ms;
}

void fidelity_sides_open(struct fidelity_sides *sides, const struct azurite *azurite,
                         struct wall_clock *clock) {
    struct error err;
    memset(sides, 0, sizeof *sides);
    sides->clock = (struct fidelity_clock){{clock_ms, clock_ms}, wall_clock_ms(clock)};
    sides->azurites_clock = clock;
    strbuf_init(&sides->sent, SIZE_MAX);
    ck_assert_int_eq(storage_account_parse(azurite->connection_string, &sides->account, &err),
                     STATUS_OK);
    ck_assert_int_eq(credential_shared_key_init(&sides->credential, &sides->account, &err),
                     STATUS_OK);
    ck_assert_int_eq(simulated_storage_init(&sides->storage, &sides->clock.base, &sides->account),
                     STATUS_OK);
    sides->fds[SIMULATED_BLOB_SERVICE] = raw_http_connect(azurite->blob_port);
    sides->fds[SIMULATED_TABLE_SERVICE] = raw_http_connect(azurite->table_port);
}

void fidelity_sides_close(struct fidelity_sides *sides) {
    close(sides->fds[SIMULATED_BLOB_SERVICE]);
    close(sides->fds[SIMULATED_TABLE_SERVICE]);
    simulated_storage_cleanup(&sides->storage);
    credential_shared_key_cleanup(&sides->credential);
    strbuf_cleanup(&sides->sent);
}

void fidelity_sides_pass(struct fidelity_sides *sides, int64_t ms) {
    sides->clock.ms += ms;
}

/* ---- sending ---- */

static void write_url(const struct fidelity_sides *sides, const struct fidelity_request *request,
                      struct strbuf *url) {
    bool is_table = request->service == SIMULATED_TABLE_SERVICE;
    strbuf_append_string(url,
                         is_table ? sides->account.table_endpoint : sides->account.blob_endpoint);
    strbuf_append(url, request->path.data, request->path.length);
    for (size_t i = 0; i < request->query.count; i++) {
        strbuf_append_char(url, i == 0 ? '?' : '&');
        strbuf_append_percent_encoded(url, request->query.items[i].name);
        strbuf_append_char(url, '=');
        strbuf_append_percent_encoded(url, request->query.items[i].value);
    }
}

static void add_headers(struct fidelity_sides *sides, const struct fidelity_request *request,
                        struct http_headers *headers) {
    char date[UTC_TEXT_BYTES];
    utc_format_http(sides->clock.ms - request->late_ms, date);
    for (size_t i = 0; i < request->headers.count; i++) {
        http_headers_add(headers, request->headers.items[i].name, request->headers.items[i].value);
    }
    http_headers_add(headers, "x-ms-date", date);
    http_headers_add(headers, "x-ms-version",
                     request->service == SIMULATED_TABLE_SERVICE ? "2020-12-06" : "2021-12-02");
    http_headers_addf(headers, "x-ms-client-request-id", "fidelity-%d", sides->count);
}

/* `path`: where it begins in the URL. */
static void sign(struct fidelity_sides *sides, const struct fidelity_request *request,
                 struct strbuf *url, size_t path, struct http_headers *headers) {
    struct error err;
    struct credential_request signed_request = {
        .is_table = request->service == SIMULATED_TABLE_SERVICE,
        .method = request->is_forged ? "BREW" : request->method,
        .path = url->data + path,
        .path_length = strcspn(url->data + path, "?"),
        .query = &request->query,
        .body_length = request->body.length,
        .headers = headers,
        .url = url,
    };
    ck_assert_int_eq(
        sides->credential.base.authorize(&sides->credential.base, &signed_request, &err),
        STATUS_OK);
}

static void write_request(struct fidelity_sides *sides, const struct fidelity_request *request) {
    struct strbuf url, *out = &sides->sent;
    struct http_headers headers;
    strbuf_init(&url, SIZE_MAX);
    http_headers_init(&headers);
    write_url(sides, request, &url);
    add_headers(sides, request, &headers);
    size_t path = strlen("http://") + strcspn(url.data + strlen("http://"), "/");
    sign(sides, request, &url, path, &headers);

    strbuf_clear(out);
    strbuf_appendf(out, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %zu\r\n",
                   request->method, url.data + path, request->body.length);
    for (size_t i = 0; i < headers.count; i++) {
        strbuf_appendf(out, "%s: %s\r\n", headers.items[i].name, headers.items[i].value);
    }
    strbuf_append_string(out, "\r\n");
    strbuf_append(out, request->body.data, request->body.length);
    ck_assert_int_eq(strbuf_status(out), STATUS_OK);
    http_headers_cleanup(&headers);
    strbuf_cleanup(&url);
}

static void ask_simulation(struct fidelity_sides *sides, enum simulated_service service,
                           struct raw_response *out) {
    struct strbuf answer;
    strbuf_init(&answer, SIZE_MAX);
    simulated_storage_answer(&sides->storage, service, sides->sent.data, sides->sent.length,
                             &answer);
    const char *end = strstr(answer.data, "\r\n\r\n");
    ck_assert(end != NULL && (size_t)(end - answer.data) + 5 < sizeof out->head);
    size_t head = (size_t)(end - answer.data) + 4;
    memcpy(out->head, answer.data, head);
    out->head[head] = '\0';
    out->status = (int)strtol(answer.data + strlen("HTTP/1.1 "), NULL, 10);
    out->body_length = answer.length - head;
    out->body = strdup(answer.data + head);
    ck_assert_ptr_nonnull(out->body);
    strbuf_cleanup(&answer);
}

void fidelity_sides_send(struct fidelity_sides *sides, enum fidelity_side side,
                         const struct fidelity_request *request, struct raw_response *out) {
    *out = (struct raw_response){.body = NULL};
    write_request(sides, request);
    if (side == FIDELITY_SIMULATED) {
        ask_simulation(sides, request->service, out);
        return;
    }
    wall_clock_set(sides->azurites_clock, sides->clock.ms - clock_wall_ms(clock_system()));
    ck_assert(
        raw_http_send_bytes(sides->fds[request->service], sides->sent.data, sides->sent.length));
    raw_http_read(sides->fds[request->service], out, strcmp(request->method, "HEAD") == 0);
}
