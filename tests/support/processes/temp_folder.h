/*
 * temp_folder.h - a folder for the files that a test writes.
 *
 * What should not happen to a test (no room, no permission) fails it.
 */
#ifndef SUPPORT_TEMP_FOLDER_H
#define SUPPORT_TEMP_FOLDER_H

#include <stddef.h>

struct temp_folder {
    char path[64];
};

void temp_folder_make(struct temp_folder *folder);

/* Writes a file of `length` bytes, or of all of `text`; replaces one of that name. */
void temp_folder_write_bytes(const struct temp_folder *folder, const char *name, const char *bytes,
                             size_t length);
void temp_folder_write(const struct temp_folder *folder, const char *name, const char *text);

/* Makes a folder in it. */
void temp_folder_write_folder(const struct temp_folder *folder, const char *name);

/* Removes it with all that is in it. */
void temp_folder_remove(const struct temp_folder *folder);

#endif
