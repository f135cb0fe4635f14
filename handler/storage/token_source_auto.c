#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "storage/token_source.h"

enum { REASON_SHOWN = 160, TRIED_MAX_BYTES = 2048 };

/* One after the other; `tried` gets what each said. */
static enum status try_each(struct token_source_auto *self, const struct token_context *context, struct token *out,
                            struct strbuf *tried, struct error *err) {
    for (size_t i = 0; i < self->count; i++) {
        const struct token_source_choice *choice = &self->choices[i];
        struct error why;
        error_set(&why, STATUS_NOT_FOUND, "%s", choice->missing != NULL ? choice->missing : "");
        enum status status = STATUS_NOT_FOUND;
        if (choice->source != NULL) {
            status = choice->source->fetch(choice->source, context, out, &why);
        }
        if (status == STATUS_OK) {
            self->chosen = choice->source;
            self->base.name = choice->source->name;
            log_event(LOG_INFORMATION, "Signing in to storage with %s", self->chosen->name);
            return STATUS_OK;
        }
        if (status != STATUS_NOT_FOUND) { /* it is there, so it is the one, and its trouble is ours */
            if (err != NULL) {
                *err = why;
            }
            return status;
        }
        strbuf_appendf(tried, "%s%s: %.*s", i == 0 ? "" : "; ", choice->label, REASON_SHOWN, why.message);
    }
    return error_set(err, STATUS_NOT_FOUND, "no way to sign in; tried %s", tried->data);
}

static enum status fetch(struct token_source *source, const struct token_context *context, struct token *out,
                         struct error *err) {
    struct token_source_auto *self = (struct token_source_auto *)source;
    if (self->chosen != NULL) {
        return self->chosen->fetch(self->chosen, context, out, err);
    }
    struct strbuf tried;
    strbuf_init(&tried, TRIED_MAX_BYTES);
    enum status status = try_each(self, context, out, &tried, err);
    strbuf_release(&tried);
    return status;
}

void token_source_auto_init(struct token_source_auto *source) {
    *source = (struct token_source_auto){.base = {.name = "the first of several ways that serves", .fetch = fetch}};
}
