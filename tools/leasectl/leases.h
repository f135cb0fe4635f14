/*
 * leases.h - leasectl's commands for leases.
 *
 * Rules        A lease is called as in the log and in the list: "inventory-PROD-001", its blob's name without BlobPrefix. A product's id
 *              alone is no such name: it might be another lease's.
 * Threads: the main one.
 */
#ifndef LEASECTL_LEASES_H
#define LEASECTL_LEASES_H

#include "base/json.h"
#include "base/status.h"
#include "leasectl/output.h"
#include "wiring/services.h"

/*
 * Every blob of the container whose name has BlobPrefix: [{"lease","state","duration","createdAt"}, ...]; duration is null unless
 * the lease is held. Without a container there are none. The caller's (cJSON_Delete). Statuses of blob_list.
 */
enum status leases_rows(struct services *services, cJSON **out, struct error *err) MUST_CHECK;

/* Prints them. */
enum status leases_list(struct services *services, const struct output *output,
                        struct error *err) MUST_CHECK;

/*
 * Ends somebody's lease at once; what its holder has not committed when it notices fails. One that is broken already may be broken
 * again ("Lease Blob", outcomes by lease state).
 * STATUS_NOT_FOUND  there is no such lease, or nobody holds it
 */
enum status leases_break(struct services *services, const struct output *output, const char *name,
                         struct error *err) MUST_CHECK;

#endif
