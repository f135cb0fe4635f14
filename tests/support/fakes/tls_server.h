/*
 * tls_server.h - a server that does TLS and little else, to see whom a client trusts: on 127.0.0.1,
 * with a certificate of the test's choice.
 *
 * It shakes hands, reads a request's head, answers 503 without a body and closes; one connection
 * after the other. Threads: any; one of its own serves.
 */
#ifndef SUPPORT_TLS_SERVER_H
#define SUPPORT_TLS_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "support/processes/certificates.h"

struct tls_server;

/* `only_tls_1_1`: speaks no other version. */
struct tls_server *tls_server_start(const struct certificate_files *files, bool only_tls_1_1);
void tls_server_stop(struct tls_server *server);
int tls_server_port(const struct tls_server *server);

/*
 * How many clients have come, how many of them took the certificate, and how many bytes those sent
 * it.
 */
struct tls_server_counts {
    int connections;
    int handshakes;
    size_t bytes;
};
struct tls_server_counts tls_server_count(struct tls_server *server);

#endif
