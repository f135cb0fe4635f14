/*
 * A storage account whose address is a name, as it is on Azure. With 127.0.0.1, which all other
 * tests use, nothing is looked up.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/calls/http_client.h"
#include "support/processes/app.h"
#include "support/processes/azurite.h"
#include "support/processes/certificates.h"
#include "support/processes/check_main.h"

enum { RESERVES = 12 };

static struct certificates certificates;
static struct azurite azurite;
static struct app app;

static void start_all(void) {
    char connection_string[AZURITE_CONNECTION_STRING_BYTES], preload[4096],
        ca[CERTIFICATE_PATH_BYTES + 16];
    certificates_make(&certificates);
    azurite_start_https(&azurite, AZURITE_IN_MEMORY, &certificates.server);
    snprintf(connection_string, sizeof connection_string,
             "AccountName=" AZURITE_ACCOUNT ";AccountKey=" AZURITE_KEY
             ";BlobEndpoint=https://storage.test:%d/" AZURITE_ACCOUNT
             ";TableEndpoint=https://storage.test:%d/" AZURITE_ACCOUNT,
             azurite.blob_port, azurite.table_port);
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s/../preload/host_names.so",
             getenv("LEASEHOLD_BIN"));
    snprintf(ca, sizeof ca, "SSL_CERT_FILE=%s", certificates.ca);
    app_start(&app, &(struct app_options){.connection_string = connection_string,
                                          .env = (const char *const[]){preload, ca, NULL}});
}

static void stop_all(void) {
    ck_assert_msg(app_stop(&app, SIGTERM) == 0, "%s", process_output_from(&app.process, 0));
    app_cleanup(&app);
    azurite_stop(&azurite);
    azurite_cleanup(&azurite);
    certificates_remove(&certificates);
}

START_TEST(stock_is_sold_from_a_storage_account_that_has_a_name) {
    static const char *const paths[] = {"/api/inventory/PROD-001/reserve",
                                        "/api/inventory/PROD-002/reserve",
                                        "/api/inventory/PROD-003/reserve"};
    for (int i = 0; i < RESERVES; i++) {
        struct http_reply answer =
            http_ask((struct http_ask){.port = app.port,
                                       .path = paths[i % 3],
                                       .method = "POST",
                                       .body = "{\"quantity\":1,\"customerId\":\"c\"}"});
        ck_assert_msg(answer.status == 200, "%d %s\n%s", answer.status, answer.body.data,
                      process_output_from(&app.process, 0));
        http_reply_cleanup(&answer);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("host names");
    TCase *tcase = tcase_create("host names");
    tcase_add_checked_fixture(tcase, start_all, stop_all);
    tcase_add_test(tcase, stock_is_sold_from_a_storage_account_that_has_a_name);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
