#include "support/fakes/slow_store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/calls/raw_http.h"
#include "support/processes/check_main.h"

enum { DELAY_MS = 50, MANY = 300 };

#define OURS "11111111-1111-4111-8111-111111111111"
#define THEIRS "22222222-2222-4222-8222-222222222222"

/* --- what it remembers --- */

static struct slow_leases *leases;
static int64_t now_ms;

static void forget_all(void) {
    leases = slow_leases_new();
    now_ms = 1000;
}

static void release_leases(void) {
    slow_leases_free(leases);
}

static void assert_answer(struct slow_answer answer, int status, const char *code) {
    ck_assert_int_eq(answer.status, status);
    ck_assert_str_eq(answer.code != NULL ? answer.code : "", code);
}

static struct slow_answer put(const char *path, const char *query) {
    struct slow_request request = {"PUT", path, query, "", "", ""};
    return slow_leases_answer(leases, &request, now_ms);
}

static struct slow_answer act_on(const char *path, const char *action, const char *lease_id) {
    struct slow_request request = {"PUT", path, "comp=lease", action, lease_id, "15"};
    return slow_leases_answer(leases, &request, now_ms);
}

static struct slow_answer act(const char *action, const char *lease_id) {
    return act_on("/a/leases/x", action, lease_id);
}

static void make_blob(void) {
    assert_answer(put("/a/leases", "restype=container"), 201, "");
    assert_answer(put("/a/leases/x", ""), 201, "");
}

START_TEST(what_is_missing_is_named_and_created_once) {
    assert_answer(act("acquire", OURS), 404, "ContainerNotFound");
    assert_answer(put("/a/leases/x", ""), 404, "ContainerNotFound");
    assert_answer(put("/a/leases", "restype=container"), 201, "");
    assert_answer(put("/a/leases", "restype=container"), 409, "ContainerAlreadyExists");
    assert_answer(act("acquire", OURS), 404, "BlobNotFound");
    assert_answer(put("/a/leases/x", ""), 201, "");
    assert_answer(put("/a/leases/x", ""), 409, "BlobAlreadyExists");
    assert_answer(act("acquire", OURS), 201, "");
    assert_answer(put("/a/leases/x", ""), 412, "LeaseIdMissing");
    assert_answer(act_on("/a/leases/y", "acquire", OURS), 404, "BlobNotFound");
}
END_TEST

START_TEST(a_lease_that_somebody_holds_is_refused_to_everybody_else) {
    make_blob();
    struct slow_answer granted = act("acquire", OURS);
    assert_answer(granted, 201, "");
    ck_assert_str_eq(granted.lease_id, OURS);
    assert_answer(act("acquire", OURS), 201, "");
    assert_answer(act("acquire", THEIRS), 409, "LeaseAlreadyPresent");
    assert_answer(act("renew", THEIRS), 409, "LeaseIdMismatchWithLeaseOperation");
    assert_answer(act("release", THEIRS), 409, "LeaseIdMismatchWithLeaseOperation");
    assert_answer(act("renew", OURS), 200, "");
    assert_answer(act("release", OURS), 200, "");
    assert_answer(act("renew", OURS), 409, "LeaseNotPresentWithLeaseOperation");
    assert_answer(act("acquire", THEIRS), 201, "");
}
END_TEST

START_TEST(a_lease_runs_out_at_its_end_and_not_before) {
    make_blob();
    assert_answer(act("acquire", OURS), 201, "");
    now_ms += 14999;
    assert_answer(act("acquire", THEIRS), 409, "LeaseAlreadyPresent");
    ck_assert_int_eq(slow_leases_count(leases, now_ms).held, 1);
    ck_assert_int_eq(slow_leases_count(leases, now_ms).ran_out, 0);
    now_ms += 1;
    ck_assert_int_eq(slow_leases_count(leases, now_ms).held, 0);
    ck_assert_int_eq(slow_leases_count(leases, now_ms).ran_out, 1);
    assert_answer(act("acquire", THEIRS), 201, "");
    assert_answer(act("renew", OURS), 409, "LeaseIdMismatchWithLeaseOperation");
    ck_assert_int_eq(slow_leases_count(leases, now_ms).ran_out, 1);
}
END_TEST

START_TEST(a_renewal_prolongs_the_lease_and_one_that_came_too_late_is_counted) {
    make_blob();
    assert_answer(act("acquire", OURS), 201, "");
    now_ms += 14999;
    assert_answer(act("renew", OURS), 200, "");
    ck_assert_int_eq(slow_leases_count(leases, now_ms + 14999).ran_out, 0);
    now_ms += 15000;
    assert_answer(act("renew", OURS), 200, ""); /* nobody else took it */
    now_ms += 15000;
    assert_answer(act("release", OURS), 200, "");
    struct slow_counts counts = slow_leases_count(leases, now_ms);
    ck_assert_int_eq(counts.ran_out, 2);
    ck_assert_int_eq(counts.acquired, 1);
    ck_assert_int_eq(counts.renewed, 2);
    ck_assert_int_eq(counts.released, 1);
    ck_assert_int_eq(counts.refused, 0);
}
END_TEST

START_TEST(what_the_blob_service_would_not_take_is_refused) {
    make_blob();
    struct slow_request request = {"PUT", "/a/leases/x", "comp=lease", "acquire", OURS, "14"};
    assert_answer(slow_leases_answer(leases, &request, now_ms), 400, "InvalidHeaderValue");
    request.duration = "61";
    assert_answer(slow_leases_answer(leases, &request, now_ms), 400, "InvalidHeaderValue");
    request.duration = "-1";
    assert_answer(slow_leases_answer(leases, &request, now_ms), 201, "");
    ck_assert_int_eq(slow_leases_count(leases, INT64_MAX - 1).ran_out, 0);
    request.method = "GET";
    assert_answer(slow_leases_answer(leases, &request, now_ms), 400, "UnsupportedHttpVerb");
    assert_answer(act("acquire", "not-a-uuid"), 409, "LeaseAlreadyPresent");
    assert_answer(act("steal", OURS), 400, "InvalidHeaderValue");
    assert_answer(put("/a/leases/x", "comp=metadata"), 400, "InvalidUri");
    ck_assert_int_eq(slow_leases_count(leases, now_ms).refused, 6);
}
END_TEST

/* --- the server --- */

static struct slow_store store;

static void start_store(void) {
    slow_store_start(&store, DELAY_MS);
}

static void release_store(void) {
    slow_store_cleanup(&store);
}

static int64_t clock_ms(void) {
    return clock_now_ms(clock_system());
}

static void send_put(int fd, const char *target, const char *headers) {
    char text[1024];
    snprintf(text, sizeof text, "PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n%s\r\n", target,
             headers);
    ck_assert(raw_http_send(fd, text));
}

static int read_status(int fd) {
    static struct raw_response response;
    raw_http_read(fd, &response, false);
    raw_response_cleanup(&response);
    return response.status;
}

static int put_on(int fd, const char *target, const char *headers) {
    send_put(fd, target, headers);
    return read_status(fd);
}

#define ACQUIRE "x-ms-lease-action: acquire\r\nx-ms-lease-duration: 15\r\nx-ms-proposed-lease-id: "

START_TEST(an_answer_comes_when_its_delay_is_over_and_says_what_was_done) {
    int fd = raw_http_connect(store.port);
    int64_t begun_ms = clock_ms();
    ck_assert_int_eq(put_on(fd, "/a/leases?restype=container", ""), 201);
    ck_assert_int_ge(clock_ms() - begun_ms, DELAY_MS);
    ck_assert_int_eq(put_on(fd, "/a/leases/x", ""), 201);
    send_put(fd, "/a/leases/x?comp=lease", ACQUIRE OURS "\r\n");
    struct raw_response response = {.status = 0};
    raw_http_read(fd, &response, false);
    ck_assert_int_eq(response.status, 201);
    char value[64];
    ck_assert_str_eq(raw_response_header(&response, "x-ms-lease-id", value, sizeof value), OURS);
    raw_response_cleanup(&response);
    send_put(fd, "/a/leases/x?comp=lease", ACQUIRE THEIRS "\r\n");
    raw_http_read(fd, &response, false);
    ck_assert_int_eq(response.status, 409);
    ck_assert_str_eq(raw_response_header(&response, "x-ms-error-code", value, sizeof value),
                     "LeaseAlreadyPresent");
    raw_response_cleanup(&response);
    close(fd);
    struct slow_store_stats stats = slow_store_stats(&store);
    ck_assert_int_eq(stats.requests, 4);
    ck_assert_int_eq(stats.leases.acquired, 1);
    ck_assert_int_eq(stats.leases.held, 1);
    ck_assert_int_eq(stats.leases.refused, 1);
}
END_TEST

/* One after the other they would take MANY delays. */
START_TEST(many_connections_wait_together) {
    static int fds[MANY];
    for (int i = 0; i < MANY; i++) {
        fds[i] = raw_http_connect(store.port);
    }
    int64_t begun_ms = clock_ms();
    for (int i = 0; i < MANY; i++) {
        send_put(fds[i], "/a/leases?restype=container", "");
    }
    int created = 0;
    for (int i = 0; i < MANY; i++) {
        created += read_status(fds[i]) == 201;
    }
    ck_assert_int_eq(created, 1);
    ck_assert_int_ge(clock_ms() - begun_ms, DELAY_MS);
    ck_assert_int_lt(clock_ms() - begun_ms, MANY * DELAY_MS / 4);
    for (int i = 0; i < MANY; i++) {
        close(fds[i]);
    }
    struct slow_store_stats stats = slow_store_stats(&store);
    ck_assert_int_ge(stats.connections, MANY);
    ck_assert_int_eq(stats.requests, MANY);
    ck_assert_int_gt(stats.requests_queued, 1);
}
END_TEST

START_TEST(requests_in_pieces_and_in_one_piece_are_taken_one_by_one) {
    int fd = raw_http_connect(store.port);
    raw_http_send(fd, "PUT /a/leases?restype=container HT");
    ck_assert_int_eq(slow_store_stats(&store).requests,
                     0); /* by then it has read the first piece */
    raw_http_send(fd, "TP/1.1\r\ncontent-length: 3\r\n\r\nab");
    ck_assert_int_eq(slow_store_stats(&store).requests, 0);
    raw_http_send(fd, "cPUT /a/leases/x HTTP/1.1\r\n\r\nPUT /a/leases/x HTTP/1.1\r\n\r\n");
    ck_assert_int_eq(read_status(fd), 201);
    ck_assert_int_eq(read_status(fd), 201);
    ck_assert_int_eq(read_status(fd), 409);
    close(fd);
}
END_TEST

START_TEST(a_client_that_goes_before_its_answer_is_forgotten) {
    int fd = raw_http_connect(store.port);
    send_put(fd, "/a/leases?restype=container", "");
    close(fd);
    ck_assert_int_eq(slow_store_stats(&store).requests, 1);
    fd = raw_http_connect(store.port);
    ck_assert_int_eq(put_on(fd, "/a/leases?restype=container", ""), 409);
    close(fd);
}
END_TEST

START_TEST(a_request_without_end_is_hung_up_on) {
    int fd = raw_http_connect(store.port);
    char text[1024];
    memset(text, 'x', sizeof text);
    int64_t begun_ms = clock_ms();
    while (raw_http_send_bytes(fd, text, sizeof text)) { /* nothing but its hanging up ends this */
    }
    ck_assert_int_lt(clock_ms() - begun_ms, RAW_HTTP_TIMEOUT_S * INT64_C(1000));
    ck_assert_int_eq(slow_store_stats(&store).requests, 0);
    close(fd);
}
END_TEST

START_TEST(nothing_listens_once_it_is_released) {
    int port = store.port;
    pid_t pid = store.pid;
    slow_store_cleanup(&store);
    ck_assert_int_eq(raw_http_try_connect("127.0.0.1", port), -1);
    ck_assert_int_ne(kill(pid, 0), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("slow_store");
    TCase *remembered = tcase_create("leases");
    tcase_add_checked_fixture(remembered, forget_all, release_leases);
    tcase_add_test(remembered, what_is_missing_is_named_and_created_once);
    tcase_add_test(remembered, a_lease_that_somebody_holds_is_refused_to_everybody_else);
    tcase_add_test(remembered, a_lease_runs_out_at_its_end_and_not_before);
    tcase_add_test(remembered, a_renewal_prolongs_the_lease_and_one_that_came_too_late_is_counted);
    tcase_add_test(remembered, what_the_blob_service_would_not_take_is_refused);
    suite_add_tcase(suite, remembered);
    TCase *server = tcase_create("server");
    tcase_add_checked_fixture(server, start_store, release_store);
    tcase_add_test(server, an_answer_comes_when_its_delay_is_over_and_says_what_was_done);
    tcase_add_test(server, many_connections_wait_together);
    tcase_add_test(server, requests_in_pieces_and_in_one_piece_are_taken_one_by_one);
    tcase_add_test(server, a_client_that_goes_before_its_answer_is_forgotten);
    tcase_add_test(server, a_request_without_end_is_hung_up_on);
    tcase_add_test(server, nothing_listens_once_it_is_released);
    suite_add_tcase(suite, server);
    return check_main(suite);
}
