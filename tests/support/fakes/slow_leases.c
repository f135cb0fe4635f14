#include "support/fakes/slow_leases.h"

#include <search.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A container or a blob: a lease on the one is not asked for. */
struct stored {
    char lease_id[UUID_TEXT_BYTES]; /* "": not leased, or released */
    int64_t duration_ms;            /* INT64_MAX: no end */
    int64_t expires_ms;
    char path[];
};

struct slow_leases {
    void *entries; /* tsearch's, by path */
    struct slow_counts counts;
};

static void *need(void *memory) {
    if (memory == NULL) {
        fputs("slow_leases: no memory\n", stderr);
        abort();
    }
    return memory;
}

struct slow_leases *slow_leases_new(void) {
    return need(calloc(1, sizeof(struct slow_leases)));
}

void slow_leases_free(struct slow_leases *leases) {
    if (leases != NULL) {
        tdestroy(leases->entries, free);
        free(leases);
    }
}

/* --- containers and blobs --- */

static int compare(const void *a, const void *b) {
    return strcmp(((const struct stored *)a)->path, ((const struct stored *)b)->path);
}

static struct stored *new_stored(const char *path, size_t length) {
    struct stored *stored = need(calloc(1, sizeof *stored + length + 1));
    memcpy(stored->path, path, length);
    return stored;
}

static struct stored *find(const struct slow_leases *leases, const char *path, size_t length) {
    struct stored *key = new_stored(path, length);
    struct stored **found = tfind(key, &leases->entries, compare);
    free(key);
    return found != NULL ? *found : NULL;
}

static void add(struct slow_leases *leases, const char *path) {
    need(tsearch(new_stored(path, strlen(path)), &leases->entries, compare));
}

/* The length of "/account/container". */
static size_t container_length(const char *path) {
    size_t length = 0;
    for (int i = 0; i < 2 && path[length] == '/'; i++) {
        length += 1 + strcspn(path + length + 1, "/");
    }
    return length;
}

static bool is_held(const struct stored *stored, int64_t now_ms) {
    return stored->lease_id[0] != '\0' && now_ms < stored->expires_ms;
}

static bool has_run_out(const struct stored *stored, int64_t now_ms) {
    return stored->lease_id[0] != '\0' && now_ms >= stored->expires_ms;
}

static struct slow_answer success(int status, const char *lease_id) {
    struct slow_answer answer = {.status = status};
    snprintf(answer.lease_id, sizeof answer.lease_id, "%s", lease_id);
    return answer;
}

static struct slow_answer refusal(int status, const char *code) {
    return (struct slow_answer){.status = status, .code = code};
}

static struct slow_answer create_container(struct slow_leases *leases, const char *path) {
    if (find(leases, path, strlen(path)) != NULL) {
        return refusal(409, "ContainerAlreadyExists");
    }
    add(leases, path);
    return success(201, "");
}

/* With If-None-Match: * (the one way in which it is asked for here). */
static struct slow_answer put_blob(struct slow_leases *leases, const char *path, int64_t now_ms) {
    const struct stored *blob = find(leases, path, strlen(path));
    if (blob != NULL) {
        return is_held(blob, now_ms) ? refusal(412, "LeaseIdMissing")
                                     : refusal(409, "BlobAlreadyExists");
    }
    add(leases, path);
    return success(201, "");
}

/* --- leases --- */

static void hold(struct stored *blob, int64_t now_ms) {
    blob->expires_ms = blob->duration_ms == INT64_MAX ? INT64_MAX : now_ms + blob->duration_ms;
}

static struct slow_answer acquire(struct slow_leases *leases, struct stored *blob,
                                  const struct slow_request *request, int64_t now_ms) {
    bool own = strcasecmp(blob->lease_id, request->lease_id) == 0;
    if (is_held(blob, now_ms) && !own) {
        return refusal(409, "LeaseAlreadyPresent");
    }
    long duration_s = strtol(request->duration, NULL, 10);
    if (strlen(request->lease_id) != UUID_TEXT_BYTES - 1 ||
        (duration_s != -1 && (duration_s < 15 || duration_s > 60))) {
        return refusal(400, "InvalidHeaderValue");
    }
    leases->counts.ran_out += has_run_out(blob, now_ms);
    leases->counts.acquired++;
    memcpy(blob->lease_id, request->lease_id, UUID_TEXT_BYTES);
    blob->duration_ms = duration_s < 0 ? INT64_MAX : duration_s * 1000;
    hold(blob, now_ms);
    return success(201, blob->lease_id);
}

static struct slow_answer renew(struct slow_leases *leases, struct stored *blob, int64_t now_ms) {
    leases->counts.ran_out += has_run_out(blob, now_ms);
    leases->counts.renewed++;
    hold(blob, now_ms);
    return success(200, blob->lease_id);
}

static struct slow_answer release(struct slow_leases *leases, struct stored *blob, int64_t now_ms) {
    leases->counts.ran_out += has_run_out(blob, now_ms);
    leases->counts.released++;
    blob->lease_id[0] = '\0';
    return success(200, "");
}

static struct slow_answer act(struct slow_leases *leases, const struct slow_request *request,
                              int64_t now_ms) {
    struct stored *blob = find(leases, request->path, strlen(request->path));
    if (blob == NULL) {
        return refusal(404, "BlobNotFound");
    }
    if (strcmp(request->action, "acquire") == 0) {
        return acquire(leases, blob, request, now_ms);
    }
    bool renews = strcmp(request->action, "renew") == 0;
    if (!renews && strcmp(request->action, "release") != 0) {
        return refusal(400, "InvalidHeaderValue");
    }
    if (blob->lease_id[0] == '\0') {
        return refusal(409, "LeaseNotPresentWithLeaseOperation");
    }
    if (strcasecmp(blob->lease_id, request->lease_id) != 0) {
        return refusal(409, "LeaseIdMismatchWithLeaseOperation");
    }
    return renews ? renew(leases, blob, now_ms) : release(leases, blob, now_ms);
}

static struct slow_answer answer(struct slow_leases *leases, const struct slow_request *request,
                                 int64_t now_ms) {
    size_t length = container_length(request->path);
    bool names_blob = request->path[length] == '/';
    if (strcmp(request->method, "PUT") != 0) {
        return refusal(400, "UnsupportedHttpVerb");
    }
    if (!names_blob) {
        bool creates = strcmp(request->query, "restype=container") == 0;
        return creates ? create_container(leases, request->path) : refusal(400, "InvalidUri");
    }
    if (find(leases, request->path, length) == NULL) {
        return refusal(404, "ContainerNotFound");
    }
    if (strcmp(request->query, "comp=lease") == 0) {
        return act(leases, request, now_ms);
    }
    return request->query[0] == '\0' ? put_blob(leases, request->path, now_ms)
                                     : refusal(400, "InvalidUri");
}

struct slow_answer slow_leases_answer(struct slow_leases *leases,
                                      const struct slow_request *request, int64_t now_ms) {
    struct slow_answer given = answer(leases, request, now_ms);
    leases->counts.refused += given.status >= 400;
    return given;
}

/* --- counting --- */

struct count {
    struct slow_counts counts;
    int64_t now_ms;
};

static void count_stored(const void *node, VISIT visit, void *context) {
    const struct stored *stored = *(const struct stored *const *)node;
    struct count *count = context;
    if (visit == postorder || visit == leaf) { /* once for each */
        count->counts.held += is_held(stored, count->now_ms);
        count->counts.ran_out += has_run_out(stored, count->now_ms);
    }
}

struct slow_counts slow_leases_count(const struct slow_leases *leases, int64_t now_ms) {
    struct count count = {.counts = leases->counts, .now_ms = now_ms};
    twalk_r(leases->entries, count_stored, &count);
    return count.counts;
}
