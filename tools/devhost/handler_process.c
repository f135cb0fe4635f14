#include "devhost/handler_process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "devhost/console.h"
#include "devhost/handler_environment.h"
#include "devhost/handler_output.h"

/* Times and counts of Azure/azure-functions-host: WorkerConstants, HttpFunctionInvocationDispatcher. */
enum { START_TIMEOUT_MS = 30000, MAX_RESTARTS = 3, PING_TIMEOUT_MS = 1000, PING_ANSWER_BYTES = 64 * 1024 };

struct handler_process {
    const struct host_config *config;
    struct http_transport *transport;
    char **arguments; /* argv; borrowed strings */
    enum handler_state state;
    pid_t pid; /* 0: none runs */
    int port;  /* of the one that runs or ran last */
    int64_t start_deadline_ms;
    int restart_count;
    struct handler_output *output;
    atomic_int ready_port;
};

/* Starting */

/* A port that was free a moment ago; 0: none. */
static int find_free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool found = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
                 getsockname(fd, (struct sockaddr *)&address, &length) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return found ? ntohs(address.sin_port) : 0;
}

/* In the child, between fork and exec: async-signal-safe calls only. */
_Noreturn static void become_handler(const struct handler_process *process, char **environment, pid_t parent,
                                     const int output[2], const int errors[2]) {
    static const char complaint[] = "Error: the handler could not be started\n";
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(127); /* the parent died before prctl */
    }
    sigset_t none;
    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL); /* civetweb ignores it, and exec would keep that */
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDONLY);
    if (dup2(null, STDIN_FILENO) >= 0 && dup2(output[1], STDOUT_FILENO) >= 0 && dup2(errors[1], STDERR_FILENO) >= 0 &&
        close_range(STDERR_FILENO + 1, ~0U, 0) == 0 && chdir(process->config->folder) == 0) {
        execve(process->config->executable, process->arguments, environment);
    }
    ssize_t ignored = write(STDERR_FILENO, complaint, sizeof complaint - 1);
    (void)ignored;
    _exit(127);
}

static enum status no_process(struct error *err) {
    return error_set(err, STATUS_INTERNAL, "starting the handler: %s", strerror(errno));
}

static enum status fork_handler(struct handler_process *process, char **environment, const int output[2],
                                const int errors[2], struct error *err) {
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

static enum status spawn_with(struct handler_process *process, char **environment, struct error *err) {
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
    process->port = find_free_port();
    if (process->port == 0) {
        return no_process(err);
    }
    enum status status = uuid_v4(worker_id);
    if (status != STATUS_OK) {
        return error_set(err, status, "starting the handler: no random bytes");
    }
    char **environment = handler_environment_new(process->config, environ, process->port, worker_id);
    if (environment == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "starting the handler: no memory");
    }
    process->start_deadline_ms = clock_now_ms(clock_system()) + START_TIMEOUT_MS;
    process->state = HANDLER_STARTING;
    status = spawn_with(process, environment, err);
    handler_environment_free(environment);
    return status;
}

enum status handler_process_new(struct handler_process **out, const struct host_config *config,
                                struct http_transport *transport, struct error *err) {
    if (access(config->executable, X_OK) != 0) {
        return error_set(err, STATUS_NOT_FOUND, "the handler %s cannot be run: %s (make builds it)", config->executable,
                         strerror(errno));
    }
    struct handler_process *process = calloc(1, sizeof *process);
    char **arguments = calloc(config->argument_count + 2, sizeof *arguments);
    if (process == NULL || arguments == NULL) {
        free(process);
        free(arguments);
        return error_set(err, STATUS_NO_MEMORY, "no memory for the handler");
    }
    arguments[0] = config->executable;
    for (size_t i = 0; i < config->argument_count; i++) {
        arguments[i + 1] = config->arguments[i];
    }
    process->config = config;
    process->transport = transport;
    process->arguments = arguments;
    enum status status = spawn(process, err);
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
        snprintf(out, size, "was killed by signal %d (%s)", WTERMSIG(how), strsignal(WTERMSIG(how)));
    } else {
        snprintf(out, size, "exited with code %d", WEXITSTATUS(how));
    }
}

/* The handler is gone. Its last lines come before what we say of it. */
static void forget_handler(struct handler_process *process) {
    atomic_store(&process->ready_port, 0);
    process->pid = 0;
    handler_output_stop(process->output);
    process->output = NULL;
}

static void restart(struct handler_process *process, const char *why) {
    if (process->restart_count == MAX_RESTARTS) {
        console_print(LOG_ERROR, "The handler %s, after %d restarts. The host stops.", why, MAX_RESTARTS);
        process->state = HANDLER_FAILED;
        return;
    }
    process->restart_count++;
    console_print(LOG_ERROR, "The handler %s. Starting it again (%d of %d).", why, process->restart_count,
                  MAX_RESTARTS);
    struct error err;
    if (spawn(process, &err) != STATUS_OK) {
        console_print(LOG_ERROR, "%s. The host stops.", err.message);
        process->state = HANDLER_FAILED;
    }
}

static void handle_exit(struct handler_process *process, int how) {
    char why[128];
    describe_end(how, why, sizeof why);
    forget_handler(process);
    if (WIFEXITED(how) && WEXITSTATUS(how) == 0) {
        process->state = HANDLER_EXITED;
        console_print(LOG_WARNING,
                      "The handler exited with code 0, so it is not started again. Requests are answered 503.");
        return;
    }
    restart(process, why);
}

static bool answers(struct handler_process *process) {
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", process->port);
    const struct http_call ping = {
        .method = "GET", .url = url, .timeout_ms = PING_TIMEOUT_MS, .max_response_bytes = PING_ANSWER_BYTES};
    struct http_reply reply;
    http_reply_init(&reply);
    bool answered = http_transport_send(process->transport, &ping, &reply, NULL) == STATUS_OK;
    http_reply_release(&reply);
    return answered;
}

static void check_ready(struct handler_process *process) {
    if (answers(process)) {
        process->state = HANDLER_READY;
        atomic_store(&process->ready_port, process->port);
        console_print(LOG_INFORMATION, "The handler (process %d) is ready.", (int)process->pid);
    } else if (clock_now_ms(clock_system()) >= process->start_deadline_ms) {
        kill(process->pid, SIGKILL);
        waitpid(process->pid, NULL, 0);
        forget_handler(process);
        restart(process, "did not answer within 30 s");
    }
}

enum handler_state handler_process_step(struct handler_process *process) {
    int how;
    if (process->pid != 0 && waitpid(process->pid, &how, WNOHANG) == process->pid) {
        handle_exit(process, how);
    } else if (process->pid != 0 && process->state == HANDLER_STARTING) {
        check_ready(process);
    }
    return process->state;
}

int handler_process_port(const struct handler_process *process) {
    return atomic_load(&process->ready_port);
}

/* Ending it */

/* Waits for SIGCHLD, which is blocked, or for the time to pass. */
static void wait_for_child(int64_t timeout_ms) {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    const struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000};
    sigtimedwait(&child, NULL, &timeout);
}

void handler_process_stop(struct handler_process *process, int64_t timeout_ms) {
    if (process->pid == 0) {
        return;
    }
    int64_t deadline_ms = clock_now_ms(clock_system()) + timeout_ms;
    int how = 0;
    kill(process->pid, SIGTERM);
    pid_t ended = waitpid(process->pid, &how, WNOHANG);
    for (int64_t left_ms = timeout_ms; ended == 0 && left_ms > 0;
         left_ms = deadline_ms - clock_now_ms(clock_system())) {
        wait_for_child(left_ms);
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
        free(process->arguments);
        free(process);
    }
}
