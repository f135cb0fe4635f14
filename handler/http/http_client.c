#include "http/http_client.h"

void http_reply_init(struct http_reply *reply) {
    *reply = (struct http_reply){0};
    http_headers_init(&reply->headers);
    strbuf_init(&reply->body, 0);
}

void http_reply_release(struct http_reply *reply) {
    http_headers_release(&reply->headers);
    strbuf_release_wipe(&reply->body);
    http_reply_init(reply);
}
