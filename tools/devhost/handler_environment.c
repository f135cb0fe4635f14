#include "devhost/handler_environment.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_NAME "FUNCTIONS_CUSTOMHANDLER_PORT"
#define WORKER_ID_NAME "FUNCTIONS_CUSTOMHANDLER_WORKER_ID"
#define ROOT_PATH_NAME "FUNCTIONS_APP_ROOT_PATH"

enum { HOST_VARIABLE_COUNT = 3 };

static size_t count_of(char *const *environment) {
    size_t count = 0;
    while (environment[count] != NULL) {
        count++;
    }
    return count;
}

/* The next character of a setting's name, A:B read as A__B, in lower case. */
static int next_of_name(const char **name, int *pending) {
    if (*pending != 0) {
        int c = *pending;
        *pending = 0;
        return c;
    }
    char c = *(*name)++;
    if (c == ':') {
        *pending = '_';
        return '_';
    }
    return tolower((unsigned char)c);
}

/* Does `variable` ("NAME=value") have this name? */
static bool is_named(const char *variable, const char *name) {
    int pending_left = 0;
    int pending_right = 0;
    while (true) {
        int left = next_of_name(&variable, &pending_left);
        int right = next_of_name(&name, &pending_right);
        if (left == '=' || left == '\0' || right == '\0') {
            return left == '=' && right == '\0';
        }
        if (left != right) {
            return false;
        }
    }
}

static bool is_host_variable(const char *variable) {
    return is_named(variable, PORT_NAME) || is_named(variable, WORKER_ID_NAME) || is_named(variable, ROOT_PATH_NAME);
}

static bool has(char *const *environment, const char *name) {
    for (size_t i = 0; environment[i] != NULL; i++) {
        if (is_named(environment[i], name)) {
            return true;
        }
    }
    return false;
}

static bool add(char **environment, char *variable) {
    environment[count_of(environment)] = variable;
    return variable != NULL;
}

static bool add_pair(char **environment, const char *name, const char *value) {
    char *variable;
    return asprintf(&variable, "%s=%s", name, value) >= 0 && add(environment, variable);
}

static bool fill(char **environment, const struct host_config *config, char *const *own, int port,
                 const char *worker_id) {
    for (size_t i = 0; own[i] != NULL; i++) {
        if (!is_host_variable(own[i]) && !add(environment, strdup(own[i]))) {
            return false;
        }
    }
    for (size_t i = 0; i < config->setting_count; i++) {
        const struct host_setting *setting = &config->settings[i];
        bool skipped = has(own, setting->name);
        if (!skipped && !add_pair(environment, setting->name, setting->value)) {
            return false;
        }
    }
    char port_text[16];
    snprintf(port_text, sizeof port_text, "%d", port);
    return add_pair(environment, PORT_NAME, port_text) && add_pair(environment, WORKER_ID_NAME, worker_id) &&
           add_pair(environment, ROOT_PATH_NAME, config->folder);
}

char **handler_environment_new(const struct host_config *config, char *const *own, int port, const char *worker_id) {
    char **environment = calloc(count_of(own) + config->setting_count + HOST_VARIABLE_COUNT + 1, sizeof *environment);
    if (environment != NULL && !fill(environment, config, own, port, worker_id)) {
        handler_environment_free(environment);
        return NULL;
    }
    return environment;
}

void handler_environment_free(char **environment) {
    if (environment == NULL) {
        return;
    }
    for (size_t i = 0; environment[i] != NULL; i++) {
        free(environment[i]);
    }
    free(environment);
}
