/*
 * descriptors.h - the open files of this process.
 */
#ifndef SUPPORT_DESCRIPTORS_H
#define SUPPORT_DESCRIPTORS_H

#include <stdbool.h>

enum { DESCRIPTORS_MAX = 4096 };

/* Which are open, by number. */
struct descriptors {
    bool is_open[DESCRIPTORS_MAX];
};

void descriptors_list(struct descriptors *out);

/* How many are open. */
int descriptors_count(void);

/*
 * How many of those that were not open then would be inherited by a child; *out_last (may be NULL)
 * is one of them.
 */
int descriptors_inherited_since(const struct descriptors *then, int *out_last);

#endif
