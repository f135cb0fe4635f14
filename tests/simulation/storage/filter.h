/*
 * filter.h - OData filters, as far as they are sent: comparisons of properties with literals, and,
 * or, not, parentheses.
 *
 * Rules        Strings compare byte by byte, datetime'...' as a time, numbers as whole numbers,
 *              true and false as such. A property that is missing matches nothing.
 */
#ifndef SIMULATION_STORAGE_FILTER_H
#define SIMULATION_STORAGE_FILTER_H

#include <stdint.h>

#include "simulation/storage/entity.h"
#include "simulation/storage/rows.h"

enum { FILTER_MAX_NODES = 64, FILTER_TEXT_BYTES = 8192 };

enum filter_kind { FILTER_AND, FILTER_OR, FILTER_NOT, FILTER_COMPARISON };
enum filter_relation {
    FILTER_EQ,
    FILTER_NE,
    FILTER_LT,
    FILTER_LE,
    FILTER_GT,
    FILTER_GE,
    FILTER_RELATIONS
};
enum filter_literal { FILTER_TEXT, FILTER_TIME, FILTER_NUMBER, FILTER_WORD };

struct filter_node {
    enum filter_kind kind;
    int left, right; /* of AND and OR; NOT has a left one */
    struct text name;
    enum filter_relation relation;
    enum filter_literal literal_kind;
    struct text literal;
    int64_t number; /* of a time, in milliseconds, or a number */
};

struct filter {
    struct filter_node nodes[FILTER_MAX_NODES];
    int count, root;
};

/* Returns false if it cannot be read. `text` is changed, and must outlive the filter. */
bool filter_read(char *text, struct filter *out);

bool filter_matches(const struct filter *filter, const struct row *row);

/*
 * The one partition in which all that matches lies. Returns false if it may lie in several, or the
 * key is longer than one can be.
 */
bool filter_partition(const struct filter *filter, char out[ENTITY_KEY_BYTES]);

/* The least row key that may match, and whether every row from `key` on is beyond what may. */
void filter_first_row(const struct filter *filter, char out[ENTITY_KEY_BYTES]);
bool filter_is_beyond(const struct filter *filter, const char *key);

#endif
