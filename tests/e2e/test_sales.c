/*
 * test_sales.c - a reservation's life through a host, in each of the three shapes in which it
 * calls: made, shown, extended, sold in parts. And what is refused on the way, and what reads cost.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/uuid.h"
#include "support/calls/http_client.h"
#include "support/calls/raw_http.h"
#include "support/processes/app.h"
#include "support/processes/azurite.h"
#include "support/processes/check_main.h"

static const char *const shapes[] = {"proxy", "forward", "invocation"};
enum { FORWARD = 1, SHAPE_COUNT = 3, PATH_BYTES = 256, MANY = 1200 };

static struct azurite azurite;
static struct app apps[SHAPE_COUNT]; /* one table, as several instances have it */

static void start_all(void) {
    static const char *const settings[] = {
        "Inventory:SeedProducts=P-0=100;P-1=100;P-2=100;MANY=2000", NULL};
    azurite_start(&azurite, AZURITE_IN_MEMORY);
    for (int i = 0; i < SHAPE_COUNT; i++) {
        app_start(&apps[i], &(struct app_options){.connection_string = azurite.connection_string,
                                                  .settings = settings,
                                                  .shape = shapes[i],
                                                  .timer_schedule = "0 0 0 1 1 *"});
    }
}

static void stop_all(void) {
    for (int i = 0; i < SHAPE_COUNT; i++) {
        ck_assert_int_eq(app_stop(&apps[i], SIGTERM), 0);
        app_cleanup(&apps[i]);
    }
    azurite_cleanup(&azurite);
}

/* ---- calls: the path after /api/inventory/P-SHAPE ---- */

static struct http_reply ask(int shape, const char *method, const char *rest, const char *body) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/api/inventory/P-%d%s", shape, rest);
    return http_ask(
        (struct http_ask){.port = apps[shape].port, .path = path, .method = method, .body = body});
}

static void expect(int shape, const char *method, const char *rest, const char *body, int status,
                   const char *text) {
    struct http_reply reply = ask(shape, method, rest, body);
    ck_assert_msg(reply.status == status && strstr(reply.body.data, text) != NULL,
                  "%s %s %s: %d %s, not %d with %s", shapes[shape], method, rest, reply.status,
                  reply.body.data, status, text);
    http_reply_cleanup(&reply);
}

static void expect_post(int shape, const char *rest, const char *body, int status,
                        const char *text) {
    expect(shape, "POST", rest, body, status, text);
}

static void expect_get(int shape, const char *rest, int status, const char *text) {
    expect(shape, "GET", rest, NULL, status, text);
}

static void reserve(int shape, const char *body, char out_id[UUID_TEXT_BYTES]) {
    struct http_reply reply = ask(shape, "POST", "/reserve", body);
    ck_assert_msg(reply.status == 200, "%d %s", reply.status, reply.body.data);
    cJSON *root = http_reply_json(&reply);
    snprintf(out_id, UUID_TEXT_BYTES, "%s", json_string(root, "reservationId"));
    cJSON_Delete(root);
    http_reply_cleanup(&reply);
}

/* The path of a reservation, with what is asked of it behind it. */
static const char *path_of(const char *id, const char *what) {
    static char path[PATH_BYTES];
    snprintf(path, sizeof path, "/reservations/%s%s", id, what);
    return path;
}

/* A request with one more header. To be released. */
static struct raw_response send_with(int shape, const char *method, const char *rest,
                                     const char *header) {
    char request[512];
    struct raw_response response = {0};
    snprintf(request, sizeof request,
             "%s /api/inventory/P-%d%s HTTP/1.1\r\nHost: localhost\r\n%s\r\nContent-Length: 0\r\n"
             "Connection: close\r\n\r\n",
             method, shape, rest, header);
    int fd = raw_http_connect(apps[shape].port);
    ck_assert(raw_http_send(fd, request));
    raw_http_read(fd, &response, false);
    close(fd);
    return response;
}

static void expect_with(int shape, const char *method, const char *rest, const char *header,
                        int status, const char *text) {
    struct raw_response response = send_with(shape, method, rest, header);
    ck_assert_msg(response.status == status && strstr(response.body, text) != NULL,
                  "%s %s %s: %d %s, not %d with %s", shapes[shape], rest, header, response.status,
                  response.body, status, text);
    raw_response_cleanup(&response);
}

/* ---- tests ---- */

START_TEST(a_reservation_becomes_a_sale) {
    char id[UUID_TEXT_BYTES];
    reserve(_i, "{\"quantity\":5,\"customerId\":\"C 1\",\"lifetimeSeconds\":60}", id);
    expect_get(_i, path_of(id, ""), 200, "\"customerId\":\"C 1\",\"quantity\":5,");
    expect_post(_i, path_of(id, "/extend"), NULL, 200, "\"quantity\":5,");
    expect_get(_i, "?customerId=C%201", 200, id);
    expect_get(_i, "?customerId=C+2", 200, "\"reservedQuantity\":5,\"activeReservations\":[]");
    expect_get(_i, "?reservations=none", 200, "\"reservedQuantity\":5}");
    expect_post(_i, path_of(id, "/confirm"), "{\"quantity\":6}", 400, "\"InvalidQuantity\"");
    expect_post(_i, path_of(id, "/confirm"), "{\"customerId\":\"C\"}", 404,
                "\"ReservationNotFound\"");
    expect_post(_i, path_of(id, "/confirm"), "{\"quantity\":2}", 200,
                "\"confirmedQuantity\":2,\"remainingQuantity\":3,\"totalQuantity\":98,"
                "\"availableQuantity\":95,");
    for (int again = 0; again < 2; again++) {
        expect_post(_i, path_of(id, "/confirm"), NULL, 200,
                    "\"confirmedQuantity\":3,\"remainingQuantity\":0,\"totalQuantity\":95,");
    }
    expect_get(_i, path_of(id, ""), 404, "\"ReservationNotFound\"");
    expect_get(_i, "", 200,
               "\"totalQuantity\":95,\"availableQuantity\":95,\"reservedQuantity\":0,");
    expect_post(_i, "/adjust", "{\"delta\":5,\"reason\":\"back to where it was\"}", 200,
                "\"totalQuantity\":100,");
}
END_TEST

/* Its row is removed by the way of the second request. */
START_TEST(a_reservation_that_has_expired_is_not_sold) {
    char id[UUID_TEXT_BYTES];
    reserve(_i, "{\"quantity\":5,\"customerId\":\"C\",\"lifetimeSeconds\":1}", id);
    struct http_reply seen;
    do {
        seen = ask(_i, "GET", path_of(id, ""), NULL);
        int status = seen.status;
        http_reply_cleanup(&seen);
        if (status == 404) {
            break;
        }
        ck_assert_int_eq(status, 200);
    } while (true);
    for (int i = 0; i < 2; i++) {
        expect_post(_i, path_of(id, "/confirm"), NULL, 409, "\"ReservationExpired\"");
        expect_post(_i, path_of(id, "/extend"), "{}", 409, "\"ReservationExpired\"");
        expect_post(_i, "/adjust", i == 0 ? "{\"delta\":1}" : "{\"delta\":-1}", 200, "");
    }
    expect_get(_i, "?reservations=none", 200, "\"availableQuantity\":100,\"reservedQuantity\":0}");
}
END_TEST

static const struct bad_input {
    const char *rest, *body; /* body NULL: none, and a GET */
    int status;
    const char *code;
} bad_inputs[] = {
#define ID "01a20926-afc4-8504-a6dc-2b2239e0bd4d"
#define NEVER "ffff0926-afc4-8504-a6dc-2b2239e0bd4d"
    {"/reservations/x/confirm", "{}", 400, "InvalidReservationId"},
    {"/reservations/" ID "0/extend", "{}", 400, "InvalidReservationId"},
    {"/reservations/x", NULL, 400, "InvalidReservationId"},
    {"/reservations/" NEVER "/confirm", "{}", 404, "ReservationNotFound"},
    {"/reservations/" NEVER "/extend", "{}", 404, "ReservationNotFound"},
    {"/reservations/" NEVER, NULL, 404, "ReservationNotFound"},
    {"/reservations/" NEVER "/confirm", "[]", 400, "InvalidJson"},
    {"/reservations/" NEVER "/confirm", "{\"quantity\":0}", 400, "InvalidQuantity"},
    {"/reservations/" NEVER "/confirm", "{\"quantity\":1.5}", 400, "InvalidQuantity"},
    {"/reservations/" NEVER "/confirm", "{\"customerId\":7}", 400, "InvalidCustomerId"},
    {"/reservations/" NEVER "/extend", "{\"lifetimeSeconds\":0}", 400, "InvalidLifetime"},
    {"/reservations/" NEVER "/extend", "{\"lifetimeSeconds\":-5}", 400, "InvalidLifetime"},
    {"/reservations/" NEVER "/extend", "{\"lifetimeSeconds\":86401}", 400, "InvalidLifetime"},
    {"/reservations/" NEVER "/extend", "{\"lifetimeSeconds\":0.5}", 400, "InvalidLifetime"},
    {"/reservations/" NEVER "/extend", "{\"lifetimeSeconds\":1e300}", 400, "InvalidLifetime"},
    {"/reserve", "{\"quantity\":1,\"customerId\":\"C\",\"lifetimeSeconds\":\"1\"}", 400,
     "InvalidLifetime"},
    {"/adjust", "", 400, "InvalidJson"},
    {"/adjust", "{}", 400, "InvalidDelta"},
    {"/adjust", "{\"delta\":0}", 400, "InvalidDelta"},
    {"/adjust", "{\"delta\":0.5}", 400, "InvalidDelta"},
    {"/adjust", "{\"delta\":1,\"reason\":[]}", 400, "InvalidReason"},
    {"?reservations=all", NULL, 400, "InvalidQuery"},
    {"?reservations=none&reservations=none", NULL, 400, "InvalidQuery"},
    {"?customerId=", NULL, 400, "InvalidQuery"},
    {"?customerId=%0A", NULL, 400, "InvalidQuery"},
};

START_TEST(bad_input_is_refused_the_same_in_every_shape) {
    const struct bad_input *bad = &bad_inputs[_i];
    char code[64];
    snprintf(code, sizeof code, "{\"error\":{\"code\":\"%s\",", bad->code);
    for (int shape = 0; shape < SHAPE_COUNT; shape++) {
        expect(shape, bad->body == NULL ? "GET" : "POST", bad->rest, bad->body, bad->status, code);
    }
}
END_TEST

START_TEST(a_version_is_expected_or_known) {
    char id[UUID_TEXT_BYTES], etag[32], header[64], path[PATH_BYTES];
    reserve(_i, "{\"quantity\":3,\"customerId\":\"C\"}", id);
    struct http_reply seen = ask(_i, "GET", path_of(id, ""), NULL);
    snprintf(etag, sizeof etag, "%s", http_headers_get(&seen.headers, "ETag"));
    http_reply_cleanup(&seen);

    snprintf(path, sizeof path, "%s", path_of(id, "/confirm"));
    static const struct {
        const char *header;
        int status;
        const char *text;
    } rows[] = {{"If-Match: \"1\"", 412, "\"PreconditionFailed\""},
                {"If-Match: W/\"1\"", 412, "\"PreconditionFailed\""},
                {"If-Match: \"1\", \"2\"", 400, "\"BadRequest\""},
                {"If-Match: \"1\"\r\nIf-Match: \"1\"", 400, "\"BadRequest\""},
                {"If-Match: 1", 400, "\"BadRequest\""}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect_with(_i, "POST", path, rows[i].header, rows[i].status, rows[i].text);
    }
    snprintf(header, sizeof header, "If-None-Match: %s", etag);
    struct raw_response known = send_with(_i, "GET", "", header);
    /* A host that forwards the request cannot hand on an answer without a body. */
    ck_assert_int_eq(known.status, _i == FORWARD ? 200 : 304);
    ck_assert_int_eq(known.body[0] == '\0', _i != FORWARD);
    raw_response_cleanup(&known);
    expect_with(_i, "GET", "", "If-None-Match: \"1\"", 200, id);

    snprintf(header, sizeof header, "If-Match: %s", etag);
    for (int again = 0; again < 2; again++) { /* the second is a repeat */
        expect_with(_i, "POST", path, header, 200, "\"confirmedQuantity\":3,");
    }
    expect_post(_i, "/adjust", "{\"delta\":3}", 200, "\"totalQuantity\":100,");
}
END_TEST

START_TEST(anybody_may_ask_whether_storage_can_be_reached) {
    struct http_reply reply =
        http_ask((struct http_ask){.port = apps[_i].port, .path = "/api/health"});
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(reply.body.data, "{\"status\":\"healthy\"}");
    http_reply_cleanup(&reply);
}
END_TEST

/* ---- costs ---- */

/* Queries and reads of products; other rows are read as well, in the background. */
static int count_reads(size_t mark) {
    int count = 0;
    char *requests = azurite_requests_since(&azurite, mark);
    for (const char *at = requests; (at = strstr(at, "GET /devstoreaccount1/inventory(")) != NULL;
         at++) {
        size_t length = strcspn(at, "\n");
        count += memmem(at, length, "wait-", 5) == NULL;
    }
    free(requests);
    return count;
}

static void expect_many(const char *query, const char *text) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/api/inventory/MANY%s", query);
    struct http_reply reply = http_ask((struct http_ask){.port = apps[1].port, .path = path});
    ck_assert_int_eq(reply.status, 200);
    ck_assert_ptr_nonnull(strstr(reply.body.data, text));
    http_reply_cleanup(&reply);
}

START_TEST(a_product_without_its_list_costs_one_request_however_many_reservations_there_are) {
    static const char body[] = "{\"quantity\":1,\"customerId\":\"C\"}";
    for (int i = 0; i < MANY; i++) {
        struct http_reply reply = http_ask((struct http_ask){
            .port = apps[0].port, .path = "/api/inventory/MANY/reserve", .body = body});
        ck_assert_int_eq(reply.status, 200);
        http_reply_cleanup(&reply);
    }
    expect_many("", "\"reservedQuantity\":1200,"); /* and the store is ready */
    size_t mark = azurite_mark(&azurite);
    expect_many("?reservations=none", "\"reservedQuantity\":1200}");
    ck_assert_int_eq(count_reads(mark), 1);
    mark = azurite_mark(&azurite);
    expect_many("", "\"reservedQuantity\":1200,");
    ck_assert_int_ge(count_reads(mark), 2); /* so the count is one of reads */
}
END_TEST

int main(void) {
    Suite *suite = suite_create("sales");
    TCase *sales = tcase_create("through the host");
    tcase_set_timeout(sales, 240);
    tcase_add_unchecked_fixture(sales, start_all, stop_all);
    tcase_add_loop_test(sales, a_reservation_becomes_a_sale, 0, SHAPE_COUNT);
    tcase_add_loop_test(sales, a_reservation_that_has_expired_is_not_sold, 0, SHAPE_COUNT);
    tcase_add_loop_test(sales, bad_input_is_refused_the_same_in_every_shape, 0,
                        sizeof bad_inputs / sizeof *bad_inputs);
    tcase_add_loop_test(sales, a_version_is_expected_or_known, 0, SHAPE_COUNT);
    tcase_add_loop_test(sales, anybody_may_ask_whether_storage_can_be_reached, 0, SHAPE_COUNT);
    tcase_add_test(
        sales, a_product_without_its_list_costs_one_request_however_many_reservations_there_are);
    suite_add_tcase(suite, sales);
    return check_main(suite);
}
