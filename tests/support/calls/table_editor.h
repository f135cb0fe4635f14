/*
 * table_editor.h - what an operator does by hand to the table of the stock: rows written, deleted
 * and looked at, the table deleted.
 *
 * It works through instance_pair.h's operator, on the table `inventory`.
 * Rules        What should not happen to a test fails it.
 * Threads: one test's.
 */
#ifndef SUPPORT_TABLE_EDITOR_H
#define SUPPORT_TABLE_EDITOR_H

#include "base/json.h"

void table_editor_create_table(void);
void table_editor_delete_table(void);

/* Inserts a row, given as the Table service's JSON. */
void table_editor_insert(const char *entity);

/* Inserts the rows of a file of tests/data/rows/. */
void table_editor_load(const char *name);

/* Merges properties, given as JSON, into a row. */
void table_editor_merge(const char *partition_key, const char *row_key, const char *properties);

void table_editor_delete(const char *partition_key, const char *row_key);

/* A row, the caller's (cJSON_Delete); NULL: there is none. */
cJSON *table_editor_get(const char *partition_key, const char *row_key);

#endif
