/*
 * entity.h - a row of the fake storage's Table service: its properties as JSON, split and joined.
 *
 * A property's annotation ("total@odata.type") is a property like any other here, and stays with it.
 */
#ifndef BENCH_STORAGE_ENTITY_H
#define BENCH_STORAGE_ENTITY_H

#include <stdbool.h>
#include <stddef.h>

#include "http.h"

enum { ENTITY_MAX_PROPERTIES = 128, ENTITY_KEY_BYTES = 192 };

/* A name without its quotes, a value as it stands in the JSON. */
struct entity_property {
    struct text name, value;
};

struct entity {
    struct entity_property properties[ENTITY_MAX_PROPERTIES];
    size_t count;
};

/* Splits a JSON object, or the inside of one; the text must outlive it. False: it is neither, or has too many. */
bool entity_read(struct text json, struct entity *out);

/* The value of that name; empty where it is missing. */
struct text entity_get(const struct entity *entity, const char *name);

/* The text of a JSON string without escapes; false for any other value. */
bool entity_string(struct text value, char *out, size_t out_bytes);

/* The inside of the object that has the properties of `after`, and those of `before` that are not among them, without keys. */
void entity_join(const struct entity *before, const struct entity *after, struct strbuf *out);

#endif
