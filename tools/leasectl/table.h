/*
 * table.h - rows of JSON as a table for people. libsmartcols draws it: it measures UTF-8, fits a terminal, and shows control characters
 * as escapes, so that nothing that storage holds can play tricks on the terminal.
 */
#ifndef LEASECTL_TABLE_H
#define LEASECTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

struct table_column {
    const char *key;   /* a row's member: text, a number of json_add_int64's, or null */
    const char *title; /* NULL in the first: the table has no headings */
    bool is_number;
};

/*
 * The table as lines, the caller's (free); NULL: no memory. `fits`: made to fit the terminal by cutting the first column,
 * for who redraws it; else nothing is cut. No rows: the headings alone.
 */
char *table_text(const struct table_column *columns, size_t count, const cJSON *rows, bool fits);

#endif
