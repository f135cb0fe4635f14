/*
 * function_config.h - an app's functions: every folder with a function.json.
 *
 * Rules        %NAME% as a schedule is the app setting NAME. A schedule that cannot be read
 *              disables its function and no other (FunctionIndexer tells the error and goes on).
 */
#ifndef DEVHOST_FUNCTION_CONFIG_H
#define DEVHOST_FUNCTION_CONFIG_H

#include "devhost/host_config.h"

/* Fills in config->functions, by name. `prefix`: of routes. */
enum status function_config_read(struct host_config *config, const char *prefix,
                                 struct error *err) MUST_CHECK;

#endif
