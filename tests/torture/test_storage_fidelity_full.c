/*
 * test_storage_fidelity_full.c - tests/integration/test_storage_fidelity.c's generated requests,
 * ten times as many, and others each time.
 *
 *     SEED=N       which (the time of day)
 *     REQUESTS=N   how many (10000)
 */
#include "support/checks/fidelity_run.h"
#include "support/processes/check_main.h"

enum { REQUESTS = 10000, TIMEOUT_S = 1200, SEEDS = 1000000 };

START_TEST(both_answer_generated_requests_alike) {
    static struct wall_clock clock;
    static struct azurite azurite;
    static struct fidelity_sides sides;
    static struct fidelity_run run;
    int seed = (int)(clock_wall_ms(clock_system()) / 1000 % SEEDS);
    wall_clock_open(&clock);
    azurite_start_clocked(&azurite, &clock);
    fidelity_sides_open(&sides, &azurite, &clock);
    fidelity_run_init(&run, &sides, (uint64_t)fidelity_run_number("SEED", seed));
    fidelity_run_many(&run, fidelity_run_number("REQUESTS", REQUESTS));
    fidelity_sides_close(&sides);
    azurite_cleanup(&azurite);
    wall_clock_close(&clock);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("storage_fidelity_full");
    TCase *tests = tcase_create("fidelity");
    tcase_set_timeout(tests, TIMEOUT_S);
    tcase_add_test(tests, both_answer_generated_requests_alike);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
