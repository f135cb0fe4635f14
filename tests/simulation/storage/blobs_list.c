#include "base/utc.h"
#include "simulation/storage/allocation.h"
#include "simulation/storage/blobs.h"

enum { PREFIX_BYTES = 1025 };

static void append_xml(struct strbuf *out, struct text text) {
    for (size_t i = 0; i < text.length; i++) {
        switch (text.data[i]) {
        case '&':
            strbuf_append_string(out, "&amp;");
            break;
        case '<':
            strbuf_append_string(out, "&lt;");
            break;
        case '>':
            strbuf_append_string(out, "&gt;");
            break;
        default:
            strbuf_append_char(out, text.data[i]);
        }
    }
}

static void append_element(struct strbuf *out, struct text name, struct text value) {
    strbuf_append_char(out, '<');
    strbuf_append(out, name.data, name.length);
    strbuf_append_char(out, '>');
    append_xml(out, value);
    strbuf_append_string(out, "</");
    strbuf_append(out, name.data, name.length);
    strbuf_append_char(out, '>');
}

static void append_named(struct strbuf *out, const char *name, const char *value) {
    append_element(out, (struct text){name, strlen(name)}, (struct text){value, strlen(value)});
}

static void append_metadata(struct strbuf *out, const struct blob *blob) {
    strbuf_append_string(out, "<Metadata>");
    for (struct text rest = {blob->metadata, strlen(blob->metadata)}; rest.length > 0;) {
        struct text line = text_cut_line(&rest), name = text_cut(&line, ':');
        append_element(out, text_skip(name, strlen("x-ms-meta-")), text_trim(line));
    }
    strbuf_append_string(out, "</Metadata>");
}

static void append_blob(struct strbuf *out, struct blob *blob, bool with_metadata, int64_t now_ms) {
    enum lease_state state = lease_state_at(&blob->lease, now_ms);
    bool is_infinite = blob->lease.duration_s == LEASE_STATE_INFINITE_S;
    char modified[UTC_TEXT_BYTES];
    utc_format_http(blob->written_ms, modified);
    strbuf_append_string(out, "<Blob>");
    append_named(out, "Name", blob->entry.key);
    strbuf_append_string(out, "<Properties>");
    append_named(out, "Last-Modified", modified);
    append_named(out, "Content-Length", "0");
    append_named(out, "BlobType", "BlockBlob");
    append_named(out, "LeaseStatus",
                 state == LEASE_LEASED || state == LEASE_BREAKING ? "locked" : "unlocked");
    append_named(out, "LeaseState", lease_state_name(state));
    if (state == LEASE_LEASED) {
        append_named(out, "LeaseDuration", is_infinite ? "infinite" : "fixed");
    }
    strbuf_append_string(out, "</Properties>");
    if (with_metadata) {
        append_metadata(out, blob);
    }
    strbuf_append_string(out, "</Blob>");
}

/*
 * The names from `marker` on that begin with the prefix, BLOBS_LIST_ROWS at most; the next marker
 * is the name that comes then.
 */
void blobs_list(struct blobs *blobs, struct container *container,
                const struct simulated_request *request, struct simulated_answer *answer) {
    char prefix[PREFIX_BYTES] = "", marker[PREFIX_BYTES] = "", include[64] = "";
    simulated_request_query(request, "prefix", prefix, sizeof prefix);
    simulated_request_query(request, "marker", marker, sizeof marker);
    simulated_request_query(request, "include", include, sizeof include);
    struct map_entry **sorted = map_sorted(&container->blobs);
    const char *next = "";
    size_t shown = 0;
    answer->http_status = 200;
    strbuf_append_string(&answer->headers, "Content-Type: application/xml\r\n");
    strbuf_append_string(&answer->body, "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?>"
                                        "<EnumerationResults><Blobs>");
    for (size_t i = 0; i < container->blobs.count && *next == '\0'; i++) {
        const char *name = sorted[i]->key;
        if (strncmp(name, prefix, strlen(prefix)) != 0 || strcmp(name, marker) < 0) {
            continue;
        }
        if (shown++ == BLOBS_LIST_ROWS) {
            next = name;
        } else {
            append_blob(&answer->body, (struct blob *)sorted[i],
                        strstr(include, "metadata") != NULL, clock_now_ms(blobs->clock));
        }
    }
    strbuf_append_string(&answer->body, "</Blobs>");
    append_named(&answer->body, "NextMarker", next);
    strbuf_append_string(&answer->body, "</EnumerationResults>");
    free(sorted);
}
