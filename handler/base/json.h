/*
 * json.h - strict parsing on top of cJSON, and the little that readers and writers of JSON share.
 *
 * A number keeps its text, in `valuestring`: as a double, 4.99999999999999999999 is 5.
 *
 * cJSON itself is lenient; what comes through json_parse is RFC 8259 JSON in valid UTF-8, with no NUL (raw or \u0000), nothing
 * after the value, no key twice in one object, nested at most JSON_MAX_DEPTH deep, no number of over 63 characters.
 * Threads: any; a cJSON tree belongs to one thread at a time.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/strbuf.h"
#include "base/utf8.h"

enum { JSON_MAX_DEPTH = 32 };

/*
 * Parses `length` bytes. `*out` is the caller's, to be freed with cJSON_Delete.
 *
 * STATUS_MALFORMED   not such JSON; the message says what is wrong and, where it can, at which byte
 * STATUS_NO_MEMORY
 */
enum status json_parse(const char *text, size_t length, cJSON **out, struct error *err) MUST_CHECK;

/*
 * The same for what callers have written, with two differences. A \u0000 is read as \u0001: as a control character it is refused
 * wherever a NUL would be, but it does not end the string. With `any_case`, names that differ only in the case of A-Z are one
 * name, as .NET's web defaults see them; cJSON_GetObjectItem finds it.
 */
enum status json_parse_sent(const char *text, size_t length, bool any_case, cJSON **out,
                            struct error *err) MUST_CHECK;

/*
 * The same for configuration files, where the Functions host and .NET allow comments, a comma after the last member, a byte order
 * mark and a key that stands twice in one object: the last one counts (Newtonsoft.Json's JObject.Parse, which reads host.json).
 */
enum status json_parse_config(const char *text, size_t length, cJSON **out,
                              struct error *err) MUST_CHECK;

/* The string member `key` of `object`, borrowed; NULL where there is none or it is not a string. Keys compare by case. */
const char *json_string(const cJSON *object, const char *key);

/* cJSON_Delete that wipes every string first: for trees with secrets. NULL is fine. */
void json_delete_wiped(cJSON *root);

/* Reads a parsed number that is whole, by its text: 5, 5.0, 50e-1. False: not a number, not whole, or beyond int64_t; untouched. */
bool json_whole_number(const cJSON *item, int64_t *out);

/*
 * The member `key` as a whole number: as json_whole_number reads it, or a string of digits, "-" in front allowed, as table
 * storage writes Edm.Int64. False: neither; untouched.
 */
bool json_int64(const cJSON *object, const char *key, int64_t *out);

/*
 * Appends `text` as a JSON string, quotes included, on one line even to JavaScript, which takes
 * U+2028 and U+2029 for ends of lines. What is not UTF-8 is not changed.
 */
void json_append_string(struct strbuf *out, const char *text);

/* Appends a whole number exactly, where cJSON's own doubles would round it from 2^53 on. False: no memory. */
bool json_add_int64(cJSON *object, const char *key, int64_t value);

#endif
