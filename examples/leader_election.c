/*
 * leader_election.c - elects one leader among all processes that are started with the same name.
 *
 * The process that holds the lease leads. When it ends, it releases the lease and another process
 * leads within a second. When it dies, another leads once the lease has expired.
 *
 *     leader_election NAME [CONNECTION_STRING]
 *
 * The connection string is the last argument, or else AZURE_STORAGE_CONNECTION_STRING, or else
 * Azurite's.
 */
#include <leasehold.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static sigset_t stop_signals;

/*
 * Signals are handled on a thread of their own, because a signal handler may not call
 * leasehold_cancel.
 */
static void *stop_on_signal(void *client) {
    int signal_number;
    sigwait(&stop_signals, &signal_number);
    leasehold_cancel(client);
    return NULL;
}

/* Prints a line like "14:45:30.123 4711 is leader". */
static void say(const char *what) {
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    printf("%02d:%02d:%02d.%03ld %d %s\n", utc.tm_hour, utc.tm_min, utc.tm_sec,
           now.tv_nsec / 1000000, (int)getpid(), what);
}

/* Acquires the lease, however long that takes. */
static enum leasehold_result await_leadership(struct leasehold *client, const char *name,
                                              struct leasehold_lease **lease,
                                              struct leasehold_error *err) {
    struct leasehold_request request = {.name = name, .try_once = true};
    enum leasehold_result result = leasehold_acquire(client, &request, lease, err);
    if (result == LEASEHOLD_HELD_ELSEWHERE) {
        say("stands by");
    }
    request.try_once = false;
    while (result == LEASEHOLD_HELD_ELSEWHERE || result == LEASEHOLD_UNAVAILABLE) {
        if (result == LEASEHOLD_UNAVAILABLE) {
            say(err->message);
            sleep(1);
        }
        result = leasehold_acquire(client, &request, lease, err);
    }
    return result;
}

/* Leads while the lease is held. The work of a leader is done here, in short steps. */
static enum leasehold_result lead(struct leasehold_lease *lease, struct leasehold_error *err) {
    enum leasehold_result result;
    say("is leader");
    while ((result = leasehold_wait(lease, 1000, err)) == LEASEHOLD_OK) {
        say("leads");
    }
    say("leads no more");
    leasehold_release(lease);
    return result;
}

/* Runs until the client is cancelled. A leader that has lost its lease tries again. */
static enum leasehold_result run_elections(struct leasehold *client, const char *name,
                                           struct leasehold_error *err) {
    enum leasehold_result result;
    do {
        struct leasehold_lease *lease;
        result = await_leadership(client, name, &lease, err);
        if (result == LEASEHOLD_OK) {
            result = lead(lease, err);
        }
    } while (result == LEASEHOLD_LOST);
    return result;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s NAME [CONNECTION_STRING]\n", argv[0]);
        return EXIT_FAILURE;
    }
    const char *given = argc > 2 ? argv[2] : getenv("AZURE_STORAGE_CONNECTION_STRING");
    struct leasehold_options options = leasehold_options_default();
    options.connection_string = given != NULL ? given : "UseDevelopmentStorage=true";
    options.duration_s = 15;         /* how long nobody may lead after a leader has died */
    options.acquire_retry_ms = 1000; /* how often the others try to acquire the lease */
    setvbuf(stdout, NULL, _IOLBF, 0);

    sigemptyset(&stop_signals);
    sigaddset(&stop_signals, SIGINT);
    sigaddset(&stop_signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop_signals, NULL);

    struct leasehold *client;
    struct leasehold_error err;
    enum leasehold_result result = leasehold_open(&options, &client, &err);
    if (result != LEASEHOLD_OK) {
        fprintf(stderr, "%s\n", err.message);
        return EXIT_FAILURE;
    }
    pthread_t stopper;
    pthread_create(&stopper, NULL, stop_on_signal, client);
    result = run_elections(client, argv[1], &err);
    if (result != LEASEHOLD_CANCELLED) {
        fprintf(stderr, "%s: %s\n", leasehold_result_text(result), err.message);
    }
    kill(getpid(), SIGTERM); /* ends the stopper if it still waits */
    pthread_join(stopper, NULL);
    leasehold_close(client, 5000);
    return result == LEASEHOLD_CANCELLED ? EXIT_SUCCESS : EXIT_FAILURE;
}
