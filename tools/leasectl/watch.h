/*
 * watch.h - products and their leases, again and again until a signal comes.
 *
 * On a terminal it is a screen that is redrawn, and the terminal is afterwards as it was; elsewhere one snapshot follows the other.
 * What cannot be read is told in its place, and tried again.
 *
 * Threads: the main one.
 */
#ifndef LEASECTL_WATCH_H
#define LEASECTL_WATCH_H

#include "base/status.h"
#include "leasectl/interrupt.h"
#include "leasectl/output.h"
#include "wiring/services.h"

/* STATUS_OK: a signal came. Else it could not print. */
enum status watch_run(struct services *services, const struct output *output,
                      struct interrupt *interrupt, struct error *err) MUST_CHECK;

#endif
