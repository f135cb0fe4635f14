#include "http/http_transport_call.h"

#include <stdio.h>
#include <string.h>

#include "http/http_transport_sockets.h"
#include "support/fakes/http_fake.h"
#include "support/fakes/tls_server.h"
#include "support/processes/certificates.h"
#include "support/processes/check_main.h"

static struct certificates certificates;
static struct tls_server *server;
static struct transport_sockets sockets;
static struct strbuf said; /* libcurl's messages */

static void set_up(void) {
    certificates_make(&certificates);
    server = tls_server_start(&certificates.server, false);
    sockets = (struct transport_sockets){.clock = clock_system()};
    strbuf_init(&said, SIZE_MAX);
}

static void tear_down(void) {
    strbuf_cleanup(&said);
    http_transport_sockets_cleanup(&sockets);
    tls_server_stop(server);
    certificates_remove(&certificates);
}

static int keep(CURL *easy, curl_infotype type, char *text, size_t length, void *user) {
    (void)easy, (void)user;
    if (type == CURLINFO_TEXT) {
        strbuf_append(&said, text, length);
    }
    return 0;
}

/* The sockets lend their clock and are not watched. */
static CURLcode call_trusting(const char *ca_file) {
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", tls_server_port(server));
    const struct http_call wanted = {.method = "GET", .url = url, .timeout_ms = 10000};
    struct transport_call *call = NULL;
    ck_assert_int_eq(http_transport_call_new(&call, &sockets, ca_file), STATUS_OK);
    ck_assert_int_eq(http_transport_call_fill(call, &wanted), STATUS_OK);
    curl_easy_setopt(call->easy, CURLOPT_VERBOSE, 1L);
    curl_easy_setopt(call->easy, CURLOPT_DEBUGFUNCTION, keep);
    CURLcode code = curl_easy_perform(call->easy);
    http_transport_call_free(call);
    return code;
}

/* Debian's libcurl asks the folder /etc/ssl/certs as well, unless CURLOPT_CAPATH forbids that. */
START_TEST(where_a_file_is_named_nobody_else_is_trusted) {
    ck_assert_int_eq(call_trusting(certificates.ca), CURLE_OK);
    ck_assert_msg(strstr(said.data, certificates.ca) != NULL, "%s", said.data);
    ck_assert_msg(strstr(said.data, "CApath: none") != NULL, "%s", said.data);
}
END_TEST

START_TEST(without_a_file_those_that_libcurl_knows_are_trusted) {
    ck_assert_int_eq(call_trusting(NULL), CURLE_PEER_FAILED_VERIFICATION);
    ck_assert_msg(strstr(said.data, "CApath: /") != NULL, "%s", said.data);
}
END_TEST

static CURLcode send_to(struct transport_call *call, const char *url) {
    const struct http_call wanted = {.method = "GET", .url = url, .timeout_ms = 10000};
    http_transport_call_empty(call);
    ck_assert_int_eq(http_transport_call_fill(call, &wanted), STATUS_OK);
    return curl_easy_perform(call->easy);
}

static void check_target(struct http_fake *fake, size_t index, const char *expected) {
    ck_assert_uint_eq(http_fake_count(fake), index + 1);
    ck_assert_str_eq(http_fake_request(fake, index)->target, expected);
}

/* A call keeps its last origin. Other hosts, and invalid addresses, must not be sent there. */
START_TEST(a_call_goes_where_its_last_address_says) {
    struct http_fake *one = http_fake_new(), *other = http_fake_new();
    struct transport_call *call = NULL;
    char url[128];
    ck_assert_int_eq(http_transport_call_new(&call, &sockets, NULL), STATUS_OK);
    snprintf(url, sizeof url, "%s/a?b=%%20c", http_fake_url(one));
    ck_assert_int_eq(send_to(call, url), CURLE_OK);
    check_target(one, 0, "/a?b=%20c");
    snprintf(url, sizeof url, "%s/b", http_fake_url(one));
    ck_assert_int_eq(send_to(call, url), CURLE_OK);
    check_target(one, 1, "/b");
    ck_assert_int_eq(send_to(call, "http://"), CURLE_URL_MALFORMAT);
    ck_assert_int_eq(send_to(call, "http://127.0.0.1:99999/"), CURLE_URL_MALFORMAT);
    snprintf(url, sizeof url, "%s/c", http_fake_url(other));
    ck_assert_int_eq(send_to(call, url), CURLE_OK);
    check_target(other, 0, "/c");
    snprintf(url, sizeof url, "%s", http_fake_url(one)); /* without a path libcurl parses it */
    ck_assert_int_eq(send_to(call, url), CURLE_OK);
    check_target(one, 2, "/");
    snprintf(url, sizeof url, "%s/d", http_fake_url(other));
    ck_assert_int_eq(send_to(call, url), CURLE_OK);
    check_target(other, 1, "/d");
    http_transport_call_free(call);
    http_fake_free(one), http_fake_free(other);
}
END_TEST

START_TEST(so_many_headers_are_sent_and_no_more) {
    struct http_headers headers;
    struct transport_call *call = NULL;
    http_headers_init(&headers);
    for (int i = 0; i < HTTP_CALL_MAX_HEADERS; i++) {
        http_headers_addf(&headers, "X-Header", "%d", i);
    }
    const struct http_call wanted = {
        .method = "PUT", .url = "http://a/", .headers = &headers, .timeout_ms = 10000};
    ck_assert_int_eq(http_transport_call_new(&call, &sockets, NULL), STATUS_OK);
    ck_assert_int_eq(http_transport_call_fill(call, &wanted), STATUS_OK);
    int lines = 0;
    for (const struct curl_slist *line = call->lines; line != NULL; line = line->next) {
        lines++;
    }
    ck_assert_int_eq(lines, TRANSPORT_CALL_MAX_LINES);
    http_headers_add(&headers, "X-Header", "");
    http_transport_call_empty(call);
    ck_assert_int_eq(http_transport_call_fill(call, &wanted), STATUS_TOO_LARGE);
    http_transport_call_free(call);
    http_headers_cleanup(&headers);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("http_transport_call");
    TCase *tests = tcase_create("http_transport_call");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, where_a_file_is_named_nobody_else_is_trusted);
    tcase_add_test(tests, without_a_file_those_that_libcurl_knows_are_trusted);
    tcase_add_test(tests, a_call_goes_where_its_last_address_says);
    tcase_add_test(tests, so_many_headers_are_sent_and_no_more);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
