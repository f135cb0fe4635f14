/*
 * blob_list.h - the blobs of a container with the state of their leases: List Blobs, the one operation that answers in XML.
 *
 * One request tells of 5,000 blobs, where Get Blob Properties would take one request for each; and it knows leases whose product
 * the table does not know. The XML is read with expat, which only leasectl links: the handler lists no blobs.
 */
#ifndef LEASECTL_BLOB_LIST_H
#define LEASECTL_BLOB_LIST_H

#include <stddef.h>

#include "base/status.h"
#include "storage/storage_request.h"

enum {
    BLOB_LIST_TEXT_BYTES = 4097
}; /* a blob's name has 1,024 characters at most ("Naming containers, blobs, and metadata") */

/* One blob, in UTF-8; "" for what it does not have or what does not fit. A name that XML cannot hold comes percent-encoded ("List Blobs", Encoded). */
struct blob_item {
    char name[BLOB_LIST_TEXT_BYTES];
    char lease_state[32];    /* available, leased, expired, breaking, broken */
    char lease_duration[32]; /* infinite, fixed; only while leased */
    char created_at[64];     /* the metadata createdAt */
};

/* Borrowed for the call. Any status but STATUS_OK ends the list with it. */
typedef enum status (*blob_list_visitor)(void *context, const struct blob_item *item,
                                         struct error *err);

/*
 * List Blobs with include=metadata: visits every blob whose name begins with `prefix`, following markers to the end.
 * STATUS_CONTAINER_NOT_FOUND, STATUS_MALFORMED (an answer that is not such XML), the visitor's, and storage_client_send's.
 */
enum status blob_list(struct storage_client *client, const char *container, const char *prefix,
                      int64_t deadline_ms, blob_list_visitor visit, void *context,
                      struct error *err) MUST_CHECK;

/*
 * Reads one answer of `length` bytes; `marker` (initialized) becomes the next request's, "" at the end. STATUS_MALFORMED, STATUS_NO_MEMORY,
 * and the visitor's.
 */
enum status blob_list_read_page(const char *xml, size_t length, blob_list_visitor visit,
                                void *context, struct strbuf *marker, struct error *err) MUST_CHECK;

#endif
