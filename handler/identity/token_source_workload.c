#include <string.h>

#include "identity/token_http.h"
#include "identity/token_source.h"

/* Removes white space at the end: editors and shells leave a line break there. */
static void trim_end(struct strbuf *text) {
    while (text->length > 0 && strchr(" \t\r\n", text->data[text->length - 1]) != NULL) {
        text->data[--text->length] = '\0';
    }
}

static enum status ask_with_file(struct token_http_source *source, struct strbuf *text,
                                 struct error *err) {
    const struct token_source_workload *self = (const struct token_source_workload *)source;
    trim_end(text);
    token_http_add_assertion(token_http_begin_form(source, source->platform, &self->client),
                             text->data);
    return token_http_post_form(source, &self->client, err);
}

static enum status workload_start(struct token_source *source, const struct platform *platform,
                                  struct error *err) {
    struct token_source_workload *self = (struct token_source_workload *)source;
    return token_http_read_file(&self->http, platform, self->token_file, ask_with_file, err);
}

void token_source_workload_init(struct token_source_workload *source,
                                const struct token_client *client, const char *token_file) {
    *source = (struct token_source_workload){
        .http.base = {.name = "a workload identity",
                      .start = workload_start,
                      .cancel = token_http_cancel},
        .client = *client,
        .token_file = token_file,
    };
}
