/*
 * blobs.h - the simulated Blob service: containers, empty block blobs with metadata, leases.
 *
 * Rules        A container that was deleted is being deleted for BLOBS_DELETION_MS: it cannot be
 *              created again before that ("Delete Container").
 *              What a blob holds is not kept, so one with a body is refused with 501.
 */
#ifndef SIMULATION_STORAGE_BLOBS_H
#define SIMULATION_STORAGE_BLOBS_H

#include "base/clock.h"
#include "simulation/storage/lease_state.h"
#include "simulation/storage/map.h"
#include "simulation/storage/simulated_outcome.h"
#include "simulation/storage/simulated_request.h"

enum { BLOBS_DELETION_MS = 30000, BLOBS_LIST_ROWS = 5000 };

struct blob {
    struct map_entry entry; /* its key is the blob's name */
    struct lease_state_of lease;
    char *metadata; /* lines "x-ms-meta-name: value\r\n" */
    uint64_t version;
    int64_t written_ms; /* wall time */
};

struct container {
    struct map_entry entry; /* its key is the container's name */
    struct map blobs;
    uint64_t version;
    int64_t written_ms;
    int64_t deleted_until_ms; /* of the clock that does not jump; 0: it is there */
};

/* Zeroed at first, but for `clock`. */
struct blobs {
    const struct clock *clock;
    struct map containers;
    uint64_t last_version;
    uint64_t last_lease_id;
};

/* Answers a request whose path, behind the account's own, is `path`. */
void blobs_serve(struct blobs *blobs, struct text path, const struct simulated_request *request,
                 struct simulated_answer *answer, struct simulated_outcome *outcome);

/* NULL: it is not there. The pointer is good until the next request. */
struct container *blobs_container(struct blobs *blobs, const char *name);
struct blob *blobs_find(struct blobs *blobs, const char *container, const char *name);

/* Makes the blob, and its container, if they are absent. */
struct blob *blobs_make(struct blobs *blobs, const char *container, const char *name);

/* With all its blobs, whoever has leases on them. */
void blobs_delete_container(struct blobs *blobs, struct container *container);

/* Whether somebody holds the blob's lease. */
bool blobs_is_leased(struct blobs *blobs, const char *container, const char *name);

/* Of blobs_list.c: answers List Blobs. */
void blobs_list(struct blobs *blobs, struct container *container,
                const struct simulated_request *request, struct simulated_answer *answer);

void blobs_clear(struct blobs *blobs);

#endif
