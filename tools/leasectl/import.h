/*
 * import.h - leasectl's `products import`: creates the products of a file (product_file.h).
 *
 * Rules    An import only creates. A product that exists is left as it is: since it was created it
 *          may have been sold, and to set its total again would sell the same units twice. So an
 *          import can be repeated at any time, on any machine, and one that was interrupted is
 *          resumed by a repeat. A product that exists costs a repeat one request.
 */
#ifndef LEASECTL_IMPORT_H
#define LEASECTL_IMPORT_H

#include "base/status.h"
#include "leasectl/interrupt.h"
#include "leasectl/output.h"
#include "wiring/services.h"

/*
 * Names each line that is refused on stderr, by its number, and goes on with the others. Then it
 * prints how many products were created, existed, or were refused. On a terminal stderr also shows
 * how far the import is.
 *
 * STATUS_PRECONDITION_FAILED   lines were refused, or the file has no line; the others are done
 * STATUS_INVALID_ARGUMENT      the file cannot be read; nothing was done
 * STATUS_CANCELLED             a signal has come; the message names the line to go on from
 * or a status of storage: the message names the line that failed. It was done once or not at all
 */
enum status import_run(struct services *services, const struct output *output, const char *path,
                       struct interrupt *interrupt, struct error *err) MUST_CHECK;

#endif
