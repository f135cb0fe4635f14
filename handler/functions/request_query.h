/*
 * request_query.h - the parameters of a request's query string.
 *
 * Names match in any case, and '+' is a space, as in ASP.NET. A parameter that no function knows is
 * ignored. Values of one name are joined with a comma: the host does so when it forwards a request,
 * and then they look like one value. So a parameter means the same in every shape of a call.
 */
#ifndef FUNCTIONS_REQUEST_QUERY_H
#define FUNCTIONS_REQUEST_QUERY_H

#include <stddef.h>

enum query_param { QUERY_ABSENT, QUERY_FOUND, QUERY_BAD };

/*
 * Copies the decoded value of the parameter `name` into `out`. `query` is as it was sent, without
 * '?'. QUERY_BAD: it does not fit, or holds a NUL. Unless it was found, `out` is undefined.
 */
enum query_param request_query_get(const char *query, const char *name, char *out,
                                   size_t out_bytes);

#endif
