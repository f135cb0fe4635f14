#include "support/processes/temp_folder.h"

#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void path_of(const struct temp_folder *folder, const char *name, char *out, size_t size) {
    int length = snprintf(out, size, "%s/%s", folder->path, name);
    ck_assert(length > 0 && (size_t)length < size);
}

void temp_folder_make(struct temp_folder *folder) {
    strcpy(folder->path, "/tmp/leasehold-test-XXXXXX");
    ck_assert_msg(mkdtemp(folder->path) != NULL, "mkdtemp: %s", strerror(errno));
}

void temp_folder_write_bytes(const struct temp_folder *folder, const char *name, const char *bytes,
                             size_t length) {
    char path[256];
    path_of(folder, name, path, sizeof path);
    FILE *file = fopen(path, "w");
    ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
    ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
    ck_assert_int_eq(fclose(file), 0);
}

void temp_folder_write(const struct temp_folder *folder, const char *name, const char *text) {
    temp_folder_write_bytes(folder, name, text, strlen(text));
}

void temp_folder_write_folder(const struct temp_folder *folder, const char *name) {
    char path[256];
    path_of(folder, name, path, sizeof path);
    ck_assert_msg(mkdir(path, 0700) == 0, "%s: %s", path, strerror(errno));
}

static int remove_entry(const char *path, const struct stat *about, int type, struct FTW *where) {
    (void)about;
    (void)type;
    (void)where;
    return remove(path);
}

void temp_folder_remove(const struct temp_folder *folder) {
    ck_assert_int_eq(nftw(folder->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}
