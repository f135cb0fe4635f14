/*
 * table.h - draws rows of JSON as a table for people, with libsmartcols.
 *
 * libsmartcols measures UTF-8 and fits the table to a terminal. It shows control characters as
 * escapes, so that a stored text cannot control the terminal.
 */
#ifndef LEASECTL_TABLE_H
#define LEASECTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

struct table_column {
    const char *key;   /* a member of the rows: text, a number of json_add_int64, or null */
    const char *title; /* if it is NULL in the first column, the table has no headings */
    bool is_number;
};

/*
 * Returns the lines of the table, which the caller frees, or NULL if there is no memory. Without
 * rows it has only the headings. With `fits` the first column is cut so that the table fits the
 * terminal, for a screen that is redrawn; otherwise nothing is cut.
 */
char *table_text(const struct table_column *columns, size_t count, const cJSON *rows, bool fits);

#endif
