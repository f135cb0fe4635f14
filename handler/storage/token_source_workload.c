#include <string.h>

#include "storage/token_http.h"
#include "storage/token_source.h"

enum { FORM_MAX_BYTES = 4 * TOKEN_FILE_MAX_BYTES };

/* Editors and shells leave a line break at a file's end. */
static void trim_end(struct strbuf *text) {
    while (text->length > 0 && strchr(" \t\r\n", text->data[text->length - 1]) != NULL) {
        text->data[--text->length] = '\0';
    }
}

static enum status fetch(struct token_source *source, const struct token_context *context, struct token *out,
                         struct error *err) {
    const struct token_source_workload *self = (const struct token_source_workload *)source;
    struct strbuf assertion, form;
    strbuf_init(&assertion, TOKEN_FILE_MAX_BYTES);
    strbuf_init(&form, FORM_MAX_BYTES);
    enum status status = token_http_read_file(self->token_file, &assertion, err);
    if (status == STATUS_OK) {
        trim_end(&assertion);
        token_http_begin_form(&form, &self->client);
        token_http_add_assertion(&form, assertion.data);
        status = token_http_exchange(context, &self->client, &form, out, err);
    }
    strbuf_release_wipe(&form);
    strbuf_release_wipe(&assertion);
    return status;
}

void token_source_workload_init(struct token_source_workload *source, const struct token_client *client,
                                const char *token_file) {
    *source = (struct token_source_workload){
        .base = {.name = "a workload identity", .fetch = fetch}, .client = *client, .token_file = token_file};
}
