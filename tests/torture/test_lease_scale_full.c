/*
 * test_lease_scale_full.c - ten thousand leases in one process, in full size: what
 * bench/lease_scale prints is asserted.
 */
#include "support/load/lease_load.h"
#include "support/processes/check_main.h"

enum { DELAY_MS = 50, LEASES = 10000, PERIODS = 3, TIMEOUT_S = 300 };

static struct slow_store store;

static void start_store(void) {
    slow_store_start(&store, DELAY_MS);
}

static void release_store(void) {
    slow_store_cleanup(&store);
}

START_TEST(ten_thousand_leases_are_renewed_on_time_by_few_threads_in_little_memory) {
    struct lease_load_figures figures;
    struct strbuf complaints;
    strbuf_init(&complaints, SIZE_MAX);
    lease_load_run(&(struct lease_load_options){.connection_string = store.connection_string,
                                                .store = &store,
                                                .leases = LEASES,
                                                .periods = PERIODS,
                                                .duration_s = 15,
                                                .renew_fraction = 2.0 / 3.0},
                   &figures);
    ck_assert_msg(figures.memory_is_measured,
                  "memory cannot be measured here: run it in the release variant");
    lease_load_print(stdout, "lease_scale", &figures);
    lease_load_complain(&complaints, &figures);
    ck_assert_msg(complaints.length == 0, "%s", complaints.data);
    ck_assert_int_ge(figures.renewals, (int64_t)LEASES * PERIODS);
    ck_assert_msg(figures.closing_rss_bytes <= LEASE_LOAD_MAX_BYTES_PER_LEASE,
                  "giving all back at once took %.0f bytes a lease", figures.closing_rss_bytes);
    strbuf_cleanup(&complaints);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lease_scale_full");
    TCase *scale = tcase_create("scale");
    tcase_set_timeout(scale, TIMEOUT_S);
    tcase_add_checked_fixture(scale, start_store, release_store);
    tcase_add_test(scale, ten_thousand_leases_are_renewed_on_time_by_few_threads_in_little_memory);
    suite_add_tcase(suite, scale);
    return check_main(suite);
}
