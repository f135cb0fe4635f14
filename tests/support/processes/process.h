/*
 * process.h - programs that a test starts: their output, their end.
 *
 * Rules        A program's stdout and stderr go into one anonymous file that grows; it can be read
 *              at any time, also from a test that libcheck has forked off, and after the program
 *              has ended. A program dies with the thread that started it, so that no test leaves
 *              one behind: start from the main thread. What should not happen to a test (no such
 *              program, no memory) aborts it with a message.
 * Threads: a struct process belongs to one thread.
 */
#ifndef SUPPORT_PROCESS_H
#define SUPPORT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process_options {
    const char *const *argv; /* argv[0] is looked up in PATH; ends with NULL */
    const char *const *
        /* "NAME=value", besides our own environment or instead of it; ends with NULL; NULL: none */
        env;
    const char *cwd; /* NULL: ours */
};

enum { PROCESS_RUNNING = -1 };

struct process {
    pid_t pid; /* 0: none */
    int output_fd;
    int exit_code; /* PROCESS_RUNNING, 0 to 255, or 128 + the signal that ended it */
};

void process_start(struct process *process, const struct process_options *options);

/*
 * Sends a signal; nothing happens if the program has ended. (Under valgrind one that comes before
 * the program itself runs is lost: wait for output first.)
 */
void process_signal(const struct process *process, int signal);

/*
 * Waits for the end of a program that this process started, at most `timeout_ms`. Answers
 * `exit_code`.
 */
int process_wait(struct process *process, int64_t timeout_ms);

/*
 * Asks it to end with `signal`, ends it by force if it has not within `timeout_ms`, and waits.
 * Answers `exit_code`; its output stays.
 */
int process_stop(struct process *process, int signal, int64_t timeout_ms);

/* Ends it by force if it runs, and forgets its output. A zeroed struct process is fine. */
void process_cleanup(struct process *process);

/* How many bytes of output there are: what comes later can be read with it. */
size_t process_output_length(const struct process *process);

/* The output from byte `from` on, NUL-terminated; the caller's (free). */
char *process_output_from(const struct process *process, size_t from);

/* The end of a text, as far as a failed test's message can hold it. */
const char *process_text_tail(const char *text);

/*
 * Polls until the output from byte `from` on contains `text`. False: it did not within
 * `timeout_ms`, or the program ended without.
 */
bool process_wait_for_output(struct process *process, size_t from, const char *text,
                             int64_t timeout_ms);

/* Milliseconds on the monotonic clock, for deadlines in tests. */
int64_t process_now_ms(void);

#endif
