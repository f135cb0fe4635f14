/*
 * blobs.h - the fake storage's Blob service: containers, empty blobs, leases.
 *
 * Rules        A lease goes to one holder at a time, ends with its duration, and is renewed, released and broken as Azure's is
 *              ("Lease Blob"). What is not served is refused with 400 and counted.
 */
#ifndef BENCH_STORAGE_BLOBS_H
#define BENCH_STORAGE_BLOBS_H

#include <stdbool.h>

#include "http.h"

void blobs_serve(const struct http_request *request, struct http_answer *answer);

/* Whether somebody holds the lease of "/container/blob". */
bool blobs_is_leased(const char *path);

/* Makes the blob, and its container, if they are absent. */
void blobs_make(const char *path);

#endif
