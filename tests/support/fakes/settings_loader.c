#include "support/fakes/settings_loader.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

void settings_loader_set_up(struct settings_loader *loader) {
    memset(loader, 0, sizeof *loader);
    temp_folder_make(&loader->folder);
}

void settings_loader_tear_down(struct settings_loader *loader) {
    app_settings_cleanup(&loader->settings);
    temp_folder_remove(&loader->folder);
}

enum status settings_loader_load(struct settings_loader *loader, const char *const *environment) {
    char *copies[16] = {NULL}; /* environ's strings are not const */
    size_t count = 0;
    for (; environment[count] != NULL; count++) {
        ck_assert_uint_lt(count, 15);
        copies[count] = strdup(environment[count]);
    }
    app_settings_cleanup(&loader->settings);
    enum status status =
        app_settings_load(loader->folder.path, copies, &loader->settings, &loader->err);
    for (size_t i = 0; i < count; i++) {
        free(copies[i]);
    }
    return status;
}

void settings_loader_expect_ok(struct settings_loader *loader, const char *const *environment) {
    enum status status = settings_loader_load(loader, environment);
    ck_assert_msg(status == STATUS_OK, "%s", loader->err.message);
}

void settings_loader_expect_refusal(struct settings_loader *loader, const char *line,
                                    const char *const *environment) {
    static const struct app_settings nothing;
    ck_assert_int_eq(settings_loader_load(loader, environment), STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(loader->err.message, line);
    ck_assert_mem_eq(&loader->settings, &nothing, sizeof nothing);
}
