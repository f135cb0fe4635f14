#include <stdio.h>
#include <string.h>

#include "identity/endpoint_check.h"
#include "identity/token_http.h"
#include "identity/token_source.h"

static void on_app_service_answer(struct token_http_source *source, enum status status,
                                  const struct http_reply *reply, struct error *err) {
    struct token token;
    token_init(&token);
    if (status == STATUS_OK) {
        status = token_http_read(source->platform, reply, false, &token, err);
    }
    token_http_end(source, status, &token, err);
    token_cleanup(&token);
}

static enum status app_service_start(struct token_source *source, const struct platform *platform,
                                     struct error *err) {
    struct token_source_app_service *self = (struct token_source_app_service *)source;
    struct token_http_source *http = &self->http;
    struct strbuf *url = &http->url;
    char shown[ENDPOINT_SHOWN_BYTES];
    endpoint_check_show(self->endpoint, shown);
    snprintf(http->endpoint, sizeof http->endpoint, "the identity endpoint of App Service, %s",
             shown);
    token_http_begin(http, platform);
    strbuf_append_string(url, self->endpoint);
    strbuf_append_string(url, strchr(self->endpoint, '?') != NULL ? "&api-version=2019-08-01"
                                                                  : "?api-version=2019-08-01");
    token_http_add_field(url, "resource", TOKEN_RESOURCE);
    if (self->client_id != NULL) {
        token_http_add_field(url, "client_id", self->client_id);
    }
    http_headers_add(&http->headers, "X-IDENTITY-HEADER", self->header);
    return token_http_ask(http, TOKEN_FETCH_MS, on_app_service_answer, err);
}

void token_source_app_service_init(struct token_source_app_service *source, const char *endpoint,
                                   const char *header, const char *client_id) {
    *source = (struct token_source_app_service){
        .http.base = {.name = "a managed identity (App Service)",
                      .start = app_service_start,
                      .cancel = token_http_cancel},
        .endpoint = endpoint,
        .header = header,
        .client_id = client_id,
    };
}
