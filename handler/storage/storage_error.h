/*
 * storage_error.h - what an answer of storage means: the one place where HTTP statuses and error codes become ours.
 *
 * Rules        Below 300 is success. Else, by HTTP status and error code ("Common REST API error codes", "Blob service error
 *              codes", "Table service error codes"):
 *                404 ContainerNotFound, TableNotFound                           STATUS_CONTAINER_NOT_FOUND
 *                404 anything else                                              STATUS_NOT_FOUND
 *                409 LeaseAlreadyPresent, LeaseIsBreakingAndCannotBeAcquired    STATUS_LEASE_CONFLICT
 *                409, 412 any other code beginning with Lease                   STATUS_LEASE_LOST
 *                409 ...AlreadyExists                                           STATUS_ALREADY_EXISTS
 *                409 ...BeingDeleted, 408, 429, 5xx                             STATUS_UNAVAILABLE
 *                412, 409 UpdateConditionNotSatisfied                           STATUS_PRECONDITION_FAILED
 *                401, 403                                                       STATUS_UNAUTHORIZED
 *                anything else                                                  STATUS_INTERNAL
 * Threads: any.
 * Layer: storage. May include base/.
 */
#ifndef STORAGE_STORAGE_ERROR_H
#define STORAGE_STORAGE_ERROR_H

#include <stdint.h>

#include "base/status.h"
#include "storage/http_transport.h"

/* The table above. `code` is "" where the answer told none. */
enum status storage_error_status(int http_status, const char *code);

/*
 * Reads an answer. Fills `err` (not NULL) for one that is no success: code and message from x-ms-error-code and the XML or
 * JSON body, request id, Retry-After against `wall_ms`; `what` says what was asked ("PUT /leases/x?comp=lease").
 * Returns its status: STATUS_OK with `err` untouched, or one of the table.
 */
enum status storage_error_read(const struct http_reply *reply, const char *what, int64_t wall_ms, struct error *err);

#endif
