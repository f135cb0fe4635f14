/*
 * azurite.h - a storage account for tests: Azurite, Microsoft's emulator, as a program of the
 * test's own.
 *
 * Rules        Its program is named by LEASEHOLD_AZURITE (tools/run-tests.sh sets it); a test that
 *              needs it and finds it not fails. Ports are free ones that it takes itself; its files
 *              are in a temporary folder. It answers by the time that start and restart return.
 * Threads: as process.h.
 */
#ifndef SUPPORT_AZURITE_H
#define SUPPORT_AZURITE_H

#include <stdbool.h>
#include <stddef.h>

#include "support/fakes/wall_clock.h"
#include "support/processes/certificates.h"
#include "support/processes/process.h"

/* Azurite's well-known account (its README, "Default Storage Account"): no secret. */
#define AZURITE_ACCOUNT "devstoreaccount1"
#define AZURITE_KEY \
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

enum { AZURITE_CONNECTION_STRING_BYTES = 512 };

enum azurite_persistence { AZURITE_ON_DISK, AZURITE_IN_MEMORY };

struct azurite {
    struct process process;
    enum azurite_persistence persistence;
    struct certificate_files https; /* empty paths: http */
    const struct wall_clock *clock; /* what it takes for the time of day; NULL: the machine's */
    char folder[64];
    int blob_port;
    int table_port;
    char connection_string[AZURITE_CONNECTION_STRING_BYTES];
};

void azurite_start(struct azurite *azurite, enum azurite_persistence persistence);

/*
 * The same over https, with this certificate. It takes access tokens (jwt.h) beside the key, and
 * the connection string says https.
 */
void azurite_start_https(struct azurite *azurite, enum azurite_persistence persistence,
                         const struct certificate_files *https);

/* Starts one in memory whose time of day is the test's to set. Borrows the clock. */
void azurite_start_clocked(struct azurite *azurite, const struct wall_clock *clock);

/* Ends it: nothing listens on its ports any more. Its files stay. */
void azurite_stop(struct azurite *azurite);

/*
 * Starts it again on the same ports; what AZURITE_IN_MEMORY held is gone. Requests so far are
 * forgotten.
 */
void azurite_restart(struct azurite *azurite);

/* Ends it and removes its folder. A zeroed struct azurite is fine. */
void azurite_cleanup(struct azurite *azurite);

/*
 * Writes a connection string for its account at other ports of this machine: those of proxies in
 * front of it.
 */
void azurite_write_connection_string(int blob_port, int table_port,
                                     char out[AZURITE_CONNECTION_STRING_BYTES]);

/* A place in the access log. All requests that have been answered by now lie before it. */
size_t azurite_mark(struct azurite *azurite);

/*
 * The requests that were answered since `mark` (0: since it started), each one line as in
 *   "PUT /devstoreaccount1/leases?restype=container HTTP/1.1" 201
 * The caller's (free).
 */
char *azurite_requests_since(struct azurite *azurite, size_t mark);

/* How many those are. */
int azurite_request_count(struct azurite *azurite, size_t mark);

#endif
