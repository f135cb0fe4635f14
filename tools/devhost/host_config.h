/*
 * host_config.h - what an app's folder says: host.json, local.settings.json and every
 * function.json.
 *
 * Ownership: a config owns all that it points to.
 * Threads: read-only after loading.
 */
#ifndef DEVHOST_HOST_CONFIG_H
#define DEVHOST_HOST_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "devhost/schedule.h"

/*
 * How an HTTP trigger reaches the handler: the caller's own request, or a description of it in
 * JSON.
 */
enum host_shape { HOST_SHAPE_PROXY, HOST_SHAPE_FORWARD, HOST_SHAPE_INVOCATION };

enum host_trigger { HOST_TRIGGER_HTTP, HOST_TRIGGER_TIMER };

struct host_function {
    char *name;
    enum host_trigger trigger;
    char *trigger_name; /* of the binding: the key under Data */

    /* HTTP */
    char *output_name; /* of the http output binding: the key under Outputs; NULL: there is none */
    char *route;       /* with the prefix, without a leading slash: "api/inventory/{productId}" */
    char **methods;    /* upper case */
    size_t method_count; /* 0: all are allowed */

    /* Timer */
    char *schedule_text;
    struct schedule schedule;
    bool run_on_startup;

    bool is_disabled; /* it has neither route nor timer */
};

struct host_setting {
    char *name;
    char *value;
};

struct host_config {
    char *folder;     /* absolute */
    char *executable; /* absolute */
    char **arguments; /* of the executable, without its own name */
    size_t argument_count;
    enum host_shape shape;
    int64_t function_timeout_ms;   /* 0: none */
    struct host_setting *settings; /* Values of local.settings.json; none without that file */
    size_t setting_count;
    struct host_function *functions; /* by name */
    size_t function_count;
};

/*
 * Reads the app in `folder`.
 *
 * STATUS_NOT_FOUND          no such folder, or no host.json in it
 * STATUS_MALFORMED          a file is not JSON
 * STATUS_INVALID_ARGUMENT   a file says something that is not supported
 * STATUS_NO_MEMORY, STATUS_TOO_LARGE (a file over 1 MiB)
 */
enum status host_config_load(struct host_config *out, const char *folder,
                             struct error *err) MUST_CHECK;

/* Frees what it owns. A zeroed config is fine. */
void host_config_cleanup(struct host_config *config);

/* The function of that name, any case as in the host; NULL: there is none. */
const struct host_function *host_config_find(const struct host_config *config, const char *name);

/* "proxy", "forward", "invocation". False: none of them; *out untouched. */
bool host_shape_parse(const char *text, enum host_shape *out);

#endif
