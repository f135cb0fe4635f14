#include <check.h>
#include <string.h>

#include "support/checks/fidelity_run.h"

static const char *const lease_ids[FIDELITY_LEASES] = {"11111111-aaaa-4aaa-8aaa-111111111111",
                                                       "22222222-bbbb-4bbb-8bbb-222222222222",
                                                       "33333333-cccc-4ccc-8ccc-333333333333"};

/* A name that begins like another's, and one with a folder. */
static const char *const blob_names[FIDELITY_BLOBS] = {"lease-a", "lease-a2",
                                                       "lease-inventory-P%201", "x/lease.b~c"};

/* ---- parts of requests ---- */

static void begin(struct fidelity_run *run, struct fidelity_request *request, const char *method,
                  int container) {
    fidelity_request_init(request, SIMULATED_BLOB_SERVICE, method);
    strbuf_appendf(&request->path, "/%s%d", run->name, container);
}

static void begin_container(struct fidelity_run *run, struct fidelity_request *request,
                            const char *method, int container) {
    begin(run, request, method, container);
    http_headers_add(&request->query, "restype", "container");
}

static void begin_blob(struct fidelity_run *run, struct fidelity_request *request,
                       const char *method) {
    begin(run, request, method, fidelity_run_draw(run, FIDELITY_CONTAINERS));
    strbuf_appendf(&request->path, "/%s", blob_names[fidelity_run_draw(run, FIDELITY_BLOBS)]);
}

/* The request's blob, as the simulation has it; NULL: it is not there. */
static struct blob *find_blob(struct fidelity_run *run, const struct fidelity_request *request) {
    char path[256];
    struct text encoded = {request->path.data, request->path.length};
    ck_assert(text_percent_decode(encoded, path, sizeof path));
    char *slash = strchr(path + 1, '/');
    *slash = '\0';
    return blobs_find(&run->sides->storage.blobs, path + 1, slash + 1);
}

/* Whether it is there and somebody has its lease. */
static bool is_locked(struct fidelity_run *run, const struct fidelity_request *request) {
    struct blob *blob = find_blob(run, request);
    return blob != NULL &&
           lease_state_check_write(&blob->lease, "", run->sides->clock.ms).code != NULL;
}

static const char *draw_lease_id(struct fidelity_run *run) {
    return lease_ids[fidelity_run_draw(run, FIDELITY_LEASES)];
}

static void maybe_add_lease_id(struct fidelity_run *run, struct fidelity_request *request) {
    if (fidelity_run_chance(run, 2)) {
        http_headers_add(&request->headers, "x-ms-lease-id", draw_lease_id(run));
    }
}

static void add_metadata(struct fidelity_run *run, struct fidelity_request *request) {
    if (fidelity_run_chance(run, 2)) {
        http_headers_add(&request->headers, "x-ms-meta-leaseName", "inventory-P 1");
        http_headers_addf(&request->headers, "x-ms-meta-lease_number", "%d",
                          fidelity_run_draw(run, 1000));
    }
}

/* ---- requests ---- */

static void create_container(struct fidelity_run *run) {
    int container = fidelity_run_draw(run, FIDELITY_CONTAINERS);
    struct fidelity_request request;
    if (run->sides->clock.ms < run->container_free_ms[container]) {
        return;
    }
    begin_container(run, &request, "PUT", container);
    fidelity_run_exchange_same(run, &request);
}

static void look_at_container(struct fidelity_run *run) {
    struct fidelity_request request;
    begin_container(run, &request, "HEAD", fidelity_run_draw(run, FIDELITY_CONTAINERS));
    fidelity_run_exchange_same(run, &request);
}

static void delete_container(struct fidelity_run *run) {
    int container = fidelity_run_draw(run, FIDELITY_CONTAINERS);
    struct fidelity_request request;
    if (!fidelity_run_chance(run, 8)) {
        return;
    }
    begin_container(run, &request, "DELETE", container);
    if (fidelity_run_exchange_same(run, &request) == 202) {
        run->container_free_ms[container] = run->sides->clock.ms + BLOBS_DELETION_MS;
    }
}

static void put_blob(struct fidelity_run *run) {
    struct fidelity_request request;
    begin_blob(run, &request, "PUT");
    http_headers_add(&request.headers, "x-ms-blob-type", "BlockBlob");
    add_metadata(run, &request);
    if (is_locked(run, &request) || fidelity_run_chance(run, 4)) {
        maybe_add_lease_id(run, &request);
    } else {
        http_headers_add(&request.headers, "If-None-Match", "*");
    }
    fidelity_run_exchange_same(run, &request);
}

static void look_at_blob(struct fidelity_run *run) {
    struct fidelity_request request;
    begin_blob(run, &request, "HEAD");
    if (fidelity_run_chance(run, 3)) {
        maybe_add_lease_id(run, &request);
    }
    fidelity_run_exchange_same(run, &request);
}

static void set_metadata(struct fidelity_run *run) {
    struct fidelity_request request;
    begin_blob(run, &request, "PUT");
    http_headers_add(&request.query, "comp", "metadata");
    add_metadata(run, &request);
    maybe_add_lease_id(run, &request);
    fidelity_run_exchange_same(run, &request);
}

static void delete_blob(struct fidelity_run *run) {
    struct fidelity_request request;
    if (!fidelity_run_chance(run, 4)) {
        return;
    }
    begin_blob(run, &request, "DELETE");
    maybe_add_lease_id(run, &request);
    fidelity_run_exchange_same(run, &request);
}

static void list(struct fidelity_run *run, int container, const char *prefix) {
    struct fidelity_request request;
    begin_container(run, &request, "GET", container);
    http_headers_add(&request.query, "comp", "list");
    http_headers_add(&request.query, "include", "metadata");
    if (prefix != NULL) {
        http_headers_add(&request.query, "prefix", prefix);
    }
    fidelity_run_exchange_same(run, &request);
}

static void list_blobs(struct fidelity_run *run) {
    list(run, fidelity_run_draw(run, FIDELITY_CONTAINERS),
         fidelity_run_chance(run, 2) ? "lease-" : NULL);
}

static void add_duration(struct fidelity_run *run, struct fidelity_request *request) {
    static const char *const odd[] = {"-1", "14", "61", "0", "-2"};
    if (fidelity_run_chance(run, 6) &&
        !is_locked(run, request)) { /* which of two refusals comes first is not said */
        http_headers_add(&request->headers, "x-ms-lease-duration", odd[fidelity_run_draw(run, 5)]);
    } else {
        http_headers_addf(&request->headers, "x-ms-lease-duration", "%d",
                          15 + fidelity_run_draw(run, 46));
    }
}

static void begin_lease(struct fidelity_run *run, struct fidelity_request *request,
                        const char *action) {
    begin_blob(run, request, "PUT");
    http_headers_add(&request->query, "comp", "lease");
    http_headers_add(&request->headers, "x-ms-lease-action", action);
}

static void acquire(struct fidelity_run *run) {
    struct fidelity_request request;
    begin_lease(run, &request, "acquire");
    http_headers_add(&request.headers, "x-ms-proposed-lease-id", draw_lease_id(run));
    add_duration(run, &request);
    fidelity_run_exchange_same(run, &request);
}

static void renew(struct fidelity_run *run) {
    struct fidelity_request request;
    begin_lease(run, &request, "renew");
    struct blob *blob = find_blob(run, &request);
    /* Azurite renews a lease that has expired whatever the id: test_storage_fidelity.c */
    bool has_expired =
        blob != NULL && lease_state_at(&blob->lease, run->sides->clock.ms) == LEASE_EXPIRED;
    http_headers_add(&request.headers, "x-ms-lease-id",
                     has_expired ? blob->lease.id : draw_lease_id(run));
    fidelity_run_exchange_same(run, &request);
}

static void release(struct fidelity_run *run) {
    struct fidelity_request request;
    begin_lease(run, &request, "release");
    http_headers_add(&request.headers, "x-ms-lease-id", draw_lease_id(run));
    fidelity_run_exchange_same(run, &request);
}

static void change(struct fidelity_run *run) {
    struct fidelity_request request;
    begin_lease(run, &request, "change");
    http_headers_add(&request.headers, "x-ms-lease-id", draw_lease_id(run));
    http_headers_add(&request.headers, "x-ms-proposed-lease-id", draw_lease_id(run));
    fidelity_run_exchange_same(run, &request);
}

static void break_lease(struct fidelity_run *run) {
    static const int periods[] = {0, 0, 1, 20, 40, 60};
    struct fidelity_request request;
    begin_lease(run, &request, "break");
    if (!fidelity_run_chance(run, 3)) {
        http_headers_addf(&request.headers, "x-ms-lease-break-period", "%d",
                          periods[fidelity_run_draw(run, 6)]);
    }
    fidelity_run_exchange_same(run, &request);
}

void fidelity_blobs_step(struct fidelity_run *run) {
    static void (*const steps[])(struct fidelity_run * run) = {create_container,
                                                               look_at_container,
                                                               delete_container,
                                                               put_blob,
                                                               put_blob,
                                                               look_at_blob,
                                                               look_at_blob,
                                                               set_metadata,
                                                               delete_blob,
                                                               list_blobs,
                                                               acquire,
                                                               acquire,
                                                               acquire,
                                                               acquire,
                                                               renew,
                                                               renew,
                                                               release,
                                                               change,
                                                               change,
                                                               break_lease,
                                                               break_lease};
    steps[fidelity_run_draw(run, (int)(sizeof steps / sizeof steps[0]))](run);
}

void fidelity_blobs_read_back(struct fidelity_run *run) {
    for (int container = 0; container < FIDELITY_CONTAINERS; container++) {
        list(run, container, NULL);
    }
}
