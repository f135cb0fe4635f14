/*
 * filter.h - the OData filters that the handlers send: comparisons of properties with literals, and, or, not, parentheses.
 */
#ifndef BENCH_STORAGE_FILTER_H
#define BENCH_STORAGE_FILTER_H

#include <stdbool.h>

#include "entity.h"
#include "rows.h"

struct filter;

/* Both are text and stay the caller's, the filter must not outlive them. NULL: it cannot be read. Free with free(). */
struct filter *filter_new(const char *text);

bool filter_matches(const struct filter *filter, const struct row *row);

/* The one partition in which all that matches lies; false: it may lie in several. */
bool filter_partition(const struct filter *filter, char out[ENTITY_KEY_BYTES]);

/* The least row key that may match, and whether every row from `key` on is beyond what may. */
void filter_first_row(const struct filter *filter, char out[ENTITY_KEY_BYTES]);
bool filter_is_beyond(const struct filter *filter, const char *key);

#endif
