/*
 * leasehold.h - named locks for processes on any number of machines: Azure Blob leases that are acquired with patience,
 * renewed for as long as the work lasts, and given back.
 *
 * The public face of libleasehold.a, complete in itself: C11 or C++, standard headers alone. Link with -lleasehold
 * -lcurl -lcjson -lcrypto -lm -pthread.
 *
 *     struct leasehold_options options = leasehold_options_default();
 *     options.connection_string = "UseDevelopmentStorage=true";
 *     struct leasehold *client;
 *     struct leasehold_lease *lease;
 *     struct leasehold_error err;
 *     struct leasehold_request request = {.name = "nightly-report"};
 *     if (leasehold_open(&options, &client, &err) != LEASEHOLD_OK) ... err.message ...
 *     if (leasehold_acquire(client, &request, &lease, &err) == LEASEHOLD_OK) {
 *         while (more_to_do() && leasehold_is_held(lease)) { ... one step ... }
 *         leasehold_release(lease);
 *     }
 *     leasehold_close(client, 5000);
 *
 * Vocabulary   client    a connection to one storage account, with any number of leases
 *              lease     the right to a name, held by one holder at a time; at Azure it is a lease on the blob called
 *                        prefix + name, which is created where it is missing
 *              renewal   the client's request that lets a lease last for its whole duration again
 *              safety    the part of the duration (90 %) after the last good renewal for which a holder may rely on the
 *                        lease; past it the lease counts as lost, although Azure lets nobody else have it yet
 * Promise      While leasehold_is_held answers true, nobody else holds the name. That is a question to this machine's
 *              clock and never to the network: the time is reckoned from before the request that was granted was sent,
 *              on a clock that does not jump and counts suspended time. Clocks of different machines are never
 *              compared; all that is asked of them is to run equally fast, to within what safety leaves.
 * No promise   A lease stops nobody from writing. A process may be paused between asking and writing, and what it has
 *              sent may arrive when its lease is long over. So the store that you write to must check too: an ETag
 *              (If-Match), or a number that only grows, compared in the same transaction. Then a late write fails
 *              instead of doing harm. An operator may break any lease (leasehold_break); its holder learns it at his
 *              next renewal. A lease without end is neither renewed nor ever known to be lost.
 * Threads      Every function may be called from any thread, on one client and one lease too, but for open and close: a
 *              client is closed once all other calls on it have returned, and a lease is not used after its release.
 *              The client has one thread of its own, for all its leases; every signal is blocked there, SIGPIPE too.
 *              A client does not outlive fork.
 * Events       renewed, renewal_failed and lost are called on the client's thread, one after the other, for all leases of
 *              the client. They must not block: no lease is renewed meanwhile. From inside one, leases may be asked
 *              about and released; acquire, ensure, wait, break and close may not be called. One that runs while
 *              its lease is released may end after release has returned; none is called once close has returned.
 *              One exception: where leasehold_release is the first to notice that its lease was lost, lost is called on the
 *              releasing thread before release returns. So release nothing with a lock held that lost takes.
 * Signals      Nothing here may be called in a signal handler. Block the signal in all threads (pthread_sigmask, before
 *              the first starts), let a thread sit in sigwait, or an event loop read a signalfd, and call
 *              leasehold_cancel from there. examples/ shows it.
 * Errors       What can fail returns an enum leasehold_result; out-parameters are untouched on failure. The caller's
 *              struct leasehold_error, which may be NULL, tells more, for people; it is filled on failure alone.
 *              Nothing is printed. No message holds a key or signature.
 * Ownership    Strings and structures handed in are copied. A lease belongs to its client: close ends it if release has
 *              not.
 * Time         _s are seconds, _ms milliseconds. Times in events are milliseconds since 1970 on the machine's clock, for
 *              people and logs: ask leasehold_safe_for_ms instead of comparing them.
 *
 * Facts of Azure's: "Lease Blob" (REST) - a lease lasts 15 to 60 seconds or has no end; "Naming and Referencing
 * Containers, Blobs, and Metadata".
 */
#ifndef LEASEHOLD_H
#define LEASEHOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __GNUC__
#define LEASEHOLD_MUST_CHECK __attribute__((warn_unused_result))
#else
#define LEASEHOLD_MUST_CHECK
#endif

struct leasehold;
struct leasehold_lease;

/* --- results --- */

enum leasehold_result {
    LEASEHOLD_OK,
    LEASEHOLD_HELD_ELSEWHERE, /* somebody else holds the lease, and did for as long as was waited */
    LEASEHOLD_LOST,           /* the lease is not held any more: end the work that rests on it */
    LEASEHOLD_UNAVAILABLE,    /* storage could not be reached or kept failing: worth another try */
    LEASEHOLD_REFUSED,        /* storage refused the key or signature (401, 403) */
    LEASEHOLD_CANCELLED,      /* leasehold_cancel */
    LEASEHOLD_INVALID, /* an option, a name or another value that is not allowed; the message says which */
    LEASEHOLD_NO_MEMORY,
    LEASEHOLD_FAILED, /* anything else: the message says what */
};

/* What a result means, in a few words. Never NULL, static. */
const char *leasehold_result_text(enum leasehold_result result);

struct leasehold_error {
    enum leasehold_result result;
    int http_status;     /* of storage's answer; 0: there was none */
    char code[64];       /* its error code, "ContainerNotFound"; "" if none */
    char request_id[40]; /* its x-ms-request-id, for Azure's support; "" if none */
    char message[512];   /* one line */
};

/* --- a client --- */

enum {
    LEASEHOLD_INFINITE = -1, /* a duration: no end */
    LEASEHOLD_AUTO =
        -1, /* a renewal interval: two thirds of the duration, less where safety is tighter */
};

/* What listeners are told; all borrowed for the call. Wall-clock times, in milliseconds since 1970. */
struct leasehold_event {
    const char *lease_name;
    const char *lease_id;
    int64_t time_ms;
    int64_t expires_ms;      /* renewed: when it ends at Azure if it is not renewed again */
    int renewal_count;       /* good renewals so far */
    int attempt;             /* renewal_failed: 1, 2, ... */
    bool will_retry;         /* renewal_failed: false: the lease will be lost when safety is over */
    const char *reason;      /* renewal_failed, lost: for people; otherwise NULL */
    int64_t last_renewal_ms; /* lost: the last good renewal, or the acquire */
};

/* Any may be NULL. `context` is the listener's. */
struct leasehold_listener {
    void (*renewed)(void *context, const struct leasehold_event *event);
    void (*renewal_failed)(void *context, const struct leasehold_event *event);
    void (*lost)(void *context, const struct leasehold_event *event);
    void *context;
};

/* Stored as lease_NAME on the blobs that are created. */
struct leasehold_metadata {
    const char *name;  /* letters, digits and _, no digit first; 1 to 128 */
    const char *value; /* 1 to 1024 printable ASCII characters, no space first or last */
};

struct leasehold_options {
    const char *
        connection_string; /* an account key or a SAS, or UseDevelopmentStorage=true; has no default */
    const char *container; /* "leases" */
    const char *
        blob_prefix; /* "lease-"; up to 100 characters; the rules of names apply to prefix and name together */
    bool create_container;                     /* true: where storage says that it is missing */
    const struct leasehold_metadata *metadata; /* none; 7 KiB in all */
    size_t metadata_count;
    int duration_s;  /* 30; 15 to 60, or LEASEHOLD_INFINITE */
    bool auto_renew; /* true. False: only leasehold_extend_for renews a lease */
    int64_t
        renew_interval_ms; /* LEASEHOLD_AUTO; at least 1, below safety. Leases of another duration are
                                           renewed in proportion. Of no effect with LEASEHOLD_INFINITE */
    int renew_max_retries;   /* 3; 0 to 100: attempts after the first, for one renewal */
    int64_t renew_retry_ms;  /* 1000; 1 to 60,000: the first wait between them; doubles */
    double safety_threshold; /* 0.9; 0.5 to 0.95: the part of the duration that may be relied on */
    int64_t
        acquire_timeout_ms; /* 10,000; 0 to 600,000: how long acquire waits for a holder; 0: tries once */
    int64_t acquire_retry_ms; /* 50; 1 to 60,000: the first wait between its tries; varies */
    struct leasehold_listener listener; /* nobody */
};

/* The values given above. */
struct leasehold_options leasehold_options_default(void);

/*
 * Opens a client. Storage is not asked anything: what it does not like shows at the first acquire. Descriptors 0 to 2 that are
 * closed are opened on /dev/null, so that no connection becomes the program's stdout.
 * LEASEHOLD_INVALID, LEASEHOLD_NO_MEMORY, LEASEHOLD_FAILED (no thread to be had).
 */
enum leasehold_result leasehold_open(const struct leasehold_options *options,
                                     struct leasehold **out,
                                     struct leasehold_error *err) LEASEHOLD_MUST_CHECK;

/* Ends every acquire, wait and break under way, and those to come, with LEASEHOLD_CANCELLED. Leases stay held and renewed. */
void leasehold_cancel(struct leasehold *client);

/*
 * Gives back every lease that is still held or on its way back, all at once, waits at most `timeout_ms` until storage has
 * heard of each, and frees client and leases. How many storage did not hear of: they run out by themselves, but one
 * without end has to be broken. NULL is fine.
 */
int leasehold_close(struct leasehold *client, int64_t timeout_ms);

/* --- leases --- */

/* Start from zero: struct leasehold_request request = {.name = "..."} */
struct leasehold_request {
    const char *
        name; /* 1 to 255 of A-Z a-z 0-9 . _ ~ - /, no part between slashes empty or ending with a dot */
    int duration_s;     /* 15 to 60, or LEASEHOLD_INFINITE; 0: as in the options */
    bool try_once;      /* do not wait for a holder, whatever the timeouts say */
    int64_t timeout_ms; /* up to 600,000: how long to wait for a holder; 0: as in the options */
    struct leasehold_listener listener; /* of this lease; all NULL: the one in the options */
};

/*
 * Acquires a lease. Waits for a holder as said; storage that fails is tried for 10 s at least. The lease is safe when it
 * is handed out, and renewed from then on.
 *
 * LEASEHOLD_HELD_ELSEWHERE
 * LEASEHOLD_UNAVAILABLE   what storage may have granted all the same is given back
 * LEASEHOLD_CANCELLED     likewise
 * LEASEHOLD_REFUSED, LEASEHOLD_INVALID, LEASEHOLD_NO_MEMORY
 * LEASEHOLD_FAILED        among others: the container is missing and not to be created
 */
enum leasehold_result leasehold_acquire(struct leasehold *client,
                                        const struct leasehold_request *request,
                                        struct leasehold_lease **out,
                                        struct leasehold_error *err) LEASEHOLD_MUST_CHECK;

/*
 * Ends the lease, held or lost, and the use of `lease`. Returns at once: storage is told in the background, again and
 * again until it has heard or the lease has run out. NULL is fine.
 */
void leasehold_release(struct leasehold_lease *lease);

/* May work rest on it at this moment? Costs no request. */
bool leasehold_is_held(const struct leasehold_lease *lease);

/* For how long it may, if it is not renewed again; 0: it is not held. INT64_MAX: no end. */
int64_t leasehold_safe_for_ms(const struct leasehold_lease *lease);

/* Its id at Azure, a UUID; valid until release. */
const char *leasehold_id(const struct leasehold_lease *lease);

/* Good renewals so far. */
int leasehold_renewal_count(const struct leasehold_lease *lease);

/*
 * Sleeps `duration_ms` with the lease in hand.
 * LEASEHOLD_LOST, LEASEHOLD_CANCELLED: as soon as it is, without waiting for the rest.
 */
enum leasehold_result leasehold_wait(const struct leasehold_lease *lease, int64_t duration_ms,
                                     struct leasehold_error *err) LEASEHOLD_MUST_CHECK;

/*
 * Before a step that takes `needed_ms` at most and rests on the lease until its end: where less is left, renews the lease
 * first and waits for that. `needed_ms`: 0 to below safety (90 % of the duration).
 * LEASEHOLD_LOST        it is lost, or could not be renewed in time: do not begin the step
 * LEASEHOLD_CANCELLED   while it was being renewed
 * LEASEHOLD_INVALID     no renewal gives so much time
 */
enum leasehold_result leasehold_extend_for(struct leasehold_lease *lease, int64_t needed_ms,
                                           struct leasehold_error *err) LEASEHOLD_MUST_CHECK;

/*
 * For operators: ends anybody's lease on `name` at once. `out_was_held` (may be NULL): was there one? Without one, and
 * without a blob of that name, there is nothing to do, which is LEASEHOLD_OK too.
 * LEASEHOLD_UNAVAILABLE (after 10 s), LEASEHOLD_CANCELLED, LEASEHOLD_REFUSED, LEASEHOLD_INVALID, LEASEHOLD_NO_MEMORY,
 * LEASEHOLD_FAILED
 */
enum leasehold_result leasehold_break(struct leasehold *client, const char *name,
                                      bool *out_was_held,
                                      struct leasehold_error *err) LEASEHOLD_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
