/* The four functions through a host, in each of the three shapes in which it calls. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/calls/http_client.h"
#include "support/calls/raw_http.h"
#include "support/processes/app.h"
#include "support/processes/azurite.h"
#include "support/processes/check_main.h"

static const char *const shapes[] = {"proxy", "forward", "invocation"};
enum { SHAPE_COUNT = 3, BIG_BODY_BYTES = 64 * 1024 };

static struct azurite azurite;
static struct app apps[SHAPE_COUNT]; /* one table, as several instances have it */

static void start_all(void) {
    azurite_start(&azurite, AZURITE_IN_MEMORY);
    for (int i = 0; i < SHAPE_COUNT; i++) {
        app_start(&apps[i], &(struct app_options){.connection_string = azurite.connection_string,
                                                  .shape = shapes[i]});
    }
}

static void stop_all(void) {
    for (int i = 0; i < SHAPE_COUNT; i++) {
        int exit_code = app_stop(&apps[i], SIGTERM);
        if (exit_code != 0) {
            fprintf(stderr, "devhost ended with %d:\n%s\n", exit_code,
                    process_output_from(&apps[i].process, 0));
        }
        ck_assert_int_eq(exit_code, 0);
        app_cleanup(&apps[i]);
    }
    azurite_cleanup(&azurite);
}

static struct http_reply post(int shape, const char *path, const char *body) {
    return http_ask(
        (struct http_ask){.port = apps[shape].port, .path = path, .method = "POST", .body = body});
}

static struct http_reply get(int shape, const char *path) {
    return http_ask((struct http_ask){.port = apps[shape].port, .path = path});
}

/* The keys of an object in their order, as "a,b,c". */
static void keys_of(const cJSON *object, char *out, size_t size) {
    out[0] = '\0';
    for (const cJSON *item = object->child; item != NULL; item = item->next) {
        snprintf(out + strlen(out), size - strlen(out), "%s%s", item->prev->next == NULL ? "" : ",",
                 item->string);
    }
}

static void assert_keys(const cJSON *object, const char *expected) {
    char keys[512];
    keys_of(object, keys, sizeof keys);
    ck_assert_str_eq(keys, expected);
}

static int64_t number(const cJSON *object, const char *key) {
    int64_t value = INT64_MIN;
    ck_assert_msg(json_int64(object, key, &value), "%s is not a number", key);
    return value;
}

static const char *text(const cJSON *object, const char *key) {
    const char *value = json_string(object, key);
    ck_assert_msg(value != NULL, "%s is not a string", key);
    return value;
}

static void assert_json_header(const struct http_reply *reply) {
    const char *type = http_headers_get(&reply->headers, "Content-Type");
    ck_assert_msg(type != NULL &&
                      strncmp(type, "application/json", strlen("application/json")) == 0,
                  "Content-Type: %s", type == NULL ? "none" : type);
}

/* {"error":{"code":CODE,"message":...}} and nothing else. */
static void assert_error(struct http_reply *reply, int status, const char *code) {
    ck_assert_msg(reply->status == status, "%d instead of %d %s: %s", reply->status, status, code,
                  reply->body.data);
    assert_json_header(reply);
    cJSON *body = http_reply_json(reply);
    assert_keys(body, "error");
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(body, "error");
    assert_keys(error, "code,message");
    ck_assert_str_eq(text(error, "code"), code);
    ck_assert_str_ne(text(error, "message"), "");
    cJSON_Delete(body);
    http_reply_cleanup(reply);
}

START_TEST(a_reservation_is_made_seen_and_released) {
    int shape = _i;
    char body[128], customer[32];
    snprintf(customer, sizeof customer, "CUST-%s", shapes[shape]);
    snprintf(body, sizeof body, "{\"quantity\":5,\"customerId\":\"%s\"}", customer);

    struct http_reply reply = post(shape, "/api/inventory/PROD-001/reserve", body);
    ck_assert_msg(reply.status == 200, "%d %s", reply.status, reply.body.data);
    assert_json_header(&reply);
    cJSON *reserved = http_reply_json(&reply);
    assert_keys(reserved, "success,productId,requestedQuantity,availableQuantity,reservationId,"
                          "expiresAt,message,acquiredLease");
    ck_assert(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(reserved, "success")));
    ck_assert(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(reserved, "acquiredLease")));
    ck_assert_str_eq(text(reserved, "productId"), "PROD-001");
    ck_assert_str_eq(text(reserved, "message"), "Successfully reserved 5 units");
    ck_assert_int_eq(number(reserved, "requestedQuantity"), 5);
    int64_t available = number(reserved, "availableQuantity");
    const char *etag = http_headers_get(&reply.headers, "ETag");
    ck_assert_ptr_nonnull(etag);
    ck_assert_int_eq(etag[0], '"');

    struct http_reply seen = get(shape, "/api/inventory/PROD-001");
    ck_assert_int_eq(seen.status, 200);
    ck_assert_str_eq(http_headers_get(&seen.headers, "ETag"), etag);
    cJSON *product = http_reply_json(&seen);
    assert_keys(product,
                "productId,totalQuantity,availableQuantity,reservedQuantity,activeReservations");
    ck_assert_int_eq(number(product, "totalQuantity"), 100);
    ck_assert_int_eq(number(product, "availableQuantity"), available);
    ck_assert_int_eq(number(product, "availableQuantity") + number(product, "reservedQuantity"),
                     100);
    const cJSON *row =
        cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(product, "activeReservations"), 0);
    assert_keys(row, "reservationId,customerId,quantity,reservedAt,expiresAt");
    ck_assert_str_eq(text(row, "reservationId"), text(reserved, "reservationId"));
    ck_assert_str_eq(text(row, "expiresAt"), text(reserved, "expiresAt"));
    ck_assert_str_eq(text(row, "customerId"), customer);

    struct http_reply released = post(shape, "/api/inventory/PROD-001/release", body);
    ck_assert_msg(released.status == 200, "%d %s", released.status, released.body.data);
    cJSON *release = http_reply_json(&released);
    assert_keys(release, "success,productId,releasedQuantity,newAvailableQuantity,message");
    ck_assert_str_eq(text(release, "message"), "Successfully released 5 units");
    ck_assert_int_eq(number(release, "newAvailableQuantity"), available + 5);
    struct http_reply again = post(shape, "/api/inventory/PROD-001/release", body);
    ck_assert_int_eq(again.status, 404);
    cJSON *nothing = http_reply_json(&again);
    ck_assert_str_eq(text(nothing, "message"), "No active reservations found for this customer");
    ck_assert_int_eq(number(nothing, "releasedQuantity"), 0);

    cJSON_Delete(reserved), cJSON_Delete(product), cJSON_Delete(release), cJSON_Delete(nothing);
    http_reply_cleanup(&reply), http_reply_cleanup(&seen), http_reply_cleanup(&released),
        http_reply_cleanup(&again);
}
END_TEST

START_TEST(more_than_there_is_cannot_be_reserved) {
    struct http_reply reply =
        post(_i, "/api/inventory/PROD-002/reserve", "{\"quantity\":51,\"customerId\":\"C\"}");
    ck_assert_int_eq(reply.status, 409);
    cJSON *body = http_reply_json(&reply);
    ck_assert_str_eq(text(body, "message"), "Insufficient inventory. Available: 50");
    ck_assert(cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(body, "success")));
    ck_assert(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(body, "reservationId")));
    ck_assert(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(body, "acquiredLease")));
    ck_assert_ptr_nonnull(http_headers_get(&reply.headers, "ETag"));
    cJSON_Delete(body);
    http_reply_cleanup(&reply);
}
END_TEST

START_TEST(a_reservation_made_on_one_instance_is_seen_and_released_on_another) {
    int other = (_i + 1) % SHAPE_COUNT;
    struct http_reply reply = post(_i, "/api/inventory/PROD-003/reserve",
                                   "{\"quantity\":7,\"customerId\":\"ELSEWHERE\"}");
    ck_assert_int_eq(reply.status, 200);
    struct http_reply seen = get(other, "/api/inventory/PROD-003");
    ck_assert_ptr_nonnull(strstr(seen.body.data, "\"ELSEWHERE\""));
    struct http_reply released = post(other, "/api/inventory/PROD-003/release",
                                      "{\"quantity\":7,\"customerId\":\"ELSEWHERE\"}");
    ck_assert_int_eq(released.status, 200);
    struct http_reply gone = get(_i, "/api/inventory/PROD-003");
    ck_assert_ptr_null(strstr(gone.body.data, "\"ELSEWHERE\""));
    http_reply_cleanup(&reply), http_reply_cleanup(&seen), http_reply_cleanup(&released),
        http_reply_cleanup(&gone);
}
END_TEST

START_TEST(release_by_id_takes_that_reservation) {
    struct http_reply first =
        post(_i, "/api/inventory/PROD-003/reserve", "{\"quantity\":2,\"customerId\":\"BY-ID\"}");
    struct http_reply second =
        post(_i, "/api/inventory/PROD-003/reserve", "{\"quantity\":3,\"customerId\":\"BY-ID\"}");
    cJSON *reserved = http_reply_json(&second);
    char body[256];
    snprintf(body, sizeof body,
             "{\"quantity\":10,\"customerId\":\"BY-ID\",\"reservationId\":\"%s\"}",
             text(reserved, "reservationId"));
    struct http_reply released = post(_i, "/api/inventory/PROD-003/release", body);
    cJSON *release = http_reply_json(&released);
    ck_assert_int_eq(number(release, "releasedQuantity"), 3);
    cJSON_Delete(reserved), cJSON_Delete(release);
    http_reply_cleanup(&first), http_reply_cleanup(&second), http_reply_cleanup(&released);
    http_reply_cleanup(&(struct http_reply[]){post(
        _i, "/api/inventory/PROD-003/release", "{\"quantity\":10,\"customerId\":\"BY-ID\"}")}[0]);
}
END_TEST

/* Every row of the error table, with the inputs that should meet it. */
static const struct bad_input {
    const char *path;
    const char *body;
    size_t length; /* 0: strlen(body) */
    const char *content_type;
    int status;
    const char *code;
} bad_inputs[] = {
#define RESERVE "/api/inventory/PROD-001/reserve"
#define RELEASE "/api/inventory/PROD-001/release"
    {RESERVE, "", 0, NULL, 400, "InvalidJson"},
    {RESERVE, "nonsense", 0, NULL, 400, "InvalidJson"},
    {RESERVE, "[]", 0, NULL, 400, "InvalidJson"},
    {RESERVE, "null", 0, NULL, 400, "InvalidJson"},
    {RESERVE, "{\"quantity\":1,\"customerId\":\"C\"} x", 0, NULL, 400, "InvalidJson"},
    {RESERVE, "{\"quantity\":NaN,\"customerId\":\"C\"}", 0, NULL, 400, "InvalidJson"},
    {RESERVE, "{\"quantity\":1,\"quantity\":2,\"customerId\":\"C\"}", 0, NULL, 400, "InvalidJson"},
    {RESERVE, "{\"quantity\":1,\"Quantity\":1,\"customerId\":\"C\"}", 0, NULL, 400, "InvalidJson"},
    {RESERVE, "\xEF\xBB\xBF", 0, NULL, 400, "InvalidJson"},
    {RESERVE, "\xEF\xBB\xBF\xEF\xBB\xBF{\"quantity\":1,\"customerId\":\"C\"}", 0, NULL, 400,
     "InvalidJson"},
    {RESERVE, "{\"quantity\":4.99999999999999999999,\"customerId\":\"C\"}", 0, NULL, 400,
     "InvalidQuantity"},
    {RESERVE, "{\"quantity\":1,\"customerId\":\"C\\u0000D\"}", 0, NULL, 400, "InvalidCustomerId"},
    {RELEASE, "{\"quantity\":1,\"customerId\":\"C\",\"reservationId\":\"\\u0000\"}", 0, NULL, 400,
     "InvalidReservationId"},
    {RESERVE, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 0, NULL, 400,
     "InvalidJson"},
    {RESERVE, "{\"customerId\":\"C\"}", 0, NULL, 400, "InvalidQuantity"},
    {RESERVE, "{\"quantity\":\"5\",\"customerId\":\"C\"}", 0, NULL, 400, "InvalidQuantity"},
    {RESERVE, "{\"quantity\":1.5,\"customerId\":\"C\"}", 0, NULL, 400, "InvalidQuantity"},
    {RESERVE, "{\"quantity\":0,\"customerId\":\"C\"}", 0, NULL, 400, "InvalidQuantity"},
    {RESERVE, "{\"quantity\":-1,\"customerId\":\"C\"}", 0, NULL, 400, "InvalidQuantity"},
    {RESERVE, "{\"quantity\":1000001,\"customerId\":\"C\"}", 0, NULL, 400, "InvalidQuantity"},
    {RESERVE, "{\"quantity\":1e400,\"customerId\":\"C\"}", 0, NULL, 400, "InvalidQuantity"},
    {RESERVE, "{\"quantity\":99999999999999999999999999,\"customerId\":\"C\"}", 0, NULL, 400,
     "InvalidQuantity"},
    {RESERVE, "{\"quantity\":true,\"customerId\":\"C\"}", 0, NULL, 400, "InvalidQuantity"},
    {RESERVE, "{\"quantity\":1}", 0, NULL, 400, "InvalidCustomerId"},
    {RESERVE, "{\"quantity\":1,\"customerId\":7}", 0, NULL, 400, "InvalidCustomerId"},
    {RESERVE, "{\"quantity\":1,\"customerId\":\"\"}", 0, NULL, 400, "InvalidCustomerId"},
    {RESERVE, "{\"quantity\":1,\"customerId\":\"a\\nb\"}", 0, NULL, 400, "InvalidCustomerId"},
    {RELEASE, "{\"quantity\":1,\"customerId\":\"C\",\"reservationId\":\"x\"}", 0, NULL, 400,
     "InvalidReservationId"},
    {RELEASE, "{\"quantity\":1,\"customerId\":\"C\",\"reservationId\":5}", 0, NULL, 400,
     "InvalidReservationId"},
    {"/api/inventory/A%2FB/reserve", "{\"quantity\":1,\"customerId\":\"C\"}", 0, NULL, 400,
     "InvalidProductId"},
    {"/api/inventory/A%20B/reserve", "{\"quantity\":1,\"customerId\":\"C\"}", 0, NULL, 400,
     "InvalidProductId"},
    {"/api/inventory/A./reserve", "{\"quantity\":1,\"customerId\":\"C\"}", 0, NULL, 400,
     "InvalidProductId"},
    {"/api/inventory/NO-SUCH/reserve", "{\"quantity\":1,\"customerId\":\"C\"}", 0, NULL, 404,
     "ProductNotFound"},
    {"/api/inventory/NO-SUCH/release", "{\"quantity\":1,\"customerId\":\"C\"}", 0, NULL, 404,
     "ProductNotFound"},
    {RESERVE, "{\"quantity\":1,\"customerId\":\"C\"}", 0, "text/plain", 415,
     "UnsupportedMediaType"},
    {RESERVE, "quantity=1", 0, "application/x-www-form-urlencoded", 415, "UnsupportedMediaType"},
};

START_TEST(bad_input_is_refused_the_same_in_every_shape) {
    const struct bad_input *bad = &bad_inputs[_i];
    for (int shape = 0; shape < SHAPE_COUNT; shape++) {
        struct http_reply reply = http_ask((struct http_ask){.port = apps[shape].port,
                                                             .path = bad->path,
                                                             .method = "POST",
                                                             .body = bad->body,
                                                             .body_length = bad->length,
                                                             .content_type = bad->content_type});
        assert_error(&reply, bad->status, bad->code);
    }
}
END_TEST

static void assert_refused_with(int shape, const char *headers, int status, const char *code) {
    static const char body[] = "{\"quantity\":1,\"customerId\":\"C\"}";
    char request[512];
    struct raw_response response = {0};
    snprintf(request, sizeof request,
             "POST " RESERVE
             " HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
             headers, sizeof body - 1, body);
    int fd = raw_http_connect(apps[shape].port);
    ck_assert(raw_http_send(fd, request));
    raw_http_read(fd, &response, false);
    close(fd);
    char expected[64];
    snprintf(expected, sizeof expected, "{\"error\":{\"code\":\"%s\",", code);
    ck_assert_msg(response.status == status &&
                      strncmp(response.body, expected, strlen(expected)) == 0,
                  "%s: %d %s", headers, response.status, response.body);
    raw_response_cleanup(&response);
}

START_TEST(a_header_that_may_be_sent_once_is_refused_when_it_is_sent_twice) {
    static const struct {
        const char *headers;
        const char *code;
        int status;
        bool
            /* when it forwards, the host drops Content-Encoding, and refuses two types itself */
            is_hidden;
    } rows[] = {
        {"Content-Type: application/json\r\nIdempotency-Key: k1\r\nIdempotency-Key: k2\r\n",
         "InvalidIdempotencyKey", 400, false},
        {"Content-Type: application/json\r\nIdempotency-Key: k1, k1\r\n", "InvalidIdempotencyKey",
         400, false},
        {"Content-Type: application/json\r\nContent-Type: application/json\r\n", "BadRequest", 400,
         true},
        {"Content-Type: application/json, text/plain\r\n", "BadRequest", 400, true},
        {"Content-Type: application/json\r\nContent-Encoding: gzip\r\n", "UnsupportedMediaType",
         415, true},
        {"Content-Type: application/json\r\nContent-Encoding: identity\r\nContent-Encoding: "
         "gzip\r\n",
         "UnsupportedMediaType", 415, true},
    };
    bool is_forwarded = strcmp(shapes[_i], "forward") == 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!is_forwarded || !rows[i].is_hidden) {
            assert_refused_with(_i, rows[i].headers, rows[i].status, rows[i].code);
        }
    }
}
END_TEST

START_TEST(a_body_with_a_byte_order_mark_and_names_of_the_dotnet_sample_is_taken) {
    static const char body[] = "\xEF\xBB\xBF{\"Quantity\":2,\"CustomerId\":\"PASCAL\"}";
    struct http_reply reserved = post(_i, "/api/inventory/PROD-003/reserve", body);
    ck_assert_msg(reserved.status == 200, "%d %s", reserved.status, reserved.body.data);
    struct http_reply released = post(_i, "/api/inventory/PROD-003/release", body);
    ck_assert_msg(released.status == 200, "%d %s", released.status, released.body.data);
    http_reply_cleanup(&reserved), http_reply_cleanup(&released);
}
END_TEST

/*
 * A host that puts the body into JSON has made valid UTF-8 of it before we see it; the other shapes
 * pass it on.
 */
START_TEST(invalid_utf8_is_refused_where_the_host_passes_it_on) {
    struct http_reply reply = post(_i, RESERVE, "{\"quantity\":1,\"customerId\":\"\xff\xfe\"}");
    assert_error(&reply, 400, "InvalidJson");
}
END_TEST

START_TEST(an_embedded_nul_is_refused) {
    static const char body[] = "{\"quantity\":1,\0\"customerId\":\"C\"}";
    struct http_reply reply = http_ask((struct http_ask){
        .port = apps[_i].port, .path = RESERVE, .body = body, .body_length = sizeof body - 1});
    assert_error(&reply, 400, "InvalidJson");
}
END_TEST

START_TEST(a_body_may_have_64_kib_and_not_a_byte_more) {
    static char body[BIG_BODY_BYTES + 2];
    memset(body, ' ', sizeof body);
    static const char head[] = "{\"quantity\":999999,\"customerId\":\"C\"}";
    memcpy(body, head, strlen(head));
    struct http_ask ask = {
        .port = apps[_i].port, .path = RESERVE, .body = body, .body_length = BIG_BODY_BYTES};
    struct http_reply reply = http_ask(ask);
    ck_assert_msg(reply.status == 409, "%d %s", reply.status, reply.body.data);
    http_reply_cleanup(&reply);
    ask.body_length++;
    reply = http_ask(ask);
    assert_error(&reply, 413, "PayloadTooLarge");
}
END_TEST

START_TEST(unknown_products_are_not_found) {
    struct http_reply reply = get(_i, "/api/inventory/NO-SUCH");
    assert_error(&reply, 404, "ProductNotFound");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("functions");
    TCase *functions = tcase_create("through the host");
    tcase_set_timeout(functions, 120);
    tcase_add_unchecked_fixture(functions, start_all, stop_all);
    tcase_add_loop_test(functions, a_reservation_is_made_seen_and_released, 0, SHAPE_COUNT);
    tcase_add_loop_test(functions, more_than_there_is_cannot_be_reserved, 0, SHAPE_COUNT);
    tcase_add_loop_test(functions,
                        a_reservation_made_on_one_instance_is_seen_and_released_on_another, 0,
                        SHAPE_COUNT);
    tcase_add_loop_test(functions, release_by_id_takes_that_reservation, 0, SHAPE_COUNT);
    tcase_add_loop_test(functions, bad_input_is_refused_the_same_in_every_shape, 0,
                        sizeof bad_inputs / sizeof *bad_inputs);
    tcase_add_loop_test(functions, a_header_that_may_be_sent_once_is_refused_when_it_is_sent_twice,
                        0, SHAPE_COUNT);
    tcase_add_loop_test(functions,
                        a_body_with_a_byte_order_mark_and_names_of_the_dotnet_sample_is_taken, 0,
                        SHAPE_COUNT);
    tcase_add_loop_test(functions, invalid_utf8_is_refused_where_the_host_passes_it_on, 0, 2);
    tcase_add_loop_test(functions, an_embedded_nul_is_refused, 0, SHAPE_COUNT);
    tcase_add_loop_test(functions, a_body_may_have_64_kib_and_not_a_byte_more, 0, SHAPE_COUNT);
    tcase_add_loop_test(functions, unknown_products_are_not_found, 0, SHAPE_COUNT);
    suite_add_tcase(suite, functions);
    return check_main(suite);
}
