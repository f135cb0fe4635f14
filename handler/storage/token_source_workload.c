#include <string.h>

#include "storage/token_http.h"
#include "storage/token_source.h"

/* Editors and shells leave a line break at a file's end. */
static void trim_end(struct strbuf *text) {
    while (text->length > 0 && strchr(" \t\r\n", text->data[text->length - 1]) != NULL) {
        text->data[--text->length] = '\0';
    }
}

static enum status start(struct token_source *source, const struct platform *platform, struct error *err) {
    struct token_source_workload *self = (struct token_source_workload *)source;
    struct strbuf assertion;
    strbuf_init(&assertion, TOKEN_FILE_MAX_BYTES);
    enum status status = token_http_read_file(self->token_file, &assertion, err);
    if (status == STATUS_OK) {
        trim_end(&assertion);
        token_http_add_assertion(token_http_begin_form(&self->http, platform, &self->client), assertion.data);
        status = token_http_post_form(&self->http, &self->client, err);
    }
    strbuf_release_wipe(&assertion);
    return status;
}

void token_source_workload_init(struct token_source_workload *source, const struct token_client *client,
                                const char *token_file) {
    *source = (struct token_source_workload){
        .http.base = {.name = "a workload identity", .start = start, .cancel = token_http_cancel},
        .client = *client,
        .token_file = token_file,
    };
}
