/*
 * http.h - the fake storage's HTTP: connections, requests, answers. One thread, one epoll.
 *
 * Rules        A request is for the service of the port that it came to. With a delay, it takes
 *              effect after half of it and is answered after the other half, as over a network with
 *              that round trip. Requests of one connection are served one after the other.
 */
#ifndef BENCH_STORAGE_HTTP_H
#define BENCH_STORAGE_HTTP_H

#include <stdint.h>

#include "base/strbuf.h"
#include "simulation/storage/simulated_storage.h"

/* Appends the whole answer to a request. */
typedef void (*http_serve_request)(void *context, enum simulated_service service,
                                   const struct simulated_request *request, struct strbuf *out);

/*
 * Listens on free ports of 127.0.0.1, writes {"blob":PORT,"table":PORT} to stdout, and serves until
 * it is killed.
 */
void http_serve(http_serve_request serve, void *context, int64_t delay_us)
    __attribute__((noreturn));

#endif
