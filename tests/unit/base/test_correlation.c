#include "base/correlation.h"

#include <pthread.h>
#include <string.h>

#include "base/uuid.h"
#include "support/processes/check_main.h"

#define ID "0f8c1d2e-0000-4000-8000-0123456789ab"
#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "-00f067aa0ba902b7-01"
#define LONGEST "0123456789012345678901234567890123456789012345678901234567890123"

static struct correlation read_one(const char *name, const char *value) {
    struct http_headers headers;
    struct correlation correlation;
    memset(&correlation, 'x', sizeof correlation);
    http_headers_init(&headers);
    http_headers_add(&headers, name, value);
    correlation_read(&headers, random_system(), &correlation);
    http_headers_cleanup(&headers);
    return correlation;
}

START_TEST(the_invocation_is_found_in_the_header_of_each_shape) {
    ck_assert_str_eq(read_one("x-ms-invocation-id", ID).invocation_id, ID);
    ck_assert_str_eq(read_one("X-Azure-Functions-InvocationId", ID).invocation_id, ID);
    ck_assert_str_eq(read_one("X-MS-INVOCATION-ID", LONGEST).invocation_id, LONGEST);
}
END_TEST

START_TEST(an_id_that_is_none_is_replaced_by_a_new_one) {
    static const char *const ids[] = {"", LONGEST "4", "a b", "a\xc3\xa4", "a, b", "\"", "a]"};
    struct correlation last = read_one("Other", ID);
    ck_assert(uuid_is_valid(last.invocation_id));
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        struct correlation correlation = read_one("x-ms-invocation-id", ids[i]);
        ck_assert_msg(uuid_is_valid(correlation.invocation_id), "%s: %s", ids[i],
                      correlation.invocation_id);
        ck_assert_str_ne(correlation.invocation_id, last.invocation_id);
        last = correlation;
    }
}
END_TEST

static enum status fill_nothing(const struct random_source *self, void *out, size_t length) {
    (void)self, (void)out, (void)length;
    return STATUS_INTERNAL;
}

START_TEST(without_random_bytes_a_new_id_is_unknown) {
    static const struct random_source nothing = {fill_nothing};
    struct http_headers headers;
    struct correlation correlation;
    http_headers_init(&headers);
    correlation_read(&headers, &nothing, &correlation);
    ck_assert_str_eq(correlation.invocation_id, "unknown");
    http_headers_cleanup(&headers);
}
END_TEST

START_TEST(the_trace_is_found_in_traceparent) {
    ck_assert_str_eq(read_one("traceparent", "00-" TRACE PARENT).trace_id, TRACE);
    ck_assert_str_eq(read_one("Traceparent", "cc-" TRACE PARENT "-later").trace_id, TRACE);
    static const char *const others[] = {"",
                                         "00",
                                         "00-",
                                         TRACE,
                                         "00-" TRACE,
                                         "0-" TRACE PARENT,
                                         "00-4BF92F3577B34DA6A3CE929D0E0E4736" PARENT,
                                         "00-4bf92f3577b34da6a3ce929d0e0e473" PARENT,
                                         "00-" TRACE "0" PARENT,
                                         "00-00000000000000000000000000000000" PARENT};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        ck_assert_str_eq(read_one("traceparent", others[i]).trace_id, "");
    }
}
END_TEST

static void *use_another(void *context) {
    ck_assert_ptr_null(correlation_current());
    ck_assert_ptr_null(correlation_use(context));
    ck_assert_ptr_eq(correlation_current(), context);
    return NULL;
}

START_TEST(each_thread_has_its_own) {
    struct correlation mine = {.invocation_id = "mine"}, theirs = {.invocation_id = "theirs"};
    ck_assert_ptr_null(correlation_use(&mine));
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, use_another, &theirs), 0);
    pthread_join(thread, NULL);
    ck_assert_ptr_eq(correlation_use(NULL), &mine);
    ck_assert_ptr_null(correlation_current());
}
END_TEST

int main(void) {
    Suite *suite = suite_create("correlation");
    TCase *tcase = tcase_create("correlation");
    tcase_add_test(tcase, the_invocation_is_found_in_the_header_of_each_shape);
    tcase_add_test(tcase, an_id_that_is_none_is_replaced_by_a_new_one);
    tcase_add_test(tcase, without_random_bytes_a_new_id_is_unknown);
    tcase_add_test(tcase, the_trace_is_found_in_traceparent);
    tcase_add_test(tcase, each_thread_has_its_own);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
