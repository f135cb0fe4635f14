/*
 * leases.h - the commands of leasectl for leases.
 *
 * A lease is named as in the log and in the list: "inventory-PROD-001", which is its blob's name
 * without BlobPrefix. A product's id alone is no such name: it might be the name of another lease.
 */
#ifndef LEASECTL_LEASES_H
#define LEASECTL_LEASES_H

#include "base/json.h"
#include "base/status.h"
#include "leasectl/output.h"
#include "wiring/services.h"

/*
 * Reads every blob of the container whose name begins with BlobPrefix, as
 * [{"lease","state","duration","createdAt"}, ...]. The duration is null unless the lease is held.
 * Without a container the list is empty. The caller frees it with cJSON_Delete. The statuses are
 * those of blob_list.
 */
enum status leases_rows(struct services *services, cJSON **out, struct error *err) MUST_CHECK;

/* Prints these rows. */
enum status leases_list(struct services *services, const struct output *output,
                        struct error *err) MUST_CHECK;

/*
 * Breaks a lease at once. Changes that its holder has not yet committed will fail. A broken lease
 * may be broken again (Source: "Lease Blob", outcomes by lease state).
 *
 * STATUS_NOT_FOUND   there is no such lease, or nobody holds it
 * or a status of storage.
 */
enum status leases_break(struct services *services, const struct output *output, const char *name,
                         struct error *err) MUST_CHECK;

#endif
