#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crypto.h"
#include "http/platform.h"
#include "identity/token_source.h"

enum {
    EXIT_POLL_MS = 20,

    /* How long a killed run may take to end. The whole program must stop within 5 s. */
    KILL_MS = 500,
};

/* ---- starting ---- */

/*
 * az gets a process group of its own, so that it can be killed with its children. It gets default
 * signal settings, because it would pass ours on.
 */
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
 * Closes descriptors in the child that are not close-on-exec. Ours all are. But libcurl makes pairs
 * of sockets for its own use that are not (7.88: multi.c, asyn-thread.c).
 */
static int close_inherited(posix_spawn_file_actions_t *files) {
    DIR *own = opendir("/proc/self/fd");
    int failure = 0;
    for (struct dirent *entry = NULL;
         own != NULL && failure == 0 && (entry = readdir(own)) != NULL;) {
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

/* stderr goes to /dev/null: what az writes there is for people at a terminal. */
static int set_files(posix_spawn_file_actions_t *files, int output) {
    int failure = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (failure == 0) {
        failure = posix_spawn_file_actions_adddup2(files, output, STDOUT_FILENO);
    }
    return failure != 0
               ? failure
               : posix_spawn_file_actions_addopen(files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
}

/* The command as az documents it. posix_spawn takes strings that are not const. */
static char words[][32] = {"az",   "account",    "get-access-token", "--output",
                           "json", "--resource", TOKEN_RESOURCE};
static char *const arguments[] = {words[0], words[1], words[2], words[3],
                                  words[4], words[5], words[6], NULL};

/* Starts az. Returns 0, or an error number of errno. */
static int spawn_az(const struct token_source_cli *self, int output, pid_t *out_pid) {
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    int failure = posix_spawnattr_init(&attributes);
    if (failure != 0) {
        return failure;
    }
    failure = posix_spawn_file_actions_init(&files);
    if (failure != 0) {
        goto cleanup_attributes;
    }
    failure = set_attributes(&attributes);
    if (failure != 0) {
        goto cleanup;
    }
    failure = set_files(&files, output);
    if (failure != 0) {
        goto cleanup;
    }
    failure = close_inherited(&files);
    if (failure != 0) {
        goto cleanup;
    }
    failure = posix_spawnp(out_pid, "az", &files, &attributes, arguments, self->environment);
cleanup:
    posix_spawn_file_actions_destroy(&files);
cleanup_attributes:
    posix_spawnattr_destroy(&attributes);
    return failure;
}

/* Starts az with a pipe for its output. */
static enum status run_az(struct token_source_cli *self, struct error *err) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return error_set(err, STATUS_UNAVAILABLE, "a pipe to it: %s", strerror(errno));
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    pid_t pid = 0;
    int failure = spawn_az(self, ends[1], &pid);
    close(ends[1]);
    if (failure == 0) {
        self->pid = pid;
        self->output.fd = ends[0];
        return STATUS_OK;
    }
    close(ends[0]);
    return failure == ENOENT
               ? error_set(err, STATUS_NOT_FOUND, "it is not installed")
               : error_set(err, STATUS_UNAVAILABLE, "it cannot be started: %s", strerror(failure));
}

/* ---- its end ---- */

static void set_timer(struct token_source_cli *self, int64_t due_ms) {
    event_loop_set_timer(self->platform->loop, &self->timer, due_ms);
}

static void close_output(struct token_source_cli *self) {
    if (self->output.fd >= 0) {
        event_loop_unwatch(self->platform->loop, &self->output);
        close(self->output.fd);
        self->output.fd = -1;
    }
}

/*
 * Kills the run with its children. az itself is killed by its own number, too, as it may have left
 * its group. `self->failure` is the reason. From the loop's next round on, check_exit looks for its
 * exit.
 */
static void kill_run(struct token_source_cli *self) {
    int64_t now_ms = clock_now_ms(self->platform->clock);
    close_output(self);
    kill(-self->pid, SIGKILL);
    kill(self->pid, SIGKILL);
    self->state = TOKEN_CLI_KILLED;
    self->deadline_ms = now_ms + KILL_MS;
    set_timer(self, now_ms);
}

static void kill_overdue_run(struct token_source_cli *self) {
    error_set(&self->failure, STATUS_UNAVAILABLE, "it took longer than %d s",
              TOKEN_FETCH_MS / 1000);
    kill_run(self);
}

/* Exit code 127, of posix_spawnp's child or of a shell, means that there is no such program. */
static enum status exit_status(int code, struct error *err) {
    if (WIFEXITED(code) && WEXITSTATUS(code) == 0) {
        return STATUS_OK;
    }
    bool is_missing = WIFEXITED(code) && WEXITSTATUS(code) == 127;
    return error_set(err, STATUS_NOT_FOUND,
                     is_missing ? "it is not installed"
                                : "it gave no token; is somebody logged in? (az login)");
}

/* Reads the token from the output of a run that has ended. */
static enum status read_token(const struct token_source_cli *self, int code, struct token *out,
                              struct error *err) {
    if (self->state == TOKEN_CLI_KILLED) {
        *err = self->failure;
        return err->status;
    }
    enum status status = exit_status(code, err);
    if (status == STATUS_OK) {
        struct token_moment at = {clock_now_ms(self->platform->clock),
                                  clock_wall_ms(self->platform->clock)};
        status = token_answer_read_cli(&self->text, &at, out, err);
    }
    return status;
}

/* Ends the fetch. `code` is waitpid's; it does not matter for a killed run. */
static void end_run(struct token_source_cli *self, int code) {
    struct token token;
    struct error err = {.status = STATUS_OK};
    token_init(&token);
    enum status status = read_token(self, code, &token, &err);
    if (status != STATUS_OK) {
        error_wrap(&err, "az");
    }
    strbuf_cleanup_wipe(&self->text);
    event_loop_stop_timer(self->platform->loop, &self->timer);
    self->state = TOKEN_CLI_IDLE;
    self->base.done(self->base.done_context, status, status == STATUS_OK ? &token : NULL, &err);
    token_cleanup(&token);
}

/*
 * Checks whether the run has ended, and otherwise sets a timer to check again. A pidfd would do
 * without polling, but old kernels have none, and there are only a few checks an hour.
 *
 * A killed run that does not end in time runs as another user, or hangs in the kernel. The fetch
 * ends without it. `self->pid` stays set, so that the next start waits for its end.
 */
static void check_exit(struct token_source_cli *self) {
    int64_t now_ms = clock_now_ms(self->platform->clock);
    int code = 0;
    pid_t ended = waitpid(self->pid, &code, WNOHANG);
    if (ended == self->pid) {
        self->pid = 0;
        end_run(self, code);
    } else if (ended < 0 && errno != EINTR) {
        /* Other code in this process has waited for it, so its exit code is lost. */
        error_set(&self->failure, STATUS_UNAVAILABLE, "its end: %s", strerror(errno));
        self->state = TOKEN_CLI_KILLED;
        self->pid = 0;
        end_run(self, 0);
    } else if (now_ms < self->deadline_ms) {
        set_timer(self, now_ms + EXIT_POLL_MS);
    } else if (self->state == TOKEN_CLI_EXITING) {
        kill_overdue_run(self);
    } else {
        end_run(self, 0);
    }
}

static void on_timer(void *context) {
    struct token_source_cli *self = context;
    if (self->state == TOKEN_CLI_READING) {
        kill_overdue_run(self);
    } else {
        check_exit(self);
    }
}

/* ---- its output ---- */

/* Handles the result of read(): bytes, the end of the output (0), or an error (< 0). */
static void handle_output(struct token_source_cli *self, const char *block, ssize_t count) {
    if (count > 0) {
        strbuf_append(&self->text, block, (size_t)count);
        enum status status = strbuf_status(&self->text);
        if (status != STATUS_OK) {
            error_set(&self->failure, status, "its output: %s", status_text(status));
            kill_run(self);
        }
    } else if (count == 0) {
        close_output(self);
        self->state = TOKEN_CLI_EXITING;
        check_exit(self);
    } else if (errno != EINTR && errno != EAGAIN) {
        error_set(&self->failure, STATUS_UNAVAILABLE, "its output: %s", strerror(errno));
        kill_run(self);
    }
}

static void on_output(void *context, unsigned events) {
    (void)events;
    struct token_source_cli *self = context;
    char block[4096];
    ssize_t count = read(self->output.fd, block, sizeof block);
    handle_output(self, block, count);
    crypto_wipe(block, sizeof block);
}

/* ---- the source ---- */

/*
 * Reaps an earlier run that could not be killed. Fails while it has not ended, so that hanging runs
 * do not pile up.
 */
static enum status reap_earlier_run(struct token_source_cli *self, struct error *err) {
    if (self->pid != 0 && waitpid(self->pid, NULL, WNOHANG) == 0) {
        return error_set(err, STATUS_UNAVAILABLE,
                         "an earlier run, process %d, cannot be killed and has not ended",
                         (int)self->pid);
    }
    self->pid = 0;
    return STATUS_OK;
}

static enum status cli_start(struct token_source *source, const struct platform *platform,
                             struct error *err) {
    struct token_source_cli *self = (struct token_source_cli *)source;
    enum status status = reap_earlier_run(self, err);
    if (status == STATUS_OK) {
        status = run_az(self, err);
    }
    if (status != STATUS_OK) {
        error_wrap(err, "az");
        return status;
    }
    self->platform = platform;
    self->state = TOKEN_CLI_READING;
    self->deadline_ms = clock_now_ms(platform->clock) + TOKEN_FETCH_MS;
    self->timer = (struct loop_timer){.fired = on_timer, .context = self};
    strbuf_init(&self->text, TOKEN_ANSWER_MAX_BYTES);
    set_timer(self, self->deadline_ms);
    if (!event_loop_watch(platform->loop, &self->output, LOOP_READABLE)) {
        error_set(&self->failure, STATUS_UNAVAILABLE, "its output cannot be watched: %s",
                  strerror(errno));
        kill_run(self);
    }
    return STATUS_OK;
}

static void cli_cancel(struct token_source *source) {
    struct token_source_cli *self = (struct token_source_cli *)source;
    if (self->state == TOKEN_CLI_READING || self->state == TOKEN_CLI_EXITING) {
        error_set(&self->failure, STATUS_CANCELLED, "given up, since the program is stopping");
        kill_run(self);
    }
}

void token_source_cli_init(struct token_source_cli *source, char *const *environment) {
    *source = (struct token_source_cli){
        .base = {.name = "the developer's login (az)", .start = cli_start, .cancel = cli_cancel},
        .environment = environment,
        .output = {.fd = -1, .ready = on_output, .context = source},
    };
}
