#include "devhost/handler_process.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/condition.h"
#include "base/uuid.h"
#include "devhost/console.h"
#include "devhost/free_port.h"
#include "devhost/handler_environment.h"
#include "devhost/handler_output.h"

/*
 * Times and counts of Azure/azure-functions-host: WorkerConstants,
 * HttpFunctionInvocationDispatcher.
 */
enum {
    START_TIMEOUT_MS = 30000,
    MAX_ERRORS = 3,
    FORGET_ERRORS_MS = 30 * 60 * 1000,
    PING_TIMEOUT_MS = 1000,
    INTENTIONAL_RESTART = 200, /* an exit code */
    STOP_STEP_MS = 100
};

struct handler_process {
    const struct host_config *config;
    struct handler_client *client;
    char **arguments; /* argv; borrowed strings */
    pid_t pid;        /* 0: none runs */
    int port;
    int64_t start_deadline_ms;
    int error_count;
    int64_t last_error_ms;
    struct handler_output *output;
    atomic_bool restart_asked;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    enum handler_state state;
    bool stopping;
};

/* States */

static void enter(struct handler_process *process, enum handler_state state) {
    pthread_mutex_lock(&process->lock);
    process->state = state;
    pthread_cond_broadcast(&process->changed);
    pthread_mutex_unlock(&process->lock);
}

int handler_process_await(struct handler_process *process, int64_t timeout_ms) {
    const struct timespec until = condition_deadline(timeout_ms);
    pthread_mutex_lock(&process->lock);
    while (process->state == HANDLER_STARTING && !process->stopping &&
           condition_wait_until(&process->changed, &process->lock, &until)) {
    }
    int port = process->state == HANDLER_READY && !process->stopping ? process->port : 0;
    pthread_mutex_unlock(&process->lock);
    return port;
}

/* Starting */

/*
 * In the child, between fork and exec: async-signal-safe calls only. SIGPIPE is ignored, as by
 * every child of .NET's: its runtime ignores it, and Process.Start leaves ignored signals so.
 */
_Noreturn static void become_handler(const struct handler_process *process, char **environment,
                                     pid_t parent, const int output[2], const int errors[2]) {
    static const char complaint[] = "Error: the handler could not be started\n";
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(127); /* the parent died before prctl */
    }
    sigset_t none;
    sigemptyset(&none);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDONLY);
    if (dup2(null, STDIN_FILENO) >= 0 && dup2(output[1], STDOUT_FILENO) >= 0 &&
        dup2(errors[1], STDERR_FILENO) >= 0 && close_range(STDERR_FILENO + 1, ~0U, 0) == 0 &&
        chdir(process->config->folder) == 0) {
        execve(process->config->executable, process->arguments, environment);
    }
    ssize_t ignored = write(STDERR_FILENO, complaint, sizeof complaint - 1);
    (void)ignored;
    _exit(127);
}

static enum status no_process(struct error *err) {
    return error_set(err, STATUS_INTERNAL, "starting the handler: %s", strerror(errno));
}

static enum status fork_handler(struct handler_process *process, char **environment,
                                const int output[2], const int errors[2], struct error *err) {
    pid_t parent = getpid();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        become_handler(process, environment, parent, output, errors);
    }
    if (pid < 0) {
        return no_process(err);
    }
    process->pid = pid;
    return STATUS_OK;
}

static enum status spawn_with(struct handler_process *process, char **environment,
                              struct error *err) {
    int output[2];
    int errors[2];
    if (pipe2(output, O_CLOEXEC) != 0) {
        return no_process(err);
    }
    if (pipe2(errors, O_CLOEXEC) != 0) {
        close(output[0]);
        close(output[1]);
        return no_process(err);
    }
    enum status status = fork_handler(process, environment, output, errors, err);
    close(output[1]);
    close(errors[1]);
    if (status != STATUS_OK) {
        close(output[0]);
        close(errors[0]);
        return status;
    }
    return handler_output_start(&process->output, output[0], errors[0], err);
}

static enum status spawn(struct handler_process *process, struct error *err) {
    char worker_id[UUID_TEXT_BYTES];
    enum status status = uuid_v4(random_system(), worker_id);
    if (status != STATUS_OK) {
        return error_set(err, status, "starting the handler: no random bytes");
    }
    char **environment =
        handler_environment_new(process->config, environ, process->port, worker_id);
    if (environment == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "starting the handler: no memory");
    }
    process->start_deadline_ms = clock_now_ms(clock_system()) + START_TIMEOUT_MS;
    enter(process, HANDLER_STARTING);
    status = spawn_with(process, environment, err);
    handler_environment_free(environment);
    return status;
}

static char **make_arguments(const struct host_config *config) {
    char **arguments = calloc(config->argument_count + 2, sizeof *arguments);
    if (arguments != NULL) {
        arguments[0] = config->executable;
        for (size_t i = 0; i < config->argument_count; i++) {
            arguments[i + 1] = config->arguments[i];
        }
    }
    return arguments;
}

enum status handler_process_new(struct handler_process **out, const struct host_config *config,
                                struct handler_client *client, struct error *err) {
    if (access(config->executable, X_OK) != 0) {
        return error_set(err, STATUS_NOT_FOUND, "the handler %s cannot be run: %s (make builds it)",
                         config->executable, strerror(errno));
    }
    struct handler_process *process = calloc(1, sizeof *process);
    char **arguments = make_arguments(config);
    if (process == NULL || arguments == NULL) {
        free(process);
        free(arguments);
        return error_set(err, STATUS_NO_MEMORY, "no memory for the handler");
    }
    process->config = config;
    process->client = client;
    process->arguments = arguments;
    pthread_mutex_init(&process->lock, NULL);
    condition_init(&process->changed);
    process->port = free_port_find();
    enum status status = process->port != 0 ? spawn(process, err) : no_process(err);
    if (status != STATUS_OK) {
        handler_process_stop(process, 0);
        handler_process_free(process);
        return status;
    }
    *out = process;
    return STATUS_OK;
}

/* Looking after it */

static void describe_end(int how, char *out, size_t size) {
    if (WIFSIGNALED(how)) {
        snprintf(out, size, "was killed by signal %d (%s)", WTERMSIG(how),
                 strsignal(WTERMSIG(how)));
    } else {
        snprintf(out, size, "exited with code %d", WEXITSTATUS(how));
    }
}

/* The handler is gone. Its last lines come before what we say of it. */
static void forget_handler(struct handler_process *process) {
    process->pid = 0;
    handler_output_stop(process->output);
    process->output = NULL;
}

static void start_again(struct handler_process *process) {
    struct error err;
    if (spawn(process, &err) != STATUS_OK) {
        console_print(LOG_ERROR, "%s. The host stops.", err.message);
        enter(process, HANDLER_FAILED);
    }
}

static void restart_counted(struct handler_process *process, const char *why) {
    int64_t now_ms = clock_now_ms(clock_system());
    if (process->error_count > 0 && now_ms - process->last_error_ms > FORGET_ERRORS_MS) {
        process->error_count = 0;
    }
    process->last_error_ms = now_ms;
    process->error_count++;
    if (process->error_count == MAX_ERRORS) {
        console_print(LOG_ERROR,
                      "The handler %s. Exceeded http worker restart retry count. The host stops.",
                      why);
        enter(process, HANDLER_FAILED);
        return;
    }
    console_print(LOG_ERROR, "The handler %s. Starting it again (%d of %d).", why,
                  process->error_count, MAX_ERRORS - 1);
    start_again(process);
}

static void handle_exit(struct handler_process *process, int how) {
    char why[128];
    describe_end(how, why, sizeof why);
    enter(process, HANDLER_STARTING); /* callers are held from now on */
    forget_handler(process);
    if (WIFEXITED(how) && (WEXITSTATUS(how) == 0 || WEXITSTATUS(how) == INTENTIONAL_RESTART)) {
        console_print(LOG_WARNING, "The handler %s. Starting it again.", why);
        start_again(process);
        return;
    }
    restart_counted(process, why);
}

static void kill_handler(struct handler_process *process) {
    enter(process, HANDLER_STARTING);
    kill(process->pid, SIGKILL);
    waitpid(process->pid, NULL, 0);
    forget_handler(process);
}

/*
 * Any answer will do, and so does a connection that ends without one
 * (DefaultHttpWorkerService.IsWorkerReady).
 */
static bool answers(struct handler_process *process) {
    const struct http_headers headers = {0};
    const struct handler_call ping = {.port = process->port,
                                      .method = "GET",
                                      .target = "/",
                                      .headers = &headers,
                                      .silence_ms = PING_TIMEOUT_MS,
                                      .deadline_ms = INT64_MAX,
                                      .watch_fd = -1};
    struct handler_answer answer;
    enum handler_outcome outcome = handler_client_call(process->client, &ping, &answer);
    if (outcome == HANDLER_ANSWERED) {
        handler_client_finish(process->client, &answer);
    }
    return outcome == HANDLER_ANSWERED || outcome == HANDLER_GONE;
}

static void check_ready(struct handler_process *process) {
    if (answers(process)) {
        console_print(LOG_INFORMATION, "The handler (process %d) is ready.", (int)process->pid);
        enter(process, HANDLER_READY);
    } else if (clock_now_ms(clock_system()) >= process->start_deadline_ms) {
        kill_handler(process);
        restart_counted(process, "did not answer within 30 s");
    }
}

enum handler_state handler_process_step(struct handler_process *process) {
    int how;
    bool restart = atomic_exchange(&process->restart_asked, false);
    if (process->pid != 0 && waitpid(process->pid, &how, WNOHANG) == process->pid) {
        handle_exit(process, how);
    } else if (process->pid != 0 && restart) {
        kill_handler(process);
        console_print(LOG_WARNING,
                      "The handler was killed because a function timed out. Starting it again.");
        start_again(process);
    } else if (process->pid != 0 && process->state == HANDLER_STARTING) {
        check_ready(process);
    }
    return process->state;
}

void handler_process_ask_restart(struct handler_process *process) {
    atomic_store(&process->restart_asked, true);
    kill(getpid(), SIGUSR1);
}

/* Ending it */

/* Waits for SIGCHLD, which is blocked, or for the time to pass. */
static void wait_for_child(int64_t timeout_ms) {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    const struct timespec timeout = {.tv_sec = timeout_ms / 1000,
                                     .tv_nsec = timeout_ms % 1000 * 1000000};
    sigtimedwait(&child, NULL, &timeout);
}

void handler_process_stop(struct handler_process *process, int64_t timeout_ms) {
    pthread_mutex_lock(&process->lock);
    process->stopping = true;
    pthread_cond_broadcast(&process->changed);
    pthread_mutex_unlock(&process->lock);
    if (process->pid == 0) {
        return;
    }
    int64_t deadline_ms = clock_now_ms(clock_system()) + timeout_ms;
    int how = 0;
    pid_t ended = 0;
    for (int64_t left_ms = timeout_ms; ended == 0 && left_ms > 0;
         left_ms = deadline_ms - clock_now_ms(clock_system())) {
        kill(process->pid, SIGTERM);
        wait_for_child(left_ms < STOP_STEP_MS ? left_ms : STOP_STEP_MS);
        ended = waitpid(process->pid, &how, WNOHANG);
    }
    if (ended == 0) {
        console_print(LOG_WARNING, "The handler did not exit in time and is killed.");
        kill(process->pid, SIGKILL);
        waitpid(process->pid, &how, 0);
    }
    forget_handler(process);
    char why[128];
    describe_end(how, why, sizeof why);
    console_print(how == 0 ? LOG_INFORMATION : LOG_WARNING, "The handler %s.", why);
}

void handler_process_free(struct handler_process *process) {
    if (process != NULL) {
        pthread_cond_destroy(&process->changed);
        pthread_mutex_destroy(&process->lock);
        free(process->arguments);
        free(process);
    }
}
