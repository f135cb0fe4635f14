/*
 * torture_run.h - a torture run (checker/torture.c) as a part of a test.
 *
 * Threads: as process.h.
 */
#ifndef SUPPORT_TORTURE_RUN_H
#define SUPPORT_TORTURE_RUN_H

#include "support/processes/process.h"

struct torture_run {
    const char *faults;           /* "none", "lost", "all" */
    const char *duration_s;       /* "8" */
    const char *const *arguments; /* more of them, with NULL at the end; NULL: there are none */
    const char *control; /* a name in tests/controls/: the handler with that fault; NULL: without */

    struct process process; /* from start to end */
};

/* Several may run at a time. */
void torture_run_start(struct torture_run *run);

/*
 * Waits for its end. Answers all that it printed, the caller's (free); `out_exit_code`: 0 when
 * nothing was found.
 */
char *torture_run_end(struct torture_run *run, int *out_exit_code);

#endif
