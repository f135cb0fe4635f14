/*
 * storage_error.h - whether Azure Storage sent an answer, and which status the answer becomes.
 *
 * An answer may come from something on the way instead: a gateway, a proxy, a captive portal. It is
 * storage's only if it carries x-ms-request-id and is one of two things: the one success that the
 * request expects, or an error with an error code. Any other answer tells nothing about what
 * storage did. So it becomes STATUS_UNAVAILABLE, as if no answer had come. The same holds if the
 * Server header names another service of storage's, because the addresses of blobs and tables are
 * easily swapped.
 *
 * Rules   An error becomes a status by its HTTP status and error code ("Common REST API error
 *         codes", "Blob service error codes", "Table service error codes"):
 *
 *         404 ContainerNotFound, TableNotFound                 STATUS_CONTAINER_NOT_FOUND
 *         404 BlobNotFound, ResourceNotFound, EntityNotFound   STATUS_NOT_FOUND
 *         409 LeaseAlreadyPresent,
 *             LeaseIsBreakingAndCannotBeAcquired               STATUS_LEASE_CONFLICT
 *         409, 412 any other code that begins with Lease       STATUS_LEASE_LOST
 *         409 ...AlreadyExists                                 STATUS_ALREADY_EXISTS
 *         409 ...BeingDeleted, 408, 429, 5xx                   STATUS_UNAVAILABLE
 *         412, 409 UpdateConditionNotSatisfied                 STATUS_PRECONDITION_FAILED
 *         401, 403                                             STATUS_UNAUTHORIZED
 *         anything else                                        STATUS_INTERNAL
 */
#ifndef STORAGE_STORAGE_ERROR_H
#define STORAGE_STORAGE_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"

struct http_reply;

/* The one answer by which storage says that it has carried out a request. */
struct storage_success {
    int http_status;
    char lease_id[UUID_TEXT_BYTES]; /* required in x-ms-lease-id; "": the header is ignored */
    const char *service;            /* the expected one, "Blob" or "Table"; NULL: any */
};

/* Returns the status of an error, as the table above says. */
enum status storage_error_status(int http_status, const char *code);

/*
 * Reads an error of the Table service:
 * {"odata.error":{"code":"...","message":{"lang":"en-US","value":"0:..."}}}.
 * The message is cleaned (clean_text.h). An output stays unchanged if its text is missing, or if
 * the code has other characters than letters and digits.
 */
void storage_error_read_json(const char *json, size_t length, char *code, size_t code_size,
                             char *message, size_t message_size);

/* Returns true if storage sent the answer, and it is `success`. */
bool storage_error_is_success(const struct http_reply *reply,
                              const struct storage_success *success);

/*
 * Returns the status of an answer, and fills `err` (not NULL) unless that is STATUS_OK: code,
 * cleaned message, request id, and Retry-After, for which `wall_ms` is the time. `what` is the
 * request as messages show it ("PUT https://acme.blob.core.windows.net/leases/x?comp=lease").
 *
 * STATUS_OK            the success; `err` is untouched
 * STATUS_UNAVAILABLE   if err->http_status is 0: the answer is not storage's
 * and the other statuses of the table
 */
enum status storage_error_read(const struct http_reply *reply,
                               const struct storage_success *success, const char *what,
                               int64_t wall_ms, struct error *err);

#endif
