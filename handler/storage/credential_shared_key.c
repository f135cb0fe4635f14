#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/crypto.h"
#include "storage/credential.h"

#define X_MS "x-ms-" /* what the names of the service's own headers begin with */

static int is_blank(char c) {
    return c == ' ' || c == '\t';
}

static void append_trimmed(struct strbuf *out, const char *text) {
    size_t length = strlen(text);
    while (length > 0 && is_blank(*text)) {
        text++;
        length--;
    }
    while (length > 0 && is_blank(text[length - 1])) {
        length--;
    }
    strbuf_append(out, text, length);
}

/* White space at the ends goes, and inside becomes one space each, but for what is in quotes. */
static void append_folded(struct strbuf *out, const char *text) {
    bool is_quoted = false, is_gap = false;
    size_t start = out->length;
    const char *end = text + strlen(text);
    while (end > text && is_blank(end[-1])) {
        end--;
    }
    for (; text < end; text++) {
        if (is_blank(*text) && !is_quoted) {
            is_gap = true;
            continue;
        }
        if (is_gap && out->length > start) {
            strbuf_append_char(out, ' ');
        }
        is_gap = false;
        is_quoted ^= *text == '"';
        strbuf_append_char(out, *text);
    }
}

static void append_lower(struct strbuf *out, const char *text) {
    for (; *text; text++) {
        strbuf_append_char(out, (char)tolower((unsigned char)*text));
    }
}

static void append_header_line(struct strbuf *out, const struct http_headers *headers, const char *name) {
    const char *value = http_headers_get(headers, name);
    append_trimmed(out, value ? value : "");
    strbuf_append_char(out, '\n');
}

/*
 * The service sorts names as its culture does, not by byte: an underscore comes before digits and letters
 * (Azure/azure-sdk-for-python issue 10277). It also passes over hyphens, which makes no difference to the headers that there
 * are: metadata names are C# identifiers.
 */
static int weight(char c) {
    return c == '_' ? 1 : tolower((unsigned char)c);
}

static int compare_header_names(const char *a, const char *b) {
    while (*a && weight(*a) == weight(*b)) {
        a++;
        b++;
    }
    return weight(*a) - weight(*b);
}

static int compare_headers(const void *a, const void *b) {
    const struct http_header *const *left = a, *const *right = b;
    return compare_header_names((*left)->name, (*right)->name);
}

/* Query names sort by byte ("ASCII order" of the lower-case names), and values of one name among each other. */
static int compare_parameters(const void *a, const void *b) {
    const struct http_header *const *left = a, *const *right = b;
    int order = strcasecmp((*left)->name, (*right)->name);
    return order ? order : strcmp((*left)->value, (*right)->value);
}

/* Pointers to the items whose names begin with `prefix`, in order; NULL: no memory. The caller frees them. */
static const struct http_header **sorted(const struct http_headers *items, const char *prefix,
                                         int (*compare)(const void *, const void *), size_t *out_count) {
    const struct http_header **list = calloc(items->count + 1, sizeof(struct http_header *));
    if (!list) {
        return NULL;
    }
    size_t count = 0;
    for (size_t i = 0; i < items->count; i++) {
        if (strncasecmp(items->items[i].name, prefix, strlen(prefix)) == 0) {
            list[count++] = &items->items[i];
        }
    }
    qsort(list, count, sizeof(struct http_header *), compare);
    *out_count = count;
    return list;
}

static void append_canonicalized_headers(struct strbuf *out, const struct http_headers *headers) {
    size_t count;
    const struct http_header **list = sorted(headers, X_MS, compare_headers, &count);
    if (!list) {
        out->status = STATUS_NO_MEMORY;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        append_lower(out, list[i]->name);
        strbuf_append_char(out, ':');
        append_folded(out, list[i]->value);
        strbuf_append_char(out, '\n');
    }
    free(list);
}

static void append_canonicalized_query(struct strbuf *out, const struct http_headers *query) {
    size_t count;
    const struct http_header **list = sorted(query, "", compare_parameters, &count);
    if (!list) {
        out->status = STATUS_NO_MEMORY;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcasecmp(list[i]->name, list[i - 1]->name) == 0) {
            strbuf_append_char(out, ',');
        } else {
            strbuf_append_char(out, '\n');
            append_lower(out, list[i]->name);
            strbuf_append_char(out, ':');
        }
        strbuf_append_string(out, list[i]->value);
    }
    free(list);
}

static void append_blob_string(const struct credential_request *request, struct strbuf *out) {
    const struct http_headers *headers = request->headers;
    append_header_line(out, headers, "Content-Encoding");
    append_header_line(out, headers, "Content-Language");
    if (request->body_length > 0) {
        strbuf_appendf(out, "%zu", request->body_length);
    }
    strbuf_append_char(out, '\n');
    append_header_line(out, headers, "Content-MD5");
    append_header_line(out, headers, "Content-Type");
    strbuf_append_char(out, '\n'); /* Date: empty, as x-ms-date is set */
    append_header_line(out, headers, "If-Modified-Since");
    append_header_line(out, headers, "If-Match");
    append_header_line(out, headers, "If-None-Match");
    append_header_line(out, headers, "If-Unmodified-Since");
    append_header_line(out, headers, "Range");
    append_canonicalized_headers(out, headers);
}

static void append_table_string(const struct credential_request *request, struct strbuf *out) {
    append_header_line(out, request->headers, "Content-MD5");
    append_header_line(out, request->headers, "Content-Type");
    append_header_line(out, request->headers, "x-ms-date");
}

void credential_shared_key_string_to_sign(const struct storage_account *account,
                                          const struct credential_request *request, struct strbuf *out) {
    strbuf_appendf(out, "%s\n", request->method);
    if (request->is_table) {
        append_table_string(request, out);
    } else {
        append_blob_string(request, out);
    }
    strbuf_appendf(out, "/%s%s", account->name, request->path);
    const char *comp = http_headers_get(request->query, "comp");
    if (!request->is_table) {
        append_canonicalized_query(out, request->query);
    } else if (comp) {
        strbuf_appendf(out, "?comp=%s", comp);
    }
}

/*
 * Not every server folds what it gets before it checks the signature (Azurite does not). So what is sent is folded too: to HTTP it
 * is the same value (RFC 2616 section 2.2, LWS).
 */
static enum status fold_headers(struct http_headers *headers) {
    struct strbuf folded;
    strbuf_init(&folded, SIZE_MAX);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < headers->count && status == STATUS_OK; i++) {
        if (strncasecmp(headers->items[i].name, X_MS, strlen(X_MS)) != 0) {
            continue;
        }
        strbuf_clear(&folded);
        append_folded(&folded, headers->items[i].value);
        status = strbuf_status(&folded);
        if (status == STATUS_OK) {
            memcpy(headers->items[i].value, folded.data, folded.length + 1); /* never longer */
        }
    }
    strbuf_release(&folded);
    return status;
}

static enum status authorize(struct credential *credential, struct credential_request *request, struct error *err) {
    const struct storage_account *account = ((const struct credential_shared_key *)credential)->account;
    struct strbuf text, signature;
    unsigned char mac[SHA256_BYTES];
    strbuf_init(&text, SIZE_MAX);
    strbuf_init(&signature, SIZE_MAX);
    credential_shared_key_string_to_sign(account, request, &text);
    enum status status = strbuf_status(&text);
    if (status == STATUS_OK) {
        status = fold_headers(request->headers);
    }
    if (status == STATUS_OK) {
        status = crypto_hmac_sha256(account->key, account->key_length, text.data, text.length, mac);
    }
    if (status == STATUS_OK) {
        crypto_base64_encode(mac, sizeof mac, &signature);
        status = strbuf_status(&signature);
    }
    if (status == STATUS_OK) {
        http_headers_addf(request->headers, "Authorization", "SharedKey %s:%s", account->name, signature.data);
        status = request->headers->status;
    }
    strbuf_release(&text);
    strbuf_release_wipe(&signature);
    return status == STATUS_OK ? STATUS_OK : error_set(err, status, "signing the request: %s", status_text(status));
}

void credential_shared_key_init(struct credential_shared_key *credential, const struct storage_account *account) {
    *credential = (struct credential_shared_key){.base.authorize = authorize, .account = account};
}
