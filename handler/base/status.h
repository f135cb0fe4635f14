/*
 * status.h - the result of every function that can fail, and its detail for people.
 *
 * Vocabulary   status   what callers branch on; each code exists because some caller does
 *              error    the detail: a message, an HTTP status, storage's error code and request id.
 *                       Its message gains context on the way up ("reserving PROD-001: reading the
 *                       product: connection refused")
 * Rules        Outputs are untouched on failure, unless a header says otherwise.
 *              `struct error *err` is always the last parameter, and may be NULL.
 *              Messages never hold a secret (key, token, signature).
 */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stdarg.h>
#include <stdbool.h>

/* clang-format off */
#define STATUS_TABLE(X) \
    X(OK,                  "success") \
    X(NO_MEMORY,           "out of memory") \
    X(INVALID_ARGUMENT,    "a value given by a user is not allowed") \
    X(MALFORMED,           "data from outside cannot be understood") \
    X(TOO_LARGE,           "data from outside is over its limit") \
    X(NOT_FOUND,           "the blob or entity does not exist") \
    X(CONTAINER_NOT_FOUND, "the container or table does not exist") \
    X(ALREADY_EXISTS,      "the container, blob, table or entity exists already") \
    X(PRECONDITION_FAILED, "the entity has changed since it was read") \
    X(LEASE_CONFLICT,      "somebody else holds the lease") \
    X(LEASE_LOST,          "the lease is not ours any more") \
    X(KEY_REUSED,          "the Idempotency-Key was used for another request") \
    X(UNAUTHORIZED,        "storage refused the credentials") \
    X(UNAVAILABLE,         "storage could not be reached or kept failing; what was asked may or may not have happened") \
    X(CANCELLED,           "given up because the program is stopping") \
    X(NO_THREAD,           "the system allows no more threads") \
    X(INTERNAL,            "an answer or state that should be impossible")
/* clang-format on */

enum status {
#define STATUS_ENUM(name, text) STATUS_##name,
    STATUS_TABLE(STATUS_ENUM)
#undef STATUS_ENUM
};

struct error {
    enum status status;
    int http_status;     /* of storage's answer; 0: there was none */
    int retry_after_ms;  /* the wait that storage asked for; 0: none */
    char code[64];       /* x-ms-error-code or the OData error code; "" if none */
    char request_id[40]; /* x-ms-request-id; "" if none */
    char message[512];   /* one line, cut where it is too long */

    /*
     * Storage may have carried out what was asked: an attempt was sent, and its reply was lost or
     * could not be read. The status alone does not tell.
     */
    bool may_have_happened;
};

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_index) \
    __attribute__((format(printf, format_index, first_index)))

/* Return the code's name ("LEASE_LOST") and its meaning in one line. Both are static. */
const char *status_name(enum status status);
const char *status_text(enum status status);

/*
 * Clears and fills `err`, which may be NULL, and returns `status`. So a failure is one line:
 * `return error_set(...)`. The arguments may lie in `err` itself. Control characters become spaces.
 */
enum status error_set(struct error *err, enum status status, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Puts "context: " in front of the message. `err` may be NULL. */
void error_wrap(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
