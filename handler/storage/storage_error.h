/*
 * storage_error.h - what an answer means: whether it is storage's, and which status its HTTP status and error code become.
 *
 * An answer may come from something on the way instead: a gateway, a proxy, a captive portal. It is storage's only if it carries
 * x-ms-request-id, and then it is either the one success that the request expects or an error with storage's error code.
 * Everything else says nothing about what storage did. It is STATUS_UNAVAILABLE, as if no answer had come. So is an answer whose
 * Server header names another service of storage's (addresses of blobs and tables are swapped easily).
 *
 * Rules        Storage's errors, by HTTP status and error code ("Common REST API error codes", "Blob service error codes",
 *              "Table service error codes"):
 *                404 ContainerNotFound, TableNotFound                           STATUS_CONTAINER_NOT_FOUND
 *                404 BlobNotFound, ResourceNotFound, EntityNotFound             STATUS_NOT_FOUND
 *                409 LeaseAlreadyPresent, LeaseIsBreakingAndCannotBeAcquired    STATUS_LEASE_CONFLICT
 *                409, 412 any other code beginning with Lease                   STATUS_LEASE_LOST
 *                409 ...AlreadyExists                                           STATUS_ALREADY_EXISTS
 *                409 ...BeingDeleted, 408, 429, 5xx                             STATUS_UNAVAILABLE
 *                412, 409 UpdateConditionNotSatisfied                           STATUS_PRECONDITION_FAILED
 *                401, 403                                                       STATUS_UNAUTHORIZED
 *                anything else                                                  STATUS_INTERNAL
 */
#ifndef STORAGE_STORAGE_ERROR_H
#define STORAGE_STORAGE_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"
#include "http/http_transport.h"

/* The one answer by which storage says that it has carried out a request. */
struct storage_success {
    int http_status;
    char lease_id
        [UUID_TEXT_BYTES]; /* which x-ms-lease-id must name; "": that header is not looked at */
    const char
        *service; /* "Blob" or "Table", whose address this should be; NULL: it does not matter */
};

/* The table above, for an answer of storage's that is no success. */
enum status storage_error_status(int http_status, const char *code);

/*
 * Reads {"odata.error":{"code":"...","message":{"lang":"en-US","value":"0:..."}}}, as the Table service answers errors. The
 * message is cleaned (clean_text.h). What is not there leaves its output as it is, and so does a code that cannot be one.
 */
void storage_error_read_json(const char *json, size_t length, char *code, size_t code_size,
                             char *message, size_t message_size);

/* Whether an answer is storage's, and the success. */
bool storage_error_is_success(const struct http_reply *reply,
                              const struct storage_success *success);

/*
 * Reads an answer to a request that expects `success`. Fills `err` (not NULL) for one that is no success: code and cleaned message from
 * x-ms-error-code and the XML or JSON body, request id, Retry-After against `wall_ms`; `what` says what was asked, and where
 * ("PUT https://acme.blob.core.windows.net/leases/x?comp=lease").
 *
 * STATUS_OK            the success; `err` is untouched
 * STATUS_UNAVAILABLE   with err->http_status 0: the answer is not storage's; the message says what came
 * and those of the table
 */
enum status storage_error_read(const struct http_reply *reply,
                               const struct storage_success *success, const char *what,
                               int64_t wall_ms, struct error *err);

#endif
