#include "torture/history_request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void write_path(const struct history_record *asked, char out[HISTORY_PATH_BYTES]) {
    bool is_find = asked->kind == HISTORY_FIND;
    const char *name = is_find ? "" : history_kind_name(asked->kind);
    if (asked->kind == HISTORY_RECONCILE) {
        snprintf(out, HISTORY_PATH_BYTES, "/ReconcileInventory");
    } else if (asked->kind == HISTORY_GET) {
        snprintf(out, HISTORY_PATH_BYTES, "/api/inventory/%s", asked->product);
    } else if (is_find || asked->kind == HISTORY_CONFIRM || asked->kind == HISTORY_EXTEND) {
        snprintf(out, HISTORY_PATH_BYTES, "/api/inventory/%s/reservations/%s%s%s", asked->product,
                 asked->wanted_reservation, is_find ? "" : "/", name);
    } else {
        snprintf(out, HISTORY_PATH_BYTES, "/api/inventory/%s/%s", asked->product, name);
    }
}

static void add_member(char out[HISTORY_BODY_BYTES], const char *name, const char *quote,
                       const char *value) {
    size_t used = strlen(out);
    snprintf(out + used, HISTORY_BODY_BYTES - used, "%s\"%s\":%s%s%s", used == 0 ? "{" : ",", name,
             quote, value, quote);
}

static void add_number(char out[HISTORY_BODY_BYTES], const char *name, int64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    add_member(out, name, "", text);
}

/* Confirm and extend may have no body at all; they have none if it would be empty. */
static void write_body(const struct history_record *asked, char out[HISTORY_BODY_BYTES]) {
    out[0] = '\0';
    if (asked->kind == HISTORY_RECONCILE) {
        snprintf(
            out, HISTORY_BODY_BYTES,
            "{\"Data\":{\"timer\":{\"Schedule\":{\"AdjustForDST\":true},\"ScheduleStatus\":null,"
            "\"IsPastDue\":false}},\"Metadata\":{}}");
        return;
    }
    if (asked->quantity != 0) {
        add_number(out, asked->kind == HISTORY_ADJUST ? "delta" : "quantity", asked->quantity);
    }
    if (asked->customer[0] != '\0') {
        add_member(out, "customerId", "\"", asked->customer);
    }
    if (asked->lifetime_s > 0) {
        add_number(out, "lifetimeSeconds", asked->lifetime_s);
    }
    if (asked->kind == HISTORY_RELEASE && asked->wanted_reservation[0] != '\0') {
        add_member(out, "reservationId", "\"", asked->wanted_reservation);
    }
    if (out[0] != '\0') {
        strcat(out, "}");
    }
}

static void write_headers(const struct history_record *asked, struct http_headers *out) {
    http_headers_init(out);
    http_headers_add(out, "Content-Type", "application/json");
    if (asked->key[0] != '\0') {
        http_headers_add(out, "Idempotency-Key", asked->key);
    }
    if (asked->expected_version == HISTORY_ANY_VERSION) {
        http_headers_add(out, "If-Match", "*");
    } else if (asked->expected_version != 0) {
        http_headers_addf(out, "If-Match", "\"%" PRId64 "\"", asked->expected_version);
    }
}

void history_request_init(struct history_request *request, const struct history_record *asked) {
    bool is_read = asked->kind == HISTORY_GET || asked->kind == HISTORY_FIND;
    request->method = is_read ? "GET" : "POST";
    write_path(asked, request->path);
    write_body(asked, request->body);
    if (is_read) {
        request->body[0] = '\0';
    }
    write_headers(asked, &request->headers);
}

void history_request_cleanup(struct history_request *request) {
    http_headers_cleanup(&request->headers);
}
