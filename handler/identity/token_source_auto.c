#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "identity/token_source.h"

enum { REASON_SHOWN_BYTES = 160 };

/* Notes why the asked choice does not serve, and goes on to the next. */
static void skip_choice(struct token_source_auto *self, const char *why) {
    size_t length = strlen(self->tried);
    snprintf(self->tried + length, sizeof self->tried - length, "%s%s: %.*s",
             self->asked == 0 ? "" : "; ", self->choices[self->asked].label, REASON_SHOWN_BYTES,
             why);
    self->asked++;
}

static void on_choice_fetched(void *context, enum status status, struct token *token,
                              const struct error *err);

/*
 * Starts the next choice that can be started. A choice that fails with any status but
 * STATUS_NOT_FOUND exists, so it is the one to use, and its failure ends the fetch.
 */
static enum status ask_next(struct token_source_auto *self, struct error *err) {
    while (self->asked < self->count) {
        const struct token_source_choice *choice = &self->choices[self->asked];
        struct error why;
        enum status status =
            error_set(&why, STATUS_NOT_FOUND, "%s", choice->missing != NULL ? choice->missing : "");
        if (choice->source != NULL) {
            status =
                token_source_start(choice->source, self->platform, on_choice_fetched, self, &why);
        }
        if (status != STATUS_NOT_FOUND) {
            if (status != STATUS_OK && err != NULL) {
                *err = why;
            }
            return status;
        }
        skip_choice(self, why.message);
    }
    return error_set(err, STATUS_NOT_FOUND, "no way to sign in; tried %s", self->tried);
}

static void on_choice_fetched(void *context, enum status status, struct token *token,
                              const struct error *err) {
    struct token_source_auto *self = context;
    struct error failure = *err;
    if (status == STATUS_OK) {
        self->chosen = self->choices[self->asked].source;
        self->base.name = self->chosen->name;
        log_event(LOG_INFORMATION, "Signing in to storage with %s", self->chosen->name);
    } else if (status == STATUS_NOT_FOUND) {
        skip_choice(self, err->message);
        status = ask_next(self, &failure);
        if (status == STATUS_OK) {
            return;
        }
    }
    self->base.done(self->base.done_context, status, token, &failure);
}

static enum status auto_start(struct token_source *source, const struct platform *platform,
                              struct error *err) {
    struct token_source_auto *self = (struct token_source_auto *)source;
    if (self->chosen != NULL) {
        return token_source_start(self->chosen, platform, source->done, source->done_context, err);
    }
    self->platform = platform;
    self->asked = 0;
    self->tried[0] = '\0';
    return ask_next(self, err);
}

static void auto_cancel(struct token_source *source) {
    const struct token_source_auto *self = (const struct token_source_auto *)source;
    if (self->chosen != NULL) {
        token_source_cancel(self->chosen);
    } else if (self->asked < self->count && self->choices[self->asked].source != NULL) {
        token_source_cancel(self->choices[self->asked].source);
    }
}

void token_source_auto_init(struct token_source_auto *source) {
    *source = (struct token_source_auto){.base = {.name = "the first of several ways that serves",
                                                  .start = auto_start,
                                                  .cancel = auto_cancel}};
}
