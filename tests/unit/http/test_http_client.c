#include "http/http_client.h"

#include <string.h>

#include "support/processes/check_main.h"

static struct http_reply reply;

static void fill(size_t body_bytes, size_t header_bytes) {
    http_reply_init(&reply);
    reply.body.max_bytes = 1000000; /* as for a call that allows so much */
    reply.status = 200;
    reply.sent_ms = reply.received_ms = 7;
    http_headers_addf(&reply.headers, "Token", "%0*d", (int)header_bytes, 1);
    for (size_t i = 0; i < body_bytes; i++) {
        strbuf_append_char(&reply.body, 'x');
    }
}

static void check_empty(void) {
    ck_assert(reply.status == 0 && reply.sent_ms == 0 && reply.received_ms == 0);
    ck_assert_uint_eq(reply.headers.count, 0);
    ck_assert_str_eq(reply.body.data, "");
}

START_TEST(a_cleared_reply_keeps_its_memory_and_nothing_in_it) {
    fill(100, 100);
    const char *body = reply.body.data, *text = reply.headers.text;
    ck_assert_uint_eq(reply.body.length, 100);
    size_t body_length = reply.body.length, text_length = reply.headers.text_length;
    http_reply_clear(&reply);
    check_empty();
    ck_assert_ptr_eq(reply.body.data, body);
    ck_assert_ptr_eq(reply.headers.text, text);
    for (size_t i = 0; i < body_length; i++) {
        ck_assert_int_eq(body[i], 0);
    }
    for (size_t i = 0; i < text_length; i++) {
        ck_assert_int_eq(text[i], 0);
    }
    http_reply_cleanup(&reply);
}
END_TEST

static const struct { size_t body_bytes, header_bytes; } much[] = {{100000, 1}, {1, 100000}};

/* Otherwise each of 128 idle calls could keep the 16 MB of one answer for ever. */
START_TEST(a_cleared_reply_gives_much_memory_back) {
    fill(much[_i].body_bytes, much[_i].header_bytes);
    http_reply_clear(&reply);
    check_empty();
    ck_assert_uint_eq(reply.body.capacity + reply.headers.text_capacity, 0);
    http_reply_cleanup(&reply);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("http_client");
    TCase *tcase = tcase_create("http_client");
    tcase_add_test(tcase, a_cleared_reply_keeps_its_memory_and_nothing_in_it);
    tcase_add_loop_test(tcase, a_cleared_reply_gives_much_memory_back, 0,
                        sizeof much / sizeof much[0]);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
