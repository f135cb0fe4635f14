/*
 * test_lease_scale.c - very many leases in one process, as bench/lease_scale measures them, in a
 * size for every day.
 *
 * Leases last 15 s and are renewed every 3 s, so that three periods pass soon. Under a checking
 * tool, where all is many times slower, there are fewer, and what the allocator and the system say
 * of memory means nothing: there the bound is on the struct, and the release variant alone asserts
 * what a lease takes in all.
 */
#include "lease/lease_renewal.h"
#include "support/load/lease_load.h"
#include "support/processes/check_main.h"

enum { DELAY_MS = 50, LEASES = 3000, CHECKED_LEASES = 100, PERIODS = 3, TIMEOUT_S = 120 };

/* A machine with much else to do is allowed for. make test-long holds a quiet one to less. */
enum { MAX_LATE_P99_MS = 1000 };

static struct slow_store store;

static void start_store(void) {
    slow_store_start(&store, DELAY_MS);
}

static void release_store(void) {
    slow_store_cleanup(&store);
}

START_TEST(thousands_of_leases_are_renewed_on_time_by_two_threads_in_little_memory) {
    struct lease_load_figures figures;
    struct strbuf complaints;
    bool memory_is_measured = lease_load_measures_memory();
    strbuf_init(&complaints, SIZE_MAX);
    lease_load_run(
        &(struct lease_load_options){.connection_string = store.connection_string,
                                     .store = &store,
                                     .leases = memory_is_measured ? LEASES : CHECKED_LEASES,
                                     .periods = PERIODS,
                                     .duration_s = 15,
                                     .renew_fraction = 0.2,
                                     .max_late_p99_ms = MAX_LATE_P99_MS},
        &figures);
    lease_load_print(stdout, "lease_scale", &figures);
    lease_load_complain(&complaints, &figures);
    ck_assert_msg(complaints.length == 0, "%s", complaints.data);
    ck_assert_int_ge(figures.renewals, (int64_t)figures.leases * PERIODS);
    if (!memory_is_measured) {
        ck_assert_uint_le(sizeof(struct lease), LEASE_LOAD_MAX_BYTES_PER_LEASE / 4);
    }
    strbuf_cleanup(&complaints);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lease_scale");
    TCase *scale = tcase_create("scale");
    tcase_set_timeout(scale, TIMEOUT_S);
    tcase_add_checked_fixture(scale, start_store, release_store);
    tcase_add_test(scale, thousands_of_leases_are_renewed_on_time_by_two_threads_in_little_memory);
    suite_add_tcase(suite, scale);
    return check_main(suite);
}
