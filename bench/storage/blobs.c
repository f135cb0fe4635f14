#include "blobs.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counts.h"

enum { BUCKETS = 1 << 17, PATH_BYTES = 320, LEASE_ID_BYTES = 40 };

#define LAST_MODIFIED "ETag: \"0x1\"\r\nLast-Modified: Sat, 28 Nov 2026 18:00:00 GMT\r\n"

struct blob {
    struct blob *next;
    char lease_id[LEASE_ID_BYTES]; /* "": nobody has had one, or it was given back */
    int64_t lease_ends_ms;
    int64_t lease_ms;
    char path[]; /* "/container" or "/container/blob" */
};

static struct blob *buckets[BUCKETS];

static struct blob **find(const char *path) {
    uint32_t hash = 5381;
    for (const char *c = path; *c != '\0'; c++) {
        hash = hash * 33 + (unsigned char)*c;
    }
    struct blob **at = &buckets[hash % BUCKETS];
    while (*at != NULL && strcmp((*at)->path, path) != 0) {
        at = &(*at)->next;
    }
    return at;
}

static struct blob *make(const char *path) {
    struct blob **at = find(path);
    if (*at == NULL) {
        size_t bytes = strlen(path) + 1;
        *at = calloc(1, sizeof **at + bytes);
        if (*at == NULL) {
            abort();
        }
        memcpy((*at)->path, path, bytes);
    }
    return *at;
}

static void container_of(const char *path, char out[PATH_BYTES]) {
    snprintf(out, PATH_BYTES, "/%.*s", (int)strcspn(path + 1, "/"), path + 1);
}

void blobs_make(const char *path) {
    char container[PATH_BYTES];
    container_of(path, container);
    make(container);
    make(path);
}

static bool is_leased(const struct blob *blob) {
    return blob->lease_id[0] != '\0' && http_now_ms() < blob->lease_ends_ms;
}

bool blobs_is_leased(const char *path) {
    const struct blob *blob = *find(path);
    return blob != NULL && is_leased(blob);
}

/* ---- answers ---- */

static void refuse(struct http_answer *answer, int status, const char *code) {
    answer->status = status;
    strbuf_appendf(&answer->headers, "Content-Type: application/xml\r\nx-ms-error-code: %s\r\n", code);
    strbuf_appendf(&answer->body,
                   "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code><Message>%s</Message></Error>",
                   code, code);
}

static void accept(struct http_answer *answer, int status, const char *lease_id) {
    answer->status = status;
    strbuf_append_string(&answer->headers, LAST_MODIFIED);
    if (lease_id != NULL) {
        strbuf_appendf(&answer->headers, "x-ms-lease-id: %s\r\n", lease_id);
    }
}

/* ---- leases ---- */

static bool is_lease_id(struct text id) {
    return id.length == 36 && strspn(id.data, "0123456789abcdefABCDEF-") >= id.length;
}

static void acquire(struct blob *blob, const struct http_request *request, struct http_answer *answer) {
    struct text id = http_header(request, "x-ms-proposed-lease-id");
    struct text duration = http_header(request, "x-ms-lease-duration");
    long seconds = duration.length == 0 ? 0 : strtol(duration.data, NULL, 10);
    counts_now.lease_acquires++;
    if (!is_lease_id(id) || (seconds != -1 && (seconds < 15 || seconds > 60))) {
        refuse(answer, 400, "InvalidHeaderValue");
    } else if (is_leased(blob) && !http_text_is(id, blob->lease_id)) {
        counts_now.lease_conflicts++;
        refuse(answer, 409, "LeaseAlreadyPresent");
    } else {
        memcpy(blob->lease_id, id.data, id.length);
        blob->lease_id[id.length] = '\0';
        blob->lease_ms = seconds == -1 ? INT64_MAX / 2 : seconds * 1000;
        blob->lease_ends_ms = http_now_ms() + blob->lease_ms;
        accept(answer, 201, blob->lease_id);
    }
}

static void renew(struct blob *blob, struct text id, struct http_answer *answer) {
    counts_now.lease_renewals++;
    if (!http_text_is(id, blob->lease_id)) {
        refuse(answer, 409, "LeaseIdMismatchWithLeaseOperation");
        return;
    }
    blob->lease_ends_ms = http_now_ms() + blob->lease_ms;
    accept(answer, 200, blob->lease_id);
}

static void release(struct blob *blob, struct text id, struct http_answer *answer) {
    counts_now.lease_releases++;
    if (!http_text_is(id, blob->lease_id)) {
        refuse(answer, 409, "LeaseIdMismatchWithLeaseOperation");
        return;
    }
    blob->lease_id[0] = '\0';
    accept(answer, 200, NULL);
}

static void break_lease(struct blob *blob, struct http_answer *answer) {
    counts_now.lease_others++;
    blob->lease_id[0] = '\0';
    accept(answer, 202, NULL);
    strbuf_append_string(&answer->headers, "x-ms-lease-time: 0\r\n");
}

static void serve_lease(struct blob *blob, const struct http_request *request, struct http_answer *answer) {
    struct text action = http_header(request, "x-ms-lease-action");
    struct text id = http_header(request, "x-ms-lease-id");
    if (http_text_is(action, "acquire")) {
        acquire(blob, request, answer);
    } else if (http_text_is(action, "renew")) {
        renew(blob, id, answer);
    } else if (http_text_is(action, "release")) {
        release(blob, id, answer);
    } else if (http_text_is(action, "break")) {
        break_lease(blob, answer);
    } else {
        counts_now.unknown_requests++;
        refuse(answer, 400, "InvalidHeaderValue");
    }
}

/* ---- blobs and containers ---- */

static bool is_signed(const struct http_request *request) {
    return http_text_starts(http_header(request, "Authorization"), "SharedKey devstoreaccount1:");
}

static void put(const char *path, const struct http_request *request, struct http_answer *answer) {
    const struct blob *blob = *find(path);
    bool only_if_absent = http_text_is(http_header(request, "If-None-Match"), "*");
    if (blob != NULL && only_if_absent) {
        refuse(answer, 409, "BlobAlreadyExists");
    } else if (blob != NULL && is_leased(blob) &&
               !http_text_is(http_header(request, "x-ms-lease-id"), blob->lease_id)) {
        refuse(answer, 412, "LeaseIdMissing");
    } else {
        make(path);
        accept(answer, 201, NULL);
        strbuf_append_string(&answer->headers, "x-ms-request-server-encrypted: true\r\n");
    }
}

static void serve_container(const char *path, const struct http_request *request, struct http_answer *answer) {
    if (*find(path) != NULL && http_text_is(request->method, "PUT")) {
        refuse(answer, 409, "ContainerAlreadyExists");
    } else if (http_text_is(request->method, "PUT")) {
        make(path);
        accept(answer, 201, NULL);
    } else if (*find(path) == NULL) {
        refuse(answer, 404, "ContainerNotFound");
    } else {
        accept(answer, 200, NULL);
    }
}

static void serve_blob(const char *path, const struct http_request *request, struct http_answer *answer) {
    char container[PATH_BYTES], component[32] = "";
    container_of(path, container);
    http_query(request, "comp", component, sizeof component);
    bool is_put = http_text_is(request->method, "PUT");
    struct blob *blob = *find(path);
    if (*find(container) == NULL) {
        refuse(answer, 404, "ContainerNotFound");
    } else if (is_put && component[0] == '\0') {
        counts_now.blob_requests++;
        put(path, request, answer);
    } else if (blob == NULL) {
        refuse(answer, 404, "BlobNotFound");
    } else if (is_put && strcmp(component, "lease") == 0) {
        serve_lease(blob, request, answer);
    } else {
        counts_now.blob_requests++;
        accept(answer, 200, NULL);
    }
}

void blobs_serve(const struct http_request *request, struct http_answer *answer) {
    char path[PATH_BYTES];
    if (http_text_is(request->path, "/$counts")) {
        answer->status = 200;
        counts_write(&answer->body);
    } else if (!is_signed(request)) {
        counts_now.unsigned_requests++;
        refuse(answer, 403, "AuthenticationFailed");
    } else if (!http_percent_decode(request->path, path, sizeof path)) {
        refuse(answer, 400, "InvalidUri");
    } else if (strchr(path + 1, '/') == NULL) {
        counts_now.blob_requests++;
        serve_container(path, request, answer);
    } else {
        serve_blob(path, request, answer);
    }
}
