#include "base/temp_file.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/processes/check_main.h"
#include "support/processes/descriptors.h"

enum { BLOCK_BYTES = 100000, LIMIT_BYTES = 150000 };

static char folder[] = "/tmp/leasehold-temp-XXXXXX";
static char block[BLOCK_BYTES], read_back[3 * BLOCK_BYTES];
static struct temp_file *file;
static struct error err;

static void set_up(void) {
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] = (char)(i % 251);
    }
    ck_assert_int_eq(temp_file_new(folder, &file, &err), STATUS_OK);
}

static void tear_down(void) {
    temp_file_free(file);
    rmdir(folder);
}

static void append_block(void) {
    ck_assert_int_eq(temp_file_append(file, block, sizeof block, &err), STATUS_OK);
}

START_TEST(what_was_appended_is_read_from_any_place) {
    size_t got;
    append_block();
    append_block();
    ck_assert_uint_eq(file->length, 2 * sizeof block);
    ck_assert_int_eq(temp_file_read(file, BLOCK_BYTES - 1, read_back, 3, &got, &err), STATUS_OK);
    ck_assert_uint_eq(got, 3);
    ck_assert_int_eq(read_back[0], block[BLOCK_BYTES - 1]);
    ck_assert_mem_eq(read_back + 1, block, 2);
    ck_assert_int_eq(temp_file_read(file, 7, read_back, sizeof read_back, &got, &err), STATUS_OK);
    ck_assert_uint_eq(got, 2 * sizeof block - 7);
    ck_assert_mem_eq(read_back, block + 7, sizeof block - 7);
    ck_assert_mem_eq(read_back + sizeof block - 7, block, sizeof block);
    ck_assert_int_eq(temp_file_read(file, file->length, read_back, 1, &got, &err), STATUS_OK);
    ck_assert_uint_eq(got, 0);
}
END_TEST

START_TEST(a_file_has_no_name_and_is_gone_when_it_is_freed) {
    append_block();
    DIR *entries = opendir(folder);
    int count = 0;
    while (readdir(entries) != NULL) {
        count++;
    }
    closedir(entries);
    ck_assert_int_eq(count, 2); /* . and .. */
    int before = descriptors_count();
    temp_file_free(file);
    file = NULL;
    temp_file_free(file);
    ck_assert_int_eq(descriptors_count(), before - 1);
}
END_TEST

START_TEST(a_folder_that_takes_no_file_is_named) {
    struct temp_file *other = NULL;
    char long_path[5000];
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    const char *const folders[] = {"/nowhere/at/all", "/proc", long_path};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(temp_file_new(folders[i], &other, &err), STATUS_UNAVAILABLE);
        ck_assert_ptr_null(other);
        ck_assert(strncmp(err.message, folders[i], 5) == 0);
    }
}
END_TEST

START_TEST(a_full_disk_is_an_error) {
    struct rlimit usual;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &usual), 0);
    const struct rlimit limit = {LIMIT_BYTES, usual.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    append_block();
    enum status status = temp_file_append(file, block, sizeof block, &err);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &usual), 0); /* of later tests in this process, too */
    ck_assert_int_eq(status, STATUS_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.message, "writing a temporary file: "));
}
END_TEST

START_TEST(a_file_that_was_cut_short_is_an_error) {
    size_t got = 99;
    append_block();
    ck_assert_int_eq(ftruncate(file->fd, 10), 0);
    ck_assert_int_eq(temp_file_read(file, 0, read_back, 11, &got, &err), STATUS_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.message, "cut short"));
    ck_assert_uint_eq(got, 99);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("temp_file");
    TCase *tests = tcase_create("temp_file");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, what_was_appended_is_read_from_any_place);
    tcase_add_test(tests, a_file_has_no_name_and_is_gone_when_it_is_freed);
    tcase_add_test(tests, a_folder_that_takes_no_file_is_named);
    tcase_add_test(tests, a_full_disk_is_an_error);
    tcase_add_test(tests, a_file_that_was_cut_short_is_an_error);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
