/*
 * blob_list.h - lists the blobs of a container with the state of their leases (List Blobs).
 *
 * One request lists 5,000 blobs; Get Blob Properties would take a request for each. The list also
 * has leases whose product is not in the table. List Blobs is the only operation that answers in
 * XML. It is read with expat, which only leasectl links, since the handler lists no blobs.
 */
#ifndef LEASECTL_BLOB_LIST_H
#define LEASECTL_BLOB_LIST_H

#include <stddef.h>

#include "base/status.h"
#include "storage/storage_client.h"

/*
 * The longest text and its NUL. A blob's name has at most 1,024 characters, of up to 4 bytes
 * (Source: "Naming and Referencing Containers, Blobs, and Metadata").
 */
enum { BLOB_LIST_TEXT_BYTES = 4097 };

/*
 * One blob, in UTF-8. A field is "" if the blob does not have it, or if it does not fit. A name
 * that XML cannot hold arrives percent-encoded (Source: "List Blobs", Encoded).
 */
struct blob_item {
    char name[BLOB_LIST_TEXT_BYTES];
    char lease_state[32];    /* available, leased, expired, breaking, broken */
    char lease_duration[32]; /* infinite, fixed; only while the blob is leased */
    char created_at[64];     /* its metadata createdAt */
};

/*
 * Gets a blob, which is borrowed for the call. A status other than STATUS_OK ends the list with it.
 */
typedef enum status (*blob_list_visitor)(void *context, const struct blob_item *item,
                                         struct error *err);

/*
 * Visits every blob whose name begins with `prefix`. It follows markers to the last page.
 *
 * STATUS_CONTAINER_NOT_FOUND   there is no such container
 * STATUS_MALFORMED             an answer is not the expected XML
 * or a status of the visitor or of storage_client_send.
 */
enum status blob_list(struct storage_client *client, const char *container, const char *prefix,
                      int64_t deadline_ms, blob_list_visitor visit, void *context,
                      struct error *err) MUST_CHECK;

/*
 * Reads one page of `length` bytes. `marker`, which is initialized, becomes the marker for the next
 * request, or "" after the last page.
 *
 * STATUS_MALFORMED   it is not the expected XML
 * STATUS_NO_MEMORY
 * or a status of the visitor.
 */
enum status blob_list_read_page(const char *xml, size_t length, blob_list_visitor visit,
                                void *context, struct strbuf *marker, struct error *err) MUST_CHECK;

#endif
