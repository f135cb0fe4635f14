/*
 * check_main.h - the main function of every test program, after its suite is built.
 */
#ifndef SUPPORT_CHECK_MAIN_H
#define SUPPORT_CHECK_MAIN_H

#include <check.h>
#include <stdlib.h>

/*
 * Runs the suite as libcheck's environment variables say (CK_FORK, CK_VERBOSITY, ...), frees it,
 * answers main's exit code.
 */
static inline int check_main(Suite *suite) {
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
