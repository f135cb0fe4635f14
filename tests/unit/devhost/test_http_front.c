/* http_front: requests to functions, to nothing, and to the host itself. */
#include "devhost/http_front.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/fakes/stub_host.h"
#include "support/processes/check_main.h"

static struct stub_host host;
static char last_line[256];

static bool serve(void *context, const struct stub_request *request) {
    (void)context;
    snprintf(last_line, sizeof last_line, "%.*s", (int)strcspn(request->head, "\n"), request->head);
    return stub_handler_answer(request, "200 OK", "Content-Type: application/json\r\n",
                               "{\"Outputs\":{}}");
}

static void set_up(void) {
    last_line[0] = '\0';
    stub_host_start(&host, &(struct stub_host_options){.shape = HOST_SHAPE_PROXY});
    stub_host_handle(&host, serve, NULL);
}

static void tear_down(void) {
    stub_host_stop(&host);
}

static int ask(const char *method, const char *path, const char *body) {
    char text[512];
    snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s",
             method, path, strlen(body), body);
    return stub_host_status(&host, text);
}

START_TEST(what_has_no_route_and_method_is_not_found) {
    ck_assert_int_eq(ask("DELETE", "/api/things/x", ""), 404);
    ck_assert_int_eq(ask("HEAD", "/api/things/x", ""), 404);
    ck_assert_int_eq(ask("GET", "/api/other", ""), 404);
    ck_assert_int_eq(ask("GET", "/api/things/x/../", ""), 404);
    ck_assert_int_eq(ask("POST", "/Clean", "{}"), 404);
    ck_assert_int_eq(ask("GET", "/", ""), 404);
    ck_assert_int_eq(ask("OPTIONS", "*", ""), 404);
    ck_assert_int_eq(ask("CONNECT", "h", ""), 404);
    ck_assert_int_eq(stub_handler_count(), 0);
}
END_TEST

START_TEST(a_disabled_function_has_no_route) {
    struct route_values params;
    ck_assert_ptr_nonnull(http_front_find(&host.config, "GET", "/api/things/x", &params));
    host.config.functions[1].is_disabled = true;
    ck_assert_str_eq(host.config.functions[1].name, "Get");
    ck_assert_ptr_null(http_front_find(&host.config, "GET", "/api/things/x", &params));
}
END_TEST

START_TEST(a_function_is_run_by_hand_with_a_json_body_alone) {
    ck_assert_int_eq(ask("POST", "/admin/functions/clean", "{\"input\":\"\"}"), 202);
    while (stub_handler_count() == 0) {
        usleep(1000);
    }
    ck_assert_int_eq(ask("POST", "/admin/functions/Clean", ""), 400);
    ck_assert_int_eq(ask("POST", "/admin/functions/Clean", "no"), 400);
    ck_assert_int_eq(ask("POST", "/admin/functions/Clean", "null"), 400);
    ck_assert_int_eq(ask("POST", "/admin/functions/Nothing", ""), 400);
    ck_assert_int_eq(ask("POST", "/admin/functions/Nothing", "{}"), 404);
    ck_assert_int_eq(ask("GET", "/admin/functions/Clean", ""), 404);
    ck_assert_int_eq(ask("POST", "/admin/functions/Get", "{}"), 202);
    ck_assert_int_eq(stub_handler_count(), 1);
    ck_assert_str_eq(last_line, "POST /Clean HTTP/1.1");
}
END_TEST

START_TEST(a_refused_head_ends_the_connection_and_others_keep_it) {
    struct raw_response response = {0};
    int fd = raw_http_connect(front_server_port(host.server));
    ck_assert(raw_http_send(fd, "GET /nothing HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
                                "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n"
                                "GET /nothing HTTP/1.1\r\n\r\n"));
    for (int i = 0; i < 3; i++) {
        raw_http_read(fd, &response, false);
        ck_assert_int_eq(response.status, i < 2 ? 404 : 400);
        ck_assert_uint_eq(response.body_length, 0);
    }
    raw_response_cleanup(&response);
    ck_assert(raw_http_is_closed(fd));
    close(fd);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("http_front");
    TCase *tcase = tcase_create("http_front");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, what_has_no_route_and_method_is_not_found);
    tcase_add_test(tcase, a_disabled_function_has_no_route);
    tcase_add_test(tcase, a_function_is_run_by_hand_with_a_json_body_alone);
    tcase_add_test(tcase, a_refused_head_ends_the_connection_and_others_keep_it);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
