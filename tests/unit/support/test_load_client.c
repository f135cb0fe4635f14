#include "support/load/load_client.h"

#include <stdlib.h>
#include <string.h>

#include "support/fakes/http_fake.h"
#include "support/processes/check_main.h"

enum { PATIENCE_MS = 20000 };

static struct http_fake *server;
static struct load load;
static struct load_result result;

static void start(void) {
    server = http_fake_new();
}

static void end(void) {
    load_result_cleanup(&result);
    load_close(&load);
    http_fake_free(server);
}

static void open_clients(int count) {
    int port = atoi(strrchr(http_fake_url(server), ':') + 1);
    load_open(&load, &port, 1, count, "/reserve", "{\"quantity\":1}");
}

static void answer_with(const struct http_fake_answer *answer, int times) {
    for (int i = 0; i < times; i++) {
        http_fake_push(server, answer);
    }
}

START_TEST(every_client_sends_once_even_in_no_time_and_its_answer_is_read) {
    answer_with(&(struct http_fake_answer){.status = 409, .headers = "ETag: \"41\"\r\n"}, 3);
    open_clients(3);
    load_run(&load, 0, PATIENCE_MS, &result);
    ck_assert_uint_eq(result.count, 3);
    ck_assert_uint_eq(http_fake_count(server), 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(result.answers[i].status, 409);
        ck_assert_int_eq(result.answers[i].version, 41);
        ck_assert_int_ge(result.answers[i].received_us, result.answers[i].sent_us);
    }
    const struct http_fake_request *request = http_fake_request(server, 0);
    ck_assert_str_eq(request->method, "POST");
    ck_assert_str_eq(request->target, "/reserve");
    ck_assert_str_eq(request->body, "{\"quantity\":1}");
}
END_TEST

START_TEST(what_looks_like_a_header_in_the_body_is_none) {
    answer_with(&(struct http_fake_answer){.body = "{\r\nETag: \"7\"\r\nConnection: close\r\n}"},
                1);
    open_clients(1);
    load_run(&load, 0, PATIENCE_MS, &result);
    ck_assert_uint_eq(result.count, 1);
    ck_assert_int_eq(result.answers[0].version, 0);
}
END_TEST

START_TEST(a_client_sends_again_on_its_connection_until_time_is_over) {
    open_clients(2);
    load_run(&load, 100, PATIENCE_MS, &result);
    ck_assert_uint_gt(result.count, 4);
    ck_assert_uint_eq(http_fake_count(server), result.count);
    for (size_t i = 0; i < result.count; i++) {
        ck_assert_int_eq(result.answers[i].status, 200);
        ck_assert_int_le(http_fake_request(server, i)->connection, 2);
    }
    ck_assert_int_eq(result.ended_us - result.begun_us, 100000);
}
END_TEST

START_TEST(an_answer_that_never_comes_is_told_with_the_time_it_was_waited_for) {
    answer_with(&(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG}, 1);
    open_clients(1);
    load_run(&load, 0, 50, &result);
    ck_assert_uint_eq(result.count, 1);
    ck_assert_int_eq(result.answers[0].status, 0);
    ck_assert_int_ge(result.answers[0].received_us - result.answers[0].sent_us, 49000);
    http_fake_let_go(server);
}
END_TEST

START_TEST(an_answer_cut_short_is_none_and_the_client_comes_back) {
    answer_with(
        &(struct http_fake_answer){.behaviour = HTTP_FAKE_CUT, .body = "a body of some length"}, 1);
    open_clients(1);
    load_run(&load, 0, PATIENCE_MS, &result);
    ck_assert_uint_eq(result.count, 1);
    ck_assert_int_eq(result.answers[0].status, 0);
    load_result_cleanup(&result);
    load_run(&load, 0, PATIENCE_MS, &result);
    ck_assert_uint_eq(result.count, 1);
    ck_assert_int_eq(result.answers[0].status, 200);
}
END_TEST

START_TEST(a_connection_that_ends_with_its_answer_is_opened_anew) {
    answer_with(&(struct http_fake_answer){.headers = "Connection: close\r\n", .close_after = true},
                1);
    open_clients(1);
    load_run(&load, 0, PATIENCE_MS, &result);
    ck_assert_int_eq(result.answers[0].status, 200);
    load_result_cleanup(&result);
    load_run(&load, 0, PATIENCE_MS, &result);
    ck_assert_uint_eq(result.count, 1);
    ck_assert_int_eq(result.answers[0].status, 200);
    ck_assert_int_eq(http_fake_request(server, 1)->connection, 2);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("load_client");
    TCase *tcase = tcase_create("load_client");
    tcase_add_checked_fixture(tcase, start, end);
    tcase_add_test(tcase, every_client_sends_once_even_in_no_time_and_its_answer_is_read);
    tcase_add_test(tcase, what_looks_like_a_header_in_the_body_is_none);
    tcase_add_test(tcase, a_client_sends_again_on_its_connection_until_time_is_over);
    tcase_add_test(tcase, an_answer_that_never_comes_is_told_with_the_time_it_was_waited_for);
    tcase_add_test(tcase, an_answer_cut_short_is_none_and_the_client_comes_back);
    tcase_add_test(tcase, a_connection_that_ends_with_its_answer_is_opened_anew);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
