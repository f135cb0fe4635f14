#include "support/torture_run.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/process.h"

enum { PATH_BYTES = 4096, TIMEOUT_MS = 600000 };

static void need_program(const char *path) {
    ck_assert_msg(access(path, X_OK) == 0, "%s: %s: run the tests with make", path, strerror(errno));
}

char *torture_run(const struct torture_run *run, int *out_exit_code) {
    const char *programs = getenv("LEASEHOLD_BIN"), *root = getenv("LEASEHOLD_ROOT");
    ck_assert_msg(programs != NULL && root != NULL, "LEASEHOLD_BIN is not set: run the tests with make");
    char torture[PATH_BYTES], handler[PATH_BYTES + 16], bin[PATH_BYTES], control[PATH_BYTES];
    snprintf(torture, sizeof torture, "%s/../tests/checker/torture", programs);
    snprintf(control, sizeof control, "LEASEHOLD_NEGATIVE_CONTROL=%s", run->control == NULL ? "" : run->control);
    if (run->control == NULL) {
        snprintf(bin, sizeof bin, "LEASEHOLD_BIN=%s", programs);
    } else {
        snprintf(bin, sizeof bin, "LEASEHOLD_BIN=%s/build/control/bin", root);
    }
    snprintf(handler, sizeof handler, "%s/handler", bin + strlen("LEASEHOLD_BIN="));
    need_program(torture);
    need_program(handler);
    const char *const argv[] = {torture, "--faults", run->faults, "--duration", run->duration, NULL};
    const char *const env[] = {bin, control, NULL};
    struct process process;
    process_start(&process, &(struct process_options){.argv = argv, .env = env});
    *out_exit_code = process_wait(&process, TIMEOUT_MS);
    char *output = process_output_from(&process, 0);
    process_release(&process);
    return output;
}
