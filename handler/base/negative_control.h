/*
 * negative_control.h - faults planted to see that a checker finds them: a test that finds nothing in a broken program is broken.
 *
 * They exist in programs that are built for that alone (make VARIANT=control), and there the environment variable
 * LEASEHOLD_NEGATIVE_CONTROL switches them on: names separated by commas.
 *   lease         leases are granted, renewed and given back without asking storage
 *   if-match      a commit does not look at the product's ETag
 *   lost-answers  a commit whose answer was lost counts as not carried out
 *   lanes         each request is served alone, under a lease of its own
 * In all other programs the question is a constant, and the compiler leaves nothing of it.
 * Threads: any.
 * Layer: base.
 */
#ifndef BASE_NEGATIVE_CONTROL_H
#define BASE_NEGATIVE_CONTROL_H

#include <stdbool.h>

#ifdef LEASEHOLD_NEGATIVE_CONTROL
bool negative_control(const char *name);
#else
static inline bool negative_control(const char *name) {
    (void)name;
    return false;
}
#endif

#endif
