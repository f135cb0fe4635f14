/*
 * fidelity_run.h - generated requests, under a seed, to both sides of fidelity_sides.h.
 *
 * A run has a few containers, blobs, tables, partitions and rows, so that requests meet what
 * earlier ones have left. Each request goes to both sides, and their answers must say the same
 * (fidelity_compare.h); what a write has changed shows in the reads that come later. An answer that
 * differs fails the test, with the seed, the request and both answers.
 *
 * Rules        No lease ends within LEASE_MARGIN_MS of a request, as the two sides' clocks are not
 *              quite the same. What Azurite does otherwise than Azure is not asked here:
 *              test_storage_fidelity.c lists it.
 * Threads: the test's own.
 */
#ifndef SUPPORT_FIDELITY_RUN_H
#define SUPPORT_FIDELITY_RUN_H

#include "simulation/storage/row_change.h"
#include "support/checks/fidelity_sides.h"
#include "support/processes/storage_connection.h"

enum {
    FIDELITY_CONTAINERS = 2,
    FIDELITY_BLOBS = 4,
    FIDELITY_LEASES = 3, /* ids that are proposed */
    FIDELITY_TABLES = 2,
    FIDELITY_PARTITIONS = 3,
    FIDELITY_ROWS = 8,
    FIDELITY_MAX_CHANGES = 101, /* one more than a transaction may have */
};

/* The two newest ETags of a row, as one side has told them; "": it has had none. */
struct fidelity_etags {
    char newest[FIDELITY_ETAG_BYTES], older[FIDELITY_ETAG_BYTES];
};

struct fidelity_run {
    struct fidelity_sides *sides;
    uint64_t seed, random;
    char
        name[STORAGE_UNIQUE_NAME_BYTES]; /* which all containers and tables of the run begin with */
    int64_t container_free_ms[FIDELITY_CONTAINERS], table_free_ms[FIDELITY_TABLES];
    struct fidelity_etags etags[FIDELITY_SIDES][FIDELITY_TABLES][FIDELITY_PARTITIONS]
                               [FIDELITY_ROWS];
};

enum fidelity_condition {
    FIDELITY_NONE,
    FIDELITY_ANY,
    FIDELITY_NEWEST,
    FIDELITY_OLDER,
    FIDELITY_CONDITIONS
};

/* A change to one of the run's rows. */
struct fidelity_change {
    enum row_change_kind kind;
    int table, partition, row;
    enum fidelity_condition condition; /* If-Match */
    bool wants_content;
    char entity[768];
};

/* Azurite's process and clock are the caller's. */
void fidelity_run_init(struct fidelity_run *run, struct fidelity_sides *sides, uint64_t seed);

/* At least `requests` requests, with everything read back now and then and at the end. */
void fidelity_run_many(struct fidelity_run *run, int requests);

/* The whole number in an environment variable; `otherwise` if it is not set. */
int fidelity_run_number(const char *name, int otherwise);

/* ---- for the files that make requests ---- */

/* A number from 0 to `below` - 1; and whether one in `count` comes up. */
int fidelity_run_draw(struct fidelity_run *run, int below);
bool fidelity_run_chance(struct fidelity_run *run, int count);

/* Sends each side its request and compares. The answers are to be released. */
void fidelity_run_exchange(struct fidelity_run *run,
                           const struct fidelity_request requests[FIDELITY_SIDES],
                           struct raw_response answers[FIDELITY_SIDES]);

/* The same request to both; it is released. Returns the status. */
int fidelity_run_exchange_same(struct fidelity_run *run, struct fidelity_request *request);

/* Of fidelity_blobs.c and fidelity_tables.c: draw a request and send it; read everything. */
void fidelity_blobs_step(struct fidelity_run *run);
void fidelity_blobs_read_back(struct fidelity_run *run);
void fidelity_tables_step(struct fidelity_run *run);
void fidelity_tables_read_back(struct fidelity_run *run);

/* Transactions of 100 rows each that all go into one partition of a table that is made for them. */
void fidelity_tables_fill(struct fidelity_run *run, int transactions);

#endif
