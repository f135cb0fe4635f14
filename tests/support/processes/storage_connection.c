#include "support/processes/storage_connection.h"

#include <check.h>
#include <stdio.h>
#include <unistd.h>

void storage_connection_open(struct storage_connection *connection, const char *connection_string) {
    struct error err;
    ck_assert_msg(storage_account_parse(connection_string, &connection->account, &err) == STATUS_OK,
                  "%s", err.message);
    ck_assert_msg(credential_shared_key_init(&connection->credential, &connection->account, &err) ==
                      STATUS_OK,
                  "%s", err.message);
    ck_assert_msg(http_transport_new(&connection->transport, clock_system(), &err) == STATUS_OK,
                  "%s", err.message);
    connection->platform = http_transport_platform(connection->transport, random_system());
    storage_client_init(&connection->client, &connection->platform, &connection->account,
                        &connection->credential.base);
}

void storage_connection_close(struct storage_connection *connection) {
    http_transport_stop(connection->transport);
    storage_client_cleanup(&connection->client);
    credential_shared_key_cleanup(&connection->credential);
    http_transport_free(connection->transport);
    storage_account_wipe(&connection->account);
}

int64_t storage_connection_deadline(const struct storage_connection *connection,
                                    int64_t timeout_ms) {
    return clock_now_ms(connection->platform.clock) + timeout_ms;
}

void storage_unique_name(char out[STORAGE_UNIQUE_NAME_BYTES]) {
    static int count;
    /* The letter at the end keeps apart what tests make by adding digits. */
    snprintf(out, STORAGE_UNIQUE_NAME_BYTES, "test%dn%dx", (int)getpid(), ++count);
}
