/*
 * product_file.h - reads the file of `products import`.
 *
 * Format   CSV: one product a line, PRODUCT,TOTAL. Lines end with LF or CRLF; the last one need
 *          not. A line `product,total`, in any case, may come first as the heading, and a byte
 *          order mark before it. Empty lines are skipped, but counted. Blanks around a value are
 *          ignored, and it may stand in double quotes.
 * Why no   Neither value can hold a comma, a quote or a line break. So a line is always one record,
 * library  and a stray quote spoils its own line alone, where a general reader would join it with
 *          the lines that follow.
 * Rules    The whole file is read before anything is done with it, so that no product is taken from
 *          a file that turns out to be no text.
 */
#ifndef LEASECTL_PRODUCT_FILE_H
#define LEASECTL_PRODUCT_FILE_H

#include <stddef.h>
#include <stdio.h>
#include <sys/queue.h>

#include "base/status.h"
#include "inventory/inventory_store.h"

struct product_line {
    STAILQ_ENTRY(product_line) link;
    size_t number; /* of the line, from 1 */
    struct seed_product product;
};

STAILQ_HEAD(product_lines, product_line);

struct product_file {
    struct product_lines lines; /* those that are right, each with another product */
    size_t count;
    void *by_id; /* a tree of search.h */

    /* Receives each line that is refused. The error says why. */
    void (*refuse)(void *context, size_t number, const struct error *why);
    void *context;
};

/*
 * Reads a file. Its members `refuse` and `context` are set, and the others zero. Call
 * product_file_cleanup in any case.
 *
 * STATUS_INVALID_ARGUMENT   it cannot be read, or has a zero byte, which no text has
 * STATUS_NO_MEMORY
 */
enum status product_file_read(struct product_file *file, FILE *stream,
                              struct error *err) MUST_CHECK;
void product_file_cleanup(struct product_file *file);

#endif
