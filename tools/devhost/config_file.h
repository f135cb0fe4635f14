/*
 * config_file.h - reading an app's JSON files, and the growing lists that they end in.
 */
#ifndef DEVHOST_CONFIG_FILE_H
#define DEVHOST_CONFIG_FILE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/*
 * Reads `folder`/`name`. `*out` is the caller's (cJSON_Delete).
 *
 * STATUS_NOT_FOUND, STATUS_INVALID_ARGUMENT (it cannot be read), STATUS_MALFORMED (it is no JSON
 * object), STATUS_TOO_LARGE (over 1 MiB), STATUS_NO_MEMORY
 */
enum status config_file_read(const char *folder, const char *name, cJSON **out,
                             struct error *err) MUST_CHECK;

/* STATUS_NO_MEMORY, told. */
enum status config_file_no_memory(struct error *err) MUST_CHECK;

/* Copies a text; of NULL it makes NULL. False: no memory. */
bool config_file_copy(char **out, const char *text);

/* Adds a zeroed item to an array. Returns NULL if there is no memory. */
void *config_file_add_item(void **items, size_t *count, size_t item_bytes);

enum status config_file_add_string(char ***strings, size_t *count, const char *text,
                                   struct error *err) MUST_CHECK;

#endif
