/*
 * output.h - prints results on stdout: tables for people, or one line of JSON for scripts.
 *
 * Each function returns
 *
 * STATUS_NO_MEMORY     also if the text or value is NULL
 * STATUS_UNAVAILABLE   stdout could not be written: the reader is gone, or the disk is full
 */
#ifndef LEASECTL_OUTPUT_H
#define LEASECTL_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "base/status.h"
#include "leasectl/table.h"

struct output {
    bool json;
    bool on_terminal; /* stdout is a terminal */
};

/* Prints the text, and flushes. */
enum status output_text(const char *text, struct error *err) MUST_CHECK;

/* Prints a value as one line. */
enum status output_json(const cJSON *value, struct error *err) MUST_CHECK;

/* Prints one row, as a table of one line or as a JSON object. */
enum status output_row(const struct output *output, const struct table_column *columns,
                       size_t count, cJSON *row, struct error *err) MUST_CHECK;

/* Prints the rows, as a table or as a JSON array. */
enum status output_rows(const struct output *output, const struct table_column *columns,
                        size_t count, const cJSON *rows, struct error *err) MUST_CHECK;

#endif
