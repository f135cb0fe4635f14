#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/crypto.h"
#include "base/http_message.h"
#include "http/http_client.h"
#include "identity/credential.h"
#include "identity/storage_account.h"

#define X_MS "x-ms-" /* the prefix of storage's own headers */

static bool is_blank(char c) {
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

/*
 * Returns true if folding would not change the text. It ignores quotes, and may return false for a
 * text with quotes that is folded.
 */
static bool is_folded(const char *text) {
    size_t length = strlen(text);
    return length == 0 || (!is_blank(text[0]) && !is_blank(text[length - 1]) &&
                           memchr(text, '\t', length) == NULL && strstr(text, "  ") == NULL);
}

/*
 * Appends a header value as storage signs it. White space at the ends is removed. White space
 * inside is replaced by one space, except inside quotes.
 */
static void append_folded(struct strbuf *out, const char *text) {
    if (is_folded(text)) {
        strbuf_append_string(out, text);
        return;
    }
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
    size_t start = out->length;
    strbuf_append_string(out, text);
    for (size_t i = start; i < out->length; i++) {
        out->data[i] = (char)tolower((unsigned char)out->data[i]);
    }
}

static void append_header_line(struct strbuf *out, const struct http_headers *headers,
                               const char *name) {
    const char *value = http_headers_get(headers, name);
    append_trimmed(out, value != NULL ? value : "");
    strbuf_append_char(out, '\n');
}

/*
 * Returns the sort order of a character in a header name. The service sorts names by the rules of
 * its culture, not by byte. An underscore comes before digits and letters (issue 10277 of
 * Azure/azure-sdk-for-python). Hyphens are ignored. That makes no difference here, as metadata
 * names are C# identifiers.
 */
static int sort_weight(char c) {
    return c == '_' ? 1 : tolower((unsigned char)c);
}

static int compare_header_names(const char *a, const char *b) {
    while (*a != '\0' && sort_weight(*a) == sort_weight(*b)) {
        a++;
        b++;
    }
    return sort_weight(*a) - sort_weight(*b);
}

/* Query parameters sort by byte: by lower-case name ("ASCII order"), then by value. */
static int compare_parameters(const struct http_header *a, const struct http_header *b) {
    int order = strcasecmp(a->name, b->name);
    return order != 0 ? order : strcmp(a->value, b->value);
}

static int compare_headers(const struct http_header *a, const struct http_header *b) {
    return compare_header_names(a->name, b->name);
}

/* Headers or query parameters in order. No request of ours has more of either. */
struct sorted_items {
    const struct http_header *items[HTTP_CALL_MAX_HEADERS];
    size_t count;
};

/*
 * Sorts the items whose names begin with `prefix`, by insertion: they are few, and mostly in order.
 * STATUS_TOO_LARGE: too many.
 */
static enum status sort_items(const struct http_headers *from, const char *prefix,
                              int (*compare)(const struct http_header *,
                                             const struct http_header *),
                              struct sorted_items *out) {
    out->count = 0;
    for (size_t i = 0; i < from->count; i++) {
        const struct http_header *item = &from->items[i];
        if (strncasecmp(item->name, prefix, strlen(prefix)) != 0) {
            continue;
        }
        if (out->count == HTTP_CALL_MAX_HEADERS) {
            return STATUS_TOO_LARGE;
        }
        size_t at = out->count++;
        for (; at > 0 && compare(item, out->items[at - 1]) < 0; at--) {
            out->items[at] = out->items[at - 1];
        }
        out->items[at] = item;
    }
    return STATUS_OK;
}

static void append_canonicalized_headers(struct strbuf *out, const struct http_headers *headers) {
    struct sorted_items list;
    enum status status = sort_items(headers, X_MS, compare_headers, &list);
    if (status != STATUS_OK) {
        out->status = status;
        return;
    }
    for (size_t i = 0; i < list.count; i++) {
        append_lower(out, list.items[i]->name);
        strbuf_append_char(out, ':');
        append_folded(out, list.items[i]->value);
        strbuf_append_char(out, '\n');
    }
}

static void append_canonicalized_query(struct strbuf *out, const struct http_headers *query) {
    struct sorted_items list;
    enum status status = sort_items(query, "", compare_parameters, &list);
    if (status != STATUS_OK) {
        out->status = status;
        return;
    }
    for (size_t i = 0; i < list.count; i++) {
        if (i > 0 && strcasecmp(list.items[i]->name, list.items[i - 1]->name) == 0) {
            strbuf_append_char(out, ',');
        } else {
            strbuf_append_char(out, '\n');
            append_lower(out, list.items[i]->name);
            strbuf_append_char(out, ':');
        }
        strbuf_append_string(out, list.items[i]->value);
    }
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
    strbuf_append_char(out, '\n'); /* Date is empty because x-ms-date is set */
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
                                          const struct credential_request *request,
                                          struct strbuf *out) {
    strbuf_append_string(out, request->method);
    strbuf_append_char(out, '\n');
    if (request->is_table) {
        append_table_string(request, out);
    } else {
        append_blob_string(request, out);
    }
    strbuf_append_char(out, '/');
    strbuf_append_string(out, account->name);
    strbuf_append(out, request->path, request->path_length);
    const char *comp = http_headers_get(request->query, "comp");
    if (!request->is_table) {
        append_canonicalized_query(out, request->query);
    } else if (comp != NULL) {
        strbuf_appendf(out, "?comp=%s", comp);
    }
}

/*
 * Folds the headers that are sent, too. Azurite does not fold what it gets before it checks the
 * signature. For HTTP the value stays the same (RFC 2616 section 2.2, LWS).
 */
static enum status fold_headers(struct http_headers *headers) {
    struct strbuf folded;
    strbuf_init(&folded, SIZE_MAX);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < headers->count && status == STATUS_OK; i++) {
        const struct http_header *item = &headers->items[i];
        if (strncasecmp(item->name, X_MS, strlen(X_MS)) != 0 || is_folded(item->value)) {
            continue;
        }
        strbuf_clear(&folded);
        append_folded(&folded, item->value);
        status = strbuf_status(&folded);
        if (status == STATUS_OK) {
            memcpy(item->value, folded.data, folded.length + 1); /* folding never lengthens it */
        }
    }
    strbuf_cleanup(&folded);
    return status;
}

/* Signs `text`, adds the signature to the request, and leaves the header's value in `text`. */
static enum status add_signature(struct credential_shared_key *credential, struct strbuf *text,
                                 struct credential_request *request) {
    unsigned char mac[SHA256_BYTES];
    enum status status = crypto_hmac_sign(&credential->hmac, text->data, text->length, mac);
    if (status != STATUS_OK) {
        return status;
    }
    strbuf_clear(text);
    strbuf_append_string(text, "SharedKey ");
    strbuf_append_string(text, credential->account->name);
    strbuf_append_char(text, ':');
    crypto_base64_encode(mac, sizeof mac, text);
    status = strbuf_status(text);
    if (status == STATUS_OK) {
        http_headers_add_bytes(request->headers, "Authorization", strlen("Authorization"),
                               text->data, text->length);
        status = request->headers->status;
    }
    return status;
}

static enum status shared_key_authorize(struct credential *credential,
                                        struct credential_request *request, struct error *err) {
    struct credential_shared_key *self = (struct credential_shared_key *)credential;
    struct strbuf *text = &self->text;
    strbuf_clear(text);
    credential_shared_key_string_to_sign(self->account, request, text);
    enum status status = strbuf_status(text);
    if (status == STATUS_OK) {
        status = fold_headers(request->headers);
    }
    if (status == STATUS_OK) {
        status = add_signature(self, text, request);
    }
    if (status != STATUS_OK) {
        return error_set(err, status, "signing the request: %s", status_text(status));
    }
    return STATUS_OK;
}

enum status credential_shared_key_init(struct credential_shared_key *credential,
                                       const struct storage_account *account, struct error *err) {
    *credential =
        (struct credential_shared_key){.base.authorize = shared_key_authorize, .account = account};
    enum status status = crypto_hmac_init(&credential->hmac, account->key, account->key_length);
    if (status != STATUS_OK) {
        return error_set(err, status, "OpenSSL does not take the account's key");
    }
    strbuf_init(&credential->text, SIZE_MAX);
    return STATUS_OK;
}

void credential_shared_key_cleanup(struct credential_shared_key *credential) {
    if (credential->hmac.context != NULL) {
        crypto_hmac_cleanup(&credential->hmac);
        strbuf_cleanup(&credential->text);
    }
}
