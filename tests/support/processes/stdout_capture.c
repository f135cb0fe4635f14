#include "support/processes/stdout_capture.h"

#include <check.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static int own = -1;  /* stdout as it was */
static int file = -1; /* where it goes meanwhile */

void stdout_capture_start(void) {
    fflush(stdout);
    own = dup(STDOUT_FILENO);
    file = memfd_create("stdout", MFD_CLOEXEC);
    ck_assert(own >= 0 && file >= 0);
    ck_assert_int_eq(dup2(file, STDOUT_FILENO), STDOUT_FILENO);
}

size_t stdout_capture_read(char *out, size_t size) {
    ssize_t got = pread(file, out, size - 1, 0);
    ck_assert_int_ge(got, 0);
    out[got] = '\0';
    return (size_t)got;
}

void stdout_capture_stop(void) {
    fflush(stdout);
    ck_assert_int_eq(dup2(own, STDOUT_FILENO), STDOUT_FILENO);
    close(own);
    close(file);
}
