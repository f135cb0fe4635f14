/*
 * body_spool.h - a response's body that may become long: kept in memory while it is short, and then
 * in a temporary file, so that its length costs no memory.
 *
 * Why a file   The answer for a product with 100,000 reservations has some 18 MB. Its sums stand
 *              before its list, and they are known only when all rows have been read. Whether the
 *              rows are one moment's is known only then, too (table_read.h). To send the rows while
 *              they are read would take two passes over the table. A change in the second pass, or
 *              a failure of storage, would then come behind a 200: the caller could only be cut
 *              off. Under the product's lease no change would come, but a slow caller would keep
 *              all others from the product. With a file nothing is sent before everything is known.
 *              So each failure is answered as one, and a slow caller holds nothing but a file.
 * Envelope     In the invocation shape the body is a string in the envelope. What goes to a file is
 *              escaped on its way there, so that the file can be sent as it is. A body that stays
 *              in memory is not escaped, because invocation_wrap_response does it.
 * No file      If no file can be made (no folder, or one that is read-only), the body stays in
 *              memory, up to the response's limit. One Warning says so. If a file cannot be written
 *              to its end (the disk is full), the append fails with STATUS_UNAVAILABLE.
 * Threads      The loop's. For writes to files see temp_file.h.
 */
#ifndef FUNCTIONS_BODY_SPOOL_H
#define FUNCTIONS_BODY_SPOOL_H

#include <stdbool.h>

#include "base/status.h"
#include "base/strbuf.h"

struct function_run;
struct http_response;
struct temp_file;

enum {
    BODY_SPOOL_MEMORY_BYTES = 256 * 1024, /* a longer body goes to a file */
    BODY_SPOOL_BLOCK_BYTES = 64 * 1024,   /* what is written to the file at once */
};

struct body_spool {
    const char *folder;     /* NULL: there can be no file */
    bool is_escaped;        /* in the file */
    struct strbuf text;     /* what is not in the file yet, as it was appended */
    struct strbuf escaped;  /* where text is escaped */
    struct temp_file *file; /* NULL: none yet */
};

/* Begins an empty body for the run's response. Call body_spool_cleanup in the end. */
void body_spool_init(struct body_spool *spool, const struct function_run *run);
void body_spool_cleanup(struct body_spool *spool);

/* Forgets what was appended. */
void body_spool_clear(struct body_spool *spool);

/*
 * Ends an addition: the caller has appended whole characters to `text`.
 * STATUS_UNAVAILABLE   the file cannot be written; `err` says why
 * STATUS_TOO_LARGE     no file could be made, and the body has reached the response's limit
 * STATUS_NO_MEMORY
 */
enum status body_spool_added(struct body_spool *spool, struct error *err) MUST_CHECK;

/*
 * Moves what was appended, and then `after`, behind what the response's body has already. Statuses
 * as above. After a failure the response has no body.
 */
enum status body_spool_finish(struct body_spool *spool, const char *after,
                              struct http_response *response, struct error *err) MUST_CHECK;

#endif
