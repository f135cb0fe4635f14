/*
 * output.h - what leasectl prints on stdout: tables for people, or a line of JSON for scripts.
 *
 * Threads: the main one.
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
    bool on_terminal; /* stdout is one */
};

/* Prints and flushes. NULL: there was no memory for it. STATUS_NO_MEMORY, STATUS_UNAVAILABLE: it could not be written (nobody reads any more, the disk is full). */
enum status output_text(const char *text, struct error *err) MUST_CHECK;

/* A value as one line. NULL: no memory for it. STATUS_NO_MEMORY, STATUS_UNAVAILABLE. */
enum status output_json(const cJSON *value, struct error *err) MUST_CHECK;

/* The rows, as a table or as JSON. STATUS_NO_MEMORY, STATUS_UNAVAILABLE. */
enum status output_rows(const struct output *output, const struct table_column *columns,
                        size_t count, const cJSON *rows, struct error *err) MUST_CHECK;

#endif
