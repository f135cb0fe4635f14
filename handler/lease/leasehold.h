/*
 * leasehold.h - named locks for processes on any number of machines, made of Azure Blob leases.
 *
 * A client acquires leases, renews them in the background for as long as the work lasts, and
 * releases them. This header is the whole API of libleasehold.a. It compiles as C11 and C++11 and
 * needs standard headers only. Link with -lleasehold -lcurl -lcjson -lcrypto -lm -pthread.
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
 * Vocabulary
 *     client         A connection to one storage account, with any number of leases.
 *     lease          The right to a name, which one holder has at a time. At Azure it is a lease on
 *                    the blob called prefix + name. A missing blob is created.
 *     renewal        A request after which a lease lasts for its whole duration again.
 *     safe deadline  The time until which a holder may rely on its lease. It is 90 % of the
 *                    duration (safety_threshold) after the acquire or the last good renewal. From
 *                    then on the lease counts as lost, although Azure gives it to nobody else
 *                    until it has expired.
 *
 * What is promised
 *     While leasehold_is_held returns true, nobody else holds the name, unless an operator has
 *     broken the lease (see below). The answer comes from this machine's clock and sends no
 *     request. The deadline counts from before the granted request was sent. The clock does not
 *     jump and counts suspended time. Clocks of different machines are never compared. They need to
 *     run equally fast, within what the safety threshold leaves.
 *
 * What is not promised
 *     A lease stops nobody from writing. A process may be paused between leasehold_is_held and its
 *     write, and the write may arrive long after the lease has ended. So the store that you write
 *     to must check as well: compare an ETag (If-Match), or a number that only grows, in the same
 *     transaction. Then a late write fails and does no harm.
 *     An operator may break any lease (leasehold_break). Its holder learns that at the next
 *     renewal. A lease without an end is never renewed, so its holder never learns of a loss.
 *
 * Threads
 *     Call leasehold_open before the program starts other threads, unless descriptors 0 to 2 are
 *     open. Call close when all other calls on the client have returned. Any other function may be
 *     called from several threads at the same time, also on one client or lease. Do not use a lease
 *     after its release. The client has one thread of its own for all its leases, on which every
 *     signal is blocked, SIGPIPE included. A client does not survive fork.
 *
 * Events
 *     A listener's renewed, renewal_failed and lost are called on the client's thread, one after
 *     the other for all leases of the client. They must not block, because no lease is renewed
 *     meanwhile. They may query and release leases. They may not call acquire, extend_for, wait,
 *     break or close.
 *     An event that runs while its lease is being released may end after release has returned. No
 *     event runs after close has returned.
 *     One exception: if leasehold_release is the first to notice a loss, it calls lost on its own
 *     thread before it returns. So hold no lock during release that lost takes.
 *
 * Signals
 *     Call nothing of this in a signal handler. Block the signal in all threads (pthread_sigmask,
 *     before the first thread starts). Then call leasehold_cancel from a thread in sigwait, or from
 *     an event loop that reads a signalfd. The programs in examples/ show how.
 *
 * Errors
 *     A function that can fail returns an enum leasehold_result and leaves its out-parameters
 *     untouched on failure. On failure alone it fills the caller's struct leasehold_error, which
 *     explains the failure to people. That pointer may be NULL. Nothing is printed. No message
 *     contains a key or a signature.
 *
 * Ownership
 *     Strings and structs that are passed in are copied. A lease belongs to its client; close ends
 *     the leases that were not released.
 *
 * Time
 *     _s are seconds, _ms milliseconds. Times in events are milliseconds since 1970 on the
 *     machine's wall clock, for people and logs. Do not compute with them; call
 *     leasehold_safe_for_ms instead.
 *
 * Facts of Azure's come from "Lease Blob" (REST): a lease lasts 15 to 60 seconds or has no end; and
 * from "Naming and Referencing Containers, Blobs, and Metadata".
 */
#ifndef LEASEHOLD_H
#define LEASEHOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The version of this header. Versions of one MAJOR are compatible: a program that was built with
 * an older one runs with a newer library.
 */
#define LEASEHOLD_VERSION_MAJOR 0
#define LEASEHOLD_VERSION_MINOR 9
#define LEASEHOLD_VERSION_PATCH 0

/* The same as text: "0.9.0". */
#define LEASEHOLD_VERSION                                                           \
    LEASEHOLD_VERSION_TEXT(LEASEHOLD_VERSION_MAJOR)                                 \
    "." LEASEHOLD_VERSION_TEXT(LEASEHOLD_VERSION_MINOR) "." LEASEHOLD_VERSION_TEXT( \
        LEASEHOLD_VERSION_PATCH)
#define LEASEHOLD_VERSION_TEXT(number) LEASEHOLD_VERSION_QUOTE(number)
#define LEASEHOLD_VERSION_QUOTE(number) #number

#ifdef __GNUC__
#define LEASEHOLD_MUST_CHECK __attribute__((warn_unused_result))
#else
#define LEASEHOLD_MUST_CHECK
#endif

struct leasehold;
struct leasehold_lease;

/*
 * Returns the version of the library that is in use, which may be newer than this header:
 * "MAJOR.MINOR.PATCH". Static, never NULL.
 */
const char *leasehold_version(void);

/* ---- results ---- */

enum leasehold_result {
    LEASEHOLD_OK,

    /* Somebody else held the lease for as long as the call waited. */
    LEASEHOLD_HELD_ELSEWHERE,

    /* The lease is no longer held. End the work that rests on it. */
    LEASEHOLD_LOST,

    /* Storage could not be reached or kept failing. Another try may succeed. */
    LEASEHOLD_UNAVAILABLE,

    /* Storage rejected the key or signature (401, 403). */
    LEASEHOLD_REFUSED,

    /* leasehold_cancel was called. */
    LEASEHOLD_CANCELLED,

    /* An option, a name or another value is not allowed. The message says which. */
    LEASEHOLD_INVALID,

    LEASEHOLD_NO_MEMORY,

    /* Anything else. The message says what. */
    LEASEHOLD_FAILED,
};

/* Returns what a result means, in a few words. Static, never NULL. */
const char *leasehold_result_text(enum leasehold_result result);

struct leasehold_error {
    enum leasehold_result result;
    int http_status;     /* of storage's answer; 0 without an answer */
    char code[64];       /* storage's error code, like "ContainerNotFound"; "" without one */
    char request_id[40]; /* storage's x-ms-request-id, for Azure's support; "" without one */
    char message[512];   /* one line */
};

/* ---- a client ---- */

enum {
    /* A duration: the lease has no end. */
    LEASEHOLD_INFINITE = -1,

    /* A renewal interval: two thirds of the duration, or less if the safe deadline is earlier. */
    LEASEHOLD_AUTO = -1,
};

/*
 * What has happened to a lease. The strings are borrowed for the call. Times are wall-clock times
 * in milliseconds since 1970.
 */
struct leasehold_event {
    const char *lease_name;
    const char *lease_id;
    int64_t time_ms;
    int64_t expires_ms;      /* renewed: when the lease ends at Azure without another renewal */
    int renewal_count;       /* good renewals so far */
    int attempt;             /* renewal_failed: 1, 2, ... */
    bool will_retry;         /* renewal_failed: if false, the lease is lost at the safe deadline */
    const char *reason;      /* renewal_failed, lost: for people; NULL in other events */
    int64_t last_renewal_ms; /* lost: the last good renewal, or the acquire */
};

/* Any function may be NULL. `context` is passed to each of them. */
struct leasehold_listener {
    void (*renewed)(void *context, const struct leasehold_event *event);
    void (*renewal_failed)(void *context, const struct leasehold_event *event);
    void (*lost)(void *context, const struct leasehold_event *event);
    void *context;
};

/* Stored as lease_NAME on each blob that is created. */
struct leasehold_metadata {
    const char *name;  /* 1 to 128 letters, digits and _, no digit first */
    const char *value; /* 1 to 1024 printable ASCII characters, no space first or last */
};

/* Each field is followed by its default and the values that are allowed. */
struct leasehold_options {
    /* No default. An account key, a SAS, or UseDevelopmentStorage=true. */
    const char *connection_string;

    /* "leases". Azure's rules for container names apply. */
    const char *container;

    /*
     * "lease-". At most 100 of the characters that a name may have. No part in front of a slash is
     * empty or ends with a dot.
     */
    const char *blob_prefix;

    /* true. Whether to create the container once storage has said that it is missing. */
    bool create_container;

    /* None. At most 7 KiB in all. */
    const struct leasehold_metadata *metadata;
    size_t metadata_count;

    /* 30. From 15 to 60, or LEASEHOLD_INFINITE. */
    int duration_s;

    /* true. If false, only leasehold_extend_for renews a lease. */
    bool auto_renew;

    /*
     * LEASEHOLD_AUTO. Otherwise at least 1, and before the safe deadline. A lease of another
     * duration is renewed in proportion. Ignored if duration_s is LEASEHOLD_INFINITE.
     */
    int64_t renew_interval_ms;

    /* 3. From 0 to 100: how often a failed renewal is tried again. */
    int renew_max_retries;

    /* 1000. From 1 to 60,000: the wait before the first retry. Later waits double. */
    int64_t renew_retry_ms;

    /* 0.9. From 0.5 to 0.95: the safe deadline as a part of the duration. */
    double safety_threshold;

    /* 10,000. From 0 to 600,000: how long acquire waits for another holder. 0 tries once. */
    int64_t acquire_timeout_ms;

    /* 50. From 1 to 60,000: the wait before acquire's second try. Later waits grow, with jitter. */
    int64_t acquire_retry_ms;

    /* None. Called for every lease whose request names no listener of its own. */
    struct leasehold_listener listener;
};

/* Returns the defaults given above. */
struct leasehold_options leasehold_options_default(void);

/*
 * Opens a client without sending a request. What storage does not accept shows at the first
 * acquire. Opens descriptors 0 to 2 on /dev/null if they are closed, because a connection must not
 * become the program's stdout.
 *
 * LEASEHOLD_INVALID     an option is not allowed
 * LEASEHOLD_NO_MEMORY
 * LEASEHOLD_FAILED      no thread could be started, or a descriptor could not be opened
 */
enum leasehold_result leasehold_open(const struct leasehold_options *options,
                                     struct leasehold **out,
                                     struct leasehold_error *err) LEASEHOLD_MUST_CHECK;

/*
 * Ends every acquire, wait and break with LEASEHOLD_CANCELLED, and every extend_for that needs a
 * renewal. Later calls end the same way. Leases stay held and are renewed.
 */
void leasehold_cancel(struct leasehold *client);

/*
 * Releases all leases at once and waits at most `timeout_ms` until each release has ended
 * (leasehold_release). Then frees the client and its leases. Returns the number of releases that
 * have not ended, plus the leases without an end that were never released. A lease expires on its
 * own; one without an end must be broken. NULL is allowed.
 */
int leasehold_close(struct leasehold *client, int64_t timeout_ms);

/* ---- leases ---- */

/* Initialize it with zeros: struct leasehold_request request = {.name = "..."} */
struct leasehold_request {
    /* 1 to 255 of A-Z a-z 0-9 . _ ~ - /, no part between slashes empty or ending with a dot */
    const char *name;

    /* 15 to 60, or LEASEHOLD_INFINITE. 0 takes the options' value. */
    int duration_s;

    /* Do not wait for another holder, whatever the timeouts say. */
    bool try_once;

    /* How long to wait for another holder, at most 600,000. 0 takes the options' value. */
    int64_t timeout_ms;

    /* Called for this lease. If all three functions are NULL, the options' listener is called. */
    struct leasehold_listener listener;
};

/*
 * Acquires a lease. Waits for another holder as the request says. If storage fails, tries for at
 * least 10 s. A lease that is returned is safe at that moment. With auto_renew it is renewed from
 * then on. After a failure, a lease that storage may have granted all the same is released.
 *
 * LEASEHOLD_HELD_ELSEWHERE   somebody else held it all that time
 * LEASEHOLD_UNAVAILABLE      storage kept failing
 * LEASEHOLD_REFUSED          storage rejected the credentials
 * LEASEHOLD_CANCELLED
 * LEASEHOLD_INVALID          the request is not allowed
 * LEASEHOLD_NO_MEMORY
 * LEASEHOLD_FAILED           for example: the container is missing and may not be created
 */
enum leasehold_result leasehold_acquire(struct leasehold *client,
                                        const struct leasehold_request *request,
                                        struct leasehold_lease **out,
                                        struct leasehold_error *err) LEASEHOLD_MUST_CHECK;

/*
 * Ends the lease, whether held or lost, and the use of `lease`. Returns at once. The release is
 * repeated in the background until storage confirms it or the lease expires. For a lease without an
 * end it is repeated for 60 s. NULL is allowed.
 */
void leasehold_release(struct leasehold_lease *lease);

/* Returns true if work may rest on the lease at this moment. Sends no request. */
bool leasehold_is_held(const struct leasehold_lease *lease);

/*
 * Returns how long the lease may be relied on without another renewal. 0 if it is not held,
 * INT64_MAX if it has no end.
 */
int64_t leasehold_safe_for_ms(const struct leasehold_lease *lease);

/* Returns the lease's id at Azure, a UUID. It is valid until release. */
const char *leasehold_id(const struct leasehold_lease *lease);

/* Returns the number of good renewals so far. */
int leasehold_renewal_count(const struct leasehold_lease *lease);

/*
 * Sleeps `duration_ms` while the lease is held.
 *
 * LEASEHOLD_OK          the time is over, and the lease is still held
 * LEASEHOLD_LOST        returned as soon as the lease is lost
 * LEASEHOLD_CANCELLED   returned as soon as leasehold_cancel is called
 */
enum leasehold_result leasehold_wait(const struct leasehold_lease *lease, int64_t duration_ms,
                                     struct leasehold_error *err) LEASEHOLD_MUST_CHECK;

/*
 * Makes sure that the lease is safe for `needed_ms` more. Call it before a step that takes at most
 * that long. If less is left, the lease is renewed first. `needed_ms` is at least 0 and less than
 * the time from a renewal to the safe deadline.
 *
 * LEASEHOLD_LOST        it is lost or could not be renewed in time: do not begin the step
 * LEASEHOLD_CANCELLED   leasehold_cancel was called before it was renewed
 * LEASEHOLD_INVALID     no renewal gives so much time
 */
enum leasehold_result leasehold_extend_for(struct leasehold_lease *lease, int64_t needed_ms,
                                           struct leasehold_error *err) LEASEHOLD_MUST_CHECK;

/*
 * For operators: ends anybody's lease on `name` at once. Sets `out_was_held`, which may be NULL, to
 * whether there was a lease. Returns LEASEHOLD_OK without a lease or a blob of that name too.
 *
 * LEASEHOLD_UNAVAILABLE   storage kept failing for 10 s
 * LEASEHOLD_CANCELLED, LEASEHOLD_REFUSED, LEASEHOLD_INVALID, LEASEHOLD_NO_MEMORY, LEASEHOLD_FAILED
 */
enum leasehold_result leasehold_break(struct leasehold *client, const char *name,
                                      bool *out_was_held,
                                      struct leasehold_error *err) LEASEHOLD_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
