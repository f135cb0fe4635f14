#include "simulation/storage/simulated_storage.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/utc.h"
#include "simulation/storage/tables.h"

static const char *path_of_endpoint(const char *endpoint) {
    const char *host = strstr(endpoint, "://");
    return host == NULL ? "" : host + 3 + strcspn(host + 3, "/");
}

enum status simulated_storage_init(struct simulated_storage *storage, const struct clock *clock,
                                   const struct storage_account *account) {
    *storage = (struct simulated_storage){
        .clock = clock, .account = account, .page_rows = QUERY_PAGE_ROWS};
    storage->blobs.clock = storage->rows.clock = clock;
    storage->account_path[SIMULATED_BLOB_SERVICE] = path_of_endpoint(account->blob_endpoint);
    storage->account_path[SIMULATED_TABLE_SERVICE] = path_of_endpoint(account->table_endpoint);
    storage->transaction.account_path = storage->account_path[SIMULATED_TABLE_SERVICE];
    storage->checks_signatures = account->key_length > 0;
    strbuf_init(&storage->answer.headers, SIZE_MAX);
    strbuf_init(&storage->answer.body, SIZE_MAX);
    return storage->checks_signatures
               ? signature_check_init(&storage->signature, account->key, account->key_length)
               : STATUS_OK;
}

void simulated_storage_cleanup(struct simulated_storage *storage) {
    if (storage->checks_signatures) {
        signature_check_cleanup(&storage->signature);
    }
    blobs_clear(&storage->blobs);
    rows_clear(&storage->rows);
    strbuf_cleanup(&storage->answer.headers);
    strbuf_cleanup(&storage->answer.body);
}

/* ---- requests ---- */

static bool names_account(const struct simulated_storage *storage,
                          const struct simulated_request *request) {
    struct text rest = simulated_request_header(request, "Authorization");
    struct text scheme = text_cut(&rest, ' ');
    return (text_is(scheme, "SharedKey") || text_is(scheme, "SharedKeyLite")) &&
           text_is(text_cut(&rest, ':'), storage->account->name);
}

static bool is_signed(struct simulated_storage *storage, enum simulated_service service,
                      const struct simulated_request *request) {
    if (!storage->checks_signatures) {
        return names_account(storage, request);
    }
    return signature_is_valid(&storage->signature, storage->account->name,
                              service == SIMULATED_TABLE_SERVICE, request,
                              clock_wall_ms(storage->clock));
}

/* Why the sender is not believed. The two kinds of credentials have codes of their own. */
static struct simulated_refusal check_sender(struct simulated_storage *storage,
                                             enum simulated_service service,
                                             const struct simulated_request *request) {
    struct text token = simulated_request_header(request, "Authorization");
    if (text_is_nocase(text_cut(&token, ' '), "Bearer")) {
        bool is_good =
            storage->accepts_token != NULL && storage->accepts_token(storage->token_context, token);
        return is_good ? SIMULATED_ACCEPTED
                       : (struct simulated_refusal){401, "InvalidAuthenticationInfo"};
    }
    return is_signed(storage, service, request)
               ? SIMULATED_ACCEPTED
               : (struct simulated_refusal){403, "AuthenticationFailed"};
}

static void refuse(struct simulated_storage *storage, enum simulated_service service,
                   struct simulated_refusal refusal) {
    (service == SIMULATED_TABLE_SERVICE ? simulated_answer_refuse_table
                                        : simulated_answer_refuse_blob)(&storage->answer, refusal);
}

static void carry_out(struct simulated_storage *storage, enum simulated_service service,
                      const struct simulated_request *request) {
    size_t prefix = strlen(storage->account_path[service]);
    struct simulated_refusal refusal = check_sender(storage, service, request);
    if (refusal.code != NULL) {
        storage->outcome.kind = SIMULATED_UNSIGNED;
        refuse(storage, service, refusal);
    } else if (request->path.length <= prefix ||
               memcmp(request->path.data, storage->account_path[service], prefix) != 0 ||
               request->path.data[prefix] != '/') {
        refuse(storage, service, (struct simulated_refusal){400, "InvalidUri"});
    } else if (service == SIMULATED_TABLE_SERVICE) {
        tables_serve(storage, text_skip(request->path, prefix), request);
    } else {
        blobs_serve(&storage->blobs, text_skip(request->path, prefix), request, &storage->answer,
                    &storage->outcome);
    }
}

/* ---- answers ---- */

static void append_echo(struct strbuf *out, const struct simulated_request *request,
                        const char *name) {
    struct text value = simulated_request_header(request, name);
    if (value.length > 0) {
        strbuf_append_string(out, name);
        strbuf_append(out, ": ", 2);
        strbuf_append(out, value.data, value.length);
        strbuf_append(out, "\r\n", 2);
    }
}

static void append_common_headers(struct simulated_storage *storage, enum simulated_service service,
                                  const struct simulated_request *request, struct strbuf *out) {
    char id[40], date[UTC_TEXT_BYTES];
    snprintf(id, sizeof id, "5705a6e0-0000-4000-8000-%012" PRIx64, ++storage->request_count);
    utc_format_http(clock_wall_ms(storage->clock), date);
    strbuf_append_string(out, service == SIMULATED_TABLE_SERVICE
                                  ? "Server: Windows-Azure-Table/1.0 Microsoft-HTTPAPI/2.0\r\n"
                                  : "Server: Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0\r\n");
    simulated_answer_add_header(out, "x-ms-request-id", id);
    append_echo(out, request, "x-ms-client-request-id");
    append_echo(out, request, "x-ms-version");
    simulated_answer_add_header(out, "Date", date);
}

static void append_answer(struct simulated_storage *storage, enum simulated_service service,
                          const struct simulated_request *request, struct strbuf *out) {
    struct simulated_answer *answer = &storage->answer;
    strbuf_append_string(out, "HTTP/1.1 ");
    strbuf_append_int64(out, answer->http_status);
    strbuf_append_char(out, ' ');
    strbuf_append_string(out, simulated_answer_reason(answer->http_status));
    strbuf_append(out, "\r\n", 2);
    strbuf_append_string(out, "Content-Length: "); /* Azure's 204 has one, too */
    strbuf_append_int64(out, (int64_t)answer->body.length);
    strbuf_append(out, "\r\n", 2);
    append_common_headers(storage, service, request, out);
    strbuf_append(out, answer->headers.data, answer->headers.length);
    strbuf_append(out, "\r\n", 2);
    if (!text_is(request->method, "HEAD")) {
        strbuf_append(out, answer->body.data, answer->body.length);
    }
    assert(strbuf_status(&answer->headers) == STATUS_OK &&
           strbuf_status(&answer->body) == STATUS_OK && strbuf_status(out) == STATUS_OK);
}

static void begin_answer(struct simulated_storage *storage) {
    storage->outcome = (struct simulated_outcome){.kind = SIMULATED_UNKNOWN, .code = ""};
    storage->answer.http_status = 500;
    storage->answer.code = "";
    strbuf_clear(&storage->answer.headers);
    strbuf_clear(&storage->answer.body);
}

static void end_answer(struct simulated_storage *storage, enum simulated_service service,
                       const struct simulated_request *request, struct strbuf *out) {
    append_answer(storage, service, request, out);
    if (storage->outcome.http_status == 0) {
        storage->outcome.http_status = storage->answer.http_status;
        storage->outcome.code = storage->answer.code;
    }
}

void simulated_storage_serve(struct simulated_storage *storage, enum simulated_service service,
                             const struct simulated_request *request, struct strbuf *out) {
    begin_answer(storage);
    carry_out(storage, service, request);
    end_answer(storage, service, request, out);
}

void simulated_storage_answer(struct simulated_storage *storage, enum simulated_service service,
                              const char *bytes, size_t length, struct strbuf *out) {
    struct simulated_request request;
    if (simulated_request_read((struct text){bytes, length}, &request) == length && length > 0) {
        simulated_storage_serve(storage, service, &request, out);
        return;
    }
    request = (struct simulated_request){.method = {"", 0}};
    begin_answer(storage);
    refuse(storage, service, (struct simulated_refusal){400, "InvalidInput"});
    end_answer(storage, service, &request, out);
}
