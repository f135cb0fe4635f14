/* The stand-in for the Azure CLI. */
#include <string.h>

#include "base/json.h"
#include "support/fakes/az_stub.h"
#include "support/processes/check_main.h"
#include "support/processes/process.h"

static struct az_stub stub;

static void set_up(void) {
    az_stub_make(&stub);
}

static void tear_down(void) {
    az_stub_remove(&stub);
}

static char *run(int exit_code) {
    /* execvp searches the caller's PATH, hence a shell. */
    const char *const argv[] = {"/bin/sh", "-c", "exec az account get-access-token --output json",
                                NULL};
    const char *const env[] = {stub.path, NULL};
    struct process process;
    process_start(&process, &(struct process_options){.argv = argv, .env = env});
    ck_assert_int_eq(process_wait(&process, 20000), exit_code);
    char *output = process_output_from(&process, 0);
    process_cleanup(&process);
    return output;
}

START_TEST(it_answers_with_the_token_and_notes_the_call) {
    az_stub_answer(&stub, "one", 60);
    free(run(0));
    az_stub_answer(&stub, "two", 60);
    char *output = run(0), *calls = az_stub_calls(&stub);
    cJSON *json = NULL;
    struct error err;
    int64_t expires_s = 0;
    ck_assert_int_eq(json_parse(output, strlen(output), &json, &err), STATUS_OK);
    ck_assert_str_eq(json_string(json, "accessToken"), "two");
    ck_assert(json_int64(json, "expires_on", &expires_s));
    ck_assert_str_eq(
        calls, "account get-access-token --output json\naccount get-access-token --output json\n");
    cJSON_Delete(json);
    free(output), free(calls);
}
END_TEST

START_TEST(at_first_nobody_is_signed_in) {
    char *output = run(1);
    ck_assert_ptr_nonnull(strstr(output, "az login"));
    free(output);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("az_stub");
    TCase *tcase = tcase_create("az_stub");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, it_answers_with_the_token_and_notes_the_call);
    tcase_add_test(tcase, at_first_nobody_is_signed_in);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
