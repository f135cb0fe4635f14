/*
 * temp_file.h - bytes that are written once and then read, kept in a file without a name. The file
 * is gone with its descriptor, also if the process is killed.
 *
 * Blocking  Reads and writes of some 100 KB at a time go to the page cache or to a tmpfs, and take
 *           a fraction of a millisecond. So the event loop's thread may do them.
 * Threads   One thread at a time.
 */
#ifndef BASE_TEMP_FILE_H
#define BASE_TEMP_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct temp_file {
    int fd;
    uint64_t length;
};

/*
 * Makes an empty file in `folder`. The caller frees it with temp_file_free.
 * STATUS_UNAVAILABLE   there can be no file; the message names the folder and the reason
 * STATUS_NO_MEMORY
 */
enum status temp_file_new(const char *folder, struct temp_file **out, struct error *err) MUST_CHECK;

/* `file` may be NULL. */
void temp_file_free(struct temp_file *file);

/*
 * Appends bytes.
 * STATUS_UNAVAILABLE   they could not be written, for example because the disk is full. Some of
 *                      them may be in the file
 */
enum status temp_file_append(struct temp_file *file, const char *bytes, size_t length,
                             struct error *err) MUST_CHECK;

/*
 * Reads from byte `offset` (at most the length) on. *out_got is how many bytes it read: `capacity`,
 * or fewer at the end of the file.
 * STATUS_UNAVAILABLE   they could not be read
 */
enum status temp_file_read(const struct temp_file *file, uint64_t offset, char *out,
                           size_t capacity, size_t *out_got, struct error *err) MUST_CHECK;

#endif
