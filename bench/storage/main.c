/*
 * fake storage - Azure Storage as far as the handlers of the benchmark use it: the model of
 * tests/simulation/storage/ behind sockets. Signatures only have to name the account.
 *
 *     fake [DELAY_US]     answers each request that much later
 *
 * Its ports stand in the line that it writes to stdout.
 *
 * For the driver, to either port:
 *     GET /$counts        what was asked so far
 *     PUT /$seed/COUNT    makes products P0000, ... of the body's entity, and their lease blobs
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "counts.h"
#include "http.h"

enum { ANSWER_MAX_BYTES = 4096 };

struct fake {
    struct simulated_storage storage;
    struct counts counts;
};

static void answer(struct strbuf *out, const char *status, const char *body) {
    strbuf_appendf(out, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
}

static void answer_counts(const struct counts *counts, struct strbuf *out) {
    struct strbuf body;
    strbuf_init(&body, ANSWER_MAX_BYTES);
    counts_write(counts, &body);
    answer(out, "200 OK", body.data);
    strbuf_cleanup(&body);
}

static void seed(struct simulated_storage *storage, const struct simulated_request *request,
                 struct strbuf *out) {
    long count = strtol(request->path.data + strlen("/$seed/"), NULL, 10);
    struct entity entity;
    struct strbuf properties;
    if (!entity_read(request->body, &entity)) {
        answer(out, "400 Bad Request", "");
        return;
    }
    strbuf_init(&properties, ANSWER_MAX_BYTES);
    entity_join(NULL, &entity, &properties);
    struct table *table = rows_table(&storage->rows, "inventory", NULL);
    table = table != NULL ? table : rows_make_table(&storage->rows, "inventory");
    for (long i = 0; i < count; i++) {
        char key[32], blob[64];
        snprintf(key, sizeof key, "P%04ld", i);
        snprintf(blob, sizeof blob, "lease-inventory-%s", key);
        rows_put(&storage->rows, table, key, "product", &properties);
        blobs_make(&storage->blobs, "leases", blob);
    }
    strbuf_cleanup(&properties);
    answer(out, "204 No Content", "");
}

static void serve(void *context, enum simulated_service service,
                  const struct simulated_request *request, struct strbuf *out) {
    struct fake *fake = context;
    if (text_is(request->path, "/$counts")) {
        answer_counts(&fake->counts, out);
    } else if (text_starts_nocase(request->path, "/$seed/")) {
        seed(&fake->storage, request, out);
    } else {
        simulated_storage_serve(&fake->storage, service, request, out);
        counts_add(&fake->counts, &fake->storage);
    }
}

int main(int argc, char **argv) {
    static const struct storage_account account = {
        .name = "devstoreaccount1",
        .blob_endpoint = "http://127.0.0.1/devstoreaccount1",
        .table_endpoint = "http://127.0.0.1/devstoreaccount1"};
    static struct fake fake;
    char *end = NULL;
    long delay_us = argc > 1 ? strtol(argv[1], &end, 10) : 0;
    if (argc > 2 || (end != NULL && *end != '\0') || delay_us < 0) {
        fputs("usage: fake [DELAY_US]\n", stderr);
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    if (simulated_storage_init(&fake.storage, clock_system(), &account) != STATUS_OK) {
        return 1;
    }
    http_serve(serve, &fake, delay_us);
}
