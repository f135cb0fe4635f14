#include "support/processes/torture_run.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, TIMEOUT_MS = 600000, OWN_ARGUMENTS = 5, MAX_ARGUMENTS = 16 };

static void need_program(const char *path) {
    ck_assert_msg(access(path, X_OK) == 0, "%s: %s: run the tests with make", path,
                  strerror(errno));
}

void torture_run_start(struct torture_run *run) {
    const char *programs = getenv("LEASEHOLD_BIN"), *root = getenv("LEASEHOLD_ROOT");
    ck_assert_msg(programs != NULL && root != NULL,
                  "LEASEHOLD_BIN is not set: run the tests with make");
    char torture[PATH_BYTES], handler[PATH_BYTES + 16], bin[PATH_BYTES];
    snprintf(torture, sizeof torture, "%s/../tests/torture/torture", programs);
    if (run->control == NULL) {
        snprintf(bin, sizeof bin, "LEASEHOLD_BIN=%s", programs);
    } else {
        snprintf(bin, sizeof bin, "LEASEHOLD_BIN=%s/build/control/%s/bin", root, run->control);
    }
    snprintf(handler, sizeof handler, "%s/handler", bin + strlen("LEASEHOLD_BIN="));
    need_program(torture);
    need_program(handler);
    const char *argv[MAX_ARGUMENTS] = {torture, "--faults", run->faults, "--duration",
                                       run->duration_s};
    for (size_t i = 0; run->arguments != NULL && run->arguments[i] != NULL; i++) {
        ck_assert_uint_lt(i + OWN_ARGUMENTS, MAX_ARGUMENTS - 1);
        argv[i + OWN_ARGUMENTS] = run->arguments[i];
    }
    const char *const env[] = {bin, NULL};
    process_start(&run->process, &(struct process_options){.argv = argv, .env = env});
}

char *torture_run_end(struct torture_run *run, int *out_exit_code) {
    *out_exit_code = process_wait(&run->process, TIMEOUT_MS);
    char *output = process_output_from(&run->process, 0);
    process_cleanup(&run->process);
    return output;
}
