/*
 * entity.h - a row as the simulated Table service reads and keeps it: the properties of a JSON
 * object, split and joined.
 *
 * A property's annotation ("total@odata.type") is a property like any other here. It stays with the
 * property.
 */
#ifndef SIMULATION_STORAGE_ENTITY_H
#define SIMULATION_STORAGE_ENTITY_H

#include "base/strbuf.h"
#include "simulation/storage/text.h"

enum {
    ENTITY_MAX_PROPERTIES = 252, /* beside the keys and the timestamp */
    ENTITY_KEY_BYTES = 513,      /* 1 KiB in UTF-16 */
};

/* A name without its quotes, a value as it stands in the JSON. */
struct entity_property {
    struct text name, value;
};

/* Room for the annotations, too. */
struct entity {
    struct entity_property properties[2 * ENTITY_MAX_PROPERTIES];
    size_t count;
};

/*
 * Splits a JSON object, or the inside of one; the text must outlive it. Returns false if it is
 * neither, or has too many properties, or values that no property can have.
 */
bool entity_read(struct text json, struct entity *out);

/* The value of that name; empty if it is missing. */
struct text entity_get(const struct entity *entity, const char *name);

/* The text of a JSON string; false for any other value, one that is no JSON, or one too long. */
bool entity_string(struct text value, char *out, size_t out_bytes);

/* Whether no property is longer than storage allows. */
bool entity_fits(const struct entity *entity);

/*
 * The inside of the object that has the properties of `after`, and those of `before` (NULL: none)
 * that are not among them, without keys. A property that is null is as if it was not there
 * ("Understanding the Table service data model").
 */
void entity_join(const struct entity *before, const struct entity *after, struct strbuf *out);

/* Appends a key or a property's text as a JSON string. */
void entity_append_string(struct strbuf *out, const char *text);

#endif
