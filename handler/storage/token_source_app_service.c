#include <string.h>

#include "storage/endpoint_check.h"
#include "storage/token_http.h"
#include "storage/token_source.h"

enum { URL_MAX_BYTES = 4096 };

static enum status fetch(struct token_source *source, const struct token_context *context, struct token *out,
                         struct error *err) {
    const struct token_source_app_service *self = (const struct token_source_app_service *)source;
    struct strbuf url;
    struct http_headers headers;
    struct http_reply reply;
    strbuf_init(&url, URL_MAX_BYTES);
    http_headers_init(&headers);
    http_reply_init(&reply);
    strbuf_append_string(&url, self->endpoint);
    strbuf_append_string(&url,
                         strchr(self->endpoint, '?') != NULL ? "&api-version=2019-08-01" : "?api-version=2019-08-01");
    token_http_add_field(&url, "resource", TOKEN_RESOURCE);
    if (self->client_id != NULL) {
        token_http_add_field(&url, "client_id", self->client_id);
    }
    http_headers_add(&headers, "X-IDENTITY-HEADER", self->header);
    enum status status = strbuf_status(&url);
    if (status != STATUS_OK) {
        error_set(err, status, "building the request: %s", status_text(status));
    } else {
        status = token_http_ask(context, url.data, &headers, NULL, TOKEN_FETCH_MS, &reply, err);
    }
    if (status == STATUS_OK) {
        status = token_http_take(context, &reply, out, err);
    }
    if (status != STATUS_OK) {
        char shown[ENDPOINT_SHOWN_BYTES];
        endpoint_check_show(self->endpoint, shown);
        error_wrap(err, "the identity endpoint of App Service, %s", shown);
    }
    http_reply_release(&reply);
    http_headers_release(&headers);
    strbuf_release(&url);
    return status;
}

void token_source_app_service_init(struct token_source_app_service *source, const char *endpoint, const char *header,
                                   const char *client_id) {
    *source = (struct token_source_app_service){
        .base = {.name = "a managed identity (App Service)", .fetch = fetch},
        .endpoint = endpoint,
        .header = header,
        .client_id = client_id,
    };
}
