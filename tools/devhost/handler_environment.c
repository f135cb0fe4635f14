#include "devhost/handler_environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "devhost/host_settings.h"

/* HttpWorkerProcess and HttpWorkerConstants of Azure/azure-functions-host. */
static const char *const port_names[] = {"FUNCTIONS_HTTPWORKER_PORT",
                                         "FUNCTIONS_CUSTOMHANDLER_PORT"};
static const char *const worker_id_names[] = {"FUNCTIONS_HTTPWORKER_ID",
                                              "FUNCTIONS_CUSTOMHANDLER_WORKER_ID"};
#define ROOT_PATH_NAME "FUNCTIONS_APP_ROOT_PATH"

enum { HOST_VARIABLE_COUNT = 5 };

static size_t count_of(char *const *environment) {
    size_t count = 0;
    while (environment[count] != NULL) {
        count++;
    }
    return count;
}

static bool is_host_variable(const char *variable) {
    for (int i = 0; i < 2; i++) {
        if (host_settings_is_named(variable, port_names[i]) ||
            host_settings_is_named(variable, worker_id_names[i])) {
            return true;
        }
    }
    return host_settings_is_named(variable, ROOT_PATH_NAME);
}

static bool has(char *const *environment, const char *name) {
    for (size_t i = 0; environment[i] != NULL; i++) {
        if (host_settings_is_named(environment[i], name)) {
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
        if (has(own, setting->name)) {
            continue;
        }
        if (!add_pair(environment, setting->name, setting->value)) {
            return false;
        }
        char **last = &environment[count_of(environment) - 1];
        if (is_host_variable(*last)) {
            free(*last);
            *last = NULL;
        }
    }
    char port_text[16];
    snprintf(port_text, sizeof port_text, "%d", port);
    for (int i = 0; i < 2; i++) {
        if (!add_pair(environment, port_names[i], port_text) ||
            !add_pair(environment, worker_id_names[i], worker_id)) {
            return false;
        }
    }
    return add_pair(environment, ROOT_PATH_NAME, config->folder);
}

/*
 * .NET keeps variables in a hash table whose seed changes from start to start, and passes them on
 * in its order.
 */
static void shuffle(char **environment) {
    for (size_t left = count_of(environment); left > 1; left--) {
        uint32_t random = 0;
        if (crypto_random(&random, sizeof random) != STATUS_OK) {
            return;
        }
        char **other = &environment[random % left];
        char *last = environment[left - 1];
        environment[left - 1] = *other;
        *other = last;
    }
}

char **handler_environment_new(const struct host_config *config, char *const *own, int port,
                               const char *worker_id) {
    char **environment = calloc(count_of(own) + config->setting_count + HOST_VARIABLE_COUNT + 1,
                                sizeof *environment);
    if (environment != NULL && !fill(environment, config, own, port, worker_id)) {
        handler_environment_free(environment);
        return NULL;
    }
    if (environment != NULL) {
        shuffle(environment);
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
