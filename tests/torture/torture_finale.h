/*
 * torture_finale.h - what a run with all faults ends with, when nobody else is at the stock any
 * more: what random faults hardly bring about, and what no history goes on after.
 *
 * Threads: the main one.
 */
#ifndef CHECKER_TORTURE_FINALE_H
#define CHECKER_TORTURE_FINALE_H

#include "torture/torture_world.h"

/*
 * One more instance works until its lease is all but over, and its commit arrives when an operator
 * has the lease. Then a product's row is deleted under its reservations, and then the table under
 * the running app. Violations of LEASE, RETURN.
 */
void torture_finale_run(struct torture_world *world, struct checker_report *report);

#endif
