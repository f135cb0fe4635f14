#include "simulation/storage/signature.h"

#include <ctype.h>
#include <string.h>

#include "base/utc.h"

#define MAX_SKEW_MS (15 * 60 * INT64_C(1000))

enum { PARAMETER_BYTES = 4096, MAX_PARAMETERS = 16 };

enum status signature_check_init(struct signature_check *check, const void *key,
                                 size_t key_length) {
    strbuf_init(&check->text, SIZE_MAX);
    strbuf_init(&check->expected, SIZE_MAX);
    return crypto_hmac_init(&check->hmac, key, key_length);
}

void signature_check_cleanup(struct signature_check *check) {
    crypto_hmac_cleanup(&check->hmac);
    strbuf_cleanup(&check->text);
    strbuf_cleanup(&check->expected);
}

static void append_line(struct strbuf *out, struct text text) {
    strbuf_append(out, text.data, text.length);
    strbuf_append_char(out, '\n');
}

static void append_lower(struct strbuf *out, struct text text) {
    for (size_t i = 0; i < text.length; i++) {
        strbuf_append_char(out, (char)tolower((unsigned char)text.data[i]));
    }
}

/* In the service's order "_" stands before all letters and digits. */
static int weight(char c) {
    return c == '_' ? 1 : tolower((unsigned char)c);
}

static bool is_before(struct text left, struct text right) {
    size_t i = 0;
    while (i < left.length && i < right.length && weight(left.data[i]) == weight(right.data[i])) {
        i++;
    }
    return i < right.length && (i == left.length || weight(left.data[i]) < weight(right.data[i]));
}

/* ---- the Blob service ---- */

static void append_headers(struct strbuf *out, const struct simulated_request *request) {
    size_t order[SIMULATED_MAX_HEADERS], count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        if (!text_starts_nocase(request->names[i], "x-ms-")) {
            continue;
        }
        size_t at = count++;
        for (; at > 0 && is_before(request->names[i], request->names[order[at - 1]]); at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    for (size_t i = 0; i < count; i++) {
        append_lower(out, request->names[order[i]]);
        strbuf_append_char(out, ':');
        append_line(out, request->values[order[i]]);
    }
}

/* "\nname:value" of each parameter, in the order of their names. No request has one twice. */
static void append_query(struct strbuf *out, const struct simulated_request *request) {
    struct text names[MAX_PARAMETERS], values[MAX_PARAMETERS];
    size_t count = 0;
    for (struct text rest = request->query; rest.length > 0 && count < MAX_PARAMETERS;) {
        struct text value = text_cut(&rest, '&'), name = text_cut(&value, '=');
        size_t at = count++;
        for (; at > 0 && is_before(name, names[at - 1]); at--) {
            names[at] = names[at - 1];
            values[at] = values[at - 1];
        }
        names[at] = name;
        values[at] = value;
    }
    for (size_t i = 0; i < count; i++) {
        char decoded[PARAMETER_BYTES];
        strbuf_append_char(out, '\n');
        append_lower(out, names[i]);
        strbuf_append_char(out, ':');
        strbuf_append_string(out, text_percent_decode(values[i], decoded, sizeof decoded) ? decoded
                                                                                          : "");
    }
}

static void append_blob_text(struct strbuf *out, const char *account,
                             const struct simulated_request *request) {
    static const char *const names[] = {"Content-Encoding",
                                        "Content-Language",
                                        "Content-Length",
                                        "Content-MD5",
                                        "Content-Type",
                                        NULL, /* Date: x-ms-date is set */
                                        "If-Modified-Since",
                                        "If-Match",
                                        "If-None-Match",
                                        "If-Unmodified-Since",
                                        "Range"};
    append_line(out, request->method);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct text value =
            names[i] == NULL ? (struct text){"", 0} : simulated_request_header(request, names[i]);
        bool is_no_length = i == 2 && text_is(value, "0");
        append_line(out, is_no_length ? (struct text){"", 0} : value);
    }
    append_headers(out, request);
    strbuf_append_char(out, '/');
    strbuf_append_string(out, account);
    strbuf_append(out, request->path.data, request->path.length);
    append_query(out, request);
}

/* ---- the Table service ---- */

static void append_table_text(struct strbuf *out, const char *account,
                              const struct simulated_request *request) {
    char component[64];
    append_line(out, request->method);
    append_line(out, simulated_request_header(request, "Content-MD5"));
    append_line(out, simulated_request_header(request, "Content-Type"));
    append_line(out, simulated_request_header(request, "x-ms-date"));
    strbuf_append_char(out, '/');
    strbuf_append_string(out, account);
    strbuf_append(out, request->path.data, request->path.length);
    if (simulated_request_query(request, "comp", component, sizeof component)) {
        strbuf_append_string(out, "?comp=");
        strbuf_append_string(out, component);
    }
}

/* ---- both ---- */

static bool is_on_time(const struct simulated_request *request, int64_t wall_ms) {
    char text[UTC_TEXT_BYTES];
    int64_t sent_ms;
    return text_copy(simulated_request_header(request, "x-ms-date"), text, sizeof text) &&
           utc_parse_http(text, &sent_ms) && sent_ms - wall_ms <= MAX_SKEW_MS &&
           wall_ms - sent_ms <= MAX_SKEW_MS;
}

bool signature_is_valid(struct signature_check *check, const char *account, bool is_table,
                        const struct simulated_request *request, int64_t wall_ms) {
    unsigned char mac[SHA256_BYTES];
    strbuf_clear(&check->text);
    strbuf_clear(&check->expected);
    (is_table ? append_table_text : append_blob_text)(&check->text, account, request);
    if (crypto_hmac_sign(&check->hmac, check->text.data, check->text.length, mac) != STATUS_OK) {
        return false;
    }
    strbuf_append_string(&check->expected, "SharedKey ");
    strbuf_append_string(&check->expected, account);
    strbuf_append_char(&check->expected, ':');
    crypto_base64_encode(mac, sizeof mac, &check->expected);
    return text_is(simulated_request_header(request, "Authorization"), check->expected.data) &&
           is_on_time(request, wall_ms);
}
