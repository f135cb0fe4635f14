/*
 * handler_environment.h - the environment that the handler is started with.
 */
#ifndef DEVHOST_HANDLER_ENVIRONMENT_H
#define DEVHOST_HANDLER_ENVIRONMENT_H

#include "devhost/host_config.h"

/*
 * `own` (our environment, "NAME=value"), plus every setting of the app that it does not have
 * already (Core Tools: "Skipping 'X' from local settings as it's already defined in current
 * environment variables"; here A:B and A__B are the same name, in any case), plus the host's
 * FUNCTIONS_CUSTOMHANDLER_PORT and _WORKER_ID, FUNCTIONS_HTTPWORKER_PORT and _ID, and
 * FUNCTIONS_APP_ROOT_PATH, which nothing overrides; all in an order that differs each time.
 * NULL-terminated; free with handler_environment_free. NULL: no memory.
 */
char **handler_environment_new(const struct host_config *config, char *const *own, int port,
                               const char *worker_id);
void handler_environment_free(char **environment);

#endif
