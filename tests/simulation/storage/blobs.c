#include "simulation/storage/blobs.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/utc.h"
#include "simulation/storage/allocation.h"

enum { NAME_BYTES = 1025, METADATA_BYTES = 8192 };

/* ---- what there is ---- */

struct container *blobs_container(struct blobs *blobs, const char *name) {
    struct container *container = (struct container *)map_find(&blobs->containers, name);
    return container == NULL || container->deleted_until_ms != 0 ? NULL : container;
}

struct blob *blobs_find(struct blobs *blobs, const char *container, const char *name) {
    struct container *found = blobs_container(blobs, container);
    return found == NULL ? NULL : (struct blob *)map_find(&found->blobs, name);
}

bool blobs_is_leased(struct blobs *blobs, const char *container, const char *name) {
    struct blob *blob = blobs_find(blobs, container, name);
    return blob != NULL && lease_state_at(&blob->lease, clock_now_ms(blobs->clock)) == LEASE_LEASED;
}

static char *copy_name(const char *name) {
    return allocation_copy(name, strlen(name));
}

static struct container *make_container(struct blobs *blobs, const char *name) {
    struct container *container = (struct container *)map_find(&blobs->containers, name);
    if (container == NULL) {
        container = allocation_checked(calloc(1, sizeof *container));
        container->entry.key = copy_name(name);
        map_add(&blobs->containers, &container->entry);
    }
    container->deleted_until_ms = 0;
    container->version = ++blobs->last_version;
    container->written_ms = clock_wall_ms(blobs->clock);
    return container;
}

static struct blob *make_blob(struct container *container, const char *name) {
    struct blob *blob = allocation_checked(calloc(1, sizeof *blob));
    blob->entry.key = copy_name(name);
    blob->metadata = copy_name("");
    map_add(&container->blobs, &blob->entry);
    return blob;
}

static void note_write(struct blobs *blobs, struct blob *blob) {
    lease_state_note_write(&blob->lease, clock_now_ms(blobs->clock));
    blob->version = ++blobs->last_version;
    blob->written_ms = clock_wall_ms(blobs->clock);
}

struct blob *blobs_make(struct blobs *blobs, const char *container, const char *name) {
    struct container *parent = blobs_container(blobs, container);
    parent = parent != NULL ? parent : make_container(blobs, container);
    struct blob *blob = (struct blob *)map_find(&parent->blobs, name);
    if (blob == NULL) {
        blob = make_blob(parent, name);
        note_write(blobs, blob);
    }
    return blob;
}

static void free_key(struct map_entry *entry) {
    char *key;
    memcpy(&key, &entry->key, sizeof key); /* it is const for all but its owner */
    free(key);
}

static void free_blob(struct map_entry *entry) {
    free(((struct blob *)entry)->metadata);
    free_key(entry);
    free(entry);
}

static void free_container(struct map_entry *entry) {
    map_clear(&((struct container *)entry)->blobs, free_blob);
    free_key(entry);
    free(entry);
}

void blobs_clear(struct blobs *blobs) {
    map_clear(&blobs->containers, free_container);
}

/* ---- answers ---- */

static void refuse(struct simulated_answer *answer, int http_status, const char *code) {
    simulated_answer_refuse_blob(answer, (struct simulated_refusal){http_status, code});
}

static void accept(struct simulated_answer *answer, int http_status, uint64_t version,
                   int64_t written_ms) {
    char etag[32], modified[UTC_TEXT_BYTES];
    answer->http_status = http_status;
    snprintf(etag, sizeof etag, "\"0x8DE%012" PRIX64 "\"", version);
    utc_format_http(written_ms, modified);
    simulated_answer_add_header(&answer->headers, "ETag", etag);
    simulated_answer_add_header(&answer->headers, "Last-Modified", modified);
}

static void accept_blob(struct simulated_answer *answer, int http_status, const struct blob *blob) {
    accept(answer, http_status, blob->version, blob->written_ms);
}

/* ---- leases ---- */

/* What a lease request asks for, as it stands in its headers. */
struct lease_request {
    struct lease_state_call call;
    char id[UUID_TEXT_BYTES], proposed[UUID_TEXT_BYTES];
};

static const struct {
    const char *name;
    enum lease_action action;
    enum simulated_kind kind;
    int http_status;
} lease_actions[] = {{"acquire", LEASE_ACQUIRE, SIMULATED_LEASE_ACQUIRE, 201},
                     {"renew", LEASE_RENEW, SIMULATED_LEASE_RENEW, 200},
                     {"change", LEASE_CHANGE, SIMULATED_LEASE_CHANGE, 200},
                     {"release", LEASE_RELEASE, SIMULATED_LEASE_RELEASE, 200},
                     {"break", LEASE_BREAK, SIMULATED_LEASE_BREAK, 202}};

/* Reads a UUID; `out` is "" if the header is missing. Returns why that does not do, or NULL. */
static const char *read_id(const struct simulated_request *request, const char *name,
                           bool is_required, char out[UUID_TEXT_BYTES]) {
    struct text value = simulated_request_header(request, name);
    out[0] = '\0';
    if (value.length == 0) {
        return is_required ? "MissingRequiredHeader" : NULL;
    }
    return text_copy(value, out, UUID_TEXT_BYTES) && uuid_is_valid(out) ? NULL
                                                                        : "InvalidHeaderValue";
}

static const char *read_duration(const struct simulated_request *request, int *out) {
    struct text value = simulated_request_header(request, "x-ms-lease-duration");
    if (value.length == 0) {
        return "MissingRequiredHeader";
    }
    bool is_good =
        text_read_int(value, out) && (*out == LEASE_STATE_INFINITE_S || (*out >= 15 && *out <= 60));
    return is_good ? NULL : "InvalidHeaderValue";
}

static const char *read_period(const struct simulated_request *request, int *out) {
    struct text value = simulated_request_header(request, "x-ms-lease-break-period");
    *out = LEASE_STATE_NO_PERIOD;
    return value.length == 0 || (text_read_int(value, out) && *out >= 0 && *out <= 60)
               ? NULL
               : "InvalidHeaderValue";
}

static const char *read_lease_request(struct blobs *blobs, const struct simulated_request *request,
                                      struct lease_request *own) {
    const char *fault;
    switch (own->call.action) {
    case LEASE_ACQUIRE:
        fault = read_id(request, "x-ms-proposed-lease-id", false, own->id);
        if (own->id[0] == '\0') {
            snprintf(own->id, sizeof own->id, "1ea5e000-0000-4000-8000-%012" PRIx64,
                     ++blobs->last_lease_id);
        }
        return fault != NULL ? fault : read_duration(request, &own->call.duration_s);
    case LEASE_CHANGE:
        fault = read_id(request, "x-ms-proposed-lease-id", true, own->proposed);
        return fault != NULL ? fault : read_id(request, "x-ms-lease-id", true, own->id);
    case LEASE_BREAK:
        return read_period(request, &own->call.period_s);
    case LEASE_RENEW:
    case LEASE_RELEASE:
    case LEASE_ACTIONS:
        break;
    }
    return read_id(request, "x-ms-lease-id", true, own->id);
}

static void answer_lease(struct blobs *blobs, const struct blob *blob, enum lease_action action,
                         int http_status, struct simulated_answer *answer) {
    accept_blob(answer, http_status, blob);
    if (action == LEASE_BREAK) {
        strbuf_append_string(&answer->headers, "x-ms-lease-time: ");
        strbuf_append_int64(&answer->headers,
                            lease_state_break_s(&blob->lease, clock_now_ms(blobs->clock)));
        strbuf_append_string(&answer->headers, "\r\n");
    } else if (action != LEASE_RELEASE) {
        simulated_answer_add_header(&answer->headers, "x-ms-lease-id", blob->lease.id);
    }
}

static void serve_lease(struct blobs *blobs, struct blob *blob,
                        const struct simulated_request *request, struct simulated_answer *answer,
                        struct simulated_outcome *outcome) {
    struct text name = simulated_request_header(request, "x-ms-lease-action");
    size_t at = 0, count = sizeof lease_actions / sizeof lease_actions[0];
    while (at < count && !text_is(name, lease_actions[at].name)) {
        at++;
    }
    if (at == count) {
        refuse(answer, 400, name.length == 0 ? "MissingRequiredHeader" : "InvalidHeaderValue");
        return;
    }
    struct lease_request own = {.id = "", .proposed = ""};
    own.call = (struct lease_state_call){
        .action = lease_actions[at].action, .id = own.id, .proposed = own.proposed};
    outcome->kind = lease_actions[at].kind;
    const char *fault = read_lease_request(blobs, request, &own);
    struct simulated_refusal refusal = {400, fault};
    if (blob == NULL) {
        refusal = (struct simulated_refusal){404, "BlobNotFound"};
    } else if (fault == NULL) {
        refusal = lease_state_act(&blob->lease, &own.call, clock_now_ms(blobs->clock));
    }
    if (refusal.code != NULL) {
        simulated_answer_refuse_blob(answer, refusal);
        return;
    }
    answer_lease(blobs, blob, own.call.action, lease_actions[at].http_status, answer);
}

/* ---- blobs ---- */

static void keep_metadata(struct blob *blob, const struct simulated_request *request) {
    struct strbuf lines;
    strbuf_init(&lines, METADATA_BYTES);
    for (size_t i = 0; i < request->header_count; i++) {
        if (text_starts_nocase(request->names[i], "x-ms-meta-")) {
            strbuf_append(&lines, request->names[i].data, request->names[i].length);
            strbuf_append(&lines, ": ", 2);
            strbuf_append(&lines, request->values[i].data, request->values[i].length);
            strbuf_append(&lines, "\r\n", 2);
        }
    }
    free(blob->metadata);
    blob->metadata = allocation_copy(lines.data, lines.length);
    strbuf_cleanup(&lines);
}

/* Reads x-ms-lease-id and checks a write, or a read, against the lease. */
static struct simulated_refusal check_lease(struct blobs *blobs, struct blob *blob, bool is_write,
                                            const struct simulated_request *request) {
    char id[UUID_TEXT_BYTES];
    const char *fault = read_id(request, "x-ms-lease-id", false, id);
    if (fault != NULL) {
        return (struct simulated_refusal){400, fault};
    }
    int64_t now_ms = clock_now_ms(blobs->clock);
    return (is_write ? lease_state_check_write : lease_state_check_read)(&blob->lease, id, now_ms);
}

static void put_blob(struct blobs *blobs, struct container *container, const char *name,
                     struct blob *blob, const struct simulated_request *request,
                     struct simulated_answer *answer) {
    struct text type = simulated_request_header(request, "x-ms-blob-type");
    bool only_if_absent = text_is(simulated_request_header(request, "If-None-Match"), "*");
    struct simulated_refusal refusal =
        blob == NULL ? SIMULATED_ACCEPTED : check_lease(blobs, blob, true, request);
    if (request->body.length > 0) {
        refuse(answer, 501, "NotImplemented");
    } else if (!text_is(type, "BlockBlob")) {
        refuse(answer, 400, type.length == 0 ? "MissingRequiredHeader" : "InvalidHeaderValue");
    } else if (refusal.code != NULL) {
        simulated_answer_refuse_blob(answer, refusal);
    } else if (blob != NULL && only_if_absent) {
        refuse(answer, 409, "BlobAlreadyExists");
    } else {
        blob = blob != NULL ? blob : make_blob(container, name);
        keep_metadata(blob, request);
        note_write(blobs, blob);
        accept_blob(answer, 201, blob);
        strbuf_append_string(&answer->headers, "x-ms-request-server-encrypted: true\r\n");
    }
}

static void show_blob(struct blobs *blobs, struct blob *blob, struct simulated_answer *answer) {
    enum lease_state state = lease_state_at(&blob->lease, clock_now_ms(blobs->clock));
    accept_blob(answer, 200, blob);
    strbuf_append_string(&answer->headers, blob->metadata);
    strbuf_append_string(&answer->headers, "x-ms-blob-type: BlockBlob\r\n");
    simulated_answer_add_header(&answer->headers, "x-ms-lease-state", lease_state_name(state));
    simulated_answer_add_header(&answer->headers, "x-ms-lease-status",
                                state == LEASE_LEASED || state == LEASE_BREAKING ? "locked"
                                                                                 : "unlocked");
    if (state == LEASE_LEASED) {
        bool is_infinite = blob->lease.duration_s == LEASE_STATE_INFINITE_S;
        simulated_answer_add_header(&answer->headers, "x-ms-lease-duration",
                                    is_infinite ? "infinite" : "fixed");
    }
}

static void delete_blob(struct container *container, struct blob *blob,
                        struct simulated_answer *answer) {
    map_remove(&container->blobs, &blob->entry);
    free_blob(&blob->entry);
    answer->http_status = 202;
}

static void change_metadata(struct blobs *blobs, struct blob *blob,
                            const struct simulated_request *request,
                            struct simulated_answer *answer) {
    keep_metadata(blob, request);
    note_write(blobs, blob);
    accept_blob(answer, 200, blob);
}

/* A request about a blob that is there. */
static void serve_present(struct blobs *blobs, struct container *container, struct blob *blob,
                          const char *component, const struct simulated_request *request,
                          struct simulated_answer *answer, struct simulated_outcome *outcome) {
    bool is_read = text_is(request->method, "HEAD") || text_is(request->method, "GET");
    struct simulated_refusal refusal = check_lease(blobs, blob, !is_read, request);
    if (refusal.code != NULL) {
        simulated_answer_refuse_blob(answer, refusal);
    } else if (is_read && (component[0] == '\0' || strcmp(component, "metadata") == 0)) {
        show_blob(blobs, blob, answer);
    } else if (text_is(request->method, "DELETE") && component[0] == '\0') {
        delete_blob(container, blob, answer);
    } else if (text_is(request->method, "PUT") && strcmp(component, "metadata") == 0) {
        change_metadata(blobs, blob, request, answer);
    } else {
        outcome->kind = SIMULATED_UNKNOWN;
        refuse(answer, 400, "InvalidQueryParameterValue");
    }
}

static void serve_blob(struct blobs *blobs, const char *container_name, const char *name,
                       const struct simulated_request *request, struct simulated_answer *answer,
                       struct simulated_outcome *outcome) {
    struct container *container = blobs_container(blobs, container_name);
    struct blob *blob = container == NULL ? NULL : (struct blob *)map_find(&container->blobs, name);
    char component[32] = "";
    simulated_request_query(request, "comp", component, sizeof component);
    bool is_put = text_is(request->method, "PUT");
    outcome->kind = SIMULATED_BLOB;
    if (container == NULL) {
        refuse(answer, 404, "ContainerNotFound");
    } else if (is_put && strcmp(component, "lease") == 0) {
        serve_lease(blobs, blob, request, answer, outcome);
    } else if (is_put && component[0] == '\0') {
        put_blob(blobs, container, name, blob, request, answer);
    } else if (blob == NULL) {
        refuse(answer, 404, "BlobNotFound");
    } else {
        serve_present(blobs, container, blob, component, request, answer, outcome);
    }
}

/* ---- containers ---- */

/* 3 to 63 small letters, digits and single dashes between them ("Naming containers"). */
static bool is_container_name(const char *name) {
    size_t length = strlen(name);
    bool is_good = length >= 3 && length <= 63 && name[0] != '-' && name[length - 1] != '-';
    return is_good && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length &&
           strstr(name, "--") == NULL;
}

static void create_container(struct blobs *blobs, const char *name,
                             struct simulated_answer *answer) {
    struct container *container = (struct container *)map_find(&blobs->containers, name);
    if (!is_container_name(name)) {
        refuse(answer, 400, "InvalidResourceName");
    } else if (container != NULL && container->deleted_until_ms == 0) {
        refuse(answer, 409, "ContainerAlreadyExists");
    } else if (container != NULL && clock_now_ms(blobs->clock) < container->deleted_until_ms) {
        refuse(answer, 409, "ContainerBeingDeleted");
    } else {
        container = make_container(blobs, name);
        accept(answer, 201, container->version, container->written_ms);
    }
}

void blobs_delete_container(struct blobs *blobs, struct container *container) {
    map_clear(&container->blobs, free_blob);
    container->deleted_until_ms = clock_now_ms(blobs->clock) + BLOBS_DELETION_MS;
}

static void serve_container(struct blobs *blobs, const char *name,
                            const struct simulated_request *request,
                            struct simulated_answer *answer, struct simulated_outcome *outcome) {
    char restype[32] = "", component[32] = "";
    struct container *container = blobs_container(blobs, name);
    simulated_request_query(request, "restype", restype, sizeof restype);
    simulated_request_query(request, "comp", component, sizeof component);
    bool is_about_container = strcmp(restype, "container") == 0;
    bool is_read = text_is(request->method, "GET") || text_is(request->method, "HEAD");
    outcome->kind = SIMULATED_CONTAINER;
    if (is_about_container && text_is(request->method, "PUT") && component[0] == '\0') {
        create_container(blobs, name, answer);
    } else if (container == NULL) {
        refuse(answer, 404, "ContainerNotFound");
    } else if (is_about_container && is_read && strcmp(component, "list") == 0) {
        blobs_list(blobs, container, request, answer);
    } else if (is_about_container && is_read && component[0] == '\0') {
        accept(answer, 200, container->version, container->written_ms);
        strbuf_append_string(&answer->headers,
                             "x-ms-lease-status: unlocked\r\nx-ms-lease-state: available\r\n");
    } else if (is_about_container && text_is(request->method, "DELETE")) {
        blobs_delete_container(blobs, container);
        answer->http_status = 202;
    } else {
        outcome->kind = SIMULATED_UNKNOWN;
        refuse(answer, 400, "InvalidQueryParameterValue");
    }
}

void blobs_serve(struct blobs *blobs, struct text path, const struct simulated_request *request,
                 struct simulated_answer *answer, struct simulated_outcome *outcome) {
    char decoded[NAME_BYTES + 64];
    if (!text_percent_decode(path, decoded, sizeof decoded) || decoded[0] != '/' ||
        decoded[1] == '\0') {
        refuse(answer, 400, "InvalidUri");
        return;
    }
    char *slash = strchr(decoded + 1, '/');
    if (slash == NULL) {
        serve_container(blobs, decoded + 1, request, answer, outcome);
        return;
    }
    *slash = '\0';
    serve_blob(blobs, decoded + 1, slash + 1, request, answer, outcome);
}
