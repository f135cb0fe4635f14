#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crypto.h"
#include "storage/token_source.h"

enum { EXIT_POLL_MS = 20, OUTPUT_POLL_MS = 1000 };

/* One run of az. */
struct run {
    pid_t pid;
    int output; /* the end to read */
    int64_t deadline_ms;
};

/* --- starting --- */

/* A process group of its own, to be killed whole; none of our signal settings, which az would pass on. */
static int set_attributes(posix_spawnattr_t *attributes) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int failure = posix_spawnattr_setpgroup(attributes, 0);
    if (failure == 0) {
        failure = posix_spawnattr_setsigmask(attributes, &none);
    }
    if (failure == 0) {
        failure = posix_spawnattr_setsigdefault(attributes, &all);
    }
    short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    return failure != 0 ? failure : posix_spawnattr_setflags(attributes, flags);
}

/*
 * Every descriptor of ours is close-on-exec, but libcurl (7.88: multi.c, asyn-thread.c) makes pairs of sockets for its own use that
 * are not. These are closed in the child.
 */
static int close_inherited(posix_spawn_file_actions_t *files) {
    DIR *own = opendir("/proc/self/fd");
    int failure = 0;
    for (struct dirent *entry = NULL; own != NULL && failure == 0 && (entry = readdir(own)) != NULL;) {
        int fd = (int)strtol(entry->d_name, NULL, 10);
        int flags = fd > STDERR_FILENO ? fcntl(fd, F_GETFD) : -1;
        if (flags >= 0 && (flags & FD_CLOEXEC) == 0) {
            failure = posix_spawn_file_actions_addclose(files, fd);
        }
    }
    if (own != NULL) {
        closedir(own);
    }
    return failure;
}

/* What az says on stderr is for people at a terminal, and goes nowhere. */
static int set_files(posix_spawn_file_actions_t *files, int output) {
    int failure = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (failure == 0) {
        failure = posix_spawn_file_actions_adddup2(files, output, STDOUT_FILENO);
    }
    return failure != 0 ? failure : posix_spawn_file_actions_addopen(files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
}

/* "az account get-access-token" in its documentation; posix_spawn wants strings that are not const. */
static char words[][32] = {"az", "account", "get-access-token", "--output", "json", "--resource", TOKEN_RESOURCE};
static char *const arguments[] = {words[0], words[1], words[2], words[3], words[4], words[5], words[6], NULL};

/* errno's number; 0: it runs. */
static int spawn(const struct token_source_cli *self, int output, pid_t *out_pid) {
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    int failure = posix_spawnattr_init(&attributes);
    if (failure != 0) {
        return failure;
    }
    failure = posix_spawn_file_actions_init(&files);
    if (failure == 0) {
        failure = set_attributes(&attributes);
        if (failure == 0) {
            failure = set_files(&files, output);
        }
        if (failure == 0) {
            failure = close_inherited(&files);
        }
        if (failure == 0) {
            failure = posix_spawnp(out_pid, "az", &files, &attributes, arguments, self->environment);
        }
        posix_spawn_file_actions_destroy(&files);
    }
    posix_spawnattr_destroy(&attributes);
    return failure;
}

static enum status start(const struct token_source_cli *self, const struct token_context *context, struct run *run,
                         struct error *err) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return error_set(err, STATUS_UNAVAILABLE, "a pipe to it: %s", strerror(errno));
    }
    run->output = ends[0];
    run->deadline_ms = clock_now_ms(context->clock) + TOKEN_FETCH_MS;
    int failure = spawn(self, ends[1], &run->pid);
    close(ends[1]);
    if (failure == 0) {
        return STATUS_OK;
    }
    close(run->output);
    return failure == ENOENT ? error_set(err, STATUS_NOT_FOUND, "it is not installed")
                             : error_set(err, STATUS_UNAVAILABLE, "it cannot be started: %s", strerror(failure));
}

/* --- waiting --- */

/* Until `fd` can be read (-1: until limit_ms), and `limit_ms` at most. STATUS_OK also when nothing happened. */
static enum status wait_for(const struct run *run, const struct token_context *context, int fd, int64_t limit_ms,
                            struct error *err) {
    int64_t left_ms = run->deadline_ms - clock_now_ms(context->clock);
    if (left_ms <= 0) {
        return error_set(err, STATUS_UNAVAILABLE, "it took longer than %d s", TOKEN_FETCH_MS / 1000);
    }
    struct pollfd fds[] = {{.fd = context->stop_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    poll(fds, 2, (int)(left_ms < limit_ms ? left_ms : limit_ms));
    return fds[0].revents != 0 ? error_set(err, STATUS_CANCELLED, "given up, since the program is stopping")
                               : STATUS_OK;
}

static enum status read_output(const struct run *run, const struct token_context *context, struct strbuf *out,
                               struct error *err) {
    char block[4096];
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        status = wait_for(run, context, run->output, OUTPUT_POLL_MS, err);
        if (status != STATUS_OK) {
            break;
        }
        ssize_t count = read(run->output, block, sizeof block);
        if (count == 0) {
            break;
        }
        if (count > 0) {
            strbuf_append(out, block, (size_t)count);
            status = strbuf_status(out);
            if (status != STATUS_OK) {
                error_set(err, status, "its output: %s", status_text(status));
            }
        } else if (errno != EINTR && errno != EAGAIN) {
            status = error_set(err, STATUS_UNAVAILABLE, "its output: %s", strerror(errno));
        }
    }
    crypto_wipe(block, sizeof block);
    return status;
}

/* 127 is what posix_spawnp's child ends with, or a shell, where there is no such program. */
static enum status judge_exit(int code, struct error *err) {
    if (WIFEXITED(code) && WEXITSTATUS(code) == 0) {
        return STATUS_OK;
    }
    bool is_missing = WIFEXITED(code) && WEXITSTATUS(code) == 127;
    return error_set(err, STATUS_NOT_FOUND,
                     is_missing ? "it is not installed" : "it gave no token; is somebody logged in? (az login)");
}

/* It has closed its output, and should end now. */
static enum status wait_for_exit(struct run *run, const struct token_context *context, struct error *err) {
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        int code = 0;
        pid_t ended = waitpid(run->pid, &code, WNOHANG);
        if (ended == run->pid) {
            run->pid = 0;
            return judge_exit(code, err);
        }
        if (ended < 0 && errno != EINTR) {
            run->pid = 0;
            return error_set(err, STATUS_UNAVAILABLE, "its end: %s", strerror(errno));
        }
        status = wait_for(run, context, -1, EXIT_POLL_MS, err);
    }
    return status;
}

static void finish(struct run *run) {
    close(run->output);
    if (run->pid > 0) {
        kill(-run->pid, SIGKILL);
        while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
}

static enum status fetch(struct token_source *source, const struct token_context *context, struct token *out,
                         struct error *err) {
    const struct token_source_cli *self = (const struct token_source_cli *)source;
    struct run run = {.output = -1};
    struct strbuf output;
    strbuf_init(&output, TOKEN_ANSWER_MAX_BYTES);
    enum status status = start(self, context, &run, err);
    if (status == STATUS_OK) {
        fcntl(run.output, F_SETFL, O_NONBLOCK);
        status = read_output(&run, context, &output, err);
        if (status == STATUS_OK) {
            status = wait_for_exit(&run, context, err);
        }
        finish(&run);
    }
    if (status == STATUS_OK) {
        struct token_moment at = {clock_now_ms(context->clock), clock_wall_ms(context->clock)};
        status = token_answer_read_cli(&output, &at, out, err);
    }
    if (status != STATUS_OK) {
        error_wrap(err, "az");
    }
    strbuf_release_wipe(&output);
    return status;
}

void token_source_cli_init(struct token_source_cli *source, char *const *environment) {
    *source = (struct token_source_cli){.base = {.name = "the developer's login (az)", .fetch = fetch},
                                        .environment = environment};
}
