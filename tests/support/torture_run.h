/*
 * torture_run.h - a torture run (checker/torture.c) as a part of a test.
 *
 * Threads: as process.h.
 * Layer: tests.
 */
#ifndef SUPPORT_TORTURE_RUN_H
#define SUPPORT_TORTURE_RUN_H

struct torture_run {
    const char *faults;   /* "none", "lost", "all" */
    const char *duration; /* seconds */
    const char *control;  /* what the handler does wrong: names of negative_control.h; NULL: it is the one under test */
};

/* Answers all that it printed, the caller's (free); `out_exit_code`: 0 when nothing was found. */
char *torture_run(const struct torture_run *run, int *out_exit_code);

#endif
