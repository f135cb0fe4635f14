/*
 * The function table beside what else says which functions there are: the host's function.json
 * files, and the documents.
 */
#include "functions/function_table.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/json.h"
#include "support/processes/check_main.h"

enum { PATH_BYTES = 512, FILE_BYTES = 256 * 1024 };

/* The table with what only the host needs to know of a function. */
static const struct row {
    const char *name, *method, *route, *schedule;
} rows[] = {
#define HTTP_ROW(name, method, route, handler) {name, method, route, NULL},
#define TIMER_ROW(name, schedule, handler) {name, NULL, NULL, schedule},
    FUNCTION_TABLE(HTTP_ROW, TIMER_ROW)
#undef HTTP_ROW
#undef TIMER_ROW
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static const char *in_repository(const char *path) {
    static char out[2 * PATH_BYTES];
    const char *root = getenv("LEASEHOLD_ROOT");
    ck_assert_msg(root != NULL, "LEASEHOLD_ROOT is not set: run the tests with `make test`");
    snprintf(out, sizeof out, "%s/%s", root, path);
    return out;
}

static const char *read_text(const char *path) {
    static char text[FILE_BYTES];
    FILE *file = fopen(in_repository(path), "r");
    ck_assert_msg(file != NULL, "there is no %s", path);
    size_t length = fread(text, 1, sizeof text - 1, file);
    ck_assert_uint_lt(length, sizeof text - 1);
    text[length] = '\0';
    fclose(file);
    return text;
}

/* Returns the file of a function, parsed; it is the caller's. */
static cJSON *read_function_json(const char *name) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/function.json", name);
    cJSON *file = cJSON_Parse(read_text(path));
    ck_assert_msg(file != NULL, "%s is not JSON", path);
    return file;
}

static const cJSON *binding_of(const cJSON *file, const char *type) {
    const cJSON *binding;
    cJSON_ArrayForEach(binding, cJSON_GetObjectItem(file, "bindings")) {
        if (strcmp(json_string(binding, "type"), type) == 0) {
            return binding;
        }
    }
    return NULL;
}

START_TEST(a_function_json_says_what_the_table_says) {
    const struct row *row = &rows[_i];
    cJSON *file = read_function_json(row->name);
    const cJSON *http = binding_of(file, "httpTrigger"), *timer = binding_of(file, "timerTrigger");
    ck_assert_msg((http != NULL) == (row->route != NULL), "%s: the trigger", row->name);
    ck_assert_msg((timer != NULL) == (row->schedule != NULL), "%s: the trigger", row->name);
    if (http != NULL) {
        const cJSON *methods = cJSON_GetObjectItem(http, "methods");
        ck_assert_int_eq(cJSON_GetArraySize(methods), 1);
        ck_assert_int_eq(strcasecmp(cJSON_GetArrayItem(methods, 0)->valuestring, row->method), 0);
        ck_assert_str_eq(json_string(http, "route"), row->route);
        ck_assert_ptr_nonnull(binding_of(file, "http"));
    } else {
        ck_assert_str_eq(json_string(timer, "schedule"), row->schedule);
    }
    cJSON_Delete(file);
}
END_TEST

START_TEST(each_folder_with_a_function_json_is_in_the_table) {
    DIR *folder = opendir(in_repository(""));
    ck_assert_ptr_nonnull(folder);
    size_t count = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "%s/function.json", entry->d_name);
        if (access(in_repository(path), F_OK) == 0) {
            bool is_known = false;
            for (size_t i = 0; i < ROW_COUNT; i++) {
                is_known = is_known || strcmp(rows[i].name, entry->d_name) == 0;
            }
            ck_assert_msg(is_known, "%s is not in FUNCTION_TABLE", entry->d_name);
            count++;
        }
    }
    closedir(folder);
    ck_assert_uint_eq(count, ROW_COUNT);
}
END_TEST

START_TEST(the_readme_shows_each_function) {
    const struct row *row = &rows[_i];
    char route[PATH_BYTES];
    snprintf(route, sizeof route, "`%s /api/%s`", row->method, row->route);
    const char *text = read_text("README.md");
    const char *wanted = row->route == NULL ? row->name : route;
    ck_assert_msg(strstr(text, wanted) != NULL, "README.md does not mention %s", wanted);
}
END_TEST

START_TEST(the_array_has_the_rows_of_the_table) {
    for (size_t i = 0; i < ROW_COUNT; i++) {
        ck_assert_str_eq(function_table[i].name, rows[i].name);
        ck_assert(function_table[i].handler->start != NULL);
        ck_assert_uint_ge(function_table[i].handler->run_bytes, sizeof(struct function_run));
        ck_assert_pstr_eq(function_table[i].method, rows[i].method);
        ck_assert_pstr_eq(function_table[i].route, rows[i].route);
    }
    ck_assert_ptr_null(function_table[ROW_COUNT].name);
}
END_TEST

START_TEST(each_route_is_one_that_can_be_matched) {
    struct error err = {.message = ""};
    if (rows[_i].route != NULL) {
        ck_assert_msg(route_template_check(rows[_i].route, &err) == STATUS_OK, "%s", err.message);
    }
}
END_TEST

START_TEST(a_parameter_is_found_by_its_name) {
    const struct function_request request = {
        .route = "inventory/{productId}/reservations/{reservationId}/confirm",
        .params = {"PROD-001", "R-1"}};
    ck_assert_str_eq(function_request_param(&request, "productId"), "PROD-001");
    ck_assert_str_eq(function_request_param(&request, "reservationId"), "R-1");
    ck_assert_str_eq(function_request_param(&request, "reservation"), "");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("function_table");
    TCase *tcase = tcase_create("function_table");
    tcase_add_loop_test(tcase, a_function_json_says_what_the_table_says, 0, ROW_COUNT);
    tcase_add_test(tcase, each_folder_with_a_function_json_is_in_the_table);
    tcase_add_loop_test(tcase, the_readme_shows_each_function, 0, ROW_COUNT);
    tcase_add_test(tcase, the_array_has_the_rows_of_the_table);
    tcase_add_loop_test(tcase, each_route_is_one_that_can_be_matched, 0, ROW_COUNT);
    tcase_add_test(tcase, a_parameter_is_found_by_its_name);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
