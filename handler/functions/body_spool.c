#include "functions/body_spool.h"

#include "base/http_message.h"
#include "base/json.h"
#include "base/log.h"
#include "base/temp_file.h"
#include "functions/function.h"
#include "functions/invocation.h"

void body_spool_init(struct body_spool *spool, const struct function_run *run) {
    *spool = (struct body_spool){.folder = run->temp_folder, .is_escaped = run->is_invocation};
    strbuf_init(&spool->text, run->response->body.max_bytes);
    strbuf_init(&spool->escaped, SIZE_MAX);
}

void body_spool_cleanup(struct body_spool *spool) {
    strbuf_cleanup(&spool->text);
    strbuf_cleanup(&spool->escaped);
    temp_file_free(spool->file);
    spool->file = NULL;
}

void body_spool_clear(struct body_spool *spool) {
    strbuf_clear(&spool->text);
    temp_file_free(spool->file);
    spool->file = NULL;
}

static enum status check_text(const struct strbuf *text, struct error *err) {
    enum status status = strbuf_status(text);
    return status == STATUS_OK ? STATUS_OK : error_set(err, status, "keeping a long answer");
}

/* Writes the text to the file, as it stands in a JSON string if the body will be in one. */
static enum status flush_text(struct body_spool *spool, struct error *err) {
    const struct strbuf *out = &spool->text;
    size_t quote_bytes = 0;
    if (spool->is_escaped) {
        strbuf_clear(&spool->escaped);
        json_append_string(&spool->escaped, spool->text.data);
        out = &spool->escaped;
        quote_bytes = 1;
    }
    enum status status = check_text(out, err);
    if (status == STATUS_OK) {
        status = temp_file_append(spool->file, out->data + quote_bytes,
                                  out->length - 2 * quote_bytes, err);
    }
    strbuf_clear(&spool->text);
    return status;
}

/* Makes the file if there can be one. Otherwise all stays in memory from now on. */
static void make_file(struct body_spool *spool) {
    struct error err;
    if (spool->folder != NULL && temp_file_new(spool->folder, &spool->file, &err) != STATUS_OK) {
        log_event(LOG_WARNING, "A long answer is kept in memory: %s", err.message);
        spool->folder = NULL;
    }
}

enum status body_spool_added(struct body_spool *spool, struct error *err) {
    enum status status = check_text(&spool->text, err);
    if (status == STATUS_OK && spool->file == NULL &&
        spool->text.length > BODY_SPOOL_MEMORY_BYTES) {
        make_file(spool);
    }
    if (status == STATUS_OK && spool->file != NULL && spool->text.length > BODY_SPOOL_BLOCK_BYTES) {
        status = flush_text(spool, err);
    }
    return status;
}

static enum status finish_in_memory(struct body_spool *spool, const char *after,
                                    struct strbuf *body, struct error *err) {
    strbuf_append(body, spool->text.data, spool->text.length);
    strbuf_append_string(body, after);
    strbuf_cleanup(&spool->text);
    return check_text(body, err);
}

static enum status finish_in_file(struct body_spool *spool, const char *after,
                                  struct http_response *response, struct error *err) {
    strbuf_append_string(&spool->text, after);
    enum status status = check_text(&response->body, err);
    if (status == STATUS_OK) {
        status = flush_text(spool, err);
    }
    if (status == STATUS_OK && spool->is_escaped) {
        status = temp_file_append(spool->file, INVOCATION_AFTER_BODY,
                                  sizeof INVOCATION_AFTER_BODY - 1, err);
    }
    if (status == STATUS_OK) {
        response->rest = spool->file;
        spool->file = NULL;
    }
    return status;
}

enum status body_spool_finish(struct body_spool *spool, const char *after,
                              struct http_response *response, struct error *err) {
    enum status status = spool->file == NULL ? finish_in_memory(spool, after, &response->body, err)
                                             : finish_in_file(spool, after, response, err);
    if (status != STATUS_OK) {
        strbuf_clear(&response->body);
    }
    return status;
}
