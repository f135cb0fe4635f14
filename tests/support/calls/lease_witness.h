/*
 * lease_witness.h - asks storage itself, past every proxy, who holds a lease; and does to it what
 * outsiders do.
 *
 * Names are lease names; the blob's is "lease-" and that. Whoever is asked about is told by the
 * lease's id. What should not happen fails the test. Threads: one test's.
 */
#ifndef SUPPORT_LEASE_WITNESS_H
#define SUPPORT_LEASE_WITNESS_H

#include <stdbool.h>

#include "support/processes/storage_connection.h"

/* Somebody else, who is none of the handlers. */
#define LEASE_WITNESS_OUTSIDER "66666666-7777-4888-9999-aaaaaaaaaaaa"

struct lease_witness {
    struct storage_connection storage;
    const char *container;
};

/* Borrows the container's name. */
void lease_witness_open(struct lease_witness *witness, const char *connection_string,
                        const char *container);
void lease_witness_close(struct lease_witness *witness);

/* Container and blob are there, without anybody holding a lease, as after an earlier use. */
void lease_witness_prepare(struct lease_witness *witness, const char *name);

/* The outsider takes the lease, or tries to, for 60 s. */
void lease_witness_take(struct lease_witness *witness, const char *name);
bool lease_witness_try_take(struct lease_witness *witness, const char *name);

/* Does that id hold it? (A renewal under it succeeds.) */
bool lease_witness_holds(struct lease_witness *witness, const char *name, const char *lease_id);

/* It holds the lease and nobody else gets it. */
void lease_witness_assert_holder(struct lease_witness *witness, const char *name,
                                 const char *lease_id);

/*
 * Polls until nobody holds the lease, and takes it. Fails after 10 s: a lease that was renewed just
 * now runs out only after 15.
 */
void lease_witness_await_free(struct lease_witness *witness, const char *name);

/* An operator ends the lease and deletes the blob; deletes the container with all that is in it. */
void lease_witness_delete_blob(struct lease_witness *witness, const char *name);
void lease_witness_delete_container(struct lease_witness *witness);

/* The blob has leaseName, a createdAt of the last minute, and lease_Site = north. */
void lease_witness_assert_metadata(struct lease_witness *witness, const char *name);

#endif
