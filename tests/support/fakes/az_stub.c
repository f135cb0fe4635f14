#include "support/fakes/az_stub.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/json.h"

enum { FILE_PATH_BYTES = 128 };

static void path_of(const struct az_stub *stub, const char *name, char out[FILE_PATH_BYTES]) {
    snprintf(out, FILE_PATH_BYTES, "%s/%s", stub->folder.path, name);
}

/* All at once: a call that is under way reads the old one or the new one. */
static void replace(const struct az_stub *stub, const char *name, const char *text) {
    char from[FILE_PATH_BYTES], to[FILE_PATH_BYTES];
    temp_folder_write(&stub->folder, "new", text);
    path_of(stub, "new", from);
    path_of(stub, name, to);
    ck_assert_int_eq(rename(from, to), 0);
}

void az_stub_do(const struct az_stub *stub, const char *script) {
    replace(stub, "behaviour", script);
}

void az_stub_make(struct az_stub *stub) {
    char path[FILE_PATH_BYTES], script[512];
    temp_folder_make(&stub->folder);
    snprintf(stub->path, sizeof stub->path, "PATH=%s:%s", stub->folder.path, getenv("PATH"));
    snprintf(script, sizeof script,
             "#!/bin/sh\nprintf '%%s\\n' \"$*\" >>'%s/calls'\n. '%s/behaviour'\n",
             stub->folder.path, stub->folder.path);
    replace(stub, "calls", "");
    replace(stub, "az", script);
    path_of(stub, "az", path);
    ck_assert_int_eq(chmod(path, 0700), 0);
    az_stub_do(stub, "echo \"ERROR: Please run 'az login' to setup account.\" >&2\nexit 1\n");
}

void az_stub_remove(const struct az_stub *stub) {
    temp_folder_remove(&stub->folder);
}

void az_stub_answer(const struct az_stub *stub, const char *token, int64_t lifetime_s) {
    time_t expires_s = time(NULL) + (time_t)lifetime_s;
    struct tm local;
    char local_text[64], script[FILE_PATH_BYTES + 64];
    localtime_r(&expires_s, &local);
    strftime(local_text, sizeof local_text, "%Y-%m-%d %H:%M:%S.000000", &local);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "accessToken", token);
    cJSON_AddStringToObject(json, "expiresOn", local_text);
    json_add_int64(json, "expires_on", (int64_t)expires_s);
    cJSON_AddStringToObject(json, "subscription", "9f3b6a5e-6b0c-4c55-8ee5-2c4f3a1d7e60");
    cJSON_AddStringToObject(json, "tenant", "ab1f708d-50f6-404c-a006-d71b2ac7a606");
    cJSON_AddStringToObject(json, "tokenType", "Bearer");
    char *text = cJSON_Print(json);
    ck_assert_ptr_nonnull(text);
    replace(stub, "answer", text);
    cJSON_free(text);
    cJSON_Delete(json);
    snprintf(script, sizeof script, "cat '%s/answer'\n", stub->folder.path);
    az_stub_do(stub, script);
}

void az_stub_hang(const struct az_stub *stub) {
    az_stub_do(stub, "sleep 1000\n");
}

char *az_stub_calls(const struct az_stub *stub) {
    char path[FILE_PATH_BYTES];
    path_of(stub, "calls", path);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    char *text = NULL;
    size_t size = 0;
    if (getdelim(&text, &size, '\0', file) < 0) {
        free(text);
        text = strdup("");
    }
    fclose(file);
    ck_assert_ptr_nonnull(text);
    return text;
}
