/*
 * route_template.h - route templates, such as "inventory/{productId}/reserve", and which paths fit.
 *
 * Vocabulary   segment     the part of a path between two slashes
 *              literal     a segment of a template that a path must have as well
 *              parameter   a segment of a template in braces; any segment fits that is not empty
 *
 * Rules        As ASP.NET Core routes for the Functions host. Literals compare without case. One
 *              slash at the end of the path is tolerated. A path is split before it is decoded, so
 *              "%2F" ends no segment.
 *              ASP.NET's constraints ({id:int}), optional ({id?}) and catch-all ({*rest})
 *              parameters do not exist here.
 *
 * Source       https://learn.microsoft.com/aspnet/core/fundamentals/routing
 */
#ifndef BASE_ROUTE_TEMPLATE_H
#define BASE_ROUTE_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { ROUTE_MAX_PARAMS = 8, ROUTE_NAME_BYTES = 64 };

/* The parameters of a path that fits, in the template's order. */
struct route_match {
    /* They lie in the path, as they are there: not terminated, and percent-encoded. */
    const char *values[ROUTE_MAX_PARAMS];
    size_t lengths[ROUTE_MAX_PARAMS];
    size_t count;
};

/* STATUS_INVALID_ARGUMENT: the template has something that is not supported; `err` says what. */
enum status route_template_check(const char *template, struct error *err) MUST_CHECK;

/*
 * Copies the name of a parameter into `out`. Returns false if the template, which has been checked,
 * has no more than `index` parameters.
 */
bool route_template_param(const char *template, size_t index, char out[ROUTE_NAME_BYTES]);

/*
 * Returns true if `path` ("/inventory/PROD-001", percent-encoded) fits the template, which has been
 * checked. Otherwise `out` is undefined.
 */
bool route_template_matches(const char *template, const char *path, struct route_match *out);

/*
 * Returns the rest of `path` after the literals of `prefix` ("api", "v1/api", or "" for none).
 * Returns NULL if the path does not begin with them.
 */
const char *route_template_skip(const char *prefix, const char *path);

#endif
