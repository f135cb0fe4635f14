/*
 * storage_request.h - what to ask of Azure Storage: one request, before it is dated and signed.
 *
 * Threads   A request belongs to its builder. storage_client.h only reads it, until it has ended.
 */
#ifndef STORAGE_STORAGE_REQUEST_H
#define STORAGE_STORAGE_REQUEST_H

#include "base/http_message.h"
#include "base/status.h"
#include "base/strbuf.h"
#include "storage/storage_error.h"

enum storage_service { STORAGE_BLOB, STORAGE_TABLE, STORAGE_SERVICES };

/* What to ask. init sets the service, the method and the success; the caller appends the rest. */
struct storage_request {
    enum storage_service service;
    const char *method; /* static */

    /* "/container/blob", percent-encoded, without the account's own path. */
    struct strbuf path;

    /* Names and values, not encoded. */
    struct http_headers query;

    /* All but x-ms-date, x-ms-version, x-ms-client-request-id and Authorization. */
    struct http_headers headers;

    struct strbuf body;
    struct storage_success success;

    /* How many attempts may be sent; 0, the default: as many as the deadline allows. */
    int max_attempts;
};

void storage_request_init(struct storage_request *request, enum storage_service service,
                          const char *method, int success_http_status);
void storage_request_cleanup(struct storage_request *request);

/* Returns the first failure of an append to one of the request's parts, or STATUS_OK. */
enum status storage_request_status(const struct storage_request *request) MUST_CHECK;

#endif
