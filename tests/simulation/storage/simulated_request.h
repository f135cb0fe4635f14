/*
 * simulated_request.h - one HTTP request to storage, as its bytes say it.
 */
#ifndef SIMULATION_STORAGE_SIMULATED_REQUEST_H
#define SIMULATION_STORAGE_SIMULATED_REQUEST_H

#include "simulation/storage/text.h"

enum { SIMULATED_MAX_HEADERS = 64 };

/* All points into the bytes that it was read from. */
struct simulated_request {
    struct text method;
    struct text path; /* as it was sent */
    struct text query;
    struct text names[SIMULATED_MAX_HEADERS], values[SIMULATED_MAX_HEADERS];
    size_t header_count;
    struct text body;
};

/*
 * Reads a request whose body has a Content-Length, or none. Returns how many bytes it has; 0 if
 * some are missing yet. Headers over SIMULATED_MAX_HEADERS are passed over.
 */
size_t simulated_request_read(struct text bytes, struct simulated_request *out);

/* Empty if the header is missing. */
struct text simulated_request_header(const struct simulated_request *request, const char *name);

/*
 * Decodes a parameter of the query. Returns false, and leaves `out` alone, if it is missing or too
 * long.
 */
bool simulated_request_query(const struct simulated_request *request, const char *name, char *out,
                             size_t out_bytes);

#endif
