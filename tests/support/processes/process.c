#include "support/processes/process.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    POLL_INTERVAL_MS = 5,
    TAIL_BYTES = 3000, /* libcheck gives up on a message of more than 4096 bytes */
    EXIT_NOT_STARTED = 127
};

int64_t process_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static size_t count_strings(const char *const *strings) {
    size_t count = 0;
    while (strings != NULL && strings[count] != NULL) {
        count++;
    }
    return count;
}

static bool is_overridden(const char *const *additions, const char *inherited) {
    size_t name_length = strcspn(inherited, "=") + 1;
    for (; additions != NULL && *additions != NULL; additions++) {
        if (strncmp(*additions, inherited, name_length) == 0) {
            return true;
        }
    }
    return false;
}

/* The array is the caller's; the strings are borrowed. */
static const char **merge_environment(const char *const *additions) {
    size_t count = count_strings(additions);
    const char **merged =
        calloc(count + count_strings((const char *const *)environ) + 1, sizeof *merged);
    ck_assert_ptr_nonnull(merged);
    if (count > 0) {
        memcpy(merged, additions, count * sizeof *merged);
    }
    for (char **inherited = environ; *inherited != NULL; inherited++) {
        if (!is_overridden(additions, *inherited)) {
            merged[count++] = *inherited;
        }
    }
    return merged;
}

/*
 * In the child, between fork and exec: only what is safe there although the parent has threads.
 * Signals are blocked until none is ignored any more, so that one sent right after the start is not
 * lost.
 */
static _Noreturn void become(const struct process_options *options, const char **environment,
                             int output_fd, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(EXIT_NOT_STARTED); /* it died before it was asked for */
    }
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(output_fd, STDOUT_FILENO) >= 0 && dup2(output_fd, STDERR_FILENO) >= 0 &&
        (options->cwd == NULL || chdir(options->cwd) == 0)) {
        /* exec takes pointers to what it does not change. */
        execvpe(options->argv[0], (char *const *)(uintptr_t)options->argv,
                (char *const *)(uintptr_t)environment);
    }
    _exit(EXIT_NOT_STARTED);
}

void process_start(struct process *process, const struct process_options *options) {
    int output_fd = memfd_create("output", MFD_CLOEXEC);
    ck_assert_msg(output_fd >= 0, "memfd_create: %s", strerror(errno));
    const char **environment = merge_environment(options->env);
    pid_t parent = getpid();
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) {
        become(options, environment, output_fd, parent);
    }
    ck_assert_msg(pid > 0, "fork: %s", strerror(errno));
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(environment);
    *process = (struct process){.pid = pid, .output_fd = output_fd, .exit_code = PROCESS_RUNNING};
}

void process_signal(const struct process *process, int signal) {
    if (process->pid > 0 && process->exit_code == PROCESS_RUNNING) {
        kill(process->pid, signal);
    }
}

/*
 * Has it ended by now? Does not reap, so that a test that libcheck forked off may ask about what
 * its parent started.
 */
static bool has_ended_now(const struct process *process) {
    if (process->exit_code != PROCESS_RUNNING) {
        return true;
    }
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
        return info.si_pid != 0;
    }
    return kill(process->pid, 0) != 0;
}

static void pause_ms(int64_t ms) {
    poll(NULL, 0, (int)ms);
}

/* Polled: valgrind 3.19 knows no pidfd. */
static bool has_ended(const struct process *process, int64_t timeout_ms) {
    int64_t deadline_ms = process_now_ms() + timeout_ms;
    for (;;) {
        int64_t left_ms = deadline_ms - process_now_ms();
        if (has_ended_now(process) || left_ms <= 0) {
            return has_ended_now(process);
        }
        pause_ms(left_ms < POLL_INTERVAL_MS ? left_ms : POLL_INTERVAL_MS);
    }
}

int process_wait(struct process *process, int64_t timeout_ms) {
    if (process->pid == 0 || process->exit_code != PROCESS_RUNNING ||
        !has_ended(process, timeout_ms)) {
        return process->exit_code;
    }
    int status;
    ck_assert_msg(waitpid(process->pid, &status, 0) == process->pid, "waitpid: %s",
                  strerror(errno));
    process->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return process->exit_code;
}

int process_stop(struct process *process, int signal, int64_t timeout_ms) {
    process_signal(process, signal);
    if (process_wait(process, timeout_ms) == PROCESS_RUNNING && process->pid > 0) {
        process_signal(process, SIGKILL);
        process_wait(process, INT32_MAX);
    }
    return process->exit_code;
}

void process_cleanup(struct process *process) {
    if (process->pid > 0) {
        process_stop(process, SIGKILL, 0);
        close(process->output_fd);
    }
    *process = (struct process){.pid = 0};
}

size_t process_output_length(const struct process *process) {
    struct stat stat;
    ck_assert_int_eq(fstat(process->output_fd, &stat), 0);
    return (size_t)stat.st_size;
}

const char *process_text_tail(const char *text) {
    size_t length = strlen(text);
    return length > TAIL_BYTES ? text + length - TAIL_BYTES : text;
}

char *process_output_from(const struct process *process, size_t from) {
    size_t length = process_output_length(process);
    length = length > from ? length - from : 0;
    char *text = malloc(length + 1);
    ck_assert_ptr_nonnull(text);
    size_t done = 0;
    while (done < length) {
        ssize_t got = pread(process->output_fd, text + done, length - done, (off_t)(from + done));
        ck_assert_msg(got > 0, "pread: %s", strerror(errno));
        done += (size_t)got;
    }
    text[length] = '\0';
    return text;
}

bool process_wait_for_output(struct process *process, size_t from, const char *text,
                             int64_t timeout_ms) {
    int64_t deadline_ms = process_now_ms() + timeout_ms;
    for (;;) {
        bool is_last_look = has_ended(process, POLL_INTERVAL_MS) || process_now_ms() >= deadline_ms;
        char *output = process_output_from(process, from);
        bool found = strstr(output, text) != NULL;
        free(output);
        if (found || is_last_look) {
            return found;
        }
    }
}
