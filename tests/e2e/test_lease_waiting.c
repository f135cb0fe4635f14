/*
 * Many leases released at a stop, an idle app that asks nothing, and waiting for a lease without
 * noise.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/processes/check_main.h"
#include "support/processes/instance_pair.h"

enum {
    PRODUCTS = 200,
    HOLD_ALL_MS = 60000, /* to acquire so many at once, on a busy machine */
    STOP_MS = 5000,
    RELEASE_MS = 4200,           /* a stopping handler releases leases until then */
    RENEWAL_INTERVAL_MS = 10000, /* of a lease of 15 s */
    CONTENDERS = 20,
    QUANTITY = 5,
    TOTAL_3 = 200,
};

#define SHORT_LEASE "DistributedLeasing:DefaultLeaseDuration=00:00:15"
#define ENDLESS_LEASE "DistributedLeasing:DefaultLeaseDuration=Infinite"
#define WORK(time) "Inventory:ProcessingTime=" time
#define PATIENCE(time) "DistributedLeasing:AcquireTimeout=" time
#define RESERVED "\"success\":true"
#define BUSY "Another operation is in progress. Please retry."
#define LEASE_REQUEST "?comp=lease HTTP/1.1\""
#define LEASE_CONFLICT LEASE_REQUEST " 409"

static struct app *const holder = &instance_pair.holder;
static struct app *const other = &instance_pair.other;

static void name_product(int index, char out[16]) {
    snprintf(out, 16, "P-%03d", index);
}

static const char *seed_products(void) {
    static char seeds[64 + PRODUCTS * 16] = "Inventory:SeedProducts=PROD-001=100";
    for (int i = 0; i < PRODUCTS; i++) {
        char id[16];
        name_product(i, id);
        snprintf(seeds + strlen(seeds), sizeof seeds - strlen(seeds), ";%s=10", id);
    }
    return seeds;
}

static void hold_all_products(int calls[PRODUCTS]) {
    for (int i = 0; i < PRODUCTS; i++) {
        char id[16];
        name_product(i, id);
        calls[i] = instance_send_reserve(holder, id, 1);
    }
    int64_t deadline_ms = process_now_ms() + HOLD_ALL_MS;
    while (instance_count_in_log(holder, 0, "Acquired lease") < PRODUCTS) {
        ck_assert_msg(process_now_ms() < deadline_ms, "only %d leases are held",
                      instance_count_in_log(holder, 0, "Acquired lease"));
        poll(NULL, 0, 20);
    }
}

/*
 * On a machine that is so busy that Azurite does not answer all releases in time, the handler must
 * have used all the time that it has.
 */
START_TEST(two_hundred_leases_are_all_released_at_a_stop) {
    static int calls[PRODUCTS];
    instance_start(holder, (const char *const[]){seed_products(), WORK("00:05:00"),
                                                 PATIENCE("00:01:00"), NULL});
    hold_all_products(calls);
    int64_t start_ms = process_now_ms();
    instance_stop(holder);
    int64_t stop_ms = process_now_ms() - start_ms;
    ck_assert_int_le(stop_ms, STOP_MS);
    int held_count = 0;
    for (int i = 0; i < PRODUCTS; i++) {
        char id[16];
        name_product(i, id);
        instance_expect_answer(calls[i], 503, "");
        held_count += !instance_lease_is_free(id);
    }
    ck_assert_msg(held_count == 0 || (held_count < PRODUCTS && stop_ms >= RELEASE_MS),
                  "%d of %d leases are held after a stop that took %lld ms", held_count, PRODUCTS,
                  (long long)stop_ms);
}
END_TEST

START_TEST(an_idle_app_asks_storage_nothing) {
    instance_start(holder, (const char *const[]){SHORT_LEASE, NULL});
    size_t mark = azurite_mark(&instance_pair.azurite);
    instance_expect_reserve(holder, "PROD-001", QUANTITY, 200, RESERVED);
    instance_wait_for_requests(mark, LEASE_REQUEST " 200", 1,
                               INSTANCE_PATIENCE_MS); /* the lease is released */
    mark = azurite_mark(&instance_pair.azurite);
    ck_assert_int_eq(process_wait(&holder->process, RENEWAL_INTERVAL_MS + 2000), PROCESS_RUNNING);
    ck_assert_msg(azurite_request_count(&instance_pair.azurite, mark) == 0, "%s",
                  azurite_requests_since(&instance_pair.azurite, mark));
    instance_stop(holder);
}
END_TEST

START_TEST(an_infinite_lease_is_not_renewed_and_is_released) {
    instance_start(holder, (const char *const[]){ENDLESS_LEASE, WORK("00:00:03"), NULL});
    size_t mark = azurite_mark(&instance_pair.azurite);
    /*
     * The first reserve makes container and blob. The second would find its lease, if that
     * lingered.
     */
    instance_expect_reserve(holder, "PROD-001", QUANTITY, 200, RESERVED);
    instance_wait_for_requests(mark, LEASE_REQUEST " 200", 1, INSTANCE_PATIENCE_MS);
    mark = azurite_mark(&instance_pair.azurite);
    instance_expect_reserve(holder, "PROD-001", QUANTITY, 200, RESERVED);
    instance_stop(holder); /* the lease has been released by now */
    ck_assert_int_eq(instance_count_requests(mark, LEASE_REQUEST " 201"), 1);
    ck_assert_int_eq(instance_count_requests(mark, LEASE_REQUEST), 2); /* and its release */
    ck_assert(instance_lease_is_free("PROD-001"));
    instance_assert_calm(holder);
}
END_TEST

START_TEST(an_instance_that_waits_for_a_lease_stops_at_once) {
    instance_start(other, (const char *const[]){PATIENCE("00:01:00"), NULL});
    int held = instance_hold((const char *const[]){WORK("00:01:00"), NULL}, QUANTITY);
    int waiting = instance_wait_behind(QUANTITY);
    int64_t start_ms = process_now_ms();
    instance_stop(other);
    ck_assert_int_le(process_now_ms() - start_ms, 1000);
    instance_expect_answer(waiting, 503, "\"error\"");
    ck_assert(!instance_lease_is_free("PROD-001"));
    close(held);
}
END_TEST

START_TEST(without_patience_a_held_lease_is_asked_for_once) {
    instance_start(other, (const char *const[]){PATIENCE("00:00:00"), NULL});
    int held = instance_hold((const char *const[]){WORK("00:01:00"), NULL}, QUANTITY);
    size_t mark = azurite_mark(&instance_pair.azurite);
    int64_t start_ms = process_now_ms();
    struct raw_response response =
        instance_answer(instance_send_reserve(other, "PROD-001", QUANTITY));
    ck_assert_int_le(process_now_ms() - start_ms, 1000);
    ck_assert_msg(response.status == 409, "%d %s", response.status, response.body);
    ck_assert_ptr_nonnull(strstr(response.body, BUSY));
    ck_assert_ptr_nonnull(strstr(response.body, "\"acquiredLease\":false"));
    ck_assert_msg(strstr(response.body, "\"availableQuantity\":100,") != NULL, "%s", response.body);
    char retry_after[8];
    ck_assert_str_eq(raw_response_header(&response, "Retry-After", retry_after, sizeof retry_after),
                     "1");
    raw_response_cleanup(&response);
    ck_assert_int_eq(instance_count_requests(mark, LEASE_CONFLICT), 1);
    /* The other request reads what is available. */
    ck_assert_msg(azurite_request_count(&instance_pair.azurite, mark) == 2, "%s",
                  azurite_requests_since(&instance_pair.azurite, mark));
    instance_assert_calm(other);
    close(held);
}
END_TEST

/*
 * Reads the answers of `calls`; how many were reservations? The rest must have been sent away,
 * politely.
 */
static int count_reserved(const int *calls) {
    int reserved = 0;
    for (int i = 0; i < CONTENDERS; i++) {
        struct raw_response response = instance_answer(calls[i]);
        bool sent_away = response.status == 409 && strstr(response.body, BUSY) != NULL;
        ck_assert_msg(response.status == 200 || sent_away, "%d %s", response.status, response.body);
        reserved += response.status == 200;
        raw_response_cleanup(&response);
    }
    return reserved;
}

START_TEST(contention_is_no_cause_for_complaint) {
    const char *const settings[] = {WORK("00:00:00.100"), PATIENCE("00:00:03"), NULL};
    instance_start(holder, settings);
    instance_start(other, settings);
    size_t mark = azurite_mark(&instance_pair.azurite);
    int here[CONTENDERS], there[CONTENDERS];
    for (int i = 0; i < CONTENDERS; i++) {
        here[i] = instance_send_reserve(holder, "PROD-003", 1);
        there[i] = instance_send_reserve(other, "PROD-003", 1);
    }
    int reserved_here = count_reserved(here);
    int reserved_there = count_reserved(there);
    ck_assert_int_ge(reserved_here, 1);
    ck_assert_int_ge(reserved_there, 1);
    ck_assert_int_ge(instance_count_requests(mark, LEASE_CONFLICT), 1);
    ck_assert_int_eq(instance_available(holder, "PROD-003"),
                     TOTAL_3 - reserved_here - reserved_there);
    instance_assert_calm(holder);
    instance_assert_calm(other);
    instance_stop(holder);
    instance_stop(other);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lease waiting");
    TCase *waiting = tcase_create("holding, waiting, idling");
    tcase_set_timeout(waiting, 120);
    tcase_add_checked_fixture(waiting, instance_set_up, instance_tear_down);
    tcase_add_test(waiting, two_hundred_leases_are_all_released_at_a_stop);
    tcase_add_test(waiting, an_idle_app_asks_storage_nothing);
    tcase_add_test(waiting, an_infinite_lease_is_not_renewed_and_is_released);
    tcase_add_test(waiting, an_instance_that_waits_for_a_lease_stops_at_once);
    tcase_add_test(waiting, without_patience_a_held_lease_is_asked_for_once);
    tcase_add_test(waiting, contention_is_no_cause_for_complaint);
    suite_add_tcase(suite, waiting);
    return check_main(suite);
}
