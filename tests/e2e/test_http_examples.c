/* examples/test.http, as a reader would send it: each request gets the status that it says. */
#include <stdio.h>
#include <stdlib.h>

#include "support/processes/app_steps.h"
#include "support/processes/check_main.h"
#include "support/processes/process.h"

enum { RUN_TIMEOUT_MS = 60000, TEXT_BYTES = 4096 };

START_TEST(each_request_of_the_examples_gets_the_answer_that_it_says) {
    app_start(&app, &(struct app_options){.connection_string = azurite.connection_string});
    char host[64], script[TEXT_BYTES], file[TEXT_BYTES];
    snprintf(host, sizeof host, "http://127.0.0.1:%d/api", app.port);
    snprintf(script, sizeof script, "%s/tests/openapi/run_http.mjs", getenv("LEASEHOLD_ROOT"));
    snprintf(file, sizeof file, "%s/examples/test.http", getenv("LEASEHOLD_ROOT"));
    const char *const argv[] = {"node", script, file, host, NULL};
    struct process run;
    process_start(&run, &(struct process_options){.argv = argv});
    int exit_code = process_wait(&run, RUN_TIMEOUT_MS);
    char *output = process_output_from(&run, 0);
    ck_assert_msg(exit_code == 0, "exit code %d:\n%s", exit_code, output);
    printf("%s", output);
    free(output);
    process_cleanup(&run);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("http_examples");
    TCase *tcase = tcase_create("examples/test.http");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, start_azurite, tear_down);
    tcase_add_test(tcase, each_request_of_the_examples_gets_the_answer_that_it_says);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
