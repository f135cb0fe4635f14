#include "support/load/hostile_requests.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define GET_NOTHING \
    "GET /api/inventory/NONE HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n"
#define RESERVE \
    "POST /api/inventory/NONE/reserve HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
#define RESERVE_NOTHING \
    RESERVE "Content-Length: 38\r\n\r\n{\"quantity\":0,\"customerId\":\"CUST-001\"}"
#define RESERVE_IN_CHUNKS \
    RESERVE               \
    "Transfer-Encoding: " \
    "chunked\r\n\r\nA\r\n{\"quantity\r\n1C\r\n\":0,\"customerId\":\"CUST-001\"}\r\n0\r\n\r\n"
#define INVOKE                                                                                \
    "POST /GetInventory HTTP/1.1\r\nHost: h\r\nContent-Length: "                              \
    "77\r\n\r\n{\"Data\":{\"req\":{\"Method\":\"GET\",\"Params\":{\"productId\":\"NONE\"}}}," \
    "\"Metadata\":{}}"

/* What must never be read as a request. */
#define SMUGGLED "GET /api/inventory/" HOSTILE_PRODUCT " HTTP/1.1\r\nHost: h\r\n\r\n"

static const char *const good[] = {GET_NOTHING, RESERVE_NOTHING, RESERVE_IN_CHUNKS, INVOKE,
                                   "GET / HTTP/1.0\r\n\r\n"};

/*
 * Heads behind "POST /api/inventory/NONE/reserve HTTP/1.1\r\n"; what follows them is a body, or
 * nobody knows.
 */
static const char *const smuggling_heads[] = {
    "Content-Length: 300\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "Content-Length: 0\r\nContent-Length: 300\r\n\r\n",
    "Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "Content-Length: 0, 300\r\n\r\n",
    "Content-Length: +0\r\n\r\n",
    "Content-Length: 0x0\r\n\r\n",
    "Content-Length : 300\r\n\r\n",
    "Content-Length: 99999999999999999999\r\n\r\n",
    "Content-Length: 9223372036854775807\r\n\r\n",
    " Content-Length: 300\r\n\r\n",
    "X: y\r\n Content-Length: 300\r\nContent-Length: 0\r\n\r\n",
    "X: y\nContent-Length: 0\r\n\r\n",
    "X: y\n\n",
    "\x80: y\r\nContent-Length: 300\r\n\r\n",
    "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n",
    "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n0;x=y\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n",
    "Transfer-Encoding: chunked\r\n\r\n8000000000000000\r\n",
    "Transfer-Encoding: chunked\r\n\r\n0\n\n",
    "Content-Length: 200000\r\n\r\n",
    "Content-Length: 2000000\r\n\r\n",
};

static const char *const request_lines[] = {"FOO / HTTP/1.1",
                                            "OPTIONS * HTTP/1.1",
                                            "CONNECT localhost:80 HTTP/1.1",
                                            "TRACE / HTTP/1.1",
                                            "GET http:/// HTTP/1.1",
                                            "GET http://h:1/ HTTP/1.1",
                                            "GET nothing HTTP/1.1",
                                            "GET /% HTTP/1.1",
                                            "GET / HTTP/2.0",
                                            "GET / HTTP/1.10",
                                            "GET / http/1.1",
                                            "GET  / HTTP/1.1",
                                            "GET /\t HTTP/1.1",
                                            "GET",
                                            "PRI * HTTP/2.0",
                                            "get / HTTP/1.1",
                                            "GET /../../ HTTP/1.1",
                                            "GET /api/inventory HTTP/1.1",
                                            "DELETE /GetInventory HTTP/1.1",
                                            "\x16\x03\x01\x02",
                                            "HEAD /%00%0d%0a HTTP/1.1"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/*
 * splitmix64, a generator in the public domain: good enough to choose with, and the same on every
 * machine.
 */
static uint64_t next_number(struct hostile_source *source) {
    uint64_t z = source->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static size_t below(struct hostile_source *source, size_t limit) {
    return (size_t)(next_number(source) % limit);
}

static size_t put(struct hostile_source *source, size_t at, const char *text) {
    size_t length = strlen(text);
    memcpy(source->bytes + at, text, length);
    return at + length;
}

static size_t put_many(struct hostile_source *source, size_t at, const char *text, size_t count) {
    for (size_t i = 0; i < count; i++) {
        at = put(source, at, text);
    }
    return at;
}

static size_t put_good(struct hostile_source *source, size_t at) {
    return put(source, at, good[below(source, COUNT(good))]);
}

/* Cuts a good request anywhere. */
static size_t cut(struct hostile_source *source) {
    return below(source, put_good(source, 0)) + 1;
}

static size_t change_bytes(struct hostile_source *source) {
    static const char bytes[] = "\0\r\n \t:;,/?%\"{}\x7f\x80\xff"
                                "09azAZ+-";
    size_t length = put_good(source, 0);
    for (size_t left = 1 + below(source, 4); left > 0; left--) {
        source->bytes[below(source, length)] = bytes[below(source, sizeof bytes - 1)];
    }
    return length;
}

static size_t drop_or_repeat_bytes(struct hostile_source *source) {
    size_t length = put_good(source, 0);
    size_t at = below(source, length);
    size_t count = 1 + below(source, length - at < 8 ? length - at : 8);
    if (below(source, 2) == 0) {
        memmove(source->bytes + at, source->bytes + at + count, length - at - count);
        return length - count;
    }
    memmove(source->bytes + at + count, source->bytes + at, length - at);
    return length + count;
}

static size_t pipeline(struct hostile_source *source) {
    size_t at = 0;
    for (size_t left = 2 + below(source, 8); left > 0; left--) {
        at = put_good(source, at);
    }
    return at - below(source, 3) * below(source, 20);
}

static size_t smuggle(struct hostile_source *source) {
    size_t at = put(source, 0, "POST /api/inventory/NONE/reserve HTTP/1.1\r\nHost: h\r\n");
    at = put(source, at, smuggling_heads[below(source, COUNT(smuggling_heads))]);
    return put(source, at, SMUGGLED);
}

/* White space in front, so that what is behind it may be taken for another length than it has. */
static size_t lead_with_white_space(struct hostile_source *source) {
    size_t at = put_many(source, 0, "\r\n", 1 + below(source, 300));
    return below(source, 2) == 0 ? at : put_good(source, at);
}

static size_t blow_up(struct hostile_source *source) {
    size_t count = 1 + below(source, 60);
    switch (below(source, 4)) {
    case 0: /* the URL: 60 to 36,000 bytes */
        return put(source,
                   put_many(source, put(source, 0, "GET /"), "aaaaaaaaaa", 6 * count * count / 6),
                   " HTTP/1.1\r\nHost: h\r\n\r\n");
    case 1: /* the headers' number */
        return put(source,
                   put_many(source, put(source, 0, "GET / HTTP/1.1\r\n"), "X: y\r\n", 2 * count),
                   "\r\n");
    case 2: /* one header: to 216,000 bytes */
        return put(source,
                   put_many(source, put(source, 0, "GET / HTTP/1.1\r\nX: "), "aaaaaaaaaa",
                            6 * count * count),
                   "\r\n\r\n");
    default: /* the body: over the API's limit and, told in chunks, under it */
        return put_many(source,
                        put(source, 0,
                            "POST /api/inventory/NONE/reserve HTTP/1.1\r\nHost: "
                            "h\r\nTransfer-Encoding: chunked\r\n\r\n"),
                        "A\r\naaaaaaaaaa\r\n", 10 * count);
    }
}

static size_t odd_request_line(struct hostile_source *source) {
    size_t at = put(source, 0, request_lines[below(source, COUNT(request_lines))]);
    return put(source, at,
               below(source, 3) == 0 ? "\r\n\r\n" : "\r\nHost: h\r\nConnection: close\r\n\r\n");
}

static size_t noise(struct hostile_source *source) {
    size_t length = 1 + below(source, 400);
    for (size_t i = 0; i < length; i++) {
        source->bytes[i] = (char)next_number(source);
    }
    return length;
}

void hostile_source_init(struct hostile_source *source, uint64_t seed) {
    source->state = seed;
}

struct hostile_request hostile_source_next(struct hostile_source *source) {
    static size_t (*const kinds[])(struct hostile_source *) = {
        cut,     change_bytes,          change_bytes, drop_or_repeat_bytes, pipeline, smuggle,
        smuggle, lead_with_white_space, blow_up,      odd_request_line,     noise};
    size_t length = kinds[below(source, COUNT(kinds))](source);
    bool splits = below(source, 2) == 0;
    return (struct hostile_request){
        .bytes = source->bytes,
        .length = length,
        .split_at = splits ? below(source, length) : 0,
        .pause_ms = splits && below(source, 50) == 0 ? 1 + (int)below(source, 30) : 0};
}
