/*
 * route.h - the parameters of a caller's path, as the host hands them to a function.
 *
 * Which paths fit a route is base/route_template.h's affair. Values are decoded as in
 * request_path.h.
 */
#ifndef DEVHOST_ROUTE_H
#define DEVHOST_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/route_template.h"

enum { ROUTE_VALUE_BYTES = 8 * 1024 };

struct route_value {
    char name[ROUTE_NAME_BYTES];
    char value[ROUTE_VALUE_BYTES];
};

struct route_values {
    struct route_value items[ROUTE_MAX_PARAMS];
    size_t count;
};

/*
 * Returns true if `path` fits the template, as route_template_matches, and no value is too long or
 * has a NUL. Otherwise `out` is undefined.
 */
bool route_matches(const char *template, const char *path, struct route_values *out);

#endif
