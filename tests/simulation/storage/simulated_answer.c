#include "simulation/storage/simulated_answer.h"

void simulated_answer_add_header(struct strbuf *headers, const char *name, const char *value) {
    strbuf_append_string(headers, name);
    strbuf_append(headers, ": ", 2);
    strbuf_append_string(headers, value);
    strbuf_append(headers, "\r\n", 2);
}

static void refuse(struct simulated_answer *answer, struct simulated_refusal refusal,
                   const char *type) {
    answer->http_status = refusal.http_status;
    answer->code = refusal.code;
    strbuf_append_string(&answer->headers, type);
}

void simulated_answer_refuse_blob(struct simulated_answer *answer,
                                  struct simulated_refusal refusal) {
    refuse(answer, refusal, "Content-Type: application/xml\r\n");
    simulated_answer_add_header(&answer->headers, "x-ms-error-code", refusal.code);
    strbuf_append_string(&answer->body,
                         "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>");
    strbuf_append_string(&answer->body, refusal.code);
    strbuf_append_string(&answer->body, "</Code><Message>The model says: ");
    strbuf_append_string(&answer->body, refusal.code);
    strbuf_append_string(&answer->body, ".\nTime:</Message></Error>");
}

void simulated_answer_append_error(struct strbuf *out, struct simulated_refusal refusal,
                                   int index) {
    strbuf_append_string(out, "{\"odata.error\":{\"code\":\"");
    strbuf_append_string(out, refusal.code);
    strbuf_append_string(out, "\",\"message\":{\"lang\":\"en-US\",\"value\":\"");
    if (index >= 0) {
        strbuf_append_int64(out, index);
        strbuf_append_char(out, ':');
    }
    strbuf_append_string(out, "The model says: ");
    strbuf_append_string(out, refusal.code);
    strbuf_append_string(out, ".\\nTime:\"}}}");
}

void simulated_answer_refuse_table(struct simulated_answer *answer,
                                   struct simulated_refusal refusal) {
    refuse(answer, refusal, SIMULATED_JSON_TYPE);
    simulated_answer_append_error(&answer->body, refusal, -1);
}

const char *simulated_answer_reason(int http_status) {
    static const struct {
        int http_status;
        const char *reason;
    } reasons[] = {{200, "OK"},
                   {201, "Created"},
                   {202, "Accepted"},
                   {204, "No Content"},
                   {304, "Not Modified"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {409, "Conflict"},
                   {412, "Precondition Failed"},
                   {413, "Request Entity Too Large"},
                   {501, "Not Implemented"}};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].http_status == http_status) {
            return reasons[i].reason;
        }
    }
    return "Bad Request";
}
