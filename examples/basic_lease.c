/*
 * basic_lease.c - acquires a lease, works for a while, and releases it.
 *
 *     basic_lease NAME SECONDS [CONNECTION_STRING]
 *
 * The connection string is the last argument, or else AZURE_STORAGE_CONNECTION_STRING, or else
 * Azurite's.
 */
#include <leasehold.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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

static void on_renewed(void *context, const struct leasehold_event *event) {
    (void)context;
    printf("renewed: number %d, good for another %lld s\n", event->renewal_count,
           (long long)(event->expires_ms - event->time_ms) / 1000);
}

/*
 * Works in steps of a second. leasehold_wait ends early if the lease is lost or the client is
 * cancelled, so no step begins on a lease that is not held.
 */
static enum leasehold_result work_in_steps(const struct leasehold_lease *lease, int seconds,
                                           struct leasehold_error *err) {
    enum leasehold_result result = LEASEHOLD_OK;
    for (int step = 1; step <= seconds && result == LEASEHOLD_OK; step++) {
        printf("step %d of %d: may rely on the lease for %lld ms\n", step, seconds,
               (long long)leasehold_safe_for_ms(lease));
        result = leasehold_wait(lease, 1000, err);
    }
    return result;
}

static enum leasehold_result run_under_lease(struct leasehold *client, const char *name,
                                             int seconds, struct leasehold_error *err) {
    struct leasehold_request request = {.name = name};
    struct leasehold_lease *lease;
    enum leasehold_result result = leasehold_acquire(client, &request, &lease, err);
    if (result != LEASEHOLD_OK) {
        return result;
    }
    printf("acquired %s as %s\n", name, leasehold_id(lease));
    result = work_in_steps(lease, seconds, err);
    printf("%s; renewals: %d\n", leasehold_is_held(lease) ? "releasing" : "lost",
           leasehold_renewal_count(lease));
    leasehold_release(lease);
    return result;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s NAME SECONDS [CONNECTION_STRING]\n", argv[0]);
        return EXIT_FAILURE;
    }
    const char *given = argc > 3 ? argv[3] : getenv("AZURE_STORAGE_CONNECTION_STRING");
    struct leasehold_options options = leasehold_options_default();
    options.connection_string = given != NULL ? given : "UseDevelopmentStorage=true";
    options.duration_s = 15;
    options.renew_interval_ms = 3000; /* soon, so that a short run shows renewals */
    options.listener.renewed = on_renewed;
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
    result = run_under_lease(client, argv[1], (int)strtol(argv[2], NULL, 10), &err);
    bool failed = result != LEASEHOLD_OK && result != LEASEHOLD_CANCELLED;
    if (failed) {
        fprintf(stderr, "%s: %s\n", leasehold_result_text(result), err.message);
    }
    kill(getpid(), SIGTERM); /* ends the stopper if it still waits */
    pthread_join(stopper, NULL);
    int left = leasehold_close(client, 5000);
    printf("%s\n", left == 0 ? "released" : "not released; it will expire");
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
