/*
 * test_storage_fidelity.c - whether the simulated storage (tests/simulation/storage/) answers as
 * Azurite does, and as Azure does where Azurite does otherwise.
 *
 *     SEED=N       which requests are generated (1)
 *     REQUESTS=N   how many (1000)
 */
#include <stdlib.h>
#include <string.h>

#include "support/checks/fidelity_compare.h"
#include "support/checks/fidelity_run.h"
#include "support/processes/check_main.h"

enum { REQUESTS = 1000, TIMEOUT_S = 600, FULL_TRANSACTIONS = 11 };

#define LEASE "11111111-aaaa-4aaa-8aaa-111111111111"
#define OTHER_LEASE "22222222-bbbb-4bbb-8bbb-222222222222"

static struct wall_clock azurites_clock;
static struct azurite azurite;
static struct fidelity_sides sides;
static struct fidelity_run run;

static void start_azurite(void) {
    wall_clock_open(&azurites_clock);
    azurite_start_clocked(&azurite, &azurites_clock);
}

static void release_azurite(void) {
    azurite_cleanup(&azurite);
    wall_clock_close(&azurites_clock);
}

static void begin(void) {
    fidelity_sides_open(&sides, &azurite, &azurites_clock);
    fidelity_run_init(&run, &sides, (uint64_t)fidelity_run_number("SEED", 1));
}

static void end(void) {
    fidelity_sides_close(&sides);
}

/* ---- where both do the same ---- */

START_TEST(both_answer_generated_requests_alike) {
    fidelity_run_many(&run, fidelity_run_number("REQUESTS", REQUESTS));
}
END_TEST

START_TEST(both_answer_more_rows_than_a_page_has_in_pages) {
    fidelity_tables_fill(&run, FULL_TRANSACTIONS);
}
END_TEST

/* ---- where Azurite does otherwise than Azure ---- */

static void add(struct fidelity_request *request, const char *name, const char *value) {
    http_headers_add(&request->headers, name, value);
}

static void begin_container(struct fidelity_request *request, const char *method) {
    fidelity_request_init(request, SIMULATED_BLOB_SERVICE, method);
    strbuf_appendf(&request->path, "/%s", run.name);
    http_headers_add(&request->query, "restype", "container");
}

static void begin_blob(struct fidelity_request *request) {
    fidelity_request_init(request, SIMULATED_BLOB_SERVICE, "PUT");
    strbuf_appendf(&request->path, "/%s/blob", run.name);
}

static void begin_new_blob(struct fidelity_request *request) {
    begin_blob(request);
    add(request, "x-ms-blob-type", "BlockBlob");
    add(request, "If-None-Match", "*");
}

static void begin_lease(struct fidelity_request *request, const char *action, const char *id_header,
                        const char *id) {
    begin_blob(request);
    http_headers_add(&request->query, "comp", "lease");
    add(request, "x-ms-lease-action", action);
    add(request, id_header, id);
}

static void begin_table(struct fidelity_request *request, const char *method,
                        const char *path_format, const char *type) {
    fidelity_request_init(request, SIMULATED_TABLE_SERVICE, method);
    add(request, "Accept", "application/json;odata=minimalmetadata");
    add(request, "Prefer", "return-no-content");
    if (type != NULL) {
        add(request, "Content-Type", type);
    }
    for (const char *c = path_format; *c != '\0'; c++) { /* "$" stands for the table */
        const char text[2] = {*c, '\0'};
        strbuf_append_string(&request->path, *c == '$' ? run.name : text);
    }
}

/* What both agree on. */
static void send_same(struct fidelity_request *request, int http_status) {
    ck_assert_int_eq(fidelity_run_exchange_same(&run, request), http_status);
}

static void make_container(void) {
    struct fidelity_request request;
    begin_container(&request, "PUT");
    send_same(&request, 201);
}

static void make_leased_blob(void) {
    struct fidelity_request request;
    make_container();
    begin_new_blob(&request);
    send_same(&request, 201);
    begin_lease(&request, "acquire", "x-ms-proposed-lease-id", LEASE);
    add(&request, "x-ms-lease-duration", "15");
    send_same(&request, 201);
}

static void make_table(void) {
    struct fidelity_request request;
    begin_table(&request, "POST", "/Tables", "application/json");
    strbuf_appendf(&request.body, "{\"TableName\":\"%s\"}", run.name);
    send_same(&request, 204);
}

static void begin_transaction(struct fidelity_request *request) {
    fidelity_request_init(request, SIMULATED_TABLE_SERVICE, "POST");
    add(request, "Content-Type", "multipart/mixed; boundary=batch_1");
    strbuf_append_string(&request->path, "/$batch");
    strbuf_append_string(
        &request->body, "--batch_1\r\nContent-Type: multipart/mixed; boundary=changeset_1\r\n\r\n");
}

static void add_insert(struct fidelity_request *request, const char *partition_key, int row,
                       const char *note) {
    strbuf_appendf(
        &request->body,
        "--changeset_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: "
        "binary\r\n\r\n"
        "POST %s/%s HTTP/1.1\r\nPrefer: return-no-content\r\nContent-Type: application/json\r\n\r\n"
        "{\"PartitionKey\":\"%s\",\"RowKey\":\"%d\",\"note\":\"%s\"}\r\n",
        sides.account.table_endpoint, run.name, partition_key, row, note);
}

static void end_transaction(struct fidelity_request *request) {
    strbuf_append_string(&request->body, "--changeset_1--\r\n--batch_1--\r\n");
}

static void signature_of_another(struct fidelity_request *request) {
    begin_container(request, "PUT");
    request->is_forged = true;
}

static void late_request(struct fidelity_request *request) {
    begin_container(request, "PUT");
    request->late_ms = 16 * 60 * 1000;
}

static void container_being_deleted(struct fidelity_request *request) {
    make_container();
    begin_container(request, "DELETE");
    send_same(request, 202);
    begin_container(request, "PUT");
}

static void delete_table(void) {
    struct fidelity_request request;
    make_table();
    begin_table(&request, "DELETE", "/Tables('$')", NULL);
    send_same(&request, 204);
}

static void table_being_deleted(struct fidelity_request *request) {
    delete_table();
    begin_table(request, "POST", "/Tables", "application/json");
    strbuf_appendf(&request->body, "{\"TableName\":\"%s\"}", run.name);
}

static void row_of_a_table_being_deleted(struct fidelity_request *request) {
    delete_table();
    begin_table(request, "POST", "/$", "application/json");
    strbuf_append_string(&request->body, "{\"PartitionKey\":\"p\",\"RowKey\":\"r\"}");
}

static void renewal_of_anothers_expired_lease(struct fidelity_request *request) {
    make_leased_blob();
    fidelity_sides_pass(&sides, 30000);
    begin_lease(request, "renew", "x-ms-lease-id", OTHER_LEASE);
}

static void creation_of_a_leased_blob(struct fidelity_request *request) {
    make_leased_blob();
    begin_new_blob(request);
}

static void transaction_over_two_partitions(struct fidelity_request *request) {
    make_table();
    begin_transaction(request);
    add_insert(request, "p", 1, "");
    add_insert(request, "q", 2, "");
    end_transaction(request);
}

static void transaction_of_101_rows(struct fidelity_request *request) {
    make_table();
    begin_transaction(request);
    for (int row = 0; row <= TRANSACTION_MAX_OPERATIONS; row++) {
        add_insert(request, "p", row, "");
    }
    end_transaction(request);
}

static void transaction_over_4_mib(struct fidelity_request *request) {
    static char note[30001];
    memset(note, 'x', sizeof note - 1);
    make_table();
    begin_transaction(request);
    for (int row = 0; row < TRANSACTION_MAX_OPERATIONS; row++) {
        add_insert(request, "p", row, note);
    }
    for (int row = TRANSACTION_MAX_OPERATIONS - 1; request->body.length <= TRANSACTION_MAX_BYTES;
         row--) {
        strbuf_append_string(&request->body, note);
    }
    end_transaction(request);
}

/* Each on names of its own. The simulation follows Azure. */
static const struct {
    const char *what;
    void (*build)(struct fidelity_request *request);
    struct simulated_refusal azure, azurite; /* "": none */
    const char *source;
} differences[] = {
    {"a wrong signature",
     signature_of_another,
     {403, "AuthenticationFailed"},
     {403, "AuthorizationFailure"},
     "Common REST API error codes: AuthenticationFailed, \"Server failed to authenticate the "
     "request\""},
    {"a container that is being deleted",
     container_being_deleted,
     {409, "ContainerBeingDeleted"},
     {201, ""},
     "Delete Container: a container of that name cannot be created for at least 30 seconds, 409"},
    {"a table that is being deleted",
     table_being_deleted,
     {409, "TableBeingDeleted"},
     {204, ""},
     "Delete Table: likely to take at least 40 seconds; an operation against the table meanwhile "
     "fails with 409"},
    {"a row of a table that is being deleted",
     row_of_a_table_being_deleted,
     {409, "TableBeingDeleted"},
     {404, "TableNotFound"},
     "Delete Table, as above"},
    {"a renewal of another's lease that has expired",
     renewal_of_anothers_expired_lease,
     {409, "LeaseIdMismatchWithLeaseOperation"},
     {200, ""},
     "Lease Blob, outcomes of lease operations: Renew (B), Expired (A)"},
    {"Put Blob with If-None-Match where somebody has a lease",
     creation_of_a_leased_blob,
     {412, "LeaseIdMissing"},
     {409, "BlobAlreadyExists"},
     "Lease Blob, outcomes of use attempts: Write, no lease specified, Leased (A): 412. "
     "Azure/azure-webjobs-sdk's "
     "blob leases take 409 and 412 alike for a blob that exists"},
    {"a transaction over two partitions",
     transaction_over_two_partitions,
     {400, "CommandsInBatchActOnDifferentPartitions"},
     {204, ""},
     "Performing entity group transactions: all entities must have the same PartitionKey"},
    {"a request that was signed 16 minutes ago",
     late_request,
     {403, "AuthenticationFailed"},
     {201, ""},
     "Authorize requests to Azure Storage: no older than 15 minutes by the time it reaches the "
     "service, else 403"},
};

/* A transaction says how it ended in the first of its parts. */
static int outcome_of(const struct raw_response *answer, char code[FIDELITY_CODE_BYTES]) {
    const char *part = answer->body == NULL ? NULL : strstr(answer->body, "\r\nHTTP/1.1 ");
    struct raw_response first = {.status = answer->status};
    if (part == NULL) {
        fidelity_compare_code(answer, code);
        return answer->status;
    }
    first.body = strstr(part, "\r\n");
    first.status = (int)strtol(part + strlen("\r\nHTTP/1.1 "), NULL, 10);
    fidelity_compare_code(&first, code);
    return first.status;
}

static void check_side(enum fidelity_side side, const struct fidelity_request *request,
                       const char *what, struct simulated_refusal expected, const char *source) {
    struct raw_response answer;
    char came[FIDELITY_CODE_BYTES];
    fidelity_sides_send(&sides, side, request, &answer);
    int status = outcome_of(&answer, came);
    ck_assert_msg(status == expected.http_status && strcmp(came, expected.code) == 0,
                  "%s: %s answers %d %s, not %d %s (%s)\n%.1000s", what,
                  side == FIDELITY_AZURITE ? "Azurite" : "the simulation", status, came,
                  expected.http_status, expected.code, source, answer.head);
    raw_response_cleanup(&answer);
}

START_TEST(the_simulation_follows_azure_where_azurite_does_not) {
    struct fidelity_request request;
    differences[_i].build(&request);
    check_side(FIDELITY_SIMULATED, &request, differences[_i].what, differences[_i].azure,
               differences[_i].source);
    check_side(FIDELITY_AZURITE, &request, differences[_i].what, differences[_i].azurite,
               differences[_i].source);
    fidelity_request_cleanup(&request);
}
END_TEST

START_TEST(both_refuse_a_transaction_that_is_too_large) {
    static const struct simulated_refusal too_many = {400, "InvalidInput"},
                                          too_long = {413, "RequestBodyTooLarge"};
    struct fidelity_request request;
    transaction_of_101_rows(&request);
    check_side(FIDELITY_SIMULATED, &request, "101 operations", too_many, "at most 100 entities");
    check_side(FIDELITY_AZURITE, &request, "101 operations", too_many, "at most 100 entities");
    fidelity_request_cleanup(&request);
    storage_unique_name(run.name);
    transaction_over_4_mib(&request);
    check_side(FIDELITY_SIMULATED, &request, "over 4 MiB", too_long, "at most 4 MiB");
    check_side(FIDELITY_AZURITE, &request, "over 4 MiB", too_long, "at most 4 MiB");
    fidelity_request_cleanup(&request);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("storage_fidelity");
    TCase *tests = tcase_create("fidelity");
    tcase_add_unchecked_fixture(tests, start_azurite, release_azurite);
    tcase_add_checked_fixture(tests, begin, end);
    tcase_set_timeout(tests, TIMEOUT_S);
    tcase_add_test(tests, both_answer_generated_requests_alike);
    tcase_add_test(tests, both_answer_more_rows_than_a_page_has_in_pages);
    tcase_add_test(tests, both_refuse_a_transaction_that_is_too_large);
    tcase_add_loop_test(tests, the_simulation_follows_azure_where_azurite_does_not, 0,
                        (int)(sizeof differences / sizeof differences[0]));
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
