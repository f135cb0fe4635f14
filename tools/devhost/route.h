/*
 * route.h - route templates ("api/inventory/{productId}/reserve") and whether a path fits one.
 *
 * As ASP.NET Core routes for the Functions host: literals compare without case, {name} takes one
 * segment that is not empty, one slash at the end of the path is tolerated. Segments are decoded as
 * in request_path.h. Constraints ({id:int}), optional ({id?}) and catch-all ({*rest}) parameters do
 * not exist here and are refused.
 */
#ifndef DEVHOST_ROUTE_H
#define DEVHOST_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { ROUTE_MAX_VALUES = 8, ROUTE_NAME_BYTES = 64, ROUTE_VALUE_BYTES = 8 * 1024 };

struct route_value {
    char name[ROUTE_NAME_BYTES];
    char value[ROUTE_VALUE_BYTES];
};

struct route_values {
    struct route_value items[ROUTE_MAX_VALUES];
    size_t count;
};

/*
 * STATUS_INVALID_ARGUMENT: the template has something that is not supported; the message says what.
 */
enum status route_check(const char *template, struct error *err) MUST_CHECK;

/*
 * Does `path` ("/api/inventory/PROD-001", still percent-encoded) fit the checked template? `out`
 * holds the parameters then, else anything.
 */
bool route_matches(const char *template, const char *path, struct route_values *out);

#endif
