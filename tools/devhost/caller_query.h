/*
 * caller_query.h - a query string as ASP.NET reads it: names and values decoded, all values of one
 * name joined by commas.
 */
#ifndef DEVHOST_CALLER_QUERY_H
#define DEVHOST_CALLER_QUERY_H

#include "base/strbuf.h"

/* Called for each name, in order of its first use. The empty name counts where a '=' follows. */
typedef void (*caller_query_visitor)(void *context, const struct strbuf *name,
                                     const struct strbuf *value);

/*
 * `query` as sent, without '?'. Escapes that make no UTF-8 stay. Names that differ in case alone
 * are one.
 */
void caller_query_visit(const char *query, caller_query_visitor visit, void *context);

#endif
