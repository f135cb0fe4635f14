/*
 * watch.h - shows products and their leases again and again, until a signal comes.
 *
 * On a terminal it redraws a screen, and restores the terminal at the end. Elsewhere it prints one
 * snapshot after the other. If a snapshot cannot be read, it shows why, and tries again.
 */
#ifndef LEASECTL_WATCH_H
#define LEASECTL_WATCH_H

#include "base/status.h"
#include "leasectl/interrupt.h"
#include "leasectl/output.h"
#include "wiring/services.h"

/* Returns STATUS_OK after a signal, or a status of output.h if it cannot print. */
enum status watch_run(struct services *services, const struct output *output,
                      struct interrupt *interrupt, struct error *err) MUST_CHECK;

#endif
