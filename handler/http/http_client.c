#include "http/http_client.h"

void http_reply_init(struct http_reply *reply) {
    *reply = (struct http_reply){0};
    http_headers_init(&reply->headers);
    strbuf_init(&reply->body, 0);
}

void http_reply_clear(struct http_reply *reply) {
    enum { KEPT_BODY_BYTES = 8 * 1024, KEPT_HEADER_BYTES = 4 * 1024 };
    if (reply->body.capacity > KEPT_BODY_BYTES ||
        reply->headers.text_capacity > KEPT_HEADER_BYTES) {
        http_reply_cleanup(reply);
        return;
    }
    http_headers_clear(&reply->headers);
    strbuf_clear_wipe(&reply->body);
    reply->status = 0;
    reply->sent_ms = reply->received_ms = 0;
}

void http_reply_cleanup(struct http_reply *reply) {
    http_headers_cleanup(&reply->headers);
    strbuf_cleanup_wipe(&reply->body);
    http_reply_init(reply);
}
