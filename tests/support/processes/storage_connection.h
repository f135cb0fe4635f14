/*
 * storage_connection.h - a storage client with everything that it stands on, for tests against
 * Azurite or a fake server.
 *
 * Threads: open and close from one thread; the client from any.
 */
#ifndef SUPPORT_STORAGE_CONNECTION_H
#define SUPPORT_STORAGE_CONNECTION_H

#include <stdint.h>

#include "http/http_transport.h"
#include "identity/credential.h"
#include "identity/storage_account.h"
#include "storage/storage_client.h"

struct storage_connection {
    struct http_transport *transport;
    struct platform platform; /* the transport's, with the system's random numbers */
    struct storage_account account;
    struct credential_shared_key credential;
    struct storage_client client;
};

/*
 * Signs in with the account key of a connection string. Aborts the test when it cannot. It must
 * stay where it is opened.
 */
void storage_connection_open(struct storage_connection *connection, const char *connection_string);
void storage_connection_close(struct storage_connection *connection);

/* `timeout_ms` from now, on the client's clock. */
int64_t storage_connection_deadline(const struct storage_connection *connection,
                                    int64_t timeout_ms);

/* A name for a container or table that no other test has: small letters and digits. */
enum { STORAGE_UNIQUE_NAME_BYTES = 40 };
void storage_unique_name(char out[STORAGE_UNIQUE_NAME_BYTES]);

#endif
